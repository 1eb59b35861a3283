// Columns by the type table (pgtype/type_table.h), and the function that fills each.
#pragma once

#include "pgtype/type_table.h"
#include "plugin/cache_invalidation.h"
#include "plugin/column.h"
#include "plugin/text.h"

namespace arrowcdc::plugin {

struct TypeMap {
  pgtype::NumericChoice numeric;
  bool unrepresentable_as_text;  // columns of types that have values without a form are text
  int money_digits;              // -1: not asked yet
  CatalogMarks* marks;
  TextConversion* text;  // for names of attributes
};

// Fills in what *column is (type, appender, children), empty. Domains are resolved to their base type with
// their modifier; the types looked at are watched for changes, and the relations that have their attributes.
// Memory comes from `context`. Never fails: what has no place in the table becomes utf8 by its output
// function.
void PlanColumn(TypeMap* map, Oid type, int32 typmod, MemoryContext context, Column* column);

}  // namespace arrowcdc::plugin
