// The test harness itself: a server starts, answers, restarts and crashes, and nothing of it stays behind.
#include <csignal>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/testing/assert_ok.h"
#include "tests/testing/private_server.h"
#include "tests/testing/seed.h"
#include "tests/testing/wait.h"

namespace arrowcdc::test {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;

TEST(PrivateServer, StartsAnswersRestartsAndLeavesNothing) {
  fs::path directory;
  pid_t postmaster = 0;
  {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(auto server,
                                  PrivateServer::Create({.settings = {{"max_wal_senders", "3"}}}));
    directory = server->directory();
    ARROWCDC_ASSERT_OK_AND_ASSIGN(auto sql, server->Connect());
    for (const auto& [name, value] : std::map<std::string, std::string>{
             {"wal_level", "logical"}, {"max_wal_senders", "3"}, {"server_encoding", "UTF8"}}) {
      ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto shown, sql->Scalar("SHOW " + name));
      EXPECT_EQ(shown, value) << name;
    }
    ARROWCDC_ASSERT_OK(sql->Exec("CREATE TABLE t (a int, b text); INSERT INTO t VALUES (1, 'x'), (2, NULL)"));
    ARROWCDC_ASSERT_OK(sql->CopyIn("COPY t FROM STDIN", "3\ty\n"));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto rows,
                                  sql->Query("SELECT * FROM t WHERE a > $1 ORDER BY a", {"1"}));
    EXPECT_EQ(rows, (std::vector<SqlRow>{{"2", std::nullopt}, {"3", "y"}}));
    EXPECT_FALSE(sql->Exec("SELECT nothing").ok());
    EXPECT_EQ(sql->last_sqlstate(), "42703");

    ARROWCDC_ASSERT_OK(server->Set("max_wal_senders", "4"));
    ARROWCDC_ASSERT_OK(server->Restart());
    ARROWCDC_ASSERT_OK_AND_ASSIGN(sql, server->Connect());
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto senders, sql->Scalar("SHOW max_wal_senders"));
    EXPECT_EQ(senders, "4");
    postmaster = server->postmaster_pid();
    EXPECT_TRUE(ReadProcess(postmaster).alive);
  }
  EXPECT_FALSE(ReadProcess(postmaster).alive);
  EXPECT_FALSE(fs::exists(directory));
}

TEST(PrivateServer, CrashLosesNothingCommitted) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(auto server, PrivateServer::Create());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(auto sql, server->Connect());
  ARROWCDC_ASSERT_OK(sql->Exec("CREATE TABLE t AS SELECT 42 AS a"));
  const pid_t backend = sql->backend_pid();
  ARROWCDC_ASSERT_OK(server->Crash());
  EXPECT_FALSE(server->Running());
  EXPECT_FALSE(ReadProcess(backend).alive);
  ARROWCDC_ASSERT_OK(server->Start());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(sql, server->Connect());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto value, sql->Scalar("SELECT a FROM t"));
  EXPECT_EQ(value, "42");
  EXPECT_EQ(server->CountServerRestarts(), 0);
}

TEST(PrivateServer, CountsTheRestartAfterACrashOfOneBackend) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(auto server, PrivateServer::Create());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(auto sql, server->Connect());
  EXPECT_FALSE(server->CrashBackend(getpid()).ok());
  ARROWCDC_ASSERT_OK(server->CrashBackend(sql->backend_pid()));
  ARROWCDC_ASSERT_OK(WaitFor([&] { return server->CountServerRestarts() == 1 && server->Connect().ok(); },
                             seconds(30), "the restart"));
}

TEST(PrivateServer, TakesEncodingPortAndHba) {
  PrivateServerOptions options;
  options.encoding = "LATIN1";
  options.tcp = true;
  options.hba = "local all all trust\nhost all locked 127.0.0.1/32 reject\nhost all all 127.0.0.1/32 trust\n";
  ARROWCDC_ASSERT_OK_AND_ASSIGN(auto server, PrivateServer::Create(options));
  const std::string tcp = "host=127.0.0.1 dbname=postgres port=" + std::to_string(server->port());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(auto sql, SqlConnection::Connect(tcp + " user=postgres"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto encoding, sql->Scalar("SHOW server_encoding"));
  EXPECT_EQ(encoding, "LATIN1");
  ARROWCDC_ASSERT_OK(sql->Exec("CREATE ROLE locked LOGIN"));
  EXPECT_FALSE(SqlConnection::Connect(tcp + " user=locked").ok());
}

TEST(PrivateServer, SaysWhyItDoesNotStart) {
  const auto server = PrivateServer::Create({.settings = {{"no_such_setting", "1"}}});
  ASSERT_FALSE(server.ok());
  EXPECT_NE(server.status().message().find("no_such_setting"), std::string::npos)
      << server.status().ToString();
}

// A process that dies with a server in hand must not leave it: this test starts itself again as that process.
TEST(PrivateServer, GoesWithAKilledOwner) {
  if (const char* report = std::getenv("ARROWCDC_SUPPORT_TEST_OWNER")) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(auto server, PrivateServer::Create());
    std::ofstream(report) << server->directory().string() << "\n" << server->postmaster_pid() << std::endl;
    kill(getpid(), SIGKILL);
  }
  char report[] = "/tmp/arrowcdc-owner-XXXXXX";
  close(mkstemp(report));
  SubprocessOptions options;
  options.argv = {"/proc/" + std::to_string(getpid()) + "/exe",
                  "--gtest_filter=PrivateServer.GoesWithAKilledOwner"};
  options.env = {{"ARROWCDC_SUPPORT_TEST_OWNER", report}};
  ARROWCDC_ASSERT_OK_AND_ASSIGN(auto owner, Subprocess::Start(options));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto state, owner->Wait(seconds(60)));
  EXPECT_EQ(state.signal, SIGKILL);
  std::string directory;
  pid_t postmaster = 0;
  std::ifstream(report) >> directory >> postmaster;
  fs::remove(report);
  ASSERT_GT(postmaster, 0);
  ARROWCDC_EXPECT_OK(WaitFor([&] { return !fs::exists(directory) && !ReadProcess(postmaster).alive; },
                             seconds(20), "the server to be gone"));
}

TEST(Subprocess, KeepsOutputAndExitCode) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(
      auto child, Subprocess::Start({.argv = {"sh", "-c", "cat; echo oops >&2; exit 3"}, .input = "in"}));
  ARROWCDC_ASSERT_OK(child->WaitForError("oops", seconds(10)));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto state, child->Wait(seconds(10)));
  EXPECT_EQ(state.code, 3);
  EXPECT_EQ(child->output(), "in");
  EXPECT_EQ(child->ErrorLines(), std::vector<std::string>{"oops"});
  EXPECT_FALSE(child->WaitForError("never said", seconds(10)).ok());
}

TEST(Subprocess, WaitHasADeadlineAndKillEnds) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(auto child, Subprocess::Start({.argv = {"cat"}, .input_pipe = true}));
  EXPECT_FALSE(child->Wait(std::chrono::milliseconds(50)).ok());
  EXPECT_EQ(child->Kill().signal, SIGKILL);
  EXPECT_FALSE(RunProgram({.argv = {"/no/such/program"}}).ok());
}

TEST(Seed, IsTheSameThroughoutTheProcess) { EXPECT_EQ(Seed(), Seed()); }

}  // namespace
}  // namespace arrowcdc::test
