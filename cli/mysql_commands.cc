#include "cli/mysql_commands.h"

#include <cstdio>
#include <string>

#include "arrowcdc/error.h"
#include "arrowcdc/mysql.h"
#include "cli/logging.h"
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
  for (const std::string& check : found->checks) std::printf("  ok    %s\n", check.c_str());
  for (const std::string& warning : found->warnings) std::printf("  note  %s\n", warning.c_str());
  for (const SetupObstacle& obstacle : found->obstacles) {
    const ErrorDetail* detail = GetErrorDetail(obstacle.status);
    std::printf("  no    %s%s%s\n", obstacle.status.message().c_str(),
                detail == nullptr || detail->remedy().empty() ? "" : "\n          ",
                detail == nullptr ? "" : detail->remedy().c_str());
  }
  if (found->obstacles.empty()) {
    std::printf("Nothing has to be made: a stream can begin.\n");
    return kOk;
  }
  if (!sql.empty())
    std::printf("\nFor an administrator (arrowcdc setup --print-sql prints this alone):\n\n%s", sql.c_str());
  std::fflush(stdout);
  return Fail("setup", CheckObstacles(*found));
}

ExitCode RunMysqlStatus(const Options& options) {
  const auto got = GetMysqlStatus(MysqlSourceOf(options));
  if (!got.ok()) return Fail("status", got.status());
  const MysqlStatus& status = *got;
  Print("server", status.kind + " " + status.server_version);
  if (!status.server_uuid.empty()) Print("server_uuid", status.server_uuid);
  Print("GTIDs", status.gtid_mode);
  Print("committed so far", status.gtid_executed.empty() ? "none" : status.gtid_executed);
  Print("oldest binary log", status.first_file);
  Print("end", status.file + ":" + std::to_string(status.offset));
  Print("binary logs", FormatSize(status.log_bytes));
  Print("kept", FormatRetention(status.retention_seconds));
  Print("clients streaming", status.streams.has_value() ? std::to_string(*status.streams)
                                                        : "unknown to this user (PROCESS is needed)");
  return kOk;
}

}  // namespace arrowcdc::cli
