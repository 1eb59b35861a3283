// Readers against a real server: one walsender and one slot for all of them, tables that come later, bounded
// memory.
#include <algorithm>
#include <atomic>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <thread>

#include <arrow/array.h>
#include <gtest/gtest.h>

#include "arrowcdc/change_rows.h"
#include "arrowcdc/error.h"
#include "arrowcdc/postgres.h"
#include "arrowcdc/readers.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/private_server.h"
#include "tests/testing/wait.h"

// Freed memory that the address sanitizer sets aside would count as used. The name is the sanitizer's.
// NOLINTNEXTLINE(bugprone-reserved-identifier)
extern "C" const char* __asan_default_options() { return "quarantine_size_mb=4"; }

namespace arrowcdc {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::WaitFor;

constexpr milliseconds kLimit = seconds(60);

test::PrivateServer& Server() {
  static const std::unique_ptr<test::PrivateServer> server = test::PrivateServer::Create().ValueOrDie();
  return *server;
}

class ReadersServer : public testing::Test {
 protected:
  void SetUp() override {
    sql_ = Server().Connect().ValueOrDie();
    ARROWCDC_ASSERT_OK(sql_->Exec("CREATE SCHEMA s"));
    source_.conninfo = Server().conninfo();
    source_.slot = "readers";
    source_.tables = {"s.*"};
  }
  void TearDown() override {
    set_.reset();
    auto plan = PlanTeardown(source_);
    ARROWCDC_EXPECT_OK(plan);
    if (plan.ok()) ARROWCDC_EXPECT_OK(ApplySetup(source_, *plan, nullptr));
    ARROWCDC_EXPECT_OK(sql_->Exec("DROP SCHEMA s CASCADE"));
  }

  void PrepareSource() {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const SetupPlan plan, PlanSetup(source_, {}));
    ARROWCDC_ASSERT_OK(ApplySetup(source_, plan, nullptr));
    tables_ = plan.tables;
  }
  arrow::Status TryOpen(ReaderSetOptions options) {
    options.tables = tables_;
    ARROW_ASSIGN_OR_RAISE(auto source, MakePostgresSource(source_));
    ARROW_ASSIGN_OR_RAISE(auto patterns, TablePatterns::Parse(source_.tables));
    return ReaderSet::Open(std::move(source), options, std::move(patterns)).Value(&set_);
  }
  void Open(const ReaderSetOptions& options) { ARROWCDC_ASSERT_OK(TryOpen(options)); }
  // Walsenders, slots, connections of any kind but this test's own.
  void ExpectOneConnection() {
    EXPECT_EQ(Scalar("SELECT count(*) FROM pg_stat_replication"), "1");
    EXPECT_EQ(Scalar("SELECT count(*) FROM pg_replication_slots"), "1");
    EXPECT_EQ(Scalar("SELECT count(*) FROM pg_stat_activity WHERE backend_type IN ('walsender', 'client "
                     "backend') AND pid <> pg_backend_pid()"),
              "1");
  }
  std::string Scalar(const std::string& sql) { return sql_->Scalar(sql).ValueOr("none"); }
  uint64_t Lsn(const std::string& expression) { return ParseLsn(Scalar("SELECT " + expression)).ValueOr(0); }
  uint64_t ConfirmedFlush() {
    return Lsn("confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = 'readers'");
  }

  std::unique_ptr<test::SqlConnection> sql_;
  PostgresOptions source_;
  std::vector<TableName> tables_;
  std::unique_ptr<ReaderSet> set_;
};

TEST_F(ReadersServer, OneReaderHasOneWalsenderAndOneSlotToo) {
  ARROWCDC_ASSERT_OK(sql_->Exec("CREATE TABLE s.t (id int PRIMARY KEY)"));
  PrepareSource();
  Open({});
  EXPECT_EQ(set_->readers().size(), 1u);
  ExpectOneConnection();
}

