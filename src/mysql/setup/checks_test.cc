// What is said of settings, and of the rights to copy, which differ by release and GTIDs.
#include "src/mysql/setup/checks.h"

#include <gtest/gtest.h>

#include "arrowcdc/error.h"

namespace arrowcdc::mysql {
namespace {

std::vector<std::string> GrantsToCopy(Flavor flavor, const std::string& version, const std::string& gtid_mode,
                                      bool may_see_log_status, bool may_lock) {
  Inspected inspected;
  inspected.account = "cdc@%";
  inspected.state.flavor = flavor;
  inspected.state.version = version;
  inspected.state.variables = {{"log_bin", "ON"}, {"gtid_mode", gtid_mode}};
  inspected.may_see_log_status = may_see_log_status;
  inspected.may_lock = may_lock;
  const MysqlChecks checks = Judge(inspected, false, /*before=*/true);
  bool said = false;
  for (const std::string& warning : checks.warnings)
    said = said || warning.find("may not copy rows that are there") != std::string::npos;
  EXPECT_EQ(said, !checks.grants_to_copy.empty());
  return checks.grants_to_copy;
}

Inspected Server(Flavor flavor, const std::map<std::string, std::string>& changed = {}) {
  Inspected inspected;
  inspected.account = "cdc@%";
  inspected.state.flavor = flavor;
  inspected.state.version = flavor == Flavor::kMysql ? "9.7.4" : "10.11.14-MariaDB";
  inspected.state.variables = {{"log_bin", "ON"},
                               {"binlog_format", "ROW"},
                               {"binlog_row_metadata", "FULL"},
                               {"binlog_row_image", "FULL"},
                               {"gtid_mode", "ON"},
                               {"sync_binlog", "1"},
                               {"innodb_flush_log_at_trx_commit", "1"},
                               {"binlog_expire_logs_seconds", "604800"},
                               {"log_slave_updates", "ON"}};
  for (const auto& [name, value] : changed) inspected.state.variables[name] = value;
  inspected.may_read_log = true;
  inspected.may_see_status = true;
  inspected.log.emplace();
  return inspected;
}

// "object | sql" of each obstacle.
std::vector<std::string> Obstacles(const Inspected& inspected) {
  std::vector<std::string> found;
  for (const SetupObstacle& obstacle : Judge(inspected, false, false).obstacles)
    found.push_back(GetErrorDetail(obstacle.status)->object() + " | " + obstacle.sql);
  return found;
}

TEST(MysqlChecks, SettingsThatAreInTheWay) {
  using Texts = std::vector<std::string>;
  for (const Flavor flavor : {Flavor::kMysql, Flavor::kMariadb}) {
    EXPECT_EQ(Obstacles(Server(flavor)), Texts());
    EXPECT_EQ(Obstacles(Server(flavor, {{"log_bin", "OFF"}})), Texts{"setting log_bin | "});
    Inspected replica = Server(flavor, {{"log_slave_updates", "OFF"}});
    EXPECT_EQ(Obstacles(replica), Texts());
    replica.is_replica = true;
    EXPECT_EQ(Obstacles(replica), Texts{"setting log_replica_updates | "});
    replica.state.variables["log_replica_updates"] = "ON";
    EXPECT_EQ(Obstacles(replica), Texts());
  }
  EXPECT_EQ(
      Obstacles(Server(Flavor::kMysql, {{"binlog_format", "MIXED"}, {"binlog_row_metadata", "MINIMAL"}})),
      (Texts{"setting binlog_format | SET PERSIST binlog_format = ROW",
             "setting binlog_row_metadata | SET PERSIST binlog_row_metadata = FULL"}));
  EXPECT_EQ(Obstacles(Server(Flavor::kMariadb, {{"binlog_row_metadata", "NO_LOG"}})),
            Texts{"setting binlog_row_metadata | SET GLOBAL binlog_row_metadata = FULL"});
  // As MariaDB comes: all at once, so that one restart is enough.
  EXPECT_EQ(
      Obstacles(Server(Flavor::kMariadb,
                       {{"log_bin", "OFF"}, {"binlog_format", "MIXED"}, {"binlog_row_metadata", "NO_LOG"}})),
      (Texts{"setting log_bin | ", "setting binlog_format | SET GLOBAL binlog_format = ROW",
             "setting binlog_row_metadata | SET GLOBAL binlog_row_metadata = FULL"}));
  // A release that has no such setting.
  EXPECT_EQ(Obstacles(Server(Flavor::kMysql, {{"binlog_row_metadata", ""}})),
            Texts{"setting binlog_row_metadata | "});
}

TEST(MysqlChecks, SettingsThatMayHurt) {
  const auto warned = [](const Inspected& inspected) {
    std::string all;
    for (const std::string& warning : Judge(inspected, false, false).warnings) all += warning + "\n";
    return all;
  };
  for (const Flavor flavor : {Flavor::kMysql, Flavor::kMariadb}) {
    EXPECT_EQ(warned(Server(flavor)), "");
    const std::pair<const char*, const char*> settings[] = {{"binlog_row_image", "NOBLOB"},
                                                            {"sync_binlog", "0"},
                                                            {"innodb_flush_log_at_trx_commit", "2"},
                                                            {"binlog_expire_logs_seconds", "3600"}};
    for (const auto& [name, value] : settings) {
      const std::string text = warned(Server(flavor, {{name, value}}));
      const bool is_retention = std::string(name) == "binlog_expire_logs_seconds";
      EXPECT_NE(text.find(is_retention ? "after 3600 s" : name), std::string::npos) << name << ": " << text;
    }
    Inspected filtered = Server(flavor);
    filtered.log->filters = true;
    EXPECT_NE(warned(filtered).find("binlog_do_db"), std::string::npos);
  }
  EXPECT_NE(warned(Server(Flavor::kMysql, {{"gtid_mode", "OFF"}})).find("gtid_mode is OFF"),
            std::string::npos);
}

// MariaDB 10.5 counts in days alone.
TEST(MysqlChecks, HowLongTheLogIsKept) {
  const auto kept = [](const std::string& seconds, const std::string& days) {
    ServerState state;
    state.variables = {{"binlog_expire_logs_seconds", seconds}, {"expire_logs_days", days}};
    return state.retention_seconds();
  };
  EXPECT_EQ(kept("3600", ""), 3600);
  EXPECT_EQ(kept("0", "0"), 0);
  EXPECT_EQ(kept("", "0.500000"), 43'200);
  EXPECT_EQ(kept("0", "10"), 864'000);
  EXPECT_EQ(kept("259200", "3.000000"), 259'200);
  Inspected inspected = Server(Flavor::kMariadb, {{"expire_logs_days", "0.5"}});
  inspected.state.variables.erase("binlog_expire_logs_seconds");
  std::string sql;
  for (const Finding& finding : Judge(inspected, false, false).findings)
    sql += finding.check == "log_retention" ? finding.sql : "";
  EXPECT_EQ(sql, "SET GLOBAL expire_logs_days = 7");
}

TEST(MysqlChecks, RightsToCopy) {
  using Grants = std::vector<std::string>;
  const Grants none;
  const Grants look = {"GRANT BACKUP_ADMIN ON *.* TO 'cdc'@'%'",
                       "GRANT SELECT ON performance_schema.log_status TO 'cdc'@'%'"};
  const Grants lock = {"GRANT RELOAD ON *.* TO 'cdc'@'%'"};
  EXPECT_EQ(GrantsToCopy(Flavor::kMysql, "9.7.0", "ON", false, false), look);
  EXPECT_EQ(GrantsToCopy(Flavor::kMysql, "9.7.0", "OFF", false, false), look);
  EXPECT_EQ(GrantsToCopy(Flavor::kMysql, "9.7.0", "OFF", true, false), none);
  EXPECT_EQ(GrantsToCopy(Flavor::kMysql, "8.4.7", "ON", false, false), look);
  EXPECT_EQ(GrantsToCopy(Flavor::kMysql, "8.4.7", "ON", true, false), none);
  EXPECT_EQ(GrantsToCopy(Flavor::kMysql, "8.4.7", "OFF", true, false), lock);
  EXPECT_EQ(GrantsToCopy(Flavor::kMysql, "8.4.7", "OFF", false, true), none);
  EXPECT_EQ(GrantsToCopy(Flavor::kMariadb, "11.8.3-MariaDB", "", true, true), none);
}

}  // namespace
}  // namespace arrowcdc::mysql
