#include "cli/mysql_commands.h"

#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "arrowcdc/error.h"
#include "arrowcdc/mysql.h"
#include "cli/logging.h"
#include "cli/printable.h"
#include "cli/time_text.h"
#include "src/options/amount.h"

namespace arrowcdc::cli {
namespace {

ExitCode Fail(const char* what, const arrow::Status& status) {
  LogError(spdlog::level::err, what, status);
  return ExitCodeOf(status);
}

void Print(const char* name, const std::string& value) { std::printf("%-20s%s\n", name, value.c_str()); }

std::string FormatRetention(const std::optional<int64_t>& seconds) {
  if (!seconds.has_value()) return "for ever";
  if (*seconds % 86'400 == 0) return std::to_string(*seconds / 86'400) + " d";
  return *seconds % 3'600 == 0 ? std::to_string(*seconds / 3'600) + " h" : std::to_string(*seconds) + " s";
}

std::string EndOf(const MysqlStatus& status) { return status.file + ":" + std::to_string(status.offset); }

void PrintStatus(const MysqlStatus& status) {
  Print("server", status.kind + " " + status.server_version);
  if (!status.server_uuid.empty()) Print("server_uuid", status.server_uuid);
  Print("GTIDs", status.gtid_mode);
  Print("committed so far", status.gtid_executed.empty() ? "none" : status.gtid_executed);
  Print("oldest binary log", status.first_file);
  Print("end", EndOf(status));
  Print("binary logs", FormatSize(status.log_bytes));
  Print("kept", FormatRetention(status.retention_seconds));
  Print("clients streaming", status.streams.has_value() ? std::to_string(*status.streams)
                                                        : "unknown to this user (PROCESS is needed)");
}

// For --watch.
std::string StatusLine(const MysqlStatus& status) {
  return FormatUtc(std::chrono::system_clock::now()) + "  end " + EndOf(status) + "  oldest " +
         status.first_file + "  binary logs " + FormatSize(status.log_bytes) + "  clients streaming " +
         (status.streams.has_value() ? std::to_string(*status.streams) : "?") + "\n";
}

// What is not known is null.
std::string StatusJson(const MysqlStatus& status) {
  using Json = nlohmann::ordered_json;
  const auto text = [](const std::string& value) { return value.empty() ? Json() : Json(value); };
  const auto number = [](const auto& value) { return value.has_value() ? Json(*value) : Json(); };
  const Json json = {{"at", FormatUtc(std::chrono::system_clock::now())},
                     {"kind", status.kind},
                     {"server_version", status.server_version},
                     {"server_uuid", text(status.server_uuid)},
                     {"gtid_mode", status.gtid_mode},
                     {"gtid_executed", status.gtid_executed},
                     {"oldest_file", status.first_file},
                     {"end", EndOf(status)},
                     {"log_bytes", status.log_bytes},
                     {"retention_seconds", number(status.retention_seconds)},
                     {"clients_streaming", number(status.streams)}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

ExitCode RefuseForMysql(const char* command, const char* remedy) {
  return Fail(command, MakeError(ErrorKind::kInvalidOption, "it is not for MySQL and MariaDB",
                                 std::string("command ") + command, remedy));
}

ExitCode RunMysqlSetup(const Options& options) {
  const auto found = CheckMysql(MysqlSourceOf(options));
  if (!found.ok()) return Fail("setup", found.status());
  const std::string sql = AdministratorSql(*found);
  if (options.command.print_sql) {
    for (const std::string& warning : found->warnings) Log(spdlog::level::warn, warning);
    std::printf("%s", sql.c_str());
    return sql.empty() && !found->obstacles.empty() ? Fail("setup", CheckObstacles(*found)) : kOk;
  }
  for (const std::string& check : found->checks) std::printf("  ok    %s\n", Printable(check).c_str());
  for (const std::string& warning : found->warnings) std::printf("  note  %s\n", Printable(warning).c_str());
  for (const SetupObstacle& obstacle : found->obstacles) {
    const ErrorDetail* detail = GetErrorDetail(obstacle.status);
    std::printf("  no    %s%s%s%s\n", detail == nullptr ? "" : (detail->object() + ": ").c_str(),
                obstacle.status.message().c_str(),
                detail == nullptr || detail->remedy().empty() ? "" : "\n          ",
                detail == nullptr ? "" : detail->remedy().c_str());
  }
  if (found->obstacles.empty()) {
    if (found->grants_to_copy.empty() && found->not_copied.empty()) {
      std::printf("Nothing has to be made: a stream can begin.\n");
    } else if (found->grants_to_copy.empty()) {
      std::printf(
          "Nothing has to be made. A stream can begin without the rows that are there (--snapshot never), or "
          "without\nthe tables whose rows cannot be copied.\n");
    } else {
      std::printf(
          "A stream can begin without the rows that are there (--snapshot never). To copy them first, for "
          "an\n"
          "administrator (arrowcdc setup --print-sql prints this alone):\n\n%s",
          sql.c_str());
    }
    return kOk;
  }
  if (!sql.empty())
    std::printf("\nFor an administrator (arrowcdc setup --print-sql prints this alone):\n\n%s", sql.c_str());
  std::fflush(stdout);
  return Fail("setup", CheckObstacles(*found));
}

ExitCode RunMysqlStatus(const Options& options) {
  const StopToken& stop = *options.source.stop;
  const auto& watch = options.command.watch;
  bool seen = false;
  while (true) {
    const auto status = GetMysqlStatus(MysqlSourceOf(options));
    if (stop.stopped() && watch.has_value()) return kOk;
    const ErrorDetail* const detail = GetErrorDetail(status.status());
    // A server that was there and is away comes back, as a rule.
    const bool is_away = seen && detail != nullptr && detail->kind() == ErrorKind::kConnection;
    if (!status.ok() && !is_away) return Fail("status", status.status());
    seen = true;
    if (!status.ok()) {
      LogError(spdlog::level::warn, "status", status.status());
    } else if (options.command.json) {
      std::fputs(StatusJson(*status).c_str(), stdout);
    } else if (watch.has_value()) {
      std::fputs(StatusLine(*status).c_str(), stdout);
    } else {
      PrintStatus(*status);
    }
    if (!watch.has_value() || std::fflush(stdout) != 0)
      return kOk;  // what was not written is said at the end
    if (stop.Wait(*watch)) return kOk;
  }
}

}  // namespace arrowcdc::cli