TEST_F(ReadersServer, ManyReadersShareOneWalsenderAndOneSlot) {
  constexpr int kTables = 20;
  for (int i = 0; i < kTables; ++i) {
    ARROWCDC_ASSERT_OK(sql_->Exec("CREATE TABLE s.t" + std::to_string(i) + " (id int PRIMARY KEY, v text)"));
  }
  PrepareSource();
  ReaderSetOptions options;
  options.partitions = 2;
  Open(options);
  EXPECT_EQ(set_->readers().size(), 2u * kTables);
  for (int i = 0; i < kTables; ++i) {
    ARROWCDC_ASSERT_OK(
        sql_->Exec("INSERT INTO s.t" + std::to_string(i) + " SELECT g, 'x' FROM generate_series(1, 100) g"));
  }
  const uint64_t end = Lsn("pg_current_wal_flush_lsn()");
  std::map<TableName, std::set<int32_t>> ids;
  for (const auto& reader : set_->readers()) {
    while (true) {
      ARROWCDC_ASSERT_OK_AND_ASSIGN(const ReadResult batch, reader->Next(kLimit, FormatLsn(end)));
      if (batch.state == ReadState::kEnd) break;
      ASSERT_EQ(batch.state, ReadState::kBatch);
      const auto& column = static_cast<const arrow::Int32Array&>(*batch.rows->GetColumnByName("id"));
      for (int64_t row = 0; row < column.length(); ++row) {
        EXPECT_TRUE(ids[reader->table()].insert(column.Value(row)).second) << "twice";
      }
    }
  }
  EXPECT_EQ(ids.size(), static_cast<size_t>(kTables));
  for (const auto& [table, found] : ids) EXPECT_EQ(found.size(), 100u) << ToString(table);
  ExpectOneConnection();
  EXPECT_LT(ConfirmedFlush(), end);
  for (const auto& reader : set_->readers()) ARROWCDC_ASSERT_OK(reader->Commit());
  ARROWCDC_ASSERT_OK(WaitFor([&] { return ConfirmedFlush() >= end; }, kLimit, "the slot"));
}

// Values of a column of all rows of one reader, up to `end`, behind their _op.
std::vector<std::string> RowsOf(Reader& reader, uint64_t end) {
  std::vector<std::string> rows;
  while (true) {
    const ReadResult batch = reader.Next(kLimit, FormatLsn(end)).ValueOrDie();
    if (batch.state != ReadState::kBatch) return rows;
    const ChangeRows changes = ChangeRows::Make(*batch.table, *batch.rows).ValueOrDie();
    const auto& ids = static_cast<const arrow::Int64Array&>(*batch.rows->GetColumnByName("id"));
    for (int64_t row = 0; row < ids.length(); ++row) {
      rows.push_back(OpName(changes.op(row)) + (ids.IsNull(row) ? "" : " " + std::to_string(ids.Value(row))));
    }
  }
}

// MurmurHash3 of the long 34 is 2017239379 (the Iceberg specification), so it belongs to partition 3 of 4;
// that of 35 and so on is not published: whichever lies elsewhere.
TEST_F(ReadersServer, BothSidesOfAKeyChangeAndEveryTruncateReachTheirPartitions) {
  ARROWCDC_ASSERT_OK(sql_->Exec("CREATE TABLE s.t (id bigint PRIMARY KEY, v text)"));
  PrepareSource();
  ReaderSetOptions options;
  options.partitions = 4;
  Open(options);
  ARROWCDC_ASSERT_OK(
      sql_->Exec("INSERT INTO s.t VALUES (34, 'x'); UPDATE s.t SET v = 'y' WHERE id = 34;"
                 "UPDATE s.t SET id = g FROM (SELECT max(id) + 1 AS g FROM s.t) AS n WHERE id = 34"));
  for (int id = 36; id < 50; ++id)
    ARROWCDC_ASSERT_OK(sql_->Exec("UPDATE s.t SET id = " + std::to_string(id)));
  ARROWCDC_ASSERT_OK(sql_->Exec("DELETE FROM s.t; TRUNCATE s.t"));
  const uint64_t end = Lsn("pg_current_wal_flush_lsn()");
  std::map<int, std::vector<std::string>> rows;
  std::map<int, int> partition_of;  // id -> where its insert or update_after came
  for (int p = 0; p < 4; ++p) {
    rows[p] = RowsOf(*set_->reader({"s", "t"}, p), end);
    ASSERT_FALSE(rows[p].empty());
    EXPECT_EQ(rows[p].back(), "truncate") << p;
    rows[p].pop_back();
    for (const std::string& row : rows[p]) {
      if (row.rfind("update_after ", 0) == 0) partition_of[std::stoi(row.substr(13))] = p;
    }
  }
  ASSERT_EQ(partition_of[34], 3);
  std::map<int, std::vector<std::string>> expected;
  expected[3] = {"insert 34", "update_after 34", "update_before 34"};
  for (int id = 35; id < 50; ++id) {
    expected[partition_of[id]].push_back("update_after " + std::to_string(id));
    expected[partition_of[id]].push_back((id < 49 ? "update_before " : "delete ") + std::to_string(id));
  }
  EXPECT_EQ(rows, expected);
  std::set<int> used;
  for (const auto& [id, p] : partition_of) used.insert(p);
  EXPECT_GT(used.size(), 1u) << "nothing moved";
}

