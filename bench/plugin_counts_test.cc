#include "bench/plugin_counts.h"

#include <gtest/gtest.h>

namespace arrowcdc::bench {
namespace {

constexpr char kLog[] =
    "LOG:  wal2arrow: slot \"a\": 40 transactions in 12 frames; 5000 WAL records, 4900 of them drained\n"
    "LOG:  wal2arrow: slot \"ab\": 1 transactions in 1 frames; 7 WAL records, 0 of them drained\n"
    "LOG:  wal2arrow: slot \"a\": 41 transactions in 13 frames; 6000 WAL records, 5900 of them drained\n";

TEST(PluginCountsTest, TheSlotsLastSessionCounts) {
  const auto counts = ParsePluginCounts(kLog, "a");
  ASSERT_TRUE(counts.has_value());
  EXPECT_EQ(counts->transactions, 41);
  EXPECT_EQ(counts->frames, 13);
  EXPECT_EQ(counts->records, 6000);
  EXPECT_EQ(counts->records_drained, 5900);
  EXPECT_EQ(ParsePluginCounts(kLog, "ab")->records_drained, 0);
}

TEST(PluginCountsTest, NothingIsMadeUp) {
  EXPECT_FALSE(ParsePluginCounts(kLog, "b").has_value());
  EXPECT_FALSE(ParsePluginCounts("", "a").has_value());
  EXPECT_FALSE(ParsePluginCounts("wal2arrow: slot \"a\": 40 transactions in 12 fr", "a").has_value());
  EXPECT_FALSE(ParsePluginCounts(
                   "wal2arrow: slot \"a\": 0 transactions in 0 frames; 0 WAL records, 0 of them drained", "a")
                   .has_value());
}

}  // namespace
}  // namespace arrowcdc::bench
