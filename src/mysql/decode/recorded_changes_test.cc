// Recorded binlogs of changes: images that lack columns, differences of JSON, compressed transactions and
// events, values without an Arrow form, a table that changes.
#include <algorithm>
#include <string>
#include <utility>

#include <arrow/util/key_value_metadata.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "arrowcdc/error.h"
#include "src/mysql/decode/inflate.h"
#include "src/mysql/decode/testing/binlog_file.h"
#include "src/mysql/decode/testing/row_lines.h"
#include "tests/testing/assert_ok.h"

namespace arrowcdc::mysql {
namespace {

using test::RowLines;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class RecordedChanges : public ::testing::Test {
 protected:
  void Decode(const std::string& name, RowDecoderOptions options) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto events, test::Unpack(test::ReadRecorded(name)));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(decoder_, RowDecoder::Make(std::move(options)));
    ARROWCDC_ASSERT_OK(test::Feed(events, decoder_.get()));
    open_rows_ = decoder_->open_rows();
    open_bytes_ = decoder_->open_bytes();
    ARROWCDC_ASSERT_OK_AND_ASSIGN(batches_, decoder_->Flush());
    for (const ChangeBatch& batch : batches_) ARROWCDC_ASSERT_OK(batch.rows->ValidateFull());
    EXPECT_EQ(decoder_->open_rows(), 0);
    EXPECT_EQ(decoder_->open_bytes(), 0);
  }

  std::shared_ptr<const TableSchema> Schema(const std::string& table) {
    for (const ChangeBatch& batch : batches_) {
      if (batch.table->name.table == table) return batch.table;
    }
    return nullptr;
  }

  std::unique_ptr<RowDecoder> decoder_;
  std::vector<ChangeBatch> batches_;
  int64_t open_rows_ = 0;
  int64_t open_bytes_ = 0;
};

