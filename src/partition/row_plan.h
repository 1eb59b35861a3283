// Which rows go to which partition, in the two orders that copying needs.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace arrowcdc {

// Rows are grouped by partition, ascending inside one; inside that, they are cut at multiples of kBlockRows.
// Columns of fixed width are copied a block at a time, so that what is read stays in the fastest cache while
// each partition takes its share.
class RowPlan {
 public:
  static constexpr size_t kBlockRows = 4096;
  static constexpr uint32_t kEvery = UINT32_MAX;

  // `partition_of_row`: below `partitions`, or kEvery.
  RowPlan(std::span<const uint32_t> partition_of_row, uint32_t partitions);

  uint32_t partitions() const { return partitions_; }
  size_t blocks() const { return blocks_; }

  // The rows of a partition, by their number in the batch.
  std::span<const uint32_t> rows(uint32_t partition) const {
    return {rows_.data() + starts_[partition], starts_[partition + 1] - starts_[partition]};
  }
  // Those that lie in one block: the next ones after those of the block before.
  std::span<const uint32_t> rows(uint32_t partition, size_t block) const {
    size_t begin = block == 0 ? starts_[partition] : half_ends_[(2 * block - 1) * partitions_ + partition];
    return {rows_.data() + begin, half_ends_[(2 * block + 1) * partitions_ + partition] - begin};
  }

 private:
  uint32_t partitions_;
  size_t blocks_;
  std::vector<uint32_t> rows_;
  std::vector<size_t> starts_;     // partitions + 1
  std::vector<size_t> half_ends_;  // [half of a block][partition]
};

}  // namespace arrowcdc
