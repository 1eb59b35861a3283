// status: the slot, once or again and again.
#include <cstdio>
#include <optional>

#include "arrowcdc/error.h"
#include "cli/commands.h"
#include "cli/logging.h"
#include "cli/monitor/wal_rate.h"
#include "cli/mysql_commands.h"
#include "cli/slot_report.h"

namespace arrowcdc::cli {
namespace {

using spdlog::level::err;
using spdlog::level::warn;
using Clock = std::chrono::steady_clock;

ExitCode Fail(const arrow::Status& status) {
  LogError(err, "status", status);
  return ExitCodeOf(status);
}

// Looks that know of each other.
class SlotLooks {
 public:
  explicit SlotLooks(const PostgresOptions& source) : source_(source) {}

  arrow::Result<SlotReport> Look() {
    SlotReport report;
    report.slot = source_.slot;
    ARROW_ASSIGN_OR_RAISE(report.status, GetSlotStatus(source_));
    report.at = std::chrono::system_clock::now();
    const auto now = Clock::now();
    rate_.Look(now, report.status.current_lsn);
    report.wal_bytes_per_s = rate_.bytes_per_s();
    report.invalidated_in = TimeUntilInvalidated(report.status.safe_wal_bytes, report.wal_bytes_per_s);
    if (report.status.exists) report.lag_seconds = lag_.Look(now, report.status);
    return report;
  }

 private:
  const PostgresOptions& source_;
  WalRate rate_;
  LagWatch lag_;
};

// Where there is a limit a second look tells how fast it comes.
arrow::Result<SlotReport> LookOnce(const PostgresOptions& source) {
  constexpr std::chrono::seconds kBetween(1);
  SlotLooks looks(source);
  ARROW_ASSIGN_OR_RAISE(SlotReport report, looks.Look());
  if (!report.status.safe_wal_bytes.has_value() || source.stop->Wait(kBetween)) return report;
  return looks.Look();
}

bool IsAway(const arrow::Status& status) {
  const ErrorDetail* const detail = GetErrorDetail(status);
  return detail != nullptr && detail->kind() == ErrorKind::kConnection;
}

ExitCode Watch(const Options& options) {
  constexpr int kLinesBetweenHeads = 20;
  const StopToken& stop = *options.source.stop;
  SlotLooks looks(options.source);
  bool seen = false;
  for (int line = 0; !stop.stopped(); stop.Wait(*options.command.watch)) {
    const auto report = looks.Look();
    if (stop.stopped()) break;
    // A server that was there and is away comes back, as a rule.
    if (!report.ok() && seen && IsAway(report.status())) {
      LogError(warn, "status", report.status());
      continue;
    }
    if (!report.ok()) return Fail(report.status());
    seen = true;
    if (options.command.json) {
      std::fputs(SlotJson(*report).c_str(), stdout);
    } else {
      if (line++ % kLinesBetweenHeads == 0) std::fputs(SlotLineHead().c_str(), stdout);
      std::fputs(SlotLine(*report).c_str(), stdout);
    }
    if (std::fflush(stdout) != 0) break;  // it is said at the end
    if (!report->status.usable.ok()) return Fail(report->status.usable);
  }
  return kOk;
}

}  // namespace

ExitCode RunStatus(const Options& options) {
  if (IsMysql(options)) return RunMysqlStatus(options);
  if (options.command.watch.has_value()) return Watch(options);
  const auto report = LookOnce(options.source);
  if (!report.ok()) return Fail(report.status());
  const bool shown = report->status.exists || options.command.json;
  if (shown) std::fputs((options.command.json ? SlotJson(*report) : DescribeSlot(*report)).c_str(), stdout);
  return report->status.usable.ok() ? kOk : Fail(report->status.usable);
}

}  // namespace arrowcdc::cli
