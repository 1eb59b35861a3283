// Copies at the limits: of tables, columns, bytes, and of what the server has left to give.
#include <algorithm>
#include <cstdlib>

#include <arrow/array.h>
#include <arrow/io/file.h>
#include <arrow/table.h>
#include <parquet/arrow/reader.h>

#include "tests/end_to_end/snapshot_fixture.h"

namespace arrowcdc::test {
namespace {

using std::chrono::seconds;

class SnapshotLimits : public SnapshotFixture {
 protected:
  // Runs the command to an end that is no success.
  void StreamFails(std::vector<std::string> more, int code) {
    ASSERT_NO_FATAL_FAILURE(StartStream(std::move(more)));
    ExitState ended;
    ASSERT_NO_FATAL_FAILURE(WaitForTheEnd(&ended));
    EXPECT_EQ(ended.signal, 0) << client_->error();
    EXPECT_EQ(ended.code, code) << client_->error();
    EXPECT_FALSE(CopyIsComplete());
  }

  // The first row of the table's only file has `size` times that in its column a.
  void ExpectFirst(const std::string& table, char byte, int64_t size) {
    std::vector<std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator(files_.path() / table))
      files.push_back(entry.path());
    ASSERT_EQ(files.size(), 1u) << table;
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto file, arrow::io::ReadableFile::Open(files[0]));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto reader,
                                  parquet::arrow::OpenFile(file, arrow::default_memory_pool()));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto rows, reader->ReadTable());
    const auto column = rows->GetColumnByName("a");
    ASSERT_NE(column, nullptr);
    const auto& chunk = static_cast<const arrow::BinaryArray&>(*column->chunk(0));
    const std::string_view value = chunk.GetView(0);
    ASSERT_EQ(static_cast<int64_t>(value.size()), size) << table;
    EXPECT_EQ(std::count(value.begin(), value.end(), byte), size) << table;
  }

  int CountRetries() const {
    const auto lines = client_->ErrorLines();
    return static_cast<int>(std::count_if(lines.begin(), lines.end(), [](const std::string& line) {
      return line.find("connecting again") != std::string::npos;
    }));
  }

  std::vector<std::unique_ptr<SqlConnection>> taken_;
};

// Whoever kept locks on all tables that are copied would take the server's lock table, and whoever kept files
// open the process's descriptors. With ARROWCDC_LARGE set these are 5,000 tables at the default of 64 locks.
TEST_F(SnapshotLimits, ManySmallTables) {
  const bool large = std::getenv("ARROWCDC_LARGE") != nullptr;
  const int count = large ? 5000 : 500;
  // The server has room for so many locks, times the processes that it may have.
  ASSERT_NO_FATAL_FAILURE(StartServer({{"max_locks_per_transaction", large ? "64" : "10"},
                                       {"max_connections", "20"},
                                       {"max_wal_senders", "4"},
                                       {"max_worker_processes", "2"}}));
  ARROWCDC_ASSERT_OK(
      sql_->Exec("DO $$ BEGIN FOR i IN 1.." + std::to_string(count) +
                 " LOOP EXECUTE format('CREATE TABLE t%s (id int PRIMARY KEY); INSERT INTO t%1$s SELECT "
                 "generate_series(1, %s)', i, i % 3); IF i % 50 = 0 THEN COMMIT; END IF; END LOOP; END $$"));
  // Which shows that there are too few.
  const arrow::Status locked = sql_->Exec(
      "DO $$ BEGIN FOR i IN 1.." + std::to_string(count) +
      " LOOP EXECUTE format('LOCK TABLE t%s IN ACCESS SHARE MODE; SELECT FROM t%1$s', i); END LOOP; END $$");
  ASSERT_EQ(sql_->last_sqlstate(), "53200") << locked;
  ARROWCDC_ASSERT_OK(sql_->Exec("CREATE PUBLICATION arrowcdc FOR ALL TABLES"));
  ASSERT_NO_FATAL_FAILURE(SetUpSlot());
  SubprocessOptions stream = Stream({"--snapshot", "only", "--snapshot-connections", "4"});
  stream.argv.insert(stream.argv.begin(), {"prlimit", "--nofile=100"});
  ARROWCDC_ASSERT_OK(RunProgram(stream, std::chrono::minutes(large ? 30 : 5)).status());
  ASSERT_TRUE(CopyIsComplete());
  for (int i = 1; i <= count; ++i) {
    const auto directory = files_.path() / ("public.t" + std::to_string(i));
    const bool has_rows = i % 3 > 0;
    ASSERT_EQ(std::filesystem::exists(directory) && !std::filesystem::is_empty(directory), has_rows) << i;
  }
  ARROWCDC_ASSERT_OK(
      CompareReplay(*server_, files_.path(), {"public.t1", "public.t2", "public.t3", "public.t500"}));
}

