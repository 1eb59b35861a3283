#include "src/sink/parquet_encoding.h"

#include <functional>

#include <arrow/builder.h>
#include <gmock/gmock.h>

#include "tests/testing/assert_ok.h"

namespace arrowcdc {
namespace {

using testing::ElementsAre;

template <typename Builder, typename Value>
std::shared_ptr<arrow::ChunkedArray> Column(int64_t rows, const std::function<Value(int64_t)>& value) {
  Builder builder;
  for (int64_t i = 0; i < rows; ++i) EXPECT_TRUE(builder.Append(value(i)).ok());
  return std::make_shared<arrow::ChunkedArray>(builder.Finish().ValueOrDie());
}

TEST(ValuesRepeatTest, IsJudgedByTheSampleAndTheRows) {
  EXPECT_TRUE(ValuesRepeat(4096, 1, 4096));
  EXPECT_TRUE(ValuesRepeat(4096, 2048, 4096));
  EXPECT_FALSE(ValuesRepeat(4096, 4096, 1'000'000'000));
  // Of 10,000 values evenly drawn about 3,360 are among 4,096: 81 % are distinct, and 6 % of 150,000.
  EXPECT_TRUE(ValuesRepeat(4096, 3360, 150'000));
  // Of 1,000,000 values 8 or so come twice, and 93 % of 150,000 are distinct, but 10 % of 10,000,000.
  EXPECT_FALSE(ValuesRepeat(4096, 4088, 150'000));
  EXPECT_TRUE(ValuesRepeat(4096, 4088, 10'000'000));
}

TEST(ColumnsThatHardlyRepeatTest, AreThoseWithNewValuesInMostRows) {
  constexpr int64_t kRows = 10'000;
  const auto number = [](int64_t i) { return "note " + std::to_string(i); };
  const auto table = arrow::Table::Make(
      arrow::schema({arrow::field("id", arrow::int64()), arrow::field("same", arrow::int64()),
                     arrow::field("a.b", arrow::utf8()), arrow::field("flag", arrow::boolean())}),
      {Column<arrow::Int64Builder, int64_t>(kRows, [](int64_t i) { return i; }),
       Column<arrow::Int64Builder, int64_t>(kRows, [](int64_t i) { return i % 100; }),
       Column<arrow::StringBuilder, std::string>(kRows, number),
       Column<arrow::BooleanBuilder, bool>(kRows, [](int64_t i) { return i % 2 == 0; })});
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto columns, ColumnsThatHardlyRepeat(*table));
  EXPECT_THAT(columns, ElementsAre("id", "a.b"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto few, ColumnsThatHardlyRepeat(*table->Slice(0, 100)));
  EXPECT_THAT(few, ElementsAre());
}

TEST(ColumnsThatHardlyRepeatTest, NullsAreNoValues) {
  arrow::Int64Builder builder;
  for (int64_t i = 0; i < 4096; ++i)
    ASSERT_TRUE((i % 3 == 0 ? builder.Append(i) : builder.AppendNull()).ok());
  const auto table =
      arrow::Table::Make(arrow::schema({arrow::field("n", arrow::int64())}), {builder.Finish().ValueOrDie()});
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto columns, ColumnsThatHardlyRepeat(*table));
  EXPECT_THAT(columns, ElementsAre("n"));
}

}  // namespace
}  // namespace arrowcdc
