// What is said of the rights to copy, which differ by release and GTIDs.
#include "src/mysql/setup/checks.h"

#include <gtest/gtest.h>

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
