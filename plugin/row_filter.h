// Row filters of publications (WHERE), by the rules of the server's own pgoutput and with the server's own
// evaluation, so that a row passes exactly where SQL says so. One thing differs: a row whose filter raises an
// error does not end the session but passes. Reads the catalog while an entry is built, and when a filter is
// evaluated for the first time or after it has raised; sends nothing.
#pragma once

#include "plugin/publication.h"

namespace arrowcdc::plugin {

struct RowFilters;

// The filters of rows of `relation`, whose attributes are `tupdesc`, published as `published`. Null: there
// are none. The result lives in the current context, as tupdesc has to.
RowFilters* BuildRowFilters(const FilterTexts& texts, Relation relation, Relation published,
                            TupleDesc tupdesc);

// As what a change of `operation` (one of format::Operations) is sent: an update whose row moves in or out of
// the filter is an insert or a delete; 0: not at all. `sqlstate` is that of the error where a filter raised
// one, else 0. Tuples are null where there are none.
uint8_t FilterChange(RowFilters* filters, uint8_t operation, HeapTuple old_tuple, HeapTuple new_tuple,
                     int* sqlstate);

}  // namespace arrowcdc::plugin