TEST_F(ReadersServer, TablesThatCannotBeSplitAreRefusedAtTheStart) {
  const auto refused = [&](const std::string& table, std::vector<std::string> columns = {}) {
    ReaderSetOptions options;
    options.partitions = 2;
    if (!columns.empty()) options.partition_columns[{"s", table}] = std::move(columns);
    arrow::Status status = TryOpen(options);
    EXPECT_FALSE(status.ok());
    return status;
  };
  const auto expect = [](const arrow::Status& status, ErrorKind kind, const std::string& object) {
    const ErrorDetail* detail = GetErrorDetail(status);
    ASSERT_NE(detail, nullptr) << status;
    EXPECT_EQ(detail->kind(), kind) << status;
    EXPECT_EQ(detail->object(), object) << status;
    EXPECT_NE(detail->remedy(), "");
  };
  ARROWCDC_ASSERT_OK(
      sql_->Exec("CREATE TABLE s.fine (id int PRIMARY KEY, name text);"
                 "CREATE TABLE s.t (id int PRIMARY KEY, name text, tags text[])"));
  PrepareSource();
  expect(refused("t", {"name"}), ErrorKind::kReplicaIdentity, "table s.t, column \"name\"");
  expect(refused("t", {"nope"}), ErrorKind::kInvalidOption, "table s.t, column \"nope\"");
  ARROWCDC_ASSERT_OK(sql_->Exec("ALTER TABLE s.t REPLICA IDENTITY FULL"));
  expect(refused("t"), ErrorKind::kReplicaIdentity, "table s.t");
  expect(refused("t", {"tags"}), ErrorKind::kUnsupported, "table s.t, column \"tags\"");
  ARROWCDC_ASSERT_OK(sql_->Exec("ALTER TABLE s.t REPLICA IDENTITY NOTHING"));
  expect(refused("t"), ErrorKind::kReplicaIdentity, "table s.t");
  ARROWCDC_ASSERT_OK(
      sql_->Exec("ALTER TABLE s.t REPLICA IDENTITY DEFAULT; ALTER TABLE s.t DROP CONSTRAINT t_pkey;"
                 "UPDATE s.fine SET id = id"));
  expect(refused("t"), ErrorKind::kReplicaIdentity, "table s.t");
  ARROWCDC_ASSERT_OK(sql_->Exec("ALTER TABLE s.t ADD PRIMARY KEY (name, tags)"));
  expect(refused("t"), ErrorKind::kUnsupported, "table s.t, column \"tags\"");
  // Nothing was started or claimed.
  EXPECT_EQ(Scalar("SELECT count(*) FROM pg_replication_slots WHERE active"), "0");
  ReaderSetOptions options;
  options.partitions = 2;
  options.partition_columns[{"s", "t"}] = {"name"};
  Open(options);
  EXPECT_EQ(set_->readers().size(), 4u);
  // A table that loses its key under way ends its own readers, by name.
  ARROWCDC_ASSERT_OK(
      sql_->Exec("ALTER TABLE s.t DROP CONSTRAINT t_pkey; INSERT INTO s.t VALUES (1, 'x', '{}')"));
  const arrow::Status ended = set_->reader({"s", "t"}, 0)->Next(kLimit).status();
  expect(ended, ErrorKind::kReplicaIdentity, "table s.t, column \"name\"");
}

// A leaf whose deletes do not carry the root's key: they are in partition 0, what carries the key is where it
// belongs, and nothing ends.
TEST_F(ReadersServer, RowsThatDoNotCarryTheKeyGoToPartitionZero) {
  ARROWCDC_ASSERT_OK(
      sql_->Exec("CREATE TABLE s.t (id bigint PRIMARY KEY, v text NOT NULL) PARTITION BY RANGE (id);"
                 "CREATE TABLE s.t1 PARTITION OF s.t FOR VALUES FROM (0) TO (100);"
                 "CREATE TABLE s.t2 PARTITION OF s.t FOR VALUES FROM (100) TO (200);"
                 "CREATE UNIQUE INDEX t2_v ON s.t2 (v); ALTER TABLE s.t2 REPLICA IDENTITY USING INDEX t2_v"));
  PrepareSource();
  ReaderSetOptions options;
  options.partitions = 4;
  Open(options);
  // Weak from the first row on.
  ARROWCDC_ASSERT_OK(
      sql_->Exec("INSERT INTO s.t SELECT i, 'v' || i FROM generate_series(100, 131) i;"
                 "INSERT INTO s.t VALUES (34, 'x')"));
  ARROWCDC_ASSERT_OK(
      sql_->Exec("DELETE FROM s.t WHERE id >= 110; UPDATE s.t SET v = 'w' WHERE id = 105;"
                 "UPDATE s.t SET id = 35 WHERE id = 34; DELETE FROM s.t WHERE id = 35"));
  const uint64_t end = Lsn("pg_current_wal_flush_lsn()");
  std::map<int, int> inserted_in;
  std::map<std::string, int> rows_without_key;
  for (int p = 0; p < 4; ++p) {
    for (const std::string& row : RowsOf(*set_->reader({"s", "t"}, p), end)) {
      const size_t space = row.find(' ');
      if (space == std::string::npos) {
        EXPECT_EQ(p, 0) << row;
        ++rows_without_key[row];
        continue;
      }
      const int id = std::stoi(row.substr(space));
      const auto known = inserted_in.emplace(id, p).first;
      EXPECT_EQ(known->second, p) << row;
    }
  }
  EXPECT_EQ(inserted_in[34], 3);
  EXPECT_EQ(inserted_in.size(), 34u);
  std::set<int> used;
  for (const auto& [id, p] : inserted_in) used.insert(p);
  EXPECT_EQ(used.size(), 4u);
  EXPECT_EQ(rows_without_key, (std::map<std::string, int>{{"delete", 22}, {"update_before", 1}}));
  std::vector<std::string> warnings;
  while (const auto event = set_->NextEvent(milliseconds(0))) {
    ASSERT_EQ(event->kind, ReaderEvent::Kind::kNotice) << event->status;
    EXPECT_EQ(event->notice.object, "table s.t");
    warnings.push_back(event->notice.text);
  }
  ASSERT_EQ(warnings.size(), 3u);
  EXPECT_NE(warnings[0].find("but in s.t2 by (v)"), std::string::npos) << warnings[0];  // at the start
  EXPECT_NE(warnings[1].find("partition s.t2"), std::string::npos) << warnings[1];
  EXPECT_NE(warnings[2].find("partition 0"), std::string::npos) << warnings[2];
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO s.t VALUES (36, 'on')"));
  EXPECT_FALSE(set_->ended());
}

