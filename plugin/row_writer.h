// One decoded change to rows: what stands in its tuples goes straight into the columns of an open batch.
// Looks nothing up, and sends nothing.
#pragma once

#include "plugin/append_context.h"
#include "plugin/relation_cache.h"

namespace arrowcdc::plugin {

// The tuples of a change, null where it has none.
#if PG_VERSION_NUM >= 170000
inline HeapTuple GetTuple(HeapTuple tuple) { return tuple; }
#else
inline HeapTuple GetTuple(ReorderBufferTupleBuf* buffer) {
  return buffer == nullptr ? nullptr : &buffer->tuple;
}
#endif

// Appends one row to the open batch of entry->table: `lsn` is that of its WAL record, `ord` its place among
// the rows of the record that are sent. `tuple` is null for a delete of which nothing is known; `old` is the
// row before an update, where the server has logged it. Returns the row's bytes in the batch, which CountRow
// counts.
uint64_t WriteRow(AppendContext* append, RelationEntry* entry, format::Op op, uint64_t lsn, uint32_t ord,
                  HeapTuple tuple, HeapTuple old);

}  // namespace arrowcdc::plugin
