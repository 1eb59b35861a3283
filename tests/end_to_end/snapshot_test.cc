// Rows that were there before the stream: copied while others write, through crashes of the client and the
// server, and followed by the changes. The files then hold the tables, each row once.
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <random>
#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "arrowcdc/position.h"
#include "tests/end_to_end/client.h"
#include "tests/end_to_end/workload.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/seed.h"
#include "tests/testing/wait.h"

namespace arrowcdc::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class SnapshotTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    std::printf("seed %llu\n", static_cast<unsigned long long>(Seed()));
    PrivateServerOptions options;
    options.settings = {{"logical_decoding_work_mem", "64kB"}, {"wal_sender_timeout", "10s"}};
    ARROWCDC_ASSERT_OK_AND_ASSIGN(server_, PrivateServer::Create(options));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(sql_, server_->Connect());
  }

  void SetUpSlot(std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"--tables", "public.*", "--yes", "--plugin", GetParam()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    ARROWCDC_ASSERT_OK(RunCommand(*server_, "setup", arguments));
  }

  SubprocessOptions Stream(std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"--tables",   "public.*", "--plugin",
                                          GetParam(),   "--sink",   "parquet:" + files_.path().string(),
                                          "--roll-age", "300ms"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Command(*server_, "stream", std::move(arguments));
  }

  void Copy(std::vector<std::string> more) {
    ARROWCDC_ASSERT_OK(RunProgram(Stream(std::move(more)), seconds(120)).status());
  }
  void StreamUntilNow() { Copy({"--until", "now"}); }

  bool CopyIsComplete() const {
    std::ifstream manifest(files_.path() / "_arrowcdc_manifest.json");
    std::stringstream text;
    text << manifest.rdbuf();
    return text.str().find("\"complete\": true") != std::string::npos;
  }

  // Files of rows that were copied.
  size_t CountSnapshotFiles(const std::string& table) const {
    size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(files_.path() / table))
      count += entry.path().string().ends_with("-snapshot.parquet") ? 1 : 0;
    return count;
  }

  void Reconnect() {
    ARROWCDC_ASSERT_OK(WaitFor(
        [this] {
          auto connected = server_->Connect();
          if (connected.ok()) sql_ = std::move(*connected);
          return connected.ok();
        },
        seconds(60), "a connection after a restart"));
  }

  TemporaryDirectory files_;
  std::unique_ptr<PrivateServer> server_;
  std::unique_ptr<SqlConnection> sql_;
};

