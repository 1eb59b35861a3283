// What ends the command from outside: signals and --for end whatever waits, and the sink completes what it
// has.
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>

#include <gtest/gtest.h>

#include "arrowcdc/position.h"
#include "tests/end_to_end/client.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/wait.h"

namespace arrowcdc::test {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kLimit(60);
// One second, and what a busy machine and the sanitizers take on top.
constexpr milliseconds kStopMax{2500};

// Takes connections, as the kernel does for it, and never says a word.
class SilentServer {
 public:
  SilentServer() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t bytes = sizeof address;
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address), bytes), 0);
    EXPECT_EQ(listen(fd_, 5), 0);
    EXPECT_EQ(getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &bytes), 0);
    port_ = ntohs(address.sin_port);
  }
  ~SilentServer() { close(fd_); }
  std::string conninfo(const std::string& more = "") const {
    return "host=127.0.0.1 user=u dbname=d port=" + std::to_string(port_) + " " + more;
  }
  // The next connection; it has sent its first bytes.
  int Accept() const {
    const int connection = accept(fd_, nullptr, nullptr);
    char byte;
    EXPECT_EQ(recv(connection, &byte, 1, MSG_PEEK), 1);
    return connection;
  }

 private:
  int fd_;
  int port_ = 0;
};

SubprocessOptions Stream(const std::string& source, const std::vector<std::string>& more) {
  SubprocessOptions options;
  options.argv = {CommandPath(), "--log=json", "stream", "--source", source};
  options.argv.insert(options.argv.end(), more.begin(), more.end());
  return options;
}

// Its exit code, and that it came in time.
int EndsInTime(Subprocess& child, Clock::time_point since, milliseconds limit = kStopMax) {
  const auto ended = child.Wait(kLimit);
  EXPECT_TRUE(ended.ok()) << ended.status();
  if (!ended.ok()) return -1;
  EXPECT_LT(Clock::now() - since, limit) << child.error();
  return ended->signal == 0 ? ended->code : 128 + ended->signal;
}

class ConnectingTest : public ::testing::TestWithParam<int> {};

TEST_P(ConnectingTest, ASignalEndsAConnectionAttempt) {
  const SilentServer server;
  for (const char* more : {"connect_timeout=600", "connect_timeout=600 sslmode=require"}) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(auto child,
                                  Subprocess::Start(Stream(server.conninfo(more), {"--sink", "console"})));
    const int connection = server.Accept();
    const auto since = Clock::now();
    ARROWCDC_ASSERT_OK(child->Signal(GetParam()));
    EXPECT_EQ(EndsInTime(*child, since), 3) << child->error();
    close(connection);
  }
}
INSTANTIATE_TEST_SUITE_P(Signals, ConnectingTest, ::testing::Values(SIGINT, SIGTERM, SIGHUP));

TEST(Connecting, ForEndsAConnectionAttemptToSeveralHosts) {
  const SilentServer server;
  const auto since = Clock::now();
  ARROWCDC_ASSERT_OK_AND_ASSIGN(
      auto child, Subprocess::Start(Stream(server.conninfo("host=127.0.0.1,127.0.0.1 connect_timeout=600"),
                                           {"--sink", "console", "--for", "500ms"})));
  EXPECT_EQ(EndsInTime(*child, since, milliseconds(500) + kStopMax), 3) << child->error();
}

TEST(Connecting, ASignalEndsTheOtherCommands) {
  const SilentServer server;
  for (const char* name : {"setup", "status", "tables", "teardown"}) {
    SubprocessOptions options;
    options.argv = {CommandPath(), name, "--source", server.conninfo("connect_timeout=600")};
    ARROWCDC_ASSERT_OK_AND_ASSIGN(auto child, Subprocess::Start(std::move(options)));
    const int connection = server.Accept();
    const auto since = Clock::now();
    ARROWCDC_ASSERT_OK(child->Signal(SIGTERM));
    EXPECT_EQ(EndsInTime(*child, since), 130) << name << child->error();
    close(connection);
  }
}

TEST(Connecting, RetryForZeroIsNoRetry) {
  const auto since = Clock::now();
  ARROWCDC_ASSERT_OK_AND_ASSIGN(
      auto child,
      Subprocess::Start(Stream("host=127.0.0.1 port=1 user=u", {"--sink", "console", "--retry-for", "0s"})));
  EXPECT_EQ(EndsInTime(*child, since), 3);
  EXPECT_EQ(child->error().find("connecting again"), std::string::npos) << child->error();
}

class StopTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(server_, PrivateServer::Create({}));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(sql_, server_->Connect());
    ARROWCDC_ASSERT_OK(sql_->Exec("CREATE TABLE users (id bigint PRIMARY KEY, name text)"));
  }
  void RunSetup() { ARROWCDC_ASSERT_OK(RunCommand(*server_, "setup", {"--tables", "public.*"})); }
  std::string Parquet(const std::string& name) const { return "parquet:" + (files_.path() / name).string(); }
  size_t Files(const std::string& name, const std::string& suffix) const {
    size_t count = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(files_.path() / name))
      count += entry.path().string().ends_with(suffix) ? 1 : 0;
    return count;
  }
  // The server process of the stream.
  pid_t Walsender() const {
    std::string pid;
    const auto streaming = [&] {
      const auto found = sql_->Scalar("SELECT coalesce(max(pid), 0)::text FROM pg_stat_replication");
      pid = found.ok() ? *found : "0";
      return pid != "0";
    };
    EXPECT_TRUE(WaitFor(streaming, kLimit, "the walsender").ok());
    return std::stoi(pid);
  }

  TemporaryDirectory files_;
  pid_t frozen_ = 0;
  std::unique_ptr<PrivateServer> server_;
  std::unique_ptr<SqlConnection> sql_;
};

TEST_F(StopTest, EachSignalCompletesTheFiles) {
  ASSERT_NO_FATAL_FAILURE(RunSetup());
  int id = 0;
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(
        auto child,
        Subprocess::Start(
            Command(*server_, "stream", {"--sink", Parquet("c"), "--roll-age", "1h", "--progress", "1ms"})));
    ARROWCDC_ASSERT_OK(child->WaitForError("\"from_lsn\"", kLimit));
    ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO users VALUES (" + std::to_string(++id) + ", 'x')"));
    ARROWCDC_ASSERT_OK(child->WaitForError("\"rows\":1,", kLimit));
    const auto since = Clock::now();
    ARROWCDC_ASSERT_OK(child->Signal(signal));
    EXPECT_EQ(EndsInTime(*child, since, seconds(5)), 0) << child->error();
    EXPECT_EQ(Files("c", ".parquet"), static_cast<size_t>(id));
    EXPECT_EQ(Files("c", ".inprogress"), 0u);
  }
}

TEST_F(StopTest, AFrozenServerDoesNotHoldAStopUp) {
  ASSERT_NO_FATAL_FAILURE(RunSetup());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(auto child,
                                Subprocess::Start(Command(*server_, "stream", {"--sink", Parquet("f")})));
  ARROWCDC_ASSERT_OK(child->WaitForError("\"from_lsn\"", kLimit));
  const pid_t walsender = Walsender();
  const pid_t postmaster = server_->postmaster_pid();
  kill(walsender, SIGSTOP);
  kill(postmaster, SIGSTOP);  // the last look at the slot would wait for it
  const auto since = Clock::now();
  ARROWCDC_ASSERT_OK(child->Signal(SIGTERM));
  EXPECT_EQ(EndsInTime(*child, since), 0) << child->error();
  kill(postmaster, SIGCONT);
  kill(walsender, SIGCONT);
}

TEST_F(StopTest, AFrozenQueryEndsAndIsCancelled) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(auto other, server_->Connect());
  ARROWCDC_ASSERT_OK(other->Exec("BEGIN; SELECT pg_current_xact_id()"));  // a new slot waits for its end
  ARROWCDC_ASSERT_OK_AND_ASSIGN(auto child,
                                Subprocess::Start(Command(*server_, "setup", {"--tables", "public.*"})));
  const auto waits = [&] {
    const auto found = sql_->Scalar(
        "SELECT count(*)::text FROM pg_replication_slots WHERE slot_name = 'arrowcdc' AND active");
    return found.ok() && *found == "1";
  };
  ARROWCDC_ASSERT_OK(WaitFor(waits, kLimit, "a slot that is being made"));
  const auto since = Clock::now();
  ARROWCDC_ASSERT_OK(child->Signal(SIGINT));
  EXPECT_EQ(EndsInTime(*child, since), 130) << child->error();
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const std::string slots,
                                sql_->Scalar("SELECT count(*)::text FROM pg_replication_slots"));
  EXPECT_EQ(slots, "0");
}

