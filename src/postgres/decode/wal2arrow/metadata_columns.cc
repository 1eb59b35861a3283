// Sections of batch frames -> arrays.
#include "src/postgres/decode/wal2arrow/metadata_columns.h"

#include <algorithm>
#include <string>

#include <arrow/array/builder_binary.h>
#include <arrow/array/util.h>
#include <arrow/util/bit_util.h>

#include "src/change/table_schema.h"
#include "src/postgres/decode/wal2arrow/frame_fault.h"

namespace arrowcdc {
namespace {

using format::CellEntry;
using format::Frame;
using format::SectionTag;
using format::TransactionEntry;

uint64_t EntryOffset(const Frame& frame, SectionTag tag, uint32_t index, size_t entry_bytes) {
  return frame.section(tag).offset + uint64_t{index} * entry_bytes;
}

arrow::Status CheckTransactions(const Frame& frame, uint32_t count, int64_t rows) {
  constexpr SectionTag kTag = SectionTag::kTransactions;
  uint64_t sum = 0;
  uint64_t last_lsn = 0;
  for (uint32_t i = 0; i < count; ++i) {
    TransactionEntry entry = TransactionAt(frame, i);
    if (i > 0 && last_lsn >= entry.commit_lsn) {
      return FrameFault(frame.header, "transactions out of commit order",
                        EntryOffset(frame, kTag, i, sizeof(entry)));
    }
    if (entry.rows == 0) {
      return FrameFault(frame.header, "transaction without rows", EntryOffset(frame, kTag, i, sizeof(entry)));
    }
    last_lsn = entry.commit_lsn;
    sum += entry.rows;
  }
  if (sum != static_cast<uint64_t>(rows)) {
    return FrameFault(
        frame.header,
        "transactions of " + std::to_string(sum) + " rows for a batch of " + std::to_string(rows),
        frame.section(kTag).offset);
  }
  return arrow::Status::OK();
}

bool Before(const CellEntry& a, const CellEntry& b) {
  return a.row < b.row || (a.row == b.row && a.field < b.field);
}

// An array of fixed-width values without nulls.
std::shared_ptr<arrow::Array> ArrayOf(std::shared_ptr<arrow::DataType> type, int64_t length,
                                      std::shared_ptr<arrow::Buffer> values) {
  return arrow::MakeArray(arrow::ArrayData::Make(std::move(type), length, {nullptr, std::move(values)}, 0));
}

}  // namespace

arrow::Result<TransactionColumns> SpreadTransactions(const Frame& frame, int64_t rows,
                                                     arrow::MemoryPool* pool) {
  uint32_t count = 0;
  format::FrameError error;
  if (!CountEntries(frame, SectionTag::kTransactions, sizeof(TransactionEntry), &count, &error)) {
    return FrameFault(frame.header, error);
  }
  ARROW_RETURN_NOT_OK(CheckTransactions(frame, count, rows));
  // One block for the three: most batches of a quiet server are of one row.
  const int64_t wide_bytes = arrow::bit_util::RoundUpToMultipleOf64(rows * 8);
  ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> block,
                        arrow::AllocateBuffer(2 * wide_bytes + rows * 4, pool));
  auto* lsn = reinterpret_cast<uint64_t*>(block->mutable_data());
  auto* time = reinterpret_cast<int64_t*>(block->mutable_data() + wide_bytes);
  auto* xid = reinterpret_cast<uint32_t*>(block->mutable_data() + 2 * wide_bytes);
  for (uint32_t i = 0; i < count; ++i) {
    TransactionEntry entry = TransactionAt(frame, i);
    lsn = std::fill_n(lsn, entry.rows, entry.commit_lsn);
    time = std::fill_n(time, entry.rows, entry.commit_ts);
    xid = std::fill_n(xid, entry.rows, entry.xid);
  }
  return TransactionColumns{
      ArrayOf(MetadataColumnType(MetadataColumn::kCommitLsn), rows, arrow::SliceBuffer(block, 0, rows * 8)),
      ArrayOf(MetadataColumnType(MetadataColumn::kXid), rows,
              arrow::SliceBuffer(block, 2 * wide_bytes, rows * 4)),
      ArrayOf(MetadataColumnType(MetadataColumn::kCommitTs), rows,
              arrow::SliceBuffer(block, wide_bytes, rows * 8))};
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

arrow::Result<Cells> ReadCells(const Frame& frame, SectionTag tag, const arrow::RecordBatch& batch,
                               int column_count, const Cells& repaired) {
  uint32_t count = 0;
  format::FrameError error;
  if (!CountEntries(frame, tag, sizeof(CellEntry), &count, &error)) return FrameFault(frame.header, error);
  Cells cells;
  cells.reserve(count);
  for (uint32_t i = 0; i < count; ++i) {
    const CellEntry entry = CellAt(frame, tag, i);
    const char* wrong = nullptr;
    if (entry.row >= batch.num_rows() || entry.field >= column_count) {
      wrong = "cell outside the batch";
    } else if (i > 0 && !Before(cells.back(), entry)) {
      wrong = "cells out of order";
    } else if (!batch.column(entry.field)->IsNull(entry.row) ||
               std::binary_search(repaired.begin(), repaired.end(), entry, Before)) {
      wrong = "cell that has a value";
    }
    if (wrong != nullptr) {
      return FrameFault(frame.header,
                        std::string(format::SectionTagName(static_cast<uint16_t>(tag))) + ": " + wrong,
                        EntryOffset(frame, tag, i, sizeof(entry)));
    }
    cells.push_back(entry);
  }
  return cells;
}

void AddCells(const Cells& more, Cells* cells) {
  if (more.empty()) return;
  const auto middle = cells->insert(cells->end(), more.begin(), more.end());
  std::inplace_merge(cells->begin(), middle, cells->end(), Before);
}

arrow::Result<std::shared_ptr<arrow::Array>> MakeCellColumn(const Cells& cells, int64_t rows,
                                                            const arrow::Schema& schema, NullLists* nulls,
                                                            arrow::MemoryPool* pool) {
  if (cells.empty()) return nulls->Get(rows, pool);
  ARROW_ASSIGN_OR_RAISE(auto bitmap, arrow::AllocateEmptyBitmap(rows, pool));
  ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> offsets, arrow::AllocateBuffer((rows + 1) * 4, pool));
  int64_t name_bytes = 0;
  for (const CellEntry& cell : cells)
    name_bytes += static_cast<int64_t>(schema.field(cell.field)->name().size());
  arrow::StringBuilder names(pool);
  ARROW_RETURN_NOT_OK(names.Reserve(static_cast<int64_t>(cells.size())));
  ARROW_RETURN_NOT_OK(names.ReserveData(name_bytes));
  auto* offset = offsets->mutable_data_as<int32_t>();
  int64_t null_count = rows;
  size_t next = 0;
  for (int64_t row = 0; row < rows; ++row) {
    offset[row] = static_cast<int32_t>(next);
    for (; next < cells.size() && cells[next].row == row; ++next) {
      names.UnsafeAppend(schema.field(cells[next].field)->name());
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
