// Transactions that are sent while they are in progress, in blocks (docs/wire.md): what is remembered of one
// between its blocks, and the frames around its rows. Rows themselves go the way of all others (changes.h).
//
// Within a block an ERROR "transaction rollback" (40000) does not end the session: the server takes it for
// the news that the (sub)transaction has aborted, throws away what is left of the block, and calls for the
// block's end, outside of any transaction. So whatever a callback may leave half done is either not counted
// before it is whole, or cut back at that end.
#pragma once

#include "plugin/session.h"

namespace arrowcdc::plugin {

// Rows of `txn` follow. What is held back leaves first.
void BeginBlock(Session* session, ReorderBufferTXN* txn);

// The rows that follow are of `xid`, the transaction of the block or a part of it.
inline void EnterPart(Transaction* transaction, TransactionId xid) {
  if (transaction->xid == xid) return;
  transaction->xid = xid;
  ++transaction->number;
}

// Sends all rows of the block that have come whole. Reads no catalog.
void EndBlock(Session* session);

// Whether frames of the transaction were sent.
bool IsSentInProgress(const ReorderBufferTXN* txn);

// Between blocks: what has become of the transaction, or of a part of it.
void CommitInProgress(Session* session, ReorderBufferTXN* txn);
void AbortInProgress(Session* session, ReorderBufferTXN* txn);

}  // namespace arrowcdc::plugin
