// What an administrator expects of a walsender holds with everything switched on as with everything switched
// off: shutdown, statistics, synchronous replication, ends of every kind in the middle of a backlog.
#include <algorithm>
#include <atomic>
#include <numeric>
#include <thread>

#include <gtest/gtest.h>

#include "arrowcdc/position.h"
#include "tests/end_to_end/client.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/wait.h"
#include "tests/testing/walsender_client.h"

namespace arrowcdc::test {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::seconds;

struct Switches {
  bool batching;
  bool drain;
};

std::string Name(const ::testing::TestParamInfo<Switches>& info) {
  return std::string(info.param.batching ? "Batching" : "NoBatching") +
         (info.param.drain ? "Drain" : "NoDrain");
}

class WalsenderTest : public ::testing::TestWithParam<Switches> {
 protected:
  void SetUp() override {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(server_, PrivateServer::Create({.tcp = true}));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(sql_, server_->Connect());
    // As an administrator does it, so that it holds for every client.
    ARROWCDC_ASSERT_OK(sql_->Exec("ALTER ROLE postgres SET wal2arrow.batching = " +
                                  std::string(GetParam().batching ? "on" : "off")));
    ARROWCDC_ASSERT_OK(sql_->Exec("ALTER ROLE postgres SET wal2arrow.drain = " +
                                  std::string(GetParam().drain ? "on" : "off")));
    ARROWCDC_ASSERT_OK(
        sql_->Exec("CREATE TABLE t (id serial PRIMARY KEY, v text); CREATE TABLE unpublished (v text)"));
    ARROWCDC_ASSERT_OK(RunCommand(*server_, "setup", {"--tables", "public.t"}));
  }

  void TearDown() override { EXPECT_EQ(server_->CountServerRestarts(), 0); }

  arrow::Result<std::unique_ptr<Subprocess>> StartStream() {
    return Subprocess::Start(Command(*server_, "stream",
                                     {"--tables", "public.t", "--sink", "parquet:" + files_.path().string(),
                                      "--snapshot", "never", "--roll-age", "1h"}));
  }

  arrow::Result<std::unique_ptr<WalsenderClient>> StartReading(const std::string& more = "") {
    return WalsenderClient::Start(server_->conninfo() + more, "arrowcdc",
                                  {{"publication_names", "arrowcdc"}, {"batching", "on"}});
  }

  void AddBacklog(int transactions) {
    ARROWCDC_ASSERT_OK(
        sql_->Exec("DO $$ BEGIN FOR i IN 1.." + std::to_string(transactions) +
                   " LOOP INSERT INTO t (v) VALUES (repeat('v', 50)); COMMIT; END LOOP; END $$"));
  }

  bool SlotIsFree() {
    return sql_->Scalar("SELECT active FROM pg_replication_slots WHERE slot_name = 'arrowcdc'")
               .ValueOr("t") == "f";
  }

  void ExpectFastStop(const char* after) {
    const auto begin = Clock::now();
    ARROWCDC_ASSERT_OK(server_->Stop(StopMode::kFast));
    const double took = std::chrono::duration<double>(Clock::now() - begin).count();
    std::printf("fast shutdown after %s: %.2f s\n", after, took);
    EXPECT_LT(took, 2.0) << after;
    ARROWCDC_ASSERT_OK(server_->Start());
    ARROWCDC_ASSERT_OK_AND_ASSIGN(sql_, server_->Connect());
  }

  // Commits one by one, each of which waits for the standby; adds what each took, in seconds.
  arrow::Status TimeCommits(int commits, std::vector<double>* times) {
    for (int i = 0; i < commits; ++i) {
      const auto begin = Clock::now();
      ARROW_RETURN_NOT_OK(sql_->Exec("INSERT INTO t (v) VALUES ('x')"));
      times->push_back(std::chrono::duration<double>(Clock::now() - begin).count());
    }
    return arrow::Status::OK();
  }

