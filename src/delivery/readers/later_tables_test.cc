// Tables that join while readers read, against a made-up server: each reader gives the rows of its table
// first and then their changes, every row once, whatever fails meanwhile.
#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <arrow/array.h>
#include <gtest/gtest.h>

#include "arrowcdc/change_rows.h"
#include "arrowcdc/error.h"
#include "arrowcdc/readers.h"
#include "src/delivery/testing/fake_snapshot.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/seed.h"

namespace arrowcdc {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::FakeRow;
using test::FakeServer;
using test::FakeTransaction;
using test::SourceWithRows;

constexpr int kTables = 4;  // the first is the one that was there

struct GivenRow {
  Op op;
  int64_t id;
};

// What one table's readers have given, in their order.
struct Given {
  std::vector<std::vector<GivenRow>> partitions;
  bool complete = true;
};

void Append(const ReadResult& batch, std::vector<GivenRow>* rows) {
  const auto changes = ChangeRows::Make(*batch.table, *batch.rows).ValueOrDie();
  const auto& ids = static_cast<const arrow::Int64Array&>(*batch.rows->column(0));
  for (int64_t row = 0; row < changes.num_rows(); ++row)
    rows->push_back({changes.op(row), ids.IsNull(row) ? -1 : ids.Value(row)});
}

std::map<TableName, Given> ReadAll(ReaderSet& set) {
  std::map<TableName, Given> given;
  std::vector<std::vector<GivenRow>> rows;
  bool more = true;
  while (more && !testing::Test::HasFailure()) {
    more = !set.ended();
    const auto readers = set.readers();
    rows.resize(readers.size());
    for (size_t i = 0; i < readers.size(); ++i) {
      const auto result = readers[i]->Next(milliseconds(1));
      EXPECT_TRUE(result.ok()) << result.status();
      if (!result.ok()) return {};
      if (result->state == ReadState::kBatch) Append(*result, &rows[i]);
      more = more || result->state != ReadState::kEnd;
      ARROWCDC_EXPECT_OK(readers[i]->Commit());
    }
  }
  const auto readers = set.readers();
  for (size_t i = 0; i < readers.size(); ++i) {
    Given& table = given[readers[i]->table()];
    table.complete = table.complete && readers[i]->stats().snapshot_complete;
    table.partitions.push_back(std::move(rows[i]));
  }
  return given;
}

// Behind the last truncate the rows that were copied come before all changes.
std::map<int64_t, int> Replay(const std::vector<GivenRow>& rows, bool* voided) {
  std::map<int64_t, int> state;
  bool changes = false;
  bool in_order = true;
  for (const GivenRow& row : rows) {
    if (row.op == Op::kTruncate) {
      state.clear();
      changes = false;
      in_order = *voided = true;
      continue;
    }
    ++state[row.id];
    changes = changes || row.op == Op::kInsert;
    in_order = in_order && (row.op == Op::kInsert || !changes);
  }
  EXPECT_TRUE(in_order) << "a change came before a row that was copied";
  return state;
}

void Fill(FakeServer& server, std::mt19937_64& random) {
  for (int i = 0; i < kTables; ++i) {
    const auto key = arrow::key_value_metadata({kIdentityKey}, {"1"});
    const auto id = static_cast<uint32_t>(i + 1);
    server.tables[static_cast<size_t>(i)] = test::MakeTable(
        {"public", "t" + std::to_string(i)}, {arrow::field("id", arrow::int64(), true, key)}, id, id);
  }
  server.catalog.push_back(
      {.name = server.tables[0]->name, .columns = {{"id", "bigint", true, 1}}, .table_id = 1});
  server.may_forget = [](const FakeRow&) { return true; };  // the replayed state tells
  server.Write(random, 80, 9);
}

TEST(LaterTables, TheirRowsComeFirstAndEachOnceWhateverFails) {
  std::mt19937_64 random(test::Seed());
  int copies = 0;
  int voided = 0;
  for (int round = 0; round < 12 && !HasFailure(); ++round) {
    FakeServer server(kTables);
    Fill(server, random);
    uint64_t last_point = 100;
    auto source = std::make_unique<SourceWithRows>(server, random(), random() % 2 == 0 ? 0 : 40, last_point);
    SourceWithRows& points = *source;
    ReaderSetOptions options;
    options.snapshot = SnapshotMode::kAuto;
    options.snapshot_connections = 3;
    options.partitions = random() % 2 == 0 ? 1 : 3;
    options.reader_bytes_max = random() % 2 == 0 ? 10'000 : 1 << 20;  // two batches, or all
    options.bytes_max = random() % 2 == 0 ? 20'000 : 1 << 20;
    options.unread_limit = options.slow_limit = seconds(60);
    options.until = FormatLsn(server.wal_end);
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto set, ReaderSet::Open(std::move(source), options));
    const auto given = ReadAll(*set);
    ASSERT_EQ(given.size(), static_cast<size_t>(kTables));
    for (int t = 0; t < kTables; ++t) {
      const Given& table = given.at(server.tables[static_cast<size_t>(t)]->name);
      EXPECT_EQ(table.complete, t > 0) << "table t" << t;
      std::map<int64_t, int> state;
      for (const auto& rows : table.partitions) {
        bool was_voided = false;
        for (const auto& [id, times] : Replay(rows, &was_voided)) state[id] += times;
        voided += was_voided;
      }
      for (const FakeTransaction& txn : server.wal) {
        for (const FakeRow& row : txn.rows) {
          if (row.table != t) continue;
          EXPECT_EQ(state[row.id], 1) << "row " << row.id << " of t" << t << ", round " << round;
        }
      }
      EXPECT_EQ(state.size(), static_cast<size_t>(server.RowsOf(t))) << "table t" << t;
    }
    copies += points.points;
    EXPECT_EQ(set->stats().acknowledged, server.PositionAt(server.wal_end));
  }
  EXPECT_GT(copies, 12);
  EXPECT_GT(voided, 0);
}

