// When a group ends.
#include "plugin/group.h"

#include "plugin/batch_writer.h"
#include "plugin/options.h"
#include "plugin/settings.h"
#include "plugin/walsender.h"

extern "C" {
#include "replication/slot.h"
}

namespace arrowcdc::plugin {

namespace {

constexpr int kAgeMaxMs = kUnsafe ? 3'600'000 : 20;
constexpr uint32_t kTransactionsMax = 1 << 16;

bool MayHoldBack(const Session* session) {
  const Group& group = session->group;
  return session->in_walsender && session->options.batching && BatchingAllowed() &&
         session->open_first != nullptr && group.whole_count < group.whole_max &&
         group.sent_bytes + session->open_bytes < session->options.batch_bytes && !OthersWait(session) &&
         !NothingLeftToDecode(session);
}

}  // namespace

void InitGroup(Session* session) {
  // Small at first: where an ERROR at some later record ends every session, what lies before it still gets
  // through.
  session->group.whole_max = 1;
  session->reached_lsn = session->decoding->slot->data.confirmed_flush;
}

void BeginTransactionInGroup(Session* session, const ReorderBufferTXN* txn) {
  if (session->group.whole_lsn == 0) return;
  if (rbtxn_is_serialized(txn) || txn->total_size >= session->options.batch_bytes) FlushHeldBack(session);
}

void EndTransactionInGroup(Session* session, uint64_t end_lsn) {
  Group* const group = &session->group;
  ++session->counters.transactions;
  ++group->whole_count;
  group->whole_lsn = end_lsn;
  if (!MayHoldBack(session)) {
    SendGroup(session);
    return;
  }
  if (group->since == 0) group->since = GetCurrentTimestamp();
}

void FlushHeldBack(Session* session) {
  if (session->group.whole_lsn == 0 || StreamHasEnded()) return;
  LogicalDecodingContext* const decoding = session->decoding;
  const bool accept_writes = decoding->accept_writes;
  const MemoryContext previous = MemoryContextSwitchTo(session->change_cxt);
  decoding->accept_writes = true;
  SendGroup(session);
  decoding->accept_writes = accept_writes;
  MemoryContextSwitchTo(previous);
  MemoryContextReset(session->change_cxt);
}

void FlushHeldBackIfOld(Session* session) {
  const Group& group = session->group;
  if (group.whole_lsn == 0) return;
  if (TimestampDifferenceExceeds(group.since, GetCurrentTimestamp(), kAgeMaxMs)) FlushHeldBack(session);
}

void GroupIsSent(Session* session) {
  Group* const group = &session->group;
  session->reached_lsn = session->safe_lsn;
  const uint32_t whole_max = group->whole_max < kTransactionsMax ? group->whole_max * 2 : kTransactionsMax;
  *group = Group{};
  group->whole_max = whole_max;
}

}  // namespace arrowcdc::plugin
