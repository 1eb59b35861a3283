// Timeline history files as PostgreSQL writes them, and as nobody should.
#include "src/postgres/stream/timeline_history.h"

#include <gtest/gtest.h>

#include "arrowcdc/error.h"

namespace arrowcdc::postgres {
namespace {

constexpr char kHistory[] =
    "1\t0/3000158\tno recovery target specified\n\n# a comment\n  2\t1A/B374D848\tbefore 2000-01-01 "
    "00:00:00+00\n3\t1A/C0000000\n";

TEST(TimelineHistory, FindsTheSwitchPoint) {
  EXPECT_EQ(*TimelineEndIn(kHistory, 1), 0x3000158u);
  EXPECT_EQ(*TimelineEndIn(kHistory, 2), 0x1AB374D848u);
  EXPECT_EQ(*TimelineEndIn(kHistory, 3), 0x1AC0000000u);
}

TEST(TimelineHistory, AnotherBranchIsRefused) {
  EXPECT_EQ(GetErrorDetail(TimelineEndIn(kHistory, 4).status())->kind(), ErrorKind::kPositionGap);
  EXPECT_FALSE(TimelineEndIn("", 1).ok());
  EXPECT_FALSE(TimelineEndIn("1", 1).ok());
  EXPECT_FALSE(TimelineEndIn("1\tnonsense\n", 1).ok());
  EXPECT_FALSE(TimelineEndIn("11\t0/1\n", 1).ok());
}

}  // namespace
}  // namespace arrowcdc::postgres
