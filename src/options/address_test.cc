#include <gtest/gtest.h>

#include "arrowcdc/error.h"
#include "src/options/options.h"

namespace arrowcdc {
namespace {

TEST(SourceOf, WritesTheAddressAsAConnectionString) {
  Options options;
  EXPECT_EQ(SourceOf(options)->conninfo, "");
  options.package.host = "db.example";
  options.package.port = 5433;
  options.package.database = "it's \\ odd";
  options.package.password = "";
  EXPECT_EQ(SourceOf(options)->conninfo,
            "dbname='it\\'s \\\\ odd' host='db.example' password='' port='5433'");
}

TEST(SourceOf, AConnectionStringStandsForAllOfThem) {
  Options options;
  options.source.conninfo = "dbname=shop";
  options.source.slot = "s";
  EXPECT_EQ(SourceOf(options)->conninfo, "dbname=shop");
  EXPECT_EQ(SourceOf(options)->slot, "s");
  options.package.user = "ann";
  options.package.database = "shop";
  const auto refused = SourceOf(options);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(GetErrorDetail(refused.status())->object(), "argument database");
}

}  // namespace
}  // namespace arrowcdc
