// The view of a batch against batches that are made here, a column at a time.
#include "arrowcdc/change_rows.h"

#include <arrow/api.h>
#include <arrow/json/from_string.h>
#include <gtest/gtest.h>

#include "src/change/testing/change_batches.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/error_detail.h"

namespace arrowcdc::test {
namespace {

std::shared_ptr<arrow::Array> Json(const std::shared_ptr<arrow::DataType>& type, const std::string& json) {
  return arrow::json::ArrayFromJSONString(type, json).ValueOrDie();
}

// Four rows of (id, note, tag): a row of each kind of metadata.
ChangeBatch Sample() {
  const auto table =
      MakeTable({"s", "t"}, {arrow::field("id", arrow::int64()), arrow::field("note", arrow::utf8()),
                             arrow::field("tag", arrow::utf8())});
  return MakeBatch(
      table,
      {{{90, 10, 0}, Op::kSnapshot, {}, {}, std::nullopt, std::nullopt},
       {{200, 150, 0}, Op::kUpdateBefore, {}, {}, 7, -5},
       {{200, 150, 1}, Op::kUpdateAfter, {"note"}, {"tag"}, 7, -5},
       {{300, 250, 65535}, Op::kDelete, {}, {"note", "tag"}, 4'000'000'000, 9'000'000'000'000'000}},
      {Ids({1, 2, 2, 3}), Json(arrow::utf8(), R"(["a", null, null, null])"),
       Json(arrow::utf8(), R"(["b", null, null, null])")});
}

ChangeBatch WithColumn(const ChangeBatch& batch, MetadataColumn column,
                       std::shared_ptr<arrow::Array> values) {
  arrow::ArrayVector columns = batch.rows->columns();
  columns[static_cast<size_t>(batch.table->metadata_field(column))] = std::move(values);
  return {batch.table, arrow::RecordBatch::Make(batch.table->schema, batch.rows->num_rows(), columns), {}};
}

arrow::Result<ChangeRows> View(const ChangeBatch& batch) {
  return ChangeRows::Make(*batch.table, *batch.rows);
}

arrow::Result<ChangeRows> View(ChangeBatch&&) = delete;  // a view does not keep its batch

// All that is said of rows 2 and 3 of Sample(), which are rows `first` and `first` + 1 here.
void ExpectLastTwoRows(const ChangeRows& changes, int64_t first) {
  EXPECT_EQ(changes.op(first), Op::kUpdateAfter);
  EXPECT_EQ(changes.op(first + 1), Op::kDelete);
  EXPECT_EQ(changes.commit_lsn(first), 200u);
  EXPECT_EQ(changes.lsn(first), 150u);
  EXPECT_EQ(changes.ord(first), 1);
  EXPECT_EQ(changes.position(first + 1), (RowPosition{300, 250, 65535}));
  EXPECT_EQ(changes.xid(first), 7u);
  EXPECT_EQ(changes.xid(first + 1), 4'000'000'000u);
  EXPECT_EQ(changes.commit_ts(first), -5);
  EXPECT_EQ(changes.commit_ts(first + 1), 9'000'000'000'000'000);
  EXPECT_EQ(changes.unchanged().count(first), 1);
  EXPECT_EQ(changes.unchanged().name(first, 0), "note");
  EXPECT_EQ(changes.unchanged().count(first + 1), 0);
  EXPECT_EQ(changes.unrepresentable().count(first), 1);
  EXPECT_EQ(changes.unrepresentable().count(first + 1), 2);
  EXPECT_EQ(changes.unrepresentable().name(first + 1, 0), "note");
  EXPECT_EQ(changes.unrepresentable().name(first + 1, 1), "tag");
  EXPECT_TRUE(changes.unrepresentable().Contains(first + 1, "tag"));
  EXPECT_FALSE(changes.unrepresentable().Contains(first, "note"));
  const auto unchanged = [&](int64_t row) {
    return std::vector<bool>{changes.IsUnchanged(row, 0), changes.IsUnchanged(row, 1),
                             changes.IsUnchanged(row, 2)};
  };
  const auto unrepresentable = [&](int64_t row) {
    return std::vector<bool>{changes.IsUnrepresentable(row, 0), changes.IsUnrepresentable(row, 1),
                             changes.IsUnrepresentable(row, 2)};
  };
  EXPECT_EQ(unchanged(first), (std::vector<bool>{false, true, false}));
  EXPECT_EQ(unchanged(first + 1), (std::vector<bool>{false, false, false}));
  EXPECT_EQ(unrepresentable(first), (std::vector<bool>{false, false, true}));
  EXPECT_EQ(unrepresentable(first + 1), (std::vector<bool>{false, true, true}));
}

TEST(Op, HasItsNameInTheColumn) {
  EXPECT_STREQ(OpName(Op::kInsert), "insert");
  EXPECT_STREQ(OpName(Op::kUpdateBefore), "update_before");
  EXPECT_STREQ(OpName(Op::kUpdateAfter), "update_after");
  EXPECT_STREQ(OpName(Op::kDelete), "delete");
  EXPECT_STREQ(OpName(Op::kSnapshot), "snapshot");
  EXPECT_STREQ(OpName(Op::kTruncate), "truncate");
}

TEST(ChangeRows, SaysWhatEachColumnHas) {
  const ChangeBatch batch = Sample();
  ASSERT_TRUE(batch.rows->ValidateFull().ok());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto changes, View(batch));
  EXPECT_EQ(changes.num_rows(), 4);
  EXPECT_EQ(changes.op(0), Op::kSnapshot);
  EXPECT_EQ(changes.op(1), Op::kUpdateBefore);
  EXPECT_EQ(changes.position(0), (RowPosition{90, 10, 0}));
  EXPECT_EQ(changes.xid(0), std::nullopt);
  EXPECT_EQ(changes.commit_ts(0), std::nullopt);
  EXPECT_TRUE(changes.unchanged().any());
  ExpectLastTwoRows(changes, 2);
  for (int op = 0; op < kOpCount; ++op) {
    const auto one = static_cast<Op>(op);
    EXPECT_EQ(changes.Any(one), one != Op::kInsert && one != Op::kTruncate) << OpName(one);
  }
}

TEST(ChangeRows, CountsFromTheStartOfASlice) {
  const ChangeBatch batch = Sample();
  for (int64_t begin = 0; begin <= 2; ++begin) {
    const ChangeBatch slice{batch.table, batch.rows->Slice(begin, 4 - begin), {}};
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto changes, View(slice));
    ExpectLastTwoRows(changes, 2 - begin);
    EXPECT_EQ(changes.Any(Op::kSnapshot), begin == 0);
    EXPECT_EQ(changes.xid(0), begin == 0 ? std::nullopt : std::optional<uint32_t>(7));
  }
  const ChangeBatch end{batch.table, batch.rows->Slice(3), {}};
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto changes, View(end));
  EXPECT_FALSE(changes.unchanged().any());
  EXPECT_TRUE(changes.unrepresentable().any());
}

TEST(ChangeRows, ListsMayBeAnyThatAreSound) {
  // Names that begin inside a larger array, under a list that begins inside a larger one; the first row's
  // list is null and has a place all the same.
  const auto names = Json(arrow::utf8(), R"(["x", "y", "tag", "note", "z"])")->Slice(1);
  const auto offsets = Json(arrow::int32(), "[0, 0, 1, 2, 3]");
  auto lists = arrow::ListArray::FromArrays(*offsets, *names).ValueOrDie();
  auto data = lists->data()->Copy();
  data->buffers[0] = arrow::Buffer::FromString(std::string(1, '\x0c'));  // rows 2 and 3
  data->null_count = 2;
  auto column = arrow::MakeArray(data)->Slice(1);
  ASSERT_TRUE(column->ValidateFull().ok());
  const ChangeBatch batch = Sample();
  const ChangeBatch three{batch.table, batch.rows->Slice(1), {}};
  const ChangeBatch sliced = WithColumn(three, MetadataColumn::kUnchanged, column);
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto changes, View(sliced));
  EXPECT_EQ(changes.unchanged().count(0), 0);
  EXPECT_FALSE(changes.unchanged().Contains(0, "y"));
  EXPECT_EQ(changes.unchanged().name(1, 0), "tag");
  EXPECT_TRUE(changes.IsUnchanged(1, 2));
  EXPECT_TRUE(changes.IsUnchanged(2, 1));
  EXPECT_FALSE(changes.IsUnchanged(2, 2));

