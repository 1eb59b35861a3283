// A copy that somebody breaks, locks out, holds up or overtakes: it goes on by itself, or says what is lost.
#include <map>
#include <sstream>
#include <string>
#include <thread>

#include "tests/end_to_end/snapshot_fixture.h"

namespace arrowcdc::test {
namespace {

using std::chrono::seconds;

class SnapshotInterrupted : public SnapshotFixture {
 protected:
  // A large table, of which rows are on their way while the client stands still, and small ones behind it.
  // Meanwhile rows are changed that the copy has and has not.
  void HoldACopy() {
    ASSERT_NO_FATAL_FAILURE(StartServer());
    ARROWCDC_ASSERT_OK(sql_->Exec(kCreateBig));
    ARROWCDC_ASSERT_OK(
        sql_->Exec("CREATE TABLE small (id int PRIMARY KEY, note text); INSERT INTO small "
                   "VALUES (1, 'a'), (2, 'b'); CREATE TABLE keyless (a int); ALTER TABLE keyless REPLICA "
                   "IDENTITY FULL; INSERT INTO keyless VALUES (1), (1)"));
    ASSERT_NO_FATAL_FAILURE(SetUpSlot());
    ASSERT_NO_FATAL_FAILURE(StartStream({"--snapshot-connections", "1"}));
    ASSERT_NO_FATAL_FAILURE(HoldClientInCopyOf("big"));
    ASSERT_NO_FATAL_FAILURE(Change());
  }

  void Change() {
    ARROWCDC_ASSERT_OK(sql_->Exec(
        "UPDATE big SET note = 'new' WHERE id % 10000 = 0; DELETE FROM big WHERE id = 5; INSERT INTO "
        "small SELECT max(id) + 1, 'c' FROM small; DELETE FROM keyless WHERE ctid IN (SELECT min(ctid) FROM "
        "keyless); INSERT INTO keyless VALUES (2), (2)"));
  }

  // Ends the only session for which the condition holds, and waits until it is gone.
  void EndSession(const std::string& condition) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(
        const std::string pid,
        sql_->Scalar("SELECT pid FROM pg_stat_activity WHERE application_name = 'arrowcdc' AND " +
                     condition));
    ARROWCDC_ASSERT_OK(sql_->Query("SELECT pg_terminate_backend(" + pid + ")"));
    ARROWCDC_ASSERT_OK(WaitFor(
        [&] {
          return sql_->Scalar("SELECT count(*) FROM pg_stat_activity WHERE pid = " + pid).ValueOr("") == "0";
        },
        kLimit, "the session to end"));
  }

  void GoOn() {
    ARROWCDC_ASSERT_OK(client_->Signal(SIGCONT));
    ARROWCDC_ASSERT_OK(client_->WaitForError("connecting again", kLimit));
    ASSERT_NO_FATAL_FAILURE(Change());
    ASSERT_NO_FATAL_FAILURE(FinishAndCompare({"public.big", "public.small", "public.keyless"}));
  }

