// Tuples to rows.
#include "plugin/row_writer.h"

#include "plugin/batch_writer.h"

namespace arrowcdc::plugin {

namespace {

#if PG_VERSION_NUM >= 170000
HeapTuple TupleOf(HeapTuple tuple) { return tuple; }
#else
HeapTuple TupleOf(ReorderBufferTupleBuf* buffer) { return buffer == nullptr ? nullptr : &buffer->tuple; }
#endif

struct DeformedTuple {
  const Datum* values;
  const bool* nulls;
};

DeformedTuple Deform(const RelationEntry* entry, HeapTuple tuple, Datum* values, bool* nulls) {
  heap_deform_tuple(tuple, entry->tupdesc, values, nulls);
  return {values, nulls};
}

void AddCell(PublishedTable* table, Buffer* cells, int32_t field) {
  const format::CellEntry entry{table->rows, static_cast<uint16_t>(field), 0};
  Append(table->context, cells, &entry, sizeof(entry));
}

void ReportUnrepresentable(PublishedTable* table, int32_t field) {
  Column* const column = &table->columns[field];
  if (column->reported) return;
  column->reported = true;
  ereport(
      LOG,
      (errmsg("wal2arrow: column \"%s\" of table \"%s\" holds a value that has no Arrow form",
              table->column_names[field], table->message_name),
       errdetail("Such cells are sent as null and marked as unrepresentable. This is said once a column.")));
}

bool PointsToToast(const Column* column, Datum value) {
  return column->varlena && VARATT_IS_EXTERNAL_ONDISK(DatumGetPointer(value));
}

// One cell. `row` may be null: a delete of which nothing is known. Values that only point to the TOAST table
// were not changed and are not in the WAL: `old` has them where the replica identity is FULL, or where they
// are part of the key.
void WriteCell(Session* session, PublishedTable* table, int32_t field, int16 source, const DeformedTuple* row,
               const DeformedTuple* old) {
  Column* const column = &table->columns[field];
  if (row == nullptr || source < 0 || row->nulls[source]) {
    AppendNull(column);
    return;
  }
  Datum value = row->values[source];
  if (PointsToToast(column, value)) {
    const bool old_has_it =
        old != nullptr && !old->nulls[source] && !PointsToToast(column, old->values[source]);
    if (!old_has_it) {
      AppendNull(column);
      AddCell(table, &table->unchanged, field);
      return;
    }
    value = old->values[source];
  }
  if (!column->append(session, column, value)) {
    AppendNull(column);
    AddCell(table, &table->unrepresentable, field);
    ReportUnrepresentable(table, field);
  }
}

void WriteRow(Session* session, RelationEntry* entry, format::Op op, uint64_t lsn, uint32_t ord,
              const DeformedTuple* row, const DeformedTuple* old) {
  PublishedTable* const table = entry->table;
  OpenBatch(session, table);
  session->row_bytes = table->row_bytes_fixed;
  for (int32_t field = 0; field < table->column_count; ++field) {
    WriteCell(session, table, field, entry->sources[field], row, old);
  }
  AppendScalar(OpColumn(table), static_cast<int8_t>(op));
  AppendScalar(LsnColumn(table), lsn);
  AppendScalar(OrdColumn(table), static_cast<uint16_t>(ord));
  ++table->rows;
  table->bytes += session->row_bytes;
  session->open_bytes += session->row_bytes;
  FlushIfFull(session, table);
}

}  // namespace

uint32_t RowsOf(const ReorderBufferChange* change) {
  return change->action == REORDER_BUFFER_CHANGE_UPDATE && change->data.tp.oldtuple != nullptr ? 2 : 1;
}

void WriteChange(Session* session, RelationEntry* entry, const ReorderBufferChange* change, uint32_t ord) {
  const HeapTuple old_tuple = TupleOf(change->data.tp.oldtuple);
  const HeapTuple new_tuple = TupleOf(change->data.tp.newtuple);
  DeformedTuple old_row{};
  DeformedTuple new_row{};
  if (old_tuple != nullptr) old_row = Deform(entry, old_tuple, session->old_values, session->old_nulls);
  if (new_tuple != nullptr) new_row = Deform(entry, new_tuple, session->new_values, session->new_nulls);
  const DeformedTuple* const old = old_tuple != nullptr ? &old_row : nullptr;

  switch (change->action) {
    case REORDER_BUFFER_CHANGE_INSERT:
      if (new_tuple != nullptr)
        WriteRow(session, entry, format::Op::kInsert, change->lsn, ord, &new_row, nullptr);
      break;
    case REORDER_BUFFER_CHANGE_UPDATE:
      if (old != nullptr)
        WriteRow(session, entry, format::Op::kUpdateBefore, change->lsn, ord++, old, nullptr);
      if (new_tuple != nullptr)
        WriteRow(session, entry, format::Op::kUpdateAfter, change->lsn, ord, &new_row, old);
      break;
    case REORDER_BUFFER_CHANGE_DELETE:
      WriteRow(session, entry, format::Op::kDelete, change->lsn, ord, old, nullptr);
      break;
    default:
      break;
  }
}

}  // namespace arrowcdc::plugin
