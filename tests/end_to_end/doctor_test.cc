// doctor against real servers: what it finds, and that it leaves nothing.
#include <algorithm>
#include <map>
#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/end_to_end/client.h"
#include "tests/testing/assert_ok.h"

namespace arrowcdc::test {
namespace {

using nlohmann::json;
using std::chrono::seconds;

struct Outcome {
  int code = -1;
  std::string output;
  std::string error;
};

class DoctorTest : public ::testing::Test {
 protected:
  void Start(std::map<std::string, std::string> settings = {}) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(server_, PrivateServer::Create({.settings = std::move(settings)}));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(sql_, server_->Connect());
    ARROWCDC_ASSERT_OK(sql_->Exec("CREATE TABLE users (id bigint PRIMARY KEY, name text)"));
  }

  Outcome Run(std::vector<std::string> arguments = {}, const std::string& role = "") {
    arguments.insert(arguments.begin(), {"--json", "--tables", "public.*"});
    Outcome outcome;
    SubprocessOptions command = Command(*server_, "doctor", std::move(arguments));
    for (std::string& word : command.argv) {
      if (!role.empty() && word == server_->conninfo()) word += " user=" + role;
    }
    auto child = Subprocess::Start(std::move(command));
    EXPECT_TRUE(child.ok()) << child.status();
    const auto ended = (*child)->Wait(seconds(60));
    EXPECT_TRUE(ended.ok()) << ended.status();
    if (ended.ok()) outcome.code = ended->code;
    outcome.output = (*child)->output();
    outcome.error = (*child)->error();
    return outcome;
  }

  // Those of a check, by level.
  static std::vector<json> Of(const Outcome& outcome, const std::string& check) {
    std::vector<json> found;
    std::istringstream lines(outcome.output);
    for (std::string line; std::getline(lines, line);) {
      json finding = json::parse(line);
      if (finding["check"] == check) found.push_back(std::move(finding));
    }
    return found;
  }

