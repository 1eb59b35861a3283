// See metadata_columns.h.
#include "src/change/metadata_columns.h"

#include <algorithm>
#include <utility>

#include <arrow/array/builder_binary.h>
#include <arrow/array/util.h>
#include <arrow/util/bit_util.h>

namespace arrowcdc {
namespace {

std::shared_ptr<arrow::Array> BuildOpDictionary() {
  arrow::StringBuilder builder;
  for (int8_t op = 0; op < kOpCount; ++op) {
    if (!builder.Append(OpName(static_cast<Op>(op))).ok()) return nullptr;
  }
  return builder.Finish().ValueOrDie();
}

}  // namespace

const char* OpName(Op op) {
  switch (op) {
    case Op::kInsert:
      return "insert";
    case Op::kUpdateBefore:
      return "update_before";
    case Op::kUpdateAfter:
      return "update_after";
    case Op::kDelete:
      return "delete";
    case Op::kSnapshot:
      return "snapshot";
    case Op::kTruncate:
      return "truncate";
  }
  return "";
}

const char* MetadataColumnName(MetadataColumn column) {
  switch (column) {
    case MetadataColumn::kOp:
      return "_op";
    case MetadataColumn::kCommitLsn:
      return "_commit_lsn";
    case MetadataColumn::kLsn:
      return "_lsn";
    case MetadataColumn::kOrd:
      return "_ord";
    case MetadataColumn::kXid:
      return "_xid";
    case MetadataColumn::kCommitTs:
      return "_commit_ts";
    case MetadataColumn::kUnchanged:
      return "_unchanged";
    case MetadataColumn::kUnrepresentable:
      return "_unrepresentable";
  }
  return "";
}

const char* MetadataColumnRole(MetadataColumn column) { return MetadataColumnName(column) + 1; }

const std::shared_ptr<arrow::DataType>& MetadataColumnType(MetadataColumn column) {
  static const auto op = arrow::dictionary(arrow::int8(), arrow::utf8());
  static const auto commit_ts = arrow::timestamp(arrow::TimeUnit::MICRO, "UTC");
  static const auto names = arrow::list(arrow::field("item", arrow::utf8()));
  switch (column) {
    case MetadataColumn::kOp:
      return op;
    case MetadataColumn::kOrd:
      return arrow::uint16();
    case MetadataColumn::kXid:
      return arrow::uint32();
    case MetadataColumn::kCommitTs:
      return commit_ts;
    case MetadataColumn::kUnchanged:
    case MetadataColumn::kUnrepresentable:
      return names;
    case MetadataColumn::kCommitLsn:
    case MetadataColumn::kLsn:
      break;
  }
  return arrow::uint64();
}

const std::shared_ptr<arrow::Array>& OpDictionary() {
  static const std::shared_ptr<arrow::Array> dictionary = BuildOpDictionary();
  return dictionary;
}

std::shared_ptr<arrow::Array> MakeOpColumn(const std::shared_ptr<arrow::Array>& codes) {
  return std::make_shared<arrow::DictionaryArray>(MetadataColumnType(MetadataColumn::kOp), codes,
                                                  OpDictionary());
}

TransactionColumns::TransactionColumns(int64_t rows, std::shared_ptr<arrow::Buffer> block)
    : rows_(rows), wide_bytes_(arrow::bit_util::RoundUpToMultipleOf64(rows * 8)), block_(std::move(block)) {
  uint8_t* const bytes = block_->mutable_data();
  next_lsn_ = reinterpret_cast<uint64_t*>(bytes);
  next_time_ = reinterpret_cast<int64_t*>(bytes + wide_bytes_);
  next_xid_ = reinterpret_cast<uint32_t*>(bytes + 2 * wide_bytes_);
}

arrow::Result<TransactionColumns> TransactionColumns::Allocate(int64_t rows, arrow::MemoryPool* pool) {
  // One block for the three: most batches of a quiet server are of one row.
  const int64_t wide_bytes = arrow::bit_util::RoundUpToMultipleOf64(rows * 8);
  ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> block,
                        arrow::AllocateBuffer(2 * wide_bytes + rows * 4, pool));
  return TransactionColumns(rows, std::move(block));
}

