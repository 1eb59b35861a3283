#include "cli/monitor/monitor_pages.h"

#include "cli/monitor/metrics_text.h"
#include "cli/monitor/page_files.h"
#include "cli/monitor/state_json.h"

namespace arrowcdc::cli {
namespace {

constexpr unsigned kNotFound = 404;
constexpr unsigned kUnavailable = 503;

}  // namespace

HttpAnswer AnswerFrom(const StreamMonitor& monitor, const std::string& version, std::string_view path) {
  const auto now = std::chrono::system_clock::now();
  const auto steady_now = std::chrono::steady_clock::now();
  if (path == "/") return {.type = "text/html; charset=utf-8", .body = kPageHtml};
  if (path == "/page.js") return {.type = "text/javascript; charset=utf-8", .body = kPageScript};
  if (path == "/page.css") return {.type = "text/css; charset=utf-8", .body = kPageStyle};
  if (path == "/healthz") return {.body = "alive\n"};
  if (path == "/metrics") {
    return {.type = "text/plain; version=0.0.4; charset=utf-8",
            .body = FormatMetrics(monitor.view(), version, now, steady_now)};
  }
  if (path == "/status.json")
    return {.type = "application/json", .body = FormatState(monitor.view(), version, now, steady_now)};
  if (path == "/readyz") {
    const std::string why = WhyNotReady(monitor.view(), steady_now);
    return why.empty() ? HttpAnswer{.body = "ready\n"}
                       : HttpAnswer{.code = kUnavailable, .body = "not ready: " + why + "\n"};
  }
  return {.code = kNotFound, .body = "there are /, /metrics, /healthz, /readyz and /status.json\n"};
}

}  // namespace arrowcdc::cli
