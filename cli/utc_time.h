// Times for people and programs: RFC 3339 in UTC, "2026-08-01T12:34:56.789Z".
#pragma once

#include <chrono>
#include <string>

namespace arrowcdc::cli {

std::string FormatUtc(std::chrono::system_clock::time_point time);

}  // namespace arrowcdc::cli
