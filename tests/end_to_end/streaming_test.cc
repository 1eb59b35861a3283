// Transactions that are sent while they are in progress: nothing of them is delivered before they commit,
// nothing waits for them, and all of them is there once, whatever ends on the way.
#include <algorithm>
#include <csignal>
#include <filesystem>
#include <random>

#include <gtest/gtest.h>

#include "arrowcdc/position.h"
#include "tests/end_to_end/client.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/seed.h"
#include "tests/testing/wait.h"

namespace arrowcdc::test {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::seconds;

constexpr seconds kLimit(120);

class StreamingTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    PrivateServerOptions options;
    options.settings = {{"logical_decoding_work_mem", "64kB"}, {"wal_sender_timeout", "20s"}};
    ARROWCDC_ASSERT_OK_AND_ASSIGN(server_, PrivateServer::Create(options));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(sql_, server_->Connect());
    ARROWCDC_ASSERT_OK_AND_ASSIGN(open_, server_->Connect());
    ARROWCDC_ASSERT_OK(sql_->Exec(
        "CREATE TABLE big (id bigint PRIMARY KEY, name text, tags text[]);"
        "CREATE TABLE small (id bigint PRIMARY KEY); CREATE TABLE hidden (id bigint PRIMARY KEY)"));
    ARROWCDC_ASSERT_OK(
        RunCommand(*server_, "setup", {"--tables", "public.*", "--yes", "--plugin", GetParam()}));
  }

  SubprocessOptions Stream(std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {
        "--plugin",        GetParam(),   "--sink", "parquet:" + files_.path().string(), "--roll-age", "200ms",
        "--accept-tables", "--snapshot", "never"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Command(*server_, "stream", std::move(arguments));
  }
  void StartClient(std::vector<std::string> more = {}) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(client_, Subprocess::Start(Stream(std::move(more))));
  }

  static std::string Rows(int first, int last) {
    return "INSERT INTO big SELECT g, 'row number ' || g, ARRAY['a', g::text] FROM generate_series(" +
           std::to_string(first) + ", " + std::to_string(last) + ") g";
  }

  int64_t Ask(const std::string& query) {
    const auto answer = sql_->Scalar(query);
    return answer.ok() ? std::stoll(*answer) : -1;
  }
  int64_t BlocksSent() {
    return Ask(
        "SELECT coalesce(sum(stream_count), 0) FROM pg_stat_replication_slots WHERE slot_name = 'arrowcdc'");
  }
  // pgoutput, after a rollback to a savepoint.
  bool WantsWholeTransactions() const {
    return client_->error().find("the server keeps transactions until they commit") != std::string::npos;
  }
  // The statistics come when a block has been sent. None does where whole transactions were asked for.
  void AwaitBlocks(int64_t more_than = 0) {
    const auto waited =
        WaitFor([&] { return BlocksSent() > more_than || WantsWholeTransactions() || !client_->Running(); },
                kLimit, "blocks of a transaction in progress");
    ASSERT_TRUE(waited.ok()) << waited.ToString() << client_->error();
    ASSERT_TRUE(client_->Running()) << client_->error();
  }
  void AwaitAcknowledged() {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const std::string end, sql_->Scalar("SELECT pg_current_wal_lsn()"));
    const auto waited = WaitFor(
        [&] {
          return !client_->Running() ||
                 Ask("SELECT (confirmed_flush_lsn >= '" + end + "')::int FROM pg_replication_slots") == 1;
        },
        kLimit, "the slot to move on");
    ASSERT_TRUE(waited.ok()) << waited.ToString() << client_->error();
    ASSERT_TRUE(client_->Running()) << client_->error();
  }
  size_t FilesOf(const std::string& table) {
    std::error_code error;
    size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(files_.path() / ("public." + table), error))
      count += entry.path().extension() == ".parquet" ? 1 : 0;
    return count;
  }
  void EndClient() {
    ARROWCDC_ASSERT_OK(client_->Signal(SIGTERM));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const ExitState ended, client_->Wait(kLimit));
    EXPECT_TRUE(ended.ok()) << client_->error();
  }
  void ExpectAllThere(std::vector<std::string> more = {}) {
    more.insert(more.end(), {"--until", "now"});
    ARROWCDC_ASSERT_OK(RunProgram(Stream(std::move(more)), kLimit));
    ARROWCDC_ASSERT_OK(CompareReplay(*server_, files_.path(), {"public.big", "public.small"}));
  }

  TemporaryDirectory files_;
  std::unique_ptr<PrivateServer> server_;
  std::unique_ptr<SqlConnection> sql_;
  std::unique_ptr<SqlConnection> open_;  // whose transaction is in progress
  std::unique_ptr<Subprocess> client_;
};