TEST_F(RecordedChanges, Items) {
  Decode("mysql_changes", {});
  const std::string j1 = R"({"a": {"b": 1}, "l": [1, 2, 3]})";
  const std::string j2 = R"({"a": {"b": 2}, "l": [1, 2, 3], "new key": "v"})";
  const std::string j3 = R"({"a": {"b": 2}, "l": [1, 3], "new key": "v"})";
  const std::string k3 = R"([{"x": 1.5}])";
  const std::string k4 = R"(["front", {"x": 1.5}])";
  std::string long_note;
  for (int i = 0; i < 2000; ++i) long_note += "long ";
  EXPECT_THAT(RowLines(batches_, "items"),
              ElementsAre("insert 1.0: 1, 10, one, first, " + j1 + ", [1], 5",  //
                          "insert 1.1: 2, 10, two, null, null, {}, 5",
                          "update_before 2.0: 1, 10, one, first, " + j1 + ", [1], 5",
                          "update_after 2.1: 1, 10, ONE, first, " + j1 + ", [1], 5",
                          // MINIMAL: the key, and what changed; the new row has the key from the old one.
                          "update_before 3.0: 1, 10, null, null, null, null, null unchanged: name note j k n",
                          "update_after 3.1: 1, 10, minimal, null, null, null, null unchanged: note j k n",
                          "insert 4.0: 3, 30, null, null, null, null, null unchanged: name note j k n",
                          "delete 5.0: 3, 30, null, null, null, null, null unchanged: name note j k n",
                          // NOBLOB: without what is large and as it was.
                          "update_before 6.0: 1, 10, minimal, null, " + j1 + ", [1], 5 unchanged: note",
                          "update_after 6.1: 1, 10, noblob, null, " + j1 + ", [1], 5 unchanged: note",
                          "update_before 7.0: 1, 10, noblob, null, " + j1 + ", [1], 5 unchanged: note",
                          "update_after 7.1: 1, 10, noblob, changed, " + j1 + ", [1], 5",
                          // PARTIAL_JSON.
                          "update_before 8.0: 1, 10, noblob, changed, " + j1 + ", [1], 5",
                          "update_after 8.1: 1, 10, noblob, changed, " + j2 + ", [1], 5",
                          "update_before 9.0: 1, 10, noblob, changed, " + j2 + ", [1], 5",
                          "update_after 9.1: 1, 10, noblob, changed, " + j3 + ", " + k3 + ", 5",
                          "update_before 10.0: 1, 10, noblob, changed, " + j3 + ", " + k3 + ", 5",
                          "update_after 10.1: 1, 10, noblob, changed, " + j3 + ", " + k4 + ", 5",
                          "update_before 11.0: 1, 10, noblob, changed, " + j3 + ", " + k4 + ", 5",
                          "update_after 11.1: 1, 10, partial, changed, " + j3 + ", " + k4 + ", 5",
                          // Of a compressed transaction; rows of more than 8 KB end an event.
                          "insert 12.0: 4, 40, zzzzzzzzzzzzzzzzzzzz, " + long_note + ", null, null, 5",
                          "insert 13.0: 5, 50, five, x, null, null, 5",
                          "delete 14.0: 4, 40, zzzzzzzzzzzzzzzzzzzz, " + long_note + ", null, null, 5",
                          // Behind ADD COLUMN.
                          "insert 15.0: 6, 60, null, null, null, null, 5, 66"));
  EXPECT_EQ(open_rows_, 2 + 24 + 4);
  EXPECT_GT(open_bytes_, int64_t{20'000});
}

TEST_F(RecordedChanges, SchemaOfItems) {
  Decode("mysql_changes", {});
  const auto items = Schema("items");
  ASSERT_NE(items, nullptr);
  EXPECT_EQ(items->name, (TableName{"d", "items"}));
  EXPECT_EQ(items->replica_identity, ReplicaIdentity::kDefault);
  EXPECT_THAT(items->key_fields, ElementsAre(1, 0));  // PRIMARY KEY(part, id)
  EXPECT_EQ(items->column_count, 7);
  const auto metadata = [&](int field, const char* key) {
    return items->schema->field(field)->metadata()->Get(key).ValueOr("none");
  };
  EXPECT_EQ(metadata(6, "arrowcdc:invisible"), "true");
  EXPECT_EQ(metadata(0, "arrowcdc:invisible"), "none");
  EXPECT_EQ(metadata(0, "arrowcdc:mysql_type"), "int");
  EXPECT_EQ(metadata(3, "arrowcdc:mysql_type"), "text");
  EXPECT_EQ(metadata(3, "arrowcdc:mysql_charset"), "utf8mb4");
  EXPECT_EQ(metadata(4, "arrowcdc:mysql_type"), "json");
  EXPECT_EQ(items->schema->field(4)->type()->ToString(), "extension<arrow.json>");
  EXPECT_EQ(items->schema->metadata()->Get("arrowcdc:table").ValueOr(""), "items");
  const auto keyless = Schema("keyless");
  ASSERT_NE(keyless, nullptr);
  EXPECT_EQ(keyless->replica_identity, ReplicaIdentity::kFull);
  EXPECT_TRUE(keyless->key_fields.empty());
  EXPECT_NE(keyless->table_id, items->table_id);
  EXPECT_NE(keyless->fingerprint, items->fingerprint);
}

// Made anew by another session, a schema is the same; after ALTER TABLE it is not, and the table is.
TEST_F(RecordedChanges, VersionsOfATable) {
  Decode("mysql_changes", {});
  std::vector<std::shared_ptr<const TableSchema>> versions;
  for (const ChangeBatch& batch : batches_) {
    if (batch.table->name.table == "items") versions.push_back(batch.table);
  }
  ASSERT_EQ(versions.size(), 2u);
  EXPECT_NE(versions[0]->fingerprint, versions[1]->fingerprint);
  EXPECT_EQ(versions[0]->table_id, versions[1]->table_id);
  const auto before = versions;
  Decode("mysql_changes", {});
  EXPECT_EQ(Schema("items")->fingerprint, before[0]->fingerprint);
  EXPECT_EQ(Schema("items")->table_id, before[0]->table_id);
}

TEST_F(RecordedChanges, WithoutAKey) {
  Decode("mysql_changes", {});
  EXPECT_THAT(RowLines(batches_, "keyless"), ElementsAre("insert 16.0: 1, x", "update_before 17.0: 1, x",
                                                         "update_after 17.1: 1, y", "delete 18.0: 1, y"));
}

TEST_F(RecordedChanges, ValuesWithoutAForm) {
  for (const auto& [name, flavor] :
       {std::pair("mysql_changes", Flavor::kMysql), std::pair("mariadb_changes", Flavor::kMariadb)}) {
    Decode(name, {.flavor = flavor});
    EXPECT_THAT(RowLines(batches_, "zeros"),
                ElementsAre("insert 0.0: 1, null, null, null, , a unrepresentable: da dt ts",
                            "insert 0.1: 2, null, null, null, a, b unrepresentable: da dt"))
        << name;
  }
}

TEST_F(RecordedChanges, ValuesWithoutAFormAreAnErrorWhereAskedFor) {
  const auto events = test::ReadRecorded("mysql_changes");
  ARROWCDC_ASSERT_OK_AND_ASSIGN(decoder_, RowDecoder::Make({.unrepresentable = Unrepresentable::kError}));
  ARROWCDC_ASSERT_OK(test::Feed(events, decoder_.get()));
  const arrow::Status status = decoder_->Flush().status();
  ASSERT_NE(GetErrorDetail(status), nullptr) << status.ToString();
  EXPECT_EQ(GetErrorDetail(status)->kind(), ErrorKind::kUnsupported);
  EXPECT_THAT(status.ToString(), HasSubstr("zeros"));
}

TEST_F(RecordedChanges, CompressedByMariadb) {
  Decode("mariadb_changes", {.flavor = Flavor::kMariadb});
  std::string long_note;
  for (int i = 0; i < 200; ++i) long_note += "long ";
  EXPECT_THAT(
      RowLines(batches_, "items"),
      ElementsAre("insert 1.0: 1, 10, one, " + long_note, "insert 1.1: 2, 10, two, null",
                  "update_before 2.0: 1, 10, one, " + long_note, "update_after 2.1: 1, 10, ONE, " + long_note,
                  "delete 3.0: 1, 10, ONE, " + long_note));
}

TEST_F(RecordedChanges, CompressedStatementOfMariadb) {
  const auto events = test::ReadRecorded("mariadb_changes");
  const auto found =
      std::find_if(events.begin(), events.end(), [](const auto& one) { return one.type == 165; });
  ASSERT_NE(found, events.end());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto query, InflateQuery(found->body));
  const std::string text(query.begin(), query.end());
  EXPECT_THAT(text, HasSubstr(std::string("d\0CREATE TABLE statements(id INT, column_number_1 INT,", 52)));
  EXPECT_TRUE(text.ends_with("column_number_14 INT)")) << text;
}

TEST_F(RecordedChanges, TablesThatAreNotWanted) {
  std::vector<TableName> asked;
  Decode("mysql_changes", {.wanted = [&asked](const TableName& name) {
           asked.push_back(name);
           return name.table == "keyless";
         }});
  EXPECT_TRUE(RowLines(batches_, "items").empty());
  EXPECT_EQ(RowLines(batches_, "keyless").size(), 4u);
  EXPECT_THAT(asked,
              ElementsAre(TableName{"d", "zeros"}, TableName{"d", "items"}, TableName{"d", "keyless"}));
}

}  // namespace
}  // namespace arrowcdc::mysql
