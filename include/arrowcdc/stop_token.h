// StopToken: ends whatever waits. One token goes through everything that belongs to one run: the source, the
// administrator's functions, the sinks that write to a descriptor.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace arrowcdc {

// Threads: all calls from any thread. Once stopped it stays so.
class StopToken {
 public:
  StopToken();
  ~StopToken();
  StopToken(const StopToken&) = delete;
  StopToken& operator=(const StopToken&) = delete;

  // A signal handler may call it.
  void Stop() noexcept;
  // Stops when `timeout` has passed. The last call counts.
  void StopAfter(std::chrono::milliseconds timeout);

  bool stopped() const noexcept;
  // Returns when it is stopped or `timeout` has passed; true: it is stopped.
  bool Wait(std::chrono::milliseconds timeout) const;

  // Readable once stopped, for poll(). -1 where the process had no descriptor left: poll() passes over that,
  // so whoever waits looks at stopped() now and then.
  int fd() const { return fd_; }

 private:
  const int fd_;  // a timerfd
  std::atomic<bool> stopped_{false};
  std::atomic<int64_t> deadline_ns_;  // of the steady clock
};

// Whether work that was left to itself when its token stopped is still running, on threads within other
// libraries: those may not find what the process takes down when it ends by exit(), so it ends by _exit().
bool HasAbandonedWork() noexcept;

enum class Wake { kReady, kStopped, kTimeout };

// Until `fd` (-1: none) is ready for `events` of poll(), or is broken, which is ready, too. `stop` may be
// null.
Wake WaitFor(int fd, short events, const StopToken* stop, std::chrono::steady_clock::time_point deadline);

}  // namespace arrowcdc
