// How a relation's attributes are read off its tuples: one step an attribute, in the order in which they lie
// there. Made once, when the relation's entry is built. Looks at no value.
#pragma once

#include "plugin/published_table.h"
#include "plugin/text.h"

namespace arrowcdc::plugin {

// What is done with an attribute's bytes. The kinds with a type are done in line by the row writer, the
// values of all others go through their column's append function.
enum class StepKind : uint8_t {
  kSkipFixed,
  kSkipVarlena,
  kSkipCString,
  kValue,  // of fixed length
  kVarlenaValue,
  kCStringValue,
  kBool,
  kBytes1,
  kBytes2,
  kBytes4,
  kBytes8,
  kBytes16,
  kDate,
  kTimestamp,
  kVarlenaBytes,  // bytea, and text that needs no conversion
  kDecimal128,
};

struct AttributeStep {
  StepKind kind;
  uint8_t align_mask;  // alignment - 1
  bool by_value;
  int16_t length;  // attlen
  int32_t field;   // place of the column in the published table; -1: not published
  Column* column;  // null: not published
};

// The step of attribute `index` of tupdesc; `field` is -1 where it is not published.
AttributeStep PlanAttribute(TextMode text_mode, TupleDesc tupdesc, int index, PublishedTable* table,
                            int32_t field);

}  // namespace arrowcdc::plugin
