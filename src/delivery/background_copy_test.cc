// Tables that are added while the stream goes on, against a made-up server and storage that fail at any
// point: in the replayed state each row is there exactly once.
#include "src/delivery/background_copy.h"

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <arrow/array.h>
#include <gtest/gtest.h>

#include "arrowcdc/change_rows.h"
#include "arrowcdc/error.h"
#include "src/change/testing/change_batches.h"
#include "src/delivery/testing/fake_snapshot.h"
#include "src/delivery/testing/fake_source.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/seed.h"

namespace arrowcdc {
namespace {

using test::At;
using test::FakeRow;
using test::FakeServer;
using test::FakeTransaction;
using test::SourceWithRows;

constexpr int kTables = 4;  // the first is the one that the sink began with

struct StoredRow {
  RowPosition position;
  Op op = Op::kInsert;
  int64_t id = 0;
};

// What survives every crash of the client.
struct World {
  explicit World(std::mt19937_64& random) {
    for (int i = 0; i < kTables; ++i) {
      const auto key = arrow::key_value_metadata({kIdentityKey}, {"1"});
      const TableName name{"public", "t" + std::to_string(i)};
      const auto id = static_cast<uint32_t>(i + 1);
      server.tables[static_cast<size_t>(i)] =
          test::MakeTable(name, {arrow::field("id", arrow::int64(), true, key)}, id, id);
      server.catalog.push_back({.name = name, .table_id = id});
    }
    server.may_forget = [](const FakeRow&) { return true; };  // the replayed state tells
    server.Write(random, 60, 9);
    snapshot.complete = true;
    snapshot.copied.push_back({server.tables[0]->name, 1, At(100)});
  }

  FakeServer server{kTables};
  std::optional<Position> position = At(100);
  SnapshotState snapshot;
  std::map<TableName, std::vector<StoredRow>> rows;
  uint64_t last_point = 100;

  void Store(const TableName& table, const std::vector<StoredRow>& more) {
    rows[table].insert(rows[table].end(), more.begin(), more.end());
  }
};

std::vector<StoredRow> RowsOf(const ChangeBatch& batch) {
  const auto changes = ChangeRows::Make(*batch.table, *batch.rows).ValueOrDie();
  const auto& ids = static_cast<const arrow::Int64Array&>(*batch.rows->column(0));
  std::vector<StoredRow> rows;
  for (int64_t row = 0; row < changes.num_rows(); ++row)
    rows.push_back({changes.position(row), changes.op(row), ids.IsNull(row) ? -1 : ids.Value(row)});
  return rows;
}

class AddingSink : public Sink {
 public:
  AddingSink(World& world, std::mt19937_64& random, bool crash)
      : world_(world), random_(random), crash_(crash) {}

  bool keeps_data() const override { return true; }
  int snapshot_writers_max() const override { return 3; }
  bool copies_beside_stream() const override { return true; }
  std::optional<Position> durable() const override { return world_.position; }
  bool has_pending_rows() const override { return !pending_.empty(); }

  arrow::Result<SinkState> Open(const StreamIdentity&) override {
    SinkState state;
    state.position = world_.position;
    state.snapshot = world_.snapshot;
    for (const auto& [table, rows] : world_.rows) {
      for (const StoredRow& row : rows) {
        if (row.op == Op::kInsert) state.last_rows[table] = std::max(state.last_rows[table], row.position);
      }
    }
    return state;
  }
  arrow::Status Write(const ChangeBatch& batch) override {
    CheckThread();
    const auto rows = RowsOf(batch);
    auto& pending = pending_[batch.table->name];
    pending.insert(pending.end(), rows.begin(), rows.end());
    if (random_() % 7 == 0) StoreTable(batch.table->name);
    return arrow::Status::OK();
  }
  arrow::Status Advance(const Position& position) override {
    advanced_ = position;
    return arrow::Status::OK();
  }
  arrow::Status Flush() override {
    CheckThread();
    while (!pending_.empty()) StoreTable(TableName(pending_.begin()->first));
    world_.position = std::max(world_.position, advanced_);
    return arrow::Status::OK();
  }
  arrow::Status Tick() override { return random_() % 3 == 0 ? Flush() : arrow::Status::OK(); }
  arrow::Status Close() override { return crash_ ? arrow::Status::OK() : Flush(); }

  arrow::Result<std::vector<SnapshotPart>> BeginSnapshot(
      const std::optional<std::vector<TableName>>& only) override {
    ARROW_RETURN_NOT_OK(Flush());
    EXPECT_TRUE(only.has_value() && !only->empty());
    world_.snapshot.complete = false;
    world_.snapshot.only = only;
    return std::vector<SnapshotPart>();
  }
  arrow::Result<std::unique_ptr<SnapshotPartWriter>> BeginPart(const SnapshotPart& part) override {
    CheckThread();
    return std::make_unique<Part>(this, part.table);
  }
  arrow::Status CompleteTable(const CopiedTable& table) override {
    CheckThread();
    const std::lock_guard lock(parts_mutex_);
    for (const auto& part : std::exchange(parts_[table.name], {})) {
      if (part.front().position.commit_lsn == table.point.order - 1) world_.Store(table.name, part);
    }
    world_.snapshot.copied.push_back(table);
    std::erase(*world_.snapshot.only, table.name);
    return arrow::Status::OK();
  }
  arrow::Status EndSnapshot() override {
    world_.snapshot.complete = true;
    world_.snapshot.only.reset();
    return arrow::Status::OK();
  }

