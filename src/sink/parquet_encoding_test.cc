#include "src/sink/parquet_encoding.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <random>
#include <set>

#include <arrow/array/concatenate.h>
#include <arrow/builder.h>
#include <arrow/extension_type.h>
#include <gmock/gmock.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>

#include "src/change/testing/change_batches.h"
#include "src/sink/parquet_sink.h"
#include "src/sink/testing/memory_file_system.h"
#include "src/sink/testing/parquet_rows.h"
#include "src/sink/testing/sink_stream.h"
#include "tests/testing/assert_ok.h"

namespace arrowcdc::test {
namespace {

using testing::ElementsAre;
using testing::Pair;

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

TEST(ColumnsThatRepeatTest, AreThoseWithoutNewValuesInMostRows) {
  constexpr int64_t kRows = 10'000;
  const auto number = [](int64_t i) { return "note " + std::to_string(i); };
  const auto table = arrow::Table::Make(
      arrow::schema({arrow::field("id", arrow::int64()), arrow::field("same", arrow::int64()),
                     arrow::field("a.b", arrow::utf8()), arrow::field("flag", arrow::boolean())}),
      {Column<arrow::Int64Builder, int64_t>(kRows, [](int64_t i) { return i; }),
       Column<arrow::Int64Builder, int64_t>(kRows, [](int64_t i) { return i % 100; }),
       Column<arrow::StringBuilder, std::string>(kRows, number),
       Column<arrow::BooleanBuilder, bool>(kRows, [](int64_t i) { return i % 2 == 0; })});
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto columns, ColumnsThatRepeat(*table));
  EXPECT_THAT(columns, ElementsAre(Pair("a.b", false), Pair("id", false), Pair("same", true)));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto few, ColumnsThatRepeat(*table->Slice(0, 100)));
  EXPECT_THAT(few, ElementsAre());
}

TEST(ColumnsThatRepeatTest, NullsAreNoValues) {
  arrow::Int64Builder builder;
  for (int64_t i = 0; i < 4096; ++i)
    ASSERT_TRUE((i % 3 == 0 ? builder.Append(i) : builder.AppendNull()).ok());
  const auto table =
      arrow::Table::Make(arrow::schema({arrow::field("n", arrow::int64())}), {builder.Finish().ValueOrDie()});
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto columns, ColumnsThatRepeat(*table));
  EXPECT_THAT(columns, ElementsAre(Pair("n", false)));
}

TEST(ColumnsThatRepeatTest, ExtensionsAreJudgedByWhatTheyStore) {
  const auto json = arrow::GetExtensionType("arrow.json")->Deserialize(arrow::utf8(), "").ValueOrDie();
  const auto document = [](int64_t i) { return "{\"a\": " + std::to_string(i) + "}"; };
  const auto texts = Column<arrow::StringBuilder, std::string>(2000, document);
  const auto table = arrow::Table::Make(arrow::schema({arrow::field("document", json)}),
                                        {arrow::ExtensionType::WrapArray(json, texts)});
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto columns, ColumnsThatRepeat(*table));
  EXPECT_THAT(columns, ElementsAre(Pair("document", false)));
}

// Files of one table with one column, as the sink writes them.
class ParquetEncodingTest : public ::testing::Test {
 protected:
  void Open(const std::shared_ptr<arrow::DataType>& type, ParquetEncodings encodings,
            const std::string& column = "c") {
    SinkOptions options;
    options.parquet.encodings = encodings;
    files_ = std::make_unique<MemoryFileSystem>();
    table_ = MakeTable({"public", "t"}, {arrow::field(column, type)});
    sink_ = std::make_unique<ParquetSink>("/d", options, files_.get());
    ARROWCDC_ASSERT_OK(sink_->Open(TestStream()));
  }

  // A file; its path.
  std::string Write(const std::shared_ptr<arrow::Array>& values) {
    std::vector<RowMeta> rows;
    for (int64_t i = 0; i < values->length(); ++i) rows.push_back({{++commits_, 1, 0}});
    EXPECT_TRUE(sink_->Write(MakeBatch(table_, rows, {values})).ok());
    EXPECT_TRUE(sink_->Flush().ok());
    std::string last;
    for (const std::string& path : files_->Files("/d")) {
      if (path.ends_with(".parquet")) last = path;
    }
    return last;
  }

  std::shared_ptr<arrow::Array> Read(const std::string& path) {
    return arrow::Concatenate(ReadParquet(*files_, path)->column(0)->chunks()).ValueOrDie();
  }

