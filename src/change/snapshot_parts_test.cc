#include "src/change/snapshot_parts.h"

#include <gtest/gtest.h>

#include "tests/testing/assert_ok.h"

namespace arrowcdc::test {
namespace {

arrow::Status Changed(const std::string& table) { return arrow::Status::Invalid(table, " was changed"); }

TEST(SnapshotParts, EachOnceInTheirOrder) {
  SnapshotParts parts;
  parts.Set({7, 7, 3}, false);
  for (size_t place = 0; place < 3; ++place) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto taken, parts.Take());
    EXPECT_EQ(taken, place);
    parts.Done();
  }
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto none, parts.Take());
  EXPECT_EQ(none, std::nullopt);
}

TEST(SnapshotParts, TheErrorOfATableComesBehindAllOthers) {
  SnapshotParts parts;
  parts.Set({0, 0, 0, 1, 2, 3, 3}, false);
  const auto take = [&] { return parts.Take().ValueOr(std::optional<size_t>(99)); };
  // Two readers: the first reads a part of table 0 while the second cannot.
  EXPECT_EQ(take(), 0u);
  EXPECT_EQ(take(), 1u);
  ARROWCDC_ASSERT_OK(parts.PutOff(1, Changed("0")));
  EXPECT_EQ(take(), 3u) << "no part of table 0";
  parts.Done();
  EXPECT_EQ(take(), 4u);
  ARROWCDC_ASSERT_OK(parts.PutOff(4, Changed("2")));
  EXPECT_EQ(take(), 5u);
  parts.Done();
  EXPECT_EQ(take(), 6u);
  // The one that has nothing more to read ends without an error: the other one is reading.
  parts.Done();
  EXPECT_EQ(take(), std::nullopt);
  parts.Done();
  EXPECT_EQ(parts.Take().status().message(), "0 was changed");
}

// Into a target whose rows stand where they were written, those of a table that must come anew are not
// followed by those of another one.
TEST(SnapshotParts, InOrderATableThatWasBegunEndsAtOnce) {
  SnapshotParts parts;
  parts.Set({0, 1, 1, 2}, true);
  ARROWCDC_ASSERT_OK(parts.Take().status());
  ARROWCDC_ASSERT_OK(parts.PutOff(0, Changed("0")));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto first, parts.Take());
  EXPECT_EQ(first, 1u);
  parts.Done();
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto second, parts.Take());
  EXPECT_EQ(second, 2u);
  EXPECT_EQ(parts.PutOff(2, Changed("1")).message(), "1 was changed");
}

}  // namespace
}  // namespace arrowcdc::test
