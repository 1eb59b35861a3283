// The command on MySQL and MariaDB: rows that were there and all changes, once each, whatever is killed.
#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <algorithm>
#include <random>
#include <regex>
#include <set>
#include <thread>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/end_to_end/mysql_fixture.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/seed.h"
#include "tests/testing/wait.h"

namespace arrowcdc::test {
namespace {

INSTANTIATE_TEST_SUITE_P(All, MysqlTest, testing::Values(Flavor::kMysql, Flavor::kMariadb), FlavorName);

TEST_P(MysqlTest, DoctorSaysWhatIsFound) {
  ARROWCDC_ASSERT_OK(server_->Run({"CREATE TABLE shop.t (k int PRIMARY KEY)"}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(
      const string output,
      RunProgram(Command("doctor", {"--json", "--source", server_->url(), "--tables", "shop.*"})));
  size_t ok = 0;
  std::istringstream lines(output);
  for (string line; std::getline(lines, line);) {
    const auto finding = nlohmann::json::parse(line, nullptr, false);
    ASSERT_TRUE(finding.is_object()) << line;
    EXPECT_NE(finding["level"], "problem") << line;
    ok += finding["level"] == "ok" ? 1 : 0;
  }
  EXPECT_GT(ok, 0u);
}

// What it says to run is what helps.
TEST_P(MysqlTest, DoctorSaysWhatWillHurt) {
  const bool is_mysql = GetParam() == Flavor::kMysql;
  ARROWCDC_ASSERT_OK(server_->Run(
      {"CREATE TABLE shop.t (k int PRIMARY KEY)", "CREATE TABLE shop.`no key` (k int)",
       "CREATE TABLE shop.old (k int PRIMARY KEY) ENGINE = MyISAM", "SET GLOBAL sync_binlog = 0",
       "SET GLOBAL binlog_expire_logs_seconds = 3600", "SET GLOBAL binlog_row_image = 'MINIMAL'"}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(auto other, server_->Connect());
  for (const char* statement : {"XA START 'a''b', 'c', 7", "INSERT INTO shop.t VALUES (1)",
                                "XA END 'a''b', 'c', 7", "XA PREPARE 'a''b', 'c', 7"})
    ARROWCDC_ASSERT_OK(other->Query(statement).status());
  other.reset();  // what is prepared stays
  if (is_mysql) ARROWCDC_ASSERT_OK(server_->Run({"SET GLOBAL binlog_row_value_options = 'PARTIAL_JSON'"}));
  using Json = nlohmann::json;
  const auto examine = [&](const string& url) {
    std::vector<Json> findings;
    const auto output = RunProgram(Command("doctor", {"--json", "--source", url, "--tables", "shop.*"}));
    EXPECT_TRUE(output.ok()) << output.status();
    std::istringstream lines(output.ValueOr(""));
    for (string line; std::getline(lines, line);) findings.push_back(Json::parse(line, nullptr, false));
    return findings;
  };
  std::multiset<string> warned;
  Strings statements;
  for (const Json& finding : examine(server_->url())) {
    if (finding["level"] != "warning") continue;
    warned.insert(finding["check"]);
    std::istringstream sql(finding["sql"].get<string>() + "; ");
    for (string text = sql.str(); !text.empty() && text != "; "; text.erase(0, text.find("; ") + 2))
      statements.push_back(text.substr(0, text.find("; ")));
  }
  std::multiset<string> wanted = {"binlog", "binlog", "log_retention", "prepared_transactions",
                                  "tables", "tables"};
  if (is_mysql) wanted.insert("binlog");
  EXPECT_EQ(warned, wanted);
  for (const string& statement : statements) ARROWCDC_EXPECT_OK(server_->Run({statement}));
  Strings left;
  for (const Json& finding : examine(server_->url())) {
    if (finding["level"] == "warning") left.push_back(finding["text"]);
  }
  ASSERT_EQ(left.size(), 1u);
  EXPECT_NE(left[0].find("`no key` ADD PRIMARY KEY"), string::npos) << left[0];
  // Of what an account may not see it says so.
  ARROWCDC_ASSERT_OK(
      server_->Run({"CREATE USER 'cdc'@'%' IDENTIFIED BY 'x'",
                    string("GRANT SELECT, REPLICATION SLAVE, ") +
                        (is_mysql ? "REPLICATION CLIENT" : "BINLOG MONITOR") + " ON *.* TO 'cdc'@'%'"}));
  const string url = server_->url_as("cdc", "x", "ssl-mode=preferred");
  Strings grants;
  for (const Json& finding : examine(url)) {
    if (finding["level"] == "unknown") grants.push_back(finding["sql"]);
  }
  Strings wanted_grants = {"GRANT PROCESS ON *.* TO 'cdc'@'%'"};
  if (is_mysql) wanted_grants.insert(wanted_grants.begin(), "GRANT XA_RECOVER_ADMIN ON *.* TO 'cdc'@'%'");
  EXPECT_EQ(grants, wanted_grants);
  ARROWCDC_ASSERT_OK(server_->Run(grants));
  for (const Json& finding : examine(url)) EXPECT_NE(finding["level"], "unknown") << finding;
}

// What commits from its start on, with nothing made for it.
TEST_P(MysqlTest, TailShowsWhatChanges) {
  ARROWCDC_ASSERT_OK(server_->Run(
      {"CREATE TABLE shop.t (k int PRIMARY KEY, s varchar(20))", "INSERT INTO shop.t VALUES (1, 'before')"}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto child,
                                Subprocess::Start(Command("tail", {server_->url(), "shop.*"})));
  ARROWCDC_ASSERT_OK(child->WaitForError("\"streaming\"", seconds(60)));
  ARROWCDC_ASSERT_OK(server_->Run({"INSERT INTO shop.t VALUES (2, 'now')"}));
  ARROWCDC_ASSERT_OK(
      WaitFor([&] { return child->output().find('\n') != string::npos; }, seconds(60), "a row"));
  const auto row = nlohmann::json::parse(child->output(), nullptr, false);
  ASSERT_TRUE(row.is_object()) << child->output();
  EXPECT_EQ(row["_op"], "insert");
  EXPECT_EQ(row["k"], 2);
  EXPECT_EQ(row["s"], "now");
  ARROWCDC_ASSERT_OK(child->Signal(SIGINT));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const ExitState ended, child->Wait(seconds(60)));
  EXPECT_TRUE(ended.ok()) << child->error();
}

// One connection's random transactions, until it is told to end.
class Writer {
 public:
  Writer(std::shared_ptr<mysql::Connection> connection, uint64_t seed, int number)
      : thread_([this, connection = std::move(connection), random = std::mt19937_64(seed), number]() mutable {
          for (int i = 0; !stop_; ++i) Write(*connection, random, number, i);
        }) {}
  ~Writer() {
    stop_ = true;
    thread_.join();
  }

 private:
  static void Write(mysql::Connection& connection, std::mt19937_64& random, int number, int i) {
    const string table = string("shop.") + "ab"[random() % 2];
    const string k = std::to_string(random() % 2000 * 4 + static_cast<uint64_t>(number));
    const auto run = [&](const string& sql) { (void)connection.Query(sql); };
    run("BEGIN");
    const uint64_t statements = random() % 4 + 1;
    for (uint64_t s = 0; s < statements; ++s) {
      switch (random() % 5) {
        case 0:
          run("DELETE FROM " + table + " WHERE k = " + k);
          break;
        case 1:
          run("UPDATE " + table + " SET n = n + 1, s = NULL WHERE k BETWEEN " + k + " AND " + k + " + 40");
          break;
        case 2:
          run("SAVEPOINT p");
          run("UPDATE " + table + " SET n = -1 WHERE k = " + k);
          run("ROLLBACK TO p");
          break;
        default:
          run("REPLACE INTO " + table + " VALUES (" + k + ", " + std::to_string(i) + ", 'r\xc3\xb6w " + k +
              "')");
      }
    }
    run(random() % 6 == 0 ? "ROLLBACK" : "COMMIT");
  }

  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

TEST_P(MysqlTest, RowsAndChangesOnceWhateverIsKilled) {
  std::mt19937_64 random(Seed());
  for (const char* table : {"a", "b"}) {
    const string name = string("shop.") + table;
    ARROWCDC_ASSERT_OK(
        server_->Run({"CREATE TABLE " + name + " (k BIGINT PRIMARY KEY, n INT, s VARCHAR(200))",
                      "INSERT INTO " + name +
                          " WITH RECURSIVE r AS (SELECT 0 AS k UNION ALL SELECT k + 1 FROM r WHERE k < 900) "
                          "SELECT k * 9, k, "
                          "REPEAT('x', 90) FROM r"}));
  }
  {
    std::vector<std::unique_ptr<Writer>> writers;
    for (int w = 0; w < 3; ++w) {
      ARROWCDC_ASSERT_OK_AND_ASSIGN(std::shared_ptr<mysql::Connection> connection, server_->Connect());
      writers.push_back(std::make_unique<Writer>(std::move(connection), random(), w));
    }
    for (int round = 0; round < 8; ++round) {
      ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto stream, Subprocess::Start(Stream({"--roll-age", "100ms"})));
      const auto ended = stream->Wait(milliseconds(50 + random() % 1500));
      ASSERT_FALSE(ended.ok()) << stream->error();
      if (round == 5) {
        // One that is stopped before it streams says so.
        ARROWCDC_ASSERT_OK(
            WaitFor([&] { return stream->error().find("\"event\":\"streaming\"") != string::npos; },
                    seconds(60), "the stream"));
        ARROWCDC_ASSERT_OK(stream->Signal(SIGTERM));
        ARROWCDC_ASSERT_OK_AND_ASSIGN(const ExitState state, stream->Wait(seconds(60)));
        EXPECT_TRUE(state.ok()) << stream->error();
      } else {
        stream->Kill();
      }
    }
  }
  ARROWCDC_ASSERT_OK(RunProgram(Stream({"--until", "now"})).status());
  ExpectSame("a");
  ExpectSame("b");
  ExpectNothingTwice();
}

TEST_P(MysqlTest, ATableThatComesLater) {
  ARROWCDC_ASSERT_OK(
      server_->Run({"CREATE TABLE shop.a (k INT PRIMARY KEY)", "INSERT INTO shop.a VALUES (1)"}));
  ARROWCDC_ASSERT_OK(RunProgram(Stream({"--until", "now"})).status());
  ARROWCDC_ASSERT_OK(server_->Run({"CREATE TABLE shop.later (k INT PRIMARY KEY, d DATE)",
                                   "INSERT INTO shop.later VALUES (1, '2024-02-29'), (2, NULL)",
                                   "DELETE FROM shop.later WHERE k = 2", "INSERT INTO shop.a VALUES (2)"}));
  ARROWCDC_ASSERT_OK(RunProgram(Stream({"--until", "now"})).status());
  ExpectSame("a");
  ExpectSame("later");
  ARROWCDC_ASSERT_OK(
      server_->Run({"TRUNCATE TABLE shop.later", "ALTER TABLE shop.a ADD COLUMN n INT DEFAULT 5",
                    "INSERT INTO shop.a VALUES (3, 7)"}));
  ARROWCDC_ASSERT_OK(RunProgram(Stream({"--until", "now"})).status());
  ExpectSame("later");
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto rows, Current("a"));
  EXPECT_EQ(rows, (std::multiset<string>{"1|~", "2|~", "3|7"}));  // the default is in no log
}

// Tables that are dropped and made again, in a stream or while there is none, have no rows of before.
// No slot keeps the place of a stream that has had no rows: the sink does.
TEST_P(MysqlTest, GoesOnFromWhereItBeganWithoutRows) {
  ARROWCDC_ASSERT_OK(server_->Run({"CREATE TABLE shop.t (k INT PRIMARY KEY)"}));
  for (int k = 1; k <= 2; ++k) {
    (void)Ends({"--snapshot", "never"}, 0);
    ARROWCDC_ASSERT_OK(server_->Run({"INSERT INTO shop.t VALUES (" + std::to_string(k) + ")"}));
  }
  (void)Ends({"--snapshot", "never"}, 0);
  ExpectSame("t");
  ExpectNothingTwice();
}

TEST_P(MysqlTest, DroppedAndMadeAgain) {
  const auto follow = [&](const Strings& statements, const Strings& tables) {
    ARROWCDC_ASSERT_OK(server_->Run(statements));
    ARROWCDC_ASSERT_OK(RunProgram(Stream({"--until", "now"})).status());
    SCOPED_TRACE(statements.front());
    for (const string& table : tables) ExpectSame(table);
  };
  const string d = "(k INT, s VARCHAR(9))";
  follow({"CREATE TABLE shop.a (k INT PRIMARY KEY)", "INSERT INTO shop.a VALUES (1), (2)",
          "CREATE TABLE shop.b (k INT PRIMARY KEY)", "INSERT INTO shop.b VALUES (1)",
          "CREATE TABLE shop.d " + d, "INSERT INTO shop.d VALUES (1, 'x'), (1, 'x')"},
         {"a", "b", "d"});
  // No row of b has come since the stream began.
  follow({"INSERT INTO shop.a VALUES (3)", "DROP TABLE shop.a, shop.b, shop.d",
          "CREATE TABLE shop.a (k INT, n INT PRIMARY KEY)", "INSERT INTO shop.a VALUES (2, 5)",
          "CREATE TABLE shop.b (k INT PRIMARY KEY)", "INSERT INTO shop.b VALUES (7)",
          "CREATE TABLE shop.d " + d, "INSERT INTO shop.d VALUES (1, 'x')"},
         {"a", "b", "d"});
  // A temporary table that hides it; one that is there.
  follow({"CREATE TEMPORARY TABLE shop.a (k INT PRIMARY KEY)", "DROP TABLE shop.a",
          "CREATE TEMPORARY TABLE shop.b (k INT PRIMARY KEY)", "DROP TEMPORARY TABLE shop.b",
          "CREATE TABLE IF NOT EXISTS shop.a (k INT PRIMARY KEY)", "INSERT INTO shop.a VALUES (4, 4)"},
         {"a", "b", "d"});
  follow({"RENAME TABLE shop.a TO shop.former", "CREATE TABLE shop.a (k INT PRIMARY KEY)",
          "INSERT INTO shop.a VALUES (9)", "CREATE TABLE IF NOT EXISTS shop.a (k INT PRIMARY KEY)",
          "INSERT INTO shop.former VALUES (5, 6)"},
         {"a", "b", "d", "former"});
  // The same with a stop in between: the name that was lost is stored with the position.
  follow({"RENAME TABLE shop.a TO shop.earlier"}, {"b", "d", "former", "earlier"});
  follow({"INSERT INTO shop.b VALUES (70)"}, {"b"});
  follow({"CREATE TABLE shop.a (k INT PRIMARY KEY)", "INSERT INTO shop.a VALUES (10)"},
         {"a", "b", "d", "former", "earlier"});
  // The log names the database alone.
  follow({"DROP DATABASE shop", "CREATE DATABASE shop", "CREATE TABLE shop.a (k INT PRIMARY KEY)",
          "INSERT INTO shop.a VALUES (1)", "CREATE TABLE IF NOT EXISTS shop.b (k INT PRIMARY KEY)",
          "INSERT INTO shop.b VALUES (2)", "CREATE TABLE IF NOT EXISTS shop.b (k INT PRIMARY KEY)"},
         {"a", "b"});
  // Of one that is not there when the stream goes on.
  follow({"DROP TABLE shop.b", "DROP TABLE IF EXISTS shop.never"}, {"a"});
  follow({"CREATE TABLE shop.b (k INT PRIMARY KEY)", "INSERT INTO shop.b VALUES (3)"}, {"a", "b"});
  // Nothing but the truncation says anything of it, in a stream that has met none of its rows.
  follow({"TRUNCATE TABLE shop.b", "INSERT INTO shop.a VALUES (8)"}, {"a", "b"});
  follow({"TRUNCATE TABLE shop.a", "DROP TABLE shop.b", "CREATE TABLE shop.b (k INT PRIMARY KEY)"},
         {"a", "b"});
  if (GetParam() == Flavor::kMysql) return;
  // MariaDB logs that a temporary table gets another name as if it were the one that it hides.
  follow({"CREATE TEMPORARY TABLE shop.a (k INT PRIMARY KEY)", "RENAME TABLE shop.a TO shop.hidden",
          "CREATE TABLE IF NOT EXISTS shop.a (k INT PRIMARY KEY)", "INSERT INTO shop.a VALUES (30)",
          "DROP TEMPORARY TABLE shop.hidden"},
         {"a", "b"});
  follow({"CREATE OR REPLACE TABLE shop.a (k INT PRIMARY KEY, n INT)", "INSERT INTO shop.a VALUES (1, 2)",
          "CREATE OR REPLACE TABLE shop.b AS SELECT 6 AS k", "CREATE OR REPLACE SEQUENCE shop.q"},
         {"a"});
}

// The log has the changes of all tables, and the catalog those that the account may read.
TEST_P(MysqlTest, ATableThatMayNotBeReadIsSaid) {
  const bool is_mysql = GetParam() == Flavor::kMysql;
  ARROWCDC_ASSERT_OK(
      server_->Run({"CREATE TABLE shop.a (k INT PRIMARY KEY)", "CREATE TABLE shop.hidden (k INT PRIMARY KEY)",
                    "INSERT INTO shop.hidden VALUES (1)", "CREATE USER 'cdc'@'%' IDENTIFIED BY 'x'",
                    is_mysql ? "GRANT REPLICATION SLAVE, REPLICATION CLIENT, RELOAD ON *.* TO 'cdc'@'%'"
                             : "GRANT REPLICATION SLAVE, BINLOG MONITOR ON *.* TO 'cdc'@'%'",
                    "GRANT SELECT ON shop.a TO 'cdc'@'%'"}));
  const auto stream_as_cdc = [&](const Strings& more) {
    Strings arguments = {"--source", server_->url_as("cdc", "x", "ssl-mode=preferred"),
                         "--tables", "shop.*",
                         "--sink",   "parquet:" + Directory()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Command("stream", arguments);
  };
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto stream, Subprocess::Start(stream_as_cdc({"--roll-age", "100ms"})));
  const auto times = [&](const string& text) {
    const string all = stream->error();
    size_t count = 0;
    for (size_t at = all.find(text); at != string::npos; at = all.find(text, at + 1)) ++count;
    return count;
  };
  const auto says = [&](const string& text) {
    return WaitFor([&] { return times(text) > 0; }, seconds(90), text);
  };
  ARROWCDC_ASSERT_OK(says("\"streaming\""));
  ARROWCDC_ASSERT_OK(server_->Run({"INSERT INTO shop.hidden VALUES (2)"}));
  ARROWCDC_ASSERT_OK(says("the server does not list it"));
  // Once, and the changes come.
  for (const char* k : {"3", "4"}) {
    ARROWCDC_ASSERT_OK(server_->Run({string("INSERT INTO shop.hidden VALUES (") + k + ")"}));
    ARROWCDC_ASSERT_OK(WaitFor(
        [&] {
          const auto rows = Current("hidden");
          return rows.ok() && rows->contains(k);
        },
        seconds(90), "the row"));
  }
  EXPECT_EQ(times("the server does not list it"), 1u);
  EXPECT_EQ(times("its first change came after"), 1u);
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto changes, Current("hidden"));
  EXPECT_EQ(changes, (std::multiset<string>{"2", "3", "4"}));
  const string copied = "all rows that were there before are copied";
  const size_t copies = times(copied);
  ARROWCDC_ASSERT_OK(server_->Run({"GRANT SELECT ON shop.hidden TO 'cdc'@'%'"}));
  if (is_mysql) {  // with the next start, or by itself
    ARROWCDC_ASSERT_OK(stream->Signal(SIGINT));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const ExitState ended, stream->Wait(seconds(60)));
    EXPECT_TRUE(ended.ok()) << stream->error();
    ARROWCDC_ASSERT_OK(RunProgram(stream_as_cdc({"--until", "now"})).status());
  } else {
    ARROWCDC_ASSERT_OK(WaitFor([&] { return times(copied) > copies; }, seconds(120), "the copy"));
    ARROWCDC_ASSERT_OK(stream->Signal(SIGINT));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const ExitState ended, stream->Wait(seconds(60)));
    EXPECT_TRUE(ended.ok()) << stream->error();
  }
  ExpectSame("hidden");
}

TEST_P(MysqlTest, SetupSaysWhatIsInTheWay) {
  ARROWCDC_ASSERT_OK(server_->Run(
      {"CREATE TABLE shop.a (k INT PRIMARY KEY)", "SET GLOBAL binlog_row_metadata = 'MINIMAL'"}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto setup,
                                Subprocess::Start(Command("setup", {"--source", server_->url()})));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const ExitState state, setup->Wait(seconds(30)));
  EXPECT_EQ(state.code, 4) << setup->error();
  EXPECT_NE(setup->output().find("binlog_row_metadata"), string::npos) << setup->output();
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const string sql,
                                RunProgram(Command("setup", {"--source", server_->url(), "--print-sql"})));
  ARROWCDC_ASSERT_OK(server_->Run({sql.substr(0, sql.find(';'))}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const string after,
                                RunProgram(Command("setup", {"--source", server_->url()})));
  EXPECT_NE(after.find("a stream can begin"), string::npos) << after;
  ARROWCDC_ASSERT_OK(server_->Run({"CREATE TABLE shop.old (k INT PRIMARY KEY) ENGINE = MyISAM"}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const string not_copied,
                                RunProgram(Command("setup", {"--source", server_->url()})));
  EXPECT_EQ(not_copied.find("a stream can begin"), string::npos) << not_copied;
  EXPECT_NE(not_copied.find("begin without the rows that are there"), string::npos) << not_copied;
  ARROWCDC_ASSERT_OK_AND_ASSIGN(
      const string tables, RunProgram(Command("tables", {"--source", server_->url(), "--tables", "shop.*"})));
  EXPECT_NE(tables.find("shop.a"), string::npos) << tables;
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const string status,
                                RunProgram(Command("status", {"--source", server_->url()})));
  EXPECT_NE(status.find("binlog.0"), string::npos) << status;
}

// Whatever happens to a stream has an event of its name; each line says when, and of which stream.
TEST_P(MysqlTest, TellsTheStory) {
  ARROWCDC_ASSERT_OK(
      server_->Run({"CREATE TABLE shop.a (k INT PRIMARY KEY)", "INSERT INTO shop.a VALUES (1)"}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(
      const auto stream,
      Subprocess::Start(
          Command("stream", {"--source", server_->url_as("root", "", "ssl-mode=disabled"), "--tables",
                             "shop.a", "shop.l*", "--sink", "parquet:" + Directory(), "--roll-age", "1s"})));
  const auto has = [&](const string& event, const string& of) {
    const Strings lines = stream->ErrorLines();
    return std::any_of(lines.begin(), lines.end(), [&](const string& line) {
      return line.find("\"event\":\"" + event + "\"") != string::npos && line.find(of) != string::npos;
    });
  };
  const auto tells = [&](const string& event, const string& of) {
    return WaitFor([&] { return has(event, of); }, seconds(60), event + " of " + of);
  };
  for (const char* event : {"sink_chosen", "copy_begins", "table_copied", "copied", "streaming"})
    ARROWCDC_ASSERT_OK(tells(event, ""));
  ARROWCDC_ASSERT_OK(server_->Run({"INSERT INTO shop.a VALUES (2)"}));
  ARROWCDC_ASSERT_OK(tells("file_closed", "shop.a"));
  ARROWCDC_ASSERT_OK(
      server_->Run({"ALTER TABLE shop.a ADD s VARCHAR(9)", "INSERT INTO shop.a VALUES (3, 'x')"}));
  ARROWCDC_ASSERT_OK(tells("schema_change", "shop.a"));
  ARROWCDC_ASSERT_OK(
      server_->Run({"CREATE TABLE shop.later (k INT PRIMARY KEY)", "INSERT INTO shop.later VALUES (1)"}));
  ARROWCDC_ASSERT_OK(tells("table_appeared", "shop.later"));
  ARROWCDC_ASSERT_OK(
      server_->Run({"CREATE TABLE shop.other (k INT PRIMARY KEY)", "INSERT INTO shop.other VALUES (1)"}));
  ARROWCDC_ASSERT_OK(tells("passed_over", "shop.other"));
  ARROWCDC_ASSERT_OK(server_->Run({"RENAME TABLE shop.a TO shop.lasting"}));
  ARROWCDC_ASSERT_OK(tells("ddl_seen", "shop.a"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(
      const auto dumps,
      server_->Query("SELECT id FROM information_schema.processlist WHERE command LIKE 'Binlog Dump%'"));
  ASSERT_EQ(dumps.size(), 1u);
  ARROWCDC_ASSERT_OK(server_->Run({"KILL " + dumps[0][0].value_or("")}));
  ARROWCDC_ASSERT_OK(tells("connection_lost", ""));
  ARROWCDC_ASSERT_OK(tells("reconnected", ""));
  ARROWCDC_ASSERT_OK(stream->Signal(SIGTERM));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const ExitState ended, stream->Wait(seconds(60)));
  ASSERT_TRUE(ended.ok()) << stream->error();
  EXPECT_FALSE(has("table_appeared", "shop.a\"")) << stream->error();
  const std::regex time("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z");
  for (const string& line : stream->ErrorLines()) {
    const auto object = nlohmann::json::parse(line);
    EXPECT_TRUE(std::regex_match(object["time"].get<string>(), time)) << line;
    EXPECT_EQ(object["source"], "mysql://127.0.0.1:" + std::to_string(server_->port())) << line;
    EXPECT_EQ(object["sink"], "parquet " + std::filesystem::canonical(Directory()).string()) << line;
  }
}

// Nothing is lost, nothing comes, and it is said what to do, until there is room.
TEST_P(MysqlTest, WhereTheSpoolHasNoRoomItIsSaid) {
  ARROWCDC_ASSERT_OK(server_->Run({"CREATE TABLE shop.big (k INT PRIMARY KEY, b LONGBLOB)"}));
  const std::filesystem::path spool = files_.path() / "spool";
  ARROWCDC_ASSERT_OK_AND_ASSIGN(
      const auto stream, Subprocess::Start(Stream({"--http", "127.0.0.1:0", "--buffer", "1MiB", "--spool-dir",
                                                   spool.string(), "--snapshot", "never"})));
  ARROWCDC_ASSERT_OK(stream->WaitForError("\"streaming\"", seconds(60)));
  const int port = HttpPort(stream->error());
  ASSERT_NE(port, 0) << stream->error();
  const auto big = [&](int first) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto other, server_->Connect());
    Strings statements = {"XA START 'x'"};
    for (int k = first; k < first + 40; ++k)
      statements.push_back("INSERT INTO shop.big VALUES (" + std::to_string(k) + ", REPEAT('x', 100000))");
    for (const char* end : {"XA END 'x'", "XA PREPARE 'x'", "XA COMMIT 'x'"}) statements.emplace_back(end);
    for (const string& statement : statements) ARROWCDC_ASSERT_OK(other->Query(statement).status());
  };
  ASSERT_NO_FATAL_FAILURE(big(0));
  const auto times = [&] {
    const Strings lines = stream->ErrorLines();
    return std::count_if(lines.begin(), lines.end(), [](const string& line) {
      return line.find("\"spool_failed\"") != string::npos &&
             line.find("\"remedy\":\"make room") != string::npos;
    });
  };
  ARROWCDC_ASSERT_OK(WaitFor([&] { return times() >= 4; }, seconds(60), "its event, again and again"));
  ARROWCDC_ASSERT_OK(WaitFor(
      [&] {
        const HttpAnswer answer = HttpGet(port, "/readyz");
        return answer.code == 503 && answer.body.find("no file can be made") != string::npos;
      },
      seconds(60), "the reason in /readyz"));
  EXPECT_NE(HttpGet(port, "/status.json").body.find("no file can be made"), string::npos);
  EXPECT_EQ(HttpGet(port, "/healthz").code, 200);
  std::filesystem::create_directory(spool);
  ARROWCDC_ASSERT_OK(
      WaitFor([&] { return HttpGet(port, "/metrics").body.find("table=\"big\"} 40\n") != string::npos; },
              seconds(60), "the rows"));
  ARROWCDC_ASSERT_OK(
      WaitFor([&] { return HttpGet(port, "/readyz").code == 200; }, seconds(60), "it to be ready"));
  ARROWCDC_ASSERT_OK(stream->Signal(SIGTERM));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(ExitState ended, stream->Wait(seconds(60)));
  ASSERT_TRUE(ended.ok()) << stream->error();
  // A bound that somebody has set is not tried again.
  ASSERT_NO_FATAL_FAILURE(big(100));
  const Strings bounded = {"--buffer", "1MiB", "--spool-max", "1MiB", "--spool-dir", spool.string()};
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto refused, Subprocess::Start(Stream(bounded)));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(ended, refused->Wait(seconds(60)));
  EXPECT_EQ(ended.code, 2) << refused->error();
  EXPECT_NE(refused->error().find("spool_max"), string::npos) << refused->error();
  ARROWCDC_ASSERT_OK(RunProgram(Stream({"--until", "now"})).status());
  ExpectNothingTwice();
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto here, Current("big"));
  EXPECT_EQ(here.size(), 80u);
}

// The account sees what it was granted: what setup prints for it is all that a stream needs.
TEST_P(MysqlTest, WhatSetupPrintsIsEnough) {
  const bool is_mysql = GetParam() == Flavor::kMysql;
  ARROWCDC_ASSERT_OK(server_->Run({"CREATE TABLE shop.a (k INT PRIMARY KEY)", "INSERT INTO shop.a VALUES (1)",
                                   "CREATE USER 'cdc'@'%' IDENTIFIED BY 'x'"}));
  const string url = server_->url_as("cdc", "x", "ssl-mode=preferred");
  const auto run = [&](const string& command, const Strings& more, int code) {
    Strings arguments = {"--source", url};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const auto started = Subprocess::Start(Command(command, arguments));
    EXPECT_TRUE(started.ok()) << started.status();
    const auto state = (*started)->Wait(seconds(60));
    EXPECT_TRUE(state.ok()) << state.status();
    EXPECT_EQ(state->code, code) << (*started)->output() << (*started)->error();
    return (*started)->output() + (*started)->error();
  };
  const auto apply = [&](const string& sql) {
    std::istringstream lines(sql);
    for (string line; std::getline(lines, line);) {
      if (line.ends_with(';')) ARROWCDC_ASSERT_OK(server_->Run({line.substr(0, line.size() - 1)}));
    }
  };
  const Strings tables = {"--tables", "shop.*"};
  const string first = run("setup", tables, 4);
  EXPECT_NE(first.find("GRANT SELECT ON `shop`.* TO 'cdc'@'%'"), string::npos) << first;
  EXPECT_EQ(first.find("BACKUP_ADMIN") != string::npos, is_mysql) << first;
  EXPECT_NE(run("doctor", {"--tables", "shop.*", "--json"}, 4).find("\"problem\""), string::npos);
  apply(run("setup", {"--tables", "shop.*", "--print-sql"}, 0));
  const string ready = run("setup", tables, 0);
  EXPECT_EQ(ready.find("BACKUP_ADMIN"), string::npos) << ready;
  EXPECT_NE(ready.find("a stream can begin."), string::npos) << ready;
  if (is_mysql) {
    ARROWCDC_ASSERT_OK(server_->Run({"REVOKE BACKUP_ADMIN ON *.* FROM 'cdc'@'%'"}));
    const string lacking = run("setup", tables, 0);
    EXPECT_EQ(lacking.find("a stream can begin."), string::npos) << lacking;
    EXPECT_NE(lacking.find("begin without the rows that are there (--snapshot never)"), string::npos)
        << lacking;
    EXPECT_NE(lacking.find("\nGRANT BACKUP_ADMIN ON *.* TO 'cdc'@'%';\n"), string::npos) << lacking;
    ARROWCDC_ASSERT_OK(server_->Run({"GRANT BACKUP_ADMIN ON *.* TO 'cdc'@'%'"}));
  }
  run("stream", {"--tables", "shop.*", "--sink", "parquet:" + Directory(), "--until", "now"}, 0);
  ExpectSame("a");
  // Patterns that match nothing: all of them, or one.
  EXPECT_NE(run("setup", {"--tables", "Shop.*"}, 5).find("no table that the account can see matches"),
            string::npos);
  ARROWCDC_ASSERT_OK(server_->Run({"CREATE TABLE shop.orders (k INT PRIMARY KEY)"}));
  EXPECT_NE(run("setup", {"--tables", "shp.*"}, 5).find("; nearest: shop.*"), std::string::npos);
  const Strings misspelt = {"--tables", "shop.oders", "--sink", "console", "--until", "now"};
  for (const string& text : {run("setup", {"--tables", "shop.oders"}, 5), run("stream", misspelt, 5)})
    EXPECT_NE(text.find("; nearest: shop.orders"), string::npos) << text;
  EXPECT_NE(run("stream", {"--tables", "shop.*", "shop.b", "--sink", "console", "--until", "now"}, 0)
                .find("pattern shop.b matches no table"),
            string::npos);
  const string status = run("status", {"--json"}, 0);
  EXPECT_TRUE(status.starts_with("{\"at\":")) << status;
  EXPECT_NE(status.find("\"end\":\"binlog.0"), string::npos) << status;
}

// They wait for it in one piece, and come by another session: that is no server that is away.
TEST_P(MysqlTest, RowsInFrontOfAnUnreadableOneComeWithoutRetries) {
  ARROWCDC_ASSERT_OK(server_->Run({"CREATE TABLE shop.a (k INT PRIMARY KEY, d DATE)"}));
  (void)Ends({}, 0);
  ARROWCDC_ASSERT_OK(server_->Run({"INSERT INTO shop.a VALUES (1, '2026-01-02')",
                                   "INSERT INTO shop.a VALUES (2, '2026-01-03')", "SET SESSION sql_mode = ''",
                                   "INSERT INTO shop.a VALUES (3, 0)"}));
  (void)Ends({"--unrepresentable", "error", "--retry-for", "0s"}, 4);
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const Strings ids, Lines("SELECT k FROM read_parquet('" + Directory() +
                                                         "/shop.a/*.parquet') ORDER BY k"));
  EXPECT_EQ(ids, (Strings{"k", "1", "2"}));
}

