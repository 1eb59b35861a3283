#include "src/mysql/setup/health.h"

#include <gtest/gtest.h>

namespace arrowcdc::mysql {
namespace {

Inspected Server(Flavor flavor, const std::string& version,
                 std::map<std::string, std::string> variables = {}) {
  Inspected inspected;
  inspected.account = "cdc@%";
  inspected.state.flavor = flavor;
  inspected.state.version = version;
  inspected.state.variables = std::move(variables);
  inspected.state.variables.emplace("log_bin", "ON");
  return inspected;
}

const Finding* Find(const std::vector<Finding>& findings, const std::string& check) {
  const Finding* found = nullptr;
  for (const Finding& finding : findings) {
    if (finding.check == check) found = &finding;
  }
  return found;
}

TEST(Health, ReleasesThatAreKnownNotToBeSafe) {
  for (const char* version : {"8.0.38", "8.4.1", "9.0.0", "8.0.44", "8.3.0", "9.6.0"})
    EXPECT_TRUE(WarnOfRelease(Flavor::kMysql, version).has_value()) << version;
  for (const char* version : {"8.4.2", "8.4.7", "9.7.0", "9.7.1-log"})
    EXPECT_FALSE(WarnOfRelease(Flavor::kMysql, version).has_value()) << version;
  for (const char* version : {"10.5.29-MariaDB", "10.6.22-MariaDB-log", "11.5.2-MariaDB"})
    EXPECT_TRUE(WarnOfRelease(Flavor::kMariadb, version).has_value()) << version;
  for (const char* version : {"10.11.14-MariaDB-0+deb12u2", "11.4.8-MariaDB", "11.8.3-MariaDB", "12.0.1"})
    EXPECT_FALSE(WarnOfRelease(Flavor::kMariadb, version).has_value()) << version;
}

// 1 MiB a second fills 24 GiB in less than 7 h.
TEST(Health, ALimitOfTheLogIsTime) {
  Health health;
  health.files = std::vector<LogFile>{{"binlog.000007", 5 << 20}, {"binlog.000008", 3 << 20}};
  health.bytes_per_s = 1 << 20;
  const std::string limit = std::to_string(int64_t{24} << 30);
  const auto findings =
      JudgeHealth(health, Server(Flavor::kMariadb, "11.8.3-MariaDB", {{"max_binlog_total_size", limit}}));
  const Finding* const warned = Find(findings, "log_limit");
  ASSERT_NE(warned, nullptr);
  EXPECT_EQ(warned->level, FindingLevel::kWarning);
  EXPECT_NE(warned->text.find("24.0 GiB"), std::string::npos) << warned->text;
  EXPECT_NE(warned->text.find("after 7 h"), std::string::npos) << warned->text;
  EXPECT_EQ(warned->sql, "SET GLOBAL max_binlog_total_size = 634178764800");  // a week of it
  const Finding* const size = Find(findings, "log_size");
  ASSERT_NE(size, nullptr);
  EXPECT_NE(size->text.find("2 files with 8.0 MiB, from binlog.000007 on"), std::string::npos) << size->text;
}

TEST(Health, AFileBeyondWhatAnOffsetReaches) {
  Health health;
  health.files = std::vector<LogFile>{{"binlog.000001", uint64_t{5} << 30}};
  const auto offsets = [&](const char* mode) {
    return Find(JudgeHealth(health, Server(Flavor::kMysql, "9.7.0", {{"gtid_mode", mode}})), "log_offsets");
  };
  const auto findings = JudgeHealth(health, Server(Flavor::kMysql, "9.7.0"));
  ASSERT_NE(Find(findings, "log_size"), nullptr);
  EXPECT_TRUE(Find(findings, "log_size")->text.starts_with("the log is of 1 file with"));
  EXPECT_NE(offsets("OFF"), nullptr);
  EXPECT_EQ(offsets("ON"), nullptr);
}

TEST(Health, TransactionsAndConnections) {
  Health health;
  health.prepared.emplace();
  health.open.emplace();
  health.open->push_back({17, 1800, 42});
  health.connections = 140;
  health.cached = 100;
  health.cached_on_disk = 50;
  const auto findings = JudgeHealth(
      health, Server(Flavor::kMysql, "9.7.0", {{"max_connections", "151"}, {"binlog_cache_size", "32768"}}));
  ASSERT_NE(Find(findings, "open_transactions"), nullptr);
  EXPECT_EQ(Find(findings, "open_transactions")->sql, "KILL 17");
  EXPECT_NE(Find(findings, "open_transactions")->text.find("30 min and changed 42 rows"), std::string::npos);
  EXPECT_EQ(Find(findings, "connections")->sql, "SET PERSIST max_connections = 302");
  EXPECT_EQ(Find(findings, "log_cache")->sql, "SET PERSIST binlog_cache_size = 131072");
  EXPECT_EQ(Find(findings, "prepared_transactions")->level, FindingLevel::kOk);
}

}  // namespace
}  // namespace arrowcdc::mysql
