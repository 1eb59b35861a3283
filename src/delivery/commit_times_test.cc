#include "src/delivery/commit_times.h"

#include <numeric>

#include <gtest/gtest.h>

namespace arrowcdc {
namespace {

constexpr int64_t kSecond = 1'000'000;

uint64_t CountOf(const LatencyHistogram& histogram) {
  return std::accumulate(histogram.counts.begin(), histogram.counts.end(), uint64_t{0});
}

TEST(CommitTimes, CountsWhatBecameDurableByHowLongItTook) {
  CommitTimes times;
  LatencyHistogram histogram;
  times.Take(0, kSecond);
  times.Advance({1, 10});
  times.Take(2 * kSecond, 2 * kSecond);
  times.Advance({1, 20});
  EXPECT_EQ(times.oldest(), 0);
  times.NoteDurable({1, 19}, 3 * kSecond, &histogram);
  EXPECT_EQ(CountOf(histogram), 1u);
  EXPECT_EQ(histogram.counts[8], 1u);  // above 2.5 s, up to 5 s
  EXPECT_DOUBLE_EQ(histogram.sum, 3);
  EXPECT_EQ(times.oldest(), 2 * kSecond);
  EXPECT_EQ(times.last_durable(), kSecond);
  times.NoteDurable({1, 20}, 3 * kSecond, &histogram);
  EXPECT_EQ(histogram.counts[6], 1u);  // a bound belongs to what it bounds: 1 s
  EXPECT_EQ(times.oldest(), std::nullopt);
}

TEST(CommitTimes, WhatHasNoPositionYetIsNotDurable) {
  CommitTimes times;
  LatencyHistogram histogram;
  times.Take(5, 5);
  times.NoteDurable({1, 100}, 10, &histogram);
  EXPECT_EQ(CountOf(histogram), 0u);
  EXPECT_EQ(times.oldest(), 5);
}

TEST(CommitTimes, AClockThatIsBehindTheServersCountsAsNoTime) {
  CommitTimes times;
  LatencyHistogram histogram;
  times.Take(10 * kSecond, 10 * kSecond);
  times.Advance({1, 1});
  times.NoteDurable({1, 1}, 0, &histogram);
  EXPECT_EQ(histogram.counts[0], 1u);
  EXPECT_DOUBLE_EQ(histogram.sum, 0);
}

TEST(CommitTimes, BatchesOfOneTransactionAreOneEntry) {
  CommitTimes times;
  LatencyHistogram histogram;
  for (int batch = 0; batch < 1000; ++batch) times.Take(7, 7);
  EXPECT_EQ(times.entries(), 1u);
  times.Advance({1, 1});
  times.NoteDurable({1, 1}, 7, &histogram);
  EXPECT_EQ(CountOf(histogram), 1000u);
}

TEST(CommitTimes, MemoryIsBoundedAndTheOldestStays) {
  CommitTimes times;
  LatencyHistogram histogram;
  constexpr int64_t kBatches = 100'000;
  for (int64_t batch = 0; batch < kBatches; ++batch) {
    times.Take(batch, batch);
    if (batch % 3 != 0) times.Advance({1, static_cast<uint64_t>(batch)});
  }
  EXPECT_LE(times.entries(), CommitTimes::kEntriesMax);
  EXPECT_EQ(times.oldest(), 0);
  times.Advance({1, kBatches});
  times.NoteDurable({1, kBatches}, kBatches, &histogram);
  EXPECT_EQ(CountOf(histogram), static_cast<uint64_t>(kBatches));
  EXPECT_EQ(times.oldest(), std::nullopt);
  EXPECT_EQ(times.last_durable(), kBatches - 1);
}

}  // namespace
}  // namespace arrowcdc
