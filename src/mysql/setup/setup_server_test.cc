// What setup, tables and status say of real servers of both families.
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "arrowcdc/error.h"
#include "arrowcdc/mysql.h"
#include "src/mysql/testing/source_fixture.h"
#include "tests/testing/assert_ok.h"

namespace arrowcdc::mysql::test {
namespace {

class MysqlSetup : public MysqlSource {
 protected:
  bool mysql() const { return GetParam() == Flavor::kMysql; }

  MysqlOptions Options() {
    MysqlOptions options;
    options.url = server_->url();
    options.tables = {"shop.t"};
    return options;
  }
};

INSTANTIATE_TEST_SUITE_P(All, MysqlSetup, testing::Values(Flavor::kMysql, Flavor::kMariadb), FlavorName);

TEST_P(MysqlSetup, NamesAllThatIsInTheWay) {
  std::vector<std::string> arguments{"--binlog-row-metadata=MINIMAL"};
  // As MySQL 9.7 has it by default, cascades are made, and logged, by the server's layer of SQL.
  if (mysql()) arguments.emplace_back("--innodb-native-foreign-keys=ON");
  StartServer(arguments);
  ARROWCDC_ASSERT_OK(
      server_->Run({"CREATE TABLE shop.child (id INT PRIMARY KEY, t BIGINT, FOREIGN KEY fk (t) REFERENCES "
                    "shop.t (id) ON DELETE "
                    "CASCADE)",
                    "SET GLOBAL sql_quote_show_create = 0", "CREATE USER 'cdc'@'%' IDENTIFIED BY 'secret'",
                    "GRANT SELECT ON shop.* TO 'cdc'@'%'"}));
  MysqlOptions options = Options();
  options.tables = {"shop.*"};
  options.url = server_->url_as("cdc", "secret", "ssl-mode=preferred");
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const MysqlChecks checks, CheckMysql(options));
  std::string text;
  for (const SetupObstacle& obstacle : checks.obstacles)
    text += obstacle.status.ToString() + obstacle.sql + "\n";
  EXPECT_NE(text.find("binlog_row_metadata = FULL"), std::string::npos) << text;
  EXPECT_NE(text.find(mysql() ? "GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO 'cdc'@'%'"
                              : "GRANT REPLICATION SLAVE, BINLOG MONITOR ON *.* TO 'cdc'@'%'"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("CASCADE"), std::string::npos) << text;
  EXPECT_EQ(checks.obstacles.size(), 3) << text;
  // Of the tables none comes, and each says why.
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto listed, ListMysqlTables(options));
  ASSERT_EQ(listed.size(), 3);
  for (const TableStatus& table : listed) {
    EXPECT_TRUE(table.matches && !table.published) << ToString(table.name);
    EXPECT_NE(table.limits.find("binlog_row_metadata is not FULL"), std::string::npos) << table.limits;
  }
  const arrow::Status all = CheckObstacles(checks);
  EXPECT_NE(GetErrorDetail(all)->remedy().find("(1) "), std::string::npos) << all;
  EXPECT_NE(GetErrorDetail(all)->remedy().find(" (3) "), std::string::npos) << all;
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto source, MakeMysqlSource(options));
  const arrow::Status refused = source->Connect().status();
  EXPECT_EQ(KindOf(refused), ErrorKind::kServerSetting) << refused;

  // What an administrator runs of it is enough; the foreign key is a decision.
  for (const SetupObstacle& obstacle : checks.obstacles)
    if (!obstacle.sql.empty()) ARROWCDC_ASSERT_OK(server_->Run({obstacle.sql}));
  options.accept_cascades = true;
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const MysqlChecks after, CheckMysql(options));
  EXPECT_TRUE(after.obstacles.empty()) << CheckObstacles(after);
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto accepted, MakeMysqlSource(options));
  Replay replay;
  ARROWCDC_ASSERT_OK(replay.Begin(accepted.get()));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto tables, accepted->Tables());
  ASSERT_EQ(tables.size(), 3);
  EXPECT_EQ(tables[0].name.table, "child");
  EXPECT_EQ(tables[2].columns[1].type, "varchar(100)");
  for (const bool accepted_cascades : {false, true}) {
    options.accept_cascades = accepted_cascades;
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto listed_after, ListMysqlTables(options));
    ASSERT_EQ(listed_after.size(), 3);
    EXPECT_EQ(listed_after[0].published, accepted_cascades);
    EXPECT_NE(listed_after[0].limits.find("ON DELETE CASCADE"), std::string::npos) << listed_after[0].limits;
    EXPECT_TRUE(listed_after[1].published && listed_after[2].published);
  }
  EXPECT_EQ(tables[2].columns[0].key_place, 1);
}

