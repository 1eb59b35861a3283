// Open batches.
#include "plugin/open_batches.h"

namespace arrowcdc::plugin {

namespace {

// Memory that tables keep between batches, all together.
constexpr uint64_t kKeptBytesMax = 16 << 20;

// From the place of each transaction's first row to how many rows it has.
void CountTransactionRows(Batch* batch) {
  const size_t count = batch->transactions.size / sizeof(format::TransactionEntry);
  uint32_t end = batch->rows;
  for (size_t i = count; i-- > 0;) {
    uint8_t* const at = batch->transactions.data + i * sizeof(format::TransactionEntry) +
                        offsetof(format::TransactionEntry, rows);
    uint32_t begin;
    memcpy(&begin, at, sizeof(begin));
    const uint32_t rows = end - begin;
    memcpy(at, &rows, sizeof(rows));
    end = begin;
  }
}

uint64_t MeasureMemory(const PublishedTable* table) {
  const Batch& batch = table->batch;
  uint64_t bytes = batch.transactions.capacity + batch.unchanged.capacity + batch.unrepresentable.capacity;
  for (int32_t i = 0; i < CountColumns(table); ++i) bytes += MeasureColumn(&table->columns[i]);
  return bytes;
}

void ReleaseEntries(Buffer* entries) {
  if (entries->data != nullptr) pfree(entries->data);
  *entries = Buffer{nullptr, 0, 0};
}

void KeepMemory(OpenBatches* open, PublishedTable* table, uint64_t bytes) {
  for (int32_t i = 0; i < CountColumns(table); ++i) ResetColumn(&table->columns[i]);
  open->kept_bytes += bytes;
  table->batch.kept_bytes = bytes;
}

void ReleaseMemory(PublishedTable* table) {
  for (int32_t i = 0; i < CountColumns(table); ++i) ReleaseColumn(&table->columns[i]);
  ReleaseEntries(&table->batch.transactions);
  ReleaseEntries(&table->batch.unchanged);
  ReleaseEntries(&table->batch.unrepresentable);
}

// Entries whose first field is a row that is not there.
void CutCells(Buffer* cells, uint32_t rows) {
  while (cells->size > 0) {
    format::CellEntry last;
    memcpy(&last, cells->data + cells->size - sizeof(last), sizeof(last));
    if (last.row < rows) return;
    cells->size -= sizeof(last);
  }
}

// Until the batch is sealed `rows` of an entry is the place of its first row.
void CutTransactions(OpenBatches* open, Batch* batch) {
  format::TransactionEntry last;
  memcpy(&last, batch->transactions.data + batch->transactions.size - sizeof(last), sizeof(last));
  if (last.rows < batch->rows) return;
  batch->transactions.size -= sizeof(last);
  batch->transaction = 0;
  batch->bytes -= sizeof(last);
  open->bytes -= sizeof(last);
}

void CutBatch(OpenBatches* open, PublishedTable* table) {
  Batch* const batch = &table->batch;
  for (int32_t i = 0; i < CountColumns(table); ++i) TruncateColumn(&table->columns[i], batch->rows);
  CutCells(&batch->unchanged, batch->rows);
  CutCells(&batch->unrepresentable, batch->rows);
  CutTransactions(open, batch);
}

}  // namespace

format::TransactionEntry MakeEntry(const Transaction& transaction, uint32_t rows) {
  return {transaction.commit_lsn, transaction.commit_ts, transaction.xid, rows};
}

Opening OpenBatchSlow(OpenBatches* open, PublishedTable* table, Transaction* transaction) {
  Batch* const batch = &table->batch;
  const bool is_new = batch->rows == 0;
  if (is_new && table->target->open != nullptr) return Opening::kFlushFirst;
  const format::TransactionEntry entry = MakeEntry(*transaction, batch->rows);
  Append(table->context, &batch->transactions, &entry, sizeof(entry));
  batch->transaction = transaction->number;
  transaction->touched = true;
  batch->bytes += sizeof(entry);
  open->bytes += sizeof(entry);
  if (!is_new) return Opening::kOpen;
  open->kept_bytes -= batch->kept_bytes;
  batch->kept_bytes = 0;
  table->target->open = table;
  batch->previous = open->last;
  batch->next = nullptr;
  (open->last != nullptr ? open->last->batch.next : open->first) = table;
  open->last = table;
  open->columns += CountColumns(table);
  return Opening::kOpen;
}

bool HasOpenNamesake(const OpenBatches& open, const PublishedTable* table) {
  for (const PublishedTable* other = open.first; other != nullptr; other = other->batch.next) {
    if (other->relid != table->relid && strcmp(other->table_name, table->table_name) == 0 &&
        strcmp(other->schema_name, table->schema_name) == 0) {
      return true;
    }
  }
  return false;
}

void SealBatch(PublishedTable* table) {
  for (int32_t i = 0; i < CountColumns(table); ++i) {
    table->columns[i].length = table->batch.rows;
    SealColumn(&table->columns[i]);
  }
  CountTransactionRows(&table->batch);
}

void CutOpenBatches(OpenBatches* open) {
  PublishedTable* next = nullptr;
  for (PublishedTable* table = open->first; table != nullptr; table = next) {
    next = table->batch.next;
    table->batch.rows == 0 ? CloseBatch(open, table) : CutBatch(open, table);
  }
}

void CloseBatch(OpenBatches* open, PublishedTable* table) {
  Batch* const batch = &table->batch;
  (batch->previous != nullptr ? batch->previous->batch.next : open->first) = batch->next;
  (batch->next != nullptr ? batch->next->batch.previous : open->last) = batch->previous;
  batch->previous = batch->next = nullptr;
  table->target->open = nullptr;
  open->bytes -= batch->bytes;
  open->columns -= CountColumns(table);
  batch->rows = 0;
  batch->bytes = 0;
  batch->transaction = 0;
  batch->transactions.size = batch->unchanged.size = batch->unrepresentable.size = 0;

  const uint64_t bytes = MeasureMemory(table);
  if (bytes <= 4 * open->batch_bytes && open->kept_bytes + bytes <= kKeptBytesMax) {
    KeepMemory(open, table, bytes);
  } else {
    ReleaseMemory(table);
  }
}

}  // namespace arrowcdc::plugin
