#include "src/delivery/readers/claims.h"

#include <map>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "tests/testing/seed.h"

namespace arrowcdc {
namespace {

Position At(uint64_t order, uint32_t epoch = 1) { return {epoch, order}; }

TEST(Claims, WithoutBatchesEveryPositionIsFree) {
  Claims claims;
  EXPECT_EQ(claims.floor(), std::nullopt);
  claims.Advance(At(10));
  EXPECT_EQ(claims.floor(), At(10));
  claims.Advance(At(20));
  EXPECT_EQ(claims.floor(), At(20));
}

TEST(Claims, TheOldestBatchHoldsThePosition) {
  Claims claims;
  claims.Advance(At(10));
  const uint64_t first = claims.Add();
  claims.Advance(At(20));
  const uint64_t second = claims.Add();
  claims.Advance(At(30));
  claims.Release(second);
  EXPECT_EQ(claims.floor(), At(10));
  claims.Release(first);
  EXPECT_EQ(claims.floor(), At(30));
}

TEST(Claims, ABatchOfAnOpenStretchSetsNothingFree) {
  Claims claims;
  const uint64_t claim = claims.Add();
  claims.Release(claim);
  EXPECT_EQ(claims.floor(), std::nullopt);
  claims.Add();
  claims.Advance(At(10));
  EXPECT_EQ(claims.floor(), std::nullopt);
}

TEST(Claims, APositionBehindOutstandingBatchesIsFreeWithThem) {
  Claims claims;
  const uint64_t claim = claims.Add();
  claims.Advance(At(10));
  claims.Advance(At(50));  // a keepalive
  EXPECT_EQ(claims.floor(), std::nullopt);
  claims.Release(claim);
  EXPECT_EQ(claims.floor(), At(50));
}

TEST(Claims, OneBatchThatIsNeverReleasedCostsNoMemoryForThoseBehindIt) {
  Claims claims;
  claims.Add();
  for (uint64_t order = 1; order <= 10'000; ++order) {
    claims.Advance(At(order));
    claims.Release(claims.Add());
    ASSERT_LE(claims.size(), 3u);
  }
  EXPECT_EQ(claims.floor(), std::nullopt);
}

TEST(Claims, AnEpochIsBehindTheOneBeforeItHoweverLowItsOrders) {
  Claims claims;
  claims.Advance(At(900));
  const uint64_t before = claims.Add();
  claims.Advance(At(950));
  claims.Advance(At(20, 2));
  const uint64_t after = claims.Add();
  claims.Advance(At(30, 2));
  claims.Advance(At(990));  // of the earlier epoch: nothing goes backwards
  claims.Release(after);
  EXPECT_EQ(claims.floor(), At(900));
  claims.Release(before);
  EXPECT_EQ(claims.floor(), At(30, 2));
}

// Against the plain definition: the last position such that every batch before it is released. Epochs begin
// with lower orders than the one before ended with.
TEST(Claims, RandomOrdersOfRelease) {
  std::mt19937_64 random(test::Seed());
  for (int round = 0; round < 200; ++round) {
    Claims claims;
    struct Batch {
      uint64_t claim;
      std::optional<Position> behind;  // position in force when it came
    };
    std::vector<Batch> outstanding;
    std::optional<Position> position;
    for (int step = 0; step < 200; ++step) {
      switch (random() % 3) {
        case 0:
          outstanding.push_back({claims.Add(), position});
          break;
        case 1:
          if (!position.has_value() || random() % 8 == 0) {
            position = At(random() % 1000, position.value_or(Position{}).epoch + 1);
          } else {
            position->order += 1 + random() % 5;
          }
          claims.Advance(*position);
          break;
        default:
          if (outstanding.empty()) break;
          const size_t which = random() % outstanding.size();
          claims.Release(outstanding[which].claim);
          outstanding.erase(outstanding.begin() + static_cast<std::ptrdiff_t>(which));
      }
      std::optional<Position> expected = position;
      for (const Batch& batch : outstanding) expected = std::min(expected, batch.behind);
      ASSERT_EQ(claims.floor(), expected) << "round " << round << ", step " << step;
      ASSERT_LE(claims.size(), outstanding.size() + 1);
    }
  }
}

}  // namespace
}  // namespace arrowcdc
