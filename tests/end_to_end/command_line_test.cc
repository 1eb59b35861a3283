// The command as a program among others: descriptors that are closed or full, and what it says of a command
// line that holds a password in the wrong place.
#include <algorithm>
#include <fstream>
#include <random>
#include <sstream>

#include <gtest/gtest.h>

#include "tests/end_to_end/client.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/seed.h"

namespace arrowcdc::test {
namespace {

using std::chrono::seconds;

constexpr seconds kLimit(60);

struct Outcome {
  int code = -1;
  std::string output;
  std::string error;
};

Outcome Finish(SubprocessOptions options) {
  Outcome outcome;
  auto child = Subprocess::Start(std::move(options));
  EXPECT_TRUE(child.ok()) << child.status();
  if (!child.ok()) return outcome;
  const auto ended = (*child)->Wait(kLimit);
  EXPECT_TRUE(ended.ok()) << ended.status() << (*child)->error();
  if (ended.ok()) outcome.code = ended->signal == 0 ? ended->code : 128 + ended->signal;
  outcome.output = (*child)->output();
  outcome.error = (*child)->error();
  return outcome;
}

std::string Quoted(const std::string& word) {
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

// The command line by a shell, with redirections behind it.
SubprocessOptions Shell(const SubprocessOptions& command, const std::string& redirections) {
  SubprocessOptions options = command;
  std::string line = "exec";
  for (const std::string& word : command.argv) line += " " + Quoted(word);
  options.argv = {"sh", "-c", line + " " + redirections};
  return options;
}

std::string Content(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class Descriptors : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    server_ = PrivateServer::Create({.settings = {{"max_replication_slots", "20"}}}).ValueOrDie().release();
    auto sql = server_->Connect().ValueOrDie();
    ARROWCDC_ASSERT_OK(sql->Exec("CREATE TABLE users (id bigint PRIMARY KEY, name text)"));
    ARROWCDC_ASSERT_OK(RunCommand(*server_, "setup", {"--tables", "public.users"}));
    ARROWCDC_ASSERT_OK(sql->Exec("CREATE TABLE more (id bigint PRIMARY KEY)"));  // for setup to do
    for (const char* slot : {"a", "b", "c", "d", "e", "f", "g", "h", "i"}) {
      ARROWCDC_ASSERT_OK(RunCommand(*server_, "setup", {"--slot", slot, "--tables", "public.users"}));
    }
    ARROWCDC_ASSERT_OK(sql->Exec("INSERT INTO users SELECT i, 'x' FROM generate_series(1, 1000) AS i"));
  }
  static void TearDownTestSuite() { delete server_; }

  static inline PrivateServer* server_ = nullptr;
  TemporaryDirectory files_;
};

// The same rows of two slots: the same bytes, whatever is closed.
TEST_F(Descriptors, AFileIsNotWrittenIntoByLogs) {
  const auto stream = [&](const std::string& slot, const std::string& redirections) {
    const std::string path = files_.path() / (slot + ".arrows");
    const Outcome outcome =
        Finish(Shell(Command(*server_, "stream",
                             {"--slot", slot, "--publication", "a", "--tables", "public.users", "--until",
                              "now", "--snapshot", "never", "--sink", "ipc:" + path}),
                     redirections));
    EXPECT_EQ(outcome.code, 0) << redirections << outcome.error;
    return Content(path);
  };
  const std::string right = stream("a", "");
  ASSERT_GT(right.size(), 8000u);
  const char* slots[] = {"b", "c", "d", "e", "f"};
  const char* closed[] = {">&- 2>&-", "2>&-", ">&-", "<&-", "<&- >&- 2>&-"};
  for (int i = 0; i < 5; ++i) EXPECT_EQ(stream(slots[i], closed[i]), right) << closed[i];
}

TEST_F(Descriptors, TheSocketIsNotWrittenIntoByLogs) {
  const char* slots[] = {"g", "h", "i"};
  const char* closed[] = {"2>&-", "<&- >&- 2>&-", ">&- 2>&-"};
  for (int i = 0; i < 3; ++i) {
    const std::string directory = files_.path() / slots[i];
    const Outcome outcome =
        Finish(Shell(Command(*server_, "stream",
                             {"--slot", slots[i], "--tables", "public.users", "--until", "now", "--snapshot",
                              "never", "--sink", "parquet:" + directory, "--verbose"}),
                     closed[i]));
    EXPECT_EQ(outcome.code, 0) << closed[i];
  }
}

TEST_F(Descriptors, OtherCommandsDiscardWhatNobodyWants) {
  for (const char* name : {"status", "tables"}) {
    for (const char* closed : {">&-", "2>&-", "<&- >&- 2>&-"}) {
      EXPECT_EQ(Finish(Shell(Command(*server_, name, {}), closed)).code, 0) << name << closed;
    }
  }
  EXPECT_EQ(Finish(Shell(Command(*server_, "setup", {"--slot", "closed", "--tables", "public.users"}),
                         "<&- >&- 2>&-"))
                .code,
            0);
}

TEST_F(Descriptors, ASinkOnAClosedStandardOutputIsRefused) {
  for (const char* sink : {"console", "console:table", "ipc:-"}) {
    const Outcome outcome = Finish(
        Shell(Command(*server_, "stream", {"--sink", sink, "--until", "now", "--ack=on-write"}), ">&-"));
    EXPECT_EQ(outcome.code, 2) << sink;
    EXPECT_NE(outcome.error.find("standard output is closed"), std::string::npos) << outcome.error;
  }
}

// The forms of values that are asked for reach the server, by both plugins.
TEST_F(Descriptors, FormsOfValues) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(auto sql, server_->Connect());
  ARROWCDC_ASSERT_OK(sql->Exec("CREATE TABLE forms (id int PRIMARY KEY, n numeric, at timestamp)"));
  for (const char* plugin : {"wal2arrow", "pgoutput"}) {
    const std::string slot = std::string("forms_") + plugin;
    ARROWCDC_ASSERT_OK(
        RunCommand(*server_, "setup", {"--slot", slot, "--tables", "public.forms", "--plugin", plugin}));
    ARROWCDC_ASSERT_OK(sql->Exec("TRUNCATE forms; INSERT INTO forms VALUES (1, 1.5, 'infinity')"));
    const auto stream = [&](std::vector<std::string> more) {
      more.insert(more.end(),
                  {"--slot", slot, "--tables", "public.forms", "--sink", "console:ndjson", "--until", "now"});
      return Finish(Command(*server_, "stream", std::move(more)));
    };
    const auto has = [](const Outcome& outcome, const std::string& text) {
      EXPECT_EQ(outcome.code, 0) << outcome.error;
      EXPECT_NE(outcome.output.find(text), std::string::npos) << text << " in " << outcome.output;
    };
    has(stream({}), "\"n\":\"1.5\"");
    has(stream({}), "\"_unrepresentable\":[\"at\"]");
    has(stream({"--numeric", "double"}), "\"n\":1.5");
    has(stream({"--unrepresentable", "text"}), "\"at\":\"infinity\"");
    const Outcome refused = stream({"--unrepresentable", "error"});
    EXPECT_NE(refused.code, 0);
    EXPECT_NE(refused.error.find("public.forms"), std::string::npos) << refused.error;
  }
}

// Also what came in one piece with it: whoever starts again and again would never get it.
TEST_F(Descriptors, WhatCommittedBeforeAnUnrepresentableValueComes) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(auto sql, server_->Connect());
  ARROWCDC_ASSERT_OK(
      sql->Exec("CREATE TABLE front_a (id int PRIMARY KEY, at timestamp);"
                "CREATE TABLE front_b (id int PRIMARY KEY)"));
  for (const char* plugin : {"wal2arrow", "pgoutput"}) {
    const std::string slot = std::string("front_") + plugin;
    ARROWCDC_ASSERT_OK(
        RunCommand(*server_, "setup", {"--slot", slot, "--tables", "public.front_*", "--plugin", plugin}));
    for (const char* change : {"INSERT INTO front_a VALUES (1, 'epoch')",
                               "INSERT INTO front_a VALUES (2, 'epoch')", "INSERT INTO front_b VALUES (1)",
                               "INSERT INTO front_a VALUES (3, 'epoch')", "INSERT INTO front_b VALUES (2)",
                               "BEGIN; INSERT INTO front_b VALUES (3);"
                               "INSERT INTO front_a VALUES (4, 'infinity'); COMMIT",
                               "INSERT INTO front_b VALUES (4)"})
      ARROWCDC_ASSERT_OK(sql->Exec(change));
    const Outcome refused =
        Finish(Command(*server_, "stream",
                       {"--slot", slot, "--tables", "public.front_*", "--sink", "console:ndjson",
                        "--unrepresentable", "error", "--until", "now"}));
    EXPECT_EQ(refused.code, 4) << refused.error;
    EXPECT_NE(refused.error.find("column at of table public.front_a"), std::string::npos) << refused.error;
    EXPECT_EQ(std::count(refused.output.begin(), refused.output.end(), '\n'), 5) << refused.output;
    ARROWCDC_ASSERT_OK(sql->Exec("TRUNCATE front_a, front_b"));
  }
}

