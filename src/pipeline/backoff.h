// Waits between reconnects: doubling with jitter, until the failures have lasted too long.
#pragma once

#include <atomic>
#include <chrono>
#include <optional>
#include <random>

#include "arrowcdc/error.h"

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

// Whether to connect again after an error, null where it says nothing of itself. Some errors end every
// session at the same place of the WAL, and what the server held back in front of it has not come: it does in
// the next session, which begins with single transactions, as long as sessions deliver something
// (`delivered`).
bool IsWorthAnotherSession(const ErrorDetail* error, bool delivered);

// Returns when `stop` is true or `timeout` has passed. A signal handler may set `stop`, so it is looked at,
// not waited for.
void WaitForStop(const std::atomic<bool>& stop, std::chrono::milliseconds timeout);

}  // namespace arrowcdc
