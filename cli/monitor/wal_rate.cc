#include "cli/monitor/wal_rate.h"

#include <algorithm>

namespace arrowcdc::cli {

void WalRate::Look(Time now, uint64_t wal_end) {
  constexpr std::chrono::minutes kSpan(5);
  // Another server has taken over, which begins to count anew.
  if (!looks_.empty() && wal_end < looks_.back().second) looks_.clear();
  looks_.emplace_back(now, wal_end);
  // The one before the span stays as long as it is all there is besides the last.
  while (looks_.size() > 2 && now - looks_.front().first > kSpan) looks_.pop_front();
}

std::optional<double> WalRate::bytes_per_s() const {
  if (looks_.size() < 2) return std::nullopt;
  const auto& [begin, first] = looks_.front();
  const auto& [end, last] = looks_.back();
  const double seconds = std::chrono::duration<double>(end - begin).count();
  if (seconds <= 0) return std::nullopt;
  return static_cast<double>(last - first) / seconds;
}

std::optional<std::chrono::seconds> TimeUntilInvalidated(std::optional<int64_t> safe_wal_bytes,
                                                         std::optional<double> bytes_per_s) {
  constexpr double kLongest = 100.0 * 365 * 24 * 3600;
  if (!safe_wal_bytes.has_value()) return std::nullopt;
  if (*safe_wal_bytes <= 0) return std::chrono::seconds(0);
  if (bytes_per_s.value_or(0) <= 0) return std::nullopt;
  const double seconds = static_cast<double>(*safe_wal_bytes) / *bytes_per_s;
  return std::chrono::seconds(static_cast<int64_t>(std::min(seconds, kLongest)));
}

}  // namespace arrowcdc::cli