// One part of `big` is larger than what a client reads between two kills.
TEST_P(SnapshotTest, KilledAgainAndAgainWhileOthersWrite) {
  ARROWCDC_ASSERT_OK(CreateWorkloadTables(*sql_));
  ARROWCDC_ASSERT_OK(sql_->Exec(
      "CREATE TABLE big (id int PRIMARY KEY, note text); INSERT INTO big SELECT i, 'note ' || i FROM "
      "generate_series(1, 200000) AS i"));
  Workload workload(*server_, Seed(), 3);
  ARROWCDC_ASSERT_OK(WaitFor([&] { return workload.transactions() > 300; }, seconds(60), "rows to copy"));
  ASSERT_NO_FATAL_FAILURE(SetUpSlot());
  std::mt19937_64 random(Seed());
  int kills = 0;
  int server_restarts = 0;
  int sessions_ended = 0;
  while (!CopyIsComplete() || kills < 5) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto client, Subprocess::Start(Stream()));
    // Whatever moment comes: the later ones let a copy complete in the end.
    const auto given = milliseconds(random() % 300 + static_cast<uint64_t>(kills) * 100);
    (void)client->Wait(given);
    ASSERT_TRUE(client->Running()) << client->error();
    if (kills % 3 ==
        1) {  // the sessions that copy, and the one that holds the snapshot: it goes on by itself
      ARROWCDC_ASSERT_OK_AND_ASSIGN(
          const std::string count,
          sql_->Scalar("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name "
                       "= 'arrowcdc' AND backend_type = 'client backend'"));
      sessions_ended += std::stoi(count);
      (void)client->Wait(given);
      ASSERT_TRUE(client->Running()) << client->error();
    }
    if (kills % 4 == 3) {
      ARROWCDC_ASSERT_OK(server_->Restart(random() % 2 == 0 ? StopMode::kFast : StopMode::kImmediate));
      ASSERT_NO_FATAL_FAILURE(Reconnect());
      ++server_restarts;
    }
    client->Kill();
    ++kills;
    ASSERT_LT(kills, 200) << "the copy never completes";
  }
  ARROWCDC_ASSERT_OK(
      sql_->Exec("DELETE FROM big WHERE id % 7 = 0; UPDATE big SET note = 'new' WHERE id % 5 = 0"));
  workload.Stop();
  EXPECT_EQ(workload.refused(), 0u) << workload.last_refusal();
  ARROWCDC_ASSERT_OK(sql_->Exec("UPDATE w_shape SET id = id"));
  ASSERT_NO_FATAL_FAILURE(StreamUntilNow());
  std::printf("killed %d times, %d sessions ended, server restarted %d times, %llu transactions\n", kills,
              sessions_ended, server_restarts, static_cast<unsigned long long>(workload.transactions()));
  std::vector<std::string> tables = WorkloadTables();
  tables.push_back("public.big");
  ARROWCDC_ASSERT_OK(CompareReplay(*server_, files_.path(), tables));
  ARROWCDC_ASSERT_OK(CompareState(*server_, files_.path(), {"public.big"}));
}

TEST_P(SnapshotTest, TablesOfEveryShape) {
  ARROWCDC_ASSERT_OK(sql_->Exec(
      "CREATE TABLE empty (id int PRIMARY KEY);"
      "CREATE TABLE keyless (a int, b text); INSERT INTO keyless SELECT i % 3, 'x' FROM generate_series(1, "
      "100) i;"
      "ALTER TABLE keyless REPLICA IDENTITY FULL;"
      "CREATE TABLE parted (id int, part int, note text, PRIMARY KEY (part, id)) PARTITION BY LIST (part);"
      "CREATE TABLE parted_1 (note text, id int NOT NULL, part int NOT NULL);"
      "ALTER TABLE parted ATTACH PARTITION parted_1 FOR VALUES IN (1);"
      "CREATE TABLE parted_2 PARTITION OF parted FOR VALUES IN (2);"
      "INSERT INTO parted SELECT i, i % 2 + 1, 'n' || i FROM generate_series(1, 1000) i;"
      "CREATE TABLE parent (id int PRIMARY KEY, note text);"
      "CREATE TABLE child (more int, PRIMARY KEY (id)) INHERITS (parent);"
      "INSERT INTO parent VALUES (1, 'p'); INSERT INTO child VALUES (2, 'c', 3);"
      "CREATE TABLE dropped (id int PRIMARY KEY, gone int, note text); INSERT INTO dropped VALUES (1, 2, "
      "'x');"
      "ALTER TABLE dropped DROP COLUMN gone, ADD COLUMN n int DEFAULT 7;"
      "CREATE TABLE types (id int PRIMARY KEY, at timestamptz, amount numeric(12,2), tags text[], doc jsonb, "
      "big text, raw bytea); INSERT INTO types VALUES (1, now(), 12.34, ARRAY['a', NULL], '{\"a\": 1}', "
      "repeat('long', 100000), '\\x00ff'), (2, NULL, NULL, NULL, NULL, NULL, NULL)"));
  ASSERT_NO_FATAL_FAILURE(SetUpSlot());
  ASSERT_NO_FATAL_FAILURE(StreamUntilNow());
  ASSERT_TRUE(CopyIsComplete());
  EXPECT_EQ(CountSnapshotFiles("public.parted"), 2u);
  ARROWCDC_ASSERT_OK(sql_->Exec(
      "INSERT INTO empty VALUES (1); DELETE FROM keyless WHERE ctid IN (SELECT min(ctid) FROM keyless);"
      "UPDATE parted SET part = 2 WHERE id < 100; DELETE FROM child; UPDATE types SET id = 3 WHERE id = 1;"
      "UPDATE dropped SET n = NULL"));
  ASSERT_NO_FATAL_FAILURE(StreamUntilNow());
  ARROWCDC_ASSERT_OK(CompareReplay(*server_, files_.path(),
                                   {"public.empty", "public.keyless", "public.parted", "public.parent",
                                    "public.child", "public.dropped", "public.types"}));
}

