// What the console shows, compared with text written by hand; and that every line is JSON, whatever the names
// and values.
#include "src/sink/console_sink.h"

#include <algorithm>
#include <limits>

#include <arrow/extension_type.h>
#include <arrow/json/from_string.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "src/sink/console_format.h"
#include "src/sink/json_values.h"
#include "src/sink/testing/memory_file_system.h"
#include "src/change/testing/change_batches.h"
#include "src/sink/testing/sink_stream.h"
#include "tests/testing/error_detail.h"
#include "tests/testing/assert_ok.h"

namespace arrowcdc::test {
namespace {

std::shared_ptr<arrow::Array> FromJson(const std::shared_ptr<arrow::DataType>& type,
                                       const std::string& json) {
  return arrow::json::ArrayFromJSONString(type, json).ValueOrDie();
}

std::string Value(const std::shared_ptr<arrow::DataType>& type, const std::string& json) {
  std::string out;
  AppendJsonValue(*FromJson(type, json), 0, &out);
  return out;
}

std::string ExtensionValue(const std::string& name, const std::shared_ptr<arrow::DataType>& storage,
                           const std::string& json) {
  const auto type = arrow::GetExtensionType(name)->Deserialize(storage, "").ValueOrDie();
  std::string out;
  AppendJsonValue(*arrow::ExtensionType::WrapArray(type, FromJson(storage, json)), 0, &out);
  return out;
}

TEST(JsonValues, NumbersKeepAllDigits) {
  EXPECT_EQ(Value(arrow::int64(), "[-9223372036854775808]"), "-9223372036854775808");
  EXPECT_EQ(Value(arrow::uint64(), "[18446744073709551615]"), "18446744073709551615");
  EXPECT_EQ(Value(arrow::uint8(), "[65]"), "65");
  EXPECT_EQ(Value(arrow::float64(), "[0.1]"), "0.1");
  EXPECT_EQ(Value(arrow::float32(), "[0.1]"), "0.1");
  EXPECT_EQ(Value(arrow::decimal128(10, 2), R"(["-0.05"])"), "\"-0.05\"");
  EXPECT_EQ(Value(arrow::decimal256(60, 0), R"(["123456789012345678901234567890123456789012345"])"),
            "\"123456789012345678901234567890123456789012345\"");
  EXPECT_EQ(Value(arrow::boolean(), "[true]"), "true");
  EXPECT_EQ(Value(arrow::int32(), "[null]"), "null");
}

TEST(JsonValues, FloatsThatJsonLacksAreText) {
  arrow::DoubleBuilder builder;
  ARROWCDC_ASSERT_OK(
      builder.AppendValues({std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(),
                            -std::numeric_limits<double>::infinity()}));
  const auto array = builder.Finish().ValueOrDie();
  std::string out;
  for (int i = 0; i < 3; ++i) AppendJsonValue(*array, i, &out);
  EXPECT_EQ(out, "\"NaN\"\"Infinity\"\"-Infinity\"");
}

TEST(JsonValues, Times) {
  EXPECT_EQ(Value(arrow::date32(), "[0]"), "\"1970-01-01\"");
  EXPECT_EQ(Value(arrow::date32(), "[19782]"), "\"2024-02-29\"");
  EXPECT_EQ(Value(arrow::date32(), "[-1]"), "\"1969-12-31\"");
  EXPECT_EQ(Value(arrow::date32(), "[-719528]"), "\"0000-01-01\"");
  // 4714-11-24 BC, the first day PostgreSQL knows, is in the year -4713.
  EXPECT_EQ(Value(arrow::date32(), "[-2440588]"), "\"-004713-11-24\"");
  EXPECT_EQ(Value(arrow::date32(), "[2145042905]"), "\"+5874897-12-31\"");
  EXPECT_EQ(Value(arrow::time64(arrow::TimeUnit::MICRO), "[45296000001]"), "\"12:34:56.000001\"");
  EXPECT_EQ(Value(arrow::timestamp(arrow::TimeUnit::MICRO), "[1709210096000007]"),
            "\"2024-02-29T12:34:56.000007\"");
  EXPECT_EQ(Value(arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"), "[-1]"),
            "\"1969-12-31T23:59:59.999999Z\"");
  EXPECT_EQ(Value(arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"), "[-86400000000]"),
            "\"1969-12-31T00:00:00.000000Z\"");
  EXPECT_EQ(Value(arrow::month_day_nano_interval(), "[[1, -2, 3]]"),
            R"({"months":1,"days":-2,"nanoseconds":3})");
}

TEST(JsonValues, BytesDocumentsAndIdentifiers) {
  EXPECT_EQ(Value(arrow::binary(), R"([""])"), "\"\"");
  EXPECT_EQ(Value(arrow::binary(), R"(["f"])"), "\"Zg==\"");
  EXPECT_EQ(Value(arrow::binary(), R"(["fo"])"), "\"Zm8=\"");
  EXPECT_EQ(Value(arrow::binary(), R"(["foo"])"), "\"Zm9v\"");
  EXPECT_EQ(Value(arrow::binary(), R"(["foobar"])"), "\"Zm9vYmFy\"");
  EXPECT_EQ(ExtensionValue("arrow.uuid", arrow::fixed_size_binary(16), R"(["0123456789abcdef"])"),
            "\"30313233-3435-3637-3839-616263646566\"");
  EXPECT_EQ(ExtensionValue("arrow.json", arrow::utf8(), R"(["{\"a\":\n [1, 2.50]}"])"),
            R"({"a":  [1, 2.50]})");
  EXPECT_EQ(ExtensionValue("arrow.json", arrow::utf8(), R"(["not json\""])"), R"("not json\"")");
}

TEST(JsonValues, NestedValues) {
  EXPECT_EQ(Value(arrow::list(arrow::utf8()), R"([["a\"", null, "c"]])"), R"(["a\"",null,"c"])");
  EXPECT_EQ(Value(arrow::list(arrow::list(arrow::int32())), "[[[1], [], null]]"), "[[1],[],null]");
  EXPECT_EQ(Value(arrow::struct_({arrow::field("a\"b", arrow::int32()), arrow::field("c", arrow::utf8())}),
                  R"([{"a\"b": 1, "c": null}])"),
            R"({"a\"b":1,"c":null})");
  EXPECT_EQ(Value(arrow::map(arrow::utf8(), arrow::int32()), R"([[["k", 1], ["l", null]]])"),
            R"({"k":1,"l":null})");
  EXPECT_EQ(Value(arrow::map(arrow::int32(), arrow::int32()), "[[[1, 2]]]"), "[[1,2]]");
}

