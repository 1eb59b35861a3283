// Entry points of the output plugin: what the server calls, in the order in which it calls it. What a change
// becomes is not decided here.
#include "pgtype/datetime.h"
#include "plugin/cache_invalidation.h"
#include "plugin/changes.h"
#include "plugin/flush.h"
#include "plugin/stream_block.h"

extern "C" {
#include "replication/origin.h"
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

extern "C" {

void OnStartup(LogicalDecodingContext* decoding, OutputPluginOptions* options, bool is_init) {
  options->output_type = OUTPUT_PLUGIN_BINARY_OUTPUT;
  options->receive_rewrites = false;
  decoding->output_plugin_private = nullptr;
  const bool can_stream = decoding->streaming;
  decoding->streaming = false;
  if (is_init)
    return;  // a slot is being created: there are no options yet, and nothing will be decoded for output
  // A walsender starts again on the same connection at an earlier point of the WAL, after an error or as it
  // is asked to, with what its caches hold of the later one: rows would be read by the wrong columns. The SQL
  // functions see to that themselves.
  if (!IsTransactionOrTransactionBlock()) InvalidateSystemCaches();
  Session* const session = NewSession(decoding);
  session->options.streaming = session->options.streaming && can_stream;
  decoding->streaming = session->options.streaming;
  decoding->output_plugin_private = session;
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
  ++session->counters.begun;
  transaction->record_lsn = 0;
  transaction->record_rows = 0;
  FlushBeforeTransaction(session, txn);
}

// Asked for each WAL record, also while a slot is made, when there is no session.
bool OnFilterByOrigin(LogicalDecodingContext* decoding, RepOriginId origin) {
  const Session* const session = GetSession(decoding);
  return session != nullptr && !session->options.foreign_origins && origin != InvalidRepOriginId;
}

void OnChange(LogicalDecodingContext* decoding, ReorderBufferTXN*, Relation relation,
              ReorderBufferChange* change) {
  WriteChange(GetSession(decoding), relation, change);
}

void OnTruncate(LogicalDecodingContext* decoding, ReorderBufferTXN*, int count, Relation relations[],
                ReorderBufferChange* change) {
  WriteTruncate(GetSession(decoding), relations, count, change);
}

void OnMessage(LogicalDecodingContext* decoding, ReorderBufferTXN*, XLogRecPtr end_lsn, bool transactional,
               const char* prefix, Size content_bytes, const char* content) {
  WriteMessage(GetSession(decoding), {end_lsn, transactional, prefix, content, content_bytes});
}

void OnCommit(LogicalDecodingContext* decoding, ReorderBufferTXN* txn, XLogRecPtr) {
  Session* const session = GetSession(decoding);
  const bool touched = session->transaction.touched;
  OutputPluginUpdateProgress(decoding, !touched);
  session->transaction.unreported_changes = 0;
  if (!touched) return;
  const MemoryContext previous = MemoryContextSwitchTo(session->change_cxt);
  EndTransaction(session, txn->end_lsn);
  ShrinkBuffer(&session->values.scratch);
  MemoryContextSwitchTo(previous);
  MemoryContextReset(session->change_cxt);
}

void OnStreamStart(LogicalDecodingContext* decoding, ReorderBufferTXN* txn) {
  BeginBlock(GetSession(decoding), txn);
}

void OnStreamChange(LogicalDecodingContext* decoding, ReorderBufferTXN*, Relation relation,
                    ReorderBufferChange* change) {
  Session* const session = GetSession(decoding);
  EnterPart(&session->transaction, change->txn->xid);
  WriteChange(session, relation, change);
}

void OnStreamTruncate(LogicalDecodingContext* decoding, ReorderBufferTXN*, int count, Relation relations[],
                      ReorderBufferChange* change) {
  Session* const session = GetSession(decoding);
  EnterPart(&session->transaction, change->txn->xid);
  WriteTruncate(session, relations, count, change);
}

void OnStreamMessage(LogicalDecodingContext* decoding, ReorderBufferTXN* txn, XLogRecPtr end_lsn,
                     bool transactional, const char* prefix, Size content_bytes, const char* content) {
  Session* const session = GetSession(decoding);
  // The change is not handed over. What the server watches for a rollback is the part that it belongs to; a
  // part that cannot be rolled back any more is not watched.
  EnterPart(&session->transaction, TransactionIdIsValid(CheckXidAlive) ? CheckXidAlive : txn->xid);
  WriteMessage(session, {end_lsn, transactional, prefix, content, content_bytes});
}

void OnStreamStop(LogicalDecodingContext* decoding, ReorderBufferTXN*) { EndBlock(GetSession(decoding)); }

// 18 takes a subtransaction of a transaction that has aborted for one that was streamed, where memory was
// short while it was decoded, and would raise an error, at each start anew, if there was nobody to tell of
// its end: also where nothing is streamed.
void OnStreamAbort(LogicalDecodingContext* decoding, ReorderBufferTXN* txn, XLogRecPtr) {
  AbortInProgress(GetSession(decoding), txn);
}

void OnStreamCommit(LogicalDecodingContext* decoding, ReorderBufferTXN* txn, XLogRecPtr) {
  Session* const session = GetSession(decoding);
  ++session->counters.begun;
  OutputPluginUpdateProgress(decoding, !IsSentInProgress(txn));
  session->transaction.unreported_changes = 0;
  CommitInProgress(session, txn);
}

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
  callbacks->filter_by_origin_cb = arrowcdc::plugin::OnFilterByOrigin;
  callbacks->begin_cb = arrowcdc::plugin::OnBegin;
  callbacks->change_cb = arrowcdc::plugin::OnChange;
  callbacks->truncate_cb = arrowcdc::plugin::OnTruncate;
  callbacks->message_cb = arrowcdc::plugin::OnMessage;
  callbacks->commit_cb = arrowcdc::plugin::OnCommit;
  callbacks->stream_start_cb = arrowcdc::plugin::OnStreamStart;
  callbacks->stream_change_cb = arrowcdc::plugin::OnStreamChange;
  callbacks->stream_truncate_cb = arrowcdc::plugin::OnStreamTruncate;
  callbacks->stream_message_cb = arrowcdc::plugin::OnStreamMessage;
  callbacks->stream_stop_cb = arrowcdc::plugin::OnStreamStop;
  callbacks->stream_abort_cb = arrowcdc::plugin::OnStreamAbort;
  callbacks->stream_commit_cb = arrowcdc::plugin::OnStreamCommit;
  callbacks->shutdown_cb = arrowcdc::plugin::OnShutdown;
}

}  // extern "C"