// SHOW CREATE TABLE, which tells the foreign keys, is denied then. What no pattern matches is in nobody's
// way.
TEST_P(MysqlSetup, NamesTablesOfWhichItMayReadSomeColumns) {
  StartServer(mysql() ? std::vector<std::string>{"--innodb-native-foreign-keys=ON"}
                      : std::vector<std::string>());
  ARROWCDC_ASSERT_OK(
      server_->Run({"CREATE TABLE shop.part (id INT PRIMARY KEY, secret INT)",
                    "CREATE USER 'cdc'@'%' IDENTIFIED BY 'secret'", "GRANT SELECT ON shop.t TO 'cdc'@'%'",
                    "GRANT SELECT (id) ON shop.part TO 'cdc'@'%'",
                    std::string("GRANT REPLICATION SLAVE, ") +
                        (mysql() ? "REPLICATION CLIENT" : "BINLOG MONITOR") + " ON *.* TO 'cdc'@'%'"}));
  MysqlOptions options = Options();
  options.url = server_->url_as("cdc", "secret", "ssl-mode=preferred");
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const MysqlChecks one, CheckMysql(options));
  EXPECT_TRUE(one.obstacles.empty()) << CheckObstacles(one);
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto listed, ListMysqlTables(options));
  ASSERT_EQ(listed.size(), 2);
  EXPECT_NE(listed[0].limits.find("may not read it as a whole"), std::string::npos) << listed[0].limits;
  EXPECT_TRUE(listed[1].published) << listed[1].limits;

  options.tables = {"shop.*"};
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const MysqlChecks all, CheckMysql(options));
  ASSERT_EQ(all.obstacles.size(), 1);
  EXPECT_EQ(GetErrorDetail(all.obstacles[0].status)->object(), "table shop.part");
  EXPECT_EQ(KindOf(all.obstacles[0].status), ErrorKind::kPermission);
  ARROWCDC_ASSERT_OK(server_->Run({all.obstacles[0].sql}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const MysqlChecks after, CheckMysql(options));
  EXPECT_TRUE(after.obstacles.empty()) << CheckObstacles(after);
}

// Their rows are refused by name when they are copied.
TEST_P(MysqlSetup, WarnsOfSystemVersionedTables) {
  if (mysql()) GTEST_SKIP() << "MySQL has no system-versioned tables";
  StartServer({});
  ARROWCDC_ASSERT_OK(
      server_->Run({"CREATE TABLE shop.versions (id INT PRIMARY KEY) WITH SYSTEM VERSIONING"}));
  MysqlOptions options = Options();
  options.tables = {"shop.*"};
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const MysqlChecks checks, CheckMysql(options));
  EXPECT_EQ(checks.not_copied, (std::vector<TableName>{{"shop", "versions"}}));
}

TEST_P(MysqlSetup, WarnsOfImagesThatLackColumns) {
  StartServer({"--binlog-row-image=MINIMAL"});
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const MysqlChecks checks, CheckMysql(Options()));
  std::string text;
  for (const std::string& warning : checks.warnings) text += warning + "\n";
  EXPECT_NE(text.find("binlog_row_image is MINIMAL"), std::string::npos) << text;
  EXPECT_EQ(text.find("REPLACE") != std::string::npos, !mysql()) << text;
}

// What of the log's content is left out by it, and of whom.
TEST_P(MysqlSetup, WarnsOfFiltersAndOfReplicasThatLogNothing) {
  StartServer({"--binlog-ignore-db=attic", "--log-slave-updates=OFF"});
  const auto said = [&] {
    const auto checks = CheckMysql(Options());
    std::string text = checks.status().ToString();
    for (const std::string& warning : checks.ok() ? checks->warnings : std::vector<std::string>())
      text += "\nwarning: " + warning;
    for (const SetupObstacle& one : checks.ok() ? checks->obstacles : std::vector<SetupObstacle>())
      text += "\nobstacle: " + one.status.ToString();
    return text;
  };
  EXPECT_NE(said().find("warning: binlog_do_db or binlog_ignore_db is set"), std::string::npos) << said();
  EXPECT_EQ(said().find("obstacle: "), std::string::npos) << said();
  ARROWCDC_ASSERT_OK(
      server_->Run({mysql() ? "CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1'"
                            : "CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_USER = 'copy'"}));
  EXPECT_NE(said().find("the server is a replica and does not log"), std::string::npos) << said();
}

TEST_P(MysqlSetup, SaysHowTheServerStands) {
  StartServer();
  ARROWCDC_ASSERT_OK(server_->Run({"ALTER TABLE shop.other DROP PRIMARY KEY"}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const MysqlStatus status, GetMysqlStatus(Options()));
  EXPECT_EQ(status.kind, mysql() ? "mysql" : "mariadb");
  EXPECT_EQ(status.gtid_mode, mysql() ? "ON" : "domain");
  EXPECT_FALSE(status.gtid_executed.empty());
  EXPECT_EQ(status.file.substr(0, 7), "binlog.");
  EXPECT_GT(status.offset, 4);
  EXPECT_EQ(status.streams, 0);
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto tables, ListMysqlTables(Options()));
  ASSERT_EQ(tables.size(), 2);
  EXPECT_FALSE(tables[0].matches || tables[0].published);
  EXPECT_TRUE(tables[1].matches && tables[1].published);
  EXPECT_EQ(tables[1].name.table, "t");
  EXPECT_TRUE(tables[0].usable_identity && tables[1].usable_identity);
}

}  // namespace
}  // namespace arrowcdc::mysql::test