TEST_F(Descriptors, AnOutputThatIsFullIsAnError) {
  const std::vector<std::vector<std::string>> commands = {
      {"status"},
      {"tables"},
      {"setup", "--print-sql", "--slot", "full", "--tables", "public.*"},
      {"setup", "--slot", "full", "--tables", "public.*"},
      {"teardown", "--print-sql", "--slot", "a"},
      {"teardown", "--slot", "a", "--yes"}};
  for (const auto& words : commands) {
    const Outcome outcome =
        Finish(Shell(Command(*server_, words[0], {words.begin() + 1, words.end()}), "> /dev/full"));
    EXPECT_EQ(outcome.code, 1) << words[0];
    EXPECT_NE(outcome.error.find("cannot write standard output: No space left"), std::string::npos)
        << outcome.error;
  }
  ARROWCDC_ASSERT_OK_AND_ASSIGN(auto sql, server_->Connect());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(
      const std::string slots,
      sql->Scalar(
          "SELECT string_agg(slot_name, ',') FROM pg_replication_slots WHERE slot_name IN ('a', 'full')"));
  EXPECT_EQ(slots, "a") << "nothing is changed that could not be shown";
  for (const char* option : {"--help", "--version"}) {
    SubprocessOptions options;
    options.argv = {CommandPath(), option};
    const Outcome outcome = Finish(Shell(options, "> /dev/full"));
    EXPECT_EQ(outcome.code, 1) << option;
    EXPECT_NE(outcome.error.find("standard output"), std::string::npos);
  }
}