TEST_P(StreamingTest, OpenTransactionsHoldNothingUp) {
  ASSERT_NO_FATAL_FAILURE(StartClient());
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO small VALUES (1)"));
  ASSERT_NO_FATAL_FAILURE(AwaitAcknowledged());
  ARROWCDC_ASSERT_OK(open_->Exec("BEGIN; " + Rows(1, 20'000)));
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO small VALUES (2)"));
  ASSERT_NO_FATAL_FAILURE(AwaitBlocks());
  // What commits meanwhile is delivered and acknowledged, and the end of the WAL behind it.
  ASSERT_NO_FATAL_FAILURE(AwaitAcknowledged());
  EXPECT_EQ(FilesOf("big"), 0u);
  EXPECT_GE(FilesOf("small"), 1u);
  ASSERT_NO_FATAL_FAILURE(EndClient());
  ARROWCDC_ASSERT_OK(RunProgram(Stream({"--until", "now"}), kLimit));
  EXPECT_EQ(FilesOf("big"), 0u);
  // And a server that is shut down.
  ASSERT_NO_FATAL_FAILURE(StartClient());
  const int64_t blocks = BlocksSent();
  ARROWCDC_ASSERT_OK(open_->Exec(Rows(20'001, 40'000)));
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO small VALUES (3)"));
  ASSERT_NO_FATAL_FAILURE(AwaitBlocks(blocks));
  ARROWCDC_ASSERT_OK(open_->Exec("COMMIT"));
  ASSERT_NO_FATAL_FAILURE(AwaitAcknowledged());
  ASSERT_NO_FATAL_FAILURE(EndClient());
  ASSERT_NO_FATAL_FAILURE(ExpectAllThere());
}

TEST_P(StreamingTest, WhatIsRolledBackIsNotDelivered) {
  ASSERT_NO_FATAL_FAILURE(StartClient());
  ASSERT_NO_FATAL_FAILURE(AwaitAcknowledged());
  ARROWCDC_ASSERT_OK(open_->Exec("BEGIN; " + Rows(1, 3000) + "; SAVEPOINT a; " + Rows(3001, 6000) +
                                 "; SAVEPOINT b; UPDATE big SET id = -id "
                                 "WHERE id <= 1000; RELEASE b; ALTER TABLE big ADD extra int; UPDATE big SET "
                                 "extra = 1 WHERE id > 2000"));
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO small VALUES (1)"));
  ASSERT_NO_FATAL_FAILURE(AwaitBlocks());
  ARROWCDC_ASSERT_OK(open_->Exec("ROLLBACK TO a; " + Rows(7001, 9000) +
                                 "; DELETE FROM big WHERE id % 3 = 0; "
                                 "SAVEPOINT c; TRUNCATE big; ROLLBACK TO c; COMMIT"));
  ARROWCDC_ASSERT_OK(open_->Exec("BEGIN; TRUNCATE big; " + Rows(1, 9000)));
  ARROWCDC_ASSERT_OK(open_->Exec("ROLLBACK"));
  ARROWCDC_ASSERT_OK(
      sql_->Exec("DO $$ BEGIN FOR i IN 10001..12000 LOOP BEGIN INSERT INTO big VALUES (i, 'x'); "
                 "IF i % 3 = 0 THEN RAISE division_by_zero; END IF; EXCEPTION WHEN "
                 "division_by_zero THEN NULL; END; END LOOP; END $$"));
  ASSERT_NO_FATAL_FAILURE(AwaitAcknowledged());
  ASSERT_NO_FATAL_FAILURE(EndClient());
  ASSERT_NO_FATAL_FAILURE(ExpectAllThere());
}

// When its first block is decoded the part has been rolled back, and the server throws away what it had to
// tell of the other transaction in the same block.
TEST_P(StreamingTest, TheSchemaChangedWhileAPartWasRolledBack) {
  ARROWCDC_ASSERT_OK(open_->Exec("BEGIN; SAVEPOINT a; " + Rows(1, 20)));
  ARROWCDC_ASSERT_OK(sql_->Exec("ALTER TABLE small ADD extra text"));
  ARROWCDC_ASSERT_OK(open_->Exec(Rows(21, 6000) +
                                 "; ROLLBACK TO a; INSERT INTO small SELECT g, 'extra ' || g "
                                 "FROM generate_series(1, 6000) g; COMMIT"));
  ASSERT_NO_FATAL_FAILURE(StartClient());
  ASSERT_NO_FATAL_FAILURE(AwaitAcknowledged());
  EXPECT_TRUE(WantsWholeTransactions()) << client_->error();
  // Not for ever.
  const int64_t blocks = BlocksSent();
  ARROWCDC_ASSERT_OK(WaitFor(
      [&] {
        EXPECT_TRUE(open_->Exec("BEGIN; " + Rows(10'001, 16'000)).ok());
        EXPECT_TRUE(sql_->Exec("INSERT INTO small (id) SELECT max(id) + 1 FROM small").ok());
        const bool streams = BlocksSent() > blocks;
        EXPECT_TRUE(open_->Exec("ROLLBACK").ok());
        return streams || !client_->Running();
      },
      kLimit, "blocks of a transaction in progress"));
  ASSERT_NO_FATAL_FAILURE(EndClient());
  ASSERT_NO_FATAL_FAILURE(ExpectAllThere());
}

// Faults while it is in the spool, and while it is read back.
TEST_P(StreamingTest, NothingLostNothingTwice) {
  std::printf("seed %llu\n", static_cast<unsigned long long>(Seed()));
  std::mt19937_64 random(Seed());
  const std::vector<std::string> more = {"--roll-rows", "1000"};
  ASSERT_NO_FATAL_FAILURE(StartClient(more));
  int next = 1;
  int in_spool = 0;
  int in_replay = 0;
  const auto strike = [&](int* counter) {
    if (random() % 2 == 0) {
      client_->Kill();
      StartClient(more);
    } else {
      ARROWCDC_ASSERT_OK(
          sql_->Query("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active"));
    }
    ++*counter;
  };
  for (int round = 0; round < 6; ++round) {
    const int64_t blocks = BlocksSent();
    ARROWCDC_ASSERT_OK(open_->Exec("BEGIN"));
    for (int part = 0; part < 3; ++part) {
      ARROWCDC_ASSERT_OK(open_->Exec("SAVEPOINT s; " + Rows(next, next + 4999)));
      if (random() % 3 == 0) ARROWCDC_ASSERT_OK(open_->Exec("ROLLBACK TO s"));
      next += 5000;
      ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO small VALUES (" + std::to_string(next) + ")"));
      if (part != round % 3) continue;
      ASSERT_NO_FATAL_FAILURE(AwaitBlocks(blocks));
      ASSERT_NO_FATAL_FAILURE(strike(&in_spool));
    }
    const size_t files = FilesOf("big");
    ARROWCDC_ASSERT_OK(open_->Exec("INSERT INTO big VALUES (-" + std::to_string(next) + "); COMMIT"));
    const auto waited = WaitFor([&] { return FilesOf("big") > files || !client_->Running(); }, kLimit,
                                "the first file of the transaction");
    ASSERT_TRUE(waited.ok()) << waited.ToString() << client_->error();
    ASSERT_NO_FATAL_FAILURE(strike(&in_replay));
  }
  std::printf("faults with a transaction in the spool: %d, while one was read back: %d\n", in_spool,
              in_replay);
  ASSERT_NO_FATAL_FAILURE(AwaitAcknowledged());
  ASSERT_NO_FATAL_FAILURE(EndClient());
  ASSERT_NO_FATAL_FAILURE(ExpectAllThere(more));
}

TEST_P(StreamingTest, WhereTheSpoolHasNoRoomTheServerKeepsThem) {
  const std::vector<std::string> more = {"--spool-max", "1MiB", "--spool-dir", files_.path().string()};
  ASSERT_NO_FATAL_FAILURE(StartClient(more));
  ASSERT_NO_FATAL_FAILURE(AwaitAcknowledged());
  ARROWCDC_ASSERT_OK(open_->Exec("BEGIN; " + Rows(1, 60'000)));
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO small VALUES (1)"));
  ARROWCDC_ASSERT_OK(client_->WaitForError("transactions in progress take more than", kLimit));
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO small VALUES (2)"));
  ARROWCDC_ASSERT_OK(open_->Exec("COMMIT"));
  ASSERT_NO_FATAL_FAILURE(AwaitAcknowledged());
  ARROWCDC_ASSERT_OK(open_->Exec(Rows(60'001, 120'000)));
  ASSERT_NO_FATAL_FAILURE(AwaitAcknowledged());
  const std::string log = client_->error();
  const size_t said = log.find("transactions in progress take more than");
  EXPECT_EQ(log.find("transactions in progress take more than", said + 1), std::string::npos) << log;
  ASSERT_NO_FATAL_FAILURE(EndClient());
  ASSERT_NO_FATAL_FAILURE(ExpectAllThere());
}

TEST_P(StreamingTest, ADirectoryThatIsNotThereIsRefused) {
  auto child = Subprocess::Start(Stream({"--spool-dir", (files_.path() / "none").string()}));
  ARROWCDC_ASSERT_OK(child);
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const ExitState ended, (*child)->Wait(kLimit));
  EXPECT_EQ(ended.code, 2) << (*child)->error();
  EXPECT_NE((*child)->error().find("no file can be made"), std::string::npos) << (*child)->error();
}

TEST_P(StreamingTest, OffMeansOff) {
  ASSERT_NO_FATAL_FAILURE(StartClient({"--streaming", "off"}));
  ASSERT_NO_FATAL_FAILURE(AwaitAcknowledged());
  ARROWCDC_ASSERT_OK(open_->Exec(Rows(1, 20'000)));
  ASSERT_NO_FATAL_FAILURE(AwaitAcknowledged());
  EXPECT_EQ(BlocksSent(), 0);
  EXPECT_GT(Ask("SELECT spill_count FROM pg_stat_replication_slots"), 0);
  ASSERT_NO_FATAL_FAILURE(EndClient());
  ASSERT_NO_FATAL_FAILURE(ExpectAllThere());
}

// One second, and what a busy machine and the sanitizers take on top.
TEST_P(StreamingTest, ASignalEndsTheReplay) {
  ASSERT_NO_FATAL_FAILURE(StartClient({"--roll-rows", "1000"}));
  ASSERT_NO_FATAL_FAILURE(AwaitAcknowledged());
  ARROWCDC_ASSERT_OK(open_->Exec("BEGIN; " + Rows(1, 300'000)));
  ASSERT_NO_FATAL_FAILURE(AwaitBlocks());
  ARROWCDC_ASSERT_OK(open_->Exec("COMMIT"));
  ARROWCDC_ASSERT_OK(WaitFor([&] { return FilesOf("big") > 0; }, kLimit, "the first file"));
  const auto since = Clock::now();
  ASSERT_NO_FATAL_FAILURE(EndClient());
  EXPECT_LT(Clock::now() - since, std::chrono::milliseconds(2500)) << client_->error();
  ASSERT_NO_FATAL_FAILURE(ExpectAllThere());
}

// Rows that no pattern matches take no room.
TEST_P(StreamingTest, UnmatchedRowsAreNotKept) {
  const std::vector<std::string> more = {"--tables", "public.big", "public.small", "--spool-max", "1MiB"};
  ASSERT_NO_FATAL_FAILURE(StartClient(more));
  ASSERT_NO_FATAL_FAILURE(AwaitAcknowledged());
  ARROWCDC_ASSERT_OK(
      open_->Exec("BEGIN; INSERT INTO hidden SELECT generate_series(1, 100000); " + Rows(1, 2000)));
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO small VALUES (1)"));
  ASSERT_NO_FATAL_FAILURE(AwaitBlocks());
  ARROWCDC_ASSERT_OK(open_->Exec("COMMIT"));
  ASSERT_NO_FATAL_FAILURE(AwaitAcknowledged());
  ASSERT_NO_FATAL_FAILURE(EndClient());
  EXPECT_EQ(client_->error().find("transactions in progress take more"), std::string::npos)
      << client_->error();
  ASSERT_NO_FATAL_FAILURE(ExpectAllThere(more));
}

INSTANTIATE_TEST_SUITE_P(Plugins, StreamingTest, testing::Values("wal2arrow", "pgoutput"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace arrowcdc::test
