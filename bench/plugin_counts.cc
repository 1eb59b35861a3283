#include "bench/plugin_counts.h"

#include <cstdio>

namespace arrowcdc::bench {

std::optional<PluginCounts> ParsePluginCounts(const std::string& log, const std::string& slot) {
  const std::string begin = "wal2arrow: slot \"" + slot + "\": ";
  const size_t at = log.rfind(begin);
  if (at == std::string::npos) return std::nullopt;
  long long values[4];
  constexpr char kFormat[] = "%lld transactions in %lld frames; %lld WAL records, %lld of them drained";
  if (std::sscanf(log.c_str() + at + begin.size(), kFormat, &values[0], &values[1], &values[2], &values[3]) !=
          4 ||
      values[2] == 0) {
    return std::nullopt;
  }
  return PluginCounts{values[0], values[1], values[2], values[3]};
}

}  // namespace arrowcdc::bench
