// When open batches leave, in which order, and when a group ends: at every commit for clients that know no
// better; for those that keep the acknowledgement contract of docs/wire.md (option batching) when it is large
// or old enough, or nothing is left to decode. Until then whole transactions are held back, and the client
// has been told so. Writes no row.
#pragma once

#include "plugin/session.h"

namespace arrowcdc::plugin {

// All open batches, in the middle of the transaction. Nothing is open afterwards.
void FlushOpenBatches(Session* session);

// This table's batch, which is open, in the middle of the transaction.
void FlushBatch(Session* session, PublishedTable* table);

// A truncate frame, behind everything that is open.
void FlushTruncate(Session* session, const Truncate& truncate);

// A message frame: of the transaction behind everything that is open, or as a group of its own behind what is
// held back.
void FlushMessage(Session* session, const Message& message);

// At begin: what is held back must not wait for the decoding of a large transaction.
void FlushBeforeTransaction(Session* session, const ReorderBufferTXN* txn);

// At commit of a transaction of which something is published. Ends the group or holds it back.
void EndTransaction(Session* session, uint64_t end_lsn);

// Within a callback: what is held back leaves before what comes now, which is of another group or of none.
void EndGroupBefore(Session* session);

// Between WAL records: ends the group if whole transactions are held back. These two may be called outside
// the server's callbacks.
void FlushHeldBack(Session* session);
// Only if they have been for long.
void FlushHeldBackIfOld(Session* session);

}  // namespace arrowcdc::plugin
