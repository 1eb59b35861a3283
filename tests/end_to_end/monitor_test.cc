// What a stream tells over HTTP while it runs: its numbers, whether it is alive and ready, the page for
// people.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/end_to_end/client.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/wait.h"

namespace arrowcdc::test {
namespace {

using std::chrono::seconds;

bool HasProgram(const std::string& name) {
  return std::system(("command -v " + name + " >/dev/null 2>&1").c_str()) == 0;
}

class MonitorTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(server_, PrivateServer::Create({}));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(sql_, server_->Connect());
    ARROWCDC_ASSERT_OK(sql_->Exec("CREATE TABLE users (id bigint PRIMARY KEY, name text)"));
    ARROWCDC_ASSERT_OK(RunCommand(*server_, "setup", {"--tables", "public.*"}));
  }

  // With --http on a free port, streaming.
  void StartStream(std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {
        "--tables", "public.*", "--sink", "parquet:" + files_.path().string(), "--http", "127.0.0.1:0"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    ARROWCDC_ASSERT_OK_AND_ASSIGN(stream_, Subprocess::Start(Command(*server_, "stream", arguments)));
    ARROWCDC_ASSERT_OK(stream_->WaitForError("streaming changes", seconds(30)));
    port_ = HttpPort(stream_->error());
    ASSERT_NE(port_, 0) << stream_->error();
  }

  void WaitForAnswer(const std::string& path, const std::string& text) {
    ARROWCDC_ASSERT_OK(WaitFor([&] { return HttpGet(port_, path).body.find(text) != std::string::npos; },
                               seconds(30), "\"" + text + "\" in " + path));
  }

  nlohmann::json State() {
    return nlohmann::json::parse(HttpGet(port_, "/status.json").body, nullptr, false);
  }

  TemporaryDirectory files_;
  std::unique_ptr<PrivateServer> server_;
  std::unique_ptr<SqlConnection> sql_;
  std::unique_ptr<Subprocess> stream_;
  int port_ = 0;
};

TEST_F(MonitorTest, CountsWhatGoesToTheSink) {
  ASSERT_NO_FATAL_FAILURE(StartStream({"--roll-age", "1s"}));
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO users SELECT i, 'n' FROM generate_series(1, 5) AS i"));
  ASSERT_NO_FATAL_FAILURE(
      WaitForAnswer("/metrics", "arrowcdc_rows_total{schema=\"public\",table=\"users\"} 5\n"));
  ASSERT_NO_FATAL_FAILURE(WaitForAnswer("/metrics", "arrowcdc_commit_to_durable_seconds_count 1\n"));
  ASSERT_NO_FATAL_FAILURE(WaitForAnswer("/metrics", "arrowcdc_slot_wal_status{status=\"reserved\"} 1\n"));
  // Its file is complete, and then nothing is behind.
  ASSERT_NO_FATAL_FAILURE(WaitForAnswer("/metrics", "arrowcdc_lag_seconds 0\n"));
  EXPECT_EQ(HttpGet(port_, "/healthz").code, 200);
  EXPECT_EQ(HttpGet(port_, "/readyz").code, 200);
  EXPECT_EQ(HttpGet(port_, "/nothing").code, 404);
  const auto state = State();
  EXPECT_EQ(state["rows"], 5);
  EXPECT_EQ(state["tables"][0]["table"], "public.users");
  ASSERT_NO_FATAL_FAILURE(WaitForAnswer("/metrics", "arrowcdc_slot_active 1\n"));
}

TEST_F(MonitorTest, AWaitingRowIsAsOldAsItsCommit) {
  ASSERT_NO_FATAL_FAILURE(StartStream({"--roll-age", "1h"}));
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO users VALUES (1, 'ann')"));
  ARROWCDC_ASSERT_OK(WaitFor(
      [&] {
        const auto state = State();
        return state.is_object() && state["rows"] == 1 && state["lag_seconds"] > 2.0 &&
               state["lag_bytes"] > 0;
      },
      seconds(30), "a lag of two seconds"));
  EXPECT_LT(State()["lag_seconds"], 60.0);
}

TEST_F(MonitorTest, TellsOfOtherColumnsAndOfALostServer) {
  ASSERT_NO_FATAL_FAILURE(StartStream());
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO users VALUES (1, 'ann')"));
  ARROWCDC_ASSERT_OK(sql_->Exec("ALTER TABLE users ADD note text"));
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO users VALUES (2, 'bob', 'x')"));
  ASSERT_NO_FATAL_FAILURE(WaitForAnswer("/status.json", "other columns: added note"));
  ASSERT_NO_FATAL_FAILURE(WaitForAnswer("/metrics", "arrowcdc_schema_changes_total 1\n"));
  EXPECT_NE(stream_->error().find("\"change\":\"added note\""), std::string::npos) << stream_->error();
  sql_.reset();
  ARROWCDC_ASSERT_OK(server_->Stop(StopMode::kFast));
  ASSERT_NO_FATAL_FAILURE(WaitForAnswer("/readyz", "not ready: reconnecting"));
  EXPECT_EQ(HttpGet(port_, "/readyz").code, 503);
  EXPECT_EQ(HttpGet(port_, "/healthz").code, 200);
  ASSERT_NO_FATAL_FAILURE(WaitForAnswer("/metrics", "arrowcdc_connected 0\n"));
  ARROWCDC_ASSERT_OK(server_->Start());
  ASSERT_NO_FATAL_FAILURE(WaitForAnswer("/readyz", "ready\n"));
  ASSERT_NO_FATAL_FAILURE(WaitForAnswer("/metrics", "arrowcdc_reconnects_total 1\n"));
}

TEST_F(MonitorTest, StopsAtOnceWhileItIsLookedAt) {
  ASSERT_NO_FATAL_FAILURE(StartStream());
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);  // says nothing
  sockaddr_in name = {};
  name.sin_family = AF_INET;
  name.sin_port = htons(static_cast<uint16_t>(port_));
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&name), sizeof name), 0);
  ARROWCDC_ASSERT_OK(stream_->Signal(SIGINT));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const ExitState ended, stream_->Wait(seconds(5)));
  EXPECT_TRUE(ended.ok()) << stream_->error();
  close(fd);
}

