#include "src/options/amount.h"

#include <charconv>
#include <cstdio>
#include <limits>
#include <string>
#include <utility>

#include "arrowcdc/error.h"
#include "arrowcdc/secrets.h"

namespace arrowcdc {
namespace {

struct Unit {
  std::string_view name;
  int64_t factor;
};

arrow::Result<int64_t> ParseAmount(std::string_view text, const Unit* units, size_t unit_count,
                                   const char* expected) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit(end, static_cast<size_t>(text.data() + text.size() - end));
  if (error == std::errc() && number >= 0) {
    for (size_t i = 0; i < unit_count; ++i) {
      if (unit != units[i].name) continue;
      if (number > std::numeric_limits<int64_t>::max() / units[i].factor) break;
      return number * units[i].factor;
    }
  }
  return MakeError(ErrorKind::kInvalidOption, "cannot read " + Shown(text), Shown(text), expected);
}

}  // namespace

arrow::Result<std::chrono::milliseconds> ParseDuration(std::string_view text) {
  static constexpr Unit kUnits[] = {
      {"ms", 1}, {"s", 1000}, {"min", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
  ARROW_ASSIGN_OR_RAISE(
      const int64_t value,
      ParseAmount(text, kUnits, std::size(kUnits), "give a whole number with ms, s, min, h or d, as in 90s"));
  // Longer ones, added to a point in time, would overflow the clock's nanoseconds.
  constexpr int64_t kLongest = int64_t{36'500} * 86'400'000;
  if (value > kLongest) {
    return MakeError(ErrorKind::kInvalidOption, "\"" + std::string(text) + "\" is too long",
                     std::string(text), "give at most 36500d");
  }
  return std::chrono::milliseconds(value);
}

arrow::Result<int64_t> ParseSize(std::string_view text) {
  static constexpr Unit kUnits[] = {
      {"", 1},          {"B", 1},         {"kB", 1000},    {"MB", 1'000'000}, {"GB", 1'000'000'000},
      {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}};
  return ParseAmount(text, kUnits, std::size(kUnits),
                     "give a whole number of bytes, or with kB, MB, GB, KiB, MiB or GiB, as in 128MiB");
}

std::string FormatSize(uint64_t bytes) {
  static constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    ++unit;
  }
  char text[32];
  std::snprintf(text, sizeof text, unit == 0 ? "%.0f %s" : "%.1f %s", value, kUnits[unit]);
  return text;
}

}  // namespace arrowcdc
