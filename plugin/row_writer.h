// One decoded change to rows: what stands in its tuples goes straight into the columns of an open batch. Looks
// nothing up, and sends nothing.
#pragma once

#include "plugin/append_context.h"
#include "plugin/relation_cache.h"

namespace arrowcdc::plugin {

// Scratch: the old row of an update, where the new one refers to it.
struct OldRow {
  Datum values[MaxTupleAttributeNumber];
  bool nulls[MaxTupleAttributeNumber];
};

struct DecodedRow {
  format::Op op;
  uint64_t lsn;     // of the WAL record
  uint32_t ord;     // place among the record's rows
  HeapTuple tuple;  // null: a delete of which nothing is known
  HeapTuple old;    // the row before an update, where the server has logged it; or null
};

// How many rows an INSERT, UPDATE or DELETE makes, whether or not they are published.
inline uint32_t CountRows(const ReorderBufferChange* change) {
  return change->action == REORDER_BUFFER_CHANGE_UPDATE && change->data.tp.oldtuple != nullptr ? 2 : 1;
}

// The rows themselves, in their order; `ord` is the first one's. Returns how many there are.
int SplitChange(const ReorderBufferChange* change, uint32_t ord, DecodedRow rows[2]);

// Appends the row to the open batch of entry->table. Returns its bytes there; CountRow comes next.
uint64_t WriteRow(AppendContext* append, OldRow* old_row, RelationEntry* entry, const DecodedRow& row);

}  // namespace arrowcdc::plugin
