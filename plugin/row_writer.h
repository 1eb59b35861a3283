// One decoded change to the rows of an open batch.
#pragma once

#include "plugin/relation_cache.h"
#include "plugin/session.h"

namespace arrowcdc::plugin {

// Appends the rows of an INSERT, UPDATE or DELETE; `ord` is the place of its first row among those of its WAL
// record.
void WriteChange(Session* session, RelationEntry* entry, const ReorderBufferChange* change, uint32_t ord);

// How many rows the change makes.
inline uint32_t RowsOf(const ReorderBufferChange* change) {
  return change->action == REORDER_BUFFER_CHANGE_UPDATE && change->data.tp.oldtuple != nullptr ? 2 : 1;
}

// Before the batch is sent: lengths and sizes of the columns are set.
void SealRows(PublishedTable* table);

}  // namespace arrowcdc::plugin
