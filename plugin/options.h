// The options of START_REPLICATION. Text from the client: nothing in it may do more than end in an ERROR.
#pragma once

#include <cstdint>

#include "format/ipc_writer.h"
#include "pgtype/type_table.h"
#include "plugin/pg.h"

namespace arrowcdc::plugin {

struct Session;

struct Options {
  uint16_t protocol;
  List* publication_names;  // of char*
  uint64_t batch_bytes;
  pgtype::NumericChoice numeric;
  bool
      batching;  // the client keeps the acknowledgement contract of docs/wire.md: batches across transactions
  bool drain;    // decode many WAL records a turn of the walsender's loop
  format::BodyCodec compression;  // of batches
};

inline constexpr uint64_t kBatchBytesDefault = 256 << 10;
inline constexpr uint64_t kBatchBytesMin = 4 << 10;
inline constexpr uint64_t kBatchBytesMax = 16 << 20;
// All open batches together are flushed at this many times batch_bytes, or when they have this many columns:
// each begins with up to 1 KiB, however few rows there are.
inline constexpr uint64_t kOpenBatches = 8;
inline constexpr int64_t kOpenColumns = 16 << 10;

// Errors: ERROR for an unknown option (by its name only), one given twice, a value that cannot be read, no
// publication_names, or no common protocol version. Lists are allocated in the current context.
Options ParseOptions(List* given);

// "name=value" lines of the options in force, in UTF-8, in the current context. Inside a transaction only.
char* DescribeOptions(Session* session);

}  // namespace arrowcdc::plugin
