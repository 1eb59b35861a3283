#include "src/delivery/readers/claims.h"

#include <map>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "tests/testing/seed.h"

namespace arrowcdc {
namespace {

TEST(Claims, WithoutBatchesEveryPositionIsFree) {
  Claims claims;
  EXPECT_EQ(claims.floor(), 0u);
  claims.Advance(10);
  EXPECT_EQ(claims.floor(), 10u);
  claims.Advance(20);
  EXPECT_EQ(claims.floor(), 20u);
}

TEST(Claims, TheOldestBatchHoldsThePosition) {
  Claims claims;
  claims.Advance(10);
  const uint64_t first = claims.Add();
  claims.Advance(20);
  const uint64_t second = claims.Add();
  claims.Advance(30);
  claims.Release(second);
  EXPECT_EQ(claims.floor(), 10u);
  claims.Release(first);
  EXPECT_EQ(claims.floor(), 30u);
}

TEST(Claims, ABatchOfAnOpenStretchSetsNothingFree) {
  Claims claims;
  const uint64_t claim = claims.Add();
  claims.Release(claim);
  EXPECT_EQ(claims.floor(), 0u);
  claims.Add();
  claims.Advance(10);
  EXPECT_EQ(claims.floor(), 0u);
}

TEST(Claims, APositionBehindOutstandingBatchesIsFreeWithThem) {
  Claims claims;
  const uint64_t claim = claims.Add();
  claims.Advance(10);
  claims.Advance(50);  // a keepalive
  EXPECT_EQ(claims.floor(), 0u);
  claims.Release(claim);
  EXPECT_EQ(claims.floor(), 50u);
}

TEST(Claims, OneBatchThatIsNeverReleasedCostsNoMemoryForThoseBehindIt) {
  Claims claims;
  claims.Add();
  for (uint64_t order = 1; order <= 10'000; ++order) {
    claims.Advance(order);
    claims.Release(claims.Add());
    ASSERT_LE(claims.size(), 3u);
  }
  EXPECT_EQ(claims.floor(), 0u);
}

// Against the plain definition: the last position such that every batch before it is released.
TEST(Claims, RandomOrdersOfRelease) {
  std::mt19937_64 random(test::Seed());
  for (int round = 0; round < 200; ++round) {
    Claims claims;
    struct Batch {
      uint64_t claim;
      uint64_t behind;  // position in force when it came
    };
    std::vector<Batch> outstanding;
    uint64_t order = 0;
    uint64_t positions_end = 0;
    for (int step = 0; step < 200; ++step) {
      switch (random() % 3) {
        case 0:
          outstanding.push_back({claims.Add(), order});
          break;
        case 1:
          claims.Advance(order += 1 + random() % 5);
          positions_end = order;
          break;
        default:
          if (outstanding.empty()) break;
          const size_t which = random() % outstanding.size();
          claims.Release(outstanding[which].claim);
          outstanding.erase(outstanding.begin() + static_cast<std::ptrdiff_t>(which));
      }
      uint64_t expected = positions_end;
      for (const Batch& batch : outstanding) expected = std::min(expected, batch.behind);
      ASSERT_EQ(claims.floor(), expected) << "round " << round << ", step " << step;
      ASSERT_LE(claims.size(), outstanding.size() + 1);
    }
  }
}

}  // namespace
}  // namespace arrowcdc
