// The options of START_REPLICATION. Text from the client: nothing in it may do more than end in an ERROR.
#pragma once

#include <cstdint>

#include "format/ipc_writer.h"
#include "pgtype/type_table.h"
#include "plugin/pg.h"

namespace arrowcdc::plugin {

struct TextConversion;

struct Options {
  uint16_t protocol;
  List* publication_names;  // of char*
  uint64_t batch_bytes;
  pgtype::NumericChoice numeric;
  bool batching;  // batches across transactions: the client keeps the contract of docs/wire.md
  bool drain;     // decode many WAL records a turn of the walsender's loop
  format::BodyCodec compression;  // of batches
};

inline constexpr uint64_t kBatchBytesDefault = 256 << 10;
inline constexpr uint64_t kBatchBytesMin = 4 << 10;
inline constexpr uint64_t kBatchBytesMax = 16 << 20;

// Errors: ERROR for an unknown option (by its name only), one given twice, a value that cannot be read, no
// publication_names, or no common protocol version. Lists are allocated in the current context.
Options ParseOptions(List* given);

// "name=value" lines of the options in force, in UTF-8, in the current context. Inside a transaction only.
char* DescribeOptions(const Options& options, TextConversion* text);

}  // namespace arrowcdc::plugin