TEST(LaterTables, OneThatCannotBeCopiedIsInTheWayOfNoOther) {
  struct Source : SourceWithRows {
    using SourceWithRows::SourceWithRows;
    arrow::Result<std::unique_ptr<Snapshot>> BeginSnapshot(const WantedTables& wanted,
                                                           const std::vector<SnapshotPart>& parts) override {
      if (wanted({"public", "t2"}, 3))
        return MakeError(ErrorKind::kPermission, "SELECT is missing", "table public.t2", "grant it");
      return SourceWithRows::BeginSnapshot(wanted, parts);
    }
  };
  std::mt19937_64 random(test::Seed());
  FakeServer server(kTables);
  Fill(server, random);
  uint64_t last_point = 100;
  ReaderSetOptions options;
  options.snapshot = SnapshotMode::kAuto;
  options.until = FormatLsn(server.wal_end);
  ARROWCDC_ASSERT_OK_AND_ASSIGN(
      const auto set, ReaderSet::Open(std::make_unique<Source>(server, random(), 0, last_point), options));
  const auto given = ReadAll(*set);
  for (int t = 0; t < kTables; ++t) {
    const Given& table = given.at(server.tables[static_cast<size_t>(t)]->name);
    EXPECT_EQ(table.complete, t == 1 || t == 3) << "table t" << t;
    bool voided = false;
    EXPECT_EQ(Replay(table.partitions[0], &voided).size(), static_cast<size_t>(server.RowsOf(t)));
  }
  int told = 0;
  for (const SourceNotice& notice : set->TakeNotices()) {
    told += notice.error && notice.object == "table public.t2" &&
            notice.text.find("gives its changes alone (grant it)") != std::string::npos;
  }
  EXPECT_EQ(told, 1);
}

