#include "cli/stop.h"

#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <initializer_list>
#include <utility>

#include "cli/exit_code.h"
#include "cli/logging.h"
#include "cli/service_notify.h"

namespace arrowcdc::cli {
namespace {

using Clock = std::chrono::steady_clock;

StopToken* token = nullptr;  // lives as long as the process: a signal may come at any time
std::atomic<bool> asked_to_end{false};

// Async-signal-safe. Of a terminal that is closed one SIGHUP comes from the kernel and one from the shell, so
// a second one asks for no more than the first.
void OnSignal(int signal) {
  if (signal != SIGHUP && asked_to_end.exchange(true)) _exit(kInterrupted);
  token->Stop();
}

}  // namespace

std::shared_ptr<StopToken> StopOnSignals() {
  static auto* const owner = new std::shared_ptr<StopToken>(std::make_shared<StopToken>());
  token = owner->get();
  struct sigaction action = {};
  action.sa_handler = OnSignal;
  sigemptyset(&action.sa_mask);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction before = {};
    sigaction(signal, nullptr, &before);
    if (signal == SIGHUP && before.sa_handler == SIG_IGN) continue;
    sigaction(signal, &action, nullptr);
  }
  return *owner;
}

StopLimit::StopLimit(std::shared_ptr<StopToken> stop, std::chrono::milliseconds limit, std::string message)
    : stop_(std::move(stop)), limit_(limit), message_(std::move(message)) {
  if (done_.fd() >= 0) thread_ = std::thread([this] { Run(); });
}

StopLimit::~StopLimit() {
  done_.Stop();
  if (thread_.joinable()) thread_.join();
}

void StopLimit::Run() const {
  if (WaitFor(done_.fd(), POLLIN, stop_.get(), Clock::time_point::max()) == Wake::kReady) return;
  NotifyStopping(limit_);
  if (WaitFor(done_.fd(), POLLIN, nullptr, Clock::now() + limit_) == Wake::kReady) return;
  Log(spdlog::level::err, message_, {{"event", "stop_timeout"}});
  _exit(kInterrupted);
}

}  // namespace arrowcdc::cli
