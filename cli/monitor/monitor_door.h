// --http: the listener with what it shows, and what looks at the slot for it.
#pragma once

#include <memory>
#include <string>

#include "cli/monitor/http_listener.h"
#include "cli/monitor/slot_watch.h"
#include "cli/monitor/stream_monitor.h"
#include "src/options/options.h"

namespace arrowcdc::cli {

class MonitorDoor {
 public:
  // Listens where --http says, which must be given, and logs where. sink: for people. `source` outlives it.
  // Errors: where it cannot listen.
  static arrow::Result<std::unique_ptr<MonitorDoor>> Open(const Options& options, const std::string& sink,
                                                          const Source& source);

  StreamMonitor& monitor() { return monitor_; }

 private:
  MonitorDoor(const Options& options, const std::string& sink, const Source& source);

  StreamMonitor monitor_;
  std::unique_ptr<SlotWatch> slot_watch_;
  std::unique_ptr<HttpListener> listener_;
};

}  // namespace arrowcdc::cli