TEST(JsonValues, TextIsEscaped) {
  std::string out;
  AppendJsonString(std::string("\"\\\n\r\t\0\x1b[31m\x7f\xc2\x9b ä", 17), &out);
  EXPECT_EQ(out, R"("\"\\\n\r\t\u0000\u001b[31m\u007f\u009b ä")");
}

ChangeBatch Sample() {
  const auto table = MakeTable({"public", "or\"ders"},
                               {arrow::field("id", arrow::int64()), arrow::field("no\nte", arrow::utf8()),
                                arrow::field("_op", arrow::utf8()), arrow::field("_table", arrow::int32())});
  return MakeBatch(
      table,
      {{{0x16B374D848, 0x16B374D800, 0}}, {{0x16B374D848, 0x16B374D810, 1}, Op::kUpdateAfter, {"no\nte"}}},
      {Ids({1, 2}), FromJson(arrow::utf8(), R"(["x\ny", null])"),
       FromJson(arrow::utf8(), R"(["mine", null])"), FromJson(arrow::int32(), "[5, 6]")});
}

TEST(ConsoleFormat, NdjsonIsOneObjectARow) {
  std::string text;
  ARROWCDC_ASSERT_OK(AppendNdjson(Sample(), &text));
  EXPECT_EQ(
      text,
      R"({"_schema":"public","__table":"or\"ders","__op":"insert","_commit_lsn":"16/B374D848","_lsn":"16/B374D800","_ord":0,)"
      R"("_xid":731,"_commit_ts":"2023-11-14T22:13:20.000000Z","id":1,"no\nte":"x\ny","_op":"mine","_table":5})"
      "\n"
      R"({"_schema":"public","__table":"or\"ders","__op":"update_after","_commit_lsn":"16/B374D848","_lsn":"16/B374D810","_ord":1,)"
      R"("_xid":731,"_commit_ts":"2023-11-14T22:13:20.000000Z","_unchanged":["no\nte"],"id":2,"no\nte":null,"_op":null,"_table":6})"
      "\n");
}

