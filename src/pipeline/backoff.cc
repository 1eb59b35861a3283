#include "src/pipeline/backoff.h"

#include <algorithm>
#include <thread>

namespace arrowcdc {
namespace {
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kFirstWait{50};
constexpr milliseconds kLongestWait{10'000};
constexpr milliseconds kLookInterval{20};
}  // namespace

std::optional<milliseconds> Backoff::Next() {
  const auto now = Clock::now();
  if (!failing_since_.has_value()) failing_since_ = now;
  const auto left = std::chrono::ceil<milliseconds>(*failing_since_ + give_up_after_ - now);
  const bool limited = give_up_after_ > milliseconds(0);
  if (limited && left <= milliseconds(0)) return std::nullopt;
  wait_ = wait_ == milliseconds(0) ? kFirstWait : std::min(wait_ * 2, kLongestWait);
  // Between half and the whole, so that many clients do not come back at the same moment.
  std::uniform_int_distribution<int64_t> jitter(wait_.count() / 2, wait_.count());
  const milliseconds wait(jitter(random_));
  return limited ? std::min(wait, left) : wait;
}

void Backoff::Reset() {
  wait_ = milliseconds(0);
  failing_since_.reset();
}

bool IsWorthAnotherSession(const ErrorDetail* error, bool delivered) {
  if (error == nullptr) return false;
  const bool at_a_place =
      error->kind() == ErrorKind::kUnsupported || error->kind() == ErrorKind::kPublicationMissing;
  return error->retryable() || (at_a_place && delivered);
}

void WaitForStop(const std::atomic<bool>& stop, milliseconds timeout) {
  const auto deadline = Clock::now() + timeout;
  while (!stop.load(std::memory_order_relaxed)) {
    const auto left = deadline - Clock::now();
    if (left <= Clock::duration::zero()) return;
    std::this_thread::sleep_for(std::min<Clock::duration>(left, kLookInterval));
  }
}

}  // namespace arrowcdc