  std::unique_ptr<PrivateServer> server_;
  std::unique_ptr<SqlConnection> sql_;
};

TEST_F(DoctorTest, BeforeSetupItSaysWhatSetupWouldDoAndLeavesNothing) {
  ASSERT_NO_FATAL_FAILURE(Start());
  const Outcome outcome = Run();
  EXPECT_EQ(outcome.code, 0) << outcome.output << outcome.error;
  EXPECT_NE(outcome.output.find("not done yet: create slot"), std::string::npos) << outcome.output;
  EXPECT_EQ(sql_->Scalar("SELECT count(*) FROM pg_replication_slots").ValueOr("?"), "0");
  EXPECT_EQ(sql_->Scalar("SELECT count(*) FROM pg_publication").ValueOr("?"), "0");
}

TEST_F(DoctorTest, ASoundSetupHasNoProblemAndNoWarning) {
  ASSERT_NO_FATAL_FAILURE(Start({{"max_slot_wal_keep_size", "100GB"}}));
  ARROWCDC_ASSERT_OK(RunCommand(*server_, "setup", {"--tables", "public.*"}));
  const Outcome outcome = Run();
  EXPECT_EQ(outcome.code, 0) << outcome.output << outcome.error;
  EXPECT_EQ(outcome.output.find("\"problem\""), std::string::npos) << outcome.output;
  for (const json& finding : Of(outcome, "wal_retention")) EXPECT_EQ(finding["level"], "ok") << finding;
  for (const json& finding : Of(outcome, "slot_state")) EXPECT_EQ(finding["level"], "ok") << finding;
  ASSERT_EQ(Of(outcome, "plugin_version").size(), 1u) << outcome.output;
  EXPECT_EQ(Of(outcome, "plugin_version")[0]["level"], "ok") << outcome.output;
}

TEST_F(DoctorTest, AllThatIsInTheWayComesAtOnce) {
  ASSERT_NO_FATAL_FAILURE(Start({{"wal_level", "replica"}}));
  ARROWCDC_ASSERT_OK(sql_->Exec("CREATE TABLE journal (what text)"));
  const Outcome outcome = Run();
  EXPECT_EQ(outcome.code, 4) << outcome.output << outcome.error;
  ASSERT_EQ(Of(outcome, "server_setting").size(), 1u) << outcome.output;
  EXPECT_EQ(Of(outcome, "server_setting")[0]["sql"], "ALTER SYSTEM SET wal_level = 'logical'");
  ASSERT_EQ(Of(outcome, "replica_identity").size(), 1u) << outcome.output;
  EXPECT_NE(Of(outcome, "replica_identity")[0]["text"].get<std::string>().find("public.journal"),
            std::string::npos);
}

TEST_F(DoctorTest, TablesMadeLaterTransactionsAndLargeValues) {
  ASSERT_NO_FATAL_FAILURE(Start());
  ARROWCDC_ASSERT_OK(RunCommand(*server_, "setup", {"--tables", "public.*"}));
  ARROWCDC_ASSERT_OK(sql_->Exec("CREATE TABLE later (id int PRIMARY KEY, body text)"));
  ARROWCDC_ASSERT_OK(sql_->Exec("ALTER TABLE later ALTER body SET STORAGE EXTERNAL"));
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO later VALUES (1, repeat('x', 100000))"));
  const Outcome outcome = Run();
  EXPECT_EQ(outcome.code, 0) << outcome.output << outcome.error;
  ASSERT_EQ(Of(outcome, "toast").size(), 1u) << outcome.output;
  EXPECT_EQ(Of(outcome, "toast")[0]["object"], "table(s) public.later");
  EXPECT_NE(outcome.output.find("ALTER PUBLICATION \\\"arrowcdc\\\""), std::string::npos) << outcome.output;
  EXPECT_EQ(Of(outcome, "wal_retention")[0]["level"], "warning") << "there is no limit";
}

// What a role may not see is not taken for being in order.
TEST_F(DoctorTest, WhatTheRoleMayNotSeeIsUnknown) {
  ASSERT_NO_FATAL_FAILURE(Start());
  ARROWCDC_ASSERT_OK(
      sql_->Exec("CREATE ROLE cdc LOGIN REPLICATION; ALTER TABLE users ENABLE ROW LEVEL SECURITY; "
                 "GRANT SELECT ON users TO cdc; GRANT CREATE ON DATABASE postgres TO cdc"));
  const Outcome outcome = Run({}, "cdc");
  ASSERT_EQ(Of(outcome, "transactions").size(), 1u) << outcome.output << outcome.error;
  EXPECT_EQ(Of(outcome, "transactions")[0]["level"], "unknown");
  EXPECT_EQ(Of(outcome, "transactions")[0]["sql"], "GRANT pg_read_all_stats TO \"cdc\"");
  ASSERT_EQ(Of(outcome, "failover").size(), 1u) << outcome.output;
  EXPECT_EQ(Of(outcome, "failover")[0]["level"], "unknown");
  ASSERT_EQ(Of(outcome, "plugin_version").size(), 1u) << outcome.output;
  // A role that may make slots loads it by that.
  EXPECT_EQ(Of(outcome, "plugin_version")[0]["level"], "ok") << outcome.output;
  ASSERT_EQ(Of(outcome, "row_security").size(), 1u) << outcome.output;
  EXPECT_EQ(Of(outcome, "row_security")[0]["sql"], "ALTER ROLE \"cdc\" BYPASSRLS");
}

// The slot is there and was made by somebody else: the role's stream would be refused all the same.
TEST_F(DoctorTest, APluginThatTheRoleMayNotUseIsAProblemWithItsSlot) {
  ASSERT_NO_FATAL_FAILURE(Start());
  if (!sql_->Query("SHOW output_plugin_libraries").ok())
    GTEST_SKIP() << "this server has no output_plugin_libraries";
  const std::vector<std::string> plugins = {"wal2arrow", "pgoutput"};  // slots and roles are called so, too
  for (const std::string& plugin : plugins) {
    ARROWCDC_ASSERT_OK(
        RunCommand(*server_, "setup", {"--tables", "public.*", "--slot", plugin, "--plugin", plugin}));
    ARROWCDC_ASSERT_OK(sql_->Exec("CREATE ROLE " + plugin + " LOGIN REPLICATION"));
    ARROWCDC_ASSERT_OK(sql_->Exec("GRANT SELECT ON users TO " + plugin));
  }
  // For the server: what an ordinary role cannot see.
  ARROWCDC_ASSERT_OK(sql_->Exec("ALTER SYSTEM SET output_plugin_libraries = 'test_decoding'"));
  sql_.reset();
  ARROWCDC_ASSERT_OK(server_->Restart());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(sql_, server_->Connect());
  for (const std::string& plugin : plugins) {
    const std::vector<std::string> slot = {"--slot", plugin, "--plugin", plugin};
    const Outcome refused = Run(slot, plugin);
    EXPECT_EQ(refused.code, 4) << refused.output << refused.error;
    ASSERT_EQ(Of(refused, "plugin_not_allowed").size(), 1u) << refused.output;
    EXPECT_EQ(Of(refused, "plugin_not_allowed")[0]["object"], "plugin " + plugin);
    ARROWCDC_ASSERT_OK(
        sql_->Exec("ALTER ROLE " + plugin + " SET output_plugin_libraries = '" + plugin + "'"));
    const Outcome allowed = Run(slot, plugin);
    EXPECT_EQ(allowed.code, 0) << allowed.output << allowed.error;
  }
}

TEST_F(DoctorTest, NamesMoveNoTerminal) {
  ASSERT_NO_FATAL_FAILURE(Start());
  ARROWCDC_ASSERT_OK(sql_->Exec("CREATE TABLE \"a\033[31m\" (id int)"));
  for (const char* command : {"doctor", "setup", "tables"}) {
    std::vector<std::string> arguments = {"--tables", "public.*"};
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto child,
                                  Subprocess::Start(Command(*server_, command, std::move(arguments))));
    ARROWCDC_ASSERT_OK(child->Wait(seconds(60)));
    EXPECT_NE(child->output().find("a?[31m"), std::string::npos) << command << child->output();
    EXPECT_EQ(child->output().find("public.\"a\033"), std::string::npos) << command;
  }
}

