#include "cli/slot_report.h"

#include <algorithm>
#include <cstdio>

#include <nlohmann/json.hpp>

#include "arrowcdc/position.h"
#include "cli/time_text.h"
#include "src/options/amount.h"

namespace arrowcdc::cli {
namespace {

std::string SizeOf(std::optional<int64_t> bytes) {
  return FormatSize(static_cast<uint64_t>(std::max<int64_t>(bytes.value_or(0), 0)));
}

std::string SecondsText(double seconds) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f s", seconds);
  return text;
}

std::string LagText(const SlotReport& report) {
  if (report.lag_seconds.has_value()) return SecondsText(*report.lag_seconds);
  const auto& flush_lag = report.status.flush_lag;
  if (!flush_lag.has_value()) return "not known (--watch measures it)";
  return "the last that became durable took " +
         SecondsText(std::chrono::duration<double>(*flush_lag).count());
}

// It tells of no limit, either.
bool IsLost(const SlotReport& report) {
  return report.status.wal_status == "lost" || !report.status.invalidation.empty();
}

std::string InvalidatedText(const SlotReport& report) {
  if (IsLost(report)) return "it is lost";
  if (!report.status.safe_wal_bytes.has_value())
    return "never: max_slot_wal_keep_size sets no limit, the server's disk is the bound";
  std::string text = SizeOf(report.status.safe_wal_bytes) + " of WAL";
  if (report.invalidated_in.has_value())
    text += ", " + DurationText(static_cast<double>(report.invalidated_in->count())) + " at the present " +
            FormatSize(static_cast<uint64_t>(report.wal_bytes_per_s.value_or(0))) + "/s";
  return text;
}

}  // namespace

uint64_t UnacknowledgedBytes(const SlotStatus& status) {
  return status.current_lsn > status.confirmed_flush ? status.current_lsn - status.confirmed_flush : 0;
}

std::optional<double> LagWatch::Look(Time now, const SlotStatus& status) {
  if (!ends_.empty() && status.current_lsn < ends_.back().second) ends_.clear();  // of another server
  if (ends_.empty() || status.current_lsn > ends_.back().second) ends_.emplace_back(now, status.current_lsn);
  while (!ends_.empty() && ends_.front().second <= status.confirmed_flush) {
    ends_.pop_front();
    reached_one_ = true;
  }
  if (ends_.empty()) return 0;
  if (!reached_one_) return std::nullopt;
  return std::chrono::duration<double>(now - ends_.front().first).count();
}

std::string DescribeSlot(const SlotReport& report) {
  constexpr size_t kColumn = 20;
  const SlotStatus& status = report.status;
  std::string text;
  const auto add = [&](std::string name, const std::string& value) {
    name.resize(std::max(name.size(), kColumn), ' ');
    text += name + value + "\n";
  };
  add("slot", report.slot);
  add("plugin", status.plugin);
  add("database", status.database);
  add("active", status.active ? "yes, pid " + std::to_string(status.active_pid.value_or(0)) : "no");
  add("confirmed_flush", FormatLsn(status.confirmed_flush));
  add("server's WAL end", FormatLsn(status.current_lsn));
  add("not acknowledged", FormatSize(UnacknowledgedBytes(status)));
  add("lag", LagText(report));
  add("WAL kept for it", FormatSize(status.retained_bytes));
  add("wal_status",
      status.wal_status + (status.invalidation.empty() ? "" : " (" + status.invalidation + ")"));
  add("until invalidated", InvalidatedText(report));
  std::string publications;
  for (const std::string& name : status.publications)
    publications += (publications.empty() ? "" : ", ") + name;
  add("publications", publications.empty() ? "none" : publications);
  return text;
}

std::string SlotLineHead() {
  return "time                      active  not acknowledged       lag       WAL kept  wal_status  "
         "invalidated in\n";
}

std::string SlotLine(const SlotReport& report) {
  const SlotStatus& status = report.status;
  const std::string lag = report.lag_seconds.has_value() ? SecondsText(*report.lag_seconds) : "?";
  const std::string until = IsLost(report) ? "lost"
                            : report.invalidated_in.has_value()
                                ? DurationText(static_cast<double>(report.invalidated_in->count()))
                            : status.safe_wal_bytes.has_value() ? SizeOf(status.safe_wal_bytes)
                                                                : "never";
  char line[256];
  std::snprintf(line, sizeof line, "%-24s  %-6s  %16s  %8s  %13s  %-10s  %s\n", FormatUtc(report.at).c_str(),
                status.active ? "yes" : "no", FormatSize(UnacknowledgedBytes(status)).c_str(), lag.c_str(),
                FormatSize(status.retained_bytes).c_str(), status.wal_status.c_str(), until.c_str());
  return line;
}

std::string SlotJson(const SlotReport& report) {
  using Json = nlohmann::ordered_json;
  const auto optional = [](const auto& value) { return value.has_value() ? Json(*value) : Json(); };
  const SlotStatus& status = report.status;
  const Json flush_lag =
      status.flush_lag.has_value() ? Json(std::chrono::duration<double>(*status.flush_lag).count()) : Json();
  const Json invalidated_in =
      report.invalidated_in.has_value() ? Json(report.invalidated_in->count()) : Json();
  Json json = {{"at", FormatUtc(report.at)}, {"slot", report.slot}, {"exists", status.exists}};
  if (!status.exists) return json.dump() + "\n";
  json.update({{"plugin", status.plugin},
               {"database", status.database},
               {"active", status.active},
               {"active_pid", optional(status.active_pid)},
               {"confirmed_flush_lsn", FormatLsn(status.confirmed_flush)},
               {"restart_lsn", FormatLsn(status.restart_lsn)},
               {"server_lsn", FormatLsn(status.current_lsn)},
               {"unacknowledged_bytes", UnacknowledgedBytes(status)},
               {"lag_seconds", optional(report.lag_seconds)},
               {"flush_lag_seconds", flush_lag},
               {"retained_bytes", status.retained_bytes},
               {"wal_status", status.wal_status},
               {"invalidation_reason", status.invalidation},
               {"safe_wal_bytes", optional(status.safe_wal_bytes)},
               {"wal_bytes_per_second", optional(report.wal_bytes_per_s)},
               {"invalidated_in_seconds", invalidated_in},
               {"publications", status.publications}});
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace arrowcdc::cli
