// The command tail on real servers: what it shows, and that nothing of it stays.
#include <csignal>
#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "src/sink/display_text.h"
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

class TailTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_NO_FATAL_FAILURE(StartServer({})); }
  void StartServer(const PrivateServerOptions& options) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(server_, PrivateServer::Create(options));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(sql_, server_->Connect());
    ARROWCDC_ASSERT_OK(sql_->Exec("CREATE TABLE users (id bigint PRIMARY KEY, name text)"));
    ARROWCDC_ASSERT_OK(sql_->Exec("CREATE TABLE log (line text)"));
  }

  SubprocessOptions Tail(const std::vector<std::string>& more = {"public.*"},
                         const std::string& user = "postgres") const {
    SubprocessOptions options;
    options.argv = {CommandPath(), "--log=json", "tail", server_->conninfo() + " user=" + user};
    options.argv.insert(options.argv.end(), more.begin(), more.end());
    return options;
  }
  // Streams.
  arrow::Result<std::unique_ptr<Subprocess>> Start(const std::vector<std::string>& more = {
                                                       "public.*"}) const {
    ARROW_ASSIGN_OR_RAISE(auto child, Subprocess::Start(Tail(more)));
    ARROW_RETURN_NOT_OK(child->WaitForError("\"streaming\"", kLimit));
    return child;
  }
  SubprocessOptions OnTerminal(const std::string& columns, const std::string& no_colour = "") const {
    SubprocessOptions options = Tail();
    options.argv[1] = "--log=text";
    options.argv.insert(options.argv.begin(), {ARROWCDC_PYTHON, ARROWCDC_RUN_IN_TERMINAL, columns});
    options.env = {{"TERM", "xterm"}, {"NO_COLOR", no_colour}};
    return options;
  }

  std::string Scalar(const std::string& query) const {
    const auto found = sql_->Scalar(query);
    return found.ok() ? *found : found.status().ToString();
  }
  std::string Publications() const {
    return Scalar("SELECT coalesce(string_agg(pubname, ' ' ORDER BY pubname), '') FROM pg_publication");
  }
  std::string Slots() const { return Scalar("SELECT count(*)::text FROM pg_replication_slots"); }
  static arrow::Status WaitForOutput(Subprocess& child, const std::string& text) {
    return WaitFor([&] { return child.output().find(text) != std::string::npos || !child.Running(); }, kLimit,
                   text);
  }
  // Ends it as Ctrl-C does: well, in time, and with nothing left.
  void ExpectEndsClean(Subprocess& child) const {
    const auto since = Clock::now();
    ARROWCDC_ASSERT_OK(child.Signal(SIGINT));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const ExitState ended, child.Wait(kLimit));
    EXPECT_LT(Clock::now() - since, kStopMax) << child.error();
    EXPECT_TRUE(ended.ok()) << child.error() << child.output();
  }
  // Also in the server, where a session lives on for a moment.
  void ExpectNothingLeft() const {
    EXPECT_EQ(Publications(), "");
    ARROWCDC_EXPECT_OK(WaitFor([&] { return Slots() == "0"; }, kLimit, "no slot"));
  }

  std::unique_ptr<PrivateServer> server_;
  std::unique_ptr<SqlConnection> sql_;
};

class TailOfPluginTest : public TailTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(TailOfPluginTest, APipeGetsAnObjectARow) {
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO users VALUES (0, 'there before')"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto child, Start({"public.*", "--plugin", GetParam()}));
  const std::string plugin = GetParam() == std::string("auto") ? "wal2arrow" : GetParam();
  EXPECT_NE(child->error().find("\"plugin\":\"" + plugin + "\""), std::string::npos) << child->error();
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO users VALUES (1, E'o\"n\\ne')"));
  ARROWCDC_ASSERT_OK(sql_->Exec("UPDATE users SET name = 'two' WHERE id = 1"));
  ARROWCDC_ASSERT_OK(sql_->Exec("DELETE FROM users WHERE id = 1"));
  // Without a replica identity: the server does not refuse what it would not have refused before.
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO log VALUES ('a')"));
  ARROWCDC_ASSERT_OK(sql_->Exec("UPDATE log SET line = 'b'"));
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO log VALUES ('last')"));
  ARROWCDC_ASSERT_OK(WaitForOutput(*child, "\"last\""));
  std::vector<std::string> seen;
  std::istringstream lines(child->output());
  for (std::string line; std::getline(lines, line);) {
    const auto row = nlohmann::json::parse(line, nullptr, false);
    ASSERT_TRUE(row.is_object()) << line;
    seen.push_back(row["_table"].get<std::string>() + " " + row["_op"].get<std::string>() + " " +
                   (row.contains("id") ? row["id"].dump() + " " + row["name"].dump() : row["line"].dump()));
  }
  EXPECT_EQ(seen,
            (std::vector<std::string>{"users insert 1 \"o\\\"n\\ne\"", "users update_after 1 \"two\"",
                                      "users delete 1 null", "log insert \"a\"", "log insert \"last\""}));
  ASSERT_NO_FATAL_FAILURE(ExpectEndsClean(*child));
  ExpectNothingLeft();
}
INSTANTIATE_TEST_SUITE_P(Plugins, TailOfPluginTest, ::testing::Values("auto", "wal2arrow", "pgoutput"));

