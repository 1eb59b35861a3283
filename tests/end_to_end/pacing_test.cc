// A walsender that may let commits wait: it wakes seldom whatever commits, and keeps nobody waiting after a
// silence.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <map>
#include <string>
#include <thread>

#include <arrow/array.h>
#include <gtest/gtest.h>

#include "src/postgres/decode/wal2arrow/wal2arrow_decoder.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/private_server.h"
#include "tests/testing/wait.h"
#include "tests/testing/walsender_client.h"

namespace arrowcdc::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

constexpr milliseconds kDelay{200};

class PacingTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(server_, PrivateServer::Create({}));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(sql_, server_->Connect());
    ARROWCDC_ASSERT_OK(
        sql_->Exec("CREATE TABLE t (id serial PRIMARY KEY); CREATE TABLE other (id int); "
                   "CREATE PUBLICATION p FOR TABLE t"));
  }

  void Start(const std::string& max_delay) {
    const std::map<std::string, std::string> options = {
        {"publication_names", "p"}, {"batching", "on"}, {"try_max_delay", max_delay}};
    if (client_ != nullptr) {
      ARROWCDC_ASSERT_OK(client_->End());
      ARROWCDC_ASSERT_OK(sql_->Query("SELECT pg_drop_replication_slot('paced')"));
    }
    ARROWCDC_ASSERT_OK(sql_->Query("SELECT pg_create_logical_replication_slot('paced', 'wal2arrow')"));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(client_, WalsenderClient::Start(server_->conninfo(), "paced", options));
    decoder_ = std::make_unique<Wal2arrowDecoder>(arrow::default_memory_pool(), /*epoch=*/1);
  }

  // Rows of the next message; -1: none came in time.
  int64_t NextRows(milliseconds limit) {
    const auto message = client_->Next(limit);
    EXPECT_TRUE(message.ok()) << message.status();
    if (!message.ok() || !message->has_value()) return -1;
    if ((*message)->keepalive) return 0;
    const auto event = decoder_->Decode(arrow::Buffer::FromString((*message)->frame), 0);
    EXPECT_TRUE(event.ok()) << event.status();
    const auto* const batch = event.ok() && event->has_value() ? std::get_if<ChangeBatch>(&**event) : nullptr;
    return batch == nullptr ? 0 : batch->rows->num_rows();
  }
  void AwaitRow() {
    int64_t rows = 0;
    while (rows == 0) rows = NextRows(seconds(30));
    EXPECT_EQ(rows, 1);
  }
  arrow::Status Insert() { return sql_->Exec("INSERT INTO t DEFAULT VALUES"); }

  struct Counted {
    int64_t transactions = 0;
    int64_t batches = 0;
    double seconds = 0;
  };
  // While somebody commits one row after the other for a second, and until the last of them has come.
  Counted CountBatches() {
    Counted counted;
    std::atomic<bool> stop = false;
    const auto begin = Clock::now();
    std::thread writer([&] {
      while (!stop && Insert().ok()) ++counted.transactions;
    });
    int64_t rows = 0;
    const auto read = [&] {
      const int64_t more = NextRows(seconds(30));
      if (more > 0) ++counted.batches;
      rows += more;
      return more >= 0;
    };
    while (Clock::now() - begin < seconds(1) && read()) continue;
    stop = true;
    writer.join();
    while (rows < counted.transactions && read()) continue;
    EXPECT_EQ(rows, counted.transactions);
    counted.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    std::printf("%lld transactions in %lld batches, %.1f s\n", static_cast<long long>(counted.transactions),
                static_cast<long long>(counted.batches), counted.seconds);
    return counted;
  }

  std::unique_ptr<PrivateServer> server_;
  std::unique_ptr<SqlConnection> sql_;
  std::unique_ptr<WalsenderClient> client_;
  std::unique_ptr<Wal2arrowDecoder> decoder_;
};

TEST_F(PacingTest, CommitsShareABatch) {
  ASSERT_NO_FATAL_FAILURE(Start(std::to_string(kDelay.count())));
  const Counted paced = CountBatches();
  // It wakes once in kDelay; what it finds then may be several batches. A session's first ones have 1, 2, 4
  // and so on up to 65,536 transactions, however many there are.
  constexpr double kFirst = 16;
  EXPECT_LE(static_cast<double>(paced.batches), kFirst + 4 * (paced.seconds / 0.2 + 2));
  EXPECT_GT(paced.transactions, 5 * paced.batches);
  // The administrator's word wins, and nothing waits.
  ARROWCDC_ASSERT_OK(sql_->Exec("ALTER ROLE postgres SET wal2arrow.max_delay = 0"));
  ASSERT_NO_FATAL_FAILURE(Start(std::to_string(kDelay.count())));
  const Counted unpaced = CountBatches();
  EXPECT_GT(unpaced.batches * paced.transactions, 5 * paced.batches * unpaced.transactions);
}

TEST_F(PacingTest, WhatComesAfterASilenceDoesNotWait) {
  ASSERT_NO_FATAL_FAILURE(Start("1000"));
  auto least = seconds(30) + milliseconds(0);
  for (int i = 0; i < 5; ++i) {
    // Until it waits for WAL: longer than it may rest nothing comes.
    while (NextRows(milliseconds(1200)) >= 0) continue;
    const auto begin = Clock::now();
    ARROWCDC_ASSERT_OK(Insert());
    ASSERT_NO_FATAL_FAILURE(AwaitRow());
    least = std::min(least, std::chrono::duration_cast<milliseconds>(Clock::now() - begin));
  }
  EXPECT_LT(least.count(), 500);
}