// What the publication leaves out of the stream is not copied. A sink that keeps nothing is given rows where
// that is asked for.
TEST_P(SnapshotTest, FiltersAndListsOfColumns) {
  ARROWCDC_ASSERT_OK(sql_->Exec(
      "CREATE TABLE t (id int PRIMARY KEY, hidden text, a text);"
      "INSERT INTO t SELECT i, 'no', 'a' || i FROM generate_series(1, 6) AS i;"
      "CREATE TABLE parted (id int, part int, note text, PRIMARY KEY (part, id)) PARTITION BY LIST (part);"
      "CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1);"
      "CREATE TABLE parted_2 PARTITION OF parted FOR VALUES IN (2);"
      "INSERT INTO parted SELECT i, i % 2 + 1, 'n' FROM generate_series(1, 6) AS i;"
      "CREATE PUBLICATION arrowcdc FOR TABLE t (id, a) WHERE (id > 3), parted WHERE (part = 1 AND id > 2) "
      "WITH (publish_via_partition_root)"));
  ARROWCDC_ASSERT_OK(sql_->Query("SELECT pg_create_logical_replication_slot('arrowcdc', '" +
                                 std::string(GetParam()) + "')"));
  ARROWCDC_ASSERT_OK(sql_->Exec(
      "INSERT INTO t VALUES (7, 'no', 'a7'), (0, 'no', 'a0'); UPDATE parted SET note = 'm' WHERE id = 4"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto child,
                                Subprocess::Start(Command(*server_, "stream",
                                                          {"--tables", "public.*", "--sink", "console:ndjson",
                                                           "--snapshot", "initial", "--until", "now"})));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const ExitState ended, child->Wait(seconds(60)));
  ASSERT_TRUE(ended.ok()) << child->error();
  std::vector<std::string> rows;
  std::istringstream lines(child->output());
  for (std::string line; std::getline(lines, line);) {
    auto row = nlohmann::json::parse(line, nullptr, false);
    ASSERT_TRUE(row.is_object()) << line;
    EXPECT_EQ(row["_op"], "snapshot") << line;
    EXPECT_FALSE(row.contains("hidden")) << line;
    rows.push_back(row["_table"].get<std::string>() + " " + row["id"].dump() + " " +
                   row[row.contains("a") ? "a" : "note"].get<std::string>());
  }
  std::sort(rows.begin(), rows.end());
  EXPECT_EQ(rows,
            (std::vector<std::string>{"parted 4 m", "parted 6 n", "t 4 a4", "t 5 a5", "t 6 a6", "t 7 a7"}));
}

