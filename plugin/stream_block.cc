// Blocks of transactions in progress.
#include "plugin/stream_block.h"

#include "pgtype/datetime.h"
#include "plugin/flush.h"

namespace arrowcdc::plugin {

// Of a historic snapshot: the transactions whose changes of the catalog it sees, besides older ones.
struct CatalogCommits {
  TransactionId xmin;
  TransactionId xmax;
  uint32 count;
  TransactionId* xids;  // null: not known
};

// What txn->output_plugin_private points to, from the first block to the end of the transaction.
struct TransactionInProgress {
  MemoryContext context;  // this struct
  bool sent;              // a frame of it was sent
  uint64_t record_lsn;    // as in Transaction: a block may end between the rows of a record
  uint32_t record_rows;
  ToldInProgress told;
  CatalogCommits cut;  // known if its last block was cut short: what had committed when that was decoded
};

namespace {

TransactionInProgress* GetInProgress(const ReorderBufferTXN* txn) {
  return static_cast<TransactionInProgress*>(txn->output_plugin_private);
}

TransactionInProgress* NewInProgress(Session* session, ReorderBufferTXN* txn) {
  const MemoryContext context =
      AllocSetContextCreate(session->context, "wal2arrow transaction in progress", ALLOCSET_SMALL_SIZES);
  auto* in_progress =
      static_cast<TransactionInProgress*>(MemoryContextAllocZero(context, sizeof(TransactionInProgress)));
  in_progress->context = context;
  in_progress->told.context = context;
  txn->output_plugin_private = in_progress;
  return in_progress;
}

void ReleaseInProgress(ReorderBufferTXN* txn) {
  MemoryContextDelete(GetInProgress(txn)->context);
  txn->output_plugin_private = nullptr;
}

// Does not raise but where memory is short, as this may run outside of any transaction.
CatalogCommits CopyCommits(MemoryContext context, SnapBuild* builder) {
#if PG_VERSION_NUM >= 160000
  const SnapshotData* const snapshot = SnapBuildGetOrBuildSnapshot(builder);
#else
  const SnapshotData* const snapshot = SnapBuildGetOrBuildSnapshot(builder, InvalidTransactionId);
#endif
  CatalogCommits commits{snapshot->xmin, snapshot->xmax, snapshot->xcnt, nullptr};
  const Size bytes = sizeof(TransactionId) * snapshot->xcnt;
  commits.xids = static_cast<TransactionId*>(MemoryContextAlloc(context, Max(bytes, 1)));
  if (bytes != 0) memcpy(commits.xids, snapshot->xip, bytes);
  return commits;
}

// Where a part of a transaction turns out to have been rolled back in the middle of a block, the server
// throws the rest of that away (ReorderBufferResetTXN): with the rows also the news that another transaction,
// which committed meanwhile, has changed the catalog. What follows it would read by the catalog of before:
// columns would be lost, or have the names and values of others.
void CheckCatalog(const TransactionInProgress* in_progress, TransactionId xid) {
  const CatalogCommits& cut = in_progress->cut;
  if (cut.xids == nullptr) return;
  const SnapshotData* const snapshot = GetTransactionSnapshot();
  if (snapshot->xmin == cut.xmin && snapshot->xmax == cut.xmax && snapshot->xcnt == cut.count &&
      memcmp(snapshot->xip, cut.xids, sizeof(TransactionId) * cut.count) == 0)
    return;
  constexpr const char* kState = format::kCatalogLost;
  ereport(ERROR,
          (errcode(MAKE_SQLSTATE(kState[0], kState[1], kState[2], kState[3], kState[4])),
           errmsg("wal2arrow cannot go on with transaction %u in progress: a part of it was rolled back "
                  "while another transaction changed the catalog",
                  xid),
           errhint("Ask for it when it has committed, without the option streaming.")));
}

// Since its last block other transactions were decoded, which do not see what this one has changed in the
// catalog, and what they left in the caches is not for it. The server looks after the other way round only.
void InvalidateForTransaction(const ReorderBufferTXN* txn) {
  for (uint32 i = 0; i < txn->ninvalidations; ++i) LocalExecuteInvalidationMessage(&txn->invalidations[i]);
}

}  // namespace

void BeginBlock(Session* session, ReorderBufferTXN* txn) {
  const MemoryContext previous = MemoryContextSwitchTo(session->change_cxt);
  EndGroupBefore(session);
  TransactionInProgress* in_progress = GetInProgress(txn);
  if (in_progress == nullptr) {
    in_progress = NewInProgress(session, txn);
  } else {
    CheckCatalog(in_progress, txn->xid);
    in_progress->cut = CatalogCommits{};
    InvalidateForTransaction(txn);
  }
  Transaction* const transaction = &session->transaction;
  transaction->commit_lsn = 0;
  transaction->commit_ts = 0;
  transaction->xid = txn->xid;
  transaction->touched = false;
  ++transaction->number;
  transaction->record_lsn = in_progress->record_lsn;
  transaction->record_rows = in_progress->record_rows;
  PrepareHello(&session->frames);
  session->frames.block_xid = txn->xid;
  session->frames.block_begun = false;
  session->in_progress = in_progress;
  EnterTold(session, &in_progress->told);
  MemoryContextSwitchTo(previous);
  MemoryContextReset(session->change_cxt);
}

void EndBlock(Session* session) {
  TransactionInProgress* const in_progress = session->in_progress;
  Frames* const frames = &session->frames;
  const MemoryContext previous = MemoryContextSwitchTo(session->change_cxt);
  CutOpenBatches(&session->open);
  frames->stream.more_follows = true;
  FlushOpenBatches(session);
  frames->stream.more_follows = false;
  SendStreamStop(frames);
  in_progress->sent = in_progress->sent || frames->block_begun;
  const bool is_cut = !HistoricSnapshotActive();
  if (is_cut)
    in_progress->cut = CopyCommits(in_progress->context, session->decoding->snapshot_builder);
  in_progress->record_lsn = session->transaction.record_lsn;
  in_progress->record_rows = session->transaction.record_rows;
  LeaveTold(session);
  frames->block_xid = InvalidTransactionId;
  frames->block_begun = false;
  session->in_progress = nullptr;
  ShrinkBuffer(&session->values.scratch);
  MemoryContextSwitchTo(previous);
  MemoryContextReset(session->change_cxt);
}

bool IsSentInProgress(const ReorderBufferTXN* txn) {
  const TransactionInProgress* const in_progress = GetInProgress(txn);
  return in_progress != nullptr && in_progress->sent;
}

void CommitInProgress(Session* session, ReorderBufferTXN* txn) {
  TransactionInProgress* const in_progress = GetInProgress(txn);
  if (in_progress == nullptr) return;
  if (in_progress->sent) {
    const MemoryContext previous = MemoryContextSwitchTo(session->change_cxt);
    EndGroupBefore(session);
    ++session->counters.transactions;
    session->group.safe_lsn = txn->end_lsn;
    SendStreamCommit(&session->frames, txn->xid, txn->final_lsn,
                     txn->xact_time.commit_time + pgtype::kEpochUs);
    MemoryContextSwitchTo(previous);
    MemoryContextReset(session->change_cxt);
  }
  KeepTold(session, in_progress->told);
  ReleaseInProgress(txn);
}

void AbortInProgress(Session* session, ReorderBufferTXN* txn) {
  ReorderBufferTXN* const top = txn->toptxn != nullptr ? txn->toptxn : txn;
  // 18 calls for a part of a transaction that was never streamed, where it had noticed the abort before.
  const TransactionInProgress* const in_progress = GetInProgress(top);
  if (in_progress == nullptr) return;
  if (in_progress->sent) SendStreamAbort(&session->frames, top->xid, txn->xid);
  if (txn == top) ReleaseInProgress(top);
}

}  // namespace arrowcdc::plugin