 private:
  class Part : public SnapshotPartWriter {
   public:
    Part(AddingSink* sink, TableName table) : sink_(*sink), table_(std::move(table)) {}
    arrow::Status Write(const ChangeBatch& batch) override {
      for (const StoredRow& row : RowsOf(batch)) rows_.push_back(row);
      return arrow::Status::OK();
    }
    arrow::Status Finish() override {
      const std::lock_guard lock(sink_.parts_mutex_);
      if (!rows_.empty()) sink_.parts_[table_].push_back(std::move(rows_));
      return arrow::Status::OK();
    }

   private:
    AddingSink& sink_;
    const TableName table_;
    std::vector<StoredRow> rows_;
  };

  void CheckThread() const { EXPECT_EQ(std::this_thread::get_id(), thread_); }
  void StoreTable(const TableName& table) {
    world_.Store(table, pending_[table]);
    pending_.erase(table);
  }

  World& world_;
  std::mt19937_64& random_;
  const bool crash_;
  const std::thread::id thread_ = std::this_thread::get_id();
  std::map<TableName, std::vector<StoredRow>> pending_;
  std::optional<Position> advanced_;
  std::mutex parts_mutex_;
  std::map<TableName, std::vector<std::vector<StoredRow>>> parts_;
};

// Rows in front of a truncate do not count.
std::map<int64_t, int> Replay(std::vector<StoredRow> rows) {
  std::stable_sort(rows.begin(), rows.end(),
                   [](const StoredRow& a, const StoredRow& b) { return a.position < b.position; });
  std::map<int64_t, int> state;
  for (const StoredRow& row : rows) {
    if (row.op == Op::kTruncate) {
      state.clear();
    } else {
      ++state[row.id];
    }
  }
  return state;
}

TEST(BackgroundCopy, TablesThatAreAddedAreThereOnceWhateverFails) {
  std::mt19937_64 random(test::Seed());
  PipelineObserver observer;
  const StopToken stop;
  int copies = 0;
  int voided = 0;
  for (int round = 0; round < 25; ++round) {
    World world(random);
    PipelineOptions options;
    options.snapshot = SnapshotMode::kAuto;
    options.snapshot_connections = 3;
    options.until = FormatLsn(world.server.wal_end);
    for (int crash = 0; crash < 3; ++crash) {
      SourceWithRows source(world.server, random(), 0, world.last_point);
      source.FailForGoodAfter(static_cast<int>(random() % 150));
      AddingSink sink(world, random, true);
      (void)RunPipeline(source, sink, options, nullptr, observer, stop);
      copies += source.points;
    }
    SourceWithRows source(world.server, random(), 40, world.last_point);
    AddingSink sink(world, random, false);
    const auto stats = RunPipeline(source, sink, options, nullptr, observer, stop);
    ASSERT_TRUE(stats.ok()) << stats.status();
    copies += source.points;
    EXPECT_TRUE(world.snapshot.complete);
    for (int t = 0; t < kTables; ++t) {
      const auto& rows = world.rows[world.server.tables[static_cast<size_t>(t)]->name];
      voided +=
          std::any_of(rows.begin(), rows.end(), [](const auto& row) { return row.op == Op::kTruncate; });
      std::map<int64_t, int> state = Replay(rows);
      for (const FakeTransaction& txn : world.server.wal) {
        for (const FakeRow& row : txn.rows) {
          if (row.table != t) continue;
          EXPECT_EQ(state[row.id], 1) << "row " << row.id << " of t" << t << ", round " << round;
        }
      }
      EXPECT_EQ(state.size(), static_cast<size_t>(world.server.RowsOf(t))) << "table t" << t;
    }
    if (HasFailure()) return;
  }
  EXPECT_GT(copies, 40);
  EXPECT_GT(voided, 0);
}

// A server has taken over that lacks the end of the log, with the point of a table that was copied.
TEST(BackgroundCopy, TablesOfAPointThatIsNotInTheLogAreCopiedAnew) {
  std::mt19937_64 random(test::Seed());
  World world(random);
  const auto& t0 = world.server.tables[0];
  world.rows[t0->name].push_back({{99, 1'000'000, 0}, Op::kSnapshot, 1'000'000});
  struct Other : SourceWithRows {
    using SourceWithRows::SourceWithRows;
    arrow::Result<bool> HasInHistory(const Position& position) override { return position != At(100); }
  } source(world.server, random(), 0, world.last_point);
  struct Observer : PipelineObserver {
    void OnNotice(const SourceNotice& notice) override { told |= notice.object == "table public.t0"; }
    bool told = false;
  } observer;
  AddingSink sink(world, random, false);
  PipelineOptions options;
  options.snapshot = SnapshotMode::kAuto;
  options.until = FormatLsn(world.server.wal_end);
  const StopToken stop;
  const auto stats = RunPipeline(source, sink, options, nullptr, observer, stop);
  ASSERT_TRUE(stats.ok()) << stats.status();
  EXPECT_TRUE(observer.told);
  const auto state = Replay(world.rows[t0->name]);
  EXPECT_FALSE(state.contains(1'000'000));
  EXPECT_EQ(state.size(), static_cast<size_t>(world.server.RowsOf(0)));
}

}  // namespace
}  // namespace arrowcdc
