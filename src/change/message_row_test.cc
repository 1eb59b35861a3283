#include "src/change/message_row.h"

#include <arrow/array.h>
#include <gtest/gtest.h>

#include "arrowcdc/change_rows.h"

namespace arrowcdc {
namespace {

LogicalMessage Message() {
  return {901, "audit", arrow::Buffer::FromString(std::string("a\0\xff", 3)),
          LogicalMessage::Transaction{1000, 77, -3}};
}

TEST(MessagesTable, NoTableOfAUserHasItsName) {
  const TableSchema& table = *MessagesTable();
  EXPECT_TRUE(table.name.schema.starts_with("pg_"));  // reserved by PostgreSQL
  EXPECT_EQ(ToString(table.name), "pg_catalog._arrowcdc_messages");
  EXPECT_EQ(table.replica_identity, ReplicaIdentity::kNothing);
  EXPECT_TRUE(table.key_fields.empty());
  ASSERT_EQ(table.column_count, 3);
  EXPECT_EQ(table.schema->field(0)->ToString(), "prefix: string");
  EXPECT_EQ(table.schema->field(1)->ToString(), "content: binary");
  EXPECT_EQ(table.schema->field(2)->ToString(), "transactional: bool");
}

TEST(MessagesTable, ARowIsWhatTheMessageSays) {
  const auto row = MessageRow(Message());
  ASSERT_TRUE(row.ok()) << row.status();
  ASSERT_TRUE((*row)->ValidateFull().ok()) << (*row)->ValidateFull();
  EXPECT_TRUE((*row)->schema()->Equals(*MessagesTable()->schema, true));
  EXPECT_EQ(static_cast<const arrow::StringArray&>(*(*row)->column(0)).GetString(0), "audit");
  EXPECT_EQ(static_cast<const arrow::BinaryArray&>(*(*row)->column(1)).GetString(0),
            std::string("a\0\xff", 3));
  EXPECT_TRUE(static_cast<const arrow::BooleanArray&>(*(*row)->column(2)).Value(0));
  const auto changes = ChangeRows::Make(*MessagesTable(), **row);
  ASSERT_TRUE(changes.ok()) << changes.status();
  EXPECT_EQ(changes->op(0), Op::kInsert);
  EXPECT_EQ(changes->position(0), (RowPosition{1000, 900, 0}));
  EXPECT_EQ(changes->xid(0), 77u);
  EXPECT_EQ(changes->commit_ts(0), -3);
  EXPECT_FALSE(changes->unrepresentable().any());
}

TEST(MessagesTable, OneOfNoTransactionHasNeitherXidNorTime) {
  LogicalMessage message = Message();
  message.transaction.reset();
  message.content = arrow::Buffer::FromString("");
  const auto row = MessageRow(message).ValueOrDie();
  const auto changes = ChangeRows::Make(*MessagesTable(), *row).ValueOrDie();
  EXPECT_EQ(changes.position(0), (RowPosition{900, 900, 0}));
  EXPECT_FALSE(static_cast<const arrow::BooleanArray&>(*row->column(2)).Value(0));
  EXPECT_FALSE(changes.xid(0).has_value());
  EXPECT_FALSE(changes.commit_ts(0).has_value());
  EXPECT_TRUE(row->column(1)->IsValid(0));
  EXPECT_EQ(static_cast<const arrow::BinaryArray&>(*row->column(1)).GetView(0), "");
}

TEST(MessagesTable, APrefixThatIsTooLongIsListed) {
  LogicalMessage message = Message();
  message.prefix.reset();
  const auto row = MessageRow(message).ValueOrDie();
  ASSERT_TRUE(row->ValidateFull().ok());
  EXPECT_TRUE(row->column(0)->IsNull(0));
  EXPECT_TRUE(ChangeRows::Make(*MessagesTable(), *row)->IsUnrepresentable(0, 0));
  message.prefix = "";
  const auto empty = MessageRow(message).ValueOrDie();
  EXPECT_TRUE(empty->column(0)->IsValid(0));
}

TEST(MessagesTable, ContentThatNoColumnHoldsIsAnError) {
  LogicalMessage message = Message();
  const uint8_t byte = 0;
  message.content = std::make_shared<arrow::Buffer>(&byte, int64_t{INT32_MAX} + 1);
  EXPECT_FALSE(MessageRow(message).ok());
}

}  // namespace
}  // namespace arrowcdc
