#include "src/patterns/idle_patterns.h"

#include <gtest/gtest.h>

namespace arrowcdc {
namespace {

TEST(IdlePatterns, ThoseThatMatchNoTable) {
  const auto idle =
      IdlePatterns({"public.*", "shop.order", "!shop.none", "Shop.*"}, {{"public", "a"}, {"shop", "orders"}});
  ASSERT_TRUE(idle.ok());
  EXPECT_EQ(*idle, (std::vector<std::string>{"shop.order", "Shop.*"}));
  EXPECT_FALSE(IdlePatterns({"shop"}, {}).ok());
}

}  // namespace
}  // namespace arrowcdc
