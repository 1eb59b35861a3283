// Values of options: read, checked, set, shown. What is wrong is said in the words of the door it came by.
#include <algorithm>
#include <charconv>

#include "arrowcdc/error.h"
#include "src/options/amount.h"
#include "src/options/option.h"

namespace arrowcdc {
namespace {

constexpr int64_t kUnbounded = std::numeric_limits<int64_t>::max();

std::string Joined(std::span<const std::string_view> words, std::string_view between,
                   std::string_view quote) {
  std::string text;
  for (const std::string_view word : words) {
    if (!text.empty()) text += between;
    text.append(quote).append(word).append(quote);
  }
  return text;
}

// The value is no part of it: it may be a password that stands in the wrong place.
arrow::Status UnusableError(const Option& option, Door door) {
  if (door == Door::kPython) {
    return MakeError(ErrorKind::kInvalidOption, "this value is not supported",
                     std::string("argument ") + option.python, "use " + Joined(option.words, " or ", "'"));
  }
  std::string remedy;
  if (option.type == OptionType::kCount) remedy = "give a whole number " + RangeOf(option);
  if (!option.words.empty()) remedy = "use " + Joined(option.words, "|", "");
  return MakeError(ErrorKind::kInvalidOption, "this value cannot be used", "option " + NameOf(option, door),
                   remedy);
}

// The largest unit that divides it.
template <typename Units>
std::string WithUnit(int64_t number, const Units& units) {
  for (const auto& [name, factor] : units) {
    if (number != 0 && number % factor == 0) return std::to_string(number / factor) + name;
  }
  return std::to_string(number) + std::rbegin(units)->first;
}

std::string FormatDuration(std::chrono::milliseconds duration) {
  static constexpr std::pair<const char*, int64_t> kUnits[] = {
      {"h", 3'600'000}, {"min", 60'000}, {"s", 1000}, {"ms", 1}};
  return duration.count() == 0 ? "0s" : WithUnit(duration.count(), kUnits);
}

std::string FormatBound(const Option& option, int64_t bound) {
  return option.type == OptionType::kDuration ? FormatDuration(std::chrono::milliseconds(bound))
                                              : std::to_string(bound);
}

std::string BoundsText(const Option& option) {
  if (option.maximum != kUnbounded) {
    return "must be between " + FormatBound(option, option.minimum) + " and " +
           FormatBound(option, option.maximum);
  }
  return option.minimum > 0 ? "must be positive" : "must not be negative";
}

arrow::Status CheckBounds(const Option& option, Door door, int64_t number) {
  if (number >= option.minimum && number <= option.maximum) return arrow::Status::OK();
  if (door == Door::kCommand && option.type == OptionType::kCount) return UnusableError(option, door);
  std::string name = NameOf(option, door);
  if (door == Door::kCommand)
    return MakeError(ErrorKind::kInvalidOption, BoundsText(option), "option " + name, "");
  const char* remedy = option.maximum != kUnbounded           ? "choose a number in these bounds"
                       : option.type == OptionType::kDuration ? "leave it out, or give the time to wait"
                                                              : "leave it out";
  return MakeError(ErrorKind::kInvalidOption, name + " " + BoundsText(option), "option " + name, remedy);
}

arrow::Result<OptionValue> ReadCount(const Option& option, const std::string& text) {
  int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [read, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || read != end) return UnusableError(option, Door::kCommand);
  return number;
}

std::string FormatBytes(int64_t bytes) {
  static constexpr std::pair<const char*, int64_t> kUnits[] = {
      {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"", 1}};
  return bytes == 0 ? "0" : WithUnit(bytes, kUnits);
}

}  // namespace

std::string NameOf(const Option& option, Door door) {
  if (door == Door::kPython) return option.python;
  return option.positional ? option.name : std::string("--") + option.name;
}

std::string HelpOf(const Option& option, Door door) {
  const std::string help =
      door == Door::kPython && *option.python_help != '\0' ? option.python_help : option.help;
  switch (option.database) {
    case Database::kAny:
      return help;
    case Database::kPostgres:
      return "(PostgreSQL) " + help;
    case Database::kMysql:
      return "(MySQL, MariaDB) " + help;
  }
  return help;
}

std::string RangeOf(const Option& option) {
  if (!option.words.empty()) return Joined(option.words, ", ", "");
  if (option.maximum != kUnbounded)
    return FormatBound(option, option.minimum) + " to " + FormatBound(option, option.maximum);
  if (option.minimum == std::numeric_limits<int64_t>::min()) return "";
  return option.minimum > 0 ? "above 0" : "0 or more";
}

arrow::Result<OptionValue> ReadValue(const Option& option, const std::string& text) {
  switch (option.type) {
    case OptionType::kCount:
      return ReadCount(option, text);
    case OptionType::kSize:
      return ParseSize(text);
    case OptionType::kDuration:
      return ParseDuration(text);
    default:
      return text;
  }
}

arrow::Status SetOption(const Option& option, Door door, const OptionValue& value, Options& options) {
  if (std::holds_alternative<std::monostate>(value)) return arrow::Status::OK();
  if (const auto* number = std::get_if<int64_t>(&value))
    ARROW_RETURN_NOT_OK(CheckBounds(option, door, *number));
  if (const auto* duration = std::get_if<std::chrono::milliseconds>(&value))
    ARROW_RETURN_NOT_OK(CheckBounds(option, door, duration->count()));
  const arrow::Status set = option.field.set(value, options);
  return set.ok() || GetErrorDetail(set) != nullptr ? set : UnusableError(option, door);
}

arrow::Status CheckDatabase(const Options& options, Door door) {
  const Options defaults = DefaultsOf(door);
  const Database other = IsMysql(options) ? Database::kPostgres : Database::kMysql;
  for (const Option& option : OptionTable()) {
    if (option.database != other || option.field.get(options) == option.field.get(defaults)) continue;
    const std::string name = NameOf(option, door);
    return MakeError(ErrorKind::kInvalidOption,
                     name + " is for " + (other == Database::kMysql ? "MySQL and MariaDB" : "PostgreSQL") +
                         " alone, and the source is another database",
                     (door == Door::kPython ? "argument " : "option ") + name, "leave it out");
  }
  return arrow::Status::OK();
}

std::vector<std::string> OptionsOfOtherSinks(const Options& options) {
  unsigned sink = 0;
  if (options.sink_uri.starts_with("parquet:")) sink = kParquetSink;
  if (options.sink_uri.starts_with("ipc:") && options.sink_uri != "ipc:-") sink = kIpcFileSink;
  const Options defaults = DefaultsOf(Door::kCommand);
  std::vector<std::string> names;
  for (const Option& option : OptionTable()) {
    const bool has_effect = option.sinks == 0 || (option.sinks & sink) != 0;
    if (has_effect || option.field.get(options) == option.field.get(defaults)) continue;
    names.push_back(NameOf(option, Door::kCommand));
  }
  return names;
}

std::string FormatValue(const Option& option, const OptionValue& value) {
  if (const auto* number = std::get_if<int64_t>(&value)) {
    return option.type == OptionType::kSize ? FormatBytes(*number) : std::to_string(*number);
  }
  if (const auto* duration = std::get_if<std::chrono::milliseconds>(&value)) return FormatDuration(*duration);
  if (const auto* given = std::get_if<bool>(&value)) return *given ? "yes" : "no";
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  std::string text;
  if (const auto* list = std::get_if<std::vector<std::string>>(&value)) {
    for (const std::string& item : *list) text += (text.empty() ? "" : " ") + item;
  }
  return text;
}

}  // namespace arrowcdc