void TransactionColumns::Append(int64_t count, uint64_t commit_lsn, uint32_t xid, int64_t commit_ts) {
  next_lsn_ = std::fill_n(next_lsn_, count, commit_lsn);
  next_time_ = std::fill_n(next_time_, count, commit_ts);
  next_xid_ = std::fill_n(next_xid_, count, xid);
}

std::shared_ptr<arrow::Array> TransactionColumns::Column(MetadataColumn column, int64_t offset,
                                                         int64_t value_bytes) const {
  auto values = arrow::SliceBuffer(block_, offset, rows_ * value_bytes);
  return arrow::MakeArray(
      arrow::ArrayData::Make(MetadataColumnType(column), rows_, {nullptr, std::move(values)}, 0));
}

std::shared_ptr<arrow::Array> TransactionColumns::commit_lsn() const {
  return Column(MetadataColumn::kCommitLsn, 0, 8);
}

std::shared_ptr<arrow::Array> TransactionColumns::commit_ts() const {
  return Column(MetadataColumn::kCommitTs, wide_bytes_, 8);
}

std::shared_ptr<arrow::Array> TransactionColumns::xid() const {
  return Column(MetadataColumn::kXid, 2 * wide_bytes_, 4);
}

void AddCells(const Cells& more, Cells* cells) {
  if (more.empty()) return;
  const auto middle = cells->insert(cells->end(), more.begin(), more.end());
  std::inplace_merge(cells->begin(), middle, cells->end());
}

arrow::Result<std::shared_ptr<arrow::Array>> NullLists::Get(int64_t rows, arrow::MemoryPool* pool) {
  constexpr int64_t kRowsMin = 1024;
  if (last_ != nullptr && last_->length() == rows) return last_;
  if (longest_ == nullptr || longest_->length() < rows) {
    const int64_t length = std::max(kRowsMin, arrow::bit_util::NextPower2(rows));
    ARROW_ASSIGN_OR_RAISE(
        longest_, arrow::MakeArrayOfNull(MetadataColumnType(MetadataColumn::kUnchanged), length, pool));
  }
  last_ = longest_->Slice(0, rows);
  return last_;
}

arrow::Result<std::shared_ptr<arrow::Array>> MakeCellColumn(const Cells& cells, int64_t rows,
                                                            const arrow::Schema& schema, NullLists* nulls,
                                                            arrow::MemoryPool* pool) {
  if (cells.empty()) return nulls->Get(rows, pool);
  ARROW_ASSIGN_OR_RAISE(auto bitmap, arrow::AllocateEmptyBitmap(rows, pool));
  ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> offsets, arrow::AllocateBuffer((rows + 1) * 4, pool));
  int64_t name_bytes = 0;
  for (const Cell& cell : cells) name_bytes += static_cast<int64_t>(schema.field(cell.column)->name().size());
  arrow::StringBuilder names(pool);
  ARROW_RETURN_NOT_OK(names.Reserve(static_cast<int64_t>(cells.size())));
  ARROW_RETURN_NOT_OK(names.ReserveData(name_bytes));
  auto* offset = offsets->mutable_data_as<int32_t>();
  int64_t null_count = rows;
  size_t next = 0;
  for (int64_t row = 0; row < rows; ++row) {
    offset[row] = static_cast<int32_t>(next);
    for (; next < cells.size() && cells[next].row == row; ++next) {
      names.UnsafeAppend(schema.field(cells[next].column)->name());
    }
    if (static_cast<size_t>(offset[row]) == next) continue;
    arrow::bit_util::SetBit(bitmap->mutable_data(), row);
    --null_count;
  }
  offset[rows] = static_cast<int32_t>(next);
  ARROW_ASSIGN_OR_RAISE(auto values, names.Finish());
  return arrow::MakeArray(arrow::ArrayData::Make(MetadataColumnType(MetadataColumn::kUnchanged), rows,
                                                 {std::move(bitmap), std::move(offsets)}, {values->data()},
                                                 null_count));
}

}  // namespace arrowcdc