// COPY sends it, the file holds it.
TEST_F(SnapshotLimits, AValueOf500MB) {
  ASSERT_NO_FATAL_FAILURE(StartServer({{"max_wal_size", "4GB"}}));
  ARROWCDC_ASSERT_OK(
      sql_->Exec("CREATE TABLE t (id int PRIMARY KEY, a text); INSERT INTO t VALUES (1, "
                 "repeat('x', 500 << 20)), (2, 'small')"));
  ARROWCDC_ASSERT_OK(
      sql_->Exec("CREATE TABLE b (id int PRIMARY KEY, a bytea); INSERT INTO b VALUES (1, "
                 "convert_to(repeat('y', 50 << 20), 'UTF8'))"));
  ASSERT_NO_FATAL_FAILURE(SetUpSlot());
  ARROWCDC_ASSERT_OK(RunProgram(Stream({"--snapshot", "only"}), kLimit).status());
  ASSERT_TRUE(CopyIsComplete());
  ASSERT_NO_FATAL_FAILURE(ExpectFirst("public.t", 'x', 500 << 20));
  ASSERT_NO_FATAL_FAILURE(ExpectFirst("public.b", 'y', 50 << 20));
}

// PostgreSQL puts a row together before it sends it, in at most 1 GB. What can be copied is not held up.
TEST_F(SnapshotLimits, ARowThatCopyCannotSendIsRefusedByName) {
  ASSERT_NO_FATAL_FAILURE(StartServer({{"max_wal_size", "4GB"}}));
  ARROWCDC_ASSERT_OK(
      sql_->Exec("CREATE TEMP TABLE half AS SELECT repeat('x', 540000000) AS a; CREATE TABLE "
                 "huge (id int PRIMARY KEY, a text, b text)"));
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO huge SELECT 1, a, a FROM half"));
  ASSERT_NO_FATAL_FAILURE(SetUpSlot());
  ASSERT_NO_FATAL_FAILURE(StreamFails({"--snapshot", "only"}, 4));
  EXPECT_TRUE(Said("\"kind\":\"unsupported\"")) << client_->error();
  EXPECT_TRUE(Said("table public.huge")) << client_->error();
  EXPECT_TRUE(Said("more than 1 GB")) << client_->error();
  EXPECT_EQ(CountRetries(), 0);
}

TEST_F(SnapshotLimits, ManyColumnsNoRowsAndChildren) {
  ASSERT_NO_FATAL_FAILURE(StartServer());
  std::string columns;
  std::string values;
  for (int i = 0; i < 200; ++i) {
    const char* const kinds[] = {"int", "text", "numeric(10,2)", "timestamptz"};
    columns += ", c" + std::to_string(i) + " " + kinds[i % 4];
    values += i % 4 == 3 ? ", now()" : i % 7 == 0 ? ", NULL" : ", " + std::to_string(i) + " + i";
  }
  ARROWCDC_ASSERT_OK(sql_->Exec("CREATE TABLE wide (id int PRIMARY KEY" + columns +
                                "); INSERT INTO wide SELECT i" + values +
                                " FROM generate_series(1, 500) AS i"));
  ARROWCDC_ASSERT_OK(
      sql_->Exec("CREATE TABLE hollow (id int PRIMARY KEY);"
                 "CREATE TABLE parent (id int PRIMARY KEY, note text); INSERT INTO parent VALUES (1, 'p');"
                 "CREATE TABLE child (more int, PRIMARY KEY (id)) INHERITS (parent);"
                 "INSERT INTO child SELECT i, 'c', i FROM generate_series(2, 9) AS i;"
                 "CREATE TABLE grandchild (PRIMARY KEY (id)) INHERITS (child); INSERT INTO grandchild VALUES "
                 "(10, 'g', 1)"));
  ASSERT_NO_FATAL_FAILURE(SetUpSlot());
  ASSERT_NO_FATAL_FAILURE(StreamUntilNow());
  ASSERT_TRUE(CopyIsComplete());
  const std::vector<std::string> tables = {"public.wide", "public.hollow", "public.parent", "public.child",
                                           "public.grandchild"};
  ARROWCDC_ASSERT_OK(CompareReplay(*server_, files_.path(), tables));
  ARROWCDC_ASSERT_OK(
      sql_->Exec("INSERT INTO hollow VALUES (1); UPDATE wide SET c1 = 'new' WHERE id < 10; "
                 "UPDATE parent SET note = 'all of them'"));
  ASSERT_NO_FATAL_FAILURE(StreamUntilNow());
  ARROWCDC_ASSERT_OK(CompareReplay(*server_, files_.path(), tables));
}

