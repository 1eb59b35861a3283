// How a table is cut into parts, and how a part is asked for.
#include "src/mysql/snapshot/copy_tables.h"

#include <random>
#include <set>

#include <gtest/gtest.h>

namespace arrowcdc::mysql {
namespace {

std::vector<std::string> Ranges(const std::vector<CopyPart>& parts) {
  std::vector<std::string> ranges;
  for (const CopyPart& part : parts) ranges.push_back(part.from.value_or("") + ".." + part.to.value_or(""));
  return ranges;
}

using Texts = std::vector<std::string>;

TEST(PlanParts, OneWhereItIsSmallOrHasNoRange) {
  EXPECT_EQ(Ranges(PlanParts(0, 100, 100, "1", "1000")), Texts{".."});
  EXPECT_EQ(Ranges(PlanParts(0, 1000, 100, "", "")), Texts{".."});
  EXPECT_EQ(Ranges(PlanParts(0, 1000, 100, "7", "7")), Texts{".."});
}

TEST(PlanParts, EqualRangesOpenAtBothEnds) {
  EXPECT_EQ(Ranges(PlanParts(0, 399, 100, "0", "399")), (Texts{"..100", "100..200", "200..300", "300.."}));
  EXPECT_EQ(Ranges(PlanParts(0, 250, 100, "-3", "2")), (Texts{"..-1", "-1..1", "1.."}));
  // No more parts than values.
  EXPECT_EQ(Ranges(PlanParts(0, 1000, 100, "5", "6")), (Texts{"..6", "6.."}));
}

TEST(PlanParts, TheWholeRangeOfBigint) {
  EXPECT_EQ(Ranges(PlanParts(0, 150, 100, "0", "18446744073709551615")),
            (Texts{"..9223372036854775808", "9223372036854775808.."}));
  EXPECT_EQ(Ranges(PlanParts(0, 150, 100, "-9223372036854775808", "9223372036854775807")),
            (Texts{"..0", "0.."}));
}

// Whatever the bounds are, each value is in one part.
TEST(PlanParts, NoGapAndNoOverlap) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int i = 0; i < 1000; ++i) {
    const auto least = static_cast<int64_t>(random() % 2000) - 1000;
    const auto greatest = least + static_cast<int64_t>(random() % 500);
    const auto parts = PlanParts(3, static_cast<int64_t>(random() % 10'000), 100, std::to_string(least),
                                 std::to_string(greatest));
    ASSERT_FALSE(parts.empty());
    EXPECT_FALSE(parts.front().from.has_value());
    EXPECT_FALSE(parts.back().to.has_value());
    std::set<uint32_t> numbers;
    for (size_t k = 0; k < parts.size(); ++k) {
      EXPECT_EQ(parts[k].table, 3u);
      EXPECT_TRUE(numbers.insert(parts[k].number).second);
      if (k == 0) continue;
      EXPECT_EQ(parts[k].from, parts[k - 1].to);
      if (parts[k].to.has_value()) {
        EXPECT_LT(std::stoll(*parts[k].from), std::stoll(*parts[k].to));
      }
    }
  }
}

TEST(SelectOf, NamesAreQuoted) {
  CopyTable table;
  table.map.name = {"sh`op", "or.ders"};
  for (const char* name : {"id", "a`b", "select"}) table.map.columns.push_back({.name = name});
  table.range_column = "id";
  const std::string all = "SELECT `id`, `a``b`, `select` FROM `sh``op`.`or.ders`";
  EXPECT_EQ(SelectOf(table, {}), all);
  EXPECT_EQ(SelectOf(table, {.from = "5", .to = std::nullopt}), all + " WHERE `id` >= 5");
  EXPECT_EQ(SelectOf(table, {.from = std::nullopt, .to = "9"}), all + " WHERE `id` < 9");
  EXPECT_EQ(SelectOf(table, {.from = "5", .to = "9"}), all + " WHERE `id` >= 5 AND `id` < 9");
}

TEST(FirstPlace, LeavesRoomForRows) {
  EXPECT_EQ(FirstPlace({.number = 0}), 1u);
  EXPECT_EQ(FirstPlace({.number = 1}), (uint64_t{1} << 40) + 1);
}

}  // namespace
}  // namespace arrowcdc::mysql
