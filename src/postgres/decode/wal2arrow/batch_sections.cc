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

// Adds their number to `count`.
arrow::Status CheckTransactions(const Frame& frame, int64_t rows, bool committed, uint32_t* count) {
  constexpr SectionTag kTag = SectionTag::kTransactions;
  format::FrameError error;
  if (!CountEntries(frame, kTag, sizeof(TransactionEntry), count, &error)) {
    return FrameFault(frame.header, error);
  }
  uint64_t sum = 0;
  uint64_t last_lsn = 0;
  for (uint32_t i = 0; i < *count; ++i) {
    TransactionEntry entry = TransactionAt(frame, i);
    if (committed ? i > 0 && last_lsn >= entry.commit_lsn : entry.commit_lsn != 0) {
      return FrameFault(frame.header,
                        committed ? "transactions out of commit order"
                                  : "a transaction in progress that has "
                                    "committed",
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
                                                     const StreamedCommit* streamed,
                                                     arrow::MemoryPool* pool) {
  uint32_t count = 0;
  ARROW_RETURN_NOT_OK(CheckTransactions(frame, rows, streamed == nullptr, &count));
  ARROW_ASSIGN_OR_RAISE(auto columns, TransactionColumns::Allocate(rows, pool));
  if (streamed != nullptr) {
    columns.Append(rows, streamed->commit_lsn, streamed->xid, streamed->commit_ts);
    return columns;
  }
  for (uint32_t i = 0; i < count; ++i) {
    const TransactionEntry entry = TransactionAt(frame, i);
    columns.Append(entry.rows, entry.commit_lsn, entry.xid, entry.commit_ts);
  }
  return columns;
}

arrow::Result<std::vector<RowRange>> CommittedRows(const Frame& frame, int64_t rows,
                                                   const std::function<bool(uint32_t)>& is_aborted) {
  uint32_t count = 0;
  ARROW_RETURN_NOT_OK(CheckTransactions(frame, rows, /*committed=*/false, &count));
  std::vector<RowRange> ranges;
  int64_t at = 0;
  for (uint32_t i = 0; i < count; ++i) {
    const TransactionEntry entry = TransactionAt(frame, i);
    const int64_t end = at + entry.rows;
    if (!is_aborted(entry.xid)) {
      if (!ranges.empty() && ranges.back().end == at) {
        ranges.back().end = end;
      } else {
        ranges.push_back({at, end});
      }
    }
    at = end;
  }
  return ranges;
}

arrow::Result<Cells> ReadCells(const Frame& frame, SectionTag tag, const arrow::ArrayVector& columns,
                               int64_t rows, int column_count, const Cells& repaired) {
  uint32_t count = 0;
  format::FrameError error;
  if (!CountEntries(frame, tag, sizeof(CellEntry), &count, &error)) return FrameFault(frame.header, error);
  Cells cells;
  cells.reserve(count);
  for (uint32_t i = 0; i < count; ++i) {
    const CellEntry entry = CellAt(frame, tag, i);
    const Cell cell{entry.row, entry.field};
    const char* wrong = nullptr;
    if (entry.row >= rows || entry.field >= column_count) {
      wrong = "cell outside the batch";
    } else if (i > 0 && !(cells.back() < cell)) {
      wrong = "cells out of order";
    } else if (!columns[entry.field]->IsNull(entry.row) ||
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