// An error instead of rows that are missing. Rights on some columns are not enough: the table is locked.
TEST_F(SnapshotLimits, RowsThatTheRoleMayNotSee) {
  ASSERT_NO_FATAL_FAILURE(StartServer());
  ARROWCDC_ASSERT_OK(sql_->Exec(
      "CREATE TABLE t (id int PRIMARY KEY, a text); INSERT INTO t SELECT i, 'a' || i FROM generate_series(1, "
      "9) "
      "AS i; CREATE ROLE cdc LOGIN REPLICATION; GRANT SELECT (id, a) ON t TO cdc;"
      "DO $$ BEGIN IF EXISTS (SELECT FROM pg_settings WHERE name = 'output_plugin_libraries') THEN ALTER "
      "ROLE cdc SET output_plugin_libraries = 'wal2arrow'; END IF; END $$"));
  ASSERT_NO_FATAL_FAILURE(SetUpSlot());
  SubprocessOptions stream = Stream({"--snapshot", "only"});
  stream.argv[4] += " user=cdc";
  const auto refused = [&](const std::string& why) {
    const auto ended = RunProgram(stream, kLimit);
    ASSERT_FALSE(ended.ok()) << why;
    EXPECT_NE(ended.status().message().find(why), std::string::npos) << ended.status();
    EXPECT_NE(ended.status().message().find("public.t"), std::string::npos) << ended.status();
    EXPECT_FALSE(CopyIsComplete());
  };
  ASSERT_NO_FATAL_FAILURE(refused("GRANT SELECT"));
  ARROWCDC_ASSERT_OK(
      sql_->Exec("GRANT SELECT ON t TO cdc; ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY few ON t "
                 "USING (id > "
                 "3)"));
  ASSERT_NO_FATAL_FAILURE(refused("BYPASSRLS"));
  ARROWCDC_ASSERT_OK(sql_->Exec("ALTER ROLE cdc BYPASSRLS"));
  ARROWCDC_ASSERT_OK(RunProgram(stream, kLimit).status());
  ASSERT_TRUE(CopyIsComplete());
  ARROWCDC_ASSERT_OK(CompareReplay(*server_, files_.path(), {"public.t"}));
}

// What ends a session that was forgotten ends no copy: one that stands still for longer than all of it.
TEST_F(SnapshotLimits, TimeoutsOfTheRoleEndNoCopy) {
  ASSERT_NO_FATAL_FAILURE(StartServer());
  ARROWCDC_ASSERT_OK(sql_->Exec(kCreateBig));
  ARROWCDC_ASSERT_OK(sql_->Exec(
      "CREATE ROLE hasty SUPERUSER LOGIN; ALTER ROLE hasty SET statement_timeout = '500ms'; ALTER ROLE "
      "hasty SET idle_in_transaction_session_timeout = '500ms'; ALTER ROLE hasty SET "
      "idle_session_timeout = '500ms'; ALTER ROLE hasty SET lock_timeout = '1ms'"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const std::string version, sql_->Scalar("SHOW server_version_num"));
  if (std::stoi(version) >= 170000)
    ARROWCDC_ASSERT_OK(sql_->Exec("ALTER ROLE hasty SET transaction_timeout = '500ms'"));
  ASSERT_NO_FATAL_FAILURE(SetUpSlot());
  // For the making of the temporary slot to wait.
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto open, server_->Connect());
  ARROWCDC_ASSERT_OK(open->Exec("BEGIN; UPDATE big SET note = 'open' WHERE id = 1"));
  SubprocessOptions stream = Stream();
  stream.argv[4] += " user=hasty";
  ARROWCDC_ASSERT_OK_AND_ASSIGN(client_, Subprocess::Start(std::move(stream)));
  const auto waits_for_long = [&] {
    return sql_->Scalar(
                   "SELECT count(*) FROM pg_stat_activity WHERE usename = 'hasty' AND query LIKE "
                   "'CREATE_REPLICATION_SLOT%' AND clock_timestamp() - query_start > '1s'")
               .ValueOr("") == "1";
  };
  ARROWCDC_ASSERT_OK(WaitFor(waits_for_long, kLimit, "the temporary slot to wait"));
  ARROWCDC_ASSERT_OK(open->Exec("COMMIT"));
  ASSERT_NO_FATAL_FAILURE(HoldClientInCopyOf("big"));
  const auto idle_for_long = [&] {
    return sql_->Scalar(
                   "SELECT count(*) FROM pg_stat_activity WHERE usename = 'hasty' AND state = 'idle in "
                   "transaction' AND clock_timestamp() - state_change > '2s'")
               .ValueOr("") == "1";
  };
  ARROWCDC_ASSERT_OK(WaitFor(idle_for_long, kLimit, "the session that keeps the snapshot to be idle"));
  ARROWCDC_ASSERT_OK(client_->Signal(SIGCONT));
  ASSERT_NO_FATAL_FAILURE(FinishAndCompare({"public.big"}));
  EXPECT_EQ(CountRetries(), 0) << client_->error();
}

