// Batches with rows in them, in the order in which they were opened: what is open, how much that is, and when
// something must leave first. Changes memory only: sending is its caller's (flush.h).
#pragma once

#include "plugin/published_table.h"
#include "plugin/transaction.h"

namespace arrowcdc::plugin {

struct OpenBatches {
  uint64_t batch_bytes;  // a batch of so many bytes is full
  PublishedTable* first;
  PublishedTable* last;
  uint64_t bytes;
  int64_t columns;
  uint64_t kept_bytes;  // memory that tables keep whose batch is not open
};

enum class Opening : uint8_t {
  kOpen,
  kFlushFirst,  // another version of the table is open; nothing was changed
};

// Before a row: puts the table among the open ones if it is not, and the transaction among those of its
// batch.
Opening OpenBatchSlow(OpenBatches* open, PublishedTable* table, Transaction* transaction);
inline Opening OpenBatch(OpenBatches* open, PublishedTable* table, Transaction* transaction) {
  if (table->batch.transaction == transaction->number) return Opening::kOpen;
  return OpenBatchSlow(open, table, transaction);
}

// After a row was written to the columns: `bytes` of it.
inline void CountRow(OpenBatches* open, PublishedTable* table, uint64_t bytes) {
  ++table->batch.rows;
  table->batch.bytes += bytes;
  open->bytes += bytes;
}

enum class Fill : uint8_t {
  kRoom,
  kBatchFull,  // this table's
  kAllFull,    // all together
};

// After a row: what has grown over its cap. Each batch begins with up to 1 KiB, however few rows there are,
// so that columns count as well.
inline Fill CheckFill(const OpenBatches& open, const PublishedTable* table) {
  constexpr uint64_t kBatchesMax = 8;
  constexpr int64_t kColumnsMax = 16 << 10;
  if (table->batch.bytes >= open.batch_bytes) return Fill::kBatchFull;
  return open.bytes >= kBatchesMax * open.batch_bytes || open.columns >= kColumnsMax ? Fill::kAllFull
                                                                                     : Fill::kRoom;
}

// Whether a batch of another relation with the table's name is open: clients know rows by name and position,
// so those of one name must leave in order.
bool HasOpenNamesake(const OpenBatches& open, const PublishedTable* table);

// Before the batch is sent: lengths and sizes of the columns, and rows of the transactions, are set.
void SealBatch(PublishedTable* table);

// Takes back what open batches hold of a row that did not come whole. Those without a row are open no longer.
void CutOpenBatches(OpenBatches* open);

// After it was sent: takes the table off the open ones. Its memory stays with it while there is little of
// that.
void CloseBatch(OpenBatches* open, PublishedTable* table);

format::TransactionEntry MakeEntry(const Transaction& transaction, uint32_t rows);

}  // namespace arrowcdc::plugin
