// The columns of a table and those metadata columns that every row has are builders; the two lists of column
// names, which hardly any row has, are made at the end from the cells that were noted.
#include "src/change/batch_builder.h"

#include <algorithm>
#include <string>
#include <utility>

#include <arrow/array/util.h>
#include <arrow/record_batch.h>

#include "arrowcdc/error.h"

namespace arrowcdc {

namespace {

constexpr int kListsBegin = static_cast<int>(MetadataColumn::kUnchanged);

}  // namespace

BatchBuilder::BatchBuilder(std::shared_ptr<const TableSchema> table, arrow::MemoryPool* pool)
    : table_(std::move(table)) {
  memory_.pool = pool;
}

arrow::Result<std::unique_ptr<BatchBuilder>> BatchBuilder::Make(std::shared_ptr<const TableSchema> table,
                                                                arrow::MemoryPool* pool) {
  std::unique_ptr<BatchBuilder> builder(new BatchBuilder(std::move(table), pool));
  const TableSchema& schema = *builder->table_;
  const auto add = [&](std::shared_ptr<arrow::DataType> type,
                       std::vector<std::unique_ptr<ColumnBuilder>>* columns) -> arrow::Status {
    ARROW_ASSIGN_OR_RAISE(auto column, ColumnBuilder::Make(std::move(type), &builder->memory_));
    builder->row_bytes_ += column->fixed_bytes();
    columns->push_back(std::move(column));
    return arrow::Status::OK();
  };
  for (int i = 0; i < schema.column_count; ++i) {
    ARROW_RETURN_NOT_OK(add(schema.schema->field(i)->type(), &builder->columns_));
  }
  for (int i = 0; i < kListsBegin; ++i) {
    const auto column = static_cast<MetadataColumn>(i);
    ARROW_RETURN_NOT_OK(
        add(column == MetadataColumn::kOp ? arrow::int8() : MetadataColumnType(column), &builder->metadata_));
  }
  return builder;
}

void BatchBuilder::AppendListed(int field, Cells* cells) {
  AppendNull(field);
  cells->push_back({static_cast<uint32_t>(rows_), static_cast<uint16_t>(field)});
}

// Up to the last whole row. Once more where memory could not be had.
bool BatchBuilder::FillRun() {
  const auto fill = [this](MetadataColumn which, auto value) {
    return metadata(which)->AppendRepeated(value, rows_ - metadata(which)->length());
  };
  ColumnBuilder* const xid = metadata(MetadataColumn::kXid);
  return fill(MetadataColumn::kOp, static_cast<int8_t>(run_.op)) &&
         fill(MetadataColumn::kCommitLsn, run_.commit_lsn) &&
         (run_.xid.has_value() ? fill(MetadataColumn::kXid, *run_.xid)
                               : xid->AppendNulls(rows_ - xid->length())) &&
         fill(MetadataColumn::kCommitTs, run_.commit_ts);
}

bool BatchBuilder::AppendMetadata(const RowMetadata& row) {
  if (row.op != run_.op || row.commit_lsn != run_.commit_lsn || row.xid != run_.xid ||
      row.commit_ts != run_.commit_ts) {
    if (!FillRun()) return false;
    run_ = row;
  }
  return metadata(MetadataColumn::kLsn)->Append(row.lsn) && metadata(MetadataColumn::kOrd)->Append(row.ord);
}

arrow::Status BatchBuilder::EndRow(const RowMetadata& row) {
  bool whole = true;
  for (const auto& column : columns_) whole &= column->length() == rows_ + 1;
  if (whole && AppendMetadata(row)) {
    ++rows_;
    return arrow::Status::OK();
  }
  CancelRow();
  ARROW_RETURN_NOT_OK(memory_.status);
  if (whole) return arrow::Status::OutOfMemory("a change batch");
  return MakeError(ErrorKind::kInternal, "a row has not one value for each column",
                   "table " + ToString(table_->name), "");
}

void BatchBuilder::TakeBackTo(int64_t rows) {
  rows_ = rows;
  for (const auto& column : columns_) column->Truncate(rows_);
  // Those that are filled in runs may be behind.
  for (const auto& column : metadata_) column->Truncate(std::min(rows_, column->length()));
  const auto is_gone = [this](const Cell& cell) { return cell.row >= rows_; };
  while (!unchanged_.empty() && is_gone(unchanged_.back())) unchanged_.pop_back();
  while (!unrepresentable_.empty() && is_gone(unrepresentable_.back())) unrepresentable_.pop_back();
}

arrow::Result<std::shared_ptr<arrow::Array>> BatchBuilder::FinishCells(Cells* cells) {
  std::sort(cells->begin(), cells->end());
  auto column = MakeCellColumn(*cells, rows_, *table_->schema, &nulls_, memory_.pool);
  cells->clear();
  return column;
}

arrow::Result<ChangeBatch> BatchBuilder::Finish() {
  CancelRow();
  if (!FillRun()) return memory_.status.ok() ? arrow::Status::OutOfMemory("a change batch") : memory_.status;
  std::vector<std::shared_ptr<arrow::ArrayData>> data;
  for (const auto& column : columns_) {
    ARROW_ASSIGN_OR_RAISE(auto array, column->Finish());
    data.push_back(std::move(array));
  }
  for (const auto& column : metadata_) {
    ARROW_ASSIGN_OR_RAISE(auto array, column->Finish());
    data.push_back(std::move(array));
  }
  auto& op = data[columns_.size() + static_cast<size_t>(MetadataColumn::kOp)];
  op = MakeOpColumn(arrow::MakeArray(op))->data();
  for (auto* cells : {&unchanged_, &unrepresentable_}) {
    ARROW_ASSIGN_OR_RAISE(const auto array, FinishCells(cells));
    data.push_back(array->data());
  }
  ChangeBatch batch;
  batch.table = table_;
  batch.rows = arrow::RecordBatch::Make(table_->schema, std::exchange(rows_, 0), std::move(data));
  return batch;
}

}  // namespace arrowcdc
