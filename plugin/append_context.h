// What appending a value needs besides its column. Knows no table, no batch and no transaction.
#pragma once

#include "plugin/column.h"
#include "plugin/text.h"

namespace arrowcdc::plugin {

struct AppendContext {
  TextConversion text;
  MemoryContext context;  // of `scratch`
  Buffer scratch;
  uint64_t row_bytes;  // variable-length bytes of the row being appended
  // Aligned copies of short varlenas: [0] arrays, [1] their elements and everything else.
  alignas(8) uint8_t aligned[2][136];
  // The old row of an update, where the new one refers to it.
  Datum old_values[MaxTupleAttributeNumber];
  bool old_nulls[MaxTupleAttributeNumber];
};

}  // namespace arrowcdc::plugin
