#include "src/change/batch_builder.h"

#include <arrow/array.h>
#include <arrow/json/from_string.h>
#include <gtest/gtest.h>

#include "arrowcdc/error.h"
#include "src/change/table_schema.h"
#include "tests/testing/assert_ok.h"

namespace arrowcdc {
namespace {

std::shared_ptr<const TableSchema> Items() {
  return MakeTableSchema({"public", "items"}, 1, 2, ReplicaIdentity::kDefault,
                         {arrow::field("id", arrow::int64()), arrow::field("name", arrow::utf8()),
                          arrow::field("tags", arrow::list(arrow::utf8()))},
                         nullptr)
      .ValueOrDie();
}

class Batches : public ::testing::Test {
 protected:
  Batches() : builder_(BatchBuilder::Make(Items(), arrow::system_memory_pool()).ValueOrDie()) {}

  void Values(int64_t id, std::string_view name) {
    builder_->column(0)->Append(id);
    builder_->column(1)->AppendBytes(name.data(), static_cast<int64_t>(name.size()));
    ColumnBuilder* const tags = builder_->column(2);
    tags->child(0)->AppendBytes(name.data(), static_cast<int64_t>(name.size()));
    tags->EndList();
  }

  static RowMetadata Row(Op op, uint64_t lsn, uint16_t ord = 0) {
    return {.op = op, .commit_lsn = 900, .lsn = lsn, .ord = ord, .xid = 7, .commit_ts = 1'000'000};
  }

  static void CheckColumn(const ChangeBatch& batch, const std::string& name, const std::string& json) {
    const auto column = batch.rows->GetColumnByName(name);
    ASSERT_NE(column, nullptr) << name;
    if (name == "_op") {
      const auto& dictionary = static_cast<const arrow::DictionaryArray&>(*column);
      const auto wanted = arrow::json::ArrayFromJSONString(arrow::int8(), json).ValueOrDie();
      EXPECT_TRUE(wanted->Equals(*dictionary.indices())) << column->ToString();
      return;
    }
    const auto wanted = arrow::json::ArrayFromJSONString(column->type(), json).ValueOrDie();
    EXPECT_TRUE(wanted->Equals(*column)) << name << ": " << column->ToString();
  }

