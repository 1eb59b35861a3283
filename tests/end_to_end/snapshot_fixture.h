// What the tests of copies under trouble share: a server that each makes with its own settings, the command
// into a directory, and ways to hold a copy up at a known place.
#pragma once

#include <csignal>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/end_to_end/client.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/wait.h"

namespace arrowcdc::test {

class SnapshotFixture : public ::testing::Test {
 protected:
  static constexpr std::chrono::seconds kLimit{120};

  void StartServer(std::map<std::string, std::string> settings = {}) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(server_, PrivateServer::Create({.settings = std::move(settings)}));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(sql_, server_->Connect());
  }

  void SetUpSlot() { ARROWCDC_ASSERT_OK(RunCommand(*server_, "setup", {"--tables", "public.*", "--yes"})); }

  SubprocessOptions Stream(std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {
        "--tables", "public.*", "--sink", "parquet:" + files_.path().string(), "--roll-age", "300ms"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Command(*server_, "stream", std::move(arguments));
  }

  void StartStream(std::vector<std::string> more = {}) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(client_, Subprocess::Start(Stream(std::move(more))));
  }

  void StreamUntilNow(std::vector<std::string> more = {}) {
    more.insert(more.end(), {"--until", "now"});
    ARROWCDC_ASSERT_OK(RunProgram(Stream(std::move(more)), kLimit).status());
  }

  // The client comes to its end, whatever that is.
  void WaitForTheEnd(ExitState* ended) { ARROWCDC_ASSERT_OK_AND_ASSIGN(*ended, client_->Wait(kLimit)); }

  // The client goes on by itself until all is copied, and streams what came meanwhile.
  void FinishAndCompare(const std::vector<std::string>& tables) {
    ARROWCDC_ASSERT_OK(client_->WaitForError("streaming changes", kLimit));
    EXPECT_TRUE(CopyIsComplete());
    ARROWCDC_ASSERT_OK(client_->Signal(SIGTERM));
    ExitState ended;
    ASSERT_NO_FATAL_FAILURE(WaitForTheEnd(&ended));
    EXPECT_TRUE(ended.ok()) << client_->error();
    ASSERT_NO_FATAL_FAILURE(StreamUntilNow());
    ARROWCDC_ASSERT_OK(CompareReplay(*server_, files_.path(), tables));
  }

  bool CopyIsComplete() const {
    std::ifstream manifest(files_.path() / "_arrowcdc_manifest.json");
    std::stringstream text;
    text << manifest.rdbuf();
    return text.str().find("\"complete\": true") != std::string::npos;
  }

  bool Said(const std::string& text) const { return client_->error().find(text) != std::string::npos; }

  // The session that copies rows of the table; 0: there is none.
  pid_t Worker(const std::string& table) {
    const auto pid = sql_->Scalar(
        "SELECT coalesce(max(pid), 0) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'COPY %" +
        table + "%' AND application_name = 'arrowcdc'");
    return pid.ok() ? std::stoi(*pid) : 0;
  }

  // Returns while rows of the table are on their way, and the client stands still.
  void HoldClientInCopyOf(const std::string& table) {
    ARROWCDC_ASSERT_OK(WaitFor([&] { return Worker(table) != 0; }, kLimit, "a copy of " + table));
    ARROWCDC_ASSERT_OK(client_->Signal(SIGSTOP));
    ASSERT_NE(Worker(table), 0) << "the table is too small: its copy is over";
  }

  // The same, but the server's session stands still, and the client waits for it.
  void HoldServerInCopyOf(const std::string& table, pid_t* worker) {
    ARROWCDC_ASSERT_OK(WaitFor([&] { return Worker(table) != 0; }, kLimit, "a copy of " + table));
    *worker = Worker(table);
    ASSERT_NE(*worker, 0) << "the table is too small: its copy is over";
    ASSERT_EQ(kill(*worker, SIGSTOP), 0);
    ASSERT_EQ(Worker(table), *worker) << "the table is too small: its copy is over";
  }

  TemporaryDirectory files_;
  std::unique_ptr<PrivateServer> server_;
  std::unique_ptr<SqlConnection> sql_;
  std::unique_ptr<Subprocess> client_;
};

// 100,000 rows that a client does not read in one go.
inline constexpr char kCreateBig[] =
    "CREATE TABLE big (id int PRIMARY KEY, note text);"
    "INSERT INTO big SELECT i, repeat('x', 200) FROM generate_series(1, 100000) AS i;";

}  // namespace arrowcdc::test
