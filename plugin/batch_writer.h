// Open batches to frames: what is flushed when, in which order, and what a frame says about the group and the
// transaction it belongs to (docs/wire.md).
#pragma once

#include "plugin/published_table.h"
#include "plugin/session.h"

namespace arrowcdc::plugin {

// Before a row: puts the table among the open ones if it is not (where another version of it is open,
// everything is flushed first), and the transaction among those of its batch.
void OpenBatchSlow(Session* session, PublishedTable* table);
inline void OpenBatch(Session* session, PublishedTable* table) {
  if (table->transaction != session->transaction.number) OpenBatchSlow(session, table);
}

// After a row: flushes what has grown over its cap, in the middle of the transaction.
void FlushIfFull(Session* session, PublishedTable* table);

// All open batches, in the middle of the transaction. Nothing is open afterwards.
void FlushOpenBatches(Session* session);

// Sends all open batches where one of them is of another relation with the table's name: clients know rows by
// name and position, so those of one name must leave in order.
void FlushNamesakes(Session* session, const PublishedTable* table);

// Between transactions: all open batches, or a progress frame where none is open. The last frame ends the
// group, with the end of its last transaction as safe_lsn.
void SendGroup(Session* session);

// A progress frame in session->header that tells the client that whole transactions are held back; the caller
// sends it. False: the session has not begun for the client, which then knows no position to acknowledge.
// Never between the frames of a group.
bool WriteDirtyMark(Session* session);

// A notice frame, at once and in front of what is open: it belongs to no group. names: format::NameEntry and
// what follows each.
void SendNotice(Session* session, const format::NoticeSection& notice, const format::ByteBuffer& names);

// A truncate frame, after everything that is open. `tables` have places in the list in this order.
void WriteTruncate(Session* session, PublishedTable* const* tables, uint32_t count, uint64_t lsn,
                   bool cascade, bool restart_identity);

}  // namespace arrowcdc::plugin