  std::unique_ptr<BatchBuilder> builder_;
};

// Back over the ends of runs of metadata, and on from there.
TEST_F(Batches, WholeRowsAreTakenBack) {
  Values(1, "a");
  ARROWCDC_ASSERT_OK(builder_->EndRow(Row(Op::kInsert, 100)));
  Values(2, "b");
  ARROWCDC_ASSERT_OK(builder_->EndRow(Row(Op::kInsert, 200)));
  for (const Op op : {Op::kDelete, Op::kInsert, Op::kDelete}) {
    builder_->AppendNull(0);
    builder_->AppendUnchanged(1);
    builder_->AppendUnrepresentable(2);
    ARROWCDC_ASSERT_OK(builder_->EndRow(Row(op, 300)));
  }
  const int64_t bytes = builder_->bytes();
  builder_->TakeBackTo(1);
  EXPECT_EQ(builder_->rows(), 1);
  EXPECT_LT(builder_->bytes(), bytes);
  Values(3, "c");
  ARROWCDC_ASSERT_OK(builder_->EndRow(Row(Op::kDelete, 400, 1)));
  builder_->AppendUnchanged(0);
  builder_->AppendNull(1);
  builder_->AppendNull(2);
  ARROWCDC_ASSERT_OK(builder_->EndRow(Row(Op::kDelete, 500)));

  ARROWCDC_ASSERT_OK_AND_ASSIGN(const ChangeBatch batch, builder_->Finish());
  ARROWCDC_ASSERT_OK(batch.rows->ValidateFull());
  CheckColumn(batch, "id", "[1, 3, null]");
  CheckColumn(batch, "name", R"(["a", "c", null])");
  CheckColumn(batch, "tags", R"([["a"], ["c"], null])");
  CheckColumn(batch, "_op", "[0, 3, 3]");
  CheckColumn(batch, "_lsn", "[100, 400, 500]");
  CheckColumn(batch, "_unchanged", R"([null, null, ["id"]])");
  CheckColumn(batch, "_unrepresentable", "[null, null, null]");
}

TEST_F(Batches, RowsWithTheirMetadata) {
  Values(1, "a");
  ARROWCDC_ASSERT_OK(builder_->EndRow(Row(Op::kInsert, 100)));
  builder_->column(0)->Append(int64_t{2});
  builder_->AppendUnchanged(2);
  builder_->AppendUnrepresentable(1);
  ARROWCDC_ASSERT_OK(builder_->EndRow(Row(Op::kUpdateAfter, 200, 3)));
  builder_->AppendUnchanged(2);
  builder_->AppendUnchanged(0);
  builder_->AppendNull(1);
  RowMetadata snapshot = Row(Op::kSnapshot, 300);
  snapshot.xid.reset();
  ARROWCDC_ASSERT_OK(builder_->EndRow(snapshot));
  EXPECT_EQ(builder_->rows(), 3);

  ARROWCDC_ASSERT_OK_AND_ASSIGN(const ChangeBatch batch, builder_->Finish());
  ARROWCDC_ASSERT_OK(batch.rows->ValidateFull());
  EXPECT_TRUE(batch.rows->schema()->Equals(*batch.table->schema, /*check_metadata=*/true));
  CheckColumn(batch, "id", "[1, 2, null]");
  CheckColumn(batch, "name", R"(["a", null, null])");
  CheckColumn(batch, "tags", R"([["a"], null, null])");
  CheckColumn(batch, "_op", "[0, 2, 4]");
  CheckColumn(batch, "_commit_lsn", "[900, 900, 900]");
  CheckColumn(batch, "_lsn", "[100, 200, 300]");
  CheckColumn(batch, "_ord", "[0, 3, 0]");
  CheckColumn(batch, "_xid", "[7, 7, null]");
  CheckColumn(batch, "_commit_ts",
              R"(["1970-01-01 00:00:01", "1970-01-01 00:00:01", "1970-01-01 00:00:01"])");
  CheckColumn(batch, "_unchanged", R"([null, ["tags"], ["id", "tags"]])");
  CheckColumn(batch, "_unrepresentable", R"([null, ["name"], null])");
}

TEST_F(Batches, CancelledRowLeavesNoTrace) {
  Values(1, "a");
  ARROWCDC_ASSERT_OK(builder_->EndRow(Row(Op::kInsert, 100)));
  const int64_t bytes = builder_->bytes();
  // Half a row, in which every kind of value has come.
  builder_->column(0)->Append(int64_t{2});
  builder_->AppendUnrepresentable(1);
  builder_->AppendUnchanged(2);
  builder_->CancelRow();
  builder_->column(2)->child(0)->AppendNull();
  builder_->CancelRow();
  EXPECT_EQ(builder_->bytes(), bytes);
  Values(3, "c");
  ARROWCDC_ASSERT_OK(builder_->EndRow(Row(Op::kInsert, 300)));
  // What has not ended when the batch does is no row either.
  builder_->column(0)->Append(int64_t{4});
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const ChangeBatch batch, builder_->Finish());
  ARROWCDC_ASSERT_OK(batch.rows->ValidateFull());
  CheckColumn(batch, "id", "[1, 3]");
  CheckColumn(batch, "tags", R"([["a"], ["c"]])");
  CheckColumn(batch, "_lsn", "[100, 300]");
  CheckColumn(batch, "_unchanged", "[null, null]");
  CheckColumn(batch, "_unrepresentable", "[null, null]");
}

TEST_F(Batches, RowThatLacksAValueOrHasTwoIsRefused) {
  builder_->column(0)->Append(int64_t{1});
  const arrow::Status lacking = builder_->EndRow(Row(Op::kInsert, 100));
  ASSERT_NE(GetErrorDetail(lacking), nullptr) << lacking.ToString();
  EXPECT_EQ(GetErrorDetail(lacking)->kind(), ErrorKind::kInternal);
  Values(1, "a");
  builder_->AppendNull(1);
  EXPECT_FALSE(builder_->EndRow(Row(Op::kInsert, 100)).ok());
  EXPECT_EQ(builder_->rows(), 0);
  Values(2, "b");
  ARROWCDC_ASSERT_OK(builder_->EndRow(Row(Op::kInsert, 200)));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const ChangeBatch batch, builder_->Finish());
  CheckColumn(batch, "id", "[2]");
}

