// --until now: everything that was committed before, and an end that an idle server reaches.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/end_to_end/client.h"
#include "tests/testing/assert_ok.h"

namespace arrowcdc::test {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::seconds;

// Two seconds, and what a busy machine and the sanitizers take on top.
constexpr seconds kSoon(6);

class UntilTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(server_, PrivateServer::Create({.settings = settings_}));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(sql_, server_->Connect());
    ARROWCDC_ASSERT_OK(sql_->Exec("CREATE TABLE users (id bigint PRIMARY KEY)"));
    ARROWCDC_ASSERT_OK(RunCommand(*server_, "setup", {"--tables", "public.*"}));
  }

  // The number of rows; the stream must end soon.
  int64_t Rows(std::string* log = nullptr) {
    const auto began = Clock::now();
    auto child =
        Subprocess::Start(Command(*server_, "stream", {"--sink", "console:ndjson", "--until", "now"}))
            .ValueOrDie();
    const auto ended = child->Wait(seconds(60));
    EXPECT_TRUE(ended.ok()) << ended.status();
    EXPECT_TRUE(ended.ok() && ended->ok()) << child->error();
    EXPECT_LT(Clock::now() - began, kSoon) << child->error();
    if (log != nullptr) *log = child->error();
    const std::string text = child->output();
    return std::count(text.begin(), text.end(), '\n');
  }

  std::map<std::string, std::string> settings_;
  std::unique_ptr<PrivateServer> server_;
  std::unique_ptr<SqlConnection> sql_;
};

TEST_F(UntilTest, EndsAfterASegmentSwitchOnAnIdleServer) {
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO users VALUES (1)"));
  ARROWCDC_ASSERT_OK(sql_->Exec("SELECT pg_switch_wal()"));
  EXPECT_EQ(Rows(), 1);
}

// A slow WAL writer: the rows are in no file of the server when the stream begins.
class SlowWalWriter : public UntilTest {
 protected:
  SlowWalWriter() { settings_ = {{"wal_writer_delay", "10s"}, {"fsync", "on"}}; }
};

TEST_F(SlowWalWriter, AsynchronousCommitsAreNotLeftOut) {
  for (int round = 1; round <= 3; ++round) {
    ARROWCDC_ASSERT_OK(
        sql_->Exec("SET synchronous_commit = off; INSERT INTO users VALUES (" + std::to_string(round) + ")"));
    std::string log;
    const int64_t rows = Rows(&log);
    // With this writer nothing flushes them within the second that the command waits: it says so.
    const bool said = log.find("behind the end of what is flushed") != std::string::npos;
    EXPECT_TRUE(rows == round || said) << log;
    ARROWCDC_ASSERT_OK(sql_->Exec("SET synchronous_commit = on; SELECT txid_current()"));
  }
}

TEST_F(UntilTest, AsynchronousCommitsAreNotLeftOut) {
  for (int round = 1; round <= 5; ++round) {
    ARROWCDC_ASSERT_OK(
        sql_->Exec("SET synchronous_commit = off; INSERT INTO users VALUES (" + std::to_string(round) + ")"));
    EXPECT_EQ(Rows(), round);
  }
}

TEST_F(UntilTest, ATransactionInProgressDoesNotHoldItUp) {
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO users VALUES (1)"));
  ARROWCDC_ASSERT_OK(sql_->Exec("BEGIN; INSERT INTO users VALUES (2)"));
  EXPECT_EQ(Rows(), 1);
  ARROWCDC_ASSERT_OK(sql_->Exec("COMMIT"));
  EXPECT_EQ(Rows(), 2);
}

}  // namespace
}  // namespace arrowcdc::test
