// A stream's state as one JSON object: what the page draws, and what scripts read (/status.json).
#pragma once

#include <chrono>
#include <string>

#include "cli/monitor/stream_monitor.h"

namespace arrowcdc::cli {

std::string FormatState(const StreamView& view, const std::string& version,
                        std::chrono::system_clock::time_point now,
                        std::chrono::steady_clock::time_point steady_now);

}  // namespace arrowcdc::cli
