// What a batch frame says in its sections of all rows or of some: transactions, cells without a value.
#pragma once

#include <arrow/record_batch.h>
#include <arrow/result.h>

#include "format/frame_reader.h"
#include "src/change/metadata_columns.h"

namespace arrowcdc {

// Errors: kProtocol unless entries are in commit order, none is without rows, and their rows add up to
// `rows`.
arrow::Result<TransactionColumns> SpreadTransactions(const format::Frame& frame, int64_t rows,
                                                     arrow::MemoryPool* pool);

// The entries of section `tag` (kUnchanged, kUnrepresentable) of the frame around `batch`, whose first
// column_count columns are the table's. `repaired`: cells that are null in `batch` and had a value on the
// wire. Errors: kProtocol unless entries are inside the batch, sorted, and name cells without a value.
arrow::Result<Cells> ReadCells(const format::Frame& frame, format::SectionTag tag,
                               const arrow::RecordBatch& batch, int column_count, const Cells& repaired);

}  // namespace arrowcdc
