// Against Arrow's own concatenation, for every type that a table may have.
#include "src/sink/concatenate_batches.h"

#include <random>

#include <arrow/extension_type.h>
#include <arrow/json/from_string.h>
#include <gtest/gtest.h>

#include "src/change/testing/change_batches.h"
#include "tests/testing/assert_ok.h"

namespace arrowcdc::test {
namespace {

struct Sample {
  std::shared_ptr<arrow::DataType> type;
  const char* json;  // of six values
};

std::shared_ptr<arrow::DataType> Extension(const std::string& name,
                                           const std::shared_ptr<arrow::DataType>& storage) {
  return arrow::GetExtensionType(name)->Deserialize(storage, "").ValueOrDie();
}

std::vector<Sample> Samples() {
  return {
      {arrow::boolean(), "[true, null, false, true, true, false]"},
      {arrow::int16(), "[-32768, null, 32767, 0, 1, 2]"},
      {arrow::int32(), "[1, 2, 3, 4, 5, 6]"},
      {arrow::int64(), "[null, null, null, null, null, null]"},
      {arrow::float64(), "[1.5, null, -0.0, 3, 4, 5]"},
      {arrow::decimal128(10, 2), R"(["1.23", null, "-99999999.99", "0.00", "1.00", "2.00"])"},
      {arrow::decimal256(50, 2), R"(["1.23", null, "-99999999.99", "0.00", "1.00", "2.00"])"},
      {arrow::utf8(), R"(["", null, "äöü", "four", "", "six"])"},
      {arrow::utf8(), R"(["", "", "", "", "", ""])"},
      {arrow::binary(), R"(["", null, "bytes", "a", "b", "c"])"},
      {arrow::large_utf8(), R"(["", null, "large", "a", "b", "c"])"},
      {arrow::fixed_size_binary(3), R"(["abc", null, "def", "ghi", "jkl", "mno"])"},
      {arrow::fixed_size_binary(0), R"(["", null, "", "", null, ""])"},
      {arrow::null(), "[null, null, null, null, null, null]"},
      {arrow::date32(), "[1, null, 3, 4, 5, 6]"},
      {arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"), "[1, null, 3, 4, 5, 6]"},
      {arrow::month_day_nano_interval(),
       "[[1, -2, 3000], null, [0, 0, -1], [1, 1, 1], [2, 2, 2], [3, 3, 3]]"},
      {arrow::list(arrow::utf8()), R"([["a", null], null, [], ["b"], ["", "c"], null])"},
      {arrow::list(arrow::int32()), "[null, null, null, null, null, null]"},
      {arrow::list(arrow::int32()), "[[], [], [], [], [], []]"},
      {arrow::fixed_size_list(arrow::int32(), 2), "[[1, 2], null, [3, null], [4, 5], [6, 7], [8, 9]]"},
      {arrow::struct_({arrow::field("a", arrow::int32()), arrow::field("b", arrow::utf8())}),
       R"([{"a": 1, "b": "x"}, null, {"a": null, "b": null}, {"a": 2, "b": ""}, null, {"a": 3, "b": "y"}])"},
      {arrow::map(arrow::utf8(), arrow::int32()),
       R"([[["a", 1]], null, [], [["b", null]], [["c", 2], ["d", 3]], null])"},
      {arrow::dictionary(arrow::int8(), arrow::utf8()), R"(["x", null, "y", "x", "z", "y"])"},
  };
}

// A row of every type, and of those that lie in extensions.
std::shared_ptr<arrow::RecordBatch> SixRows() {
  arrow::FieldVector fields;
  arrow::ArrayVector columns;
  const auto add = [&](std::shared_ptr<arrow::Array> column) {
    fields.push_back(arrow::field("c" + std::to_string(fields.size()), column->type()));
    columns.push_back(std::move(column));
  };
  for (const Sample& sample : Samples()) {
    const auto array = arrow::json::ArrayFromJSONString(sample.type, sample.json);
    EXPECT_TRUE(array.ok()) << sample.type->ToString() << array.status();
    add(*array);
    if (sample.type->id() == arrow::Type::STRING)
      add(arrow::ExtensionType::WrapArray(Extension("arrow.json", arrow::utf8()), *array));
  }
  const auto uuids = arrow::json::ArrayFromJSONString(
      arrow::fixed_size_binary(16),
      R"(["0123456789abcdef", null, "fedcba9876543210", null, "0123456789abcdef", "0123456789abcdef"])");
  add(arrow::ExtensionType::WrapArray(Extension("arrow.uuid", arrow::fixed_size_binary(16)), *uuids));
  return arrow::RecordBatch::Make(arrow::schema(fields), 6, columns);
}

TEST(ConcatenateBatchesTest, IsArrows) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  const auto rows = SixRows();
  for (int round = 0; round < 200; ++round) {
    arrow::RecordBatchVector batches;
    const size_t count = 1 + random() % 40;
    while (batches.size() < count) {
      const auto first = static_cast<int64_t>(random() % 6);
      const auto length = 1 + static_cast<int64_t>(random() % static_cast<uint64_t>(6 - first));
      batches.push_back(rows->Slice(first, random() % 10 == 0 ? 0 : length));
    }
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto expected, arrow::ConcatenateRecordBatches(batches));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto joined, ConcatenateBatches(batches));
    ARROWCDC_ASSERT_OK(joined->ValidateFull());
    for (int i = 0; i < expected->num_columns(); ++i) {
      ASSERT_TRUE(joined->column(i)->Equals(*expected->column(i)))
          << expected->schema()->field(i)->ToString() << joined->column(i)->ToString();
      ASSERT_EQ(joined->column(i)->null_count(), expected->column(i)->null_count());
    }
    ASSERT_TRUE(joined->schema()->Equals(*expected->schema()));
  }
}

TEST(ConcatenateBatchesTest, DictionariesMayDiffer) {
  const auto type = arrow::dictionary(arrow::int8(), arrow::utf8());
  const auto schema = arrow::schema({arrow::field("c", type)});
  const auto batch = [&](const char* json) {
    return arrow::RecordBatch::Make(schema, 2, {*arrow::json::ArrayFromJSONString(type, json)});
  };
  const arrow::RecordBatchVector batches = {batch(R"(["a", "b"])"), batch(R"(["b", "c"])")};
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto joined, ConcatenateBatches(batches));
  const auto& column = static_cast<const arrow::DictionaryArray&>(*joined->column(0));
  const auto& names = static_cast<const arrow::StringArray&>(*column.dictionary());
  std::string text;
  for (int64_t i = 0; i < 4; ++i) text += names.GetString(column.GetValueIndex(i));
  EXPECT_EQ(text, "abbc");
}

TEST(ConcatenateBatchesTest, OfOtherTypesIsRefused) {
  const auto numbers = Ids({1});
  const auto schema = arrow::schema({arrow::field("c", arrow::int64())});
  const auto texts = *arrow::json::ArrayFromJSONString(arrow::utf8(), R"(["a"])");
  const auto good = arrow::RecordBatch::Make(schema, 1, {numbers});
  EXPECT_TRUE(ConcatenateBatches({good, arrow::RecordBatch::Make(schema, 1, {texts})}).status().IsInvalid());
  EXPECT_TRUE(
      ConcatenateBatches({good, arrow::RecordBatch::Make(schema, 2, {numbers})}).status().IsInvalid());
}

}  // namespace
}  // namespace arrowcdc::test
