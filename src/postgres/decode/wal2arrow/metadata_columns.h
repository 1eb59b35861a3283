// The metadata columns that a batch frame carries in its sections, as arrays: what is constant in a
// transaction is spread over its rows, sparse cell entries become lists of column names.
#pragma once

#include <memory>
#include <vector>

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/result.h>

#include "format/frame_reader.h"

namespace arrowcdc {

struct TransactionColumns {
  std::shared_ptr<arrow::Array> commit_lsn;
  std::shared_ptr<arrow::Array> xid;
  std::shared_ptr<arrow::Array> commit_ts;
};

// Errors: kProtocol unless entries are in commit order, none is without rows, and their rows add up to
// `rows`.
arrow::Result<TransactionColumns> SpreadTransactions(const format::Frame& frame, int64_t rows,
                                                     arrow::MemoryPool* pool);

// All-null arrays of the cell columns' type, since nearly every batch needs two: slices of one, and the last
// slice again while batches are of one size.
class NullLists {
 public:
  arrow::Result<std::shared_ptr<arrow::Array>> Get(int64_t rows, arrow::MemoryPool* pool);

 private:
  std::shared_ptr<arrow::Array> longest_;
  std::shared_ptr<arrow::Array> last_;
};

using Cells = std::vector<format::CellEntry>;  // sorted by (row, field)

// The entries of section `tag` (kUnchanged, kUnrepresentable) of the frame around `batch`, whose first
// column_count columns are the table's. `repaired`: cells that are null in `batch` and had a value on the
// wire. Errors: kProtocol unless entries are inside the batch, sorted, and name cells without a value.
arrow::Result<Cells> ReadCells(const format::Frame& frame, format::SectionTag tag,
                               const arrow::RecordBatch& batch, int column_count, const Cells& repaired);

// Puts `more`, none of which is among `cells`, in their places.
void AddCells(const Cells& more, Cells* cells);

// The _unchanged or _unrepresentable column of a batch of `rows` rows: each row's cells by the names that
// their columns have in `schema`. Errors: CapacityError where the names are more than a column holds.
arrow::Result<std::shared_ptr<arrow::Array>> MakeCellColumn(const Cells& cells, int64_t rows,
                                                            const arrow::Schema& schema, NullLists* nulls,
                                                            arrow::MemoryPool* pool);

}  // namespace arrowcdc
