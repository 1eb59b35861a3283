// History files: lines "timeline<TAB>LSN<TAB>reason", comments with '#', see PostgreSQL's timeline.c.
#include "src/postgres/stream/timeline_history.h"

#include <charconv>
#include <string>

#include "arrowcdc/error.h"
#include "arrowcdc/position.h"

namespace arrowcdc::postgres {

arrow::Result<uint64_t> TimelineEndIn(std::string_view history, uint32_t timeline) {
  while (!history.empty()) {
    const size_t end = std::min(history.find('\n'), history.size());
    std::string_view line = history.substr(0, end);
    history.remove_prefix(std::min(end + 1, history.size()));
    while (!line.empty() && (line[0] == ' ' || line[0] == '\t')) line.remove_prefix(1);
    uint32_t number = 0;
    const auto [next, error] = std::from_chars(line.data(), line.data() + line.size(), number);
    if (error != std::errc() || number != timeline) continue;
    line.remove_prefix(static_cast<size_t>(next - line.data()));
    while (!line.empty() && (line[0] == ' ' || line[0] == '\t')) line.remove_prefix(1);
    return ParseLsn(line.substr(0, line.find_first_of(" \t\r")));
  }
  return MakeError(ErrorKind::kPositionGap,
                   "the server's history does not go through timeline " + std::to_string(timeline) +
                       ": it is another branch",
                   "timeline " + std::to_string(timeline), "capture into a new sink from a new slot");
}

arrow::Result<uint64_t> ReadTimelineEnd(Connection& connection, uint32_t current, uint32_t timeline) {
  if (timeline >= current) {
    return MakeError(ErrorKind::kPositionGap, "the server has not left timeline " + std::to_string(timeline),
                     "timeline " + std::to_string(timeline), "");
  }
  ARROW_ASSIGN_OR_RAISE(const QueryResult history,
                        connection.Query("TIMELINE_HISTORY " + std::to_string(current)));
  if (history.rows() != 1 || history.columns() < 2) {
    return MakeError(ErrorKind::kInternal, "TIMELINE_HISTORY is not answered as PostgreSQL does", "server",
                     "");
  }
  return TimelineEndIn(history.Text(0, 1), timeline);
}

}  // namespace arrowcdc::postgres
