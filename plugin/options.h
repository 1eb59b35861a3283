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
  bool unrepresentable_as_text;  // columns of types that have values without an Arrow form are text
  bool batching;                 // batches across transactions: the client keeps the contract of docs/wire.md
  bool drain;                    // decode many WAL records a turn of the walsender's loop
  format::BodyCodec compression;  // of batches
  bool streaming;                 // transactions in progress
  bool foreign_origins;           // changes that a replication has brought from elsewhere come, too
  bool messages;                  // logical messages are sent, too
  uint32_t max_delay_ms;          // what is committed may wait so long for more; 0: not at all
};

inline constexpr uint64_t kBatchBytesDefault = 256 << 10;
inline constexpr uint64_t kBatchBytesMin = 4 << 10;
inline constexpr uint64_t kBatchBytesMax = 16 << 20;
inline constexpr uint64_t kMaxDelayMsMax = 1000;

// try_NAME is NAME where there is such an option and it takes the value, and else nothing. Errors: ERROR for
// any other unknown option (by its name only), one given twice, a value that cannot be read, no
// publication_names, or no common protocol version. Lists are allocated in the current context.
Options ParseOptions(List* elements);

// "name=value" lines of the options in force, in UTF-8, in the current context. Inside a transaction only.
char* DescribeOptions(const Options& options, TextConversion* text);

}  // namespace arrowcdc::plugin