// FULL, split by a column of its own choice: what the next partition's key does not have goes to partition 0,
// a null that is there to where nulls go.
TEST_F(ReadersServer, ColumnsOfAFullTableAreKeptWhenAPartitionCarriesLess) {
  ARROWCDC_ASSERT_OK(sql_->Exec(
      "CREATE TABLE s.t (id bigint, a bigint, p int) PARTITION BY LIST (p); ALTER TABLE s.t REPLICA IDENTITY "
      "FULL;"
      "CREATE TABLE s.t1 PARTITION OF s.t FOR VALUES IN (1); ALTER TABLE s.t1 REPLICA IDENTITY FULL"));
  PrepareSource();
  ReaderSetOptions options;
  options.partitions = 4;
  options.partition_columns[{"s", "t"}] = {"a"};
  Open(options);
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO s.t VALUES (1, 34, 1), (2, NULL, 1); DELETE FROM s.t"));
  ARROWCDC_ASSERT_OK(
      sql_->Exec("CREATE TABLE s.t2 (id bigint PRIMARY KEY, a bigint, p int);"
                 "ALTER TABLE s.t ATTACH PARTITION s.t2 FOR VALUES IN (2)"));
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO s.t VALUES (3, 34, 2), (4, 34, 1); DELETE FROM s.t"));
  const uint64_t end = Lsn("pg_current_wal_flush_lsn()");
  std::map<int, std::vector<std::string>> rows;
  for (int p = 0; p < 4; ++p) rows[p] = RowsOf(*set_->reader({"s", "t"}, p), end);
  const std::map<int, std::vector<std::string>> expected = {
      {0, {"insert 2", "delete 2", "delete 3"}},
      {1, {}},
      {2, {}},
      {3, {"insert 1", "delete 1", "insert 3", "insert 4", "delete 4"}}};
  EXPECT_EQ(rows, expected);
  EXPECT_FALSE(set_->ended());
}