// The way out that the error names goes on, and so does the start after it.
TEST_P(MysqlTest, GoesOnWhereTheLogIsGone) {
  const bool is_mysql = GetParam() == Flavor::kMysql;
  const auto ends = [this](const Strings& more, int code, const string& said = "") {
    const string text = Ends(more, code);
    EXPECT_NE(text.find(said), string::npos) << text;
  };
  const auto purge = [&] {
    ARROWCDC_ASSERT_OK(server_->Run({"FLUSH BINARY LOGS"}));
    // MariaDB keeps a file until its storage engine has said that it needs it no more.
    ARROWCDC_ASSERT_OK(WaitFor(
        [&] {
          const auto files = server_->Query("SHOW BINARY LOGS");
          if (!files.ok()) return false;
          const string last = files->back()[0].value_or("");
          if (files->size() > 1) (void)server_->Run({"PURGE BINARY LOGS TO '" + last + "'"});
          return files->size() == 1;
        },
        seconds(30), "the server to remove its log"));
  };
  ARROWCDC_ASSERT_OK(
      server_->Run({"CREATE TABLE shop.a (k INT PRIMARY KEY)", "INSERT INTO shop.a VALUES (1)"}));
  const Strings anew = {"--snapshot", "when-needed"};
  // Of the first sink nothing but a copy is stored, of the later ones changes, too.
  for (int k = 2; k < 20; k += 6) {
    const string insert = "INSERT INTO shop.a VALUES (";
    ends({}, 0);
    if (is_mysql && k == 2) {  // nothing is lacking where only the file is gone
      purge();
      ends({}, 0);
    }
    ARROWCDC_ASSERT_OK(server_->Run({insert + std::to_string(k) + ")"}));
    purge();
    ends({}, 6);
    ends(anew, 0);
    ExpectSame("a");
    ARROWCDC_ASSERT_OK(server_->Run({insert + std::to_string(k + 1) + ")"}));
    ends({}, 0);
    ExpectSame("a");
    // Another history, of the same names.
    ARROWCDC_ASSERT_OK(server_->Run({is_mysql ? "RESET BINARY LOGS AND GTIDS" : "RESET MASTER"}));
    ARROWCDC_ASSERT_OK(server_->Run({insert + std::to_string(k + 2) + ")"}));
    ends({}, 6);
    ends(anew, 0);
    ExpectSame("a");
    ARROWCDC_ASSERT_OK(server_->Run({insert + std::to_string(k + 3) + ")"}));
    ends({}, 0);
    ExpectSame("a");
  }
  if (!is_mysql) return;  // MariaDB tells of no gap that could be accepted
  ARROWCDC_ASSERT_OK(server_->Run({"INSERT INTO shop.a VALUES (100)"}));
  purge();
  ends({}, 6);
  ends({"--accept-gap"}, 0, "\"event\":\"gap_accepted\"");
  ARROWCDC_ASSERT_OK(server_->Run({"INSERT INTO shop.a VALUES (101)"}));
  ends({}, 0);
  ARROWCDC_ASSERT_OK_AND_ASSIGN(auto rows, Table("a"));
  rows.erase("100");
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto here, Current("a"));
  EXPECT_EQ(here, rows);
}

