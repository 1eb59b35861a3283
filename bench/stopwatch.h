// Wall and CPU time of a drain.
#pragma once

#include <chrono>
#include <cstdint>

#include "bench/drain.h"
#include "bench/process_stats.h"

namespace arrowcdc::bench {

// Since 1970, of the clock that PostgreSQL stamps commits with.
inline int64_t NowMicroseconds() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

class Stopwatch {
 public:
  Stopwatch() : cpu_(OwnCpuSeconds()), start_(Clock::now()) {}
  void Stop(DrainResult* result) const {
    result->wall_s = std::chrono::duration<double>(Clock::now() - start_).count();
    result->client_cpu_s = OwnCpuSeconds() - cpu_;
    result->ended_us = NowMicroseconds();
    result->client_peak_bytes = OwnPeakBytes();
  }

 private:
  using Clock = std::chrono::steady_clock;
  double cpu_;
  Clock::time_point start_;
};

}  // namespace arrowcdc::bench
