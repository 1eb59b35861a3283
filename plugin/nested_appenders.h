// Values that consist of values: arrays, ranges, composites, and those of extensions. What one of the parts
// has no Arrow form for, the whole has none for.
#pragma once

#include "plugin/append_context.h"

namespace arrowcdc::plugin {

// The attributes of a composite type, as the catalog has them for the rows that are decoded.
struct RowType {
  Oid type;
  TupleDesc tupdesc;
  int16* attnums;  // of the column's children
  Datum* values;   // room for one value's attributes
  bool* nulls;
};

bool AppendArrayValue(AppendContext* append, Column* column, Datum value);
bool AppendRangeValue(AppendContext* append, Column* column, Datum value);
bool AppendMultirangeValue(AppendContext* append, Column* column, Datum value);
bool AppendCompositeValue(AppendContext* append, Column* column, Datum value);
bool AppendHstoreValue(AppendContext* append, Column* column, Datum value);
bool AppendVectorValue(AppendContext* append, Column* column, Datum value);
bool AppendHalfvecValue(AppendContext* append, Column* column, Datum value);

}  // namespace arrowcdc::plugin