// While there is more to read they tell nothing that is not told a moment later, and wake the client.
TEST_F(PacingTest, KeepalivesAreFewAndTheLastOneComes) {
  ASSERT_NO_FATAL_FAILURE(Start("20"));
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    const auto other = server_->Connect().ValueOrDie();
    while (!stop && other->Exec("INSERT INTO other VALUES (1)").ok()) continue;
  });
  constexpr seconds kTime{4};
  const auto begin = Clock::now();
  int keepalives = 0;
  uint64_t told = 0;
  const auto read = [&](milliseconds limit) {
    const auto message = client_->Next(limit);
    if (!message.ok() || !message->has_value() || !(*message)->keepalive) return;
    ++keepalives;
    told = std::max(told, (*message)->wal_end);
  };
  while (Clock::now() - begin < kTime) read(milliseconds(100));
  const int meanwhile = keepalives;
  const double passed = std::chrono::duration<double>(Clock::now() - begin).count();
  stop = true;
  writer.join();
  std::printf("%d keepalives in %.1f s\n", meanwhile, passed);
  EXPECT_GE(meanwhile, 2);  // the slot has to move on
  EXPECT_LE(meanwhile, 4 * passed);
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const std::string end,
                                sql_->Scalar("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn"));
  const auto all = [&] {
    read(milliseconds(100));
    return told >= std::stoull(end);
  };
  ARROWCDC_EXPECT_OK(WaitFor(all, seconds(10), "the end of the WAL to be told"));
}

// Whoever hears nothing for half of wal_sender_timeout asks for a sign, and gives the server up at its end: a
// rest is no longer than that.
class SignTest : public PacingTest, public ::testing::WithParamInterface<const char*> {};
INSTANTIATE_TEST_SUITE_P(Delays, SignTest, ::testing::Values("20", "1000"));
TEST_P(SignTest, ASignThatIsAskedForComes) {
  ARROWCDC_ASSERT_OK(sql_->Exec("ALTER ROLE postgres SET wal_sender_timeout = '1s'"));
  ASSERT_NO_FATAL_FAILURE(Start(GetParam()));
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    const auto other = server_->Connect().ValueOrDie();
    while (!stop && other->Exec("INSERT INTO other VALUES (1)").ok()) continue;
  });
  const auto begin = Clock::now();
  int64_t asked = 0;
  int64_t unanswered = 0;
  arrow::Status status;
  while (status.ok() && Clock::now() - begin < seconds(5)) {
    status = client_->Next(milliseconds(500)).status();
    if (!status.ok()) break;
    status = client_->Reply(0, /*request_reply=*/true);
    ++asked;
    const auto answer = client_->Next(milliseconds(500));
    unanswered += answer.ok() && !answer->has_value() ? 1 : 0;
  }
  stop = true;
  writer.join();
  ARROWCDC_EXPECT_OK(status);
  EXPECT_GE(asked, 5);
  EXPECT_EQ(unanswered, 0);
}

// A walsender that is to stop asks whether all is stored, and asks anew with each answer that it is not.
TEST_F(PacingTest, AShutdownDoesNotRestBetweenItsQuestions) {
  constexpr int kAnswers = 12;
  ASSERT_NO_FATAL_FAILURE(Start("1000"));
  ARROWCDC_ASSERT_OK(Insert());
  ASSERT_NO_FATAL_FAILURE(AwaitRow());
  const auto begin = Clock::now();
  arrow::Status stopped;
  std::thread stopping([&] { stopped = server_->Stop(StopMode::kFast); });
  uint64_t end = 0;
  int answers = 0;
  while (true) {
    const auto message = client_->Next(seconds(30));
    if (!message.ok() || !message->has_value()) break;
    end = std::max(end, (*message)->wal_end);
    if (!(*message)->reply_requested) continue;
    ++answers;
    if (!client_->Reply(answers > kAnswers ? end : 0).ok()) break;
  }
  stopping.join();
  const double took = std::chrono::duration<double>(Clock::now() - begin).count();
  std::printf("%d answers, stopped after %.2f s\n", answers, took);
  ARROWCDC_EXPECT_OK(stopped);
  EXPECT_GT(answers, kAnswers);
  EXPECT_LT(took, kAnswers / 2.0);
}

TEST_F(PacingTest, ARestIsSeenAndEnded) {
  ASSERT_NO_FATAL_FAILURE(Start("1000"));
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    const auto other = server_->Connect().ValueOrDie();
    while (!stop && other->Exec("INSERT INTO other VALUES (1)").ok()) continue;
  });
  const auto resting = [&] {
    return sql_->Scalar("SELECT wait_event_type FROM pg_stat_activity WHERE backend_type = 'walsender'")
               .ValueOr("") == "Extension";
  };
  ARROWCDC_EXPECT_OK(WaitFor(resting, seconds(30), "a walsender that rests"));
  const auto begin = Clock::now();
  ARROWCDC_EXPECT_OK(
      sql_->Query("SELECT pg_terminate_backend(" + std::to_string(client_->backend_pid()) + ", 30000)"));
  std::printf("ended after %.3f s\n", std::chrono::duration<double>(Clock::now() - begin).count());
  stop = true;
  writer.join();
  const auto gone = [&] {
    return sql_->Scalar("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'walsender'")
               .ValueOr("") == "0";
  };
  ARROWCDC_EXPECT_OK(WaitFor(gone, seconds(30), "its end"));
}

}  // namespace
}  // namespace arrowcdc::test