// Who holds a lock on a partition for as long as the copy lasts holds up whoever wants to detach it, and
// everybody behind him.
TEST_P(SnapshotTest, NoTableIsLockedThatIsNotRead) {
  ARROWCDC_ASSERT_OK(sql_->Exec(
      "CREATE TABLE big (id int PRIMARY KEY, note text);"
      "INSERT INTO big SELECT i, repeat('x', 200) FROM generate_series(1, 300000) AS i;"
      "CREATE TABLE parted (id int PRIMARY KEY) PARTITION BY RANGE (id);"
      "CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (9); INSERT INTO parted VALUES (1);"
      "CREATE TABLE gone (id int PRIMARY KEY, a text, b text); INSERT INTO gone VALUES (1, 'a', 'b')"));
  ASSERT_NO_FATAL_FAILURE(SetUpSlot());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto client,
                                Subprocess::Start(Stream({"--snapshot-connections", "1"})));
  const auto copying = [&] {
    return sql_->Scalar("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY %'").ValueOr("") == "1";
  };
  ARROWCDC_ASSERT_OK(WaitFor(copying, seconds(60), "the copy of the largest table, which is the first"));
  ARROWCDC_ASSERT_OK(client->Signal(SIGSTOP));
  ARROWCDC_ASSERT_OK(sql_->Exec(
      "SET lock_timeout = '5s'; ALTER TABLE parted DETACH PARTITION parted_1; ALTER TABLE gone RENAME "
      "a TO c; ALTER TABLE gone RENAME b TO a; ALTER TABLE gone RENAME c TO b"));
  ARROWCDC_ASSERT_OK(client->Signal(SIGCONT));
  ARROWCDC_ASSERT_OK(WaitFor([&] { return CopyIsComplete(); }, seconds(120), "the copy"));
  ARROWCDC_ASSERT_OK(client->Signal(SIGTERM));
  ARROWCDC_ASSERT_OK(client->Wait(seconds(60)).status());
  ASSERT_NO_FATAL_FAILURE(StreamUntilNow());
  ARROWCDC_ASSERT_OK(CompareReplay(*server_, files_.path(), {"public.big", "public.parted", "public.gone"}));
}

TEST_P(SnapshotTest, OnlyCopies) {
  ARROWCDC_ASSERT_OK(sql_->Exec("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)"));
  ASSERT_NO_FATAL_FAILURE(SetUpSlot());
  ARROWCDC_ASSERT_OK(RunProgram(Stream({"--snapshot", "only"}), seconds(60)));
  ASSERT_TRUE(CopyIsComplete());
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO t VALUES (2)"));
  ASSERT_NO_FATAL_FAILURE(StreamUntilNow());
  EXPECT_EQ(CountSnapshotFiles("public.t"), 1u);
  ARROWCDC_ASSERT_OK(CompareReplay(*server_, files_.path(), {"public.t"}));
}

// They are named by the point, not by where the stream stands: it goes on without them, and copies nothing.
TEST_P(SnapshotTest, PartFilesMayBeMovedAway) {
  ARROWCDC_ASSERT_OK(sql_->Exec("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)"));
  ASSERT_NO_FATAL_FAILURE(SetUpSlot());
  ASSERT_NO_FATAL_FAILURE(StreamUntilNow());
  const TemporaryDirectory archive;
  std::filesystem::create_directory(archive.path() / "public.t");
  for (const auto& entry : std::filesystem::directory_iterator(files_.path() / "public.t"))
    std::filesystem::rename(entry.path(), archive.path() / "public.t" / entry.path().filename());
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO t VALUES (2); DELETE FROM t WHERE id = 1"));
  ASSERT_NO_FATAL_FAILURE(StreamUntilNow());
  ASSERT_NO_FATAL_FAILURE(StreamUntilNow());
  EXPECT_EQ(CountSnapshotFiles("public.t"), 0u);
  for (const auto& entry : std::filesystem::directory_iterator(archive.path() / "public.t"))
    std::filesystem::rename(entry.path(), files_.path() / "public.t" / entry.path().filename());
  EXPECT_EQ(CountSnapshotFiles("public.t"), 1u);
  ARROWCDC_ASSERT_OK(CompareReplay(*server_, files_.path(), {"public.t"}));
  ARROWCDC_ASSERT_OK(CompareState(*server_, files_.path(), {"public.t"}));
}

