// Messages of a slot as a walsender sends them, whoever reads them from the server.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include <arrow/result.h>

#include "src/postgres/stream/message_queue.h"

namespace arrowcdc::postgres {

struct StreamStats {
  uint64_t received_bytes = 0;
  uint64_t server_lsn = 0;
  int64_t buffered_bytes = 0;
};

// Threads: Next, handover and Stop from one; Acknowledge, RequestKeepalive and stats from any.
class MessageStream {
 public:
  virtual ~MessageStream() = default;

  // Next message; nullopt when `timeout` has passed. Errors: why it ended, after all that came before has
  // been returned.
  virtual arrow::Result<std::optional<StreamMessage>> Next(std::chrono::milliseconds timeout) = 0;

  // Flush position for the server, monotone; sent at once.
  virtual void Acknowledge(uint64_t lsn) = 0;
  // Asks the server for a keepalive.
  virtual void RequestKeepalive() = 0;

  // Ends it in order, and closes the connection. Idempotent.
  virtual void Stop() = 0;

  virtual StreamStats stats() const = 0;

  // After Next has told its end: where another stream is to go on, since this one has done its part.
  virtual std::optional<uint64_t> handover() const { return std::nullopt; }
};

}  // namespace arrowcdc::postgres
