// Streaming from a standby across its promotion (16 and newer), and failover slots (17 and newer).
#include <atomic>
#include <regex>
#include <thread>

#include <gtest/gtest.h>

#include "arrowcdc/position.h"
#include "tests/end_to_end/client.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/wait.h"
#include "tests/testing/walsender_client.h"

namespace arrowcdc::test {
namespace {

using std::chrono::seconds;

// What the plugin said at the last orderly end of a session.
struct Counters {
  double transactions = 0, frames = 0, drained = 0;
};

Counters LastCounters(const PrivateServer& server) {
  static const std::regex kLine(
      "wal2arrow: slot \"arrowcdc\": (\\d+) transactions in (\\d+) frames; \\d+ WAL records, (\\d+) of");
  const std::string log = server.Log();
  Counters last;
  for (std::sregex_iterator match(log.begin(), log.end(), kLine), none; match != none; ++match)
    last = {std::stod((*match)[1]), std::stod((*match)[2]), std::stod((*match)[3])};
  return last;
}

class StandbyTest : public ::testing::Test {
 protected:
  // The primary, with a table, a publication and the standby's slot.
  void CreatePrimary(int major_min, const std::string& what) {
    // Asked of the program, so that a server that is too old is not even started.
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto program, ServerProgram("postgres"));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const std::string version,
                                  RunProgram({.argv = {program.string(), "--version"}}));
    const size_t digits = version.find_first_of("0123456789");
    ASSERT_NE(digits, std::string::npos) << version;
    if (std::stoi(version.substr(digits)) < major_min)
      GTEST_SKIP() << what << " needs a newer server than " << version;
    ARROWCDC_ASSERT_OK_AND_ASSIGN(primary_, PrivateServer::Create());
    ARROWCDC_ASSERT_OK_AND_ASSIGN(sql_, primary_->Connect());
    ARROWCDC_ASSERT_OK(sql_->Exec(
        "CREATE TABLE t (id serial PRIMARY KEY, v text); CREATE PUBLICATION arrowcdc FOR TABLE t"));
    ARROWCDC_ASSERT_OK(sql_->Query("SELECT pg_create_physical_replication_slot('standby', true)"));
  }

  void CreateStandby() {
    sql_.reset();
    ARROWCDC_ASSERT_OK(primary_->Stop(StopMode::kFast));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(standby_, PrivateServer::Create({.standby_of = primary_.get()}));
    ARROWCDC_ASSERT_OK(primary_->Start());
    ARROWCDC_ASSERT_OK_AND_ASSIGN(sql_, primary_->Connect());
    ARROWCDC_ASSERT_OK_AND_ASSIGN(standby_sql_, standby_->Connect());
  }

  // A slot of the standby's own waits for a record that an idle primary writes when it is asked to.
  void CreateSlotOnStandby() {
    std::atomic<bool> done{false};
    arrow::Status created;
    std::thread creator([&] {
      created =
          standby_sql_->Query("SELECT pg_create_logical_replication_slot('arrowcdc', 'wal2arrow')").status();
      done = true;
    });
    const auto waited = WaitFor(
        [&] {
          (void)sql_->Query("SELECT pg_log_standby_snapshot()");
          return done.load();
        },
        seconds(60), "the standby's slot");
    creator.join();
    ARROWCDC_ASSERT_OK(waited);
    ARROWCDC_ASSERT_OK(created);
  }

  static void AddTransactions(SqlConnection& sql, int count) {
    ARROWCDC_ASSERT_OK(
        sql.Exec("DO $$ BEGIN FOR i IN 1.." + std::to_string(count) +
                 " LOOP INSERT INTO t (v) VALUES (repeat('v', 50)); COMMIT; END LOOP; END $$"));
  }

  std::vector<std::string> Stream(const std::string& more, const std::string& value) {
    return {"--tables",   "public.t", "--sink", "parquet:" + files_.path().string(),
            "--snapshot", "never",    more,     value};
  }

  void PromoteInMidStream(bool switched_on);

  TemporaryDirectory files_;
  std::unique_ptr<PrivateServer> primary_;
  std::unique_ptr<SqlConnection> sql_;
  std::unique_ptr<PrivateServer> standby_;
  std::unique_ptr<SqlConnection> standby_sql_;
};