TEST_F(SnapshotLimits, NoWalSenderIsLeft) {
  ASSERT_NO_FATAL_FAILURE(StartServer({{"max_wal_senders", "2"}}));
  ARROWCDC_ASSERT_OK(sql_->Exec("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)"));
  ASSERT_NO_FATAL_FAILURE(SetUpSlot());
  for (int i = 0; i < 2; ++i) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(
        auto taken,
        SqlConnection::Connect(server_->conninfo() + " replication=database application_name=taken"));
    taken_.push_back(std::move(taken));
  }
  ASSERT_NO_FATAL_FAILURE(StreamFails({"--retry-for", "1s"}, 75));
  EXPECT_TRUE(Said("\"kind\":\"server_setting\"")) << client_->error();
  EXPECT_TRUE(Said("max_wal_senders")) << client_->error();
  EXPECT_GT(CountRetries(), 1) << client_->error();
  ASSERT_NO_FATAL_FAILURE(StartStream({"--retry-for", "1min"}));
  ARROWCDC_ASSERT_OK(client_->WaitForError("connecting again", kLimit));
  taken_.clear();
  ASSERT_NO_FATAL_FAILURE(FinishAndCompare({"public.t"}));
}

// None, or one: for what looks, and not for what copies.
TEST_F(SnapshotLimits, NoConnectionIsLeft) {
  ASSERT_NO_FATAL_FAILURE(StartServer({{"max_connections", "12"}}));
  ARROWCDC_ASSERT_OK(sql_->Exec("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)"));
  ASSERT_NO_FATAL_FAILURE(SetUpSlot());
  const auto take = [&]() -> arrow::Status {
    ARROW_ASSIGN_OR_RAISE(auto taken,
                          SqlConnection::Connect(server_->conninfo() + " application_name=taken"));
    taken_.push_back(std::move(taken));
    return arrow::Status::OK();
  };
  while (take().ok()) ASSERT_LT(taken_.size(), 12u);
  for (int left = 0; left < 2; ++left) {
    if (left > 0) taken_.pop_back();
    ARROWCDC_ASSERT_OK(WaitFor(
        [&] {
          return sql_->Scalar("SELECT count(*) FROM pg_stat_activity WHERE datname IS NOT NULL")
                     .ValueOr("") == std::to_string(12 - left);
        },
        kLimit, "a session to end"));
    ASSERT_NO_FATAL_FAILURE(StreamFails({"--retry-for", "1s"}, 75)) << left;
    EXPECT_TRUE(Said("\"kind\":\"server_setting\"")) << left << client_->error();
    EXPECT_TRUE(Said("max_connections")) << left << client_->error();
    EXPECT_GT(CountRetries(), 1) << left << client_->error();
  }
  ASSERT_NO_FATAL_FAILURE(StartStream({"--retry-for", "1min"}));
  ARROWCDC_ASSERT_OK(client_->WaitForError("connecting again", kLimit));
  taken_.clear();
  ASSERT_NO_FATAL_FAILURE(FinishAndCompare({"public.t"}));
}

}  // namespace
}  // namespace arrowcdc::test