  TemporaryDirectory files_;
  std::unique_ptr<PrivateServer> server_;
  std::unique_ptr<SqlConnection> sql_;
};

INSTANTIATE_TEST_SUITE_P(Switches, WalsenderTest,
                         ::testing::Values(Switches{true, true}, Switches{true, false}, Switches{false, true},
                                           Switches{false, false}),
                         Name);

TEST_P(WalsenderTest, FastShutdownWhateverTheLastRecordIs) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(auto client, StartStream());
  const auto wait = [&] {
    ARROWCDC_ASSERT_OK(
        WaitFor([&] { return !SlotIsFree(); }, seconds(30), "the client to connect\n" + client->error()));
  };
  ASSERT_NO_FATAL_FAILURE(wait());
  ASSERT_NO_FATAL_FAILURE(ExpectFastStop("nothing"));
  ASSERT_NO_FATAL_FAILURE(wait());
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO t (v) VALUES ('published')"));
  ARROWCDC_ASSERT_OK(
      sql_->Exec("INSERT INTO unpublished SELECT repeat('x', 500) FROM generate_series(1, 1000)"));
  ASSERT_NO_FATAL_FAILURE(ExpectFastStop("unpublished rows"));
  ASSERT_NO_FATAL_FAILURE(wait());
  // Its commit record names them all: several hundred bytes.
  std::string savepoints = "BEGIN;";
  for (int i = 0; i < 40; ++i)
    savepoints += "SAVEPOINT s" + std::to_string(i) + "; INSERT INTO t (v) VALUES ('x');";
  ARROWCDC_ASSERT_OK(sql_->Exec(savepoints + "COMMIT"));
  ASSERT_NO_FATAL_FAILURE(ExpectFastStop("a commit with 40 subtransactions"));
  ASSERT_NO_FATAL_FAILURE(wait());
  ASSERT_NO_FATAL_FAILURE(AddBacklog(5'000));
  ASSERT_NO_FATAL_FAILURE(ExpectFastStop("5,000 transactions"));
  ARROWCDC_ASSERT_OK(client->Signal(SIGTERM));
  ARROWCDC_ASSERT_OK(client->Wait(seconds(30)));
  ARROWCDC_ASSERT_OK(RunCommand(*server_, "stream",
                                {"--tables", "public.t", "--sink", "parquet:" + files_.path().string(),
                                 "--snapshot", "never", "--until", "now"}));
  ARROWCDC_ASSERT_OK(CompareReplay(*server_, files_.path(), {"public.t"}));
}

TEST_P(WalsenderTest, StatisticsTellTheTruth) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto client, StartReading(" application_name=watched"));
  // How often it may still acknowledge.
  std::atomic<int> acknowledgements{1 << 30};
  std::atomic<bool> stop{false};
  std::thread reader([&] {
    uint64_t reached = 0;
    while (!stop) {
      const auto message = client->Next(std::chrono::milliseconds(20));
      if (!message.ok()) return;
      if (*message) reached = std::max(reached, (*message)->wal_end);
      if (reached == 0 || acknowledgements <= 0) continue;
      --acknowledgements;
      if (!client->Reply(reached).ok()) return;
    }
  });
  const auto number = [&](const std::string& column) {
    const auto text = sql_->Scalar("SELECT coalesce(" + column +
                                   ", 0) FROM pg_stat_replication WHERE application_name = 'watched'");
    return text.ok() ? std::stod(*text) : -1.0;
  };
  double sent = 0;
  double flushed = 0;
  for (int round = 0; round < 3; ++round) {
    ASSERT_NO_FATAL_FAILURE(AddBacklog(2'000));
    const auto status = WaitFor(
        [&] {
          return number("flush_lsn - '0/0'::pg_lsn") >= number("pg_current_wal_flush_lsn() - '0/0'::pg_lsn");
        },
        seconds(30), "the statistics to catch up");
    EXPECT_TRUE(status.ok()) << status.ToString();
    EXPECT_GT(number("sent_lsn - '0/0'::pg_lsn"), sent);
    EXPECT_GT(number("flush_lsn - '0/0'::pg_lsn"), flushed);
    sent = number("sent_lsn - '0/0'::pg_lsn");
    flushed = number("flush_lsn - '0/0'::pg_lsn");
  }
  // Commits of more than a second, in which the server notes a time to measure from, and then one
  // acknowledgement.
  acknowledgements = 0;
  const auto begin = Clock::now();
  while (Clock::now() - begin < std::chrono::milliseconds(1500)) {
    EXPECT_TRUE(sql_->Exec("INSERT INTO t (v) VALUES ('x')").ok());
  }
  acknowledgements = 1;
  const auto lag = WaitFor([&] { return number("extract(epoch FROM flush_lag)") > 0; }, seconds(30), "a lag");
  EXPECT_TRUE(lag.ok()) << lag.ToString();
  EXPECT_LT(number("extract(epoch FROM flush_lag)"), 30);
  EXPECT_EQ(
      sql_->Scalar("SELECT state FROM pg_stat_replication WHERE application_name = 'watched'").ValueOr(""),
      "streaming");
  stop = true;
  reader.join();
}

TEST_P(WalsenderTest, EndsInTheMiddleOfABacklog) {
  ASSERT_NO_FATAL_FAILURE(AddBacklog(20'000));
  const auto begin = [&](int messages) -> arrow::Result<std::unique_ptr<WalsenderClient>> {
    ARROW_RETURN_NOT_OK(WaitFor([&] { return SlotIsFree(); }, seconds(30), "the slot to be free"));
    ARROW_ASSIGN_OR_RAISE(auto client, StartReading());
    for (int i = 0; i < messages; ++i) ARROW_RETURN_NOT_OK(client->Next(seconds(30)).status());
    return client;
  };
  for (const int messages : {0, 1, 5, 12}) {
    {
      ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto client, begin(messages));
      ARROWCDC_ASSERT_OK(client->End());
    }
    for (const std::string how : {"pg_cancel_backend", "pg_terminate_backend"}) {
      ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto client, begin(messages));
      ARROWCDC_ASSERT_OK(sql_->Query("SELECT " + how + "(" + std::to_string(client->backend_pid()) + ")"));
      arrow::Status status;
      while (status.ok()) status = client->Next(seconds(30)).status();
      ARROWCDC_ASSERT_OK(WaitFor([&] { return SlotIsFree(); }, seconds(30), how));
    }
    {
      ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto client, begin(messages));  // hangs up
    }
  }
  // Nobody answers: the server gives up by itself.
  ARROWCDC_ASSERT_OK(server_->Set("wal_sender_timeout", "300ms"));
  ARROWCDC_ASSERT_OK(server_->Reload());
  {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto client, begin(1));
    ARROWCDC_ASSERT_OK(WaitFor([&] { return SlotIsFree(); }, seconds(30), "wal_sender_timeout"));
  }
  ARROWCDC_ASSERT_OK(server_->Set("wal_sender_timeout", "1min"));
  ARROWCDC_ASSERT_OK(server_->Reload());
  ARROWCDC_ASSERT_OK(RunCommand(*server_, "stream",
                                {"--tables", "public.t", "--sink", "parquet:" + files_.path().string(),
                                 "--snapshot", "never", "--until", "now"}));
  ARROWCDC_ASSERT_OK(CompareReplay(*server_, files_.path(), {"public.t"}));
}

