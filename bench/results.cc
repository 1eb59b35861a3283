#include "bench/results.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace arrowcdc::bench {
namespace {

using nlohmann::ordered_json;

constexpr std::pair<const char*, double> kPercentiles[] = {{"p50", 0.5}, {"p99", 0.99}, {"p999", 0.999}};

void PutStatistics(const std::string& prefix, const Statistics& statistics, ordered_json* json) {
  (*json)[prefix + ".median"] = statistics.median;
  (*json)[prefix + ".min"] = statistics.min;
  (*json)[prefix + ".max"] = statistics.max;
  (*json)[prefix + ".n"] = statistics.n;
}

}  // namespace

Statistics StatisticsOf(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t n = values.size();
  const double median = n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
  return {.median = median, .min = values.front(), .max = values.back(), .n = static_cast<int64_t>(n)};
}

double Percentile(const std::vector<double>& sorted, double share) {
  const double rank = std::ceil(share * static_cast<double>(sorted.size()));
  return sorted[static_cast<size_t>(std::max(rank, 1.0)) - 1];
}

void Results::SetMeta(const std::string& name, nlohmann::json value) {
  meta_.emplace_back(name, std::move(value));
}

void Results::Add(const std::string& workload, const std::string& contender, const std::string& metric,
                  int round, double value) {
  const Key key(workload, contender, metric);
  if (std::find(order_.begin(), order_.end(), key) == order_.end()) order_.push_back(key);
  values_[key][round] = value;
}

void Results::AddLatencies(const std::string& workload, const std::string& contender, int round,
                           std::vector<double> seconds) {
  const Key key(workload, contender, kLatencyMetric);
  if (std::find(order_.begin(), order_.end(), key) == order_.end()) order_.push_back(key);
  std::sort(seconds.begin(), seconds.end());
  latencies_[{workload, contender}][round] = std::move(seconds);
}

void Results::SetAbsent(const std::string& workload, const std::string& contender, const std::string& metric,
                        const std::string& reason) {
  const Key key(workload, contender, metric);
  if (std::find(order_.begin(), order_.end(), key) == order_.end()) order_.push_back(key);
  absent_.emplace(key, reason.substr(0, reason.find('\n')));  // the first reason is the cause
}

const std::map<int, double>* Results::Find(const Key& key) const {
  const auto found = values_.find(key);
  return found == values_.end() || absent_.contains(key) ? nullptr : &found->second;
}

void Results::TakeBetter(const std::string& workload, const std::string& contender,
                         const std::string& other) {
  for (const auto& [metric, higher] :
       {std::pair("rows_per_s", true), std::pair("txns_per_s", true), std::pair("wall_s", false),
        std::pair("server_cpu_s_per_m_rows", false)}) {
    const auto* rivals = Find({workload, other, metric});
    const auto found = values_.find({workload, contender, metric});
    if (rivals == nullptr || found == values_.end()) continue;
    for (const auto& [round, rival] : *rivals) {
      const auto own = found->second.find(round);
      if (own != found->second.end())
        own->second = higher ? std::max(own->second, rival) : std::min(own->second, rival);
    }
  }
}

void Results::AddRatio(const std::string& workload, const std::string& metric, const std::string& contender,
                       const std::string& other) {
  ratios_.emplace_back(workload, metric, contender, other);
}

bool Results::Has(const std::string& workload, const std::string& contender,
                  const std::string& metric) const {
  return std::find(order_.begin(), order_.end(), Key(workload, contender, metric)) != order_.end();
}

std::optional<Statistics> Results::Get(const std::string& workload, const std::string& contender,
                                       const std::string& metric) const {
  const auto* rounds = Find({workload, contender, metric});
  if (rounds == nullptr || rounds->empty()) return std::nullopt;
  std::vector<double> values;
  for (const auto& [round, value] : *rounds) values.push_back(value);
  return StatisticsOf(std::move(values));
}

std::string Results::Reason(const std::string& workload, const std::string& contender,
                            const std::string& metric) const {
  const auto found = absent_.find({workload, contender, metric});
  return found == absent_.end() ? "not measured" : found->second;
}

