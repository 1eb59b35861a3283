// What ends the command from outside: signals, and the time that it has left after them.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "arrowcdc/stop_token.h"

namespace arrowcdc::cli {

// A token that SIGINT, SIGTERM and SIGHUP stop; SIGHUP not where it was ignored at the start (nohup). A
// second SIGINT or SIGTERM ends the process at once. Call it once.
std::shared_ptr<StopToken> StopOnSignals();

// While it lives: the process ends with kInterrupted, after saying `message`, when it is still busy so long
// after the stop. Blocking work, as a disk that hangs, cannot be ended in any other way.
class StopLimit {
 public:
  StopLimit(std::shared_ptr<StopToken> stop, std::chrono::milliseconds limit, std::string message);
  ~StopLimit();
  StopLimit(const StopLimit&) = delete;
  StopLimit& operator=(const StopLimit&) = delete;

 private:
  void Run() const;

  const std::shared_ptr<StopToken> stop_;
  const std::chrono::milliseconds limit_;
  const std::string message_;
  StopToken done_;
  std::thread thread_;
};

}  // namespace arrowcdc::cli
