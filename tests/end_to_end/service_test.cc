// The command under a service manager: what it tells it, and the exit code of what passes by itself.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <regex>
#include <set>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/end_to_end/client.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/wait.h"

namespace arrowcdc::test {
namespace {

using std::chrono::seconds;

constexpr int kPassesByItself = 75;  // EX_TEMPFAIL of sysexits.h

// The socket that NOTIFY_SOCKET names.
class Manager {
 public:
  explicit Manager(const std::filesystem::path& directory) : path_((directory / "notify").string()) {
    fd_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    sockaddr_un name = {};
    name.sun_family = AF_UNIX;
    std::strncpy(name.sun_path, path_.c_str(), sizeof name.sun_path - 1);
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&name), sizeof name), 0) << path_;
  }
  ~Manager() { close(fd_); }
  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;

  const std::string& path() const { return path_; }

  // Everything that was told so far, a line each.
  const std::string& told() {
    char bytes[4096];
    for (ssize_t got; (got = recv(fd_, bytes, sizeof bytes, 0)) > 0;)
      told_ += std::string(bytes, static_cast<size_t>(got)) + "\n";
    return told_;
  }

 private:
  std::string path_;
  std::string told_;
  int fd_ = -1;
};

// A line of that event which names `of`.
bool Tells(const Subprocess& stream, const std::string& event, const std::string& of) {
  const std::vector<std::string> lines = stream.ErrorLines();
  return std::any_of(lines.begin(), lines.end(), [&](const std::string& line) {
    return line.find("\"event\":\"" + event + "\"") != std::string::npos &&
           line.find(of) != std::string::npos;
  });
}

class ServiceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(server_, PrivateServer::Create({}));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(sql_, server_->Connect());
    ARROWCDC_ASSERT_OK(sql_->Exec("CREATE TABLE users (id int PRIMARY KEY)"));
    ARROWCDC_ASSERT_OK(RunCommand(*server_, "setup", {"--tables", "public.*"}));
  }

  SubprocessOptions Stream(std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"--tables", "public.*", "--sink",
                                          "parquet:" + (directory_.path() / "files").string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Command(*server_, "stream", std::move(arguments));
  }

  TemporaryDirectory directory_;
  std::unique_ptr<PrivateServer> server_;
  std::unique_ptr<SqlConnection> sql_;
};

TEST_F(ServiceTest, IsToldWhenItStreamsAndWhenItEnds) {
  Manager manager(directory_.path());
  SubprocessOptions options = Stream();
  options.env["NOTIFY_SOCKET"] = manager.path();
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto stream, Subprocess::Start(std::move(options)));
  const auto told = [&](const std::string& text) {
    return WaitFor([&] { return manager.told().find(text) != std::string::npos; }, seconds(30), text);
  };
  ARROWCDC_ASSERT_OK(told("READY=1\n"));
  EXPECT_EQ(manager.told().find("STOPPING"), std::string::npos);
  ARROWCDC_ASSERT_OK(stream->WaitForError("streaming changes", seconds(30)));
  ARROWCDC_ASSERT_OK(stream->Signal(SIGTERM));
  ARROWCDC_ASSERT_OK(told("STOPPING=1\nEXTEND_TIMEOUT_USEC=20000000\n"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const ExitState ended, stream->Wait(seconds(30)));
  EXPECT_TRUE(ended.ok()) << stream->error();
}

TEST_F(ServiceTest, LogLinesTellWhenWhatAndOfWhichStream) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto stream, Subprocess::Start(Stream({"--until", "now"})));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const ExitState ended, stream->Wait(seconds(30)));
  ASSERT_TRUE(ended.ok()) << stream->error();
  const std::regex time("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z");
  std::set<std::string> events;
  for (const std::string& line : stream->ErrorLines()) {
    const auto object = nlohmann::json::parse(line);
    EXPECT_TRUE(std::regex_match(object["time"].get<std::string>(), time)) << line;
    EXPECT_EQ(object["slot"], "arrowcdc") << line;
    EXPECT_EQ(object["sink"], "parquet " + std::filesystem::canonical(directory_.path()).string() + "/files")
        << line;
    events.insert(object["event"].get<std::string>());
  }
  for (const char* event : {"sink_chosen", "streaming", "stopped", "slot_stays"})
    EXPECT_TRUE(events.contains(event)) << event << "\n" << stream->error();
}

