// Times as text.
#pragma once

#include <chrono>
#include <string>

namespace arrowcdc::cli {

// RFC 3339 in UTC: "2026-08-01T12:34:56.789Z".
std::string FormatUtc(std::chrono::system_clock::time_point time);

// "30 s", "5 min", "3 h", "4 days", for people; rounded up.
std::string DurationText(double seconds);

}  // namespace arrowcdc::cli