  // Without a null at all, as a Parquet reader calls its field, and with lists that are empty.
  const auto all =
      Json(arrow::list(arrow::field("element", arrow::utf8(), false)), R"([[], ["note"], [], []])");
  const ChangeBatch whole = WithColumn(batch, MetadataColumn::kUnchanged, all);
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto others, View(whole));
  EXPECT_EQ(others.unchanged().count(0), 0);
  EXPECT_TRUE(others.IsUnchanged(1, 1));
  const auto none = arrow::MakeArrayOfNull(arrow::list(arrow::utf8()), 4).ValueOrDie();
  const ChangeBatch empty = WithColumn(batch, MetadataColumn::kUnchanged, none);
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto without, View(empty));
  EXPECT_FALSE(without.unchanged().any());
  EXPECT_FALSE(without.IsUnchanged(1, 1));
}

TEST(ChangeRows, ABatchWithoutRows) {
  const ChangeBatch batch = Sample();
  const ChangeBatch empties[] = {
      {batch.table, batch.rows->Slice(4), {}},
      {batch.table, arrow::RecordBatch::MakeEmpty(batch.table->schema).ValueOrDie(), {}}};
  for (const ChangeBatch& empty : empties) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto changes, View(empty));
    EXPECT_EQ(changes.num_rows(), 0);
    EXPECT_FALSE(changes.Any(Op::kDelete));
    EXPECT_FALSE(changes.unchanged().any());
  }
}

