// What `status` prints of a slot: for people, as a line of --watch, as JSON.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>

#include "arrowcdc/postgres.h"

namespace arrowcdc::cli {

// One look, and what the looks before it tell.
struct SlotReport {
  std::string slot;
  SlotStatus status;
  std::chrono::system_clock::time_point at{};
  std::optional<double> wal_bytes_per_s{};
  std::optional<std::chrono::seconds> invalidated_in{};
  std::optional<double> lag_seconds{};  // age of what is not acknowledged; none: it was not seen to come
};

uint64_t UnacknowledgedBytes(const SlotStatus& status);

// Since when a slot has not acknowledged what the server has written, from looks at both.
class LagWatch {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // Returns the lag; none: all that is not acknowledged was there at the first look.
  std::optional<double> Look(Time now, const SlotStatus& status);

 private:
  // Ends of WAL that were not acknowledged when they were seen first, and the last that was.
  std::deque<std::pair<Time, uint64_t>> ends_;
  bool reached_one_ = false;
};

std::string DescribeSlot(const SlotReport& report);
std::string SlotLineHead();
std::string SlotLine(const SlotReport& report);
std::string SlotJson(const SlotReport& report);

}  // namespace arrowcdc::cli
