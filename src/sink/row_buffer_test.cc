// Buffered rows keep their order, and many tiny batches cost little memory.
#include "src/sink/row_buffer.h"

#include <random>

#include <arrow/array.h>
#include <arrow/builder.h>
#include <algorithm>

#include <gtest/gtest.h>

namespace arrowcdc {
namespace {

std::shared_ptr<arrow::RecordBatch> Batch(int64_t first, int64_t rows, int columns = 1) {
  arrow::Int64Builder builder;
  for (int64_t i = 0; i < rows; ++i) EXPECT_TRUE(builder.Append(first + i).ok());
  arrow::ArrayVector arrays(static_cast<size_t>(columns), builder.Finish().ValueOrDie());
  arrow::FieldVector fields(static_cast<size_t>(columns), arrow::field("c", arrow::int64()));
  return arrow::RecordBatch::Make(arrow::schema(fields), rows, arrays);
}

TEST(RowBufferTest, KeepsOrderForAnyMixOfSizes) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  RowBuffer buffer;
  int64_t added = 0;
  int64_t taken = 0;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 3000; ++i) {
      const int64_t rows = random() % 500 == 0 ? 9000 : 1 + static_cast<int64_t>(random() % 5);
      ASSERT_TRUE(buffer.Add(Batch(added, rows)).ok());
      added += rows;
    }
    EXPECT_EQ(buffer.rows(), added - taken);
    const auto batches = buffer.Take().ValueOrDie();
    EXPECT_LT(batches.size(), 100u);
    for (const auto& batch : batches) {
      const auto& values = static_cast<const arrow::Int64Array&>(*batch->column(0));
      for (int64_t i = 0; i < values.length(); ++i) ASSERT_EQ(values.Value(i), taken++);
    }
    EXPECT_EQ(taken, added);
    EXPECT_EQ(buffer.rows(), 0);
    EXPECT_EQ(buffer.bytes(), 0);
  }
}

TEST(RowBufferTest, SmallBatchesLetGoOfTheMessagesTheyCameIn) {
  RowBuffer buffer;
  std::vector<std::weak_ptr<arrow::RecordBatch>> messages;
  for (int i = 0; i < 1000; ++i) {
    const auto message = Batch(i, 1);
    messages.push_back(message);
    ASSERT_TRUE(buffer.Add(message).ok());
  }
  const auto alive =
      std::count_if(messages.begin(), messages.end(), [](const auto& m) { return !m.expired(); });
  EXPECT_LT(alive, 64);
}

TEST(RowBufferTest, CountsWhatTinyBatchesCost) {
  RowBuffer buffer;
  for (int i = 0; i < 10'000; ++i) ASSERT_TRUE(buffer.Add(Batch(i, 1, 50)).ok());
  // 8 bytes a value, padded buffers, and the arrays of at most a few dozen pieces.
  EXPECT_LT(buffer.bytes(), 10 << 20);
  EXPECT_GE(buffer.bytes(), 10'000 * 8);
}

}  // namespace
}  // namespace arrowcdc
