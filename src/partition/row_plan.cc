// A counting sort of row numbers by partition.
#include "src/partition/row_plan.h"

#include <algorithm>

namespace arrowcdc {

RowPlan::RowPlan(std::span<const uint32_t> partition_of_row, uint32_t partitions)
    : partitions_(partitions), starts_(partitions + 1) {
  // Many partitions make the blocks longer: the table of their ends stays smaller than the rows.
  const size_t block_rows = std::max<size_t>(kBlockRows, 16ul * partitions);
  blocks_ = (partition_of_row.size() + block_rows - 1) / block_rows;
  block_ends_.resize(blocks_ * partitions_);

  size_t every = 0;
  for (uint32_t partition : partition_of_row) {
    if (partition == kEvery) {
      ++every;
    } else {
      ++starts_[partition + 1];
    }
  }
  for (uint32_t p = 0; p < partitions; ++p) starts_[p + 1] += starts_[p] + every;
  rows_.resize(starts_[partitions]);

  std::vector<size_t> next(starts_.begin(), starts_.end() - 1);
  for (size_t block = 0; block < blocks_; ++block) {
    const size_t end = std::min(partition_of_row.size(), (block + 1) * block_rows);
    for (size_t row = block * block_rows; row < end; ++row) {
      if (partition_of_row[row] != kEvery) {
        rows_[next[partition_of_row[row]]++] = static_cast<uint32_t>(row);
      } else {
        for (size_t& place : next) rows_[place++] = static_cast<uint32_t>(row);
      }
    }
    std::copy(next.begin(), next.end(),
              block_ends_.begin() + static_cast<std::ptrdiff_t>(block * partitions_));
  }
}

}  // namespace arrowcdc
