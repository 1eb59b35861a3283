// Which of several names is proposed for one that is not there.
#include "src/patterns/nearest_name.h"

#include <gtest/gtest.h>

namespace arrowcdc {
namespace {

TEST(NearestName, TheFewestChanges) {
  const std::vector<std::string> tables = {"public.orders", "public.users", "audit.users"};
  EXPECT_EQ(NearestName("public.user", tables), "public.users");
  EXPECT_EQ(NearestName("publik.orders", tables), "public.orders");
  EXPECT_EQ(NearestName("public.Users", tables), "public.users");
  EXPECT_EQ(NearestName("Users", {"users", "Uzers"}), "users");  // another case is less than another letter
  EXPECT_EQ(NearestName("public.suers", tables), "public.users");
}

TEST(NearestName, OfSeveralPatterns) {
  const std::vector<TableName> tables = {{"public", "orders"}, {"public", "order"}};
  EXPECT_EQ(NearestPatterns({"public.oders", "public.ordr", "!public.orde", "x"}, tables),
            "public.orders, public.order");
  EXPECT_EQ(NearestPatterns({"public.oders", "Public.orders"}, tables), "public.orders");
  EXPECT_EQ(NearestPatterns({}, tables), "");
}

TEST(NearestName, APatternWhoseSchemaIsMisspelt) {
  const std::vector<TableName> tables = {
      {"public", "a"}, {"public", "order_items"}, {"Shop", "orders"}, {"audit", "users"}};
  EXPECT_EQ(NearestPatterns({"pubic.*", "shop.*", "audti.u*"}, tables), "public.*, \"Shop\".*, audit.u*");
  EXPECT_EQ(NearestPatterns({"publik.order_items"}, tables), "public.order_items");
  EXPECT_EQ(NearestPatterns({"publik.order_item"}, tables), "public.order_items");  // both
  EXPECT_EQ(NearestPatterns({"nothing.*", "\"a.b\".*"}, tables), "");
}

TEST(NearestName, NoneWhereNoneResemblesIt) {
  EXPECT_EQ(NearestName("public.users", {}), "");
  EXPECT_EQ(NearestName("x", {"something.else"}), "");
  EXPECT_EQ(NearestName("", {"a"}), "");
  EXPECT_EQ(NearestName(std::string(5000, 'x'), {std::string(5000, 'x')}), std::string(5000, 'x'));
}

}  // namespace
}  // namespace arrowcdc
