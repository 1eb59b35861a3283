// What `status` tells of a slot, once and again and again.
#include <csignal>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/end_to_end/client.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/wait.h"

namespace arrowcdc::test {
namespace {

using nlohmann::json;
using std::chrono::seconds;

class StatusTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(server_,
                                  PrivateServer::Create({.settings = {{"max_slot_wal_keep_size", "64MB"}}}));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(sql_, server_->Connect());
    ARROWCDC_ASSERT_OK(sql_->Exec("CREATE TABLE users (id bigint PRIMARY KEY, name text)"));
    ARROWCDC_ASSERT_OK(RunCommand(*server_, "setup", {"--tables", "public.*"}));
  }

  // Its exit code; what it printed is in `output`.
  int Run(std::vector<std::string> arguments, std::string* output) {
    auto child = Subprocess::Start(Command(*server_, "status", std::move(arguments)));
    EXPECT_TRUE(child.ok()) << child.status();
    const auto ended = (*child)->Wait(seconds(60));
    EXPECT_TRUE(ended.ok()) << ended.status();
    *output = (*child)->output();
    return ended.ok() ? ended->code : -1;
  }

  std::unique_ptr<PrivateServer> server_;
  std::unique_ptr<SqlConnection> sql_;
};

TEST_F(StatusTest, JsonHasWhatTheServerHas) {
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO users VALUES (1, 'ann')"));
  std::string output;
  ASSERT_EQ(Run({"--json"}, &output), 0);
  const auto status = json::parse(output);
  EXPECT_EQ(status["slot"], "arrowcdc");
  EXPECT_EQ(status["exists"], true);
  EXPECT_EQ(status["active"], false);
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const std::string confirmed,
                                sql_->Scalar("SELECT confirmed_flush_lsn FROM pg_replication_slots"));
  EXPECT_EQ(status["confirmed_flush_lsn"], confirmed);
  EXPECT_GT(status["unacknowledged_bytes"], 0);
  EXPECT_GT(status["safe_wal_bytes"], 0);
  EXPECT_EQ(status["publications"], json::array({"arrowcdc"}));
}

TEST_F(StatusTest, TellsHowLongALimitLasts) {
  // While it looks twice.
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto child, Subprocess::Start(Command(*server_, "status", {"--json"})));
  ARROWCDC_ASSERT_OK(WaitFor(
      [&] {
        EXPECT_TRUE(sql_->Exec("INSERT INTO users SELECT i, repeat('x', 100) FROM generate_series(1, 1000) i "
                               "ON CONFLICT (id) DO UPDATE SET name = excluded.name")
                        .ok());
        return !child->Running();
      },
      seconds(60), "an end"));
  const auto status = json::parse(child->output());
  EXPECT_GT(status["wal_bytes_per_second"], 0.0) << status;
  EXPECT_GE(status["invalidated_in_seconds"], 0) << status;
}

TEST_F(StatusTest, WatchesUntilItIsStopped) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(
      const auto child, Subprocess::Start(Command(*server_, "status", {"--json", "--watch", "100ms"})));
  const auto lines = [&] {
    const std::string output = child->output();
    return std::count(output.begin(), output.end(), '\n');
  };
  ARROWCDC_ASSERT_OK(WaitFor([&] { return lines() >= 3; }, seconds(30), "three looks"));
  // A server that is away comes back.
  sql_.reset();
  ARROWCDC_ASSERT_OK(server_->Restart());
  const auto before = lines();
  ARROWCDC_ASSERT_OK(WaitFor([&] { return lines() > before + 1; }, seconds(30), "more looks"));
  ARROWCDC_ASSERT_OK(child->Signal(SIGINT));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const ExitState ended, child->Wait(seconds(10)));
  EXPECT_TRUE(ended.ok()) << child->error();
  const std::string output = child->output();
  EXPECT_TRUE(json::parse(output.substr(0, output.find('\n')))["exists"]);
}

TEST_F(StatusTest, ASlotThatIsNotThereIsAnError) {
  std::string output;
  EXPECT_EQ(Run({"--slot", "other"}, &output), 5);
  EXPECT_EQ(output, "");
  EXPECT_EQ(Run({"--slot", "other", "--json"}, &output), 5);
  EXPECT_EQ(json::parse(output)["exists"], false);
  EXPECT_EQ(Run({"--slot", "other", "--watch", "1s"}, &output), 5);
}

}  // namespace
}  // namespace arrowcdc::test