// A slot is consistent behind the third record of running transactions: of those that it met at first, and of
// those that began meanwhile, none is left then. A transaction that began after the second one and commits
// with the next record does so exactly at the point: it is in no copied row, and must come as a change.
TEST_P(SnapshotTest, ACommitThatBeginsExactlyAtThePoint) {
  ARROWCDC_ASSERT_OK(sql_->Exec(
      "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1); CREATE TABLE keyless (a int);"
      "ALTER TABLE keyless REPLICA IDENTITY FULL; INSERT INTO keyless VALUES (1), (1)"));
  const auto scalar = [&](const std::string& query) { return sql_->Scalar(query).ValueOr("?"); };
  const auto begin = [](SqlConnection& sql, const std::string& more) {
    return sql.Exec("BEGIN; SELECT pg_current_xact_id(); " + more);
  };
  const std::string waiting =
      "SELECT count(*) FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid) WHERE NOT l.granted AND "
      "a.backend_type = 'walsender' AND l.transactionid = ";
  std::string point;
  for (int id = 2; id < 12 && point.empty(); ++id) {
    for (const auto& entry : std::filesystem::directory_iterator(files_.path()))
      std::filesystem::remove_all(entry.path());
    ASSERT_NO_FATAL_FAILURE(SetUpSlot());
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto old, server_->Connect());
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto next, server_->Connect());
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto last, server_->Connect());
    ARROWCDC_ASSERT_OK(begin(*old, ""));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto client, Subprocess::Start(Stream()));
    const std::string old_id = "'" + old->Scalar("SELECT pg_current_xact_id()::xid").ValueOrDie() + "'::xid";
    ARROWCDC_ASSERT_OK(
        WaitFor([&] { return scalar(waiting + old_id) == "1"; }, seconds(60), "the first wait"));
    ARROWCDC_ASSERT_OK(begin(*next, ""));
    const std::string next_id =
        "'" + next->Scalar("SELECT pg_current_xact_id()::xid").ValueOrDie() + "'::xid";
    ARROWCDC_ASSERT_OK(old->Exec("COMMIT"));
    ARROWCDC_ASSERT_OK(
        WaitFor([&] { return scalar(waiting + next_id) == "1"; }, seconds(60), "the second wait"));
    const std::string n = std::to_string(id);
    ARROWCDC_ASSERT_OK(
        begin(*last, "INSERT INTO t VALUES (" + n + "); INSERT INTO keyless VALUES (" + n + "), (1)"));
    ARROWCDC_ASSERT_OK(client->Signal(SIGSTOP));
    ARROWCDC_ASSERT_OK(next->Exec("COMMIT"));
    const std::string of_slot =
        "SELECT coalesce(confirmed_flush_lsn::text, '') FROM pg_replication_slots WHERE temporary";
    ARROWCDC_ASSERT_OK(WaitFor([&] { return scalar(of_slot).size() > 1; }, seconds(60), "the point"));
    point = scalar(of_slot);
    if (scalar("SELECT pg_current_wal_insert_lsn()") != point) point.clear();  // somebody else wrote
    ARROWCDC_ASSERT_OK(last->Exec("COMMIT"));
    ARROWCDC_ASSERT_OK(client->Signal(SIGCONT));
    ARROWCDC_ASSERT_OK(client->WaitForError("streaming changes", seconds(60)));
    ARROWCDC_ASSERT_OK(client->Signal(SIGTERM));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const ExitState ended, client->Wait(seconds(60)));
    ASSERT_TRUE(ended.ok()) << client->error();
    ASSERT_NO_FATAL_FAILURE(StreamUntilNow());
    ARROWCDC_ASSERT_OK(CompareReplay(*server_, files_.path(), {"public.t", "public.keyless"}));
    if (point.empty()) ARROWCDC_ASSERT_OK(RunCommand(*server_, "teardown", {"--yes"}));
  }
  ASSERT_FALSE(point.empty()) << "no commit began at a point";
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const uint64_t lsn, ParseLsn(point));
  const auto hex = [](uint64_t number) {
    char text[17];
    std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(number));
    return std::string(text);
  };
  for (const char* table : {"public.t", "public.keyless"}) {
    int of_point = 0;  // by the names of the files: that of its change, and that of the copied rows
    for (const auto& entry : std::filesystem::directory_iterator(files_.path() / table)) {
      const std::string name = entry.path().filename();
      of_point += name.starts_with(hex(name.ends_with("-snapshot.parquet") ? lsn - 1 : lsn)) ? 1 : 0;
    }
    EXPECT_EQ(of_point, 2) << table;
  }
}

