#include "cli/usage.h"

#include <gtest/gtest.h>

namespace arrowcdc::cli {
namespace {

TEST(FindMisplacedConninfo, OnlyTheValueOfSourceMayBeOne) {
  const auto found = [](const std::vector<std::string>& arguments) {
    return FindMisplacedConninfo(arguments).value_or("");
  };
  EXPECT_EQ(found({"stream", "--source", "host=h password=s", "--sink", "parquet:a@b"}), "");
  EXPECT_EQ(found({"stream", "--source=postgresql://a:s@h", "--sink", "parquet:x"}), "");
  EXPECT_TRUE(found({"stream", "--source", "host=h", "password=s"}).starts_with("argument 4 "));
  EXPECT_TRUE(found({"stream", "--tables", "public.*", "postgresql://a:s@h"}).starts_with("argument 4 "));
  EXPECT_TRUE(found({"stream", "--sorce=postgresql://a:s@h"}).starts_with("argument 2 "));
  EXPECT_TRUE(found({"stream", "--slot", "a:s@h"}).starts_with("argument 3 "));
}

}  // namespace
}  // namespace arrowcdc::cli
