// The decoder with events written by hand: what they mean, what is refused, and by which words.
#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "arrowcdc/change_rows.h"
#include "arrowcdc/error.h"
#include "src/mysql/decode/row_decoder.h"
#include "src/mysql/decode/testing/event_bytes.h"
#include "src/mysql/decode/testing/row_lines.h"
#include "tests/testing/assert_ok.h"

namespace arrowcdc::mysql {
namespace {

using test::Bytes;
using test::EventBytes;
using test::MapBytes;
using test::RowLines;
using test::RowsBody;
using test::TableMapBody;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr uint8_t kWrite = 30;
constexpr uint8_t kUpdate = 31;
constexpr uint8_t kDelete = 32;
constexpr uint8_t kPartialUpdate = 39;

// id INT PRIMARY KEY, name VARCHAR(10)
MapBytes People() {
  return {.types = {3, 15},
          .numbers = {40, 0},
          .names = {"id", "name"},
          .signedness = {0x00},
          .collations = {45},
          .key = {0}};
}

Bytes Person(uint32_t id, std::string_view name) {
  return EventBytes().Byte(0).Number(id, 4).Packed(name).bytes();
}

class Decoder : public ::testing::Test {
 protected:
  void Make(RowDecoderOptions options = {}) { decoder_ = RowDecoder::Make(std::move(options)).ValueOrDie(); }
  void SetUp() override { Make(); }

  void CheckError(const arrow::Status& status, ErrorKind kind, const std::string& object,
                  const std::string& what) {
    const ErrorDetail* const detail = GetErrorDetail(status);
    ASSERT_NE(detail, nullptr) << status.ToString();
    EXPECT_EQ(detail->kind(), kind) << status.ToString();
    EXPECT_EQ(detail->object(), object);
    EXPECT_THAT(status.message(), HasSubstr(what));
  }

  std::vector<std::string> Lines(const std::string& table = "t") {
    auto batches = decoder_->Flush();
    EXPECT_TRUE(batches.ok()) << batches.status().ToString();
    return RowLines(batches.ValueOrDie(), table);
  }

