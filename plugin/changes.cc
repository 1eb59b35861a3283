// Decoded changes.
#include "plugin/changes.h"

#include "plugin/flush.h"
#include "plugin/row_writer.h"

extern "C" {
#include "utils/resowner.h"
}

namespace arrowcdc::plugin {

namespace {

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

// The rows that follow are of this WAL record: they are counted from 0 where it is another than before.
inline void EnterRecord(Transaction* transaction, const ReorderBufferChange* change) {
  if (change->lsn == transaction->record_lsn) return;
  transaction->record_lsn = change->lsn;
  transaction->record_rows = 0;
}

// A change's bit among format::Operations.
uint8_t GetOperation(ReorderBufferChangeType action) {
  static_assert(1 << REORDER_BUFFER_CHANGE_INSERT == format::kOperationInsert &&
                1 << REORDER_BUFFER_CHANGE_UPDATE == format::kOperationUpdate &&
                1 << REORDER_BUFFER_CHANGE_DELETE == format::kOperationDelete);
  return action <= REORDER_BUFFER_CHANGE_DELETE ? static_cast<uint8_t>(1 << action) : 0;
}

pg_noinline RelationEntry* LookUpSlow(Session* session, Relation relation) {
  const RelationLookup found = FindRelationEntry(session, relation);
  if (found.flush_first) FlushOpenBatches(session);
  if (found.rebuilt) TellMembership(session, found.entry, relation, found.membership);
  EndMaking(&found.entry->freshness);
  return found.entry;
}

// The relation's entry. What a row of it must come behind has been sent.
inline RelationEntry* LookUp(Session* session, Relation relation) {
  RelationEntry* const last = session->relations.last;
  if (last != nullptr && last->relid == RelationGetRelid(relation) && IsFresh(session->marks, last))
    return last;
  return LookUpSlow(session, relation);
}

// Between changes: no entry and no table is in use.
void BoundRelationCache(Session* session) {
  if (!session->relations.full) return;
  FlushOpenBatches(session);
  RestartRelationCache(&session->relations);
  session->open.kept_bytes = 0;  // it has gone with the tables
}

pg_noinline void FlushFull(Session* session, PublishedTable* table, Fill fill) {
  fill == Fill::kBatchFull ? FlushBatch(session, table) : FlushOpenBatches(session);
}

// A row of the WAL record that was entered last.
inline void AddRow(Session* session, RelationEntry* entry, format::Op op, HeapTuple tuple, HeapTuple old) {
  OpenBatches* const open = &session->open;
  Transaction* const transaction = &session->transaction;
  PublishedTable* const table = entry->table;
  if (OpenBatch(open, table, transaction) == Opening::kFlushFirst) {
    FlushOpenBatches(session);
    OpenBatch(open, table, transaction);
  }
  CountRow(
      open, table,
      WriteRow(&session->values, entry, op, transaction->record_lsn, transaction->record_rows, tuple, old));
  ++transaction->record_rows;
  const Fill fill = CheckFill(*open, table);
  if (fill != Fill::kRoom) FlushFull(session, table, fill);
}

pg_noinline void AddUpdateBefore(Session* session, RelationEntry* entry, HeapTuple old) {
  AddRow(session, entry, format::Op::kUpdateBefore, old, nullptr);
}

inline void AddRows(Session* session, RelationEntry* entry, uint8_t operation,
                    const ReorderBufferChange* change) {
  const HeapTuple old_tuple = GetTuple(change->data.tp.oldtuple);
  const HeapTuple new_tuple = GetTuple(change->data.tp.newtuple);
  if (operation == format::kOperationDelete) {
    AddRow(session, entry, format::Op::kDelete, old_tuple, nullptr);
    return;
  }
  const bool is_update = operation == format::kOperationUpdate;
  if (is_update && old_tuple != nullptr) AddUpdateBefore(session, entry, old_tuple);
  if (new_tuple == nullptr) return;
  AddRow(session, entry, is_update ? format::Op::kUpdateAfter : format::Op::kInsert, new_tuple, old_tuple);
}

void ReportFilter(RelationEntry* entry, int sqlstate) {
  if (entry->filter_raised) return;
  entry->filter_raised = true;
  ereport(LOG, (errmsg("wal2arrow: a row filter of table \"%s\" raised an error (SQLSTATE %s)",
                       entry->table->message_name, unpack_sql_state(sqlstate)),
                errdetail("Rows of which it does are sent unfiltered. This is said once a table.")));
}

// The operation that the change is sent as; 0: no filter lets it pass.
pg_noinline uint8_t ApplyFilters(RelationEntry* entry, uint8_t operation, const ReorderBufferChange* change) {
  int sqlstate = 0;
  const uint8_t sent_as = FilterChange(entry->filters, operation, GetTuple(change->data.tp.oldtuple),
                                       GetTuple(change->data.tp.newtuple), &sqlstate);
  if (sqlstate != 0) ReportFilter(entry, sqlstate);
  return sent_as;
}

}  // namespace

void WriteChange(Session* session, Relation relation, const ReorderBufferChange* change) {
  EnterRecord(&session->transaction, change);
  ReportProgress(session);
  const MemoryContext previous = MemoryContextSwitchTo(session->change_cxt);
  BoundRelationCache(session);
  RelationEntry* const entry = LookUp(session, relation);
  uint8_t operation = GetOperation(change->action);
  if ((entry->operations & operation) != 0) {
    if (entry->filters != nullptr) operation = ApplyFilters(entry, operation, change);
    if (operation != 0) AddRows(session, entry, operation, change);
  } else {
    TellPassedOver(session, entry, relation, operation);
  }
  MemoryContextSwitchTo(previous);
  MemoryContextReset(session->change_cxt);
}

void WriteTruncate(Session* session, Relation* relations, int count, const ReorderBufferChange* change) {
  ReportProgress(session);
  const MemoryContext previous = MemoryContextSwitchTo(session->change_cxt);
  BoundRelationCache(session);
  auto** tables =
      static_cast<PublishedTable**>(palloc(sizeof(PublishedTable*) * static_cast<size_t>(Max(count, 1))));
  uint32_t published = 0;
  for (int i = 0; i < count; ++i) {
    RelationEntry* const entry = LookUp(session, relations[i]);
    // Partitions that go by their ancestor's name are left out: the ancestor is in the list where it was
    // truncated.
    if ((entry->operations & format::kOperationTruncate) != 0) {
      if (!entry->via_ancestor) tables[published++] = entry->table;
    } else if (relations[i]->rd_rel->relkind != RELKIND_PARTITIONED_TABLE) {
      TellPassedOver(session, entry, relations[i], format::kOperationTruncate);
    }
  }
  if (published > 0) {
    FlushTruncate(session, {tables, published, change->lsn, change->data.truncate.cascade,
                            change->data.truncate.restart_seqs});
  }
  MemoryContextSwitchTo(previous);
  MemoryContextReset(session->change_cxt);
}

void WriteMessage(Session* session, const Message& message) {
  if (message.transactional) ReportProgress(session);
  if (!session->options.messages) return;
  const MemoryContext previous = MemoryContextSwitchTo(session->change_cxt);
  // A walsender has no transaction between those that it decodes. This one reads the catalog as of the
  // message, as theirs do, and ends as they end.
  const bool begins = !IsTransactionState();
  const ResourceOwner owner = CurrentResourceOwner;
  if (begins) {
    StartTransactionCommand();
    MemoryContextSwitchTo(session->change_cxt);
  }
  FlushMessage(session, message);
  if (begins) {
    AbortCurrentTransaction();
    CurrentResourceOwner = owner;
  }
  MemoryContextSwitchTo(previous);
  MemoryContextReset(session->change_cxt);
}

}  // namespace arrowcdc::plugin
