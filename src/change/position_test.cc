#include "arrowcdc/position.h"

#include <random>

#include <gtest/gtest.h>

#include "arrowcdc/error.h"

namespace arrowcdc {
namespace {

TEST(Position, TheTokenTakesNoPartInComparisons) {
  EXPECT_TRUE((Position{1, 5, "a"} == Position{1, 5, "b"}));
  EXPECT_FALSE((Position{1, 5, "a"} < Position{1, 5, "b"}));
  EXPECT_LT((Position{1, 6, "b"}), (Position{2, 5, "a"}));
  EXPECT_LT((Position{1, 5, "b"}), (Position{1, 6, "a"}));
}

TEST(Lsn, AsPostgresWritesIt) {
  EXPECT_EQ(FormatLsn(0), "0/0");
  EXPECT_EQ(FormatLsn(0x16B374D848), "16/B374D848");
  EXPECT_EQ(FormatLsn(0x100000000), "1/0");
  EXPECT_EQ(FormatLsn(0x0123456700abcdef), "1234567/ABCDEF");
  EXPECT_EQ(FormatLsn(UINT64_MAX), "FFFFFFFF/FFFFFFFF");
}

TEST(Lsn, Parses) {
  EXPECT_EQ(*ParseLsn("16/B374D848"), 0x16B374D848u);
  EXPECT_EQ(*ParseLsn("16/b374d848"), 0x16B374D848u);
  EXPECT_EQ(*ParseLsn("0/0"), 0u);
  EXPECT_EQ(*ParseLsn("00000001/00000002"), 0x100000002u);
  EXPECT_EQ(*ParseLsn("FFFFFFFF/FFFFFFFF"), UINT64_MAX);
}

TEST(Lsn, RefusesEverythingElse) {
  for (const char* text : {"", "/", "1", "1/", "/1", "1/2/3", " 1/2", "1/2 ", "1/ 2", "+1/2", "-1/2", "0x1/2",
                           "1/g", "123456789/0", "0/123456789", "1\\2", "1/2\n"}) {
    auto lsn = ParseLsn(text);
    ASSERT_FALSE(lsn.ok()) << text;
    ASSERT_NE(GetErrorDetail(lsn.status()), nullptr);
    EXPECT_EQ(GetErrorDetail(lsn.status())->kind(), ErrorKind::kInvalidOption);
  }
  EXPECT_FALSE(ParseLsn(std::string_view("1/2\0", 4)).ok());
}

TEST(Lsn, WhatIsFormattedParses) {
  std::mt19937_64 random(20261123);
  for (int i = 0; i < 10000; ++i) {
    uint64_t lsn = random() >> (random() % 64);
    ASSERT_EQ(*ParseLsn(FormatLsn(lsn)), lsn) << "seed 20261123, round " << i;
  }
}

TEST(RowPosition, OrdersByCommitThenRecordThenPlace) {
  EXPECT_LT((RowPosition{1, 9, 9}), (RowPosition{2, 0, 0}));
  EXPECT_LT((RowPosition{2, 1, 9}), (RowPosition{2, 2, 0}));
  EXPECT_LT((RowPosition{2, 2, 0}), (RowPosition{2, 2, 1}));
  // Above 2^63 as well: LSNs are unsigned.
  EXPECT_LT((RowPosition{1, 0, 0}), (RowPosition{uint64_t{1} << 63, 0, 0}));
}

}  // namespace
}  // namespace arrowcdc
