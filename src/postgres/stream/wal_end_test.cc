// Figures computed by hand from the sizes of page headers: 24 bytes, and 40 on the first page of a segment.
#include "src/postgres/stream/wal_end.h"

#include <gtest/gtest.h>

namespace arrowcdc::postgres {
namespace {

constexpr WalGeometry kUsual{8192, 16 << 20};

TEST(EndForm, BehindASegmentsHeaderIsTheSegmentsStart) {
  EXPECT_EQ(EndForm(0x1'05000028, kUsual), 0x1'05000000u);
  EXPECT_EQ(EndForm(0x1'05000000, kUsual), 0x1'05000000u);
}

TEST(EndForm, BehindAPagesHeaderIsThePagesStart) {
  EXPECT_EQ(EndForm(0x1'05002018, kUsual), 0x1'05002000u);
  EXPECT_EQ(EndForm(0x1'05FFE018, kUsual), 0x1'05FFE000u);
  EXPECT_EQ(EndForm(0x1'05002000, kUsual), 0x1'05002000u);
}

TEST(EndForm, ElsewhereItIsThePositionItself) {
  // The first record of a segment is at least as long as its header, 24 bytes.
  EXPECT_EQ(EndForm(0x1'05000040, kUsual), 0x1'05000040u);
  EXPECT_EQ(EndForm(0x1'05002020, kUsual), 0x1'05002020u);
  EXPECT_EQ(EndForm(0x1'05002028, kUsual), 0x1'05002028u);  // a page that is not its segment's first
  EXPECT_EQ(EndForm(0x1'05001FF8, kUsual), 0x1'05001FF8u);
}

TEST(EndForm, WithOtherSizes) {
  constexpr WalGeometry kBigPages{65536, 1 << 30};
  EXPECT_EQ(EndForm(0x1'40000028, kBigPages), 0x1'40000000u);
  EXPECT_EQ(EndForm(0x1'40010018, kBigPages), 0x1'40010000u);
  EXPECT_EQ(EndForm(0x1'40002018, kBigPages), 0x1'40002018u);
  EXPECT_EQ(EndForm(0x1'45000018, kBigPages), 0x1'45000000u);  // a 16 MiB boundary is no segment's start
  EXPECT_EQ(EndForm(0x1'45000028, kBigPages), 0x1'45000028u);
}

}  // namespace
}  // namespace arrowcdc::postgres
