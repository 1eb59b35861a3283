// The rate of commits.
#include "plugin/rate.h"

namespace arrowcdc::plugin {

namespace {

constexpr int64_t kBusyRate = 2000;  // transactions a second
constexpr int64_t kWindowUs = 20'000;

}  // namespace

void WatchRate(CommitRate* rate, uint64_t number) {
  const TimestampTz now = GetCurrentTimestamp();
  const int64_t passed = now - rate->window_begin;
  if (passed < kWindowUs) return;
  const auto transactions = static_cast<int64_t>(number - rate->window_number);
  rate->busy = transactions * 1'000'000 > passed * kBusyRate;
  rate->window_begin = now;
  rate->window_number = number;
}

}  // namespace arrowcdc::plugin
