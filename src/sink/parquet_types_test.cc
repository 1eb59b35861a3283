// Every type the sources make goes into Parquet and comes back with the same values.
#include "src/sink/parquet_types.h"

#include <arrow/array/concatenate.h>
#include <arrow/extension_type.h>
#include <arrow/json/from_string.h>
#include <gtest/gtest.h>

#include "src/sink/testing/memory_file_system.h"
#include "src/sink/parquet_sink.h"
#include "src/sink/testing/parquet_rows.h"
#include "src/change/testing/change_batches.h"
#include "src/sink/testing/sink_stream.h"

namespace arrowcdc::test {
namespace {

std::shared_ptr<arrow::Array> FromJson(const std::shared_ptr<arrow::DataType>& type,
                                       const std::string& json) {
  auto array = arrow::json::ArrayFromJSONString(type, json);
  EXPECT_TRUE(array.ok()) << type->ToString() << ": " << array.status().ToString();
  return *array;
}

std::shared_ptr<arrow::DataType> Extension(const std::string& name,
                                           const std::shared_ptr<arrow::DataType>& storage) {
  const auto known = arrow::GetExtensionType(name);
  EXPECT_NE(known, nullptr) << name;
  return known->Deserialize(storage, "").ValueOrDie();
}

// Through the sink and back.
std::shared_ptr<arrow::Array> RoundTrip(const std::shared_ptr<arrow::Field>& field,
                                        const std::shared_ptr<arrow::Array>& array) {
  MemoryFileSystem files;
  ParquetSink sink("/d", {}, &files);
  EXPECT_TRUE(sink.Open(TestStream()).ok());
  std::vector<RowMeta> rows;
  for (int64_t i = 0; i < array->length(); ++i) rows.push_back({{1, static_cast<uint64_t>(i + 1), 0}});
  const auto table = MakeTable({"public", "t"}, {field});
  // In three slices, so that offsets count.
  const auto whole = MakeBatch(table, rows, {array});
  for (int64_t begin = 0; begin < array->length(); begin += 2) {
    const auto status = sink.Write({table, whole.rows->Slice(begin, 2), {}});
    EXPECT_TRUE(status.ok()) << status.ToString();
  }
  const auto status = sink.Close();
  EXPECT_TRUE(status.ok()) << field->ToString() << status.ToString();
  for (const auto& path : files.Files("/d")) {
    if (!path.ends_with(".parquet")) continue;
    const auto read = ReadParquet(files, path);
    const auto column = read->GetColumnByName(field->name());
    return arrow::Concatenate(column->chunks()).ValueOrDie();
  }
  ADD_FAILURE() << "no file";
  return nullptr;
}

void ExpectSame(const std::shared_ptr<arrow::DataType>& type, const std::string& json) {
  const auto array = FromJson(type, json);
  EXPECT_EQ(StoredType(type), type);
  const auto back = RoundTrip(arrow::field("c", type), array);
  EXPECT_TRUE(back->Equals(*array)) << type->ToString() << " " << back->ToString();
}

void ExpectStored(const std::shared_ptr<arrow::DataType>& type, const std::string& json,
                  const std::shared_ptr<arrow::DataType>& stored, const std::string& stored_json) {
  EXPECT_TRUE(StoredType(type)->Equals(*stored)) << StoredType(type)->ToString();
  const auto back = RoundTrip(arrow::field("c", type), FromJson(type, json));
  EXPECT_TRUE(back->type()->Equals(*stored)) << back->type()->ToString();
  const auto expected = FromJson(stored, stored_json);
  EXPECT_TRUE(back->Equals(*expected)) << back->ToString();
}

TEST(ParquetTypes, WhatParquetHoldsStaysAsItIs) {
  ExpectSame(arrow::boolean(), "[true, null, false]");
  ExpectSame(arrow::uint8(), "[0, null, 255]");
  ExpectSame(arrow::int16(), "[-32768, null, 32767]");
  ExpectSame(arrow::int32(), "[-2147483648, null, 2147483647]");
  ExpectSame(arrow::int64(), "[-9223372036854775808, null, 9223372036854775807]");
  ExpectSame(arrow::uint32(), "[0, null, 4294967295]");
  ExpectSame(arrow::uint64(), "[0, null, 18446744073709551615]");
  ExpectSame(arrow::float32(), "[1.5, null, -0.0]");
  ExpectSame(arrow::float64(), "[1.5, null, -0.0]");
  ExpectSame(arrow::utf8(), R"(["", null, "äöü"])");
  ExpectSame(arrow::binary(), R"(["", null, "bytes"])");
  ExpectSame(arrow::date32(), "[-2440588, null, 2145042541]");
  ExpectSame(arrow::time64(arrow::TimeUnit::MICRO), "[0, null, 86399999999]");
  ExpectSame(arrow::timestamp(arrow::TimeUnit::MICRO), "[-210866803200000000, null, 9223372036854775807]");
  ExpectSame(arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"), "[-1, null, 0]");
  ExpectSame(arrow::decimal128(10, 2), R"(["1.23", null, "-99999999.99"])");
  ExpectSame(
      arrow::decimal128(38, 38),
      R"(["0.00000000000000000000000000000000000001", null, "0.50000000000000000000000000000000000000"])");
  ExpectSame(arrow::decimal256(38, 10), R"(["1.0000000001", null, "-2.0000000000"])");
  ExpectSame(arrow::list(arrow::int32()), "[[1, null, 3], null, []]");
  ExpectSame(arrow::list(arrow::utf8()), R"([["a", null], null, []])");
  ExpectSame(arrow::struct_({arrow::field("time", arrow::time64(arrow::TimeUnit::MICRO)),
                             arrow::field("offset_s", arrow::int32())}),
             R"([{"time": 1, "offset_s": -7200}, null, {"time": null, "offset_s": null}])");
  ExpectSame(arrow::map(arrow::utf8(), arrow::utf8()), R"([[["a", "b"], ["c", null]], null, []])");
  ExpectSame(arrow::dictionary(arrow::int8(), arrow::utf8()), R"(["x", null, "y", "x"])");
}

TEST(ParquetTypes, UuidAndJsonKeepTheirTypes) {
  const auto uuid = Extension("arrow.uuid", arrow::fixed_size_binary(16));
  const auto uuids =
      FromJson(arrow::fixed_size_binary(16), R"(["0123456789abcdef", null, "fedcba9876543210"])");
  const auto json = Extension("arrow.json", arrow::utf8());
  const auto documents = FromJson(arrow::utf8(), R"(["{\"a\": 1}", null, "[]"])");
  for (const auto& array :
       {arrow::ExtensionType::WrapArray(uuid, uuids), arrow::ExtensionType::WrapArray(json, documents)}) {
    EXPECT_EQ(StoredType(array->type()), array->type());
    const auto back = RoundTrip(arrow::field("c", array->type()), array);
    EXPECT_TRUE(back->Equals(*array)) << back->ToString();
  }
  auto lists =
      FromJson(arrow::list(arrow::fixed_size_binary(16)), R"([["0123456789abcdef", null], null, []])")
          ->data()
          ->Copy();
  lists->type = arrow::list(uuid);
  lists->child_data[0] = lists->child_data[0]->Copy();
  lists->child_data[0]->type = uuid;
  const auto array = arrow::MakeArray(lists);
  EXPECT_TRUE(RoundTrip(arrow::field("c", array->type()), array)->Equals(*array));
}

TEST(ParquetTypes, ScalesThatParquetForbidsAreWidened) {
  // numeric(5,-2): 12300 is 123 with scale -2. The digits are written out by hand below.
  const auto hundreds = arrow::decimal128(5, -2);
  auto array = FromJson(arrow::decimal128(5, 0), R"(["123", null, "-99999"])");
  auto data = array->data()->Copy();
  data->type = hundreds;
  const auto back = RoundTrip(arrow::field("c", hundreds), arrow::MakeArray(data));
  EXPECT_TRUE(back->Equals(*FromJson(arrow::decimal128(7, 0), R"(["12300", null, "-9999900"])")))
      << back->ToString();

  const auto small = arrow::decimal128(2, 5);
  array = FromJson(arrow::decimal128(2, 0), R"(["12", null, "-99"])");
  data = array->data()->Copy();
  data->type = small;
  EXPECT_TRUE(RoundTrip(arrow::field("c", small), arrow::MakeArray(data))
                  ->Equals(*FromJson(arrow::decimal128(5, 5), R"(["0.00012", null, "-0.00099"])")));

  // 38 digits just fit.
  const auto widest = arrow::decimal128(35, -3);
  array = FromJson(arrow::decimal128(35, 0), R"(["99999999999999999999999999999999999", null, "-1"])");
  data = array->data()->Copy();
  data->type = widest;
  EXPECT_TRUE(RoundTrip(arrow::field("c", widest), arrow::MakeArray(data))
                  ->Equals(*FromJson(arrow::decimal128(38, 0),
                                     R"(["99999999999999999999999999999999999000", null, "-1000"])")));
}

TEST(ParquetTypes, DecimalsOfTooManyDigitsBecomeText) {
  ExpectStored(arrow::decimal256(39, 2), R"(["1234567890123456789012345678901234567.10", null, "-0.05"])",
               arrow::utf8(), R"(["1234567890123456789012345678901234567.10", null, "-0.05"])");
  ExpectStored(arrow::decimal256(76, 0),
               R"(["1234567890123456789012345678901234567890123456789012345678901234567890123456", "0"])",
               arrow::utf8(),
               R"(["1234567890123456789012345678901234567890123456789012345678901234567890123456", "0"])");
  ExpectStored(arrow::list(arrow::decimal256(40, 1)), R"([["1.5", null], null])", arrow::list(arrow::utf8()),
               R"([["1.5", null], null])");
  const auto far = arrow::decimal128(3, 80);
  auto array = FromJson(arrow::decimal128(3, 0), R"(["123", null, "-7", "0"])");
  auto data = array->data()->Copy();
  data->type = far;
  const std::string zeros(77, '0');
  EXPECT_TRUE(RoundTrip(arrow::field("c", far), arrow::MakeArray(data))
                  ->Equals(*FromJson(arrow::utf8(), "[\"0." + zeros + "123\", null, \"-0." + zeros +
                                                        "007\", \"0." + zeros + "000\"]")));
  const auto huge = arrow::decimal128(3, -90);
  data = array->data()->Copy();
  data->type = huge;
  const std::string many(90, '0');
  EXPECT_TRUE(
      RoundTrip(arrow::field("c", huge), arrow::MakeArray(data))
          ->Equals(*FromJson(arrow::utf8(), "[\"123" + many + "\", null, \"-7" + many + "\", \"0\"]")));
}

TEST(ParquetTypes, IntervalsBecomeStructs) {
  const auto stored =
      arrow::struct_({arrow::field("months", arrow::int32()), arrow::field("days", arrow::int32()),
                      arrow::field("nanoseconds", arrow::int64())});
  ExpectStored(
      arrow::month_day_nano_interval(), "[[1, -2, 3000], null, [0, 0, -1]]", stored,
      R"([{"months": 1, "days": -2, "nanoseconds": 3000}, null, {"months": 0, "days": 0, "nanoseconds": -1}])");
  ExpectStored(arrow::list(arrow::month_day_nano_interval()), "[[[1, 2, 3], null], null, []]",
               arrow::list(stored), R"([[{"months": 1, "days": 2, "nanoseconds": 3}, null], null, []])");
}

TEST(ParquetTypes, StructsWithoutMembersSayThatTheyAreThere) {
  ExpectStored(arrow::struct_({}), "[{}, null, {}]", arrow::boolean(), "[true, null, true]");
}

TEST(ParquetTypes, FieldIdsAndTheOwnTypeAreKept) {
  const auto id = arrow::key_value_metadata({"PARQUET:field_id"}, {"7"});
  const auto schema = arrow::schema({arrow::field("c", arrow::month_day_nano_interval(), true, id),
                                     arrow::field("d", arrow::int32(), true, id)});
  const auto stored = StoredSchema(*schema);
  EXPECT_EQ(stored->field(0)->metadata()->Get("PARQUET:field_id").ValueOr(""), "7");
  EXPECT_EQ(stored->field(0)->metadata()->Get("arrowcdc:arrow_type").ValueOr(""), "month_day_nano_interval");
  EXPECT_EQ(stored->field(1), schema->field(1));
}

}  // namespace
}  // namespace arrowcdc::test
