// How fast HashPartitioner splits a batch: against copying its bytes, against Arrow's Take with the same row
// numbers, and against appending row by row. No server takes part.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <arrow/status.h>

#include "bench/results.h"

namespace arrowcdc::bench {

inline constexpr char kPartition[] = "partition";
// Rows a second of one core, and the share of memcpy's speed that this is. Without a prefix: ours.
inline constexpr const char* kPartitionMetrics[] = {
    "rows_per_s",       "share_of_memcpy",       "arrow_take_rows_per_s", "arrow_take_share_of_memcpy",
    "naive_rows_per_s", "naive_share_of_memcpy", "memcpy_rows_per_s",
};

struct PartitionCase {
  enum class Columns { kInt64, kInt64Nulls, kMixed };
  std::string name;
  Columns columns;
  int64_t rows;
  int partitions;
};
const std::vector<PartitionCase>& PartitionCases();

// rows: of each case, in as many batches as hold them, at least one.
arrow::Status RunPartition(int64_t rows, Results* results);

}  // namespace arrowcdc::bench
