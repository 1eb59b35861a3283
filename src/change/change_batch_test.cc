#include "arrowcdc/change_batch.h"

#include <arrow/api.h>
#include <arrow/extension/json.h>
#include <arrow/extension/uuid.h>
#include <gtest/gtest.h>

#include "arrowcdc/change_rows.h"
#include "src/change/table_schema.h"

namespace arrowcdc {
namespace {

TEST(TableName, QuotedWhereItIsMoreThanLowerCaseLettersDigitsAndUnderscores) {
  EXPECT_EQ(ToString(TableName{"public", "users"}), "public.users");
  EXPECT_EQ(ToString(TableName{"_s1", "t_2"}), "_s1.t_2");
  EXPECT_EQ(ToString(TableName{"public", "Users"}), "public.\"Users\"");
  EXPECT_EQ(ToString(TableName{"a.b", "c"}), "\"a.b\".c");
  EXPECT_EQ(ToString(TableName{"s", "say \"hi\""}), "s.\"say \"\"hi\"\"\"");
  EXPECT_EQ(ToString(TableName{"1s", "2t"}), "\"1s\".\"2t\"");
  EXPECT_EQ(ToString(TableName{"schön", ""}), "\"schön\".\"\"");
  EXPECT_EQ(ToString(TableName{"s", "a\nb"}), "s.\"a\nb\"");
}

TruncateEvent TwoTables() {
  TruncateEvent event;
  event.tables.push_back(*MakeTableSchema({"s", "a"}, 1, 1, ReplicaIdentity::kDefault,
                                          {arrow::field("x", arrow::int32())}, nullptr));
  event.tables.push_back(*MakeTableSchema(
      {"s", "b"}, 2, 2, ReplicaIdentity::kDefault,
      {arrow::field("u", arrow::extension::uuid()), arrow::field("j", arrow::extension::json()),
       arrow::field("l", arrow::list(arrow::field("item", arrow::extension::uuid()))),
       arrow::field("d", arrow::decimal128(10, 2))},
      nullptr));
  event.commit_lsn = 1000;
  event.lsn = 900;
  event.xid = 77;
  event.commit_ts = -3;
  return event;
}

TEST(TruncateRow, OneRowThatIsNullButForItsMetadata) {
  TruncateEvent event = TwoTables();
  for (int index : {0, 1}) {
    auto row = TruncateRow(event, index);
    ASSERT_TRUE(row.ok()) << row.status();
    const auto& batch = **row;
    ASSERT_TRUE(batch.ValidateFull().ok()) << batch.ValidateFull();
    EXPECT_TRUE(batch.schema()->Equals(*event.tables[index]->schema, true));
    ASSERT_EQ(batch.num_rows(), 1);
    int n = event.tables[index]->column_count;
    for (int i = 0; i < n; ++i) EXPECT_FALSE(batch.column(i)->GetScalar(0).ValueOrDie()->is_valid) << i;
    auto op = batch.column(n)->GetScalar(0).ValueOrDie();
    auto name = static_cast<const arrow::DictionaryScalar&>(*op).GetEncodedValue().ValueOrDie();
    EXPECT_EQ(name->ToString(), "truncate");
    EXPECT_EQ(ChangeRows::Make(*event.tables[index], batch)->position(0),
              (RowPosition{1000, 900, static_cast<uint16_t>(index)}));
    EXPECT_EQ(static_cast<const arrow::UInt32Array&>(*batch.column(n + 4)).Value(0), 77u);
    EXPECT_EQ(static_cast<const arrow::TimestampArray&>(*batch.column(n + 5)).Value(0), -3);
    EXPECT_TRUE(batch.column(n + 6)->IsNull(0));
    EXPECT_TRUE(batch.column(n + 7)->IsNull(0));
  }
}

TEST(TruncateRow, NoSuchTable) {
  EXPECT_FALSE(TruncateRow(TwoTables(), 2).ok());
  EXPECT_FALSE(TruncateRow(TwoTables(), -1).ok());
}

}  // namespace
}  // namespace arrowcdc
