#include "bench/results.h"

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace arrowcdc::bench {
namespace {

// Parts of [a-z0-9_]+ with dots between; 0: not such a key.
int CountParts(const std::string& key) {
  char before = '.';
  for (const char c : key + ".") {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    if (!plain && (c != '.' || before == '.')) return 0;
    before = c;
  }
  return 1 + static_cast<int>(std::count(key.begin(), key.end(), '.'));
}

TEST(StatisticsTest, MedianOfOddAndEvenCounts) {
  EXPECT_EQ(StatisticsOf({5, 1, 3}).median, 3);
  const Statistics even = StatisticsOf({4, 1, 3, 100});
  EXPECT_EQ(even.median, 3.5);
  EXPECT_EQ(even.min, 1);
  EXPECT_EQ(even.max, 100);
  EXPECT_EQ(even.n, 4);
}

TEST(StatisticsTest, PercentileIsAValueThatWasSeen) {
  std::vector<double> hundred;
  for (int i = 1; i <= 100; ++i) hundred.push_back(i);
  EXPECT_EQ(Percentile(hundred, 0.5), 50);
  EXPECT_EQ(Percentile(hundred, 0.99), 99);
  EXPECT_EQ(Percentile(hundred, 0.999), 100);
  EXPECT_EQ(Percentile({7}, 0.5), 7);
}

// The machine was twice as slow in round 1: a ratio of medians would say 1.5, the rounds say 2.
TEST(ResultsTest, RatiosArePairedByRound) {
  Results results;
  results.Add("narrow", "a", "rows_per_s", 0, 200);
  results.Add("narrow", "a", "rows_per_s", 1, 100);
  results.Add("narrow", "b", "rows_per_s", 0, 100);
  results.Add("narrow", "b", "rows_per_s", 1, 50);
  results.Add("narrow", "b", "rows_per_s", 2, 1);  // no partner
  const auto ratio = results.Ratio("narrow", "rows_per_s", "a", "b");
  ASSERT_TRUE(ratio.has_value());
  EXPECT_EQ(ratio->min, 2);
  EXPECT_EQ(ratio->max, 2);
  EXPECT_EQ(ratio->n, 2);
}

TEST(ResultsTest, TheBetterOfTwoRunsCountsInEachRound) {
  Results results;
  for (const auto& [contender, first, second] :
       {std::tuple("own", 10.0, 40.0), std::tuple("other", 20.0, 30.0)}) {
    results.Add("narrow", contender, "rows_per_s", 0, first);
    results.Add("narrow", contender, "rows_per_s", 1, second);
    results.Add("narrow", contender, "server_cpu_s_per_m_rows", 0, first);
  }
  results.TakeBetter("narrow", "own", "other");
  EXPECT_EQ(results.Get("narrow", "own", "rows_per_s")->min, 20);
  EXPECT_EQ(results.Get("narrow", "own", "rows_per_s")->max, 40);
  EXPECT_EQ(results.Get("narrow", "own", "server_cpu_s_per_m_rows")->median, 10);
  EXPECT_EQ(results.Get("narrow", "other", "rows_per_s")->min, 20);
}

TEST(ResultsTest, WhatIsAbsentIsNullWithItsFirstReasonWhateverWasAdded) {
  Results results;
  results.Add("narrow", "a", "rows_per_s", 0, 100);
  results.SetAbsent("narrow", "a", "rows_per_s", "rows were lost");
  results.SetAbsent("narrow", "a", "rows_per_s", "later trouble");
  results.Add("narrow", "b", "rows_per_s", 0, 100);
  results.AddRatio("narrow", "rows_per_s", "a", "b");
  const auto json = results.ToJson();
  EXPECT_TRUE(json.at("narrow.a.rows_per_s.median").is_null());
  EXPECT_EQ(json.at("narrow.a.rows_per_s.reason"), "rows were lost");
  EXPECT_FALSE(json.contains("narrow.a.rows_per_s.min"));
  EXPECT_TRUE(json.at("ratio.narrow.rows_per_s.a.b.median").is_null());
  EXPECT_EQ(json.at("ratio.narrow.rows_per_s.a.b.reason"), "a: rows were lost");
}

TEST(ResultsTest, LatenciesOfAllRoundsAreOneSample) {
  Results results;
  results.AddLatencies("latency_100", "a", 0, {0.003, 0.001});
  results.AddLatencies("latency_100", "a", 1, {0.002});
  results.AddLatencies("latency_100", "b", 0, {0.001, 0.001});
  results.AddRatio("latency_100", kLatencyMetric, "a", "b");
  const auto json = results.ToJson();
  EXPECT_EQ(json.at("latency_100.a.latency_s.p50"), 0.002);
  EXPECT_EQ(json.at("latency_100.a.latency_s.p999"), 0.003);
  EXPECT_EQ(json.at("latency_100.a.latency_s.n"), 3);
  EXPECT_EQ(json.at("ratio.latency_100.latency_s.a.b.p50"), 1);
  EXPECT_EQ(json.at("ratio.latency_100.latency_s.a.b.p99"), 3);
}

TEST(ResultsTest, KeysAreFlatAndPlain) {
  Results results;
  results.SetMeta("cores", 2);
  results.Add("narrow", "wal2json_v2", "rows_per_s", 0, 1);
  results.Add("narrow", "b", "rows_per_s", 0, 2);
  results.SetAbsent("narrow", "c", "rows_per_s", "not here");
  results.AddLatencies("latency_100", "a", 0, {0.001});
  results.AddRatio("narrow", "rows_per_s", "wal2json_v2", "b");
  int count = 0;
  const auto json = results.ToJson();
  for (const auto& [key, value] : json.items()) {
    EXPECT_EQ(CountParts(key), key.starts_with("meta.") ? 2 : key.starts_with("ratio.") ? 6 : 4) << key;
    EXPECT_TRUE(value.is_number() || value.is_null() || key.ends_with(".reason")) << key;
    ++count;
  }
  EXPECT_EQ(count, 1 + 4 + 4 + 2 + 7 + 4);
}

}  // namespace
}  // namespace arrowcdc::bench