// What a table that came later had before is copied, and one that is to be read anew is; the changes of the
// others go on meanwhile.
TEST_P(SnapshotTest, TablesThatAreAddedAndReadAnew) {
  ARROWCDC_ASSERT_OK(sql_->Exec(
      "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 100);"
      "CREATE TABLE keyless (a int); ALTER TABLE keyless REPLICA IDENTITY FULL; INSERT INTO keyless SELECT i "
      "% 3 FROM generate_series(1, 100) AS i; CREATE TABLE hollow (id int, PRIMARY KEY (id)) PARTITION BY "
      "RANGE (id); CREATE TABLE hollow_1 PARTITION OF hollow FOR VALUES FROM (0) TO (9); INSERT INTO hollow "
      "VALUES (1)"));
  ASSERT_NO_FATAL_FAILURE(SetUpSlot());
  ASSERT_NO_FATAL_FAILURE(StreamUntilNow());
  ARROWCDC_ASSERT_OK(
      sql_->Exec("CREATE TABLE later (id int PRIMARY KEY); INSERT INTO later VALUES (1), (2)"));
  ASSERT_NO_FATAL_FAILURE(SetUpSlot());
  // In the slot, and in front of the point of what is copied.
  ARROWCDC_ASSERT_OK(
      sql_->Exec("DELETE FROM later WHERE id = 1; INSERT INTO later VALUES (3); DELETE FROM t WHERE id < 10;"
                 "UPDATE keyless SET a = 7 WHERE a = 1"));
  const std::vector<std::string> tables = {"public.t", "public.keyless", "public.later", "public.hollow"};
  ASSERT_NO_FATAL_FAILURE(StreamUntilNow());
  EXPECT_EQ(CountSnapshotFiles("public.later"), 1u);
  EXPECT_EQ(CountSnapshotFiles("public.t"), 1u);
  ARROWCDC_ASSERT_OK(CompareReplay(*server_, files_.path(), tables));
  ARROWCDC_ASSERT_OK(CompareState(*server_, files_.path(), tables));

  const auto again = [&](const std::string& table) {
    const auto done = RunProgram({.argv = {CommandPath(), "resnapshot", files_.path(), table}}, seconds(60));
    ARROWCDC_ASSERT_OK(done.status());
  };
  for (const char* table : {"public.keyless", "public.t", "public.hollow"}) {
    ASSERT_NO_FATAL_FAILURE(again(table));
  }
  // Damage: what is in no file any more.
  for (const auto& entry : std::filesystem::directory_iterator(files_.path() / "public.keyless"))
    std::filesystem::remove(entry.path());
  ARROWCDC_ASSERT_OK(
      sql_->Exec("UPDATE keyless SET a = 8 WHERE a = 2; INSERT INTO t VALUES (1000); DROP TABLE hollow_1"));
  ASSERT_NO_FATAL_FAILURE(StreamUntilNow());
  EXPECT_EQ(CountSnapshotFiles("public.keyless"), 1u);
  EXPECT_EQ(CountSnapshotFiles("public.t"), 2u);
  ARROWCDC_ASSERT_OK(sql_->Exec("DELETE FROM keyless WHERE a = 8; DELETE FROM t WHERE id > 990"));
  ASSERT_NO_FATAL_FAILURE(StreamUntilNow());
  ARROWCDC_ASSERT_OK(CompareReplay(*server_, files_.path(), tables));
  ARROWCDC_ASSERT_OK(CompareState(*server_, files_.path(), tables));
}