std::shared_ptr<arrow::Array> Ops(const std::string& codes, const std::string& names) {
  return arrow::DictionaryArray::FromArrays(arrow::dictionary(arrow::int8(), arrow::utf8()),
                                            Json(arrow::int8(), codes), Json(arrow::utf8(), names))
      .ValueOrDie();
}

TEST(ChangeRows, OtherDictionariesAreReadByTheirNames) {
  const ChangeBatch batch = Sample();
  // As a dictionary is that was made anew from the values, and with names that no row has.
  for (const auto& ops :
       {Ops("[0, 1, 2, 3]", R"(["snapshot", "update_before", "update_after", "delete"])"),
        Ops("[5, 4, 2, 0]", R"(["delete", "merge", "update_after", null, "update_before", "snapshot"])"),
        Ops("[0, 5, 4, 2, 0]", R"(["delete", "", "update_after", null, "update_before", "snapshot"])")
            ->Slice(1)}) {
    const ChangeBatch other = WithColumn(batch, MetadataColumn::kOp, ops);
    ARROWCDC_ASSERT_OK_AND_ASSIGN(auto changes, View(other));
    const ChangeRows moved = std::move(changes);
    EXPECT_EQ(moved.op(0), Op::kSnapshot);
    EXPECT_EQ(moved.op(1), Op::kUpdateBefore);
    EXPECT_EQ(moved.op(2), Op::kUpdateAfter);
    EXPECT_EQ(moved.op(3), Op::kDelete);
    EXPECT_TRUE(moved.Any(Op::kDelete));
    EXPECT_FALSE(moved.Any(Op::kInsert));
  }
}

// Refused with its typed error, which names the table and says `what`.
void ExpectRefused(const ChangeBatch& batch, const std::string& what) {
  const auto status = View(batch).status();
  EXPECT_EQ(KindOf(status), ErrorKind::kInternal);
  EXPECT_EQ(DetailOf(status).object(), "table s.t");
  EXPECT_NE(status.message().find(what), std::string::npos) << status;
}

