// Bytes of wal2arrow -> events. No socket, no clock: everything here can be fuzzed from bytes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include <arrow/buffer.h>
#include <arrow/result.h>

#include "arrowcdc/change_batch.h"
#include "src/postgres/decode/transaction_spool.h"

namespace arrowcdc {

// Largest payload that is put together from continuation frames, and the most that a compressed one expands
// to: several values of PostgreSQL's largest size in a row.
inline constexpr int64_t kPayloadBytesMax = int64_t{4} << 30;

// Decodes one replication session; make a new one after a reconnect. One thread.
class Wal2arrowDecoder {
 public:
  // memory_pool: for what is built (metadata columns, payloads put together, buffers decompressed); other
  // values are slices of the input. epoch: of all positions, the timeline that the session streams.
  // in_progress: what becomes of transactions before they commit.
  Wal2arrowDecoder(arrow::MemoryPool* memory_pool, uint32_t epoch,
                   int64_t payload_bytes_max = kPayloadBytesMax, InProgress in_progress = {});
  ~Wal2arrowDecoder();

  // `message`: a buffer as it came from libpq; the frame starts at `offset` (25 for XLogData) and ends with
  // the buffer. The event's value buffers are slices of `message`, which they keep alive, unless they were
  // compressed. nullopt: the frame carries no event (hello, schema, a part of a longer payload, what belongs
  // to a transaction in progress, an optional frame of unknown kind; if such a frame ends a group or is
  // DIRTY, it is a ProgressEvent).
  // Errors: kProtocol with offset and frame kind; a bad batch is dropped whole, and the decoder must not be
  // used further.
  arrow::Result<std::optional<Event>> Decode(const std::shared_ptr<arrow::Buffer>& message, int64_t offset);

  // Events beyond the one that Decode gave: of a transaction that was sent while it was in progress and has
  // committed. Before the next Decode Next is called until there is none and has_more says no: it looks at a
  // few frames each time, whether they count or not. Errors: as Decode, and the spool's.
  arrow::Result<std::optional<Event>> Next();
  bool has_more() const;

  // Of hello's options: transactions may come while they are in progress.
  bool streams() const;

 private:
  struct Impl;
  template <typename Step>
  arrow::Result<std::optional<Event>> Guard(Step step);
  std::unique_ptr<Impl> impl_;
};

}  // namespace arrowcdc
