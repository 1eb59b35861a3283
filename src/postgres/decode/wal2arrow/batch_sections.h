// What a batch frame says in its sections of all rows or of some: transactions, cells without a value.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include <arrow/record_batch.h>
#include <arrow/result.h>

#include "format/frame_reader.h"
#include "src/change/metadata_columns.h"

namespace arrowcdc {

// Of a transaction that was sent while it was in progress: what its frames do not say themselves.
struct StreamedCommit {
  uint32_t xid = 0;
  uint64_t commit_lsn = 0;
  int64_t commit_ts = 0;
};

// `streamed`: the frame is one of that transaction, and its entries are parts of it; null: it has committed
// transactions. Errors: kProtocol unless entries are in commit order, or have none yet, none is without rows,
// and their rows add up to `rows`.
arrow::Result<TransactionColumns> SpreadTransactions(const format::Frame& frame, int64_t rows,
                                                     const StreamedCommit* streamed, arrow::MemoryPool* pool);

// The entries of such a frame whose rows count, as stretches of rows [begin, end). `is_aborted`: of a part,
// by its xid. Errors: as above.
struct RowRange {
  int64_t begin = 0;
  int64_t end = 0;
};
arrow::Result<std::vector<RowRange>> CommittedRows(const format::Frame& frame, int64_t rows,
                                                   const std::function<bool(uint32_t)>& is_aborted);

// The entries of section `tag` (kUnchanged, kUnrepresentable) of the frame around `columns` of `rows` rows,
// the first column_count of which are the table's. `repaired`: cells that are null in them and had a value on
// the wire. Errors: kProtocol unless entries are inside the batch, sorted, and name cells without a value.
arrow::Result<Cells> ReadCells(const format::Frame& frame, format::SectionTag tag,
                               const arrow::ArrayVector& columns, int64_t rows, int column_count,
                               const Cells& repaired);

}  // namespace arrowcdc