TEST_P(MysqlTest, MistakesAreSaidWithoutSecrets) {
  const auto fails = [&](const SubprocessOptions& options, int code, const string& with) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto command, Subprocess::Start(options));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const ExitState state, command->Wait(seconds(90)));
    const string said = command->output() + command->error();
    EXPECT_EQ(state.code, code) << said;
    EXPECT_NE(said.find(with), string::npos) << said;
    EXPECT_EQ(said.find("hunter2"), string::npos) << said;
  };
  const string console = "console";
  fails(Command("stream", {"--source", server_->url(), "--slot", "s", "--sink", console}), 2, "--slot");
  fails(Command("stream", {"--source", server_->url_as("nobody", "hunter2", "ssl-mode=preferred"), "--sink",
                           console, "--retry-for", "0s"}),
        3, "nobody");
  fails(Command("stream",
                {"--source", "mysql://root:hunter2@127.0.0.1:1/", "--sink", console, "--retry-for", "0s"}),
        3, "127.0.0.1");
  ARROWCDC_ASSERT_OK(
      server_->Run({"CREATE USER 'cdc'@'%' IDENTIFIED BY 'hunter2'",
                    string("GRANT REPLICATION SLAVE, ") +
                        (GetParam() == Flavor::kMysql ? "REPLICATION CLIENT" : "BINLOG MONITOR") +
                        " ON *.* TO 'cdc'@'%'"}));
  const string without = "mysql://cdc@127.0.0.1:" + std::to_string(server_->port()) + "/?ssl-mode=preferred";
  for (const char* password : {"hunter2", "hunter1"}) {
    const bool right = string(password) == "hunter2";
    fails(Command("status", {"--source", without, "--password-command", string("echo ") + password}),
          right ? 0 : 3, right ? "oldest binary log" : "cdc");
  }
  fails(Command("teardown", {"--source", server_->url(), "--yes"}), 2, "nothing to take down");
  fails(Command("add-tables", {"shop.a", "--source", server_->url()}), 2, "--tables");
}

