#include "cli/time_text.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>

namespace arrowcdc::cli {

std::string FormatUtc(std::chrono::system_clock::time_point time) {
  using std::chrono::milliseconds;
  constexpr int kMilliseconds = 1000;
  const auto since = std::chrono::floor<milliseconds>(time.time_since_epoch());
  const auto whole = std::chrono::floor<std::chrono::seconds>(since);
  const time_t seconds = whole.count();
  std::tm utc = {};
  gmtime_r(&seconds, &utc);
  char text[64];
  const size_t length = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
  std::snprintf(text + length, sizeof text - length, ".%03dZ",
                static_cast<int>((since - whole).count() % kMilliseconds));
  return text;
}

std::string DurationText(double seconds) {
  constexpr double kMinute = 60;
  constexpr double kHour = 3600;
  constexpr double kDay = 24 * kHour;
  const auto whole = [](double number) { return std::to_string(static_cast<uint64_t>(std::ceil(number))); };
  if (seconds < 2 * kMinute) return whole(std::max(seconds, 0.0)) + " s";
  if (seconds < 2 * kHour) return whole(seconds / kMinute) + " min";
  if (seconds < 2 * kDay) return whole(seconds / kHour) + " h";
  return whole(seconds / kDay) + " days";
}

}  // namespace arrowcdc::cli
