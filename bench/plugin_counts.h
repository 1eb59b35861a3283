// What wal2arrow says of a session in the server's log when it ends in order.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace arrowcdc::bench {

struct PluginCounts {
  int64_t transactions = 0;
  int64_t frames = 0;
  int64_t records = 0;          // of the WAL
  int64_t records_drained = 0;  // of these, in the plugin's own loop
};

// Of the slot's last session in the text; nullopt: there is none, or it read nothing.
std::optional<PluginCounts> ParsePluginCounts(const std::string& log, const std::string& slot);

}  // namespace arrowcdc::bench
