// What appending a value needs besides its column. Knows no table, no batch and no transaction.
#pragma once

#include "pgtype/type_table.h"
#include "plugin/column.h"
#include "plugin/text.h"

namespace arrowcdc::plugin {

// Depths that a column can have: what is too deep for the type table is text, and a multirange's ranges take
// another.
inline constexpr int kDepthMax = pgtype::kNestingMax + 3;

struct AppendContext {
  TextConversion text;
  MemoryContext context;    // of `scratch`
  MemoryContext detoasted;  // one value that was put together from what the WAL has of it
  Buffer scratch;
  uint64_t row_bytes;                          // variable-length bytes of the row being appended
  alignas(8) uint8_t aligned[kDepthMax][136];  // copies of short varlenas by the depth of their column
  // The old row of an update, where the new one refers to it.
  Datum old_values[MaxTupleAttributeNumber];
  bool old_nulls[MaxTupleAttributeNumber];
};

}  // namespace arrowcdc::plugin