TEST_F(MonitorTest, APortInUseIsAnErrorBeforeAnythingIsStreamed) {
  ASSERT_NO_FATAL_FAILURE(StartStream());
  TemporaryDirectory other;
  ARROWCDC_ASSERT_OK_AND_ASSIGN(
      const auto second, Subprocess::Start(Command(*server_, "stream",
                                                   {"--sink", "parquet:" + other.path().string(), "--http",
                                                    std::to_string(port_)})));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const ExitState ended, second->Wait(seconds(30)));
  EXPECT_EQ(ended.code, 75) << second->error();
  EXPECT_NE(second->error().find("Address already in use"), std::string::npos) << second->error();
  EXPECT_TRUE(std::filesystem::is_empty(other.path()));
}

TEST_F(MonitorTest, PromtoolHasNothingToSay) {
  if (!HasProgram("promtool")) GTEST_SKIP() << "there is no promtool (tools/setup.sh monitor)";
  ASSERT_NO_FATAL_FAILURE(StartStream({"--roll-age", "1s"}));
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO users VALUES (1, 'ann')"));
  ASSERT_NO_FATAL_FAILURE(WaitForAnswer("/metrics", "arrowcdc_commit_to_durable_seconds_count 1\n"));
  ASSERT_NO_FATAL_FAILURE(WaitForAnswer("/metrics", "arrowcdc_slot_exists 1\n"));
  SubprocessOptions check;
  check.argv = {"promtool", "check", "metrics"};
  check.input = HttpGet(port_, "/metrics").body;
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto promtool, Subprocess::Start(std::move(check)));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const ExitState ended, promtool->Wait(seconds(60)));
  EXPECT_TRUE(ended.ok()) << promtool->error();
  EXPECT_EQ(promtool->error() + promtool->output(), "");
}

// What stands between the tags of the element with this id.
std::string TextOf(const std::string& page, const std::string& id) {
  const size_t at = page.find("id=\"" + id + "\"");
  if (at == std::string::npos) return "no " + id;
  const size_t begin = page.find('>', at) + 1;
  return page.substr(begin, page.find('<', begin) - begin);
}

TEST_F(MonitorTest, ABrowserShowsThePage) {
  if (!HasProgram("chromium")) GTEST_SKIP() << "there is no chromium (tools/setup.sh monitor)";
  ASSERT_NO_FATAL_FAILURE(StartStream());
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO users SELECT i, 'n' FROM generate_series(1, 1234) AS i"));
  ASSERT_NO_FATAL_FAILURE(WaitForAnswer("/status.json", "\"rows\":1234"));
  ASSERT_NO_FATAL_FAILURE(WaitForAnswer("/status.json", "\"wal_status\":\"reserved\""));
  TemporaryDirectory profile;
  SubprocessOptions browse;
  browse.argv = {"chromium",
                 "--headless",
                 "--no-sandbox",
                 "--disable-gpu",
                 "--disable-dev-shm-usage",
                 "--user-data-dir=" + profile.path().string(),
                 "--dump-dom",
                 "--virtual-time-budget=3000",
                 "http://127.0.0.1:" + std::to_string(port_) + "/"};
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto browser, Subprocess::Start(std::move(browse)));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const ExitState ended, browser->Wait(seconds(120)));
  const std::string page = browser->output();
  ASSERT_TRUE(ended.ok()) << browser->error();
  EXPECT_EQ(TextOf(page, "rows"), "1,234") << page;
  EXPECT_EQ(TextOf(page, "phase"), "streaming") << page;
  EXPECT_NE(page.find("data-table=\"public.users\""), std::string::npos) << page;
  EXPECT_NE(page.find("<dd>reserved</dd>"), std::string::npos) << page;
  EXPECT_NE(TextOf(page, "lag_seconds"), "–") << page;
}

}  // namespace
}  // namespace arrowcdc::test