TEST_F(ReadersServer, ATableThatComesLaterGetsAReader) {
  ARROWCDC_ASSERT_OK(sql_->Exec("CREATE TABLE s.first (id int PRIMARY KEY)"));
  PrepareSource();
  Open({});
  ARROWCDC_ASSERT_OK(sql_->Exec("CREATE TABLE s.later (id int PRIMARY KEY)"));
  ARROWCDC_ASSERT_OK(sql_->Exec("ALTER PUBLICATION readers ADD TABLE s.later"));
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO s.later VALUES (7)"));
  const auto event = set_->NextEvent(kLimit);
  ASSERT_TRUE(event.has_value());
  EXPECT_EQ(event->kind, ReaderEvent::Kind::kReaderAdded);
  EXPECT_EQ(event->reader->table(), (TableName{"s", "later"}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const ReadResult batch, event->reader->Next(kLimit));
  ASSERT_EQ(batch.state, ReadState::kBatch);
  EXPECT_EQ(batch.rows->num_rows(), 1);
}

TEST_F(ReadersServer, WhatWasNotCommittedComesAgainAfterALostConnection) {
  ARROWCDC_ASSERT_OK(sql_->Exec("CREATE TABLE s.a (id int PRIMARY KEY)"));
  PrepareSource();
  Open({});
  const auto reader = set_->reader({"s", "a"});
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO s.a VALUES (1)"));
  ASSERT_EQ(reader->Next(kLimit).ValueOrDie().state, ReadState::kBatch);
  ARROWCDC_ASSERT_OK(sql_->Query(
      "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = 'readers'"));
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO s.a VALUES (2)"));
  // The same process knows row 1 already; a new one gets it again.
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const ReadResult second, reader->Next(kLimit));
  ASSERT_EQ(second.state, ReadState::kBatch);
  EXPECT_EQ(second.rows->num_rows(), 1);
  // One connection was lost; the attempts after it may have found the slot still held by its backend.
  uint64_t reconnects = 0;
  while (const auto event = set_->NextEvent(std::chrono::milliseconds(0))) {
    ASSERT_EQ(event->kind, ReaderEvent::Kind::kReconnecting);
    ASSERT_NE(GetErrorDetail(event->status), nullptr) << event->status.ToString();
    EXPECT_EQ(GetErrorDetail(event->status)->kind(),
              reconnects == 0 ? ErrorKind::kConnection : ErrorKind::kSlotActive)
        << event->status.ToString();
    ++reconnects;
  }
  EXPECT_GE(reconnects, 1u);
  EXPECT_EQ(set_->stats().reconnects, reconnects);
  ARROWCDC_ASSERT_OK(set_->Stop());
  Open({});
  int64_t rows = 0;
  while (rows < 2) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const ReadResult batch, set_->reader({"s", "a"})->Next(kLimit));
    ASSERT_EQ(batch.state, ReadState::kBatch);
    rows += batch.rows->num_rows();
  }
  EXPECT_EQ(rows, 2);
}

// --- rows that were there before ---

std::vector<std::string> Numbered(const std::string& op, int64_t first, int64_t last) {
  std::vector<std::string> rows;
  for (int64_t id = first; id <= last; ++id) rows.push_back(op + " " + std::to_string(id));
  return rows;
}

TEST_F(ReadersServer, RowsThatWereThereComeFirstUntilTheyWereCommitted) {
  ARROWCDC_ASSERT_OK(
      sql_->Exec("CREATE TABLE s.t (id bigint PRIMARY KEY); CREATE TABLE s.empty (id bigint PRIMARY KEY);"
                 "INSERT INTO s.t SELECT generate_series(1, 1000)"));
  PrepareSource();
  // In the slot, too: it comes once.
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO s.t VALUES (1001)"));
  ReaderSetOptions options;
  options.snapshot = SnapshotMode::kAuto;
  std::vector<std::string> expected = Numbered("snapshot", 1, 1001);
  expected.insert(expected.end(), {"delete 7", "insert 2000"});
  for (int start = 0; start < 2; ++start) {
    Open(options);
    if (start == 0) {
      // Behind the point of this start.
      ARROWCDC_ASSERT_OK(
          WaitFor([&] { return set_->stats().snapshot_tables_done == 2; }, kLimit, "the copy"));
      ARROWCDC_ASSERT_OK(sql_->Exec("DELETE FROM s.t WHERE id = 7; INSERT INTO s.t VALUES (2000)"));
    } else {
      expected = Numbered("snapshot", 1, 1001);  // the next start has a point of its own
      expected.erase(expected.begin() + 6);
      expected.push_back("snapshot 2000");
    }
    const uint64_t end = Lsn("pg_current_wal_flush_lsn()");
    EXPECT_EQ(RowsOf(*set_->reader({"s", "t"}), end), expected);
    EXPECT_EQ(RowsOf(*set_->reader({"s", "empty"}), end), std::vector<std::string>());
    EXPECT_EQ(set_->stats().snapshot_tables, 2u);
    EXPECT_EQ(set_->stats().snapshot_rows, 1001u);
    if (start == 0) {
      ARROWCDC_ASSERT_OK(set_->Stop());  // without a commit
      continue;
    }
    const uint64_t before = ConfirmedFlush();
    ARROWCDC_ASSERT_OK(set_->reader({"s", "t"})->Commit());
    ARROWCDC_ASSERT_OK(WaitFor([&] { return ConfirmedFlush() > before; }, kLimit, "the slot"));
    ARROWCDC_ASSERT_OK(set_->Stop());
  }
  Open(options);
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO s.t VALUES (3000)"));
  EXPECT_EQ(RowsOf(*set_->reader({"s", "t"}), Lsn("pg_current_wal_flush_lsn()")),
            std::vector<std::string>{"insert 3000"});
  EXPECT_EQ(set_->stats().snapshot_tables, 0u);
}