TEST_F(StopTest, AQueryThatTheServerNeverAnswersEnds) {
  ASSERT_NO_FATAL_FAILURE(RunSetup());
  ARROWCDC_ASSERT_OK(sql_->Exec("BEGIN; LOCK pg_publication IN ACCESS EXCLUSIVE MODE"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(auto child,
                                Subprocess::Start(Command(*server_, "stream", {"--sink", "console"})));
  const auto waits = [&] {
    const auto found = sql_->Scalar("SELECT coalesce(max(pid), 0)::text FROM pg_locks WHERE NOT granted");
    if (!found.ok() || *found == "0") return false;
    kill(std::stoi(*found), SIGSTOP);  // it does not hear of the cancellation
    frozen_ = std::stoi(*found);
    return true;
  };
  ARROWCDC_ASSERT_OK(WaitFor(waits, kLimit, "a query that waits"));
  const auto since = Clock::now();
  ARROWCDC_ASSERT_OK(child->Signal(SIGTERM));
  EXPECT_EQ(EndsInTime(*child, since), 3) << child->error();
  kill(frozen_, SIGCONT);
}

TEST_F(StopTest, AFullPipeEnds) {
  ASSERT_NO_FATAL_FAILURE(RunSetup());
  ARROWCDC_ASSERT_OK(
      sql_->Exec("INSERT INTO users SELECT i, repeat('x', 1000) FROM generate_series(1, 3000) AS i"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const std::string text, sql_->Scalar("SELECT pg_current_wal_insert_lsn()"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const uint64_t end, ParseLsn(text));
  for (const char* sink : {"console:ndjson", "console:table", "ipc:-"}) {
    for (const bool by_signal : {true, false}) {
      SubprocessOptions options = Command(*server_, "stream", {"--sink", sink, "--ack=on-write"});
      if (!by_signal) options.argv.insert(options.argv.end(), {"--for", "2s"});
      options.output_pipe = true;
      auto since = Clock::now();
      ARROWCDC_ASSERT_OK_AND_ASSIGN(auto child, Subprocess::Start(std::move(options)));
      const auto full = [&] {
        int waiting = 0;
        return ioctl(child->output_fd(), FIONREAD, &waiting) == 0 && waiting > 60'000;
      };
      ARROWCDC_ASSERT_OK(WaitFor(full, kLimit, "a full pipe"));
      if (by_signal) {
        since = Clock::now();
        ARROWCDC_ASSERT_OK(child->Signal(SIGTERM));
      }
      EXPECT_EQ(EndsInTime(*child, since, by_signal ? kStopMax : seconds(2) + kStopMax), 130)
          << child->error();
      ARROWCDC_ASSERT_OK_AND_ASSIGN(const uint64_t after, ConfirmedFlush(*sql_));
      EXPECT_LT(after, end) << "nothing that was not read is acknowledged";
    }
  }
}

TEST_F(StopTest, AReaderThatReadsGetsEverythingAfterAStop) {
  ASSERT_NO_FATAL_FAILURE(RunSetup());
  ARROWCDC_ASSERT_OK(
      sql_->Exec("INSERT INTO users SELECT i, repeat('x', 1000) FROM generate_series(1, 500) AS i"));
  SubprocessOptions options = Command(*server_, "stream", {"--sink", "console:ndjson", "--until", "now"});
  options.output_pipe = true;
  ARROWCDC_ASSERT_OK_AND_ASSIGN(auto child, Subprocess::Start(std::move(options)));
  std::string text;
  char buffer[4096];
  for (ssize_t bytes; (bytes = read(child->output_fd(), buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<size_t>(bytes));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 500);
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const ExitState ended, child->Wait(kLimit));
  EXPECT_EQ(ended.code, 0) << child->error();
}

TEST_F(StopTest, AStandardErrorThatNobodyReadsHoldsNothingUp) {
  ASSERT_NO_FATAL_FAILURE(RunSetup());
  SubprocessOptions options = Command(*server_, "stream",
                                      {"--sink", Parquet("e"), "--snapshot", "never", "--roll-age", "200ms",
                                       "--progress", "1ms", "--verbose"});
  std::string line;
  for (const std::string& word : options.argv) line += "'" + word + "' ";
  options.argv = {"sh", "-c", "head -c 65536 /dev/zero; exec " + line + " 2>&1"};
  options.output_pipe = true;  // of both, full before the first line
  ARROWCDC_ASSERT_OK_AND_ASSIGN(auto child, Subprocess::Start(std::move(options)));
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO users SELECT i, 'x' FROM generate_series(1, 10) AS i"));
  const auto durable = [&] {
    return std::filesystem::exists(files_.path() / "e") && Files("e", ".parquet") == 1;
  };
  ARROWCDC_ASSERT_OK(WaitFor(durable, kLimit, "a file"));
  const auto since = Clock::now();
  ARROWCDC_ASSERT_OK(child->Signal(SIGTERM));
  EXPECT_EQ(EndsInTime(*child, since), 0);
}

TEST_F(StopTest, NohupIsHonoured) {
  ASSERT_NO_FATAL_FAILURE(RunSetup());
  SubprocessOptions options = Command(*server_, "stream", {"--sink", Parquet("n"), "--progress", "1ms"});
  options.argv.insert(options.argv.begin(), {"nohup"});
  ARROWCDC_ASSERT_OK_AND_ASSIGN(auto child, Subprocess::Start(std::move(options)));
  ARROWCDC_ASSERT_OK(child->WaitForError("\"from_lsn\"", kLimit));
  ARROWCDC_ASSERT_OK(child->Signal(SIGHUP));
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO users VALUES (1, 'x')"));
  ARROWCDC_ASSERT_OK(child->WaitForError("\"rows\":1,", kLimit));
  ARROWCDC_ASSERT_OK(child->Signal(SIGTERM));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const ExitState ended, child->Wait(kLimit));
  EXPECT_EQ(ended.code, 0) << child->error();
}

}  // namespace
}  // namespace arrowcdc::test
