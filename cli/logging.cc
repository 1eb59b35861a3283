#include "cli/logging.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <memory>
#include <mutex>
#include <string_view>

#include <nlohmann/json.hpp>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include "arrowcdc/error.h"
#include "cli/printable.h"
#include "cli/time_text.h"

namespace arrowcdc::cli {
namespace {

bool json_lines = false;
size_t progress_lines = 0;  // that are shown
LogFields context;          // of all lines

// How long a terminal or a pipe that nobody reads may hold the stream up.
constexpr int kPatienceMs = 100;

// Writes to standard error. False: not all of it, because it takes no more.
bool WriteError(std::string_view text, int patience_ms) {
  while (!text.empty()) {
    pollfd entry{STDERR_FILENO, POLLOUT, 0};
    const int ready = poll(&entry, 1, patience_ms);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return false;
    // So much has room without waiting once poll() says that there is some.
    const ssize_t written = write(STDERR_FILENO, text.data(), std::min<size_t>(text.size(), PIPE_BUF));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    text.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

// Lines that find no room are dropped: the stream is worth more than its logs.
class ErrorSink : public spdlog::sinks::base_sink<std::mutex> {
 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    std::string text;
    if (dropped_) text = "\n";  // behind what may be a part of a line
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    text.append(line.data(), line.size());
    dropped_ = !WriteError(text, dropped_ ? 0 : kPatienceMs);
  }
  void flush_() override {}

 private:
  bool dropped_ = false;  // the last line was
};

std::string Text(const LogValue& value) {
  const auto* text = std::get_if<std::string>(&value);
  return text != nullptr ? *text : std::to_string(std::get<uint64_t>(value));
}

size_t TerminalColumns() {
  constexpr size_t kUsual = 80;
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : kUsual;
}

// By code points; a name may hold control characters.
std::string CutTo(size_t columns, const std::string& line) {
  std::string text;
  for (const char c : line) {
    const auto byte = static_cast<unsigned char>(c);
    const bool continues = (byte & 0xc0) == 0x80;
    if (!continues && columns-- == 0) break;
    text += byte < ' ' || byte == 0x7f ? '?' : c;
  }
  return text;
}

}  // namespace

void SetUpLogging(LogFormat format, bool verbose) {
  const bool terminal = isatty(STDERR_FILENO) == 1;
  json_lines = format == LogFormat::kJson || (format == LogFormat::kAuto && !terminal);
  auto logger = std::make_shared<spdlog::logger>("arrowcdc", std::make_shared<ErrorSink>());
  logger->set_level(verbose ? spdlog::level::debug : spdlog::level::info);
  logger->flush_on(spdlog::level::debug);
  // The message of a JSON line is a whole object already, see Log.
  logger->set_pattern(json_lines ? "%v" : "%Y-%m-%dT%H:%M:%S%z %l: %v");
  spdlog::set_default_logger(std::move(logger));
}

bool LogsJson() { return json_lines; }

void Log(spdlog::level::level_enum level, const std::string& message, const LogFields& fields) {
  EndProgressLines();
  if (!json_lines) {
    constexpr size_t kIndent = 9;
    std::string line = Printable(message, kIndent);
    for (const auto& [name, value] : fields) {
      if (name != "event")
        line += "\n" + std::string(kIndent, ' ') + name + ": " + Printable(Text(value), kIndent);
    }
    spdlog::log(level, "{}", line);
    return;
  }
  nlohmann::ordered_json object;
  object["time"] = FormatUtc(std::chrono::system_clock::now());
  object["level"] = spdlog::level::to_string_view(level).data();
  object["message"] = message;
  for (const auto& [name, value] : fields)
    std::visit([&](const auto& plain) { object[name] = plain; }, value);
  for (const auto& [name, value] : context) {
    if (!object.contains(name)) std::visit([&](const auto& plain) { object[name] = plain; }, value);
  }
  spdlog::log(level, "{}", object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

void SetLogContext(LogFields fields) { context = std::move(fields); }

LogFields FieldsOf(const arrow::Status& status) {
  const ErrorDetail* detail = GetErrorDetail(status);
  LogFields fields;
  if (detail == nullptr) return fields;
  fields.emplace_back("kind", ErrorKindName(detail->kind()));
  if (!detail->object().empty()) fields.emplace_back("object", detail->object());
  if (!detail->sqlstate().empty()) fields.emplace_back("sqlstate", detail->sqlstate());
  if (!detail->remedy().empty()) fields.emplace_back("remedy", detail->remedy());
  return fields;
}

void LogError(spdlog::level::level_enum level, const std::string& what, const arrow::Status& status,
              const char* event) {
  LogFields fields = FieldsOf(status);
  fields.emplace_back("event", event);
  Log(level, what.empty() ? status.message() : what + ": " + status.message(), fields);
}

bool HasProgressLines() { return !json_lines && isatty(STDERR_FILENO) == 1; }

std::string ReplaceLines(size_t shown, const std::vector<std::string>& lines, size_t columns) {
  std::string text = "\r";
  if (shown > 1) text += "\033[" + std::to_string(shown - 1) + "A";
  text += "\033[J";
  for (size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) text += "\n";
    text += CutTo(columns, lines[i]);
  }
  return text;
}

void ShowProgressLines(const std::vector<std::string>& lines) {
  if (!HasProgressLines()) return;
  (void)WriteError(ReplaceLines(progress_lines, lines, TerminalColumns()), 0);
  progress_lines = lines.size();
}

void EndProgressLines() {
  if (progress_lines == 0) return;
  (void)WriteError(ReplaceLines(progress_lines, {}, TerminalColumns()), 0);
  progress_lines = 0;
}

}  // namespace arrowcdc::cli
