#include "src/change/metadata_columns.h"

#include <arrow/api.h>
#include <arrow/json/from_string.h>
#include <gtest/gtest.h>

#include "tests/testing/assert_ok.h"

namespace arrowcdc {
namespace {

std::shared_ptr<arrow::Array> Json(const std::shared_ptr<arrow::DataType>& type, const std::string& json) {
  return arrow::json::ArrayFromJSONString(type, json).ValueOrDie();
}

TEST(OpColumn, HasTheSixNamesInTheOrderOfTheWire) {
  const auto column = MakeOpColumn(Json(arrow::int8(), "[5, 0]"));
  ASSERT_TRUE(column->ValidateFull().ok());
  const auto& ops = static_cast<const arrow::DictionaryArray&>(*column);
  // docs/wire.md: 0 insert, 1 update_before, 2 update_after, 3 delete, 4 snapshot, 5 truncate.
  EXPECT_TRUE(ops.dictionary()->Equals(Json(
      arrow::utf8(), R"(["insert", "update_before", "update_after", "delete", "snapshot", "truncate"])")));
  EXPECT_TRUE(ops.indices()->Equals(Json(arrow::int8(), "[5, 0]")));
}

TEST(TransactionColumns, EachTransactionHasItsRows) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(auto columns, TransactionColumns::Allocate(4, arrow::default_memory_pool()));
  columns.Append(3, 100, 7, -1);
  columns.Append(1, UINT64_MAX, UINT32_MAX, 1'700'000'000'000'000);
  EXPECT_TRUE(columns.commit_lsn()->Equals(Json(arrow::uint64(), "[100, 100, 100, 18446744073709551615]")));
  EXPECT_TRUE(columns.xid()->Equals(Json(arrow::uint32(), "[7, 7, 7, 4294967295]")));
  EXPECT_TRUE(columns.commit_ts()->Equals(
      Json(arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"), "[-1, -1, -1, 1700000000000000]")));
  for (const auto& column : {columns.commit_lsn(), columns.xid(), columns.commit_ts()})
    EXPECT_TRUE(column->ValidateFull().ok());
}

TEST(CellColumn, NamesTheCellsOfEachRow) {
  const auto schema = arrow::schema({arrow::field("a", arrow::int32()), arrow::field("b", arrow::int32())});
  NullLists nulls;
  Cells cells = {{1, 0}, {3, 1}};
  AddCells({{0, 1}, {1, 1}}, &cells);
  EXPECT_EQ(cells, (Cells{{0, 1}, {1, 0}, {1, 1}, {3, 1}}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto column,
                                MakeCellColumn(cells, 5, *schema, &nulls, arrow::default_memory_pool()));
  ASSERT_TRUE(column->ValidateFull().ok());
  EXPECT_TRUE(column->Equals(Json(arrow::list(arrow::utf8()), R"([["b"], ["a", "b"], null, ["b"], null])")));
}

TEST(CellColumn, WithoutCellsNothingIsMadeTwice) {
  const auto schema = arrow::schema({});
  NullLists nulls;
  std::shared_ptr<arrow::Array> last;
  for (const int64_t rows : {3, 3, 5000, 3}) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto column,
                                  MakeCellColumn({}, rows, *schema, &nulls, arrow::default_memory_pool()));
    ASSERT_TRUE(column->ValidateFull().ok());
    EXPECT_EQ(column->length(), rows);
    EXPECT_EQ(column->null_count(), rows);
    if (last != nullptr && last->length() == rows) {
      EXPECT_EQ(column, last);
    }
    last = column;
  }
}

}  // namespace
}  // namespace arrowcdc
