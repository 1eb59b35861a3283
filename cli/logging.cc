#include "cli/logging.h"

#include <unistd.h>

#include <cstdio>
#include <memory>

#include <nlohmann/json.hpp>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "arrowcdc/error.h"

namespace arrowcdc::cli {
namespace {

bool json_lines = false;
bool progress_shown = false;

std::string Text(const LogValue& value) {
  const auto* text = std::get_if<std::string>(&value);
  return text != nullptr ? *text : std::to_string(std::get<uint64_t>(value));
}

}  // namespace

void SetUpLogging(LogFormat format, bool verbose) {
  const bool terminal = isatty(STDERR_FILENO) == 1;
  json_lines = format == LogFormat::kJson || (format == LogFormat::kAuto && !terminal);
  auto logger =
      std::make_shared<spdlog::logger>("arrowcdc", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_level(verbose ? spdlog::level::debug : spdlog::level::info);
  logger->flush_on(spdlog::level::debug);
  // The message of a JSON line is a whole object already, see Log.
  logger->set_pattern(json_lines ? "%v" : "%H:%M:%S %l: %v");
  spdlog::set_default_logger(std::move(logger));
}

void Log(spdlog::level::level_enum level, const std::string& message, const LogFields& fields) {
  EndProgressLine();
  if (!json_lines) {
    std::string line = message;
    for (const auto& [name, value] : fields) line += "\n         " + name + ": " + Text(value);
    spdlog::log(level, "{}", line);
    return;
  }
  nlohmann::ordered_json object;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  object["time_ms"] = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
  object["level"] = spdlog::level::to_string_view(level).data();
  object["message"] = message;
  for (const auto& [name, value] : fields)
    std::visit([&](const auto& plain) { object[name] = plain; }, value);
  spdlog::log(level, "{}", object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

void LogError(spdlog::level::level_enum level, const std::string& what, const arrow::Status& status) {
  const ErrorDetail* detail = GetErrorDetail(status);
  LogFields fields;
  if (detail != nullptr) {
    fields.emplace_back("kind", ErrorKindName(detail->kind()));
    if (!detail->object().empty()) fields.emplace_back("object", detail->object());
    if (!detail->sqlstate().empty()) fields.emplace_back("sqlstate", detail->sqlstate());
    if (!detail->remedy().empty()) fields.emplace_back("remedy", detail->remedy());
  }
  Log(level, what.empty() ? status.message() : what + ": " + status.message(), fields);
}

bool HasProgressLine() { return !json_lines && isatty(STDERR_FILENO) == 1; }

void ShowProgressLine(const std::string& line) {
  if (!HasProgressLine()) return;
  std::fprintf(stderr, "\r\033[K%s", line.c_str());
  std::fflush(stderr);
  progress_shown = true;
}

void EndProgressLine() {
  if (!progress_shown) return;
  std::fputs("\r\033[K", stderr);
  progress_shown = false;
}

}  // namespace arrowcdc::cli