// Neither a physical slot nor one of another database could be meant.
TEST_F(Descriptors, ASlotThatIsMissingNamesThoseThatAreThere) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto sql, server_->Connect());
  ARROWCDC_ASSERT_OK(sql->Query("SELECT pg_create_physical_replication_slot('standby')"));
  ARROWCDC_ASSERT_OK(sql->Exec("CREATE DATABASE elsewhere"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto other, SqlConnection::Connect(server_->conninfo("elsewhere")));
  ARROWCDC_ASSERT_OK(other->Query("SELECT pg_create_logical_replication_slot('theirs', 'pgoutput')"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(
      const std::string there,
      sql->Scalar(
          "SELECT string_agg(slot_name, ', ' ORDER BY slot_name COLLATE \"C\") FROM (SELECT slot_name "
          "FROM pg_replication_slots WHERE slot_name NOT IN ('standby', 'theirs') ORDER BY slot_name "
          "COLLATE \"C\" LIMIT 10) AS first"));
  ASSERT_NE(there.find("a, arrowcdc, b"), std::string::npos) << there;
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"stream", "--sink", "console", "--until", "now"}, {"status"}, {"add-tables", "public.more"}}) {
    std::vector<std::string> arguments(words.begin() + 1, words.end());
    arguments.insert(arguments.end(), {"--slot", "shpo"});
    const Outcome outcome = Finish(Command(*server_, words[0], arguments));
    EXPECT_EQ(outcome.code, 5) << outcome.error;
    EXPECT_NE((outcome.output + outcome.error).find("the database has " + there), std::string::npos)
        << there << "\n"
        << outcome.output << outcome.error;
    EXPECT_EQ((outcome.output + outcome.error).find("theirs"), std::string::npos) << outcome.error;
  }
}

