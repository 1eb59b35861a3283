#include "src/change/table_schema.h"

#include <arrow/util/key_value_metadata.h>
#include <gtest/gtest.h>

#include "arrowcdc/error.h"
#include "tests/testing/assert_ok.h"

namespace arrowcdc {
namespace {

using enum ReplicaIdentity;

std::shared_ptr<arrow::Field> Column(const std::string& name, const std::string& key = "") {
  auto field = arrow::field(name, arrow::int32());
  return key.empty() ? field : field->WithMetadata(arrow::key_value_metadata({"arrowcdc:key"}, {key}));
}

std::vector<std::string> NamesOf(const arrow::FieldVector& columns) {
  return MakeChangeSchema(columns, nullptr)->field_names();
}

TEST(ChangeSchema, ColumnsThenMetadataColumns) {
  auto schema = MakeChangeSchema({Column("a"), Column("b")}, arrow::key_value_metadata({"k"}, {"v"}));
  auto expected = arrow::schema({
      arrow::field("a", arrow::int32()),
      arrow::field("b", arrow::int32()),
      arrow::field("_op", arrow::dictionary(arrow::int8(), arrow::utf8())),
      arrow::field("_commit_lsn", arrow::uint64()),
      arrow::field("_lsn", arrow::uint64()),
      arrow::field("_ord", arrow::uint16()),
      arrow::field("_xid", arrow::uint32()),
      arrow::field("_commit_ts", arrow::timestamp(arrow::TimeUnit::MICRO, "UTC")),
      arrow::field("_unchanged", arrow::list(arrow::utf8())),
      arrow::field("_unrepresentable", arrow::list(arrow::utf8())),
  });
  EXPECT_TRUE(schema->Equals(*expected, /*check_metadata=*/false)) << schema->ToString();
  EXPECT_EQ(*schema->metadata()->Get("k"), "v");
  EXPECT_EQ(schema->field(3)->metadata()->Get("arrowcdc:role").ValueOr(""), "commit_lsn");
  for (const auto& field : schema->fields()) EXPECT_TRUE(field->nullable());
}

TEST(ChangeSchema, TableWithoutColumns) { EXPECT_EQ(NamesOf({}).size(), 8u); }

TEST(ChangeSchema, ATakenNameGetsFurtherUnderscores) {
  EXPECT_EQ(NamesOf({Column("_op")}),
            (std::vector<std::string>{"_op", "__op", "_commit_lsn", "_lsn", "_ord", "_xid", "_commit_ts",
                                      "_unchanged", "_unrepresentable"}));
  // Each metadata column by itself, and as far as it takes.
  EXPECT_EQ(NamesOf({Column("__op"), Column("_xid"), Column("__xid"), Column("_OP"), Column("___xid")}),
            (std::vector<std::string>{"__op", "_xid", "__xid", "_OP", "___xid", "_op", "_commit_lsn", "_lsn",
                                      "_ord", "____xid", "_commit_ts", "_unchanged", "_unrepresentable"}));
}

TEST(TableSchema, KeyInTheOrderOfTheIdentity) {
  auto table =
      MakeTableSchema({"s", "t"}, 5, 6, kIndex, {Column("a", "2"), Column("b"), Column("c", "1")}, nullptr);
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_EQ((*table)->key_fields, (std::vector<int>{2, 0}));
  EXPECT_EQ((*table)->column_count, 3);
  EXPECT_EQ((*table)->table_id, 5u);
  EXPECT_EQ((*table)->fingerprint, 6u);
  EXPECT_EQ((*table)->replica_identity, kIndex);
  EXPECT_EQ((*table)->schema->num_fields(), 11);
}

TEST(TableSchema, NoKeyUnderFullAndNothing) {
  for (const ReplicaIdentity identity : {kFull, kNothing}) {
    auto table = MakeTableSchema({"s", "t"}, 5, 6, identity, {Column("a", "1")}, nullptr);
    ASSERT_TRUE(table.ok());
    EXPECT_TRUE((*table)->key_fields.empty());
  }
}

TEST(TableSchema, RefusesPlacesThatAreNotOneToN) {
  for (const char* place : {"0", "-1", "x", "", "1x", "3", "99999999999999999999", "1"}) {
    auto bad =
        arrow::field("b", arrow::int32())->WithMetadata(arrow::key_value_metadata({"arrowcdc:key"}, {place}));
    auto table = MakeTableSchema({"s", "t"}, 5, 6, kDefault, {Column("a", "1"), bad}, nullptr);
    ASSERT_FALSE(table.ok()) << place;
    EXPECT_EQ(GetErrorDetail(table.status())->kind(), ErrorKind::kProtocol);
  }
}

arrow::Result<std::shared_ptr<const TableSchema>> Weakened(const std::string& own,
                                                           const std::string& own_place) {
  auto id = arrow::field("id", arrow::int32())
                ->WithMetadata(arrow::key_value_metadata({"arrowcdc:own_key"}, {own_place}));
  return MakeTableSchema(
      {"s", "t"}, 5, 6, kNothing, {Column("v"), id},
      arrow::key_value_metadata({"arrowcdc:identity_weakened", "arrowcdc:own_replica_identity"},
                                {"s.leaf", own}));
}

TEST(TableSchema, AWeakenedTableKeepsItsOwnIdentity) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto table, Weakened("d", "1"));
  EXPECT_EQ(table->replica_identity, kNothing);
  EXPECT_TRUE(table->key_fields.empty());
  ASSERT_TRUE(table->weakened.has_value());
  EXPECT_EQ(table->weakened->partition, "s.leaf");
  EXPECT_EQ(table->weakened->own_replica_identity, kDefault);
  EXPECT_EQ(table->weakened->own_key_fields, std::vector<int>{1});
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto full, Weakened("f", "1"));
  EXPECT_TRUE(full->weakened->own_key_fields.empty());
  for (const auto& [own, place] : {std::pair{"x", "1"}, {"", "1"}, {"dd", "1"}, {"d", "2"}, {"d", "x"}}) {
    const auto bad = Weakened(own, place);
    ASSERT_FALSE(bad.ok()) << own << place;
    EXPECT_EQ(GetErrorDetail(bad.status())->kind(), ErrorKind::kProtocol);
  }
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto plain,
                                MakeTableSchema({"s", "t"}, 5, 6, kNothing, {Column("v")}, nullptr));
  EXPECT_FALSE(plain->weakened.has_value());
}

}  // namespace
}  // namespace arrowcdc
