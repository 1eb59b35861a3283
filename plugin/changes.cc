// Decoded changes.
#include "plugin/changes.h"

#include "plugin/flush.h"

namespace arrowcdc::plugin {

namespace {

bool IsPublished(const RelationEntry* entry, ReorderBufferChangeType action) {
  if (!entry->published) return false;
  switch (action) {
    case REORDER_BUFFER_CHANGE_INSERT:
      return entry->actions.pubinsert;
    case REORDER_BUFFER_CHANGE_UPDATE:
      return entry->actions.pubupdate;
    case REORDER_BUFFER_CHANGE_DELETE:
      return entry->actions.pubdelete;
    case REORDER_BUFFER_CHANGE_TRUNCATE:
      return entry->actions.pubtruncate;
    default:
      return false;
  }
}

uint8_t GetOperation(ReorderBufferChangeType action) {
  switch (action) {
    case REORDER_BUFFER_CHANGE_INSERT:
      return format::kOperationInsert;
    case REORDER_BUFFER_CHANGE_UPDATE:
      return format::kOperationUpdate;
    case REORDER_BUFFER_CHANGE_DELETE:
      return format::kOperationDelete;
    case REORDER_BUFFER_CHANGE_TRUNCATE:
      return format::kOperationTruncate;
    default:
      return 0;
  }
}

pg_noinline RelationEntry* LookUpSlow(Session* session, Relation relation) {
  const RelationLookup found = FindRelationEntry(session, relation);
  if (found.flush_first) FlushOpenBatches(session);
  if (found.rebuilt) TellMembership(session, found.entry, relation, found.membership);
  return found.entry;
}

// The relation's entry. What a row of it must come behind has been sent.
RelationEntry* LookUp(Session* session, Relation relation) {
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

void AddRow(Session* session, RelationEntry* entry, const DecodedRow& row) {
  OpenBatches* const open = &session->open;
  PublishedTable* const table = entry->table;
  if (OpenBatch(open, table, &session->transaction) == Opening::kFlushFirst) {
    FlushOpenBatches(session);
    OpenBatch(open, table, &session->transaction);
  }
  CountRow(open, table, WriteRow(&session->values, &session->old_row, entry, row));
  switch (CheckFill(*open, table)) {
    case Fill::kRoom:
      break;
    case Fill::kBatchFull:
      FlushBatch(session, table);
      break;
    case Fill::kAllFull:
      FlushOpenBatches(session);
      break;
  }
}

}  // namespace

void WriteChange(Session* session, Relation relation, const ReorderBufferChange* change, uint32_t ord) {
  BoundRelationCache(session);
  RelationEntry* const entry = LookUp(session, relation);
  if (!IsPublished(entry, change->action)) {
    TellPassedOver(session, entry, relation, GetOperation(change->action));
    return;
  }
  DecodedRow rows[2];
  const int count = SplitChange(change, ord, rows);
  for (int i = 0; i < count; ++i) AddRow(session, entry, rows[i]);
}

void WriteTruncate(Session* session, Relation* relations, int count, const ReorderBufferChange* change) {
  BoundRelationCache(session);
  auto** tables =
      static_cast<PublishedTable**>(palloc(sizeof(PublishedTable*) * static_cast<size_t>(Max(count, 1))));
  uint32_t published = 0;
  for (int i = 0; i < count; ++i) {
    RelationEntry* const entry = LookUp(session, relations[i]);
    // Partitions that go by their ancestor's name are left out: the ancestor is in the list where it was
    // truncated.
    if (IsPublished(entry, change->action)) {
      if (!entry->via_ancestor) tables[published++] = entry->table;
    } else if (relations[i]->rd_rel->relkind != RELKIND_PARTITIONED_TABLE) {
      TellPassedOver(session, entry, relations[i], format::kOperationTruncate);
    }
  }
  if (published == 0) return;
  session->transaction.touched = true;
  FlushOpenBatches(session);
  for (uint32_t i = 0; i < published; ++i) SendSchema(&session->frames, tables[i]);
  const Truncate truncate{tables, published, change->lsn, change->data.truncate.cascade,
                          change->data.truncate.restart_seqs};
  SendTruncate(&session->frames, truncate, session->transaction);
}

}  // namespace arrowcdc::plugin