TEST_F(TailTest, TheNextOneDropsWhatAKilledOneLeft) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto killed, Start());
  const std::string left = Publications();
  EXPECT_EQ(left.find("arrowcdc_tail_"), 0u) << left;
  EXPECT_NE(left.find("_insert_only"), std::string::npos) << left;
  killed->Kill();
  ARROWCDC_ASSERT_OK(WaitFor([&] { return Slots() == "0"; }, kLimit, "no slot"));
  EXPECT_EQ(Publications(), left);
  // What somebody else has called so stays.
  ARROWCDC_ASSERT_OK(sql_->Exec("CREATE PUBLICATION arrowcdc_tail_0123456789ab"));

  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto first, Start());
  const std::string of_first = Publications();
  EXPECT_EQ(of_first.find(left), std::string::npos);
  EXPECT_NE(first->error().find("had left"), std::string::npos) << first->error();
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto second, Start({"public.users"}));
  EXPECT_EQ(second->error().find("had left"), std::string::npos) << second->error();
  // Both stream: the second one has left the first one's alone.
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO users VALUES (1, 'x')"));
  ARROWCDC_ASSERT_OK(WaitForOutput(*first, "\"id\":1"));
  ARROWCDC_ASSERT_OK(WaitForOutput(*second, "\"id\":1"));
  ASSERT_NO_FATAL_FAILURE(ExpectEndsClean(*second));
  EXPECT_EQ(Publications(), of_first);
  ASSERT_NO_FATAL_FAILURE(ExpectEndsClean(*first));
  EXPECT_EQ(Publications(), "arrowcdc_tail_0123456789ab");
}

TEST_F(TailTest, AReaderThatHasEnoughEndsIt) {
  SubprocessOptions options = Tail();
  std::string line;
  for (const std::string& word : options.argv) line += "'" + word + "' ";
  options.argv = {"bash", "-c", "set -o pipefail; " + line + "| head -n 1"};
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto child, Subprocess::Start(std::move(options)));
  ARROWCDC_ASSERT_OK(child->WaitForError("\"streaming\"", kLimit));
  // One row: no other one is written that would fail.
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO users VALUES (1, 'x')"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const ExitState ended, child->Wait(kLimit));
  EXPECT_TRUE(ended.ok()) << child->error();
  EXPECT_EQ(child->error().find("\"failed\""), std::string::npos) << child->error();
  EXPECT_NE(child->output().find("\"id\":1"), std::string::npos) << child->output();
  ExpectNothingLeft();
}

TEST_F(TailTest, ALostConnectionEndsIt) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto child, Start());
  ARROWCDC_ASSERT_OK(sql_->Exec("SELECT pg_terminate_backend(pid) FROM pg_stat_replication"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const ExitState ended, child->Wait(kLimit));
  EXPECT_FALSE(ended.ok()) << "what changes meanwhile would not be seen";
  EXPECT_EQ(ended.signal, 0) << child->error();
  EXPECT_NE(child->error().find("\"failed\""), std::string::npos) << child->error();
  ExpectNothingLeft();
}

TEST_F(TailTest, ARoleThatMayNotIsToldWhatItLacks) {
  ARROWCDC_ASSERT_OK(
      sql_->Exec("CREATE ROLE reader LOGIN REPLICATION; CREATE ROLE owner LOGIN; "
                 "GRANT CREATE ON DATABASE postgres TO owner; ALTER TABLE users OWNER TO owner"));
  const auto said = [&](const std::string& user) {
    auto child = Subprocess::Start(Tail({"public.users"}, user));
    EXPECT_TRUE(child.ok());
    const auto ended = (*child)->Wait(kLimit);
    EXPECT_TRUE(ended.ok() && !ended->ok());
    return (*child)->error();
  };
  const std::string reader = said("reader");
  EXPECT_NE(reader.find("does not own public.users"), std::string::npos) << reader;
  EXPECT_NE(reader.find("GRANT CREATE ON DATABASE"), std::string::npos) << reader;
  EXPECT_NE(reader.find("stream --sink console"), std::string::npos) << reader;
  EXPECT_EQ(reader.find("nothing was dropped"), std::string::npos) << reader;
  const std::string owner = said("owner");
  EXPECT_NE(owner.find("REPLICATION"), std::string::npos) << owner;
  ExpectNothingLeft();
}

