// See metadata_row.h.
#include "src/change/metadata_row.h"

#include <utility>

#include <arrow/array/util.h>
#include <arrow/scalar.h>

namespace arrowcdc {
namespace {

// Of one row; of kOp the code.
arrow::Result<std::shared_ptr<arrow::Array>> MetadataCell(const MetadataRow& row, MetadataColumn column) {
  const auto& type = MetadataColumnType(column);
  switch (column) {
    case MetadataColumn::kOp:
      return arrow::MakeArrayFromScalar(arrow::Int8Scalar(static_cast<int8_t>(row.op)), 1);
    case MetadataColumn::kCommitLsn:
      return arrow::MakeArrayFromScalar(arrow::UInt64Scalar(row.commit_lsn), 1);
    case MetadataColumn::kLsn:
      return arrow::MakeArrayFromScalar(arrow::UInt64Scalar(row.lsn), 1);
    case MetadataColumn::kOrd:
      return arrow::MakeArrayFromScalar(arrow::UInt16Scalar(row.ord), 1);
    case MetadataColumn::kXid:
      if (row.xid.has_value()) return arrow::MakeArrayFromScalar(arrow::UInt32Scalar(*row.xid), 1);
      break;
    case MetadataColumn::kCommitTs:
      if (row.commit_ts.has_value())
        return arrow::MakeArrayFromScalar(arrow::TimestampScalar(*row.commit_ts, type), 1);
      break;
    case MetadataColumn::kUnchanged:
    case MetadataColumn::kUnrepresentable:
      break;
  }
  return arrow::MakeArrayOfNull(type, 1);
}

}  // namespace

arrow::Result<arrow::ArrayVector> MakeMetadataRow(const MetadataRow& row) {
  arrow::ArrayVector columns;
  for (int i = 0; i < kMetadataColumnCount; ++i) {
    const auto column = static_cast<MetadataColumn>(i);
    ARROW_ASSIGN_OR_RAISE(auto cell, MetadataCell(row, column));
    if (column == MetadataColumn::kOp) {
      columns.push_back(MakeOpColumn(cell));
    } else {
      columns.push_back(std::move(cell));
    }
  }
  return columns;
}

}  // namespace arrowcdc
