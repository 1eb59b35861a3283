// Signs of services, as their documentation shows them.
#include "src/postgres/setup/provider.h"

#include <gtest/gtest.h>

namespace arrowcdc::postgres {
namespace {

TEST(Provider, IsFoundByItsSigns) {
  EXPECT_EQ(FindProvider({}, {}, false), Provider::kNone);
  EXPECT_EQ(FindProvider({"auto_explain.log_format", "plpgsql.check_asserts"}, {}, false), Provider::kNone);
  EXPECT_EQ(FindProvider({"rds.extensions"}, {}, false), Provider::kRds);
  EXPECT_EQ(FindProvider({"rds.force_ssl"}, {}, false), Provider::kRds);
  EXPECT_EQ(FindProvider({}, {"rds_replication"}, false), Provider::kRds);
  EXPECT_EQ(FindProvider({"rds.extensions"}, {"rds_superuser"}, true), Provider::kAurora);
  EXPECT_EQ(FindProvider({"cloudsql.logical_decoding"}, {}, false), Provider::kCloudSql);
  EXPECT_EQ(FindProvider({}, {"cloudsqlsuperuser"}, false), Provider::kCloudSql);
  EXPECT_EQ(FindProvider({"alloydb.logical_decoding"}, {}, false), Provider::kAlloyDb);
  EXPECT_EQ(FindProvider({"azure.extensions"}, {}, false), Provider::kAzure);
  EXPECT_EQ(FindProvider({}, {"azure_pg_admin"}, false), Provider::kAzure);
  EXPECT_EQ(FindProvider({"neon.max_cluster_size"}, {}, false), Provider::kNeon);
  EXPECT_EQ(FindProvider({}, {"neon_superuser"}, false), Provider::kNeon);
  EXPECT_EQ(FindProvider({}, {"supabase_admin"}, false), Provider::kSupabase);
}

// A prefix ends with its dot, and what only begins alike is another name.
TEST(Provider, IsNotFoundByWhatLooksAlike) {
  EXPECT_EQ(FindProvider({"rdsx.extensions", "azureish.a", "neonatal.x"}, {"rds_super"}, false),
            Provider::kNone);
}

}  // namespace
}  // namespace arrowcdc::postgres
