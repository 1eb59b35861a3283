// See row_buffer.h.
#include "src/sink/row_buffer.h"

#include <algorithm>
#include <limits>

#include <arrow/array/data.h>
#include <arrow/type.h>

#include "src/sink/concatenate_batches.h"

namespace arrowcdc {
namespace {

constexpr size_t kMergeCount = 32;
constexpr int64_t kLargeBytes = 1 << 20;
constexpr int64_t kLargeRows = 8192;
constexpr int kLargeLevel = std::numeric_limits<int>::max();
// Arrays, their vectors and shared pointers cost about this much a column, however few the rows.
constexpr int64_t kColumnOverheadBytes = 320;

int64_t HeldBytes(const arrow::ArrayData& data) {
  // Of lists without a value most batches show a part of the same ones: an offset and a bit a row, copied.
  constexpr int64_t kNullListBytes = 5;
  const bool no_values = data.type->id() == arrow::Type::LIST && data.GetNullCount() == data.length;
  if (no_values) return data.length * kNullListBytes;
  int64_t bytes = 0;
  for (const auto& buffer : data.buffers) bytes += buffer == nullptr ? 0 : buffer->size();
  for (const auto& child : data.child_data) bytes += HeldBytes(*child);
  return bytes;
}

// Without dictionaries, of which there is one for all batches.
int64_t HeldBytes(const arrow::RecordBatch& rows) {
  int64_t bytes = rows.num_columns() * kColumnOverheadBytes;
  for (const auto& data : rows.column_data()) bytes += HeldBytes(*data);
  return bytes;
}

}  // namespace

arrow::Status RowBuffer::Add(std::shared_ptr<arrow::RecordBatch> rows) {
  const int64_t bytes = HeldBytes(*rows);
  const bool large = bytes >= kLargeBytes || rows->num_rows() >= kLargeRows;
  rows_ += rows->num_rows();
  bytes_ += bytes;
  pieces_.push_back({std::move(rows), bytes, large ? kLargeLevel : 0});
  while (pieces_.back().level != kLargeLevel) {
    const int level = pieces_.back().level;
    size_t first = pieces_.size();
    while (first > 0 && pieces_[first - 1].level == level) --first;
    if (pieces_.size() - first < kMergeCount) break;
    ARROW_RETURN_NOT_OK(Merge(first));
  }
  return arrow::Status::OK();
}

arrow::Status RowBuffer::Merge(size_t first) {
  arrow::RecordBatchVector small;
  int64_t old_bytes = 0;
  int level = 0;
  for (size_t i = first; i < pieces_.size(); ++i) {
    level = std::max(level, pieces_[i].level);
    old_bytes += pieces_[i].bytes;
    small.push_back(std::move(pieces_[i].rows));
  }
  pieces_.resize(first);
  ARROW_ASSIGN_OR_RAISE(auto merged, ConcatenateBatches(small));
  const int64_t bytes = HeldBytes(*merged);
  const bool large = bytes >= kLargeBytes || merged->num_rows() >= kLargeRows;
  bytes_ += bytes - old_bytes;
  pieces_.push_back({std::move(merged), bytes, large ? kLargeLevel : level + 1});
  return arrow::Status::OK();
}

arrow::Result<arrow::RecordBatchVector> RowBuffer::Take() {
  arrow::RecordBatchVector batches;
  size_t i = 0;
  while (i < pieces_.size()) {
    if (pieces_[i].level == kLargeLevel) {
      batches.push_back(std::move(pieces_[i++].rows));
      continue;
    }
    // A run of small pieces goes to the writer as one: each chunk costs it a pass over all columns.
    arrow::RecordBatchVector run;
    while (i < pieces_.size() && pieces_[i].level != kLargeLevel) run.push_back(std::move(pieces_[i++].rows));
    if (run.size() == 1) {
      batches.push_back(std::move(run[0]));
    } else {
      ARROW_ASSIGN_OR_RAISE(auto merged, ConcatenateBatches(run));
      batches.push_back(std::move(merged));
    }
  }
  pieces_.clear();
  rows_ = 0;
  bytes_ = 0;
  return batches;
}

}  // namespace arrowcdc