TEST_F(Descriptors, APublicationThatIsMissingNamesThoseThatAreThere) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto sql, server_->Connect());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(
      const std::string there,
      sql->Scalar("SELECT string_agg(pubname, ', ') FROM (SELECT pubname FROM pg_publication "
                  "ORDER BY pubname COLLATE \"C\" LIMIT 10) AS first"));
  ASSERT_NE(there.find("arrowcdc"), std::string::npos) << there;
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"stream", "--sink", "console", "--until", "now"}, {"tables"}}) {
    std::vector<std::string> arguments(words.begin() + 1, words.end());
    arguments.insert(arguments.end(), {"--publication", "arrowdc"});
    const Outcome outcome = Finish(Command(*server_, words[0], arguments));
    EXPECT_EQ(outcome.code, 5) << outcome.error;
    EXPECT_NE(outcome.error.find("the database has " + there), std::string::npos) << there << outcome.error;
    EXPECT_EQ(outcome.error.find("teardown"), std::string::npos)
        << "nothing is to be lost by a misspelt name";
  }
}

// --- no source ---

TEST(NoSource, IsSaid) {
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"status"},
           {"tables"},
           {"setup", "--tables", "public.*"},
           {"stream", "--sink", "console", "--until", "now", "--retry-for", "0s"},
           {"tail", "", "public.*"}}) {
    SubprocessOptions options;
    options.argv = words;
    options.argv.insert(options.argv.begin(), CommandPath());
    options.env["PGHOST"] = "/nowhere";
    Outcome outcome = Finish(options);
    EXPECT_EQ(outcome.code, 3) << outcome.error;
    EXPECT_NE(outcome.error.find("no source was given (--source"), std::string::npos) << outcome.error;
    if (words[0] == "tail") continue;
    options.argv.insert(options.argv.end(), {"--source", "host=/nowhere"});
    outcome = Finish(options);
    EXPECT_EQ(outcome.code, 3) << outcome.error;
    EXPECT_EQ(outcome.error.find("no source was given"), std::string::npos) << outcome.error;
  }
}

// --- passwords ---

constexpr char kSecret[] = "gehe1m";

Outcome RunArguments(std::vector<std::string> arguments) {
  SubprocessOptions options;
  options.argv = std::move(arguments);
  options.argv.insert(options.argv.begin(), CommandPath());
  options.env["PGHOST"] = "/nowhere";
  return Finish(std::move(options));
}

std::string Joined(const std::vector<std::string>& arguments) {
  std::string line;
  for (const std::string& word : arguments) line += " " + Quoted(word);
  return line;
}

void ExpectRefusedWithoutSecret(const std::vector<std::string>& arguments) {
  const Outcome outcome = RunArguments(arguments);
  EXPECT_NE(outcome.code, 0) << Joined(arguments);
  EXPECT_FALSE(outcome.error.empty()) << Joined(arguments);
  EXPECT_EQ((outcome.output + outcome.error).find(kSecret), std::string::npos)
      << Joined(arguments) << "\n"
      << outcome.output << outcome.error;
}

