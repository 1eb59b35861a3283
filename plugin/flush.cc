// Open batches to frames.
#include "plugin/flush.h"

#include "plugin/settings.h"
#include "plugin/walsender.h"

extern "C" {
#include "replication/slot.h"
}

namespace arrowcdc::plugin {

namespace {

void FlushTable(Session* session, PublishedTable* table, uint16_t flags) {
  SendSchema(&session->frames, table);
  if ((flags & format::kFlagInProgress) == 0) session->group.sent_bytes += table->batch.bytes;
  SealBatch(table);
  SendBatch(&session->frames, table, flags);
  CloseBatch(&session->open, table);
}

void SendOpenSchemas(Session* session) {
  for (PublishedTable* table = session->open.first; table != nullptr; table = table->batch.next) {
    SendSchema(&session->frames, table);
  }
}

// Between transactions: all open batches, or a progress frame where none is open. The last frame ends the
// group, with the end of its last transaction as safe_lsn.
void FlushGroup(Session* session) {
  const OpenBatches& open = session->open;
  Group* const group = &session->group;
  if (open.first == nullptr) {
    group->safe_lsn = group->whole_lsn;
    SendProgress(&session->frames, format::kFlagGroupEnd);
    return;
  }
  session->frames.stream.more_follows = true;
  SendOpenSchemas(session);
  while (open.first != open.last) FlushTable(session, open.first, format::kFlagTxnIncomplete);
  session->frames.stream.more_follows = false;
  group->safe_lsn = group->whole_lsn;
  FlushTable(session, open.first, format::kFlagGroupEnd);
}

bool MayHoldBack(const Session* session) {
  const Group& group = session->group;
  const OpenBatches& open = session->open;
  return session->in_walsender && session->options.batching && IsBatchingAllowed() && open.first != nullptr &&
         group.whole_count < group.whole_max &&
         group.sent_bytes + open.bytes < session->options.batch_bytes && !OthersWait(session) &&
         !NothingLeftToDecode(session);
}

}  // namespace

void FlushBatch(Session* session, PublishedTable* table) {
  FlushTable(session, table, MiddleFlag(session->frames));
}

void FlushOpenBatches(Session* session) {
  SendOpenSchemas(session);
  while (session->open.first != nullptr) FlushBatch(session, session->open.first);
}

void FlushTruncate(Session* session, const Truncate& truncate) {
  session->transaction.touched = true;
  FlushOpenBatches(session);
  for (uint32_t i = 0; i < truncate.count; ++i) SendSchema(&session->frames, truncate.tables[i]);
  SendTruncate(&session->frames, truncate, session->transaction);
}

void FlushMessage(Session* session, const Message& message) {
  if (message.transactional) {
    session->transaction.touched = true;
    FlushOpenBatches(session);
    SendMessage(&session->frames, message, &session->transaction, MiddleFlag(session->frames));
    return;
  }
  EndGroupBefore(session);
  session->group.safe_lsn = message.end_lsn;
  SendMessage(&session->frames, message, nullptr, format::kFlagGroupEnd);
}

void FlushBeforeTransaction(Session* session, const ReorderBufferTXN* txn) {
  if (!HoldsBack(session->group)) return;
  if (rbtxn_is_serialized(txn) || txn->total_size >= session->options.batch_bytes) FlushHeldBack(session);
}

void EndTransaction(Session* session, uint64_t end_lsn) {
  ++session->counters.transactions;
  AddTransaction(&session->group, end_lsn);
  MayHoldBack(session) ? HoldBack(&session->group) : FlushGroup(session);
}

void EndGroupBefore(Session* session) {
  if (HoldsBack(session->group)) FlushGroup(session);
}

void FlushHeldBack(Session* session) {
  if (!HoldsBack(session->group) || StreamHasEnded()) return;
  LogicalDecodingContext* const decoding = session->decoding;
  const bool accept_writes = decoding->accept_writes;
  const MemoryContext previous = MemoryContextSwitchTo(session->change_cxt);
  decoding->accept_writes = true;
  FlushGroup(session);
  decoding->accept_writes = accept_writes;
  MemoryContextSwitchTo(previous);
  MemoryContextReset(session->change_cxt);
}

void FlushHeldBackIfOld(Session* session) {
  if (IsOld(session->group)) FlushHeldBack(session);
}

}  // namespace arrowcdc::plugin