TEST_F(TailTest, AConnectionStringAmongThePatternsIsToldAndNotShown) {
  SubprocessOptions options;
  options.argv = {CommandPath(), "--log=json", "tail", "public.*", server_->conninfo() + " password=hunter2"};
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto child, Subprocess::Start(options));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const ExitState ended, child->Wait(kLimit));
  EXPECT_EQ(ended.code, 2) << child->error();
  EXPECT_NE(child->error().find("put it first"), std::string::npos) << child->error();
  EXPECT_EQ(child->error().find("hunter2"), std::string::npos) << child->error();
}

TEST_F(TailTest, AWrongWalLevelIsTold) {
  ASSERT_NO_FATAL_FAILURE(StartServer({.settings = {{"wal_level", "replica"}}}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto child, Subprocess::Start(Tail()));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const ExitState ended, child->Wait(kLimit));
  EXPECT_FALSE(ended.ok());
  EXPECT_NE(child->error().find("wal_level"), std::string::npos) << child->error();
  ExpectNothingLeft();
}

TEST_F(TailTest, ASlotThatWaitsForOthersCanBeLeft) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto other, server_->Connect());
  ARROWCDC_ASSERT_OK(other->Exec("BEGIN; SELECT pg_current_xact_id()"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto child, Subprocess::Start(Tail({"--plugin", "pgoutput"})));
  ARROWCDC_ASSERT_OK(WaitFor([&] { return Slots() == "1"; }, kLimit, "a slot that is being made"));
  const auto since = Clock::now();
  ARROWCDC_ASSERT_OK(child->Signal(SIGINT));
  ARROWCDC_ASSERT_OK(child->Wait(kLimit));
  EXPECT_LT(Clock::now() - since, kStopMax);
  ExpectNothingLeft();
}

class TailOnTerminalTest : public TailTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(TailOnTerminalTest, ATerminalGetsATableThatCannotSteerIt) {
  const std::string columns = GetParam();
  for (const std::string no_colour : {"", "1"}) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto child, Subprocess::Start(OnTerminal(columns, no_colour)));
    ARROWCDC_ASSERT_OK(WaitForOutput(*child, "Ctrl-C ends it"));
    const size_t logged = child->output().size();
    ARROWCDC_ASSERT_OK(
        sql_->Exec("INSERT INTO users VALUES (1, E'\\x1b[2J\\x07\\u009b31m\\u202e'), "
                   "(2, '日本語日本語日本語日本語日本語日本語日本語日本語日本語日本語')"));
    ARROWCDC_ASSERT_OK(sql_->Exec("DELETE FROM users"));
    ARROWCDC_ASSERT_OK(WaitFor([&] { return child->output().find("delete", logged) != std::string::npos; },
                               kLimit, "the deletes"));
    ASSERT_NO_FATAL_FAILURE(ExpectEndsClean(*child));
    std::string text = child->output().substr(logged);
    text.erase(text.rfind("delete") + 6);
    for (const char* sign : {"\033[2J", "\a", "\u009b", "\u202e"})
      EXPECT_EQ(text.find(sign), std::string::npos) << text;
    EXPECT_NE(text.find("日本語"), std::string::npos) << text;
    EXPECT_EQ(text.find("\033[32minsert\033[0m") != std::string::npos, no_colour.empty()) << text;
    EXPECT_EQ(text.find('\033') != std::string::npos, no_colour.empty()) << text;
    // Without what sets colours.
    for (size_t at; (at = text.find('\033')) != std::string::npos;)
      text.erase(at, text.find('m', at) + 1 - at);
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      if (line.ends_with('\r')) line.pop_back();
      EXPECT_LE(DisplayWidth(line), std::stoul(columns)) << line;
    }
    ExpectNothingLeft();
  }
}
INSTANTIATE_TEST_SUITE_P(Columns, TailOnTerminalTest, ::testing::Values("44", "80", "200"));

}  // namespace
}  // namespace arrowcdc::test
