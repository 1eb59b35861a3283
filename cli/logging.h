// Logs of the command, on standard error: text for people on a terminal, one JSON object a line otherwise.
// Never a row value, a password or a conninfo.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <arrow/status.h>
#include <spdlog/common.h>

#include "src/options/options.h"

namespace arrowcdc::cli {

void SetUpLogging(LogFormat format, bool verbose);

// A line is an object for programs, not text for people.
bool LogsJson();

// Facts of one log line beside its message. "event" says for programs what kind of line it is (listed in
// docs/operations.md), and is not shown to people.
using LogValue = std::variant<std::string, uint64_t>;
using LogFields = std::vector<std::pair<std::string, LogValue>>;

void Log(spdlog::level::level_enum level, const std::string& message, const LogFields& fields = {});

// Kind, object, SQLSTATE and remedy of an error, those that it has.
LogFields FieldsOf(const arrow::Status& status);
// The status with object, remedy and SQLSTATE where it has them.
void LogError(spdlog::level::level_enum level, const std::string& what, const arrow::Status& status,
              const char* event = "failed");

// Facts of every line from here on that is an object, where it has none of that name. Before other threads.
void SetLogContext(LogFields fields);

// Lines that the next ones replace; only on a terminal in text form, otherwise nothing.
bool HasProgressLines();
void ShowProgressLines(const std::vector<std::string>& lines);
void EndProgressLines();

// What a terminal of so many columns is to be sent, so that `lines` stand where `shown` lines stood. What is
// too wide is cut: a line that wraps would be two.
std::string ReplaceLines(size_t shown, const std::vector<std::string>& lines, size_t columns);

}  // namespace arrowcdc::cli
