#include "src/delivery/stream_counts.h"

#include <arrow/api.h>
#include <arrow/json/from_string.h>
#include <gtest/gtest.h>

#include "src/delivery/batch_bytes.h"
#include "src/delivery/schema_change.h"
#include "src/delivery/testing/fake_source.h"

namespace arrowcdc {
namespace {

using std::chrono::seconds;

using Time = StreamCounts::Time;

struct Observer : PipelineObserver {
  void OnSchemaChange(const TableName& table, const std::string& change) override {
    changes.push_back(ToString(table) + ": " + change);
  }
  void OnTableAppeared(const TableName&) override { ++tables; }
  std::vector<std::string> changes;
  size_t tables = 0;
};

std::shared_ptr<arrow::Field> Column(const std::string& name, std::shared_ptr<arrow::DataType> type,
                                     int id = 0) {
  auto field = arrow::field(name, std::move(type));
  return id == 0 ? field
                 : field->WithMetadata(arrow::key_value_metadata({"PARQUET:field_id"}, {std::to_string(id)}));
}

TableSchema Table(const arrow::FieldVector& columns) {
  TableSchema table;
  table.name = {"public", "t"};
  table.schema = arrow::schema(columns);
  table.column_count = static_cast<int>(columns.size());
  return table;
}

TEST(SchemaChange, NamesWhatIsOther) {
  const TableSchema before = Table({Column("id", arrow::int64(), 1), Column("a", arrow::utf8(), 2),
                                    Column("gone", arrow::utf8(), 3), Column("qty", arrow::int32(), 4)});
  const TableSchema now = Table({Column("id", arrow::int64(), 1), Column("b", arrow::utf8(), 2),
                                 Column("qty", arrow::int64(), 4), Column("note", arrow::utf8(), 5)});
  EXPECT_EQ(DescribeSchemaChange(before, now),
            "renamed a to b, qty is int64 and was int32, added note, dropped gone");
  EXPECT_EQ(DescribeSchemaChange(before, before), "");
}

TEST(SchemaChange, WithoutNumbersColumnsAreTheirNames) {
  const TableSchema before = Table({Column("id", arrow::int64()), Column("a", arrow::utf8())});
  const TableSchema now = Table({Column("id", arrow::int64()), Column("b", arrow::utf8())});
  EXPECT_EQ(DescribeSchemaChange(before, now), "added b, dropped a");
}

std::shared_ptr<arrow::Array> FromJson(const std::shared_ptr<arrow::DataType>& type, const char* json) {
  return arrow::json::ArrayFromJSONString(type, json).ValueOrDie();
}

// Widths are those of Arrow's columnar format.
TEST(BatchBytes, AreThoseOfTheValues) {
  const auto ids = FromJson(arrow::int64(), "[1, 2, 3]");
  const auto names = FromJson(arrow::utf8(), R"(["ab", null, "cde"])");
  const auto flags = FromJson(arrow::boolean(), "[true, false, true]");
  const auto lists = FromJson(arrow::list(arrow::int32()), "[[1], [2, 3], []]");
  const auto both = arrow::StructArray::Make({ids, names}, std::vector<std::string>{"a", "b"}).ValueOrDie();
  const auto rows = arrow::RecordBatch::Make(
      arrow::schema({arrow::field("ids", ids->type()), arrow::field("names", names->type()),
                     arrow::field("flags", flags->type()), arrow::field("lists", lists->type()),
                     arrow::field("both", both->type())}),
      3, {ids, names, flags, lists, both});
  EXPECT_EQ(BytesOf(*rows), 24u + (16 + 5) + 1 + (16 + 12) + (24 + 16 + 5));
  EXPECT_EQ(BytesOf(*rows->Slice(1, 1)), 8u + (8 + 0) + 1 + (8 + 8) + (8 + 8 + 0));
  EXPECT_EQ(BytesOf(*rows->Slice(3)), 0u);
}

TEST(StreamCounts, CountsByTableUpToABound) {
  StreamCounts counts;
  Observer observer;
  constexpr size_t kMore = 5;
  for (size_t i = 0; i < PipelineStats::kTablesMax + kMore; ++i) {
    const auto table = test::FakeTable("t" + std::to_string(i));
    counts.Take(test::FakeBatch(table, {{0, 1, {10, 10, 0}}, {0, 2, {10, 11, 0}}}, {}), observer);
  }
  const PipelineStats& stats = counts.stats();
  EXPECT_EQ(stats.tables.size(), PipelineStats::kTablesMax);
  EXPECT_EQ(stats.tables.at({"public", "t7"}).rows, 2u);
  EXPECT_EQ(stats.tables.at({"public", "t7"}).batches, 1u);
  EXPECT_GE(stats.tables.at({"public", "t7"}).bytes, 2 * sizeof(int64_t));
  EXPECT_EQ(stats.other_tables.rows, 2 * kMore);
  EXPECT_EQ(stats.rows, 2 * (PipelineStats::kTablesMax + kMore));
  EXPECT_TRUE(observer.changes.empty());
}

// Some tables have a new name each day.
TEST(StreamCounts, TellsOfNewTablesUpToABound) {
  StreamCounts counts;
  Observer observer;
  counts.KnowsAtFirst({{"public", "t"}});
  for (int times = 0; times < 2; ++times) {
    counts.NoteTable({"public", "t"}, observer);
    counts.NoteTable({"public", "new"}, observer);
  }
  EXPECT_EQ(observer.tables, 1u);
  for (size_t i = 0; i < 2 * StreamCounts::kNewTablesMax; ++i)
    counts.NoteTable({"public", "t" + std::to_string(i)}, observer);
  EXPECT_EQ(observer.tables, StreamCounts::kNewTablesMax);
}

TEST(StreamCounts, IsNotBehindWhereAllIsDurable) {
  StreamCounts counts;
  PipelineStats& stats = counts.stats();
  stats.server_lsn = 100;
  const Time start(seconds(1000));
  counts.FindHowFarBehind(start);
  EXPECT_EQ(stats.behind_since, start) << "nothing is known yet";
  stats.connected = true;
  counts.NoteDurable({1, 100}, start);
  counts.FindHowFarBehind(start + seconds(60));
  EXPECT_EQ(stats.behind_since, std::nullopt);
  stats.server_lsn = 101;
  counts.FindHowFarBehind(start + seconds(70));
  EXPECT_EQ(stats.behind_since, start + seconds(60));
}

TEST(StreamCounts, AServerThatIsAwayIsNoReasonToBelieveThatNothingWasCommitted) {
  StreamCounts counts;
  PipelineStats& stats = counts.stats();
  stats.server_lsn = 100;
  stats.connected = true;
  const Time start(seconds(1000));
  counts.NoteDurable({1, 100}, start);
  counts.FindHowFarBehind(start);
  stats.connected = false;
  counts.FindHowFarBehind(start + seconds(600));
  EXPECT_EQ(stats.behind_since, start);
}

// Its rows say when they were committed, whatever is between.
TEST(StreamCounts, IsBehindSinceTheOldestRowThatIsNotDurable) {
  StreamCounts counts;
  Observer observer;
  PipelineStats& stats = counts.stats();
  stats.connected = true;
  const auto batch = test::FakeBatch(test::FakeTable("t"), {{0, 1, {10, 10, 0}}}, {});
  const auto& times = batch.rows->column(batch.table->metadata_field(MetadataColumn::kCommitTs));
  const int64_t commit = static_cast<const arrow::TimestampArray&>(*times).Value(0);
  counts.Take(batch, observer);
  counts.FindHowFarBehind(Time(seconds(5000)));
  EXPECT_EQ(stats.behind_since, Time(std::chrono::microseconds(commit)));
}

}  // namespace
}  // namespace arrowcdc