// Whatever happens to a stream has an event of its name.
TEST_F(ServiceTest, TellsTheStory) {
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO users VALUES (1)"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(auto stream,
                                Subprocess::Start(Stream({"--snapshot", "initial", "--roll-age", "1s"})));
  const auto tells = [&](const std::string& event, const std::string& of) {
    return WaitFor([&] { return Tells(*stream, event, of); }, seconds(60), event + " of " + of);
  };
  const auto run = [&](const std::vector<std::string>& statements) {
    for (const std::string& statement : statements) ARROWCDC_ASSERT_OK(sql_->Exec(statement));
  };
  for (const char* event : {"sink_chosen", "copy_begins", "table_copied", "copied", "streaming"})
    ARROWCDC_ASSERT_OK(tells(event, ""));
  run({"INSERT INTO users VALUES (2)"});
  ARROWCDC_ASSERT_OK(tells("file_closed", "public.users"));
  run({"ALTER TABLE users ADD note text", "INSERT INTO users VALUES (3, 'x')"});
  ARROWCDC_ASSERT_OK(tells("schema_change", "public.users"));
  run({"CREATE TABLE later (id int PRIMARY KEY)", "ALTER PUBLICATION arrowcdc ADD TABLE later",
       "INSERT INTO later VALUES (1)"});
  ARROWCDC_ASSERT_OK(tells("table_appeared", "public.later"));
  run({"ALTER PUBLICATION arrowcdc SET (publish = 'insert, update, delete')",
       "INSERT INTO later VALUES (2)"});
  ARROWCDC_ASSERT_OK(tells("ddl_seen", "arrowcdc"));
  run({"CREATE SCHEMA elsewhere", "CREATE TABLE elsewhere.t (id int PRIMARY KEY)",
       "ALTER PUBLICATION arrowcdc ADD TABLE elsewhere.t", "INSERT INTO elsewhere.t VALUES (1)"});
  ARROWCDC_ASSERT_OK(tells("passed_over", "elsewhere.t"));
  run({"CREATE TABLE unseen (id int PRIMARY KEY)", "INSERT INTO unseen VALUES (1)"});
  ARROWCDC_ASSERT_OK(tells("not_published", "public.unseen"));
  run({"SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = 'arrowcdc'"});
  ARROWCDC_ASSERT_OK(tells("connection_lost", ""));
  ARROWCDC_ASSERT_OK(tells("reconnected", ""));
  ARROWCDC_ASSERT_OK(stream->Signal(SIGTERM));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(ExitState ended, stream->Wait(seconds(60)));
  ASSERT_TRUE(ended.ok()) << stream->error();
  EXPECT_FALSE(Tells(*stream, "table_appeared", "public.users")) << stream->error();
  run({"INSERT INTO users VALUES (4)",
       "SELECT pg_replication_slot_advance('arrowcdc', pg_current_wal_lsn())"});
  ARROWCDC_ASSERT_OK_AND_ASSIGN(stream, Subprocess::Start(Stream({"--accept-gap", "--until", "now"})));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(ended, stream->Wait(seconds(60)));
  ASSERT_TRUE(ended.ok()) << stream->error();
  EXPECT_TRUE(Tells(*stream, "gap_accepted", "arrowcdc")) << stream->error();
}

TEST_F(ServiceTest, WhatCannotBeginIsNotReady) {
  Manager manager(directory_.path());
  SubprocessOptions options = Stream({"--slot", "other"});
  options.env["NOTIFY_SOCKET"] = manager.path();
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto stream, Subprocess::Start(std::move(options)));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const ExitState ended, stream->Wait(seconds(30)));
  EXPECT_EQ(ended.code, 5) << stream->error();
  EXPECT_EQ(manager.told().find("READY"), std::string::npos);
}

TEST_F(ServiceTest, ASlotInUsePassesByItself) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto first, Subprocess::Start(Stream()));
  ARROWCDC_ASSERT_OK(first->WaitForError("streaming changes", seconds(30)));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(
      const auto second,
      Subprocess::Start(Command(*server_, "stream", {"--sink", "console", "--retry-for", "0s"})));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const ExitState ended, second->Wait(seconds(30)));
  EXPECT_EQ(ended.code, kPassesByItself) << second->error();
  EXPECT_NE(second->error().find("\"kind\":\"slot_active\""), std::string::npos) << second->error();
}

TEST_F(ServiceTest, AServerThatIsFullPassesByItself) {
  ARROWCDC_ASSERT_OK(sql_->Exec("CREATE ROLE cdc LOGIN CONNECTION LIMIT 0"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto tables, Subprocess::Start([&] {
                                  SubprocessOptions options = Command(*server_, "tables", {});
                                  for (std::string& word : options.argv) {
                                    if (word == server_->conninfo()) word += " user=cdc";
                                  }
                                  return options;
                                }()));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const ExitState ended, tables->Wait(seconds(30)));
  EXPECT_EQ(ended.code, kPassesByItself) << tables->error();
}

}  // namespace
}  // namespace arrowcdc::test