// A table has been made anew under its name when the stream begins: rows 1 and 2 are those of the one before.
class MadeAnew : public ::testing::Test {
 protected:
  MadeAnew() {
    const auto key = arrow::key_value_metadata({kIdentityKey}, {"1"});
    const TableName name = {"public", "again"};
    for (const uint32_t id : {kBefore, kNow})
      server_.tables[id - 1] = test::MakeTable(name, {arrow::field("id", arrow::int64(), true, key)}, id, id);
    server_.may_forget = [](const FakeRow&) { return true; };
    Write(0, 1);
    Write(1, 10);
  }

  // The rows of the table's reader: what and which.
  std::vector<std::string> Read(SnapshotMode snapshot, std::vector<SourceTable> now) {
    ReaderSetOptions options;
    options.snapshot = snapshot;
    options.until = FormatLsn(server_.wal_end);
    auto opened = ReaderSet::Open(std::make_unique<Source>(server_, std::move(now)), options);
    EXPECT_TRUE(opened.ok()) << opened.status();
    if (!opened.ok()) return {};
    std::vector<std::string> rows;
    const auto given = ReadAll(**opened);
    for (const GivenRow& row : given.at({"public", "again"}).partitions[0])
      rows.push_back(std::string(OpName(row.op)) + (row.id < 0 ? "" : " " + std::to_string(row.id)));
    return rows;
  }

  static SourceTable Listed(const std::string& name, uint32_t id) {
    return {.name = {"public", name}, .columns = {{"id", "bigint", true, 1}}, .table_id = id};
  }

  static constexpr uint32_t kBefore = 1;
  static constexpr uint32_t kNow = 2;
  FakeServer server_{2};

 private:
  // Copies rows 10 and 11 of the table of now, behind all that was written.
  struct Source : test::FakeSource {
    Source(FakeServer& server, std::vector<SourceTable> now)
        : FakeSource(server, 1, 0), server_(server), now_(std::move(now)) {}
    arrow::Result<std::unique_ptr<Snapshot>> BeginSnapshot(const WantedTables& wanted,
                                                           const std::vector<SnapshotPart>&) override {
      auto snapshot = std::make_unique<test::FakeSnapshot>(test::At(server_.wal_end + 4));
      for (const SourceTable& table : now_) {
        if (wanted(table.name, table.table_id) && table.table_id == kNow)
          snapshot->Add(server_.tables[kNow - 1], {{.ids = {10, 11}}});
      }
      return snapshot;
    }
    FakeServer& server_;
    const std::vector<SourceTable> now_;
  };

  // Two rows in a transaction.
  void Write(int table, int64_t id) {
    const uint64_t lsn = server_.wal_end;
    server_.wal.push_back({lsn + 24,
                           lsn + 32,
                           {{table, id, {lsn + 24, lsn + 8, 0}}, {table, id + 1, {lsn + 24, lsn + 16, 0}}}});
    server_.wal_end = lsn + 40;
  }
};

using Rows = std::vector<std::string>;

TEST_F(MadeAnew, ChangesOfTheTableThatIsGoneDoNotComeBehindTheRowsOfTheNewOne) {
  const Rows copied = {"snapshot 10", "snapshot 11"};
  EXPECT_EQ(Read(SnapshotMode::kAuto, {Listed("again", kNow)}), copied);
  EXPECT_EQ(Read(SnapshotMode::kInitial, {Listed("again", kNow)}), copied);
}

TEST_F(MadeAnew, ChangesOfATableThatWasRenamedComeNowhereElse) {
  const Rows all = {"snapshot 10", "snapshot 11", "insert 1", "insert 2"};
  EXPECT_EQ(Read(SnapshotMode::kAuto, {Listed("again", kNow), Listed("other", kBefore)}), all);
}

TEST_F(MadeAnew, RowsOfTheTableThatIsGoneAreVoid) {
  server_.catalog = {Listed("again", kBefore)};
  EXPECT_EQ(Read(SnapshotMode::kAuto, {Listed("again", kNow)}),
            (Rows{"insert 1", "insert 2", "truncate", "snapshot 10", "snapshot 11"}));
}

}  // namespace
}  // namespace arrowcdc
