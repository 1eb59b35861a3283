// Limits of dates and times, worked out by hand from Julian day numbers: 2000-01-01 is 2451545, 1970-01-01 is
// 2440588.
#include "pgtype/datetime.h"

#include <optional>

#include <gtest/gtest.h>

namespace arrowcdc::pgtype {
namespace {

std::optional<int32_t> Days(int32_t date) {
  int32_t days;
  return DateToDays(date, &days) ? std::optional(days) : std::nullopt;
}

std::optional<int64_t> Us(int64_t timestamp) {
  int64_t us;
  return TimestampToUs(timestamp, &us) ? std::optional(us) : std::nullopt;
}

std::optional<int64_t> Ns(int64_t us) {
  int64_t ns;
  return IntervalToNs(us, &ns) ? std::optional(ns) : std::nullopt;
}

TEST(Datetime, Dates) {
  EXPECT_EQ(Days(0), 2451545 - 2440588);
  EXPECT_EQ(Days(-10957), 0);
  EXPECT_EQ(Days(-2451545), -2440588);      // PostgreSQL's first
  EXPECT_EQ(Days(2145031948), 2145042905);  // its last, 5874897-12-31
  EXPECT_EQ(Days(2147472690), 2147483647);
  EXPECT_EQ(Days(2147472691), std::nullopt);  // no date of PostgreSQL's, but bytes can say it
  EXPECT_EQ(Days(INT32_MIN), std::nullopt);
  EXPECT_EQ(Days(INT32_MAX), std::nullopt);
}

TEST(Datetime, Timestamps) {
  EXPECT_EQ(Us(0), 946684800000000);
  EXPECT_EQ(Us(-946684800000001), -1);
  EXPECT_EQ(Us(-211813488000000000), -210866803200000000);  // PostgreSQL's first
  EXPECT_EQ(Us(9222425352054775807), 9223372036854775807);  // Arrow's last
  EXPECT_EQ(Us(9222425352054775808), std::nullopt);
  EXPECT_EQ(Us(INT64_MIN), std::nullopt);
  EXPECT_EQ(Us(INT64_MAX), std::nullopt);
}

TEST(Datetime, TimesOfDay) {
  EXPECT_TRUE(IsTimeOfDay(0));
  EXPECT_TRUE(IsTimeOfDay(86399999999));
  EXPECT_FALSE(IsTimeOfDay(86400000000));
  EXPECT_FALSE(IsTimeOfDay(-1));
}

TEST(Datetime, Intervals) {
  EXPECT_EQ(Ns(-1500000), -1500000000);
  EXPECT_EQ(Ns(9223372036854775), 9223372036854775000);
  EXPECT_EQ(Ns(9223372036854776), std::nullopt);
  EXPECT_EQ(Ns(-9223372036854775), -9223372036854775000);
  EXPECT_EQ(Ns(-9223372036854776), std::nullopt);
  EXPECT_EQ(Ns(INT64_MIN), std::nullopt);
  EXPECT_EQ(Ns(INT64_MAX), std::nullopt);
}

}  // namespace
}  // namespace arrowcdc::pgtype
