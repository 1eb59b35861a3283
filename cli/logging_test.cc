#include "cli/logging.h"

#include <gtest/gtest.h>

namespace arrowcdc::cli {
namespace {

TEST(ReplaceLines, StandWhereTheOnesBeforeStood) {
  EXPECT_EQ(ReplaceLines(0, {"one"}, 80), "\r\033[Jone");
  EXPECT_EQ(ReplaceLines(1, {"one", "two"}, 80), "\r\033[Jone\ntwo");
  EXPECT_EQ(ReplaceLines(3, {"one"}, 80), "\r\033[2A\033[Jone");
  EXPECT_EQ(ReplaceLines(2, {}, 80), "\r\033[1A\033[J");
}

TEST(ReplaceLines, AreNoWiderThanTheTerminal) {
  EXPECT_EQ(ReplaceLines(0, {"12345"}, 5), "\r\033[J12345");
  EXPECT_EQ(ReplaceLines(0, {"123456"}, 5), "\r\033[J12345");
  EXPECT_EQ(ReplaceLines(0, {"ä2345ö"}, 5), "\r\033[Jä2345");
  EXPECT_EQ(ReplaceLines(0, {"a\nb\033c"}, 5), "\r\033[Ja?b?c");
}

}  // namespace
}  // namespace arrowcdc::cli
