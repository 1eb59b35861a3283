#include "src/options/amount.h"

#include <gtest/gtest.h>

namespace arrowcdc {
namespace {

using std::chrono::milliseconds;

TEST(ParseDuration, KnowsItsUnits) {
  EXPECT_EQ(ParseDuration("500ms").ValueOrDie(), milliseconds(500));
  EXPECT_EQ(ParseDuration("20s").ValueOrDie(), milliseconds(20'000));
  EXPECT_EQ(ParseDuration("5min").ValueOrDie(), milliseconds(300'000));
  EXPECT_EQ(ParseDuration("2h").ValueOrDie(), milliseconds(7'200'000));
  EXPECT_EQ(ParseDuration("1d").ValueOrDie(), milliseconds(86'400'000));
}

TEST(ParseDuration, RefusesWhatCouldBeMisread) {
  for (const char* text :
       {"", "20", "s", "-1s", "1.5s", "5m", "1 s", "99999999999999999999s", "9223372036854775807h"}) {
    EXPECT_FALSE(ParseDuration(text).ok()) << text;
  }
}

TEST(ParseDuration, RefusesWhatTheClockCannotCount) {
  EXPECT_EQ(ParseDuration("36500d").ValueOrDie(), std::chrono::hours(24 * 36'500));
  for (const char* text : {"36501d", "876001h", "150000d", "9223372036854775807ms"}) {
    EXPECT_FALSE(ParseDuration(text).ok()) << text;
  }
}

TEST(ParseSize, KnowsItsUnits) {
  EXPECT_EQ(ParseSize("0").ValueOrDie(), 0);
  EXPECT_EQ(ParseSize("1kB").ValueOrDie(), 1000);
  EXPECT_EQ(ParseSize("128MiB").ValueOrDie(), 134'217'728);
  EXPECT_EQ(ParseSize("2GiB").ValueOrDie(), 2'147'483'648);
}

TEST(ParseSize, RefusesWhatCouldBeMisread) {
  for (const char* text : {"", "MiB", "-1", "1m", "1K", "1.5GiB", "9223372036854775807GiB"}) {
    EXPECT_FALSE(ParseSize(text).ok()) << text;
  }
}

TEST(FormatSize, PicksTheUnit) {
  EXPECT_EQ(FormatSize(0), "0 B");
  EXPECT_EQ(FormatSize(1023), "1023 B");
  EXPECT_EQ(FormatSize(1536), "1.5 KiB");
  EXPECT_EQ(FormatSize(3ull << 40), "3.0 TiB");
}

}  // namespace
}  // namespace arrowcdc