TEST_F(DoctorTest, ASlotOverItsLimitIsAProblem) {
  ASSERT_NO_FATAL_FAILURE(
      Start({{"max_slot_wal_keep_size", "1MB"}, {"min_wal_size", "32MB"}, {"max_wal_size", "32MB"}}));
  ARROWCDC_ASSERT_OK(RunCommand(*server_, "setup", {"--tables", "public.*"}));
  for (int segment = 0; segment < 4; ++segment)
    ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO users VALUES (" + std::to_string(segment) + ", 'x')"));
  for (int segment = 0; segment < 4; ++segment) {
    ARROWCDC_ASSERT_OK(sql_->Exec("SELECT pg_logical_emit_message(false, 'x', 'x'); "));
    ARROWCDC_ASSERT_OK(sql_->Exec("SELECT pg_switch_wal()"));
  }
  ARROWCDC_ASSERT_OK(sql_->Exec("CHECKPOINT"));
  const Outcome outcome = Run();
  EXPECT_EQ(outcome.code, 5) << outcome.output << outcome.error;
  EXPECT_NE(outcome.output.find("\"problem\""), std::string::npos) << outcome.output;
}

TEST_F(DoctorTest, WithoutAServerItIsAnError) {
  ASSERT_NO_FATAL_FAILURE(Start());
  sql_.reset();
  ARROWCDC_ASSERT_OK(server_->Stop(StopMode::kFast));
  const Outcome outcome = Run();
  EXPECT_EQ(outcome.code, 3) << outcome.error;
  EXPECT_EQ(outcome.output, "");
}

}  // namespace
}  // namespace arrowcdc::test
