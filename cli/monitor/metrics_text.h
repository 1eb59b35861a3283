// A stream's numbers in Prometheus' text format (version 0.0.4). Names and units: docs/monitoring.md.
#pragma once

#include <chrono>
#include <string>

#include "cli/monitor/stream_monitor.h"

namespace arrowcdc::cli {

std::string FormatMetrics(const StreamView& view, const std::string& version,
                          std::chrono::system_clock::time_point now,
                          std::chrono::steady_clock::time_point steady_now);

}  // namespace arrowcdc::cli