  std::unique_ptr<RowDecoder> decoder_;
};

TEST_F(Decoder, RowsOfAnEvent) {
  ARROWCDC_ASSERT_OK(decoder_->AddTableMap(TableMapBody(People())));
  const Bytes rows = EventBytes().Add(Person(1, "a")).Add({0x02, 2, 0, 0, 0}).bytes();
  ARROWCDC_ASSERT_OK(decoder_->AddRows(kWrite, RowsBody(7, 2, 1, rows), {.event = 4}));
  const Bytes update = EventBytes().Add(Person(1, "a")).Add(Person(0xffffffff, "b")).bytes();
  ARROWCDC_ASSERT_OK(decoder_->AddRows(kUpdate, RowsBody(7, 2, 2, update), {.event = 5}));
  ARROWCDC_ASSERT_OK(decoder_->AddRows(kDelete, RowsBody(7, 2, 1, Person(3, "")), {.event = 6}));
  EXPECT_EQ(decoder_->open_rows(), 5);
  EXPECT_THAT(Lines(), ElementsAre("insert 4.0: 1, a", "insert 4.1: 2, null", "update_before 5.0: 1, a",
                                   "update_after 5.1: -1, b", "delete 6.0: 3, "));
  EXPECT_TRUE(Lines().empty());
}

// MySQL 5.1 to 5.5 and MariaDB write them so: without a piece behind the flags.
TEST_F(Decoder, RowsOfVersion1) {
  ARROWCDC_ASSERT_OK(decoder_->AddTableMap(TableMapBody(People())));
  const Bytes body = EventBytes().Number(7, 6).Number(0, 2).Byte(2).Byte(3).Add(Person(1, "a")).bytes();
  ARROWCDC_ASSERT_OK(decoder_->AddRows(23, body, {}));
  ARROWCDC_ASSERT_OK(decoder_->AddRows(25, body, {}));
  EXPECT_THAT(Lines(), ElementsAre("insert 0.0: 1, a", "delete 0.0: 1, a"));
}

// Bits of no column are set by MariaDB, and mean nothing.
TEST_F(Decoder, BitsBehindTheLastColumn) {
  ARROWCDC_ASSERT_OK(decoder_->AddTableMap(TableMapBody(People())));
  const Bytes rows = EventBytes().Byte(0xfc).Number(1, 4).Packed("a").Byte(0xfe).Number(2, 4).bytes();
  ARROWCDC_ASSERT_OK(decoder_->AddRows(kWrite, RowsBody(7, 2, 1, rows), {}));
  EXPECT_THAT(Lines(), ElementsAre("insert 0.0: 1, a", "insert 0.1: 2, null"));
}

TEST_F(Decoder, MetadataColumns) {
  ARROWCDC_ASSERT_OK(decoder_->AddTableMap(TableMapBody(People())));
  const RowContext context{.commit_lsn = 77, .event = (uint64_t{1} << 48) - 1, .commit_ts = -5, .xid = 9};
  ARROWCDC_ASSERT_OK(decoder_->AddRows(kWrite, RowsBody(7, 2, 1, Person(1, "a")), context));
  ARROWCDC_ASSERT_OK(decoder_->AddRows(kWrite, RowsBody(7, 2, 1, Person(1, "a")), {.commit_lsn = 78}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto batches, decoder_->Flush());
  ASSERT_EQ(batches.size(), 1u);
  EXPECT_FALSE(batches[0].group.safe.has_value());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto rows, ChangeRows::Make(*batches[0].table, *batches[0].rows));
  EXPECT_EQ(rows.position(0), (RowPosition{77, 0xffffffffffff0000, 0}));
  EXPECT_EQ(rows.xid(0), 9u);
  EXPECT_EQ(rows.commit_ts(0), -5);
  EXPECT_EQ(rows.position(1), (RowPosition{78, 0, 0}));
  EXPECT_EQ(rows.xid(1), std::nullopt);
  const arrow::Status status =
      decoder_->AddRows(kWrite, RowsBody(7, 2, 1, Person(1, "a")), {.event = uint64_t{1} << 48});
  CheckError(status, ErrorKind::kUnsupported, "table d.t", "more rows events");
}

// The number of a row in its event goes over 16 bits.
TEST_F(Decoder, ManyRowsInAnEvent) {
  ARROWCDC_ASSERT_OK(decoder_->AddTableMap(TableMapBody(People())));
  EventBytes updates;
  constexpr int kUpdates = 32'769;
  for (int i = 0; i < kUpdates; ++i) updates.Add(Person(1, "a")).Add(Person(2, "b"));
  ARROWCDC_ASSERT_OK(decoder_->AddRows(kUpdate, RowsBody(7, 2, 2, updates.bytes()), {.event = 3}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto batches, decoder_->Flush());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto rows, ChangeRows::Make(*batches[0].table, *batches[0].rows));
  ASSERT_EQ(rows.num_rows(), 2 * kUpdates);
  EXPECT_EQ(rows.position(65'535), (RowPosition{0, 0x30000, 65'535}));
  EXPECT_EQ(rows.position(65'536), (RowPosition{0, 0x30001, 0}));
  EXPECT_EQ(rows.position(65'537), (RowPosition{0, 0x30001, 1}));
}

TEST_F(Decoder, TableOfAnEvent) {
  Make({.wanted = [](const TableName& name) { return name.table != "u"; }});
  MapBytes other = People();
  other.table = "u";
  other.table_id = 8;
  other.names = {};  // nobody wants it, so its metadata may be any
  ARROWCDC_ASSERT_OK(decoder_->AddTableMap(TableMapBody(People())));
  ARROWCDC_ASSERT_OK(decoder_->AddTableMap(TableMapBody(other)));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(auto table, decoder_->TableOf(kWrite, RowsBody(7, 2, 1, {}, 0)));
  EXPECT_EQ(table.name, (TableName{"d", "t"}));
  EXPECT_TRUE(table.wanted);
  EXPECT_FALSE(table.statement_end);
  ARROWCDC_ASSERT_OK_AND_ASSIGN(table, decoder_->TableOf(kWrite, RowsBody(8, 2, 1, {}, 1)));
  EXPECT_EQ(table.name, (TableName{"d", "u"}));
  EXPECT_FALSE(table.wanted);
  EXPECT_TRUE(table.statement_end);
  ARROWCDC_ASSERT_OK(decoder_->AddRows(kWrite, RowsBody(8, 2, 1, {1, 2, 3}), {}));
  EXPECT_EQ(decoder_->open_rows(), 0);

  // Of no table: it ends a statement.
  for (const uint64_t dummy : {uint64_t{0xffffff}, uint64_t{0xffffffffffff}}) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(table, decoder_->TableOf(kWrite, RowsBody(dummy, 0, 1, {}, 1)));
    EXPECT_EQ(table.name, TableName{});
    EXPECT_TRUE(table.statement_end);
    ARROWCDC_ASSERT_OK(decoder_->AddRows(kWrite, RowsBody(dummy, 0, 1, {}, 1), {}));
  }

  decoder_->ForgetTableMaps();
  CheckError(decoder_->AddRows(kWrite, RowsBody(7, 2, 1, Person(1, "a")), {}), ErrorKind::kProtocol,
             "table number 7", "whose map did not come");
  CheckError(decoder_->TableOf(kWrite, RowsBody(7, 2, 1, {})).status(), ErrorKind::kProtocol,
             "table number 7", "whose map did not come");
  CheckError(decoder_->AddRows(29, {}, {}), ErrorKind::kUnsupported, "event type 29", "not read as rows");
}

// Table ids come and go; what is said is the same table.
TEST_F(Decoder, TheSameTableUnderAnotherId) {
  ARROWCDC_ASSERT_OK(decoder_->AddTableMap(TableMapBody(People())));
  ARROWCDC_ASSERT_OK(decoder_->AddRows(kWrite, RowsBody(7, 2, 1, Person(1, "a")), {}));
  decoder_->ForgetTableMaps();
  MapBytes again = People();
  again.table_id = 9;
  ARROWCDC_ASSERT_OK(decoder_->AddTableMap(TableMapBody(again)));
  ARROWCDC_ASSERT_OK(decoder_->AddRows(kWrite, RowsBody(9, 2, 1, Person(2, "b")), {}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto batches, decoder_->Flush());
  ASSERT_EQ(batches.size(), 1u);
  EXPECT_EQ(batches[0].rows->num_rows(), 2);
}

// The rows of before keep their schema, and come first.
TEST_F(Decoder, ATableThatChanges) {
  ARROWCDC_ASSERT_OK(decoder_->AddTableMap(TableMapBody(People())));
  ARROWCDC_ASSERT_OK(decoder_->AddRows(kWrite, RowsBody(7, 2, 1, Person(1, "a")), {}));
  MapBytes renamed = People();
  renamed.names = {"id", "surname"};
  ARROWCDC_ASSERT_OK(decoder_->AddTableMap(TableMapBody(renamed)));
  ARROWCDC_ASSERT_OK(decoder_->AddRows(kWrite, RowsBody(7, 2, 1, Person(2, "b")), {.event = 1}));
  EXPECT_EQ(decoder_->open_rows(), 2);
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto batches, decoder_->Flush());
  ASSERT_EQ(batches.size(), 2u);
  EXPECT_EQ(batches[0].table->schema->field(1)->name(), "name");
  EXPECT_EQ(batches[1].table->schema->field(1)->name(), "surname");
  EXPECT_EQ(batches[0].table->table_id, batches[1].table->table_id);
  EXPECT_NE(batches[0].table->fingerprint, batches[1].table->fingerprint);
  EXPECT_THAT(RowLines(batches, "t"), ElementsAre("insert 0.0: 1, a", "insert 1.0: 2, b"));
}

TEST_F(Decoder, MetadataThatIsNotFull) {
  MapBytes people = People();
  people.names = {};
  const arrow::Status status = decoder_->AddTableMap(TableMapBody(people));
  CheckError(status, ErrorKind::kServerSetting, "table d.t", "without the names of its columns");
  EXPECT_THAT(GetErrorDetail(status)->remedy(), HasSubstr("binlog_row_metadata=FULL"));
}

TEST_F(Decoder, AnEventIsTakenWholeOrNotAtAll) {
  ARROWCDC_ASSERT_OK(decoder_->AddTableMap(TableMapBody(People())));
  ARROWCDC_ASSERT_OK(decoder_->AddRows(kWrite, RowsBody(7, 2, 1, Person(1, "a")), {}));
  Bytes rows = EventBytes().Add(Person(2, "b")).Add(Person(3, "c")).bytes();
  rows.pop_back();
  CheckError(decoder_->AddRows(kWrite, RowsBody(7, 2, 1, rows), {}), ErrorKind::kProtocol,
             "column name of table d.t", "byte 7 of an event's rows");
  CheckError(decoder_->AddRows(kUpdate, RowsBody(7, 2, 2, Person(2, "b")), {}), ErrorKind::kProtocol,
             "table d.t", "goes over the end");
  CheckError(decoder_->AddRows(kWrite, RowsBody(7, 3, 1, {}), {}), ErrorKind::kProtocol, "table d.t",
             "has 3 columns, its table map 2");
  EXPECT_THAT(Lines(), ElementsAre("insert 0.0: 1, a"));
}

TEST_F(Decoder, TextThatIsNotUtf8) {
  ARROWCDC_ASSERT_OK(decoder_->AddTableMap(TableMapBody(People())));
  const Bytes rows = EventBytes().Add(Person(1, "\xff\xfe")).Add(Person(2, "\xc3\xa4")).bytes();
  ARROWCDC_ASSERT_OK(decoder_->AddRows(kWrite, RowsBody(7, 2, 1, rows), {}));
  EXPECT_THAT(Lines(), ElementsAre("insert 0.0: 1, null unrepresentable: name", "insert 0.1: 2, ä"));
}

// A row that says nothing could come any number of times.
TEST_F(Decoder, ImagesWithoutColumns) {
  ARROWCDC_ASSERT_OK(decoder_->AddTableMap(TableMapBody(People())));
  const Bytes body = EventBytes().Number(7, 6).Number(1, 2).Number(2, 2).Byte(2).Byte(0).bytes();
  CheckError(decoder_->AddRows(kWrite, body, {}), ErrorKind::kUnsupported, "table d.t",
             "without a single column");
}

// What is new alone, without the old document (binlog_row_image=MINIMAL), cannot become a document.
TEST_F(Decoder, AJsonDifferenceWithoutTheOldDocument) {
  ARROWCDC_ASSERT_OK(decoder_->AddTableMap(TableMapBody(
      {.types = {3, 245}, .numbers = {4}, .names = {"id", "j"}, .signedness = {0x00}, .key = {0}})));
  EventBytes body;
  body.Number(7, 6).Number(1, 2).Number(2, 2).Byte(2).Byte(0x01).Byte(0x02);
  body.Byte(0).Number(1, 4);  // the old row: id
  body.Byte(1).Byte(1);       // options, and the one JSON column is a difference
  body.Byte(0).Number(4, 4).Byte(2).Packed("$a");
  const arrow::Status status = decoder_->AddRows(kPartialUpdate, body.bytes(), {});
  CheckError(status, ErrorKind::kUnsupported, "column j of table d.t", "not the old document");
  EXPECT_THAT(GetErrorDetail(status)->remedy(), HasSubstr("binlog_row_image=FULL"));
}

}  // namespace
}  // namespace arrowcdc::mysql
