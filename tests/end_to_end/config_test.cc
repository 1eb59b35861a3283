// A file of options, as the commands take it.
#include <csignal>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "tests/end_to_end/client.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/wait.h"

namespace arrowcdc::test {
namespace {

using std::chrono::seconds;

struct Outcome {
  int code = -1;
  std::string output;
  std::string error;
};

Outcome RunWith(std::vector<std::string> arguments, std::map<std::string, std::string> env = {}) {
  SubprocessOptions options;
  options.argv = std::move(arguments);
  options.argv.insert(options.argv.begin(), CommandPath());
  options.env = std::move(env);
  Outcome outcome;
  auto child = Subprocess::Start(std::move(options));
  EXPECT_TRUE(child.ok()) << child.status();
  const auto ended = (*child)->Wait(seconds(60));
  EXPECT_TRUE(ended.ok()) << ended.status();
  if (ended.ok()) outcome.code = ended->code;
  outcome.output = (*child)->output();
  outcome.error = (*child)->error();
  return outcome;
}

class ConfigTest : public ::testing::Test {
 protected:
  std::string Write(const std::string& text) {
    const std::string path = (directory_.path() / "shop.yaml").string();
    std::ofstream(path) << text;
    return path;
  }

  TemporaryDirectory directory_;
};

TEST_F(ConfigTest, OneFileServesAllCommands) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto server, PrivateServer::Create({}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto sql, server->Connect());
  ARROWCDC_ASSERT_OK(
      sql->Exec("CREATE TABLE users (id int PRIMARY KEY); CREATE TABLE other (id int PRIMARY KEY)"));
  const std::string files = (directory_.path() / "files").string();
  const std::string config = Write(
      "source:\n  source: ${SHOP}\n  slot: shop\n  tables: public.users\n"
      "sink: parquet:" +
      files + "\nlog: json\n");
  const std::map<std::string, std::string> env = {{"SHOP", server->conninfo()}};
  const Outcome setup = RunWith({"setup", "--config", config}, env);
  ASSERT_EQ(setup.code, 0) << setup.output << setup.error;
  EXPECT_EQ(sql->Scalar("SELECT slot_name FROM pg_replication_slots").ValueOr("?"), "shop");
  ARROWCDC_ASSERT_OK(sql->Exec("INSERT INTO users VALUES (1); INSERT INTO other VALUES (1)"));
  const Outcome streamed = RunWith({"stream", "--config", config, "--until", "now"}, env);
  ASSERT_EQ(streamed.code, 0) << streamed.error;
  EXPECT_TRUE(std::filesystem::exists(std::filesystem::path(files) / "public.users"));
  // What stands on the command line wins.
  const Outcome printed = RunWith(
      {"stream", "--config", config, "--until", "now", "--sink", "console:ndjson", "--snapshot", "initial"},
      env);
  EXPECT_EQ(printed.code, 0) << printed.error;
  EXPECT_NE(printed.output.find("\"id\":1"), std::string::npos) << printed.output;
  EXPECT_EQ(RunWith({"teardown", "--config", config, "--yes"}, env).code, 0);
}

TEST_F(ConfigTest, CheckSaysWhatIsSetAndNoSecret) {
  const std::string config = Write(
      "source: {host: db, password: gehe1m, slot: shop, tables: [a.*, b.*]}\n"
      "sink: {sink: 'parquet:x', roll-age: 5s}\n");
  const Outcome outcome = RunWith({"config", "check", config});
  EXPECT_EQ(outcome.code, 0) << outcome.error;
  EXPECT_NE(outcome.output.find("source.slot: shop\nsource.tables: a.* b.*\n"), std::string::npos)
      << outcome.output;
  EXPECT_NE(outcome.output.find("sink.roll-age: 5s\n"), std::string::npos) << outcome.output;
  EXPECT_EQ((outcome.output + outcome.error).find("gehe1m"), std::string::npos) << outcome.output;
}

TEST_F(ConfigTest, CheckFindsWhatIsWrong) {
  const Outcome unknown = RunWith({"config", "check", Write("source:\n  slto: shop\n")});
  EXPECT_EQ(unknown.code, 2);
  EXPECT_NE(unknown.error.find("line 2"), std::string::npos) << unknown.error;
  EXPECT_NE(unknown.error.find("the nearest is slot"), std::string::npos) << unknown.error;
  EXPECT_EQ(RunWith({"config", "check", Write("sink: kafka:x\n")}).code, 2);
  EXPECT_EQ(RunWith({"config", "check", Write("source: {tables: '['}\n")}).code, 2);
  EXPECT_NE(
      RunWith({"config", "check", (directory_.path() / "none.yaml").string()}).error.find("No such file"),
      std::string::npos);
  const Outcome directory = RunWith({"config", "check", directory_.path().string()});
  EXPECT_EQ(directory.code, 2) << directory.error;
  EXPECT_NE(directory.error.find("Is a directory"), std::string::npos) << directory.error;
  EXPECT_EQ(RunWith({"config", "check", Write("")}).code, 0) << "an empty file sets nothing";
  EXPECT_EQ(RunWith({"config", "check", (directory_.path() / "none.yaml").string()}).code, 2);
  EXPECT_EQ(RunWith({"config", "look", Write("")}).code, 2);
  EXPECT_NE(RunWith({"stream", "--config", Write("source: {slot: shop}\n")}).error.find("--sink is required"),
            std::string::npos);
}

// What a stream would refuse before it talks to a server.
TEST_F(ConfigTest, CheckReadsTheSource) {
  for (const char* source : {"'host=h password=a gehe1m'", "'postgresql://ann:gehe1m@h:port/db'",
                             "'mysql://ann:gehe1m@h:port/'", "{host: h, port: 99999}"}) {
    const Outcome outcome = RunWith({"config", "check", Write("source: " + std::string(source) + "\n")});
    EXPECT_EQ(outcome.code, 2) << source << outcome.output;
    EXPECT_EQ((outcome.output + outcome.error).find("gehe1m"), std::string::npos) << outcome.error;
  }
  const Outcome mysql = RunWith({"config", "check", Write("source: 'mysql://ann:gehe1m@h:1/'\n")});
  EXPECT_EQ(mysql.code, 0) << mysql.error;
}

TEST_F(ConfigTest, APasswordComesFromACommand) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(
      const auto server,
      PrivateServer::Create({.hba = "local all postgres trust\nlocal all cdc scram-sha-256\n"}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto sql, server->Connect());
  ARROWCDC_ASSERT_OK(sql->Exec("CREATE ROLE cdc LOGIN PASSWORD 'gehe1m'"));
  const std::string source = server->conninfo() + " user=cdc";
  const Outcome right = RunWith({"tables", "--source", source, "--password-command", "echo gehe1m"});
  EXPECT_EQ(right.code, 0) << right.error;
  const Outcome wrong = RunWith({"tables", "--source", source, "--password-command", "echo other"});
  EXPECT_EQ(wrong.code, 3) << wrong.error;
  const Outcome failed = RunWith({"tables", "--source", source, "--password-command", "echo gehe1m; false"});
  EXPECT_EQ(failed.code, 3) << "what it asks may be away, and a service tries again";
  EXPECT_EQ(failed.error.find("gehe1m"), std::string::npos) << failed.error;
  EXPECT_EQ(RunWith({"tables", "--source", source, "--password-command", "no-such-program-here"}).code, 2);
}

// A token that has run out when the connection is lost.
TEST_F(ConfigTest, ThePasswordCommandIsAskedAgain) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(
      const auto server,
      PrivateServer::Create({.hba = "local all postgres trust\nlocal replication postgres trust\nlocal "
                                    "all,replication cdc scram-sha-256\n"}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto sql, server->Connect());
  ARROWCDC_ASSERT_OK(sql->Exec(
      "CREATE TABLE users (id int PRIMARY KEY); CREATE ROLE cdc LOGIN REPLICATION PASSWORD 'gehe1m'"));
  ARROWCDC_ASSERT_OK(RunCommand(*server, "setup", {"--tables", "public.users"}));
  const auto token = directory_.path() / "token";
  std::ofstream(token) << "gehe1m\n";
  SubprocessOptions options;
  options.argv = {CommandPath(), "stream",       "--source",           server->conninfo() + " user=cdc",
                  "--tables",    "public.users", "--snapshot",         "never",
                  "--sink",      "console",      "--password-command", "cat " + token.string()};
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto stream, Subprocess::Start(std::move(options)));
  const auto expect_row = [&](const std::string& name) {
    ARROWCDC_ASSERT_OK(sql->Exec("INSERT INTO users VALUES (" + name + ")"));
    ARROWCDC_ASSERT_OK(
        WaitFor([&] { return stream->output().find(name) != std::string::npos; }, seconds(30), "the row"));
  };
  expect_row("1111");
  ARROWCDC_ASSERT_OK(sql->Exec("ALTER ROLE cdc PASSWORD 'gehe2m'"));
  std::filesystem::remove(token);  // for now there is no other one
  ARROWCDC_ASSERT_OK(sql->Query("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots"));
  ARROWCDC_ASSERT_OK(WaitFor([&] { return stream->error().find("exit code 1") != std::string::npos; },
                             seconds(30), "the command that fails"));
  std::ofstream(token) << "gehe2m\n";
  expect_row("2222");
  ARROWCDC_ASSERT_OK(stream->Signal(SIGINT));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto ended, stream->Wait(seconds(30)));
  EXPECT_EQ(ended.code, 0) << stream->error();
  EXPECT_EQ(stream->error().find("gehe"), std::string::npos) << stream->error();
}

}  // namespace
}  // namespace arrowcdc::test