TEST(ChangeRows, AnOperationThatIsUnknownIsRefused) {
  const ChangeBatch batch = Sample();
  const std::string names = R"(["snapshot", "merge", null, "delete"])";
  for (const char* codes : {"[0, 1, 0, 3]", "[0, 2, 0, 3]"}) {
    ExpectRefused(WithColumn(batch, MetadataColumn::kOp, Ops(codes, names)),
                  "operation that is unknown, in row 1");
  }
  // Codes that their dictionary does not have, which no sound array holds.
  for (const char* codes : {"[0, 3, 3, 4]", "[0, 0, 3, -1]", "[0, 0, 0, 127]"}) {
    const auto bad =
        std::make_shared<arrow::DictionaryArray>(arrow::dictionary(arrow::int8(), arrow::utf8()),
                                                 Json(arrow::int8(), codes), Json(arrow::utf8(), names));
    ExpectRefused(WithColumn(batch, MetadataColumn::kOp, bad), "operation that is unknown, in row 3");
  }
}

TEST(ChangeRows, ColumnsOfOtherTypesAreRefused) {
  const ChangeBatch batch = Sample();
  const std::shared_ptr<arrow::DataType> types[] = {arrow::utf8(),
                                                    arrow::int8(),
                                                    arrow::int64(),
                                                    arrow::null(),
                                                    arrow::timestamp(arrow::TimeUnit::NANO, "UTC"),
                                                    arrow::timestamp(arrow::TimeUnit::MICRO),
                                                    arrow::dictionary(arrow::int32(), arrow::utf8()),
                                                    arrow::dictionary(arrow::int8(), arrow::large_utf8()),
                                                    arrow::list(arrow::int32()),
                                                    arrow::list(arrow::large_utf8()),
                                                    arrow::large_list(arrow::utf8()),
                                                    arrow::fixed_size_list(arrow::utf8(), 1)};
  for (int i = 0; i < kMetadataColumnCount; ++i) {
    const auto column = static_cast<MetadataColumn>(i);
    for (const auto& type : types) {
      SCOPED_TRACE(std::string(MetadataColumnName(column)) + " " + type->ToString());
      ExpectRefused(WithColumn(batch, column, arrow::MakeArrayOfNull(type, 4).ValueOrDie()),
                    std::string("column ") + MetadataColumnName(column) + " is of another type");
    }
  }
}

TEST(ChangeRows, WhatHasNoIdentityIsRefused) {
  const ChangeBatch batch = Sample();
  const std::pair<MetadataColumn, std::shared_ptr<arrow::DataType>> columns[] = {
      {MetadataColumn::kOp, arrow::dictionary(arrow::int8(), arrow::utf8())},
      {MetadataColumn::kCommitLsn, arrow::uint64()},
      {MetadataColumn::kLsn, arrow::uint64()},
      {MetadataColumn::kOrd, arrow::uint16()}};
  for (const auto& [column, type] : columns) {
    ExpectRefused(WithColumn(batch, column, arrow::MakeArrayOfNull(type, 4).ValueOrDie()),
                  std::string("column ") + MetadataColumnName(column) + " has nulls");
  }
  const auto one_null = WithColumn(batch, MetadataColumn::kLsn, Json(arrow::uint64(), "[null, 2, 3, 4]"));
  ExpectRefused(one_null, "column _lsn has nulls");
  const ChangeBatch rest{batch.table, one_null.rows->Slice(1), {}};
  ARROWCDC_EXPECT_OK(View(rest));
}

TEST(ChangeRows, OtherNumbersOfColumnsOrRowsAreRefused) {
  const ChangeBatch batch = Sample();
  const auto fewer = batch.rows->RemoveColumn(0).ValueOrDie();
  ExpectRefused({batch.table, fewer, {}}, "it has 10 columns");
  ExpectRefused({batch.table, arrow::RecordBatch::MakeEmpty(arrow::schema({})).ValueOrDie(), {}},
                "it has 0 columns");
  ExpectRefused(WithColumn(batch, MetadataColumn::kXid, Json(arrow::uint32(), "[1, 2, 3]")),
                "column _xid is of another length");
}

}  // namespace
}  // namespace arrowcdc::test