TEST_F(ReadersServer, RowsThatWereThereAreSplitLikeTheOthers) {
  ARROWCDC_ASSERT_OK(
      sql_->Exec("CREATE TABLE s.t (id bigint PRIMARY KEY); INSERT INTO s.t SELECT generate_series(1, 500)"));
  PrepareSource();
  ReaderSetOptions options;
  options.partitions = 4;
  options.snapshot = SnapshotMode::kOnly;
  Open(options);
  std::map<std::string, int> partition_of;
  for (int p = 0; p < 4; ++p) {
    while (true) {
      ARROWCDC_ASSERT_OK_AND_ASSIGN(const ReadResult batch, set_->reader({"s", "t"}, p)->Next(kLimit));
      if (batch.state == ReadState::kEnd) break;
      const ChangeRows changes = ChangeRows::Make(*batch.table, *batch.rows).ValueOrDie();
      const auto& ids = static_cast<const arrow::Int64Array&>(*batch.rows->GetColumnByName("id"));
      for (int64_t row = 0; row < ids.length(); ++row) {
        EXPECT_EQ(changes.op(row), Op::kSnapshot);
        EXPECT_TRUE(partition_of.emplace(std::to_string(ids.Value(row)), p).second) << "twice";
      }
    }
  }
  EXPECT_EQ(partition_of.size(), 500u);
  EXPECT_EQ(partition_of["34"], 3);  // as the Iceberg specification has its hash
}

// COPY of a table costs the server less than queries over its parts, which one session cannot share.
TEST_F(ReadersServer, OneConnectionReadsTablesWhole) {
  ARROWCDC_ASSERT_OK(
      sql_->Exec("CREATE TABLE s.t (id int PRIMARY KEY, v text); INSERT INTO s.t SELECT i, repeat('x', 100) "
                 "FROM generate_series(1, 10000) AS i"));
  ARROWCDC_ASSERT_OK(sql_->Exec("ALTER SYSTEM SET log_statement = 'all'"));
  ARROWCDC_ASSERT_OK(sql_->Query("SELECT pg_reload_conf()"));
  PrepareSource();
  source_.snapshot_part_bytes = 1 << 18;
  for (const int connections : {1, 2}) {
    const size_t before = Server().Log().size();
    ReaderSetOptions options;
    options.snapshot = SnapshotMode::kOnly;
    options.snapshot_connections = connections;
    Open(options);
    ARROWCDC_ASSERT_OK(WaitFor([&] { return set_->stats().snapshot_rows == 10000; }, kLimit, "the copy"));
    set_.reset();
    const std::string log = Server().Log().substr(before);
    EXPECT_EQ(log.find("ctid >= ") == std::string::npos, connections == 1);
    EXPECT_EQ(log.find("COPY \"s\".\"t\" (") != std::string::npos, connections == 1);
  }
  ARROWCDC_ASSERT_OK(sql_->Exec("ALTER SYSTEM RESET log_statement"));
  ARROWCDC_ASSERT_OK(sql_->Query("SELECT pg_reload_conf()"));
}

// What was given of a table that is read anew is taken back first.
TEST_F(ReadersServer, ATableThatIsReadAnewBeginsWithATruncate) {
  ARROWCDC_ASSERT_OK(
      sql_->Exec("CREATE TABLE s.t (id bigint PRIMARY KEY, v text);"
                 "INSERT INTO s.t SELECT g, repeat('x', 100) FROM generate_series(1, 400000) g"));
  PrepareSource();
  ReaderSetOptions options;
  options.snapshot = SnapshotMode::kInitial;
  options.reader_bytes_max = 1 << 20;  // so the copy waits for the reader
  options.bytes_max = 1 << 20;
  Open(options);
  const auto reader = set_->reader({"s", "t"});
  ASSERT_EQ(reader->Next(kLimit).ValueOrDie().state, ReadState::kBatch);
  ARROWCDC_ASSERT_OK(sql_->Exec("DELETE FROM s.t WHERE id <= 10"));
  EXPECT_EQ(Scalar("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE 'COPY%'"),
            "1");
  std::set<int64_t> ids;
  int truncated = 0;
  const uint64_t end = Lsn("pg_current_wal_flush_lsn()");
  while (true) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const ReadResult batch, reader->Next(kLimit, FormatLsn(end)));
    if (batch.state == ReadState::kEnd) break;
    ASSERT_EQ(batch.state, ReadState::kBatch);
    const ChangeRows changes = ChangeRows::Make(*batch.table, *batch.rows).ValueOrDie();
    const auto& column = static_cast<const arrow::Int64Array&>(*batch.rows->GetColumnByName("id"));
    for (int64_t row = 0; row < column.length(); ++row) {
      if (changes.op(row) == Op::kTruncate) {
        ids.clear();
        ++truncated;
      } else {
        EXPECT_EQ(changes.op(row), Op::kSnapshot);
        EXPECT_TRUE(ids.insert(column.Value(row)).second) << column.Value(row) << " twice";
      }
    }
  }
  EXPECT_EQ(truncated, 1);
  EXPECT_EQ(ids.size(), 399990u);
  EXPECT_EQ(*ids.begin(), 11);
  EXPECT_FALSE(set_->ended());
}

