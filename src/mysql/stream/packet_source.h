// Events of a binlog one after another, as bytes: from a server, or from its files.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>

#include <arrow/result.h>

namespace arrowcdc::mysql {

struct PacketStats {
  uint64_t received_bytes = 0;
  int64_t buffered_bytes = 0;
};

// Threads: Next from one, Stop and stats from any.
class PacketSource {
 public:
  virtual ~PacketSource() = default;
  // One whole event with its header; lasts until the next call. nullopt: none came within `timeout`. Errors:
  // what ended it, behind all events that came before.
  virtual arrow::Result<std::optional<std::span<const uint8_t>>> Next(std::chrono::microseconds timeout) = 0;
  // Ends it; idempotent. Next gives an error then.
  virtual void Stop() = 0;
  virtual PacketStats stats() const = 0;
};

}  // namespace arrowcdc::mysql
