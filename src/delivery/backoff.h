// Waits between connection attempts: doubling with jitter, until the failures have lasted too long.
#pragma once

#include <chrono>
#include <optional>
#include <random>

#include "arrowcdc/error.h"

namespace arrowcdc {

class Backoff {
 public:
  // retry_max: of PipelineOptions.
  explicit Backoff(std::optional<std::chrono::milliseconds> retry_max)
      : retry_max_(retry_max), random_(std::random_device{}()) {}

  // How long to wait after a failure of this kind before the next try, the last of which is made when the
  // time is over; nullopt when the failures since the last Reset have lasted too long.
  std::optional<std::chrono::milliseconds> Next(ErrorKind kind);

  // A stream was started once: a server that goes away now is an outage and no mistake in the command.
  void NoteStarted() { started_ = true; }

  // The connection works: failures begin anew.
  void Reset();

 private:
  std::optional<std::chrono::milliseconds> LimitFor(ErrorKind kind) const;

  std::optional<std::chrono::milliseconds> retry_max_;
  bool started_ = false;
  std::chrono::milliseconds wait_{0};
  std::optional<std::chrono::steady_clock::time_point> failing_since_;
  std::minstd_rand random_;
};

// Whether to connect again after an error, null where it says nothing of itself. Some errors of the server
// end every session at the same place of the WAL, and what the server held back in front of it has not come:
// it does in the next session, which begins with single transactions, as long as sessions deliver something
// (`delivered`).
bool IsWorthAnotherSession(const ErrorDetail* error, bool delivered);

// Somebody or something is away, in use or full: time may mend it. Else another session is, which reads in
// another way what this one could not.
bool PassesWithTime(const ErrorDetail& error);

}  // namespace arrowcdc