// What it was before, the writer never stops: its rows first, then what was written behind them.
TEST_F(ReadersServer, ATableThatJoinsGivesItsRowsFirst) {
  for (const int partitions : {1, 3}) {
    ARROWCDC_ASSERT_OK(sql_->Exec("CREATE TABLE s.first (id bigint PRIMARY KEY)"));
    PrepareSource();
    ReaderSetOptions options;
    options.snapshot = SnapshotMode::kAuto;
    options.partitions = partitions;
    options.reader_bytes_max = 256 << 10;  // less than the table has, and than is written meanwhile
    options.unread_limit = options.slow_limit = kLimit;
    Open(options);
    ARROWCDC_ASSERT_OK(
        sql_->Exec("CREATE TABLE s.later (id bigint PRIMARY KEY, v bigint);"
                   "INSERT INTO s.later SELECT g, 0 FROM generate_series(1, 40000) g"));
    std::atomic<bool> stop = false;
    std::atomic<int64_t> written = 0;
    std::thread writer([&] {
      const auto sql = Server().Connect().ValueOrDie();
      for (int64_t i = 1; !stop; ++i, ++written) {
        ARROWCDC_EXPECT_OK(
            sql->Exec("UPDATE s.later SET v = v + 1 WHERE id % 997 = " + std::to_string(i % 997) +
                      "; INSERT INTO s.later VALUES (" + std::to_string(40'000 + i) +
                      ", 1); DELETE FROM s.later WHERE id = " + std::to_string(3 * i)));
      }
    });
    ARROWCDC_EXPECT_OK(WaitFor([&] { return written > 20; }, kLimit, "the writer"));
    ARROWCDC_EXPECT_OK(sql_->Exec("ALTER PUBLICATION readers ADD TABLE s.later"));
    std::vector<std::shared_ptr<Reader>> readers;
    ARROWCDC_EXPECT_OK(WaitFor(
        [&] {
          readers.clear();
          for (int p = 0; p < partitions; ++p) readers.push_back(set_->reader({"s", "later"}, p));
          return readers.back() != nullptr;
        },
        kLimit, "the readers"));
    std::map<int64_t, int64_t> rows;
    std::vector<bool> changed(readers.size());
    int64_t copied = 0;
    std::string end;
    for (size_t ended = 0; ended < readers.size() && !HasFailure();) {
      ended = 0;
      for (size_t p = 0; p < readers.size(); ++p) {
        const auto batch =
            end.empty() ? readers[p]->Next(milliseconds(1)) : readers[p]->Next(milliseconds(1), end);
        ARROWCDC_ASSERT_OK(batch.status());
        ended += batch->state == ReadState::kEnd;
        if (batch->state != ReadState::kBatch) continue;
        const ChangeRows changes = ChangeRows::Make(*batch->table, *batch->rows).ValueOrDie();
        const auto& ids = static_cast<const arrow::Int64Array&>(*batch->rows->GetColumnByName("id"));
        const auto& values = static_cast<const arrow::Int64Array&>(*batch->rows->GetColumnByName("v"));
        for (int64_t row = 0; row < ids.length(); ++row) {
          const Op op = changes.op(row);
          ASSERT_NE(op, Op::kTruncate);
          if (op == Op::kSnapshot) {
            EXPECT_FALSE(changed[p]) << ids.Value(row) << " was copied behind a change";
            ++copied;
          } else {
            changed[p] = true;
          }
          if (op == Op::kDelete) {
            EXPECT_EQ(rows.erase(ids.Value(row)), 1u) << "delete of " << ids.Value(row);
            continue;
          }
          const bool is_new = rows.insert_or_assign(ids.Value(row), values.Value(row)).second;
          EXPECT_EQ(is_new, op != Op::kUpdateAfter) << ids.Value(row);
        }
      }
      const bool all_changed = std::all_of(changed.begin(), changed.end(), [](bool c) { return c; });
      if (!end.empty() || !all_changed) continue;
      stop = true;
      writer.join();
      end = FormatLsn(Lsn("pg_current_wal_flush_lsn()"));
    }
    stop = true;
    if (writer.joinable()) writer.join();
    EXPECT_GT(copied, 30'000);
    for (const auto& reader : readers) EXPECT_TRUE(reader->stats().snapshot_complete);
    EXPECT_EQ(Scalar("SELECT count(*) FROM s.later"), std::to_string(rows.size()));
    int64_t sum = 0;
    for (const auto& [id, v] : rows) sum += id * (v + 1);
    EXPECT_EQ(Scalar("SELECT sum(id * (v + 1)) FROM s.later"), std::to_string(sum));
    EXPECT_EQ(set_->stats().snapshot_tables_done, 2u);
    if (partitions == 1) {
      TearDown();
      SetUp();
    }
  }
}

TEST_F(ReadersServer, ATableThatJoinsIsFoundWithoutAChange) {
  ARROWCDC_ASSERT_OK(sql_->Exec("CREATE TABLE s.first (id bigint PRIMARY KEY)"));
  PrepareSource();
  ReaderSetOptions options;
  options.snapshot = SnapshotMode::kInitial;
  Open(options);
  ARROWCDC_ASSERT_OK(
      sql_->Exec("CREATE TABLE s.quiet (id bigint PRIMARY KEY); INSERT INTO s.quiet VALUES (1), (2);"
                 "ALTER PUBLICATION readers ADD TABLE s.quiet"));
  const auto found = [&] { return set_->reader({"s", "quiet"}) != nullptr; };
  ARROWCDC_ASSERT_OK(WaitFor(found, kLimit, "the reader"));
  EXPECT_EQ(RowsOf(*set_->reader({"s", "quiet"}), Lsn("pg_current_wal_flush_lsn()")),
            Numbered("snapshot", 1, 2));
}

// Changes of a table that is gone lie in the slot behind which the one of now is copied.
TEST_F(ReadersServer, ATableThatWasMadeAnewBeforeTheStream) {
  const std::string make =
      "CREATE TABLE s.again (id bigint PRIMARY KEY); ALTER PUBLICATION readers ADD TABLE s.again; INSERT "
      "INTO "
      "s.again VALUES ";
  ARROWCDC_ASSERT_OK(sql_->Exec("CREATE TABLE s.first (id bigint PRIMARY KEY)"));
  PrepareSource();
  ARROWCDC_ASSERT_OK(sql_->Exec(make + "(8), (9)"));
  ARROWCDC_ASSERT_OK(sql_->Exec("DROP TABLE s.again"));
  ARROWCDC_ASSERT_OK(sql_->Exec(make + "(1), (2)"));
  ReaderSetOptions options;
  options.snapshot = SnapshotMode::kInitial;
  Open(options);
  EXPECT_EQ(RowsOf(*set_->reader({"s", "again"}), Lsn("pg_current_wal_flush_lsn()")),
            Numbered("snapshot", 1, 2));
}

int64_t ResidentBytes() {
  std::ifstream file("/proc/self/statm");
  int64_t total = 0;
  int64_t resident = 0;
  file >> total >> resident;
  return resident * 4096;
}

// What another reader reads comes through, and memory stays within the budgets.
TEST_F(ReadersServer, AnUnreadReaderCostsItsBudgetOnly) {
  constexpr int64_t kBudget = 4 << 20;
  ARROWCDC_ASSERT_OK(sql_->Exec(
      "CREATE TABLE s.unread (id int PRIMARY KEY, v text); CREATE TABLE s.read (id int PRIMARY KEY)"));
  PrepareSource();
  source_.buffer_bytes_max = kBudget;
  ReaderSetOptions options;
  options.reader_bytes_max = kBudget;
  options.unread_limit = milliseconds(100);
  Open(options);
  const int64_t before = ResidentBytes();
  ARROWCDC_ASSERT_OK(
      sql_->Exec("INSERT INTO s.unread SELECT g, repeat('x', 80) FROM generate_series(1, 1000000) g"));
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO s.read VALUES (1)"));
  const auto reader = set_->reader({"s", "read"});
  const auto unread = set_->reader({"s", "unread"});
  int64_t peak = 0;
  while (true) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const ReadResult batch, reader->Next(milliseconds(5)));
    peak = std::max(peak, ResidentBytes() - before);
    EXPECT_LE(unread->stats().waiting_bytes, kBudget + (1 << 20));
    if (batch.state == ReadState::kBatch) break;
  }
  EXPECT_GT(set_->stats().received_bytes, 80'000'000u);
  EXPECT_LT(peak, 48 << 20);
  RecordProperty("peak_bytes", static_cast<int>(peak));
  const arrow::Status status = unread->Next(milliseconds(0)).status();
  ASSERT_NE(GetErrorDetail(status), nullptr) << status;
  EXPECT_EQ(GetErrorDetail(status)->kind(), ErrorKind::kReaderUnread);

  const uint64_t end = Lsn("pg_current_wal_flush_lsn()");
  ARROWCDC_ASSERT_OK(reader->Commit());
  EXPECT_LT(ConfirmedFlush(), end);
  unread->Close();
  ARROWCDC_ASSERT_OK(WaitFor([&] { return ConfirmedFlush() >= end; }, kLimit, "the slot"));
}

}  // namespace
}  // namespace arrowcdc
