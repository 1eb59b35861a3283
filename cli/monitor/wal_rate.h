// How fast a server writes WAL, from looks at it now and then, and when a slot is invalidated at that rate.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>

namespace arrowcdc::cli {

class WalRate {
 public:
  using Time = std::chrono::steady_clock::time_point;

  void Look(Time now, uint64_t wal_end);
  // Over the last minutes; none: it was not looked at twice.
  std::optional<double> bytes_per_s() const;

 private:
  std::deque<std::pair<Time, uint64_t>> looks_;
};

// Until `safe_wal_bytes` are written at this rate. None: there is no limit, or nothing is written.
std::optional<std::chrono::seconds> TimeUntilInvalidated(std::optional<int64_t> safe_wal_bytes,
                                                         std::optional<double> bytes_per_s);

}  // namespace arrowcdc::cli