TEST(Secrets, KnownMistakes) {
  const std::string uri = "postgresql://ann:gehe1m@h/db";
  for (const auto& arguments : std::vector<std::vector<std::string>>{
           {uri},
           {"stream", uri},
           {"stream", "--source", "host=h", "password=gehe1m", "--sink", "console"},
           {"stream", "--source", "password='ge", "gehe1m'", "--sink", "console"},
           {"stream", "--sorce", uri, "--sink", "console"},
           {"stream", "--sorce=" + uri, "--sink", "console"},
           {"stream", "--password", "gehe1m"},
           {"stream", "--gehe1m", "--sink", "console"},
           {"stream", "-gehe1m"},
           {"stream", "--tables", "public.*", uri, "--sink", "console"},
           {"stream", "--tables", "host=h", "password=gehe1m", "--sink", "console"},
           {"stream", "--sink", uri},
           {"stream", "--sink", "ann:gehe1m@h"},
           {"stream", "--sink", "console:" + uri},
           {"stream", "--sink", "console:ann:gehe1m@h"},
           {"stream", "--slot", uri, "--sink", "console"},
           {"stream", "--slot", "gehe1m@h", "--sink", "console"},
           {"stream", "--publication", uri, "--sink", "console"},
           {"stream", "--sink", "console", "--for", uri},
           {"stream", "--sink", "console", "--until", "password=gehe1m"},
           {"stream", "--sink", "console", "--roll-rows", "password=gehe1m"},
           {"stream", "--sink", "console", "--roll-rows", "gehe1m"},
           {"stream", "--sink", "console", "--ack", "gehe1m"},
           {"stream", "--sink", "console", "--accept-gap=gehe1m"},
           {"--log", "gehe1m", "stream"},
           {"status", "--source", "postgresql://ann:p@gehe1m@h/db"},
           {"status", "--source", "postgresql://ann:12/gehe1m@h/db"},
           {"status", "--source", "ann:gehe1m@h/db"},
           {"status", "--source", "mysql://ann:gehe1m@h/db"},
           {"status", "--source", "host=h password=a gehe1m"},
           {"status", "--source", "host=/nowhere sslmode=gehe1m"},
           {"status", "--source", "host=/nowhere connect_timeout=gehe1m"},
           {"status", "--source", "host=/nowhere keepalives_idle=gehe1m"},
           {"status", "--source", "user=u host=hpassword=gehe1m"},
           {"status", "--source", "host=/nowhere user=upassword=gehe1m"},
           {"tables", "--tables", "ann:gehe1m@h/db"},
           {"setup", "--tables", "x", "gehe1m@h/db"},
           {"gehe1m"},
           {"--gehe1m"},
           {"status", "--source", "host=/nowhere", "gehe1m"}}) {
    ExpectRefusedWithoutSecret(arguments);
  }
}

// Command lines of real words in any order, one of which is a connection string that came apart.
TEST(Secrets, RandomCommandLines) {
  std::mt19937_64 random(Seed());
  const auto one_of = [&](const std::vector<std::string>& words) { return words[random() % words.size()]; };
  const std::vector<std::string> options = {
      "--source",    "--slot",         "--tables",     "--publication", "--sink", "--until",
      "--for",       "--ack",          "--roll-bytes", "--roll-rows",   "--log",  "--buffer",
      "--retry-for", "--stop-timeout", "--progress",   "--sorce",       "-x",     "--compression",
      "--verbose",   "--accept-gap",   "--yes"};
  const std::vector<std::string> secrets = {"postgresql://ann:gehe1m@h/db",
                                            "postgres://ann:p@gehe1m@h/db",
                                            "postgresql://ann:a/gehe1m@h/db",
                                            "host=/nowhere password=gehe1m",
                                            "password=gehe1m",
                                            "password='x gehe1m'",
                                            "ann:gehe1m@h/db",
                                            "mysql://ann:gehe1m@h",
                                            "user=ann password = gehe1m",
                                            "postgresql:///db?password=gehe1m&x=1",
                                            "sslpassword=gehe1m host=/nowhere",
                                            "postgresql://ann:gehe1m@/db?host=/nowhere"};
  for (int round = 0; round < 150; ++round) {
    std::vector<std::string> arguments = {
        one_of({"stream", "status", "tables", "setup", "teardown", "strem"})};
    const size_t place = random() % 4;
    for (size_t i = 0; i < 4; ++i) {
      if (random() % 4 != 0) arguments.push_back(one_of(options));
      if (i != place) {
        if (random() % 2 == 0)
          arguments.push_back(one_of({"public.*", "console", "5s", "64MiB", "cdc", "now", "auto"}));
        continue;
      }
      std::string secret = one_of(secrets);
      if (random() % 3 == 0 && arguments.back().starts_with("--")) {
        arguments.back() += "=" + secret;
      } else if (random() % 2 == 0) {  // as the shell does without quotes
        std::istringstream words(secret);
        for (std::string word; words >> word;) arguments.push_back(word);
      } else {
        arguments.push_back(secret);
      }
    }
    const Outcome outcome = RunArguments(arguments);
    ASSERT_EQ((outcome.output + outcome.error).find(kSecret), std::string::npos)
        << Joined(arguments) << "\n"
        << outcome.output << outcome.error;
    ASSERT_NE(outcome.code, 0) << Joined(arguments);
  }
}

}  // namespace
}  // namespace arrowcdc::test