std::optional<Statistics> Results::Ratio(const std::string& workload, const std::string& metric,
                                         const std::string& contender, const std::string& other) const {
  const auto* ours = Find({workload, contender, metric});
  const auto* theirs = Find({workload, other, metric});
  if (ours == nullptr || theirs == nullptr) return std::nullopt;
  std::vector<double> quotients;
  for (const auto& [round, value] : *ours) {
    const auto paired = theirs->find(round);
    if (paired != theirs->end() && paired->second > 0) quotients.push_back(value / paired->second);
  }
  if (quotients.empty()) return std::nullopt;
  return StatisticsOf(std::move(quotients));
}

std::vector<double> Results::Latencies(const std::string& workload, const std::string& contender) const {
  const auto found = latencies_.find({workload, contender});
  if (found == latencies_.end() || absent_.contains({workload, contender, kLatencyMetric})) return {};
  std::vector<double> all;
  for (const auto& [round, seconds] : found->second) all.insert(all.end(), seconds.begin(), seconds.end());
  std::sort(all.begin(), all.end());
  return all;
}

void Results::PutLatencies(const std::string& workload, const std::string& contender,
                           ordered_json* json) const {
  const std::string prefix = workload + "." + contender + "." + kLatencyMetric;
  const std::vector<double> all = Latencies(workload, contender);
  for (const auto& [name, share] : kPercentiles) {
    if (all.empty()) {
      (*json)[prefix + "." + name] = nullptr;
    } else {
      (*json)[prefix + "." + name] = Percentile(all, share);
    }
  }
  if (!all.empty()) PutStatistics(prefix, StatisticsOf(all), json);
}

std::vector<double> Results::LatencyRatios(const RatioKey& key, double share) const {
  const auto& [workload, metric, contender, other] = key;
  const auto ours = latencies_.find({workload, contender});
  const auto theirs = latencies_.find({workload, other});
  std::vector<double> quotients;
  if (Latencies(workload, contender).empty() || Latencies(workload, other).empty()) return quotients;
  for (const auto& [round, seconds] : ours->second) {
    const auto paired = theirs->second.find(round);
    if (paired == theirs->second.end() || paired->second.empty() || seconds.empty()) continue;
    const double divisor = Percentile(paired->second, share);
    if (divisor > 0) quotients.push_back(Percentile(seconds, share) / divisor);
  }
  return quotients;
}

void Results::PutRatios(ordered_json* json) const {
  for (const RatioKey& key : ratios_) {
    const auto& [workload, metric, contender, other] = key;
    const std::string prefix = "ratio." + workload + "." + metric + "." + contender + "." + other;
    const bool latency = metric == kLatencyMetric;
    bool any = false;
    if (latency) {
      for (const auto& [name, share] : kPercentiles) {
        const auto quotients = LatencyRatios(key, share);
        any |= !quotients.empty();
        (*json)[prefix + "." + name] =
            quotients.empty() ? nlohmann::json() : nlohmann::json(StatisticsOf(quotients).median);
      }
    } else if (const auto statistics = Ratio(workload, metric, contender, other)) {
      any = true;
      PutStatistics(prefix, *statistics, json);
    } else {
      (*json)[prefix + ".median"] = nullptr;
    }
    if (any) continue;
    const auto* ours = absent_.contains({workload, contender, metric}) ? &contender : &other;
    (*json)[prefix + ".reason"] = *ours + ": " + Reason(workload, *ours, metric);
  }
}

ordered_json Results::ToJson() const {
  ordered_json json = ordered_json::object();
  for (const auto& [name, value] : meta_) json["meta." + name] = value;
  for (const Key& key : order_) {
    const auto& [workload, contender, metric] = key;
    const std::string prefix = workload + "." + contender + "." + metric;
    if (metric == kLatencyMetric) PutLatencies(workload, contender, &json);
    if (const auto statistics = Get(workload, contender, metric)) {
      PutStatistics(prefix, *statistics, &json);
    } else if (absent_.contains(key)) {
      json[prefix + ".median"] = nullptr;
      json[prefix + ".reason"] = Reason(workload, contender, metric);
    }
  }
  PutRatios(&json);
  return json;
}

}  // namespace arrowcdc::bench
