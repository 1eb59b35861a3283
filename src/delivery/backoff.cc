#include "src/delivery/backoff.h"

#include <algorithm>

namespace arrowcdc {
namespace {
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kFirstWait{50};
constexpr milliseconds kLongestWait{10'000};
// What is busy is free at some moments: a table that is changed often is not met in one by waiting.
constexpr milliseconds kLongestBusyWait{2'000};
// Before anything was streamed a mistake in the command is likelier than an outage that will pass: without
// retry_max the first connection is tried for so long, which a restart of the server does not exceed.
constexpr milliseconds kFirstConnectMax{60'000};
// The same for a slot that its last client has not let go of yet.
constexpr milliseconds kFirstSlotWaitMax{10'000};
}  // namespace

std::optional<milliseconds> Backoff::LimitFor(ErrorKind kind) const {
  if (retry_max_.has_value() || started_) return retry_max_;
  return kind == ErrorKind::kSlotActive ? kFirstSlotWaitMax : kFirstConnectMax;
}

std::optional<milliseconds> Backoff::Next(ErrorKind kind) {
  const auto now = Clock::now();
  if (!failing_since_.has_value()) failing_since_ = now;
  const milliseconds longest = kind == ErrorKind::kBusy ? kLongestBusyWait : kLongestWait;
  wait_ = wait_ == milliseconds(0) ? kFirstWait : std::min(wait_ * 2, longest);
  // Between half and the whole, so that many clients do not come back at the same moment.
  std::uniform_int_distribution<int64_t> jitter(wait_.count() / 2, wait_.count());
  const milliseconds wait(jitter(random_));
  const auto limit = LimitFor(kind);
  if (!limit.has_value()) return wait;
  const auto left = std::chrono::ceil<milliseconds>(*failing_since_ + *limit - now);
  return left > milliseconds(0) ? std::optional(std::min(wait, left)) : std::nullopt;
}

void Backoff::Reset() {
  wait_ = milliseconds(0);
  failing_since_.reset();
}

bool IsWorthAnotherSession(const ErrorDetail* error, bool delivered) {
  if (error == nullptr) return false;
  const bool of_server = !error->sqlstate().empty();  // what ends here ends with all that came before it
  const bool at_a_place =
      error->kind() == ErrorKind::kUnsupported || error->kind() == ErrorKind::kPublicationMissing;
  return error->retryable() || (of_server && at_a_place && delivered);
}

bool PassesWithTime(const ErrorDetail& error) {
  switch (error.kind()) {
    case ErrorKind::kConnection:
    case ErrorKind::kBusy:
    case ErrorKind::kSlotActive:
    case ErrorKind::kSink:
      return true;
    case ErrorKind::kServerSetting:
      return !error.sqlstate().empty();  // all of something is taken, as the server says
    default:
      return false;
  }
}

}  // namespace arrowcdc
