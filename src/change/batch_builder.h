// Rows one by one to change batches, for decoders that get them so. A row counts only when it is whole.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include <arrow/array.h>
#include <arrow/memory_pool.h>
#include <arrow/result.h>

#include "arrowcdc/change_batch.h"
#include "src/change/column_builder.h"
#include "src/change/metadata_columns.h"

namespace arrowcdc {

// The metadata columns of a row; its lists of columns come from AppendUnchanged and AppendUnrepresentable.
struct RowMetadata {
  Op op = Op::kInsert;
  uint64_t commit_lsn = 0;
  uint64_t lsn = 0;
  uint16_t ord = 0;
  std::optional<uint32_t> xid = {};  // a snapshot's rows have none
  int64_t commit_ts = 0;             // microseconds since 1970-01-01 UTC
};

// One thread. Where memory cannot be had, EndRow says so.
class BatchBuilder {
 public:
  // Errors: a type of a column has no builder.
  static arrow::Result<std::unique_ptr<BatchBuilder>> Make(std::shared_ptr<const TableSchema> table,
                                                           arrow::MemoryPool* pool);

  // Every column of the table takes one value a row, in any order: what is appended to `column`, or one of
  // the three below.
  ColumnBuilder* column(int field) { return columns_[static_cast<size_t>(field)].get(); }
  void AppendNull(int field) { column(field)->AppendNull(); }
  // Null, and named in _unchanged: the change did not carry the value.
  void AppendUnchanged(int field) { AppendListed(field, &unchanged_); }
  // Null, and named in _unrepresentable: the value has no Arrow form.
  void AppendUnrepresentable(int field) { AppendListed(field, &unrepresentable_); }

  // The row is whole. Errors, after which it is cancelled: kInternal where a column has not got its value;
  // OutOfMemory.
  arrow::Status EndRow(const RowMetadata& row);
  // Takes back what came since the last EndRow.
  void CancelRow() { TakeBackTo(rows_); }
  // Takes back all but the first `rows` whole rows.
  void TakeBackTo(int64_t rows);

  // Whole rows, and the bytes of their buffers. A batch is to be finished before `bytes` can pass
  // kBatchBytesMax.
  int64_t rows() const { return rows_; }
  int64_t bytes() const { return rows_ * row_bytes_ + memory_.variable_bytes; }
  // A further value of PostgreSQL's largest size (1 GB) then still fits into the offsets of any column.
  static constexpr int64_t kBatchBytesMax = int64_t{1} << 30;

  // The whole rows as a batch, with a group state that says nothing; a row that is not whole is cancelled.
  // There must be one at least. The builder goes on with an empty batch, of like size.
  arrow::Result<ChangeBatch> Finish();

  const TableSchema& table() const { return *table_; }

 private:
  BatchBuilder(std::shared_ptr<const TableSchema> table, arrow::MemoryPool* pool);
  ColumnBuilder* metadata(MetadataColumn which) { return metadata_[static_cast<size_t>(which)].get(); }
  bool AppendMetadata(const RowMetadata& row);
  bool FillRun();
  void AppendListed(int field, Cells* cells);
  arrow::Result<std::shared_ptr<arrow::Array>> FinishCells(Cells* cells);

  std::shared_ptr<const TableSchema> table_;
  BuilderMemory memory_;
  std::vector<std::unique_ptr<ColumnBuilder>> columns_;   // the table's
  std::vector<std::unique_ptr<ColumnBuilder>> metadata_;  // those before the two lists
  RowMetadata run_;  // of the last whole rows, but for their _lsn and _ord; its columns are filled at its end
  Cells unchanged_;  // those of a row may be in any order until the end
  Cells unrepresentable_;
  NullLists nulls_;
  int64_t rows_ = 0;
  int64_t row_bytes_ = 0;  // that every row takes, whatever its values
};

}  // namespace arrowcdc
