// The metadata columns of a change batch, as every decoder makes them: names and types, the operation, what
// is constant in a transaction, lists of the cells without a value.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <arrow/memory_pool.h>
#include <arrow/result.h>
#include <arrow/type.h>

#include "arrowcdc/change_batch.h"

namespace arrowcdc {

// The column's role: its name without the "_" in front. It stays when the name has to give way.
const char* MetadataColumnRole(MetadataColumn column);
const std::shared_ptr<arrow::DataType>& MetadataColumnType(MetadataColumn column);

// The values of _op: the names of Op, indexed by it.
const std::shared_ptr<arrow::Array>& OpDictionary();

// The _op column over `codes` (int8, no nulls, each the value of an Op); no copy.
std::shared_ptr<arrow::Array> MakeOpColumn(const std::shared_ptr<arrow::Array>& codes);

// _commit_lsn, _xid and _commit_ts, spread over the rows of their transactions.
class TransactionColumns {
 public:
  // For batches of `rows` rows.
  static arrow::Result<TransactionColumns> Allocate(int64_t rows, arrow::MemoryPool* pool);

  // A transaction has the next `count` rows. All together have as many as the batch, no more.
  void Append(int64_t count, uint64_t commit_lsn, uint32_t xid, int64_t commit_ts);

  std::shared_ptr<arrow::Array> commit_lsn() const;
  std::shared_ptr<arrow::Array> xid() const;
  std::shared_ptr<arrow::Array> commit_ts() const;

 private:
  TransactionColumns(int64_t rows, std::shared_ptr<arrow::Buffer> block);
  std::shared_ptr<arrow::Array> Column(MetadataColumn column, int64_t offset, int64_t value_bytes) const;

  int64_t rows_;
  int64_t wide_bytes_;  // of a column of eight bytes a row, to where the next begins
  std::shared_ptr<arrow::Buffer> block_;
  uint64_t* next_lsn_;
  int64_t* next_time_;
  uint32_t* next_xid_;
};

// A cell of the table's columns.
struct Cell {
  uint32_t row;
  uint16_t column;
  auto operator<=>(const Cell&) const = default;
};
using Cells = std::vector<Cell>;  // sorted

// Puts `more`, none of which is among `cells`, in their places.
void AddCells(const Cells& more, Cells* cells);

// All-null arrays of the type of _unchanged and _unrepresentable, since nearly every batch needs two: slices
// of one, and the last slice again while batches are of one size.
class NullLists {
 public:
  arrow::Result<std::shared_ptr<arrow::Array>> Get(int64_t rows, arrow::MemoryPool* pool);

 private:
  std::shared_ptr<arrow::Array> longest_;
  std::shared_ptr<arrow::Array> last_;
};

// The _unchanged or _unrepresentable column of a batch of `rows` rows: each row's cells by the names that
// their columns have in `schema`. Errors: CapacityError where the names are more than a column holds.
arrow::Result<std::shared_ptr<arrow::Array>> MakeCellColumn(const Cells& cells, int64_t rows,
                                                            const arrow::Schema& schema, NullLists* nulls,
                                                            arrow::MemoryPool* pool);

}  // namespace arrowcdc