// What rows that follow one another have in common is filled in at the end of the run.
TEST_F(Batches, MetadataOfRunsOfRows) {
  std::string commits;
  std::string xids;
  std::string operations;
  std::string times;
  for (uint64_t run = 0; run < 5; ++run) {
    RowMetadata row = Row(run % 2 == 0 ? Op::kInsert : Op::kDelete, 0);
    row.commit_lsn = 900 + run / 3;
    row.commit_ts = static_cast<int64_t>(1'000'000 * run);
    if (run == 2) row.xid.reset();
    for (uint64_t i = 0; i < 40; ++i) {
      Values(1, "a");
      if (i == 20) {  // of another transaction, and cancelled
        builder_->AppendNull(0);
        EXPECT_FALSE(builder_->EndRow(Row(Op::kTruncate, 1)).ok());
        Values(1, "a");
      }
      row.lsn = i;
      ARROWCDC_ASSERT_OK(builder_->EndRow(row));
      const std::string comma = commits.empty() ? "" : ", ";
      commits += comma + std::to_string(row.commit_lsn);
      xids += comma + (run == 2 ? "null" : "7");
      operations += comma + std::to_string(static_cast<int>(row.op));
      times += comma + std::to_string(row.commit_ts);
    }
  }
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const ChangeBatch batch, builder_->Finish());
  ARROWCDC_ASSERT_OK(batch.rows->ValidateFull());
  CheckColumn(batch, "_commit_lsn", "[" + commits + "]");
  CheckColumn(batch, "_xid", "[" + xids + "]");
  CheckColumn(batch, "_op", "[" + operations + "]");
  const auto stamps = batch.rows->GetColumnByName("_commit_ts");
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto numbers, stamps->View(arrow::int64()));
  EXPECT_TRUE(
      numbers->Equals(*arrow::json::ArrayFromJSONString(arrow::int64(), "[" + times + "]").ValueOrDie()));
}

// The next batch shares nothing with the last one.
TEST_F(Batches, BuilderIsUsedAgain) {
  std::vector<ChangeBatch> batches;
  for (int64_t round = 0; round < 3; ++round) {
    EXPECT_EQ(builder_->bytes(), 0);
    int64_t before = 0;
    for (int64_t i = 0; i < 500; ++i) {
      Values(round * 1000 + i, "row " + std::to_string(round) + " " + std::to_string(i));
      ARROWCDC_ASSERT_OK(builder_->EndRow(Row(Op::kInsert, static_cast<uint64_t>(i))));
      ASSERT_GT(builder_->bytes(), before);
      before = builder_->bytes();
    }
    // Within a few bytes a row of what the buffers hold.
    EXPECT_GT(before, 500 * (8 + 2 * 8 + 31));
    EXPECT_LT(before, 500 * (8 + 2 * 16 + 60));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(ChangeBatch batch, builder_->Finish());
    batches.push_back(std::move(batch));
  }
  for (int64_t round = 0; round < 3; ++round) {
    const auto& batch = batches[static_cast<size_t>(round)];
    ARROWCDC_ASSERT_OK(batch.rows->ValidateFull());
    const auto& ids = static_cast<const arrow::Int64Array&>(*batch.rows->column(0));
    const auto& names = static_cast<const arrow::StringArray&>(*batch.rows->column(1));
    for (int64_t i = 0; i < 500; ++i) {
      ASSERT_EQ(ids.Value(i), round * 1000 + i);
      ASSERT_EQ(names.GetView(i), "row " + std::to_string(round) + " " + std::to_string(i));
    }
  }
}

}  // namespace
}  // namespace arrowcdc