  // Transactions with many savepoints, each begun before the one before it ends, until `stop`.
  static void OverlapSavepoints(const PrivateServer& server, const std::atomic<bool>& stop,
                                arrow::Status* status);
};

TEST_F(SnapshotInterrupted, TheSessionThatHoldsTheSnapshotIsEnded) {
  ASSERT_NO_FATAL_FAILURE(HoldACopy());
  ASSERT_NO_FATAL_FAILURE(EndSession("state = 'idle in transaction'"));
  ASSERT_NO_FATAL_FAILURE(GoOn());
}

TEST_F(SnapshotInterrupted, ASessionThatCopiesIsEnded) {
  ASSERT_NO_FATAL_FAILURE(HoldACopy());
  ASSERT_NO_FATAL_FAILURE(EndSession("query LIKE 'COPY %'"));
  ASSERT_NO_FATAL_FAILURE(GoOn());
}

TEST_F(SnapshotInterrupted, TheServerIsRestarted) {
  ASSERT_NO_FATAL_FAILURE(HoldACopy());
  ARROWCDC_ASSERT_OK(server_->Restart(StopMode::kImmediate));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(sql_, server_->Connect());
  ASSERT_NO_FATAL_FAILURE(GoOn());
}

// A pipe cannot be cut back: whoever reads it is told that the rows before do not count.
TEST_F(SnapshotInterrupted, IntoAPipeATableBeginsAnewBehindATruncate) {
  ASSERT_NO_FATAL_FAILURE(StartServer());
  ARROWCDC_ASSERT_OK(sql_->Exec(kCreateBig));
  ARROWCDC_ASSERT_OK(sql_->Exec("CREATE TABLE next (id int PRIMARY KEY); INSERT INTO next VALUES (1)"));
  ASSERT_NO_FATAL_FAILURE(SetUpSlot());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(
      client_, Subprocess::Start(Command(*server_, "stream",
                                         {"--tables", "public.*", "--sink", "console:ndjson", "--snapshot",
                                          "initial", "--snapshot-connections", "1", "--until", "now"})));
  // Its first rows are out, and it stands still.
  ARROWCDC_ASSERT_OK(WaitFor([&] { return !client_->output().empty(); }, kLimit, "rows"));
  ARROWCDC_ASSERT_OK(client_->Signal(SIGSTOP));
  ASSERT_NE(Worker("big"), 0) << "the table is too small: its copy is over";
  ASSERT_NO_FATAL_FAILURE(EndSession("query LIKE 'COPY %'"));
  ARROWCDC_ASSERT_OK(client_->Signal(SIGCONT));
  ExitState ended;
  ASSERT_NO_FATAL_FAILURE(WaitForTheEnd(&ended));
  EXPECT_TRUE(ended.ok()) << client_->error();
  EXPECT_TRUE(Said("connecting again")) << client_->error();
  std::map<std::string, int> rows;
  int truncates = 0;
  std::istringstream lines(client_->output());
  for (std::string line; std::getline(lines, line);) {
    const bool is_big = line.find("\"_table\":\"big\"") != std::string::npos;
    const bool is_truncate = line.find("\"_op\":\"truncate\"") != std::string::npos;
    if (is_truncate) {
      EXPECT_TRUE(is_big) << line;
      EXPECT_GT(rows["big"], 0) << "nothing stood in front of it";
      rows["big"] = 0;
      ++truncates;
    } else {
      ++rows[is_big ? "big" : "next"];
    }
  }
  EXPECT_EQ(truncates, 1);
  EXPECT_EQ(rows["big"], 100000);
  EXPECT_EQ(rows["next"], 1);
}

// The time to try again begins anew with each table that is complete.
TEST_F(SnapshotInterrupted, ACopyThatGetsOnIsNotGivenUp) {
  ASSERT_NO_FATAL_FAILURE(StartServer());
  ARROWCDC_ASSERT_OK(sql_->Exec(kCreateBig));
  ARROWCDC_ASSERT_OK(
      sql_->Exec("CREATE TABLE next (LIKE big INCLUDING ALL); INSERT INTO next SELECT * FROM big "
                 "WHERE id <= 90000"));
  ASSERT_NO_FATAL_FAILURE(SetUpSlot());
  ASSERT_NO_FATAL_FAILURE(StartStream({"--snapshot-connections", "1", "--retry-for", "2s"}));
  ASSERT_NO_FATAL_FAILURE(HoldClientInCopyOf("big"));
  ASSERT_NO_FATAL_FAILURE(EndSession("query LIKE 'COPY %'"));
  ARROWCDC_ASSERT_OK(client_->Signal(SIGCONT));
  ARROWCDC_ASSERT_OK(client_->WaitForError("connecting again", kLimit));
  const auto failed = std::chrono::steady_clock::now();
  ASSERT_NO_FATAL_FAILURE(HoldClientInCopyOf("next"));
  ARROWCDC_ASSERT_OK(WaitFor([&] { return std::chrono::steady_clock::now() - failed > seconds(3); }, kLimit,
                             "the time to try again to pass"));
  ASSERT_NO_FATAL_FAILURE(EndSession("query LIKE 'COPY %'"));
  ARROWCDC_ASSERT_OK(client_->Signal(SIGCONT));
  ASSERT_NO_FATAL_FAILURE(FinishAndCompare({"public.big", "public.next"}));
}

// On a terminal, where it draws how far it is: a bar for the table that is being copied.
TEST_F(SnapshotInterrupted, CtrlCAndStartedAgain) {
  ASSERT_NO_FATAL_FAILURE(StartServer());
  ARROWCDC_ASSERT_OK(sql_->Exec(
      "CREATE TABLE first (id int PRIMARY KEY, note text);"
      "INSERT INTO first SELECT i, repeat('f', 200) FROM generate_series(1, 310000) AS i;"
      "CREATE TABLE big (id int PRIMARY KEY, note text);"
      "INSERT INTO big SELECT i, repeat('x', 200) FROM generate_series(1, 300000) AS i; ANALYZE big"));
  ASSERT_NO_FATAL_FAILURE(SetUpSlot());
  SubprocessOptions on_terminal = Stream({"--snapshot-connections", "1"});
  on_terminal.argv[1] = "--log=text";
  on_terminal.argv.insert(on_terminal.argv.begin(), {ARROWCDC_PYTHON, ARROWCDC_RUN_IN_TERMINAL, "120"});
  on_terminal.env = {{"TERM", "xterm"}};
  ARROWCDC_ASSERT_OK_AND_ASSIGN(client_, Subprocess::Start(on_terminal));
  // Some batches have come, and no more do.
  pid_t worker = 0;
  ARROWCDC_ASSERT_OK(WaitFor(
      [&] {
        const auto pid = sql_->Scalar(
            "SELECT coalesce(max(pid), 0) FROM pg_stat_progress_copy WHERE relid = 'big'::regclass AND "
            "tuples_processed > 30000");
        worker = pid.ok() ? std::stoi(*pid) : 0;
        return worker != 0 && kill(worker, SIGSTOP) == 0;
      },
      kLimit, "rows of big\n" + client_->output()));
  const auto shows = [&](const std::string& text) {
    ARROWCDC_EXPECT_OK(
        WaitFor([&] { return client_->output().find(text) != std::string::npos; }, kLimit, text));
  };
  shows("public.big: ");
  shows("copying: 1 of 2 tables, ");
  shows("of log wait");
  EXPECT_FALSE(CopyIsComplete());
  ARROWCDC_ASSERT_OK(client_->Signal(SIGINT));
  ExitState ended;
  ASSERT_NO_FATAL_FAILURE(WaitForTheEnd(&ended));
  ASSERT_EQ(kill(worker, SIGCONT), 0);
  EXPECT_EQ(ended.code, 130) << client_->output();
  EXPECT_FALSE(CopyIsComplete());
  ARROWCDC_ASSERT_OK(sql_->Exec(
      "DELETE FROM first WHERE id % 1000 = 0; DELETE FROM big WHERE id % 1000 = 0; INSERT INTO big VALUES "
      "(-1, 'new')"));
  ASSERT_NO_FATAL_FAILURE(StartStream());
  ASSERT_NO_FATAL_FAILURE(FinishAndCompare({"public.first", "public.big"}));
  EXPECT_TRUE(Said("copying the rows that 1 table(s) have")) << client_->error();
}

// It waits for the part that is being read, and not for the whole copy: the next part must not wait for it in
// turn.
TEST_F(SnapshotInterrupted, AChangeOfTheTableThatIsQueuedBehindThePart) {
  ASSERT_NO_FATAL_FAILURE(StartServer({{"max_wal_size", "4GB"}}));
  // Half-empty pages: two parts of 128 MiB.
  ARROWCDC_ASSERT_OK(
      sql_->Exec("CREATE TABLE wide (id int PRIMARY KEY, note text) WITH (fillfactor = 10);"
                 "INSERT INTO wide SELECT i, repeat('x', 400) FROM generate_series(1, 35000) AS i"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const std::string bytes, sql_->Scalar("SELECT pg_table_size('wide')"));
  ASSERT_GT(std::stoll(bytes), 256 << 20) << "it is one part";
  ASSERT_NO_FATAL_FAILURE(SetUpSlot());
  ASSERT_NO_FATAL_FAILURE(StartStream({"--snapshot-connections", "1"}));
  ASSERT_NO_FATAL_FAILURE(HoldClientInCopyOf("wide"));
  arrow::Status altered;
  std::thread altering([&] {
    const auto sql = server_->Connect();
    altered = sql.ok() ? (*sql)->Exec("ALTER TABLE wide ALTER COLUMN id TYPE bigint") : sql.status();
  });
  const arrow::Status queued = WaitFor(
      [&] {
        return sql_->Scalar("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'wide'::regclass")
                   .ValueOr("") == "1";
      },
      kLimit, "the change to wait for the part");
  const arrow::Status continued = client_->Signal(SIGCONT);
  altering.join();
  ARROWCDC_ASSERT_OK(queued);
  ARROWCDC_ASSERT_OK(continued);
  ARROWCDC_ASSERT_OK(altered);
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO wide VALUES (5000000000, 'beyond an int')"));
  ASSERT_NO_FATAL_FAILURE(FinishAndCompare({"public.wide"}));
  EXPECT_EQ(server_->Log().find("deadlock detected"), std::string::npos);
}

// Between the point and the part. In the older snapshot each of them would read as empty.
TEST_F(SnapshotInterrupted, TablesThatAreRewrittenBeforeTheyAreRead) {
  ASSERT_NO_FATAL_FAILURE(StartServer());
  ARROWCDC_ASSERT_OK(sql_->Exec(kCreateBig));
  const std::vector<std::string> tables = {"vacuumed", "truncated", "retyped", "moved"};
  std::vector<std::string> names = {"public.big"};
  for (const std::string& table : tables) {
    names.push_back("public." + table);
    ARROWCDC_ASSERT_OK(sql_->Exec("CREATE TABLE " + table + " (id int PRIMARY KEY, note text); INSERT INTO " +
                                  table + " SELECT i, 'n' FROM generate_series(1, 1000) AS i"));
  }
  ASSERT_NO_FATAL_FAILURE(SetUpSlot());
  ASSERT_NO_FATAL_FAILURE(StartStream({"--snapshot-connections", "1"}));
  ASSERT_NO_FATAL_FAILURE(HoldClientInCopyOf("big"));
  for (const char* change :
       {"VACUUM FULL vacuumed", "TRUNCATE truncated", "INSERT INTO truncated VALUES (7, 'new')",
        "ALTER TABLE retyped ALTER COLUMN id TYPE bigint", "INSERT INTO retyped VALUES (5000000000, 'new')",
        "CLUSTER moved USING moved_pkey"}) {
    ARROWCDC_ASSERT_OK(sql_->Exec(change));
  }
  ARROWCDC_ASSERT_OK(client_->Signal(SIGCONT));
  ASSERT_NO_FATAL_FAILURE(FinishAndCompare(names));
  EXPECT_TRUE(Said("was rewritten while its rows were copied")) << client_->error();
}

// WAL is written while the copy is held up: a warning when the next checkpoint may remove what the slot
// needs, an error as soon as it has, whatever the copy waits for, and a way out.
TEST_F(SnapshotInterrupted, ASlotThatIsLostEndsTheCopy) {
  ASSERT_NO_FATAL_FAILURE(StartServer({{"max_slot_wal_keep_size", "32MB"},
                                       {"min_wal_size", "32MB"},
                                       {"max_wal_size", "1GB"},
                                       {"checkpoint_timeout", "1h"}}));
  ARROWCDC_ASSERT_OK(sql_->Exec(kCreateBig));
  ARROWCDC_ASSERT_OK(sql_->Exec("CREATE TABLE small (id int PRIMARY KEY); INSERT INTO small VALUES (1)"));
  ARROWCDC_ASSERT_OK(sql_->Exec("CHECKPOINT"));
  ASSERT_NO_FATAL_FAILURE(SetUpSlot());
  ASSERT_NO_FATAL_FAILURE(StartStream({"--snapshot-connections", "1", "--progress", "1s"}));
  pid_t worker = 0;
  ASSERT_NO_FATAL_FAILURE(HoldServerInCopyOf("big", &worker));
  for (int i = 0; i < 3; ++i)
    ARROWCDC_ASSERT_OK(sql_->Query("SELECT pg_logical_emit_message(true, 'x', 'y'), pg_switch_wal()"));
  ARROWCDC_ASSERT_OK(client_->WaitForError("with its next checkpoint", kLimit));
  EXPECT_TRUE(Said("ALTER SYSTEM SET max_slot_wal_keep_size")) << client_->error();
  EXPECT_TRUE(Said("\"slot_wal_bytes\"")) << client_->error();
  ARROWCDC_ASSERT_OK(sql_->Exec("CHECKPOINT"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const std::string status,
                                sql_->Scalar("SELECT wal_status FROM pg_replication_slots"));
  ASSERT_EQ(status, "lost");
  ExitState ended;
  ASSERT_NO_FATAL_FAILURE(WaitForTheEnd(&ended));
  EXPECT_EQ(ended.code, 5) << client_->error();
  EXPECT_TRUE(Said("\"kind\":\"slot_invalidated\"")) << client_->error();
  EXPECT_TRUE(Said("--snapshot when-needed")) << client_->error();
  EXPECT_FALSE(CopyIsComplete());
  ASSERT_EQ(kill(worker, SIGCONT), 0);
  // As it says.
  ARROWCDC_ASSERT_OK(RunCommand(*server_, "teardown", {"--yes"}));
  ASSERT_NO_FATAL_FAILURE(SetUpSlot());
  ARROWCDC_ASSERT_OK(sql_->Exec("DELETE FROM big WHERE id = 1"));
  ASSERT_NO_FATAL_FAILURE(StreamUntilNow({"--snapshot", "when-needed"}));
  ARROWCDC_ASSERT_OK(CompareReplay(*server_, files_.path(), {"public.big", "public.small"}));
}

void SnapshotInterrupted::OverlapSavepoints(const PrivateServer& server, const std::atomic<bool>& stop,
                                            arrow::Status* status) {
  const auto run = [&]() -> arrow::Status {
    std::string savepoints;
    for (int i = 0; i < 300; ++i)
      savepoints += "SAVEPOINT s" + std::to_string(i) + "; INSERT INTO other DEFAULT VALUES;";
    ARROW_ASSIGN_OR_RAISE(auto now, server.Connect());
    ARROW_ASSIGN_OR_RAISE(auto next, server.Connect());
    ARROW_RETURN_NOT_OK(now->Exec("BEGIN; " + savepoints));
    while (!stop) {
      ARROW_RETURN_NOT_OK(next->Exec("BEGIN; " + savepoints));
      // Behind those of the next one: so those are among what the snapshot has to list.
      ARROW_RETURN_NOT_OK(now->Exec("SAVEPOINT last; INSERT INTO other DEFAULT VALUES; COMMIT"));
      std::swap(now, next);
    }
    return now->Exec("COMMIT");
  };
  *status = run();
}

// A snapshot that is exported lists what is in progress, and has room for so much.
TEST_F(SnapshotInterrupted, TooManySavepointsAreTriedAgain) {
  ASSERT_NO_FATAL_FAILURE(StartServer());
  ARROWCDC_ASSERT_OK(sql_->Exec("CREATE TABLE other (id serial PRIMARY KEY)"));
  ASSERT_NO_FATAL_FAILURE(SetUpSlot());
  std::atomic<bool> stop{false};
  arrow::Status overlapped;
  std::thread writer([&] { OverlapSavepoints(*server_, stop, &overlapped); });
  ARROWCDC_ASSERT_OK_AND_ASSIGN(client_, Subprocess::Start(Stream({"--retry-for", "2min"})));
  const arrow::Status said =
      client_->WaitForError("so many transactions and savepoints are in progress", kLimit);
  stop = true;
  writer.join();
  ARROWCDC_ASSERT_OK(overlapped);
  ARROWCDC_ASSERT_OK(said);
  ASSERT_NO_FATAL_FAILURE(FinishAndCompare({"public.other"}));
}

// After the first five seconds; and those that it was to try for have passed then.
TEST_F(SnapshotInterrupted, OldTransactionsAreNamed) {
  ASSERT_NO_FATAL_FAILURE(StartServer({{"max_prepared_transactions", "2"}}));
  ARROWCDC_ASSERT_OK(sql_->Exec("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)"));
  ASSERT_NO_FATAL_FAILURE(SetUpSlot());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto open, server_->Connect());
  ARROWCDC_ASSERT_OK(open->Exec("BEGIN; INSERT INTO t VALUES (2)"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto forgotten, server_->Connect());
  ARROWCDC_ASSERT_OK(forgotten->Exec("BEGIN; INSERT INTO t VALUES (3); PREPARE TRANSACTION 'forgotten one'"));
  ASSERT_NO_FATAL_FAILURE(StartStream({"--retry-for", "1s"}));
  ExitState ended;
  ASSERT_NO_FATAL_FAILURE(WaitForTheEnd(&ended));
  EXPECT_EQ(ended.code, 75) << client_->error();
  EXPECT_TRUE(Said("\"kind\":\"busy\"")) << client_->error();
  EXPECT_TRUE(Said("pid " + std::to_string(open->backend_pid()))) << client_->error();
  EXPECT_TRUE(Said("prepared transaction 'forgotten one'")) << client_->error();
  EXPECT_TRUE(Said("within 5000 ms")) << client_->error();
  EXPECT_TRUE(Said("within 10000 ms")) << client_->error();
  ARROWCDC_ASSERT_OK(open->Exec("COMMIT"));
  ARROWCDC_ASSERT_OK(forgotten->Exec("COMMIT PREPARED 'forgotten one'"));
  ASSERT_NO_FATAL_FAILURE(StreamUntilNow());
  ARROWCDC_ASSERT_OK(CompareReplay(*server_, files_.path(), {"public.t"}));
}

}  // namespace
}  // namespace arrowcdc::test
