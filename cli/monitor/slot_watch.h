// Looks at the slot seldom, by a connection of its own, for the monitor.
#pragma once

#include <chrono>
#include <memory>
#include <thread>

#include "arrowcdc/postgres.h"
#include "cli/monitor/stream_monitor.h"

namespace arrowcdc::cli {

class SlotWatch {
 public:
  // `monitor` outlives it.
  SlotWatch(PostgresOptions source, std::chrono::milliseconds interval, StreamMonitor* monitor);
  ~SlotWatch();
  SlotWatch(const SlotWatch&) = delete;
  SlotWatch& operator=(const SlotWatch&) = delete;

 private:
  void Run();
  void WaitForNextLook(uint64_t connections) const;

  PostgresOptions source_;
  const std::chrono::milliseconds interval_;
  StreamMonitor& monitor_;
  const std::shared_ptr<StopToken> stop_ = std::make_shared<StopToken>();
  std::thread thread_;
};

}  // namespace arrowcdc::cli
