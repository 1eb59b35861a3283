// Rows of one schema waiting to be written together. Many tiny batches become few: small ones are copied
// together, so that neither their per-array cost nor the network messages they point into stay in memory;
// large ones are kept as they are.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <arrow/record_batch.h>
#include <arrow/result.h>

namespace arrowcdc {

class RowBuffer {
 public:
  arrow::Status Add(std::shared_ptr<arrow::RecordBatch> rows);

  // All rows in the order they were added; the buffer is empty afterwards.
  arrow::Result<arrow::RecordBatchVector> Take();

  int64_t rows() const { return rows_; }
  // Memory held, estimated from above.
  int64_t bytes() const { return bytes_; }

 private:
  struct Piece {
    std::shared_ptr<arrow::RecordBatch> rows;
    int64_t bytes = 0;
    int level = 0;  // how often its rows were copied together
  };

  // Copies the pieces from index `first` on into one.
  arrow::Status Merge(size_t first);

  // Oldest first, levels falling: each level holds fewer than kMergeCount pieces, so a row is copied a few
  // times only.
  std::vector<Piece> pieces_;
  int64_t rows_ = 0;
  int64_t bytes_ = 0;
};

}  // namespace arrowcdc
