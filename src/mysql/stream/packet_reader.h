// Events of a binlog one after another, as bytes: from a server, or from its files.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include <arrow/result.h>

namespace arrowcdc::mysql {

// One thread, but for Interrupt.
class PacketReader {
 public:
  virtual ~PacketReader() = default;
  // One whole event with its header; lasts until the next call. nullopt: that was all. Blocking: until there
  // is one.
  virtual arrow::Result<std::optional<std::span<const uint8_t>>> Next() = 0;
  // Next would not wait, but for the rest of an event that has begun to come. A guess: false may be wrong.
  virtual bool has_next() const = 0;
  // From any thread, for good: Next ends with an error soon.
  virtual void Interrupt() = 0;
  // For how long Next may give nothing before what is read from is taken to be dead; none: for ever. From any
  // thread.
  virtual std::optional<std::chrono::seconds> silence_max() const { return std::nullopt; }
  // For how long no byte has come, also of a packet that is not whole; none: that is not known. From any
  // thread.
  virtual std::optional<std::chrono::milliseconds> since_bytes() const { return std::nullopt; }
  // What is read, for messages.
  virtual std::string object() const = 0;
};

}  // namespace arrowcdc::mysql