// A thread that connects is left to itself then, and the process ends around it.
TEST_P(MysqlTest, StoppedWhileItConnects) {
  ARROWCDC_ASSERT_OK(server_->Run({"CREATE TABLE shop.t (k INT PRIMARY KEY)"}));
  for (int i = 0; i < 20; ++i) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto command, Subprocess::Start(Stream()));
    ARROWCDC_ASSERT_OK(WaitFor([&] { return command->error().find("sink_chosen") != string::npos; },
                               seconds(30), "the command to begin"));
    ARROWCDC_ASSERT_OK(command->Signal(SIGINT));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const ExitState state, command->Wait(seconds(30)));
    // 0: it streamed already.
    EXPECT_TRUE(state.code == 0 || state.code == 3 || state.code == 130) << state.code << command->error();
  }
}

// Files without a server.
TEST_P(MysqlTest, FilesOfALog) {
  ARROWCDC_ASSERT_OK(server_->Run({"CREATE TABLE shop.a (k INT PRIMARY KEY, s VARCHAR(20))",
                                   "INSERT INTO shop.a VALUES (1, 'one'), (2, 'two')", "FLUSH BINARY LOGS",
                                   "UPDATE shop.a SET s = 'zwei' WHERE k = 2"}));
  ARROWCDC_ASSERT_OK(server_->Stop());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(
      const string output,
      RunProgram(Command("stream", {"--source", "binlog:" + server_->data_directory().string(), "--tables",
                                    "shop.*", "--sink", "console:ndjson", "--until", "now"})));
  EXPECT_EQ(std::count(output.begin(), output.end(), '\n'), 4) << output;
  EXPECT_NE(output.find("zwei"), string::npos) << output;
}