  // Of the first column's data pages, by names of the format.
  std::set<std::string> Encodings(const std::string& path, const std::string& column) {
    const auto metadata = OpenParquet(*files_, path)->parquet_reader()->metadata();
    std::set<std::string> names;
    for (int i = 0; i < metadata->num_columns(); ++i) {
      const auto chunk = metadata->RowGroup(0)->ColumnChunk(i);
      if (chunk->path_in_schema()->ToDotString() != column) continue;
      for (const auto& stats : chunk->encoding_stats()) {
        if (stats.page_type != parquet::PageType::DICTIONARY_PAGE)
          names.insert(parquet::EncodingToString(stats.encoding));
      }
    }
    return names;
  }

  std::unique_ptr<MemoryFileSystem> files_;
  std::shared_ptr<const TableSchema> table_;
  std::unique_ptr<ParquetSink> sink_;
  uint64_t commits_ = 0;
};

std::shared_ptr<arrow::Array> Numbers(int64_t first, int64_t count) {
  return Column<arrow::Int64Builder, int64_t>(count, [&](int64_t i) { return first + i; })->chunk(0);
}

TEST_F(ParquetEncodingTest, AFileOfFewRowsIsLikeTheOneBefore) {
  Open(arrow::int64(), ParquetEncodings::kDefault);
  EXPECT_THAT(Encodings(Write(Numbers(0, 10)), "c"), ElementsAre("RLE_DICTIONARY"));
  EXPECT_THAT(Encodings(Write(Numbers(0, 2000)), "c"), ElementsAre("PLAIN"));
  EXPECT_THAT(Encodings(Write(Numbers(0, 10)), "c"), ElementsAre("PLAIN"));
  // And each that can be judged is judged anew.
  const auto same = Column<arrow::Int64Builder, int64_t>(2000, [](int64_t i) { return i % 7; })->chunk(0);
  EXPECT_THAT(Encodings(Write(same), "c"), ElementsAre("RLE_DICTIONARY"));
  EXPECT_THAT(Encodings(Write(Numbers(0, 10)), "c"), ElementsAre("RLE_DICTIONARY"));
}

TEST_F(ParquetEncodingTest, WhatIsRememberedIsTheTables) {
  ParquetEncoding encoding({});
  const auto table = [](int64_t rows) {
    return arrow::Table::Make(arrow::schema({arrow::field("c", arrow::int64())}), {Numbers(0, rows)});
  };
  const auto has_dictionary = [&](const TableName& name, int64_t rows) {
    const auto path = parquet::schema::ColumnPath::FromDotString("c");
    return (*encoding.ForFile(name, *table(rows)))->dictionary_enabled(path);
  };
  EXPECT_FALSE(has_dictionary({"public", "a"}, 2000));
  EXPECT_FALSE(has_dictionary({"public", "a"}, 1));
  EXPECT_TRUE(has_dictionary({"public", "b"}, 1));
}

TEST_F(ParquetEncodingTest, ModernIsForWholeNumbersAndTimesWithoutADictionary) {
  const auto kModern = ParquetEncodings::kModern;
  for (const auto& type : {arrow::int32(), arrow::int64(), arrow::uint32(), arrow::uint64(), arrow::date32(),
                           arrow::time64(arrow::TimeUnit::MICRO), arrow::timestamp(arrow::TimeUnit::MICRO),
                           arrow::timestamp(arrow::TimeUnit::MICRO, "UTC")}) {
    Open(type, kModern);
    const auto numbers = type->bit_width() == 32
                             ? Column<arrow::Int32Builder, int32_t>(
                                   2000, [](int64_t i) { return static_cast<int32_t>(3 * i); })
                                   ->chunk(0)
                             : Numbers(0, 2000);
    const std::string path = Write(numbers->View(type).ValueOrDie());
    EXPECT_THAT(Encodings(path, "c"), ElementsAre("DELTA_BINARY_PACKED")) << type->ToString();
  }
  Open(arrow::int64(), kModern);
  EXPECT_THAT(Encodings(Write(Numbers(0, 10)), "c"), ElementsAre("RLE_DICTIONARY"));
  Open(arrow::float64(), kModern);
  EXPECT_THAT(Encodings(Write(Numbers(1, 2000)->View(arrow::float64()).ValueOrDie()), "c"),
              ElementsAre("PLAIN"));
  Open(arrow::utf8(), kModern);
  const auto text = [](int64_t i) { return std::to_string(i); };
  EXPECT_THAT(Encodings(Write(Column<arrow::StringBuilder, std::string>(2000, text)->chunk(0)), "c"),
              ElementsAre("PLAIN"));
}

