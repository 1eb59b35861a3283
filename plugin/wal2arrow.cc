// Entry points of the output plugin: what the server calls, in the order in which it calls it. Does nothing
// itself but keep to the server's conventions: contexts, progress, the end of a session.
#include "plugin/appenders.h"
#include "plugin/cache_invalidation.h"
#include "plugin/changes.h"
#include "plugin/flush.h"

extern "C" {
#include "replication/slot.h"
}

namespace arrowcdc::plugin {

namespace {

Session* GetSession(LogicalDecodingContext* decoding) {
  return static_cast<Session*>(decoding->output_plugin_private);
}

#if PG_VERSION_NUM < 160000
// Before 16 nobody but the plugin tells the client that a long transaction of which nothing is published goes
// on.
void ReportProgress(Session* session) {
  constexpr uint32_t kChangesBetweenReports = 100;
  if (++session->transaction.unreported_changes < kChangesBetweenReports) return;
  session->transaction.unreported_changes = 0;
  OutputPluginUpdateProgress(session->decoding, false);
}
#else
void ReportProgress(Session*) {}
#endif

// Place of the change's first row among those of its WAL record, whether or not they are published.
uint32_t PassRecord(Transaction* transaction, const ReorderBufferChange* change) {
  if (change->lsn != transaction->record_lsn) {
    transaction->record_lsn = change->lsn;
    transaction->record_rows = 0;
  }
  const uint32_t ord = transaction->record_rows;
  transaction->record_rows += CountRows(change);
  return ord;
}

void LogCounters(const Session* session) {
  const Counters& counters = session->counters;
  if (!session->in_walsender) return;
  ereport(LOG, (errmsg("wal2arrow: slot \"%s\": " UINT64_FORMAT " transactions in %u frames; " UINT64_FORMAT
                       " WAL records, " UINT64_FORMAT " of them drained",
                       NameStr(session->decoding->slot->data.name), counters.transactions,
                       session->frames.stream.sequence, counters.records, counters.drained)));
}

// One giant value must not stay in memory for the rest of the session.
void ShrinkScratch(Buffer* scratch) {
  constexpr size_t kScratchBytesKept = 1 << 20;
  if (scratch->capacity <= kScratchBytesKept) return;
  pfree(scratch->data);
  *scratch = Buffer{};
}

// Memory of one change.
MemoryContext EnterChange(Session* session) { return MemoryContextSwitchTo(session->change_cxt); }
void LeaveChange(Session* session, MemoryContext previous) {
  MemoryContextSwitchTo(previous);
  MemoryContextReset(session->change_cxt);
}

extern "C" {

void OnStartup(LogicalDecodingContext* decoding, OutputPluginOptions* options, bool is_init) {
  options->output_type = OUTPUT_PLUGIN_BINARY_OUTPUT;
  options->receive_rewrites = false;
  decoding->output_plugin_private = nullptr;
  decoding->streaming = false;  // whatever stream_abort_cb makes the server believe
  if (is_init)
    return;  // a slot is being created: there are no options yet, and nothing will be decoded for output
  // A walsender starts again on the same connection at an earlier point of the WAL, after an error or as it
  // is asked to, with what its caches hold of the later one: rows would be read by the wrong columns. The SQL
  // functions see to that themselves.
  if (!IsTransactionOrTransactionBlock()) InvalidateSystemCaches();
  decoding->output_plugin_private = NewSession(decoding);
}

void OnShutdown(LogicalDecodingContext* decoding) {
  Session* const session = GetSession(decoding);
  if (session == nullptr) return;
  ReleaseSession(session);
  LogCounters(session);
  decoding->output_plugin_private = nullptr;
}

void OnBegin(LogicalDecodingContext* decoding, ReorderBufferTXN* txn) {
  Session* const session = GetSession(decoding);
  Transaction* const transaction = &session->transaction;
  transaction->commit_lsn = txn->final_lsn;
  transaction->commit_ts = txn->xact_time.commit_time + static_cast<int64_t>(kUnixEpochOffsetUs);
  transaction->xid = txn->xid;
  transaction->touched = false;
  ++transaction->number;
  transaction->record_lsn = 0;
  transaction->record_rows = 0;
  FlushBeforeTransaction(session, txn);
}

void OnChange(LogicalDecodingContext* decoding, ReorderBufferTXN*, Relation relation,
              ReorderBufferChange* change) {
  Session* const session = GetSession(decoding);
  const uint32_t ord = PassRecord(&session->transaction, change);
  ReportProgress(session);
  const MemoryContext previous = EnterChange(session);
  WriteChange(session, relation, change, ord);
  LeaveChange(session, previous);
}

void OnTruncate(LogicalDecodingContext* decoding, ReorderBufferTXN*, int count, Relation relations[],
                ReorderBufferChange* change) {
  Session* const session = GetSession(decoding);
  ReportProgress(session);
  const MemoryContext previous = EnterChange(session);
  WriteTruncate(session, relations, count, change);
  LeaveChange(session, previous);
}

void OnCommit(LogicalDecodingContext* decoding, ReorderBufferTXN* txn, XLogRecPtr) {
  Session* const session = GetSession(decoding);
  const bool touched = session->transaction.touched;
  OutputPluginUpdateProgress(decoding, !touched);
  session->transaction.unreported_changes = 0;
  if (!touched) return;
  const MemoryContext previous = EnterChange(session);
  EndTransaction(session, txn->end_lsn);
  ShrinkScratch(&session->values.scratch);
  LeaveChange(session, previous);
}

// 18 takes a subtransaction of a transaction that has aborted for one that was streamed, where memory was
// short while it was decoded, and would raise an error, at each start anew, if there was nobody to tell of
// its end.
void OnStreamAbort(LogicalDecodingContext*, ReorderBufferTXN*, XLogRecPtr) {}

}  // extern "C"

}  // namespace

}  // namespace arrowcdc::plugin

// The three symbols of wal2arrow.map. PGDLLEXPORT makes them visible from 16 on only.
#define WAL2ARROW_EXPORT __attribute__((visibility("default")))

extern "C" {

WAL2ARROW_EXPORT const Pg_magic_struct* Pg_magic_func(void);
WAL2ARROW_EXPORT void _PG_init(void);
WAL2ARROW_EXPORT void _PG_output_plugin_init(OutputPluginCallbacks* callbacks);

PG_MODULE_MAGIC;

void _PG_init(void) {
  arrowcdc::plugin::RegisterCacheCallbacks();
  arrowcdc::plugin::DefineSettings();
}

void _PG_output_plugin_init(OutputPluginCallbacks* callbacks) {
  callbacks->startup_cb = arrowcdc::plugin::OnStartup;
  callbacks->begin_cb = arrowcdc::plugin::OnBegin;
  callbacks->change_cb = arrowcdc::plugin::OnChange;
  callbacks->truncate_cb = arrowcdc::plugin::OnTruncate;
  callbacks->commit_cb = arrowcdc::plugin::OnCommit;
  callbacks->stream_abort_cb = arrowcdc::plugin::OnStreamAbort;
  callbacks->shutdown_cb = arrowcdc::plugin::OnShutdown;
}

}  // extern "C"