// A place of the log is written in one form everywhere, and one that is not there is said.
TEST_P(MysqlTest, PlacesToEndAt) {
  ARROWCDC_ASSERT_OK(
      server_->Run({"CREATE TABLE shop.t (k INT PRIMARY KEY)", "INSERT INTO shop.t VALUES (1)"}));
  const auto ends_at = [&](const string& place) {
    auto stream = Subprocess::Start(Stream({"--until", place}));
    EXPECT_TRUE(stream.ok()) << stream.status();
    return *std::move(stream);
  };
  // Before the rows are copied, which may take long.
  const auto wrong = ends_at("bimlog.000001:4");
  ARROWCDC_ASSERT_OK_AND_ASSIGN(ExitState ended, wrong->Wait(seconds(60)));
  EXPECT_EQ(ended.code, 2) << wrong->error();
  EXPECT_NE(wrong->error().find("binlog.000001:4"), string::npos) << wrong->error();
  EXPECT_EQ(wrong->error().find("copy_begins"), string::npos) << wrong->error();
  (void)Ends({}, 0);
  ARROWCDC_ASSERT_OK(server_->Run({"INSERT INTO shop.t VALUES (2)"}));
  (void)Ends({}, 0);
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const string query,
                                RunProgram({.argv = {CommandPath().string(), "sql", Directory(), "shop.t"}}));
  std::smatch place;
  ASSERT_TRUE(std::regex_search(query, place,
                                std::regex("end at or before (binlog\\.[0-9]{6}:[0-9]+), from 2 files\\.")))
      << query.substr(0, 500);
  const auto there = ends_at(place[1]);
  ARROWCDC_ASSERT_OK_AND_ASSIGN(ended, there->Wait(seconds(60)));
  EXPECT_TRUE(ended.ok()) << there->error();
  EXPECT_EQ(there->error().find("the stream waits"), string::npos) << there->error();
  const auto far = ends_at("binlog.000099:4");
  ARROWCDC_ASSERT_OK(far->WaitForError("the stream waits until it has come to binlog.000099:4", seconds(60)));
  ARROWCDC_ASSERT_OK(far->WaitForError("\"streaming\"", seconds(60)));
  ARROWCDC_ASSERT_OK(far->Signal(SIGINT));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(ended, far->Wait(seconds(60)));
  EXPECT_TRUE(ended.ok()) << far->error();
}