// "a.b" is the name of a column, and of a text that is b of the struct a.
TEST_F(ParquetEncodingTest, APathThatTwoColumnsShareIsNobodysInParticular) {
  SinkOptions options;
  options.parquet.encodings = ParquetEncodings::kModern;
  MemoryFileSystem files;
  const auto texts = Column<arrow::StringBuilder, std::string>(2000, [](int64_t i) {
                       return "text " + std::to_string(i);
                     })->chunk(0);
  const auto structs = arrow::StructArray::Make({texts}, std::vector<std::string>{"b"}).ValueOrDie();
  const auto table =
      MakeTable({"public", "t"}, {arrow::field("a.b", arrow::int64()), arrow::field("a", structs->type())});
  std::vector<RowMeta> rows;
  for (uint64_t i = 1; i <= 2000; ++i) rows.push_back({{i, 1, 0}});
  ParquetSink sink("/d", options, &files);
  ARROWCDC_ASSERT_OK(sink.Open(TestStream()));
  ARROWCDC_ASSERT_OK(sink.Write(MakeBatch(table, rows, {Numbers(5, 2000), structs})));
  ARROWCDC_ASSERT_OK(sink.Close());
  for (const auto& path : files.Files("/d")) {
    if (!path.ends_with(".parquet")) continue;
    const auto read = ReadParquet(files, path);
    EXPECT_TRUE(arrow::Concatenate(read->column(0)->chunks()).ValueOrDie()->Equals(Numbers(5, 2000)));
    EXPECT_TRUE(arrow::Concatenate(read->column(1)->chunks()).ValueOrDie()->Equals(structs));
  }
}

// Differences of these do not fit into the type.
template <typename Builder>
std::shared_ptr<arrow::Array> RandomNumbers(const std::shared_ptr<arrow::DataType>& type,
                                            std::mt19937_64& random) {
  using Value = typename Builder::value_type;
  constexpr Value kExtremes[] = {std::numeric_limits<Value>::min(), std::numeric_limits<Value>::max(), 0, 1};
  Builder builder(type, arrow::default_memory_pool());
  const int64_t rows = 1500 + static_cast<int64_t>(random() % 3000);
  const uint64_t nulls = random() % 3 == 0 ? 5 : 0;
  const int bits = 1 + static_cast<int>(random() % (8 * sizeof(Value)));
  auto value = static_cast<Value>(random());
  for (int64_t i = 0; i < rows; ++i) {
    if (nulls != 0 && random() % nulls == 0) {
      EXPECT_TRUE(builder.AppendNull().ok());
      continue;
    }
    if (random() % 20 == 0) {
      value = kExtremes[random() % 4];
    } else {
      value = static_cast<Value>(static_cast<uint64_t>(value) + (random() >> (64 - bits)));
    }
    EXPECT_TRUE(builder.Append(value).ok());
  }
  return builder.Finish().ValueOrDie();
}

TEST_F(ParquetEncodingTest, BothKindsGiveBackWhatWasWritten) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  const auto time_zone = arrow::timestamp(arrow::TimeUnit::MICRO, "UTC");
  for (const auto encodings : {ParquetEncodings::kDefault, ParquetEncodings::kModern}) {
    for (int round = 0; round < 5; ++round) {
      for (const auto& values : {RandomNumbers<arrow::Int16Builder>(arrow::int16(), random),
                                 RandomNumbers<arrow::Int32Builder>(arrow::int32(), random),
                                 RandomNumbers<arrow::Int64Builder>(arrow::int64(), random),
                                 RandomNumbers<arrow::UInt32Builder>(arrow::uint32(), random),
                                 RandomNumbers<arrow::UInt64Builder>(arrow::uint64(), random),
                                 RandomNumbers<arrow::Date32Builder>(arrow::date32(), random),
                                 RandomNumbers<arrow::TimestampBuilder>(time_zone, random)}) {
        ASSERT_NO_FATAL_FAILURE(Open(values->type(), encodings));
        const std::string path = Write(values);
        ASSERT_TRUE(Read(path)->Equals(values)) << path << " " << values->type()->ToString();
      }
    }
  }
}

}  // namespace
}  // namespace arrowcdc::test
