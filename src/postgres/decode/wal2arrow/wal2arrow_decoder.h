// Bytes of wal2arrow -> events. No socket, no clock: everything here can be fuzzed from bytes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include <arrow/buffer.h>
#include <arrow/result.h>

#include "arrowcdc/change_batch.h"

namespace arrowcdc {

// Largest payload that is put together from continuation frames, and the most that a compressed one expands
// to: several values of PostgreSQL's largest size in a row.
inline constexpr int64_t kPayloadBytesMax = int64_t{4} << 30;

// Decodes one replication session; make a new one after a reconnect. One thread.
class Wal2arrowDecoder {
 public:
  // memory_pool: for what is built (metadata columns, payloads put together, buffers decompressed); other
  // values are slices of the input. epoch: of all positions, the timeline that the session streams.
  Wal2arrowDecoder(arrow::MemoryPool* memory_pool, uint32_t epoch,
                   int64_t payload_bytes_max = kPayloadBytesMax);
  ~Wal2arrowDecoder();

  // `message`: a buffer as it came from libpq; the frame starts at `offset` (25 for XLogData) and ends with
  // the buffer. The event's value buffers are slices of `message`, which they keep alive, unless they were
  // compressed. nullopt: the frame carries no event (hello, schema, a part of a longer payload, an optional
  // frame of unknown kind; if such a frame ends a group or is DIRTY, it is a ProgressEvent).
  // Errors: kProtocol with offset and frame kind; a bad batch is dropped whole, and the decoder must not be
  // used further.
  arrow::Result<std::optional<Event>> Decode(const std::shared_ptr<arrow::Buffer>& message, int64_t offset);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace arrowcdc
