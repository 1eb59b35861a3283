// The pipeline against a made-up server and a made-up storage, both of which can fail at any point: every row ends up in the
// storage exactly once, and nothing is acknowledged that is not there.
#include "arrowcdc/pipeline.h"

#include <cstdlib>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <arrow/api.h>
#include <gtest/gtest.h>

#include "arrowcdc/error.h"
#include "src/pipeline/start_position.h"

namespace arrowcdc {
namespace {

using std::chrono::milliseconds;

uint64_t Seed() {
  const char* given = std::getenv("ARROWCDC_TEST_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
}

std::shared_ptr<const TableSchema> MakeTable(const std::string& name) {
  auto table = std::make_shared<TableSchema>();
  table->name = {"public", name};
  table->column_count = 1;
  const auto indexes = arrow::list(arrow::int16());
  table->schema = arrow::schema({arrow::field("id", arrow::int64()),
                                 arrow::field("_op", arrow::dictionary(arrow::int8(), arrow::utf8())),
                                 arrow::field("_commit_lsn", arrow::uint64()), arrow::field("_lsn", arrow::uint64()),
                                 arrow::field("_ord", arrow::uint16()), arrow::field("_xid", arrow::uint32()),
                                 arrow::field("_commit_ts", arrow::timestamp(arrow::TimeUnit::MICRO, "UTC")),
                                 arrow::field("_unchanged", indexes), arrow::field("_unrepresentable", indexes)});
  return table;
}

struct Row {
  int64_t id;
  RowPosition position;
};

ChangeBatch MakeBatch(const std::shared_ptr<const TableSchema>& table, const std::vector<Row>& rows, GroupState group) {
  arrow::Int64Builder id;
  arrow::UInt64Builder commit_lsn, lsn;
  arrow::UInt16Builder ord;
  for (const Row& row : rows) {
    EXPECT_TRUE(id.Append(row.id).ok() && commit_lsn.Append(row.position.commit_lsn).ok() &&
                lsn.Append(row.position.lsn).ok() && ord.Append(row.position.ord).ok());
  }
  arrow::ArrayVector columns;
  for (const auto& field : table->schema->fields()) {
    columns.push_back(*arrow::MakeArrayOfNull(field->type(), static_cast<int64_t>(rows.size())));
  }
  columns[0] = *id.Finish();
  columns[2] = *commit_lsn.Finish();
  columns[3] = *lsn.Finish();
  columns[4] = *ord.Finish();
  return {table, arrow::RecordBatch::Make(table->schema, static_cast<int64_t>(rows.size()), columns), group};
}

struct Transaction {
  uint64_t commit_lsn;
  uint64_t end_lsn;
  std::vector<std::pair<int, Row>> rows;  // table index, row
};

// What survives every crash of the client.
struct World {
  std::vector<std::shared_ptr<const TableSchema>> tables = {MakeTable("a"), MakeTable("b"), MakeTable("c")};
  std::vector<Transaction> wal;
  uint64_t wal_end = 0;
  uint64_t confirmed = 100;
  int wanted_tables = 3;  // the first so many are asked for

  std::optional<uint64_t> stored_position;
  std::map<TableName, RowPosition> stored_last_rows;
  std::vector<int64_t> stored_ids;
};

World MakeWorld(std::mt19937_64& random, int transactions) {
  World world;
  uint64_t lsn = 100;
  int64_t id = 0;
  for (int t = 0; t < transactions; ++t) {
    Transaction txn;
    const int rows = static_cast<int>(random() % 12);
    for (int r = 0; r < rows; ++r) {
      const int table = static_cast<int>(random() % world.tables.size());
      if (random() % 3 != 0) lsn += 8;
      txn.rows.push_back({table, Row{id++, {0, lsn, 0}}});
    }
    lsn += 8;
    txn.commit_lsn = lsn;
    lsn += 8;
    txn.end_lsn = lsn;
    uint16_t ord = 0;
    for (size_t r = 0; r < txn.rows.size(); ++r) {
      RowPosition& position = txn.rows[r].second.position;
      position.commit_lsn = txn.commit_lsn;
      ord = r > 0 && txn.rows[r - 1].second.position.lsn == position.lsn ? ord + 1 : 0;
      position.ord = ord;
    }
    world.wal.push_back(std::move(txn));
  }
  world.wal_end = lsn + 8;
  return world;
}

class FakeSource : public Source {
 public:
  FakeSource(World& world, std::mt19937_64& random, int fail_one_in, int fatal_after)
      : world_(world), random_(random), fail_one_in_(fail_one_in), fatal_after_(fatal_after) {}

  arrow::Result<SourceInfo> Connect() override {
    SourceInfo info;
    info.stream = {{"fake", "1"}, 1, "db", "slot"};
    info.confirmed_flush = world_.confirmed;
    info.current_flush = world_.wal_end;
    return info;
  }
  arrow::Result<uint64_t> TimelineEnd(uint32_t) override { return arrow::Status::NotImplemented("one timeline"); }

  arrow::Status Start(uint64_t start) override {
    queue_.clear();
    const uint64_t from = std::max(start, world_.confirmed);
    for (const Transaction& txn : world_.wal) {
      if (txn.commit_lsn >= from) QueueTransaction(txn);
      // A keepalive tells of everything before it, whole or not published.
      if (random_() % 4 == 0) queue_.push_back(KeepaliveEvent{txn.end_lsn, random_() % 5 == 0});
    }
    queue_.push_back(KeepaliveEvent{world_.wal_end, false});
    next_ = 0;
    return arrow::Status::OK();
  }

  arrow::Result<std::optional<Event>> Next(milliseconds) override {
    if (fatal_after_ >= 0 && fatal_after_-- == 0) return MakeError(ErrorKind::kInternal, "killed", "client", "");
    if (fail_one_in_ > 0 && random_() % fail_one_in_ == 0) {
      return MakeError(ErrorKind::kConnection, "lost", "server", "", "", true);
    }
    if (next_ == queue_.size()) return std::optional<Event>();
    return std::optional<Event>(queue_[next_++]);
  }

  void Acknowledge(uint64_t durable) override {
    // The contract under test: everything at or before an acknowledged position is in the storage.
    std::set<int64_t> stored(world_.stored_ids.begin(), world_.stored_ids.end());
    for (const Transaction& txn : world_.wal) {
      if (txn.end_lsn > durable) break;
      for (const auto& [table, row] : txn.rows) {
        if (table >= world_.wanted_tables) continue;
        ASSERT_TRUE(stored.count(row.id)) << "acknowledged, not stored: " << row.id;
      }
    }
    ASSERT_GE(durable, world_.confirmed);
    world_.confirmed = durable;
  }
  void RequestKeepalive() override { queue_.push_back(KeepaliveEvent{world_.wal_end, false}); }
  arrow::Status Stop() override { return arrow::Status::OK(); }
  SourceStats stats() const override { return {}; }

 private:
  // Random flushes inside the transaction, tables in any order at each flush, as the plugin may do it.
  void QueueTransaction(const Transaction& txn) {
    std::map<int, std::vector<Row>> open;
    const auto flush = [&](bool last) {
      size_t left = open.size();
      for (auto& [table, rows] : open) {
        GroupState group{last && --left == 0 ? txn.end_lsn : 0, last && left == 0, !last, false};
        queue_.push_back(MakeBatch(world_.tables[table], rows, group));
      }
      open.clear();
    };
    for (const auto& [table, row] : txn.rows) {
      open[table].push_back(row);
      if (random_() % 6 == 0) flush(false);
    }
    if (txn.rows.empty()) return;
    if (open.empty()) {
      queue_.push_back(ProgressEvent{{txn.end_lsn, true, false, false}});
    } else {
      flush(true);
    }
  }

  World& world_;
  std::mt19937_64& random_;
  int fail_one_in_;
  int fatal_after_;
  std::vector<Event> queue_;
  size_t next_ = 0;
};

class FakeSink : public Sink {
 public:
  FakeSink(World& world, std::mt19937_64& random, bool crash) : world_(world), random_(random), crash_(crash) {}

  bool keeps_data() const override { return true; }
  arrow::Result<SinkState> Open(const StreamIdentity&) override {
    SinkState state;
    if (world_.stored_position.has_value()) state.position = Position{{"fake", "1"}, 1, *world_.stored_position, ""};
    state.last_rows = world_.stored_last_rows;
    return state;
  }
  arrow::Status Write(const ChangeBatch& batch) override {
    EXPECT_GT(batch.rows->num_rows(), 0);
    const auto& ids = static_cast<const arrow::Int64Array&>(*batch.rows->column(0));
    for (int64_t row = 0; row < ids.length(); ++row) {
      pending_[batch.table->name].push_back({ids.Value(row), RowPositionAt(*batch.table, *batch.rows, row)});
    }
    // A table's file that is full becomes durable by itself, also in the middle of a transaction.
    if (random_() % 7 == 0) Store(batch.table->name);
    return arrow::Status::OK();
  }
  arrow::Status Advance(const Position& position) override {
    EXPECT_FALSE(advanced_.has_value() && position.order < *advanced_);
    advanced_ = position.order;
    return arrow::Status::OK();
  }
  arrow::Status Flush() override {
    std::vector<TableName> names;
    for (const auto& [name, rows] : pending_) names.push_back(name);
    for (const TableName& name : names) Store(name);
    if (advanced_.has_value()) world_.stored_position = advanced_;
    return arrow::Status::OK();
  }
  arrow::Status Tick() override { return random_() % 3 == 0 ? Flush() : arrow::Status::OK(); }
  std::optional<Position> durable() const override {
    if (!world_.stored_position.has_value()) return std::nullopt;
    return Position{{"fake", "1"}, 1, *world_.stored_position, ""};
  }
  bool has_pending_rows() const override { return !pending_.empty(); }
  arrow::Status Close() override { return crash_ ? arrow::Status::OK() : Flush(); }

 private:
  void Store(const TableName& name) {
    for (const Row& row : pending_[name]) {
      world_.stored_ids.push_back(row.id);
      world_.stored_last_rows[name] = row.position;
    }
    pending_.erase(name);
  }

  World& world_;
  std::mt19937_64& random_;
  bool crash_;
  std::map<TableName, std::vector<Row>> pending_;
  std::optional<uint64_t> advanced_;
};

void ExpectEveryRowOnce(const World& world) {
  std::map<int64_t, int> copies;
  for (int64_t id : world.stored_ids) ++copies[id];
  for (const Transaction& txn : world.wal) {
    for (const auto& [table, row] : txn.rows) {
      EXPECT_EQ(copies[row.id], 1) << "row " << row.id;
      copies.erase(row.id);
    }
  }
  EXPECT_TRUE(copies.empty());
}

TEST(Pipeline, EveryRowExactlyOnceOverCrashesAndReconnects) {
  const uint64_t seed = Seed();
  SCOPED_TRACE("replay with ARROWCDC_TEST_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  PipelineObserver observer;
  const std::atomic<bool> stop{false};
  uint64_t reconnects = 0;
  for (int round = 0; round < 60; ++round) {
    World world = MakeWorld(random, 40);
    PipelineOptions options;
    options.until_lsn = world.wal_end;
    for (int crash = 0; crash < 5; ++crash) {
      FakeSource source(world, random, 0, static_cast<int>(random() % 120));
      FakeSink sink(world, random, true);
      (void)RunPipeline(source, sink, options, nullptr, observer, stop);
    }
    FakeSource source(world, random, 200, -1);
    FakeSink sink(world, random, false);
    const auto stats = RunPipeline(source, sink, options, nullptr, observer, stop);
    ASSERT_TRUE(stats.ok()) << stats.status();
    reconnects += stats->reconnects;
    EXPECT_EQ(world.confirmed, world.wal_end);
    ExpectEveryRowOnce(world);
    if (HasFailure()) return;
  }
  EXPECT_GT(reconnects, 0u);
}

TEST(Pipeline, AServerThatGoesAwayBeforeTheFirstStartIsTriedAgain) {
  std::mt19937_64 random(1);
  World world = MakeWorld(random, 5);
  struct Restarting : FakeSource {
    using FakeSource::FakeSource;
    arrow::Status Start(uint64_t start) override {
      if (starts++ == 0) return MakeError(ErrorKind::kConnection, "restarting", "server", "", "57P01", true);
      return FakeSource::Start(start);
    }
    int starts = 0;
  } source(world, random, 0, -1);
  FakeSink sink(world, random, false);
  PipelineOptions options;
  options.until_lsn = world.wal_end;
  PipelineObserver observer;
  const auto stats = RunPipeline(source, sink, options, nullptr, observer, std::atomic<bool>{false});
  ASSERT_TRUE(stats.ok()) << stats.status();
  EXPECT_EQ(source.starts, 2);
  ExpectEveryRowOnce(world);
}

TEST(Pipeline, AGapThatWasAcceptedIsStored) {
  std::mt19937_64 random(1);
  World world;
  world.stored_position = 50;
  world.wal_end = world.confirmed;
  FakeSource source(world, random, 0, -1);
  FakeSink sink(world, random, false);
  PipelineOptions options;
  options.until_lsn = world.wal_end;
  options.accept_gap = true;
  PipelineObserver observer;
  const auto stats = RunPipeline(source, sink, options, nullptr, observer, std::atomic<bool>{false});
  ASSERT_TRUE(stats.ok()) << stats.status();
  EXPECT_EQ(world.stored_position, world.confirmed);
}

TEST(Pipeline, ASinkThatClaimsTooMuchIsStoppedBeforeTheAcknowledgement) {
  std::mt19937_64 random(1);
  World world = MakeWorld(random, 5);
  struct Liar : FakeSink {
    using FakeSink::FakeSink;
    std::optional<Position> durable() const override { return Position{{"fake", "1"}, 1, ~0ull, ""}; }
  } sink(world, random, false);
  FakeSource source(world, random, 0, -1);
  PipelineOptions options;
  options.until_lsn = world.wal_end;
  PipelineObserver observer;
  const auto stats = RunPipeline(source, sink, options, nullptr, observer, std::atomic<bool>{false});
  ASSERT_FALSE(stats.ok());
  EXPECT_EQ(GetErrorDetail(stats.status())->kind(), ErrorKind::kInternal);
  EXPECT_EQ(world.confirmed, 100u);
}

TEST(Pipeline, RowsOutOfOrderAreAnErrorAndNotTakenForRepeatedOnes) {
  std::mt19937_64 random(1);
  World world = MakeWorld(random, 5);
  struct Disordered : FakeSource {
    using FakeSource::FakeSource;
    arrow::Result<std::optional<Event>> Next(milliseconds) override {
      const uint64_t lsn = sent++ == 0 ? 108 : 107;
      return std::optional<Event>(MakeBatch(MakeTable("a"), {{1, {120, lsn, 0}}}, GroupState{}));
    }
    int sent = 0;
  } source(world, random, 0, -1);
  FakeSink sink(world, random, false);
  PipelineObserver observer;
  const auto stats = RunPipeline(source, sink, PipelineOptions{}, nullptr, observer, std::atomic<bool>{false});
  ASSERT_FALSE(stats.ok());
  EXPECT_EQ(GetErrorDetail(stats.status())->kind(), ErrorKind::kProtocol);
}

TEST(Pipeline, GivesUpWhenTheServerIsAwayTooLong) {
  std::mt19937_64 random(1);
  World world = MakeWorld(random, 5);
  FakeSource source(world, random, 1, -1);  // every Next fails
  FakeSink sink(world, random, false);
  PipelineOptions options;
  options.retry_max = milliseconds(200);
  PipelineObserver observer;
  const auto stats = RunPipeline(source, sink, options, nullptr, observer, std::atomic<bool>{false});
  ASSERT_FALSE(stats.ok());
  EXPECT_EQ(GetErrorDetail(stats.status())->kind(), ErrorKind::kConnection);
}

TEST(Pipeline, LeavesOutTablesThatDoNotMatch) {
  std::mt19937_64 random(7);
  World world = MakeWorld(random, 30);
  world.wanted_tables = 1;
  FakeSource source(world, random, 0, -1);
  FakeSink sink(world, random, false);
  PipelineOptions options;
  options.until_lsn = world.wal_end;
  PipelineObserver observer;
  auto patterns = TablePatterns::Parse({"public.a"});
  ASSERT_TRUE(patterns.ok());
  const auto stats = RunPipeline(source, sink, options, &*patterns, observer, std::atomic<bool>{false});
  ASSERT_TRUE(stats.ok()) << stats.status();
  std::multiset<int64_t> expected;
  size_t others = 0;
  for (const Transaction& txn : world.wal) {
    for (const auto& [table, row] : txn.rows) {
      if (table == 0) expected.insert(row.id);
      else ++others;
    }
  }
  EXPECT_EQ(std::multiset<int64_t>(world.stored_ids.begin(), world.stored_ids.end()), expected);
  EXPECT_EQ(stats->rows_unmatched, others);
}

SourceInfo Slot(uint64_t confirmed, uint64_t end, uint32_t timeline = 1) {
  SourceInfo info;
  info.stream = {{"postgresql", "7"}, timeline, "db", "s"};
  info.confirmed_flush = confirmed;
  info.current_flush = end;
  return info;
}

SinkState Stored(uint64_t order, uint32_t timeline = 1) {
  SinkState state;
  state.position = Position{{"postgresql", "7"}, timeline, order, ""};
  return state;
}

const TimelineEnd kEndsAt500 = [](uint32_t) { return arrow::Result<uint64_t>(500); };

void ExpectGap(const arrow::Result<uint64_t>& start) {
  ASSERT_FALSE(start.ok());
  ASSERT_NE(GetErrorDetail(start.status()), nullptr);
  EXPECT_EQ(GetErrorDetail(start.status())->kind(), ErrorKind::kPositionGap);
}

TEST(ChooseStart, NewSinkOnNewSlotBeginsAtTheSlot) {
  EXPECT_EQ(ChooseStart(Slot(200, 300), SinkState{}, true, false, kEndsAt500).ValueOrDie(), 200u);
}

TEST(ChooseStart, NewSinkOnUsedSlotIsRefusedUnlessTold) {
  SourceInfo info = Slot(200, 300);
  info.slot_used = true;
  ExpectGap(ChooseStart(info, SinkState{}, true, false, kEndsAt500));
  EXPECT_EQ(ChooseStart(info, SinkState{}, true, true, kEndsAt500).ValueOrDie(), 200u);
}

TEST(ChooseStart, StoredPositionAheadOfTheSlotIsUsed) {
  EXPECT_EQ(ChooseStart(Slot(200, 300), Stored(250), true, false, kEndsAt500).ValueOrDie(), 250u);
}

TEST(ChooseStart, SlotAheadOfTheStoredPositionIsRefusedUnlessTold) {
  ExpectGap(ChooseStart(Slot(200, 300), Stored(150), true, false, kEndsAt500));
  EXPECT_EQ(ChooseStart(Slot(200, 300), Stored(150), true, true, kEndsAt500).ValueOrDie(), 200u);
}

TEST(ChooseStart, StoredPositionBeyondTheServerIsRefused) {
  ExpectGap(ChooseStart(Slot(200, 300), Stored(301), true, false, kEndsAt500));
  ExpectGap(ChooseStart(Slot(200, 300), Stored(301), true, true, kEndsAt500));
}

TEST(ChooseStart, TimelinesDecideWhetherAStoredPositionIsWorthSomething) {
  EXPECT_EQ(ChooseStart(Slot(200, 900, 2), Stored(500), true, false, kEndsAt500).ValueOrDie(), 500u);
  ExpectGap(ChooseStart(Slot(200, 900, 2), Stored(501), true, false, kEndsAt500));
  ExpectGap(ChooseStart(Slot(200, 900, 1), Stored(300, 2), true, false, kEndsAt500));
}

TEST(CheckReconnect, RefusesAnotherServerAndAMovedSlot) {
  const StreamIdentity before = Slot(0, 0).stream;
  EXPECT_TRUE(CheckReconnect(before, Slot(200, 300), 250, kEndsAt500).ok());
  EXPECT_FALSE(CheckReconnect(before, Slot(260, 300), 250, kEndsAt500).ok());
  SourceInfo other = Slot(200, 300);
  other.stream.source.id = "8";
  EXPECT_FALSE(CheckReconnect(before, other, 250, kEndsAt500).ok());
}

}  // namespace
}  // namespace arrowcdc