// Changes of theirs come before the next start: with some of the rows, and not with those from before.
TEST_P(SnapshotTest, TablesThatArePublishedInMidStream) {
  ARROWCDC_ASSERT_OK(
      sql_->Exec("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1); CREATE TABLE "
                 "later (id int PRIMARY KEY); INSERT INTO later VALUES (1), (2)"));
  ARROWCDC_ASSERT_OK(RunCommand(*server_, "setup", {"--tables", "public.t", "--plugin", GetParam()}));
  std::vector<std::string> arguments = {
      "--tables",   "public.*", "--accept-tables", "--sink", "parquet:" + files_.path().string(),
      "--roll-age", "100ms"};
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto client,
                                Subprocess::Start(Command(*server_, "stream", std::move(arguments))));
  ARROWCDC_ASSERT_OK(client->WaitForError("streaming changes", seconds(60)));
  ARROWCDC_ASSERT_OK(sql_->Exec("ALTER PUBLICATION arrowcdc ADD TABLE later"));
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO later VALUES (3)"));
  ARROWCDC_ASSERT_OK(client->WaitForError("rows that it had before are copied now", seconds(60)));
  ARROWCDC_ASSERT_OK(client->Signal(SIGTERM));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const ExitState ended, client->Wait(seconds(60)));
  EXPECT_TRUE(ended.ok()) << client->error();
  // What is noted for another table waits for a stream of it.
  ARROWCDC_ASSERT_OK(
      RunProgram({.argv = {CommandPath(), "resnapshot", files_.path(), "public.t"}}, seconds(60)).status());
  ARROWCDC_ASSERT_OK(RunCommand(*server_, "stream",
                                {"--tables", "public.later", "--accept-tables", "--sink",
                                 "parquet:" + files_.path().string(), "--until", "now"}));
  EXPECT_EQ(CountSnapshotFiles("public.later"), 1u);
  EXPECT_EQ(CountSnapshotFiles("public.t"), 1u);
  ASSERT_NO_FATAL_FAILURE(Copy({"--until", "now", "--accept-tables"}));
  EXPECT_EQ(CountSnapshotFiles("public.t"), 2u);
  ARROWCDC_ASSERT_OK(CompareReplay(*server_, files_.path(), {"public.t", "public.later"}));
  ARROWCDC_ASSERT_OK(CompareState(*server_, files_.path(), {"public.t", "public.later"}));
}

// The slot is lost, and another one is made: what was written in between is in no change.
TEST_P(SnapshotTest, ALostSlotIsMadeUpForWhereThatIsWanted) {
  ARROWCDC_ASSERT_OK(
      sql_->Exec("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, "
                 "100)"));
  ASSERT_NO_FATAL_FAILURE(SetUpSlot());
  ASSERT_NO_FATAL_FAILURE(StreamUntilNow());
  ARROWCDC_ASSERT_OK(sql_->Query("SELECT pg_drop_replication_slot('arrowcdc')"));
  ARROWCDC_ASSERT_OK(sql_->Exec("DELETE FROM t WHERE id < 50; INSERT INTO t VALUES (200)"));
  ASSERT_NO_FATAL_FAILURE(SetUpSlot());
  EXPECT_FALSE(RunProgram(Stream({"--until", "now"}), seconds(60)).ok()) << "changes are lacking";
  ASSERT_NO_FATAL_FAILURE(Copy({"--until", "now", "--snapshot", "when-needed"}));
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO t VALUES (201)"));
  ASSERT_NO_FATAL_FAILURE(Copy({"--until", "now", "--snapshot", "when-needed"}));
  EXPECT_EQ(CountSnapshotFiles("public.t"), 2u);
  ARROWCDC_ASSERT_OK(CompareReplay(*server_, files_.path(), {"public.t"}));
}

INSTANTIATE_TEST_SUITE_P(Plugins, SnapshotTest, testing::Values("wal2arrow", "pgoutput"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace arrowcdc::test
