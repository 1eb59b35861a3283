// Open batches to frames: what is flushed when, in which order, and what a frame says about the group and the
// transaction it belongs to (docs/wire.md).
#pragma once

#include "plugin/published_table.h"
#include "plugin/session.h"

namespace arrowcdc::plugin {

// Puts the table among the open ones if it is not. Where another version of it is open, everything is flushed
// first.
void OpenBatch(Session* session, PublishedTable* table);

// After a row: flushes what has grown over its cap, in the middle of the transaction.
void FlushIfFull(Session* session, PublishedTable* table);

// All open batches, in the middle of the transaction. Nothing is open afterwards.
void FlushOpenBatches(Session* session);

// Sends all open batches where one of them is of another relation with the table's name: clients know rows by
// name and position, so those of one name must leave in order.
void FlushNamesakes(Session* session, const PublishedTable* table);

// All open batches, or a progress frame where none is open but the transaction has sent frames; the last
// frame ends the group with this safe_lsn. True: the transaction has sent something.
bool EndTransaction(Session* session, uint64_t safe_lsn);

// A truncate frame, after everything that is open. `tables` have places in the list in this order.
void WriteTruncate(Session* session, PublishedTable* const* tables, uint32_t count, uint64_t lsn,
                   bool cascade, bool restart_identity);

}  // namespace arrowcdc::plugin
