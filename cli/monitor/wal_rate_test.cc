#include "cli/monitor/wal_rate.h"

#include <gtest/gtest.h>

namespace arrowcdc::cli {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

TEST(WalRate, IsOverTheLastMinutes) {
  WalRate rate;
  const WalRate::Time start(seconds(1000));
  EXPECT_EQ(rate.bytes_per_s(), std::nullopt);
  rate.Look(start, 5000);
  EXPECT_EQ(rate.bytes_per_s(), std::nullopt);
  rate.Look(start + seconds(10), 6000);
  EXPECT_DOUBLE_EQ(*rate.bytes_per_s(), 100);
  for (int minute = 1; minute <= 10; ++minute) rate.Look(start + minutes(minute), 6000 + 60 * minute);
  EXPECT_DOUBLE_EQ(*rate.bytes_per_s(), 1);
}

TEST(WalRate, AnotherServerCountsAnew) {
  WalRate rate;
  rate.Look(WalRate::Time(seconds(1)), 5000);
  rate.Look(WalRate::Time(seconds(2)), 4000);
  EXPECT_EQ(rate.bytes_per_s(), std::nullopt);
  rate.Look(WalRate::Time(seconds(3)), 4500);
  EXPECT_DOUBLE_EQ(*rate.bytes_per_s(), 500);
}

TEST(WalRate, TellsWhenASlotIsInvalidated) {
  EXPECT_EQ(TimeUntilInvalidated(std::nullopt, 10), std::nullopt) << "no limit";
  EXPECT_EQ(TimeUntilInvalidated(1000, std::nullopt), std::nullopt);
  EXPECT_EQ(TimeUntilInvalidated(1000, 0), std::nullopt);
  EXPECT_EQ(TimeUntilInvalidated(1000, 10), seconds(100));
  EXPECT_EQ(TimeUntilInvalidated(-5, 10), seconds(0));
  EXPECT_GT(*TimeUntilInvalidated(INT64_MAX, 1e-9), seconds(0));
}

}  // namespace
}  // namespace arrowcdc::cli
