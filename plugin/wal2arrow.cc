// Entry points of the output plugin: what the server calls, in the order in which it calls it.
#include "pgtype/datetime.h"
#include "plugin/batch_writer.h"
#include "plugin/byte_buffer_pg.h"
#include "plugin/cache_invalidation.h"
#include "plugin/compression.h"
#include "plugin/group.h"
#include "plugin/notice.h"
#include "plugin/pg.h"
#include "plugin/relation_cache.h"
#include "plugin/replica_identity.h"
#include "plugin/row_writer.h"
#include "plugin/session.h"
#include "plugin/settings.h"
#include "plugin/text.h"
#include "plugin/walsender.h"

namespace arrowcdc::plugin {

namespace {

Session* SessionOf(LogicalDecodingContext* decoding) {
  return static_cast<Session*>(decoding->output_plugin_private);
}

Session* NewSession(LogicalDecodingContext* decoding) {
  const MemoryContext context = AllocSetContextCreate(decoding->context, "wal2arrow", ALLOCSET_DEFAULT_SIZES);
  auto* session = static_cast<Session*>(MemoryContextAllocZero(context, sizeof(Session)));
  session->decoding = decoding;
  session->context = context;
  session->change_cxt = AllocSetContextCreate(context, "wal2arrow change", ALLOCSET_DEFAULT_SIZES);
  session->cache_cxt = AllocSetContextCreate(context, "wal2arrow cache", ALLOCSET_DEFAULT_SIZES);
  session->publications_cxt = AllocSetContextCreate(context, "wal2arrow publications", ALLOCSET_SMALL_SIZES);
  session->header = NewByteBuffer(context);
  session->metadata = NewByteBuffer(context);
  session->money_digits = -1;

  const MemoryContext previous = MemoryContextSwitchTo(context);
  session->options = ParseOptions(decoding->output_plugin_options);
  MemoryContextSwitchTo(previous);
  session->compressor = NewCompressor(context, session->options);
  InitText(session);
  InitRelationCache(session);
  InitIdentities(session);
  InitGroup(session);
  return session;
}

#if PG_VERSION_NUM < 160000
// Before 16 nobody but the plugin tells the client that a long transaction of which nothing is published goes
// on.
void ReportProgress(Session* session) {
  constexpr uint32_t kChangesBetweenReports = 100;
  if (++session->skipped_changes < kChangesBetweenReports) return;
  session->skipped_changes = 0;
  OutputPluginUpdateProgress(session->decoding, false);
}
#else
void ReportProgress(Session*) {}
#endif

// Place of the change's first row among those of its WAL record, whether or not they are published.
uint32_t CountRows(Session* session, const ReorderBufferChange* change) {
  if (change->lsn != session->record_lsn) {
    session->record_lsn = change->lsn;
    session->record_rows = 0;
  }
  const uint32_t ord = session->record_rows;
  session->record_rows += RowsOf(change);
  return ord;
}

bool IsPublished(const RelationEntry* entry, ReorderBufferChangeType action) {
  if (!entry->published) return false;
  switch (action) {
    case REORDER_BUFFER_CHANGE_INSERT:
      return entry->actions.pubinsert;
    case REORDER_BUFFER_CHANGE_UPDATE:
      return entry->actions.pubupdate;
    case REORDER_BUFFER_CHANGE_DELETE:
      return entry->actions.pubdelete;
    default:
      return false;
  }
}

uint8_t OperationOf(ReorderBufferChangeType action) {
  switch (action) {
    case REORDER_BUFFER_CHANGE_INSERT:
      return format::kOperationInsert;
    case REORDER_BUFFER_CHANGE_UPDATE:
      return format::kOperationUpdate;
    case REORDER_BUFFER_CHANGE_DELETE:
      return format::kOperationDelete;
    default:
      return 0;
  }
}

void LogCounters(const Session* session) {
  const Counters& counters = session->counters;
  if (!session->in_walsender) return;
  ereport(LOG, (errmsg("wal2arrow: slot \"%s\": " UINT64_FORMAT " transactions in %u frames; " UINT64_FORMAT
                       " WAL records, " UINT64_FORMAT " of them drained",
                       NameStr(session->decoding->slot->data.name), counters.transactions, session->sequence,
                       counters.records, counters.drained)));
}

// One giant value must not stay in memory for the rest of the session.
void ShrinkScratch(Session* session) {
  constexpr size_t kScratchBytesKept = 1 << 20;
  if (session->scratch.capacity <= kScratchBytesKept) return;
  pfree(session->scratch.data);
  session->scratch = Buffer{};
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
  Session* const session = NewSession(decoding);
  ApplySettings(session);
  decoding->output_plugin_private = session;
  AttachSession(session);
  AttachToWalsender(session);
}

void OnShutdown(LogicalDecodingContext* decoding) {
  Session* const session = SessionOf(decoding);
  if (session == nullptr) return;
  DetachFromWalsender();
  DetachSession(session);
  RestoreSettings(session);
  LogCounters(session);
  decoding->output_plugin_private = nullptr;
}

void OnBegin(LogicalDecodingContext* decoding, ReorderBufferTXN* txn) {
  Session* const session = SessionOf(decoding);
  session->transaction.commit_lsn = txn->final_lsn;
  session->transaction.commit_ts = txn->xact_time.commit_time + pgtype::kEpochUs;
  session->transaction.xid = txn->xid;
  session->transaction.touched = false;
  ++session->transaction.number;
  session->record_lsn = 0;
  session->record_rows = 0;
  BeginTransactionInGroup(session, txn);
}

void OnChange(LogicalDecodingContext* decoding, ReorderBufferTXN*, Relation relation,
              ReorderBufferChange* change) {
  Session* const session = SessionOf(decoding);
  const uint32_t ord = CountRows(session, change);
  ReportProgress(session);
  BoundRelationCache(session);
  RelationEntry* const entry = GetRelationEntry(session, relation);
  if (IsPublished(entry, change->action)) {
    const MemoryContext previous = MemoryContextSwitchTo(session->change_cxt);
    WriteChange(session, entry, change, ord);
    MemoryContextSwitchTo(previous);
  } else {
    TellPassedOver(session, entry, relation, OperationOf(change->action));
  }
  MemoryContextReset(session->change_cxt);
}

void OnTruncate(LogicalDecodingContext* decoding, ReorderBufferTXN*, int count, Relation relations[],
                ReorderBufferChange* change) {
  Session* const session = SessionOf(decoding);
  ReportProgress(session);
  BoundRelationCache(session);
  const MemoryContext previous = MemoryContextSwitchTo(session->change_cxt);
  auto** tables =
      static_cast<PublishedTable**>(palloc(sizeof(PublishedTable*) * static_cast<size_t>(Max(count, 1))));
  uint32_t published = 0;
  for (int i = 0; i < count; ++i) {
    RelationEntry* const entry = GetRelationEntry(session, relations[i]);
    // Partitions that go by their ancestor's name are left out: the ancestor is in the list where it was
    // truncated.
    if (entry->published && entry->actions.pubtruncate && !entry->via_ancestor) {
      tables[published++] = entry->table;
    } else if (!(entry->published && entry->actions.pubtruncate) &&
               relations[i]->rd_rel->relkind != RELKIND_PARTITIONED_TABLE) {
      TellPassedOver(session, entry, relations[i], format::kOperationTruncate);
    }
  }
  if (published > 0) {
    WriteTruncate(session, tables, published, change->lsn, change->data.truncate.cascade,
                  change->data.truncate.restart_seqs);
  }
  MemoryContextSwitchTo(previous);
  MemoryContextReset(session->change_cxt);
}

void OnCommit(LogicalDecodingContext* decoding, ReorderBufferTXN* txn, XLogRecPtr) {
  Session* const session = SessionOf(decoding);
  const bool touched = session->transaction.touched;
  OutputPluginUpdateProgress(decoding, !touched);
  session->skipped_changes = 0;
  if (!touched) return;
  const MemoryContext previous = MemoryContextSwitchTo(session->change_cxt);
  EndTransactionInGroup(session, txn->end_lsn);
  ShrinkScratch(session);
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
