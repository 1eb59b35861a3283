#include "cli/utc_time.h"

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

}  // namespace arrowcdc::cli
