// Rows and partitions against the plain way.
#include "src/partition/row_plan.h"

#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "src/partition/modulo.h"
#include "tests/testing/seed.h"

namespace arrowcdc {
namespace {

TEST(HashesToPartitions, IsTheRemainder) {
  std::mt19937_64 random(test::Seed());
  SCOPED_TRACE("ARROWCDC_TEST_SEED=" + std::to_string(test::Seed()));
  std::vector<uint32_t> counts = {1,  2,  3,    4,      5,      7,          16,        63,
                                  64, 65, 1000, 65'535, 65'536, 0x7fffffff, 0x80000000};
  for (int i = 0; i < 200; ++i) counts.push_back(1 + static_cast<uint32_t>(random() % 65'536));
  for (uint32_t partitions : counts) {
    std::vector<uint32_t> hashes = {0, 1, 0x7ffffffe, 0x7fffffff, 0x80000000, 0xffffffff};
    // Multiples of the divisor and their neighbours: where a quotient that is off by one shows.
    for (uint64_t near : {uint64_t{1}, uint64_t{2}, uint64_t{0x7fffffff} / partitions, random() % 1000}) {
      const auto multiple = static_cast<uint32_t>(near * partitions);
      hashes.insert(hashes.end(), {multiple - 1, multiple, multiple + 1});
    }
    for (int i = 0; i < 40; ++i) hashes.push_back(static_cast<uint32_t>(random()));
    std::vector<uint32_t> expected;
    expected.reserve(hashes.size());
    for (uint32_t hash : hashes) expected.push_back(static_cast<uint32_t>((hash & 0x7fffffffu) % partitions));
    HashesToPartitions(hashes, partitions);
    EXPECT_EQ(hashes, expected) << partitions << " partitions";
  }
}

// Lengths around the halves and ends of blocks; partitions so many that blocks are longer.
TEST(RowPlan, RowsOfEachPartitionInOrderBlockByBlock) {
  std::mt19937_64 random(test::Seed());
  SCOPED_TRACE("ARROWCDC_TEST_SEED=" + std::to_string(test::Seed()));
  constexpr size_t kBlock = RowPlan::kBlockRows;
  for (size_t rows : {size_t{1}, size_t{2}, kBlock / 2 - 1, kBlock / 2, kBlock / 2 + 1, kBlock - 1, kBlock,
                      kBlock + 1, kBlock * 3 / 2 + 1, 3 * kBlock + 5}) {
    for (uint32_t partitions : {2u, 3u, 64u, 300u}) {
      std::vector<uint32_t> partition_of_row(rows);
      std::vector<std::vector<uint32_t>> expected(partitions);
      for (size_t row = 0; row < rows; ++row) {
        const bool every = random() % 500 == 0;
        partition_of_row[row] = every ? RowPlan::kEvery : static_cast<uint32_t>(random() % partitions);
        for (uint32_t p = 0; p < partitions; ++p) {
          if (every || p == partition_of_row[row]) expected[p].push_back(static_cast<uint32_t>(row));
        }
      }
      const RowPlan plan(partition_of_row, partitions);
      ASSERT_EQ(plan.partitions(), partitions);
      std::vector<uint32_t> last_of_block(plan.blocks());
      for (uint32_t p = 0; p < partitions; ++p) {
        const auto whole = plan.rows(p);
        EXPECT_EQ(std::vector<uint32_t>(whole.begin(), whole.end()), expected[p]) << rows << " rows";
        std::vector<uint32_t> pieces;
        for (size_t block = 0; block < plan.blocks(); ++block) {
          for (uint32_t row : plan.rows(p, block)) {
            pieces.push_back(row);
            last_of_block[block] = std::max(last_of_block[block], row);
          }
        }
        EXPECT_EQ(pieces, expected[p]) << rows << " rows";
      }
      // A block's rows are neighbours: no partition's piece reaches into the next block.
      for (uint32_t p = 0; p < partitions; ++p) {
        for (size_t block = 1; block < plan.blocks(); ++block) {
          for (uint32_t row : plan.rows(p, block)) ASSERT_GT(row, last_of_block[block - 1]);
        }
      }
    }
  }
}

}  // namespace
}  // namespace arrowcdc