TEST(ConsoleFormat, TableIsAlignedAndCut) {
  const auto table =
      MakeTable({"public", "t"}, {arrow::field("id", arrow::int64()), arrow::field("text", arrow::utf8())});
  const auto batch = MakeBatch(
      table, {{{0x10, 0x8, 0}}, {{0x10, 0x9, 0}, Op::kUpdateAfter, {"text"}}, {{0x10, 0xA, 0}, Op::kDelete}},
      {Ids({1, 22, 333}),
       FromJson(arrow::utf8(), R"(["äääääääääääääääääääääääääääääääääääääääääääää", null, null])")});
  std::string text;
  ARROWCDC_ASSERT_OK(AppendTable(batch, &text));
  EXPECT_EQ(text,
            "public.t (3 rows)\n"
            "  commit  op            id   text\n"
            "  0/10    insert        1    äääääääääääääääääääääääääääääääääääääää…\n"
            "  0/10    update_after  22   (unchanged)\n"
            "  0/10    delete        333  null\n"
            "\n");
}

TEST(ConsoleFormat, EveryLineIsJsonForAllTypes) {
  arrow::FieldVector fields;
  arrow::ArrayVector columns;
  const std::pair<std::shared_ptr<arrow::DataType>, const char*> samples[] = {
      {arrow::boolean(), "[true]"},
      {arrow::int64(), "[-1]"},
      {arrow::float64(), "[1e300]"},
      {arrow::utf8(), R"(["\u0001\"\\\n"])"},
      {arrow::binary(), R"(["\"\n"])"},
      {arrow::date32(), "[1]"},
      {arrow::decimal128(5, 2), R"(["1.00"])"},
      {arrow::list(arrow::int32()), "[[1]]"},
      {arrow::large_utf8(), R"(["\"\n"])"},
      {arrow::duration(arrow::TimeUnit::SECOND), "[5]"},
  };
  for (const auto& [type, json] : samples) {
    fields.push_back(arrow::field("c\"\\\x01" + std::to_string(fields.size()), type));
    columns.push_back(FromJson(type, json));
  }
  std::string text;
  ARROWCDC_ASSERT_OK(AppendNdjson(MakeBatch(MakeTable({"s", "t"}, fields), {{{1, 1, 0}}}, columns), &text));
  EXPECT_TRUE(nlohmann::json::accept(text)) << text;
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
}

TEST(ConsoleSinkTest, RefusesABatchThatIsNotOfItsSchema) {
  MemoryFileSystem files;
  for (const BatchFormat format : {AppendNdjson, AppendTable}) {
    ConsoleSink sink(format, files.Create("/out").ValueOrDie());
    ChangeBatch batch = Sample();
    const int field = batch.table->metadata_field(MetadataColumn::kCommitLsn);
    arrow::ArrayVector columns = batch.rows->columns();
    columns[static_cast<size_t>(field)] = FromJson(arrow::utf8(), R"(["16/B374D848", "16/B374D848"])");
    batch.rows = arrow::RecordBatch::Make(batch.table->schema, 2, columns);
    EXPECT_EQ(KindOf(sink.Write(batch)), ErrorKind::kInternal);
    EXPECT_FALSE(sink.has_pending_rows());
    ARROWCDC_ASSERT_OK(sink.Close());
    EXPECT_EQ(ReadFile(files, "/out").ValueOrDie(), "");
  }
}

TEST(ConsoleSinkTest, HandsTextOnAtTheEndOfAGroup) {
  MemoryFileSystem files;
  ConsoleSink sink(AppendNdjson, files.Create("/out").ValueOrDie());
  EXPECT_FALSE(sink.keeps_data());
  ARROWCDC_ASSERT_OK(sink.Open(TestStream()).status());
  ARROWCDC_ASSERT_OK(sink.Write(Sample()));
  EXPECT_EQ(ReadFile(files, "/out").ValueOrDie(), "");
  EXPECT_FALSE(sink.durable());
  EXPECT_TRUE(sink.has_pending_rows());
  ARROWCDC_ASSERT_OK(sink.Advance(At(10)));
  EXPECT_EQ(sink.durable()->order, 10u);
  const std::string text = ReadFile(files, "/out").ValueOrDie();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
  files.FailAt(0, MemoryFileSystem::Failure::kOnce);
  ARROWCDC_ASSERT_OK(sink.Write(Sample()));
  EXPECT_EQ(KindOf(sink.Advance(At(20))), ErrorKind::kSink);
  EXPECT_EQ(sink.durable()->order, 10u);
  EXPECT_FALSE(sink.Write(Sample()).ok());
  ARROWCDC_ASSERT_OK(sink.Close());
}

}  // namespace
}  // namespace arrowcdc::test
