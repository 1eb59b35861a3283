// Entry points of the output plugin: what the server calls, in the order in which it calls it. What a change
// becomes is not decided here.
#include "pgtype/datetime.h"
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
  transaction->commit_ts = txn->xact_time.commit_time + pgtype::kEpochUs;
  transaction->xid = txn->xid;
  transaction->touched = false;
  ++transaction->number;
  transaction->record_lsn = 0;
  transaction->record_rows = 0;
  FlushBeforeTransaction(session, txn);
}

void OnChange(LogicalDecodingContext* decoding, ReorderBufferTXN*, Relation relation,
              ReorderBufferChange* change) {
  WriteChange(GetSession(decoding), relation, change);
}

void OnTruncate(LogicalDecodingContext* decoding, ReorderBufferTXN*, int count, Relation relations[],
                ReorderBufferChange* change) {
  WriteTruncate(GetSession(decoding), relations, count, change);
}

void OnCommit(LogicalDecodingContext* decoding, ReorderBufferTXN* txn, XLogRecPtr) {
  Session* const session = GetSession(decoding);
  const bool touched = session->transaction.touched;
  OutputPluginUpdateProgress(decoding, !touched);
  session->transaction.unreported_changes = 0;
  if (!touched) return;
  const MemoryContext previous = MemoryContextSwitchTo(session->change_cxt);
  EndTransaction(session, txn->end_lsn);
  ShrinkScratch(&session->values.scratch);
  MemoryContextSwitchTo(previous);
  MemoryContextReset(session->change_cxt);
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
