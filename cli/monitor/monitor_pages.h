// What is answered on which path: /metrics, /healthz, /readyz, /status.json, and a page for people at /.
#pragma once

#include <string>
#include <string_view>

#include "cli/monitor/http_listener.h"
#include "cli/monitor/stream_monitor.h"

namespace arrowcdc::cli {

HttpAnswer AnswerFrom(const StreamMonitor& monitor, const std::string& version, std::string_view path);

}  // namespace arrowcdc::cli
