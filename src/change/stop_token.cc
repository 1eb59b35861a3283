// A timerfd is the one descriptor that both a signal handler and the clock can make readable for good.
#include "arrowcdc/stop_token.h"

#include <poll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <limits>

namespace arrowcdc {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
// Where the token has no descriptor.
constexpr milliseconds kLookInterval{20};

int64_t Nanoseconds(Clock::time_point time) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}

// Async-signal-safe. Zero would switch the timer off.
void ReadableAt(int fd, int64_t nanoseconds) {
  constexpr int64_t kSecond = 1'000'000'000;
  itimerspec at = {};
  at.it_value.tv_sec = static_cast<time_t>(nanoseconds / kSecond);
  at.it_value.tv_nsec = static_cast<long>(nanoseconds % kSecond);
  if (fd >= 0) (void)timerfd_settime(fd, TFD_TIMER_ABSTIME, &at, nullptr);
}

}  // namespace

StopToken::StopToken()
    : fd_(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)), deadline_ns_(kNever) {}

StopToken::~StopToken() {
  if (fd_ >= 0) close(fd_);
}

void StopToken::Stop() noexcept {
  const int error_number = errno;
  stopped_ = true;
  ReadableAt(fd_, 1);
  errno = error_number;
}

void StopToken::StopAfter(milliseconds timeout) {
  const int64_t deadline = std::max<int64_t>(Nanoseconds(Clock::now() + timeout), 1);
  deadline_ns_ = deadline;
  ReadableAt(fd_, deadline);
  if (stopped_) ReadableAt(fd_, 1);  // a Stop that came between
}

bool StopToken::stopped() const noexcept {
  if (stopped_.load(std::memory_order_relaxed)) return true;
  const int64_t deadline = deadline_ns_.load(std::memory_order_relaxed);
  return deadline != kNever && Nanoseconds(Clock::now()) >= deadline;
}

bool StopToken::Wait(milliseconds timeout) const {
  return WaitFor(-1, 0, this, Clock::now() + timeout) == Wake::kStopped;
}

Wake WaitFor(int fd, short events, const StopToken* stop, Clock::time_point deadline) {
  while (true) {
    if (stop != nullptr && stop->stopped()) return Wake::kStopped;
    const auto left = deadline - Clock::now();
    if (left <= Clock::duration::zero()) return Wake::kTimeout;
    auto slice = std::min<Clock::duration>(left, std::chrono::hours(1));
    if (stop != nullptr && stop->fd() < 0) slice = std::min<Clock::duration>(slice, kLookInterval);
    pollfd entries[2] = {{fd, events, 0}, {stop == nullptr ? -1 : stop->fd(), POLLIN, 0}};
    const int ready = poll(entries, 2, static_cast<int>(std::chrono::ceil<milliseconds>(slice).count()));
    if (ready < 0 && errno != EINTR) return Wake::kReady;  // the caller's next step meets the cause
    if (ready > 0 && entries[0].revents != 0) return Wake::kReady;
  }
}

}  // namespace arrowcdc
