// A counting sort of row numbers by partition. The two halves of a block are walked side by side, each with
// counters of its own: one row's counter is often that of the row before, and waiting for it is what costs.
#include "src/partition/row_plan.h"

#include <algorithm>

namespace arrowcdc {
namespace {

// function(row, half) for every row, half counted through all blocks.
template <typename Function>
void ForEachRow(size_t rows, size_t block_rows, Function&& function) {
  const size_t half_rows = block_rows / 2;
  size_t half = 0;
  size_t begin = 0;
  for (; begin + block_rows <= rows; begin += block_rows, half += 2) {
    for (size_t i = 0; i < half_rows; ++i) {
      function(begin + i, half);
      function(begin + half_rows + i, half + 1);
    }
  }
  for (size_t row = begin; row < rows; ++row) function(row, row < begin + half_rows ? half : half + 1);
}

}  // namespace

RowPlan::RowPlan(std::span<const uint32_t> partition_of_row, uint32_t partitions)
    : partitions_(partitions), starts_(partitions + 1) {
  // Many partitions make the blocks longer: the table of their ends stays smaller than the rows.
  const size_t block_rows = std::max<size_t>(kBlockRows, 32ul * partitions);
  const size_t row_count = partition_of_row.size();
  blocks_ = (row_count + block_rows - 1) / block_rows;
  half_ends_.resize(2 * blocks_ * partitions_);
  const uint32_t* const partition_of = partition_of_row.data();
  size_t* const table = half_ends_.data();

  ForEachRow(row_count, block_rows, [=](size_t row, size_t half) {
    size_t* counts = table + half * partitions;
    if (partition_of[row] != kEvery) {
      ++counts[partition_of[row]];
    } else {
      for (uint32_t p = 0; p < partitions; ++p) ++counts[p];
    }
  });
  // Counts become places: where the next row goes.
  size_t place = 0;
  for (uint32_t p = 0; p < partitions; ++p) {
    starts_[p] = place;
    for (size_t half = 0; half < 2 * blocks_; ++half) {
      size_t& cell = table[half * partitions + p];
      const size_t count = cell;
      cell = place;
      place += count;
    }
  }
  starts_[partitions] = place;
  rows_.resize(place);
  uint32_t* const rows = rows_.data();
  ForEachRow(row_count, block_rows, [=](size_t row, size_t half) {
    size_t* places = table + half * partitions;
    if (partition_of[row] != kEvery) {
      rows[places[partition_of[row]]++] = static_cast<uint32_t>(row);
    } else {
      for (uint32_t p = 0; p < partitions; ++p) rows[places[p]++] = static_cast<uint32_t>(row);
    }
  });
}

}  // namespace arrowcdc
