// Waits between reconnects: doubling with jitter, until the failures have lasted too long.
#pragma once

#include <atomic>
#include <chrono>
#include <optional>
#include <random>

namespace arrowcdc {

class Backoff {
 public:
  // give_up_after: 0 means never.
  explicit Backoff(std::chrono::milliseconds give_up_after)
      : give_up_after_(give_up_after), random_(std::random_device{}()) {}

  // How long to wait before the next try, the last of which is made when give_up_after is over; nullopt when
  // the failures since the last Reset have lasted give_up_after.
  std::optional<std::chrono::milliseconds> Next();

  void Reset();

 private:
  std::chrono::milliseconds give_up_after_;
  std::chrono::milliseconds wait_{0};
  std::optional<std::chrono::steady_clock::time_point> failing_since_;
  std::minstd_rand random_;
};

// Returns when `stop` is true or `timeout` has passed. A signal handler may set `stop`, so it is looked at,
// not waited for.
void WaitForStop(const std::atomic<bool>& stop, std::chrono::milliseconds timeout);

}  // namespace arrowcdc
