// Tuples to rows.
#include "plugin/row_writer.h"

#include "pgtype/datetime.h"
#include "pgtype/numeric.h"
#include "plugin/appenders.h"
#include "plugin/tuple_reader.h"

namespace arrowcdc::plugin {

namespace {

// Room behind a column's bytes, so that short values are copied in whole blocks.
constexpr size_t kCopyBlock = 32;
constexpr size_t kCopySlack = 2 * kCopyBlock;

// The row being written.
struct Row {
  AppendContext* append;
  RelationEntry* entry;
  PublishedTable* table;
  int64_t index;
  HeapTuple old;  // where values that were not changed may be found; or null
  bool old_deformed;
};

void AddCell(PublishedTable* table, Buffer* cells, uint32_t row, int32_t field) {
  const format::CellEntry entry{row, static_cast<uint16_t>(field), 0};
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

void WriteNull(const Row* row, Column* column) {
  column->length = row->index;
  AppendNull(column);
}

pg_noinline void MarkUnrepresentable(const Row* row, const AttributeStep& step) {
  WriteNull(row, step.column);
  AddCell(row->table, &row->table->batch.unrepresentable, static_cast<uint32_t>(row->index), step.field);
  ReportUnrepresentable(row->table, step.field);
}

// The attribute's value in the old row; false: it is not there either.
bool FindOldValue(Row* row, int attribute, const Column* column, Datum* value) {
  if (row->old == nullptr) return false;
  AppendContext* const append = row->append;
  if (!row->old_deformed) {
    heap_deform_tuple(row->old, row->entry->tupdesc, append->old_values, append->old_nulls);
    row->old_deformed = true;
  }
  *value = append->old_values[attribute];
  return !append->old_nulls[attribute] && !PointsToToast(column, *value);
}

// A value that was compressed or out of line. It can be large: there is one of them in memory at a time,
// besides the columns. Values that only point to the TOAST table were not changed and are not in the WAL: the
// old row has them where the replica identity is FULL, or where they are part of the key.
pg_noinline void WriteExtended(Row* row, const AttributeStep& step, int attribute, Datum value) {
  Column* const column = step.column;
  AppendContext* const append = row->append;
  if (PointsToToast(column, value) && !FindOldValue(row, attribute, column, &value)) {
    WriteNull(row, column);
    AddCell(row->table, &row->table->batch.unchanged, static_cast<uint32_t>(row->index), step.field);
    return;
  }
  column->length = row->index;
  const MemoryContext previous = MemoryContextSwitchTo(append->detoasted);
  const bool appended = column->append(append, column, value);
  MemoryContextSwitchTo(previous);
  MemoryContextReset(append->detoasted);
  if (!appended) MarkUnrepresentable(row, step);
}

bool IsExtended(const Column* column, Datum value) {
  const void* const pointer = DatumGetPointer(value);
  return column->varlena && (VARATT_IS_EXTERNAL(pointer) || VARATT_IS_COMPRESSED(pointer));
}

// One value by its column's append function.
pg_noinline void WriteValue(Row* row, const AttributeStep& step, int attribute, Datum value) {
  Column* const column = step.column;
  if (IsExtended(column, value)) {
    WriteExtended(row, step, attribute, value);
    return;
  }
  column->length = row->index;
  if (!column->append(row->append, column, value)) MarkUnrepresentable(row, step);
}

// Copies whole blocks while source and target have the bytes: `to` has kCopySlack behind `size`.
inline void CopyShort(uint8_t* to, const uint8_t* from, size_t size, const uint8_t* from_end) {
  const size_t readable = static_cast<size_t>(from_end - from);
  if (size <= kCopyBlock && readable >= kCopyBlock) {
    memcpy(to, from, kCopyBlock);
  } else if (size <= 2 * kCopyBlock && readable >= 2 * kCopyBlock) {
    memcpy(to, from, 2 * kCopyBlock);
  } else {
    memcpy(to, from, size);
  }
}

// False: the column is full. While it need not grow it cannot be: before a row it holds less than one batch.
inline bool PutBytes(Column* column, int64_t index, const Slice& value, const uint8_t* tuple_end) {
  const size_t before = column->data.size;
  if (column->data.capacity - before < value.size + kCopySlack) {
    if (value.size > kColumnBytesMax - before) return false;
    GrowBuffer(column->context, &column->data, value.size + kCopySlack);
  }
  CopyShort(column->data.data + before, value.data, value.size, tuple_end);
  column->data.size = before + value.size;
  PutOffset(column, index + 1, static_cast<int64_t>(before + value.size));
  return true;
}

template <typename T>
T Load(const uint8_t* from) {
  T value;
  memcpy(&value, from, sizeof(value));
  return value;
}

template <typename T>
void Put(Column* column, int64_t index, T value) {
  memcpy(column->data.data + static_cast<size_t>(index) * sizeof(T), &value, sizeof(T));
}

Datum FetchDatum(const AttributeStep& step, const uint8_t* at) {
  return fetch_att(reinterpret_cast<const char*>(at), step.by_value, step.length);
}

// The attributes that the tuple has, straight from its bytes into the columns: what heap_deform_tuple does,
// without the values in between. Returns the bytes of variable length.
template <bool kHasNulls>
// NOLINTNEXTLINE(readability-function-size): the one pass over a row, for speed
uint64_t WalkTuple(Row* row, const HeapTupleData* tuple, int count) {
  const AttributeStep* const steps = row->entry->steps;
  const auto* const header = reinterpret_cast<const uint8_t*>(tuple->t_data);
  const bits8* const nulls = tuple->t_data->t_bits;
  const uint8_t* const end = header + tuple->t_len;
  TupleReader reader(tuple->t_data);
  const int64_t index = row->index;  // the compiler cannot know that no store changes it
  uint64_t bytes = 0;

  for (int i = 0; i < count; ++i) {
    const AttributeStep& step = steps[i];
    if (kHasNulls && att_isnull(i, nulls)) {
      if (step.column != nullptr) WriteNull(row, step.column);
      continue;
    }
    switch (step.kind) {
      case StepKind::kSkipFixed:
        reader.Take(step, static_cast<size_t>(step.length));
        break;
      case StepKind::kSkipVarlena:
        reader.TakeVarlena(step);
        break;
      case StepKind::kSkipCString:
        reader.TakeCString(step);
        break;
      case StepKind::kValue:
        WriteValue(row, step, i, FetchDatum(step, reader.Take(step, static_cast<size_t>(step.length))));
        break;
      case StepKind::kVarlenaValue:
        WriteValue(row, step, i, PointerGetDatum(reader.TakeVarlena(step)));
        break;
      case StepKind::kCStringValue:
        WriteValue(row, step, i, PointerGetDatum(reader.TakeCString(step)));
        break;
      case StepKind::kBool:
        PutBool(step.column, index, *reader.Take(step, 1) != 0);
        break;
      case StepKind::kBytes1:
        Put(step.column, index, *reader.Take(step, 1));
        break;
      case StepKind::kBytes2:
        Put(step.column, index, Load<uint16_t>(reader.Take(step, 2)));
        break;
      case StepKind::kBytes4:
        Put(step.column, index, Load<uint32_t>(reader.Take(step, 4)));
        break;
      case StepKind::kBytes8:
        Put(step.column, index, Load<uint64_t>(reader.Take(step, 8)));
        break;
      case StepKind::kBytes16:
        Put(step.column, index, Load<unsigned __int128>(reader.Take(step, 16)));
        break;
      case StepKind::kDate: {
        int32_t days;
        if (pgtype::DateToDays(Load<DateADT>(reader.Take(step, 4)), &days)) {
          Put(step.column, index, days);
        } else {
          MarkUnrepresentable(row, step);
        }
        break;
      }
      case StepKind::kTimestamp: {
        int64_t us;
        if (pgtype::TimestampToUs(Load<Timestamp>(reader.Take(step, 8)), &us)) {
          Put(step.column, index, us);
        } else {
          MarkUnrepresentable(row, step);
        }
        break;
      }
      case StepKind::kVarlenaBytes: {
        Slice value;
        if (reader.TakeShort(&value) || reader.TakePlain(step, &value)) {
          if (PutBytes(step.column, index, value, end)) {
            bytes += value.size;
          } else {
            MarkUnrepresentable(row, step);
          }
        } else {
          WriteValue(row, step, i, PointerGetDatum(reader.TakeVarlena(step)));
        }
        break;
      }
      case StepKind::kDecimal128: {
        TupleReader ahead = reader;
        Slice value;
        int64_t integer;
        if (ahead.TakeShort(&value) &&
            pgtype::ShortNumericToInteger(value.data, value.size, step.column->precision, step.column->scale,
                                          &integer)) {
          reader = ahead;
          Put(step.column, index, static_cast<__int128>(integer));
        } else {
          WriteValue(row, step, i, PointerGetDatum(reader.TakeVarlena(step)));
        }
        break;
      }
      default:
        __builtin_unreachable();
    }
  }
  return bytes;
}

// Attributes that were added with a default after the tuple had been written.
pg_noinline void WriteMissing(Row* row, int first) {
  for (int i = first; i < row->entry->tupdesc->natts; ++i) {
    const AttributeStep& step = row->entry->steps[i];
    if (step.column == nullptr) continue;
    bool is_null = true;
    const Datum value = getmissingattr(row->entry->tupdesc, i + 1, &is_null);
    is_null ? WriteNull(row, step.column) : WriteValue(row, step, i, value);
  }
}

// Room for another row in every column; the last of them tells how much there is.
pg_noinline void GrowColumns(PublishedTable* table) {
  for (int32_t i = 0; i < CountColumns(table); ++i) {
    GrowColumn(&table->columns[i], int64_t{table->batch.rows} + 1);
  }
}

// The entries of one row by field.
pg_noinline void SortCells(Buffer* cells, size_t from) {
  auto* const first = reinterpret_cast<format::CellEntry*>(cells->data + from);
  const size_t count = (cells->size - from) / sizeof(*first);
  for (size_t i = 1; i < count; ++i) {
    const format::CellEntry entry = first[i];
    size_t place = i;
    for (; place > 0 && first[place - 1].field > entry.field; --place) first[place] = first[place - 1];
    first[place] = entry;
  }
}

void WriteCells(Row* row, HeapTuple tuple) {
  RelationEntry* const entry = row->entry;
  PublishedTable* const table = row->table;
  if (tuple == nullptr) {
    for (int32_t i = 0; i < table->column_count; ++i) WriteNull(row, &table->columns[i]);
    return;
  }
  const int natts = entry->tupdesc->natts;
  const int count = Min(static_cast<int>(HeapTupleHeaderGetNatts(tuple->t_data)), natts);
  row->append->row_bytes +=
      HeapTupleHasNulls(tuple) ? WalkTuple<true>(row, tuple, count) : WalkTuple<false>(row, tuple, count);
  if (count < natts) WriteMissing(row, count);
  if (entry->absent != nullptr) {
    for (int field = -1; (field = bms_next_member(entry->absent, field)) >= 0;) {
      WriteNull(row, &table->columns[field]);
    }
  }
}

}  // namespace

uint64_t WriteRow(AppendContext* append, RelationEntry* entry, format::Op op, uint64_t lsn, uint32_t ord,
                  HeapTuple tuple, HeapTuple old) {
  PublishedTable* const table = entry->table;
  Batch* const batch = &table->batch;
  if (batch->rows == GetOrdColumn(table)->capacity) GrowColumns(table);
  Row row{append, entry, table, batch->rows, old, false};
  const size_t unchanged_before = batch->unchanged.size;
  const size_t unrepresentable_before = batch->unrepresentable.size;
  append->row_bytes = table->row_bytes_fixed;
  WriteCells(&row, tuple);
  Put(GetOpColumn(table), row.index, static_cast<int8_t>(op));
  Put(GetLsnColumn(table), row.index, lsn);
  Put(GetOrdColumn(table), row.index, static_cast<uint16_t>(ord));
  if (!entry->in_order) {
    SortCells(&batch->unchanged, unchanged_before);
    SortCells(&batch->unrepresentable, unrepresentable_before);
  }
  return append->row_bytes;
}

}  // namespace arrowcdc::plugin