void StandbyTest::PromoteInMidStream(bool switched_on) {
  ASSERT_NO_FATAL_FAILURE(CreatePrimary(16, "decoding on a standby"));
  if (IsSkipped()) return;
  if (!switched_on) {
    ARROWCDC_ASSERT_OK(
        sql_->Exec("ALTER ROLE postgres SET wal2arrow.batching = off; "
                   "ALTER ROLE postgres SET wal2arrow.drain = off"));
  }
  ASSERT_NO_FATAL_FAILURE(CreateStandby());
  ASSERT_NO_FATAL_FAILURE(CreateSlotOnStandby());
  ASSERT_NO_FATAL_FAILURE(AddTransactions(*sql_, 20'000));

  // The primary goes on writing; the client reads the backlog and then live.
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    const auto sql = primary_->Connect();
    while (sql.ok() && !stop) {
      (void)(*sql)->Exec("INSERT INTO t (v) VALUES ('live')");
    }
  });
  const auto promote = [&]() -> arrow::Status {
    ARROW_ASSIGN_OR_RAISE(const auto client,
                          Subprocess::Start(Command(*standby_, "stream", Stream("--roll-age", "100ms"))));
    ARROW_ASSIGN_OR_RAISE(const uint64_t begin, ConfirmedFlush(*standby_sql_));
    ARROW_RETURN_NOT_OK(WaitFor([&] { return ConfirmedFlush(*standby_sql_).ValueOr(0) > begin; }, seconds(60),
                                "the stream to get on\n" + client->error()));
    ARROW_RETURN_NOT_OK(standby_sql_->Query("SELECT pg_promote()").status());
    for (int i = 0; i < 100; ++i)
      ARROW_RETURN_NOT_OK(standby_sql_->Exec("INSERT INTO t (v) VALUES ('after the promotion')"));
    ARROW_ASSIGN_OR_RAISE(const std::string text, standby_sql_->Scalar("SELECT pg_current_wal_flush_lsn()"));
    ARROW_ASSIGN_OR_RAISE(const uint64_t end, ParseLsn(text));
    ARROW_RETURN_NOT_OK(
        WaitFor([&] { return ConfirmedFlush(*standby_sql_).ValueOr(0) >= end || !client->Running(); },
                seconds(60), "what came after the promotion\n" + client->error()));
    ARROW_RETURN_NOT_OK(client->Signal(SIGTERM));
    ARROW_ASSIGN_OR_RAISE(const ExitState ended, client->Wait(seconds(60)));
    if (!ended.ok()) return arrow::Status::Invalid(client->error());
    return arrow::Status::OK();
  };
  const auto promoted = promote();
  stop = true;
  writer.join();
  ARROWCDC_ASSERT_OK(promoted);

  // What is stored must be a place from which to go on.
  ASSERT_NO_FATAL_FAILURE(AddTransactions(*standby_sql_, 1'000));
  ARROWCDC_ASSERT_OK(RunCommand(*standby_, "stream", Stream("--until", "now")));
  ARROWCDC_ASSERT_OK(CompareReplay(*standby_, files_.path(), {"public.t"}));
  EXPECT_NE(standby_->Log().find("wal2arrow: this server was promoted"), std::string::npos);
  EXPECT_EQ(LastCounters(*standby_).drained > 0, switched_on);
  EXPECT_EQ(standby_->CountServerRestarts(), 0);
}

TEST_F(StandbyTest, APromotionInMidStreamLosesNothing) { PromoteInMidStream(true); }

TEST_F(StandbyTest, NorDoesItWithEverythingSwitchedOff) { PromoteInMidStream(false); }

// A promotion while rows are copied: those of before the stream, those of a table that was added, or while
// that one's copy waits for its point; or with the client killed. Others write on, and tables are added after
// it, too.
class PromotionInACopy : public StandbyTest, public ::testing::WithParamInterface<const char*> {
 protected:
  static constexpr seconds kLimit{120};

  SubprocessOptions Client(std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {
        "--tables",   "public.*", "--accept-tables", "--sink", "parquet:" + files_.path().string(),
        "--snapshot", "initial",  "--latency",       "200ms",  "--roll-age",
        "100ms"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Command(*standby_, "stream", std::move(arguments));
  }

  // The publication as setup makes it; the slot is the standby's.
  void CreateServers() {
    ASSERT_NO_FATAL_FAILURE(CreatePrimary(16, "decoding on a standby"));
    if (IsSkipped()) return;
    for (const std::string table : {"big", "late", "after"}) {
      ARROWCDC_ASSERT_OK(sql_->Exec("CREATE TABLE " + table +
                                    " (id int PRIMARY KEY, note text); INSERT INTO " + table +
                                    " SELECT i, repeat('x', 200) FROM generate_series(1, 100000) i"));
    }
    ARROWCDC_ASSERT_OK(sql_->Exec("DROP PUBLICATION arrowcdc"));
    ARROWCDC_ASSERT_OK(RunCommand(*primary_, "setup", {"--tables", "public.t", "public.big"}));
    ARROWCDC_ASSERT_OK(sql_->Query("SELECT pg_drop_replication_slot('arrowcdc')"));
    ASSERT_NO_FATAL_FAILURE(CreateStandby());
    ARROWCDC_ASSERT_OK(standby_->Set("hot_standby_feedback", "on"));
    ARROWCDC_ASSERT_OK(standby_->Reload());
    ASSERT_NO_FATAL_FAILURE(CreateSlotOnStandby());
  }

  void Write(const std::atomic<bool>& stop) {
    const auto sql = primary_->Connect();
    for (int i = 1; sql.ok() && !stop; ++i) {
      const std::string id = std::to_string(i * 7919 % 100'000 + 1);
      (void)(*sql)->Exec("BEGIN; INSERT INTO t (v) VALUES ('live'); UPDATE big SET note = 'new' WHERE id = " +
                         id + "; DELETE FROM late WHERE id = " + id + "; COMMIT");
      if (i % 50 == 0) (void)(*sql)->Query("SELECT pg_log_standby_snapshot()");
    }
  }

  void WaitForCount(const std::string& what) {
    ARROWCDC_ASSERT_OK(
        WaitFor([&] { return standby_sql_->Scalar("SELECT count(*) > 0 FROM " + what).ValueOr("f") == "t"; },
                kLimit, what + "\n" + client_->error()));
  }

  // The client stands still while rows of the table are on their way.
  void HoldInCopyOf(const std::string& table) {
    ASSERT_NO_FATAL_FAILURE(WaitForCount("pg_stat_activity WHERE state = 'active' AND query LIKE 'COPY %" +
                                         table + "%' AND application_name = 'arrowcdc'"));
    ARROWCDC_ASSERT_OK(client_->Signal(SIGSTOP));
  }

  void PromoteInIt(const std::string& when, SqlConnection* other) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(client_, Subprocess::Start(Client()));
    if (when == "initial" || when == "killed") {
      ASSERT_NO_FATAL_FAILURE(HoldInCopyOf("big"));
    } else {
      ARROWCDC_ASSERT_OK(client_->WaitForError("streaming changes", kLimit));
      if (when == "waits") ARROWCDC_ASSERT_OK(other->Exec("BEGIN; INSERT INTO t (v) VALUES ('open')"));
      ARROWCDC_ASSERT_OK(sql_->Exec("ALTER PUBLICATION arrowcdc ADD TABLE late"));
      if (when == "added") {
        ASSERT_NO_FATAL_FAILURE(HoldInCopyOf("late"));
      } else {
        ASSERT_NO_FATAL_FAILURE(WaitForCount("pg_replication_slots WHERE temporary"));
      }
    }
    ARROWCDC_ASSERT_OK(standby_sql_->Query("SELECT pg_promote()"));
    ARROWCDC_ASSERT_OK(
        standby_sql_->Exec("INSERT INTO t (v) VALUES ('after it'); DELETE FROM big WHERE id % 1000 = 1;"
                           "UPDATE late SET note = 'promoted' WHERE id % 1000 = 2"));
    if (when == "killed") {
      client_->Kill();
      ARROWCDC_ASSERT_OK_AND_ASSIGN(client_, Subprocess::Start(Client()));
    }
    ARROWCDC_ASSERT_OK(client_->Signal(SIGCONT));
  }

  std::unique_ptr<Subprocess> client_;
};

TEST_P(PromotionInACopy, LosesNothing) {
  ASSERT_NO_FATAL_FAILURE(CreateServers());
  if (IsSkipped()) return;
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto other, primary_->Connect());
  std::atomic<bool> stop{false};
  std::thread writer([&] { Write(stop); });
  PromoteInIt(GetParam(), other.get());
  stop = true;
  writer.join();
  if (HasFatalFailure()) return;
  // late may be published already; both are from now on.
  ARROWCDC_ASSERT_OK(RunCommand(*standby_, "add-tables", {"public.late", "public.after"}));
  ARROWCDC_ASSERT_OK(
      standby_sql_->Exec("DELETE FROM after WHERE id % 1000 = 3; DELETE FROM late WHERE id % 1000 = 3"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const std::string text,
                                standby_sql_->Scalar("SELECT pg_current_wal_flush_lsn()"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const uint64_t end, ParseLsn(text));
  ARROWCDC_ASSERT_OK(
      WaitFor([&] { return ConfirmedFlush(*standby_sql_).ValueOr(0) >= end || !client_->Running(); }, kLimit,
              "what came after the promotion\n" + client_->error()));
  ASSERT_TRUE(client_->Running()) << client_->error();
  client_->Kill();
  ARROWCDC_ASSERT_OK(RunProgram(Client({"--until", "now"}), kLimit).status());
  const std::vector<std::string> tables = {"public.t", "public.big", "public.late", "public.after"};
  ARROWCDC_ASSERT_OK(CompareReplay(*standby_, files_.path(), tables));
  ARROWCDC_ASSERT_OK(CompareState(*standby_, files_.path(), tables));
  EXPECT_EQ(standby_->CountServerRestarts(), 0);
}

INSTANTIATE_TEST_SUITE_P(When, PromotionInACopy, testing::Values("initial", "killed", "added", "waits"),
                         [](const auto& info) { return std::string(info.param); });

// The standby copies as a primary does: what it makes for that, a temporary slot, waits for a record that the
// primary writes. Rows are written to the primary meanwhile.
TEST_F(StandbyTest, RowsThatWereThereBeforeAreCopiedFromIt) {
  ASSERT_NO_FATAL_FAILURE(CreatePrimary(16, "decoding on a standby"));
  if (IsSkipped()) return;
  ASSERT_NO_FATAL_FAILURE(AddTransactions(*sql_, 1'000));
  ASSERT_NO_FATAL_FAILURE(CreateStandby());
  ASSERT_NO_FATAL_FAILURE(CreateSlotOnStandby());
  ARROWCDC_ASSERT_OK(sql_->Exec("UPDATE t SET v = 'between slot and copy' WHERE id < 10"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(
      const auto client,
      Subprocess::Start(Command(
          *standby_, "stream",
          {"--tables", "public.t", "--sink", "parquet:" + files_.path().string(), "--roll-age", "100ms"})));
  const auto streams = [&] {
    (void)sql_->Exec("INSERT INTO t (v) VALUES ('meanwhile')");
    (void)sql_->Query("SELECT pg_log_standby_snapshot()");
    return client->error().find("streaming changes") != std::string::npos || !client->Running();
  };
  ARROWCDC_ASSERT_OK(WaitFor(streams, seconds(60), "the copy\n" + client->error()));
  ASSERT_TRUE(client->Running()) << client->error();
  EXPECT_NE(client->error().find("all rows that were there before are copied"), std::string::npos)
      << client->error();
  ARROWCDC_ASSERT_OK(sql_->Exec("DELETE FROM t WHERE id = 5; INSERT INTO t (v) VALUES ('behind it')"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const std::string text, sql_->Scalar("SELECT pg_current_wal_flush_lsn()"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const uint64_t end, ParseLsn(text));
  ARROWCDC_ASSERT_OK(WaitFor(
      [&] {
        (void)sql_->Query("SELECT pg_log_standby_snapshot()");
        return ConfirmedFlush(*standby_sql_).ValueOr(0) >= end || !client->Running();
      },
      seconds(60), "what came behind the copy\n" + client->error()));
  ARROWCDC_ASSERT_OK(client->Signal(SIGTERM));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const ExitState ended, client->Wait(seconds(60)));
  EXPECT_TRUE(ended.ok()) << client->error();
  ARROWCDC_ASSERT_OK(CompareReplay(*standby_, files_.path(), {"public.t"}));
}

// The point of the copied rows, and some of these rows, were never on the standby that took over, and what it
// writes begins before that point in its log. The rows are copied anew once it has come to it; where changes
// were stored, too, the files do not go on with that server.
TEST_F(StandbyTest, AFailoverToOneThatLacksThePointOfTheCopy) {
  ASSERT_NO_FATAL_FAILURE(CreatePrimary(15, "a server"));
  ASSERT_NO_FATAL_FAILURE(AddTransactions(*sql_, 100));
  ASSERT_NO_FATAL_FAILURE(CreateStandby());
  ARROWCDC_ASSERT_OK(RunCommand(*primary_, "setup", {"--tables", "public.t"}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const std::string flushed, sql_->Scalar("SELECT pg_current_wal_flush_lsn()"));
  const std::string replayed = "SELECT pg_last_wal_replay_lsn() >= '" + flushed + "'";
  ARROWCDC_ASSERT_OK(
      WaitFor([&] { return standby_sql_->Scalar(replayed).ValueOr("") == "t"; }, seconds(60), "the standby"));
  standby_sql_.reset();
  ARROWCDC_ASSERT_OK(standby_->Stop(StopMode::kFast));
  const std::filesystem::path copied = files_.path() / "copied";
  const std::filesystem::path streamed = files_.path() / "streamed";
  const auto run = [](const PrivateServer& server, const std::filesystem::path& files,
                      std::vector<std::string> more) {
    more.insert(more.begin(), {"--tables", "public.t", "--sink", "parquet:" + files.string()});
    return RunCommand(server, "stream", std::move(more));
  };
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO t (v) VALUES ('only here'); DELETE FROM t WHERE id = 1"));
  for (int i = 0; i < 3; ++i)
    ARROWCDC_ASSERT_OK(sql_->Query("SELECT pg_logical_emit_message(true, 'x', 'y'), pg_switch_wal()"));
  ARROWCDC_ASSERT_OK(run(*primary_, copied, {"--snapshot", "only"}));
  ARROWCDC_ASSERT_OK(run(*primary_, streamed, {"--until", "now"}));
  sql_.reset();
  ARROWCDC_ASSERT_OK(primary_->Stop(StopMode::kFast));

  ARROWCDC_ASSERT_OK(standby_->Start());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(standby_sql_, standby_->Connect());
  ARROWCDC_ASSERT_OK(standby_sql_->Query("SELECT pg_promote()"));
  ARROWCDC_ASSERT_OK(standby_sql_->Exec("DELETE FROM t WHERE id = 5; INSERT INTO t (v) VALUES ('new')"));
  ARROWCDC_ASSERT_OK(RunCommand(*standby_, "setup", {"--tables", "public.t"}));
  const arrow::Status refused = run(*standby_, streamed, {"--until", "now", "--snapshot", "when-needed"});
  EXPECT_NE(refused.message().find("has diverged"), std::string::npos) << refused;
  const std::vector<std::string> anew = {"--until", "now", "--snapshot", "when-needed", "--retry-for", "0s"};
  const arrow::Status early = run(*standby_, copied, anew);
  EXPECT_NE(early.message().find("would be taken for later than new ones"), std::string::npos) << early;
  EXPECT_NE(early.message().find("code 75"), std::string::npos) << early;
  for (int i = 0; i < 6; ++i)
    ARROWCDC_ASSERT_OK(
        standby_sql_->Query("SELECT pg_logical_emit_message(true, 'x', 'y'), pg_switch_wal()"));
  ARROWCDC_ASSERT_OK(run(*standby_, copied, anew));
  ARROWCDC_ASSERT_OK(standby_sql_->Exec("DELETE FROM t WHERE id = 6; UPDATE t SET v = 'u' WHERE id = 7"));
  ARROWCDC_ASSERT_OK(run(*standby_, copied, {"--until", "now"}));
  ARROWCDC_ASSERT_OK(CompareState(*standby_, copied, {"public.t"}));
}

// While the walsender waits for standbys, every commit goes by itself and nothing is drained.
TEST_F(StandbyTest, AFailoverSlotThatWaitsSendsEveryCommit) {
  ASSERT_NO_FATAL_FAILURE(CreatePrimary(17, "a failover slot"));
  if (IsSkipped()) return;
  ASSERT_NO_FATAL_FAILURE(CreateStandby());
  ARROWCDC_ASSERT_OK(
      sql_->Query("SELECT pg_create_logical_replication_slot('arrowcdc', 'wal2arrow', false, false, true)"));
  constexpr int kTransactions = 2'000;
  ASSERT_NO_FATAL_FAILURE(AddTransactions(*sql_, kTransactions));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const std::string text, sql_->Scalar("SELECT pg_current_wal_flush_lsn()"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const uint64_t end, ParseLsn(text));
  for (const bool waits : {true, false}) {
    ARROWCDC_ASSERT_OK(primary_->Set("synchronized_standby_slots", waits ? "standby" : ""));
    ARROWCDC_ASSERT_OK(primary_->Restart());
    ARROWCDC_ASSERT_OK_AND_ASSIGN(
        const auto client,
        WalsenderClient::Start(primary_->conninfo(), "arrowcdc",
                               {{"publication_names", "arrowcdc"}, {"batching", "on"}, {"drain", "on"}}));
    for (bool at_end = false; !at_end;) {
      ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto message, client->Next(seconds(60)));
      ASSERT_TRUE(message.has_value()) << "the stream stands still";
      at_end = message->keepalive && message->wal_end >= end;
    }
    ARROWCDC_ASSERT_OK(client->End());
    const Counters counters = LastCounters(*primary_);
    EXPECT_EQ(counters.transactions, kTransactions);
    if (waits) {
      EXPECT_GE(counters.frames, counters.transactions);
      EXPECT_EQ(counters.drained, 0);
    } else {
      EXPECT_LT(counters.frames, counters.transactions);
      EXPECT_GT(counters.drained, 0);
    }
  }
}

}  // namespace
}  // namespace arrowcdc::test
