#include "cli/monitor/slot_watch.h"

#include <utility>

#include "cli/monitor/wal_rate.h"

namespace arrowcdc::cli {

SlotWatch::SlotWatch(PostgresOptions source, std::chrono::milliseconds interval, StreamMonitor* monitor)
    : source_(std::move(source)), interval_(interval), monitor_(*monitor) {
  source_.stop = stop_;
  thread_ = std::thread([this] { Run(); });
}

SlotWatch::~SlotWatch() {
  stop_->Stop();
  thread_.join();
}

// A server that is away is told of by the stream: what was seen last stays, with its time.
void SlotWatch::Run() {
  WalRate rate;
  while (!stop_->stopped()) {
    const uint64_t connections = monitor_.connections();
    if (const auto status = GetSlotStatus(source_); status.ok()) {
      rate.Look(std::chrono::steady_clock::now(), status->current_lsn);
      SlotView view{std::chrono::system_clock::now(), *status, rate.bytes_per_s(), std::nullopt};
      view.invalidated_in = TimeUntilInvalidated(status->safe_wal_bytes, view.wal_bytes_per_s);
      monitor_.SetSlot(std::move(view));
    }
    WaitForNextLook(connections);
  }
}

// A stream that has just begun, or begun again, is a reason to look: what was seen before is not true any
// more.
void SlotWatch::WaitForNextLook(uint64_t connections) const {
  constexpr std::chrono::seconds kGlance(1);
  const auto deadline = std::chrono::steady_clock::now() + interval_;
  while (std::chrono::steady_clock::now() < deadline && monitor_.connections() == connections) {
    if (stop_->Wait(kGlance)) return;
  }
}

}  // namespace arrowcdc::cli
