#include "cli/monitor/monitor_door.h"

#include "cli/logging.h"
#include "cli/monitor/monitor_pages.h"

namespace arrowcdc::cli {
namespace {

// A look costs the server a connection.
constexpr std::chrono::seconds kSlotInterval(30);

}  // namespace

MonitorDoor::MonitorDoor(const Options& options, const std::string& sink, const Source& source)
    : monitor_(IsMysql(options) ? "" : options.source.slot, sink, &source) {}

arrow::Result<std::unique_ptr<MonitorDoor>> MonitorDoor::Open(const Options& options, const std::string& sink,
                                                              const Source& source) {
  ARROW_ASSIGN_OR_RAISE(const ListenAddress address, ParseListenAddress(*options.command.http));
  std::unique_ptr<MonitorDoor> door(new MonitorDoor(options, sink, source));
  const StreamMonitor& monitor = door->monitor_;
  ARROW_ASSIGN_OR_RAISE(
      door->listener_,
      HttpListener::Start(address, options.command.http_hosts, [&monitor](std::string_view path) {
        return AnswerFrom(monitor, ARROWCDC_VERSION, path);
      }));
  if (!IsMysql(options))
    door->slot_watch_ = std::make_unique<SlotWatch>(options.source, kSlotInterval, &door->monitor_);
  Log(spdlog::level::info, "listening for HTTP",
      {{"url", "http://" + ToString(door->listener_->address()) + "/"}, {"event", "listening"}});
  return door;
}

}  // namespace arrowcdc::cli
