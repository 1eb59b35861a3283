// See batch_sections.h.
#include "src/postgres/decode/wal2arrow/batch_sections.h"

#include <algorithm>
#include <string>

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

}  // namespace

arrow::Result<TransactionColumns> SpreadTransactions(const Frame& frame, int64_t rows,
                                                     arrow::MemoryPool* pool) {
  uint32_t count = 0;
  format::FrameError error;
  if (!CountEntries(frame, SectionTag::kTransactions, sizeof(TransactionEntry), &count, &error)) {
    return FrameFault(frame.header, error);
  }
  ARROW_RETURN_NOT_OK(CheckTransactions(frame, count, rows));
  ARROW_ASSIGN_OR_RAISE(auto columns, TransactionColumns::Allocate(rows, pool));
  for (uint32_t i = 0; i < count; ++i) {
    const TransactionEntry entry = TransactionAt(frame, i);
    columns.Append(entry.rows, entry.commit_lsn, entry.xid, entry.commit_ts);
  }
  return columns;
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
    const Cell cell{entry.row, entry.field};
    const char* wrong = nullptr;
    if (entry.row >= batch.num_rows() || entry.field >= column_count) {
      wrong = "cell outside the batch";
    } else if (i > 0 && !(cells.back() < cell)) {
      wrong = "cells out of order";
    } else if (!batch.column(entry.field)->IsNull(entry.row) ||
               std::binary_search(repaired.begin(), repaired.end(), cell)) {
      wrong = "cell that has a value";
    }
    if (wrong != nullptr) {
      return FrameFault(frame.header,
                        std::string(format::SectionTagName(static_cast<uint16_t>(tag))) + ": " + wrong,
                        EntryOffset(frame, tag, i, sizeof(entry)));
    }
    cells.push_back(cell);
  }
  return cells;
}

}  // namespace arrowcdc