// A copy at the point of the one before would have its rows: it waits for the next commit.
TEST_P(MysqlTest, ReadAnewWhereNothingWasCommitted) {
  ARROWCDC_ASSERT_OK(
      server_->Run({"CREATE TABLE shop.t (k INT PRIMARY KEY)", "INSERT INTO shop.t VALUES (1), (2)"}));
  ARROWCDC_ASSERT_OK(RunProgram(Stream({"--until", "now"})).status());
  ARROWCDC_ASSERT_OK(RunProgram(Command("resnapshot", {Directory(), "shop.t"})).status());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto stream, Subprocess::Start(Stream()));
  const auto says = [&](const string& text) {
    return WaitFor([&] { return stream->error().find(text) != string::npos; }, seconds(30), text);
  };
  ARROWCDC_EXPECT_OK(says("nothing was committed since its rows were copied"));
  ARROWCDC_ASSERT_OK(server_->Run({"INSERT INTO shop.t VALUES (3)"}));
  ARROWCDC_EXPECT_OK(says("all rows that were there before are copied"));
  ARROWCDC_ASSERT_OK(stream->Signal(SIGINT));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto ended, stream->Wait(seconds(30)));
  EXPECT_EQ(ended.code, 0) << stream->error();
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto current, Current("t"));
  EXPECT_EQ(current, (std::multiset<string>{"1", "2", "3"}));
}

}  // namespace
}  // namespace arrowcdc::test
