// What was measured: values per workload, contender, metric and round; their statistics, the flat JSON and
// the tables.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include <nlohmann/json.hpp>

namespace arrowcdc::bench {

struct Statistics {
  double median = 0;
  double min = 0;
  double max = 0;
  int64_t n = 0;
};
// REQUIRES: values are not empty.
Statistics StatisticsOf(std::vector<double> values);
// The value at or below which `share` of the values lie. REQUIRES: sorted, not empty.
double Percentile(const std::vector<double>& sorted, double share);

class Results {
 public:
  // Keys are lower-case letters, digits and underscores.
  void SetMeta(const std::string& name, nlohmann::json value);

  void Add(const std::string& workload, const std::string& contender, const std::string& metric, int round,
           double value);
  // Seconds, one a transaction.
  void AddLatencies(const std::string& workload, const std::string& contender, int round,
                    std::vector<double> seconds);
  // The metric is null and `reason` stands beside it; values added before or after do not count.
  void SetAbsent(const std::string& workload, const std::string& contender, const std::string& metric,
                 const std::string& reason);

  // In each round the better of two runs of one plugin counts: `contender` gets the higher rate and the lower
  // time.
  void TakeBetter(const std::string& workload, const std::string& contender, const std::string& other);
  // From now on the JSON has contender's metric divided by other's, round by round.
  void AddRatio(const std::string& workload, const std::string& metric, const std::string& contender,
                const std::string& other);

  // There is a value, or the reason why not.
  bool Has(const std::string& workload, const std::string& contender, const std::string& metric) const;
  // nullopt: absent, or never measured.
  std::optional<Statistics> Get(const std::string& workload, const std::string& contender,
                                const std::string& metric) const;
  std::string Reason(const std::string& workload, const std::string& contender,
                     const std::string& metric) const;
  // Median over the rounds of the ratio in each.
  std::optional<Statistics> Ratio(const std::string& workload, const std::string& metric,
                                  const std::string& contender, const std::string& other) const;
  // All rounds together, sorted; empty: absent.
  std::vector<double> Latencies(const std::string& workload, const std::string& contender) const;

  nlohmann::ordered_json ToJson() const;

 private:
  using Key = std::tuple<std::string, std::string, std::string>;  // workload, contender, metric
  using RatioKey = std::tuple<std::string, std::string, std::string, std::string>;

  const std::map<int, double>* Find(const Key& key) const;
  void PutLatencies(const std::string& workload, const std::string& contender,
                    nlohmann::ordered_json* json) const;
  void PutRatios(nlohmann::ordered_json* json) const;
  std::vector<double> LatencyRatios(const RatioKey& key, double share) const;

  std::vector<std::pair<std::string, nlohmann::json>> meta_;
  std::vector<Key> order_;
  std::map<Key, std::map<int, double>> values_;  // by round
  std::map<Key, std::string> absent_;
  std::map<std::pair<std::string, std::string>, std::map<int, std::vector<double>>>
      latencies_;  // by round, sorted
  std::vector<RatioKey> ratios_;
};

inline constexpr char kLatencyMetric[] = "latency_s";

}  // namespace arrowcdc::bench