// Commits that wait for our slot do not wait longer than with a plugin that sends each of them at once, also
// while others write.
// NOLINTNEXTLINE(readability-function-size): one story, from the start to its end
TEST_P(WalsenderTest, SynchronousReplicationIsNotHeldUp) {
  if (!GetParam().batching && !GetParam().drain) return;  // that is what the others are compared with
  constexpr int kTurns = 30;
  constexpr int kCommits = 50;
  ARROWCDC_ASSERT_OK(server_->Set("synchronous_standby_names", "standby"));
  ARROWCDC_ASSERT_OK(server_->Reload());
  ARROWCDC_ASSERT_OK(sql_->Exec("SET synchronous_commit = off"));  // until there is a standby
  // Others write while commits are timed, and only then: what they write meanwhile each turn had to decode
  // first.
  std::atomic<bool> stop{false};
  std::atomic<bool> write{false};
  std::atomic<int> written{0};
  std::thread noise([&] {
    const auto sql = server_->Connect();
    while (sql.ok() && !stop) {
      write.wait(false);
      const auto status = (*sql)->Exec(
          "SET synchronous_commit = local; INSERT INTO t (v) SELECT 'noise' FROM generate_series(1, 10)");
      if (status.ok()) ++written;
    }
  });
  const auto measure = [&](const std::string& ours, std::vector<double>* times) -> arrow::Status {
    ARROW_RETURN_NOT_OK(WaitFor([&] { return SlotIsFree(); }, seconds(30), "the slot to be free"));
    ARROW_ASSIGN_OR_RAISE(
        const auto client,
        WalsenderClient::Start(server_->conninfo() + " application_name=standby", "arrowcdc",
                               {{"publication_names", "arrowcdc"}, {"batching", ours}, {"drain", ours}}));
    std::atomic<bool> done{false};
    std::thread reader([&] {
      uint64_t acknowledged = 0;
      while (!done) {
        const auto message = client->Next(std::chrono::milliseconds(20));
        if (!message.ok()) return;
        if (!*message || (*message)->wal_end <= acknowledged) continue;
        acknowledged = (*message)->wal_end;
        if (!client->Reply(acknowledged).ok()) return;
      }
    });
    const auto status = [&]() -> arrow::Status {
      ARROW_RETURN_NOT_OK(WaitFor(
          [&] {
            return sql_->Scalar(
                           "SELECT sync_state FROM pg_stat_replication WHERE application_name = 'standby'")
                       .ValueOr("") == "sync";
          },
          seconds(30), "the standby to be synchronous"));
      ARROW_RETURN_NOT_OK(sql_->Exec("SET synchronous_commit = on"));
      const int before = written;
      write = true;
      write.notify_one();
      ARROW_RETURN_NOT_OK(WaitFor([&] { return written > before; }, seconds(30), "others to write"));
      return TimeCommits(kCommits, times);
    }();
    write = false;
    done = true;
    reader.join();
    ARROW_RETURN_NOT_OK(sql_->Exec("SET synchronous_commit = off"));
    return status;
  };
  // The machine may be busy, for a while or for all the time: short turns, so that both sides meet the same
  // of it. A turn is quick or slow as a whole by where its processes run, so a median jumps from the one to
  // the other. What the machine holds up for itself is left out: the slowest twentieth of each side.
  std::vector<double> plain;
  std::vector<double> ours;
  arrow::Status status;
  for (int turn = 0; turn < 2 * kTurns && status.ok(); ++turn) {
    const bool is_ours = turn % 4 == 1 || turn % 4 == 2;
    status = measure(is_ours ? "on" : "off", is_ours ? &ours : &plain);
  }
  stop = true;
  write = true;
  write.notify_one();
  noise.join();
  ARROWCDC_ASSERT_OK(status);
  ASSERT_EQ(plain.size(), size_t{kTurns * kCommits});
  ASSERT_EQ(ours.size(), plain.size());
  const auto mean = [](std::vector<double>& times) {
    std::sort(times.begin(), times.end());
    times.resize(times.size() - times.size() / 20);
    return std::accumulate(times.begin(), times.end(), 0.0) / static_cast<double>(times.size());
  };
  const double ratio = mean(ours) / mean(plain);
  std::printf("commit latency against a message a commit: %.2f\n", ratio);
  EXPECT_LE(ratio, 1.5);
}

}  // namespace
}  // namespace arrowcdc::test
