// Sessions by hand: rows, positions, identities, groups, and everything damaged.
#include "src/postgres/decode/pgoutput/pgoutput_decoder.h"

#include <arrow/array.h>
#include <arrow/extension_type.h>
#include <arrow/json/from_string.h>
#include <gtest/gtest.h>

#include "arrowcdc/change_rows.h"
#include "arrowcdc/error.h"
#include "arrowcdc/messages_table.h"
#include "src/change/table_schema.h"
#include "src/postgres/decode/pgoutput/testing/session.h"
#include "tests/testing/assert_ok.h"

namespace arrowcdc::test {
namespace {

using std::string;

constexpr uint32_t kEpoch = 3;
constexpr uint32_t kItems = 5000;
constexpr uint32_t kPart = 5100;

class Pgoutput : public testing::Test {
 protected:
  void Restart(const PgoutputOptions& options = {}) {
    decoder_ = std::make_unique<PgoutputDecoder>(arrow::default_memory_pool(), kEpoch, &catalog_, options);
  }
  void SetUp() override { Restart(); }

  arrow::Status Send(const std::vector<SentMessage>& messages) {
    for (const SentMessage& message : messages) {
      ARROW_RETURN_NOT_OK(decoder_->Decode(message.bytes, message.lsn));
    }
    return arrow::Status::OK();
  }
  std::vector<Event> Events() {
    std::vector<Event> events;
    while (true) {
      auto event = decoder_->Next();
      ARROWCDC_EXPECT_OK(event);
      if (!event.ok() || (!event->has_value() && !decoder_->has_more())) return events;
      if (event->has_value()) events.push_back(std::move(**event));
    }
  }
  std::vector<Event> Flushed() {
    ARROWCDC_EXPECT_OK(decoder_->Flush());
    return Events();
  }
  // What the messages give, a batch at the end included.
  ChangeBatch OneBatch(const std::vector<SentMessage>& messages) {
    ARROWCDC_EXPECT_OK(Send(messages));
    auto events = Flushed();
    EXPECT_EQ(events.size(), 1u);
    ARROWCDC_EXPECT_OK(std::get<ChangeBatch>(events.at(0)).rows->ValidateFull());
    return std::get<ChangeBatch>(events.at(0));
  }

  static void Check(const ChangeBatch& batch, const string& name, const string& json) {
    std::shared_ptr<arrow::Array> column = batch.rows->GetColumnByName(name);
    ASSERT_NE(column, nullptr) << name;
    if (const auto* extension = dynamic_cast<const arrow::ExtensionArray*>(column.get()))
      column = extension->storage();
    const auto wanted = arrow::json::ArrayFromJSONString(column->type(), json).ValueOrDie();
    EXPECT_TRUE(wanted->Equals(*column)) << name << ": " << column->ToString();
  }
  static std::vector<string> Ops(const ChangeBatch& batch) {
    const auto rows = ChangeRows::Make(*batch.table, *batch.rows).ValueOrDie();
    std::vector<string> ops;
    for (int64_t row = 0; row < rows.num_rows(); ++row) ops.emplace_back(OpName(rows.op(row)));
    return ops;
  }
  void ExpectProtocolError(const std::vector<SentMessage>& messages, const string& part) {
    SCOPED_TRACE(part);
    Restart();
    const arrow::Status status = Send(messages);
    ASSERT_NE(GetErrorDetail(status), nullptr) << status.ToString();
    EXPECT_EQ(GetErrorDetail(status)->kind(), ErrorKind::kProtocol);
    EXPECT_NE(status.message().find(part), string::npos) << status.message();
  }

  static SentMessage Begin(uint64_t commit_lsn, uint32_t xid = 700) {
    return {0, BeginBytes(commit_lsn, xid, 5)};
  }
  static SentMessage Commit(uint64_t commit_lsn) { return {0, CommitBytes(commit_lsn, commit_lsn + 10)}; }
  static SentMessage Items(char identity = 'd') {
    return {
        0, RelationBytes(kItems, "items", identity, {{"id", kInt4, true}, {"name", kText, identity == 'f'}})};
  }
  static SentMessage Item(uint64_t lsn, int id, const Part& name = "x") {
    return {lsn, InsertBytes(kItems, TextTuple({std::to_string(id), name}))};
  }

  TestRelationCatalog catalog_;
  std::unique_ptr<PgoutputDecoder> decoder_;
};

TEST_F(Pgoutput, RowsAndMetadata) {
  const ChangeBatch batch =
      OneBatch({Begin(1000),
                Items(),
                Item(100, 1, "one"),
                {110, UpdateBytes(kItems, TextTuple({"1", std::nullopt}))},
                {120, UpdateBytes(kItems, 'K', TextTuple({"1", std::nullopt}), TextTuple({"2", "two"}))},
                {130, DeleteBytes(kItems, 'K', TextTuple({"2", std::nullopt}))},
                Commit(1000)});
  EXPECT_EQ(batch.table->name, (TableName{"public", "items"}));
  EXPECT_EQ(batch.table->table_id, kItems);
  EXPECT_EQ(batch.table->replica_identity, ReplicaIdentity::kDefault);
  EXPECT_EQ(batch.table->key_fields, std::vector<int>{0});
  Check(batch, "id", "[1, 1, 1, 2, 2]");
  Check(batch, "name", R"(["one", null, null, "two", null])");
  EXPECT_EQ(Ops(batch),
            (std::vector<string>{"insert", "update_after", "update_before", "update_after", "delete"}));
  Check(batch, "_commit_lsn", "[1000, 1000, 1000, 1000, 1000]");
  Check(batch, "_lsn", "[100, 110, 120, 120, 130]");
  Check(batch, "_ord", "[0, 0, 0, 1, 0]");
  Check(batch, "_xid", "[700, 700, 700, 700, 700]");
  const auto& times = static_cast<const arrow::TimestampArray&>(*batch.rows->GetColumnByName("_commit_ts"));
  EXPECT_EQ(times.Value(0), 946'684'800'000'005);  // 2000-01-01 and 5 us
  Check(batch, "_unchanged", "[null, null, null, null, null]");
  Check(batch, "_unrepresentable", "[null, null, null, null, null]");
  EXPECT_EQ(batch.group.safe, (Position{kEpoch, 1010}));
  EXPECT_TRUE(batch.group.group_end);
  EXPECT_FALSE(batch.group.txn_incomplete);
  EXPECT_FALSE(batch.group.dirty);
  EXPECT_FALSE(decoder_->holds());
}

// Only rows count, and only those of one record and one transaction.
TEST_F(Pgoutput, PlaceInTheRecord) {
  const ChangeBatch batch = OneBatch({Begin(1000),
                                      Items(),
                                      Item(100, 1),
                                      Items(),
                                      Item(100, 2),
                                      {0, "O" + Be64(1) + String("o")},
                                      Item(100, 3),
                                      Item(110, 4),
                                      Commit(1000),
                                      Begin(2000),
                                      Item(110, 5),
                                      Commit(2000)});
  Check(batch, "_ord", "[0, 1, 2, 0, 0]");
}

TEST_F(Pgoutput, ValuesThatWereNotSent) {
  const std::vector<SentMessage> rows = {
      {110, UpdateBytes(kItems, TupleOf({TextCell("1"), UnchangedCell()}))},
      {120, UpdateBytes(kItems, 'O', TextTuple({"1", "old"}), TupleOf({TextCell("1"), UnchangedCell()}))},
      {130,
       UpdateBytes(kItems, 'K', TextTuple({"1", std::nullopt}), TupleOf({UnchangedCell(), UnchangedCell()}))},
  };
  const ChangeBatch batch = OneBatch({Begin(1000), Items(), rows[0], rows[1], rows[2], Commit(1000)});
  Check(batch, "id", "[1, 1, 1, 1, 1]");
  Check(batch, "name", R"([null, "old", "old", null, null])");
  Check(batch, "_unchanged", R"([["name"], null, null, null, ["name"]])");
}

TEST_F(Pgoutput, BothForms) {
  const SentMessage relation = {
      0, RelationBytes(kItems, "items", 'n', {{"n", kInt8}, {"d", kDate}, {"j", kJsonb}})};
  const auto row = [](const string& n, const string& d, const string& j) {
    return InsertBytes(kItems, TupleOf({n, d, j}));
  };
  const ChangeBatch batch =
      OneBatch({Begin(1000),
                relation,
                {100, row(TextCell("-7"), TextCell("2000-01-01"), TextCell("{\"a\": 1}"))},
                {110, row(BinaryCell(Be64(-7)), BinaryCell(Be32(0)), BinaryCell("\x01{\"a\": 1}"))},
                Commit(1000)});
  Check(batch, "n", "[-7, -7]");
  Check(batch, "d", "[10957, 10957]");
  Check(batch, "j", R"(["{\"a\": 1}", "{\"a\": 1}"])");
}

TEST_F(Pgoutput, ValuesWithoutForm) {
  const SentMessage relation = {0, RelationBytes(kItems, "items", 'd', {{"id", kInt4, true}, {"d", kDate}})};
  const ChangeBatch batch = OneBatch(
      {Begin(1000), relation, {100, InsertBytes(kItems, TextTuple({"1", "infinity"}))}, Commit(1000)});
  Check(batch, "d", "[null]");
  Check(batch, "_unrepresentable", R"([["d"]])");
}

TEST_F(Pgoutput, UnknownBinaryFormAsksForText) {
  const SentMessage relation = {0, RelationBytes(kItems, "items", 'n', {{"p", kPoint}})};
  ARROWCDC_ASSERT_OK(Send({Begin(1000), relation, {100, InsertBytes(kItems, TextTuple({"(1,2)"}))}}));
  EXPECT_FALSE(decoder_->needs_text());
  const arrow::Status status = Send({{110, InsertBytes(kItems, TupleOf({BinaryCell(string(16, '\0'))}))}});
  ASSERT_NE(GetErrorDetail(status), nullptr) << status.ToString();
  EXPECT_EQ(GetErrorDetail(status)->kind(), ErrorKind::kUnsupported);
  EXPECT_TRUE(GetErrorDetail(status)->retryable());
  EXPECT_TRUE(decoder_->needs_text());
  EXPECT_EQ(GetErrorDetail(decoder_->Decode("x", 0))->kind(), ErrorKind::kInternal);  // used after an error
}

TEST_F(Pgoutput, Truncates) {
  const SentMessage other = {0, RelationBytes(5001, "Other", 'n', {{"a", kInt4}})};
  ARROWCDC_ASSERT_OK(Send({Begin(1000),
                           Items(),
                           Item(100, 1),
                           other,
                           {110, TruncateBytes({5001, kItems}, 1)},
                           {120, TruncateBytes({kItems}, 2)},
                           Commit(1000)}));
  const auto events = Events();  // of a commit behind a truncate at once
  ASSERT_EQ(events.size(), 4u);
  const auto& rows = std::get<ChangeBatch>(events[0]);
  EXPECT_FALSE(rows.group.group_end);
  EXPECT_TRUE(rows.group.txn_incomplete);
  const auto& first = std::get<TruncateEvent>(events[1]);
  ASSERT_EQ(first.tables.size(), 2u);
  EXPECT_EQ(first.tables[0]->name.table, "Other");
  EXPECT_EQ(first.tables[1]->name.table, "items");
  EXPECT_TRUE(first.cascade);
  EXPECT_FALSE(first.restart_identity);
  EXPECT_EQ(first.commit_lsn, 1000u);
  EXPECT_EQ(first.lsn, 110u);
  EXPECT_EQ(first.xid, 700u);
  EXPECT_EQ(first.commit_ts, 946'684'800'000'005);
  EXPECT_FALSE(first.group.group_end);
  const auto& second = std::get<TruncateEvent>(events[2]);
  EXPECT_FALSE(second.cascade);
  EXPECT_TRUE(second.restart_identity);
  const auto& end = std::get<ProgressEvent>(events[3]);
  EXPECT_TRUE(end.group.group_end);
  EXPECT_EQ(end.group.safe, (Position{kEpoch, 1010}));
}

TEST_F(Pgoutput, LogicalMessages) {
  const string content("\0\xff", 2);
  ARROWCDC_ASSERT_OK(Send({Begin(1000),
                           Items(),
                           Item(100, 1),
                           {0, MessageBytes(true, 201, "in", content)},
                           Item(210, 2),
                           Commit(1000)}));
  const auto events = Events();  // of a commit behind a message at once
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(std::get<ChangeBatch>(events[0]).rows->num_rows(), 1);
  const auto& message = std::get<ChangeBatch>(events[1]);
  EXPECT_EQ(message.table, MessagesTable());
  ARROWCDC_EXPECT_OK(message.rows->ValidateFull());
  Check(message, "prefix", R"(["in"])");
  EXPECT_EQ(static_cast<const arrow::BinaryArray&>(*message.rows->column(1)).GetString(0), content);
  Check(message, "transactional", "[true]");
  Check(message, "_commit_lsn", "[1000]");
  Check(message, "_lsn", "[200]");
  Check(message, "_ord", "[0]");
  Check(message, "_xid", "[700]");
  EXPECT_EQ(ChangeRows::Make(*message.table, *message.rows)->commit_ts(0), 946'684'800'000'005);
  EXPECT_FALSE(message.group.group_end);
  EXPECT_TRUE(message.group.txn_incomplete);
  const auto& last = std::get<ChangeBatch>(events[2]);
  EXPECT_EQ(last.rows->num_rows(), 1);
  EXPECT_TRUE(last.group.group_end);
  EXPECT_EQ(last.group.safe, (Position{kEpoch, 1010}));
}

// What was held goes first, as a group that ends; then the message as another one.
TEST_F(Pgoutput, LogicalMessagesOfNoTransaction) {
  ARROWCDC_ASSERT_OK(
      Send({Begin(1000), Items(), Item(100, 1), Commit(1000), {0, MessageBytes(false, 1101, "", "")}}));
  auto events = Events();
  ASSERT_EQ(events.size(), 2u);
  EXPECT_TRUE(std::get<ChangeBatch>(events[0]).group.group_end);
  EXPECT_EQ(std::get<ChangeBatch>(events[0]).group.safe, (Position{kEpoch, 1010}));
  const auto& message = std::get<ChangeBatch>(events[1]);
  Check(message, "prefix", R"([""])");
  Check(message, "content", R"([""])");
  Check(message, "transactional", "[false]");
  Check(message, "_commit_lsn", "[1100]");
  Check(message, "_lsn", "[1100]");
  Check(message, "_xid", "[null]");
  Check(message, "_commit_ts", "[null]");
  EXPECT_TRUE(message.group.group_end);
  EXPECT_FALSE(message.group.txn_incomplete);
  EXPECT_EQ(message.group.safe, (Position{kEpoch, 1101}));
  EXPECT_FALSE(decoder_->holds());
  // Behind a group that is open: its end comes with what was held.
  ARROWCDC_ASSERT_OK(Send({Begin(2000), Item(1900, 2)}));
  ASSERT_EQ(Flushed().size(), 1u);
  ARROWCDC_ASSERT_OK(Send({Commit(2000), {0, MessageBytes(false, 2101, "p", "")}}));
  events = Events();
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(std::get<ProgressEvent>(events[0]).group.safe, (Position{kEpoch, 2010}));
  EXPECT_TRUE(std::get<ChangeBatch>(events[1]).group.group_end);
}

TEST_F(Pgoutput, PrefixesOfAnyBytes) {
  const auto prefix = [&](const string& bytes) {
    Restart();
    ARROWCDC_EXPECT_OK(Send({{0, MessageBytes(false, 101, bytes, "")}}));
    return std::get<ChangeBatch>(Events().at(0));
  };
  Check(prefix("caf\xe9\\"), "prefix", R"(["\ufffdcaf\\xe9\\\\"])");
  Check(prefix(string(65535, 'x')), "prefix", "[\"" + string(65535, 'x') + "\"]");
  const ChangeBatch longer = prefix(string(65536, 'x'));
  Check(longer, "prefix", "[null]");
  Check(longer, "_unrepresentable", R"([["prefix"]])");
}

TEST_F(Pgoutput, TransactionsShareABatchUntilItIsFlushed) {
  ARROWCDC_ASSERT_OK(Send({Begin(1000), Items(), Item(100, 1), Commit(1000), Begin(2000), Item(1100, 2)}));
  EXPECT_TRUE(Events().empty());
  EXPECT_TRUE(decoder_->holds());
  auto events = Flushed();  // in the middle of the second
  ASSERT_EQ(events.size(), 1u);
  const auto& batch = std::get<ChangeBatch>(events[0]);
  EXPECT_EQ(batch.rows->num_rows(), 2);
  EXPECT_EQ(batch.group.safe, (Position{kEpoch, 1010}));
  EXPECT_FALSE(batch.group.group_end);
  EXPECT_TRUE(batch.group.txn_incomplete);
  EXPECT_FALSE(decoder_->holds());
  EXPECT_TRUE(Flushed().empty());
  ARROWCDC_ASSERT_OK(Send({Item(1110, 3), Commit(2000)}));
  events = Events();  // the group was open: its end does not wait
  ASSERT_EQ(events.size(), 1u);
  const auto& last = std::get<ChangeBatch>(events[0]);
  EXPECT_EQ(last.group.safe, (Position{kEpoch, 2010}));
  EXPECT_TRUE(last.group.group_end);
  EXPECT_FALSE(last.group.txn_incomplete);
}

TEST_F(Pgoutput, FullBatches) {
  Restart({.commit_bytes = 1, .batch_bytes_max = 6000});
  std::vector<SentMessage> messages = {Begin(1000), Items()};
  for (int i = 0; i < 30; ++i) messages.push_back(Item(100 + static_cast<uint64_t>(i), i, string(200, 'x')));
  messages.push_back(Commit(1000));
  ARROWCDC_ASSERT_OK(Send(messages));
  const auto events = Events();
  ASSERT_GT(events.size(), 2u);
  int64_t rows = 0;
  for (size_t i = 0; i < events.size(); ++i) {
    const auto& batch = std::get<ChangeBatch>(events[i]);
    const bool last = i + 1 == events.size();
    EXPECT_EQ(batch.group.group_end, last);
    EXPECT_EQ(batch.group.txn_incomplete, !last);
    EXPECT_EQ(batch.group.safe.has_value(), last);
    rows += batch.rows->num_rows();
  }
  EXPECT_EQ(rows, 30);
}

TEST_F(Pgoutput, TablesOfOneGroup) {
  const SentMessage other = {0, RelationBytes(5001, "other", 'n', {{"a", kInt4}})};
  ARROWCDC_ASSERT_OK(Send({Begin(1000), Items(), Item(100, 1), Commit(1000)}));
  ASSERT_EQ(Flushed().size(), 1u);
  ARROWCDC_ASSERT_OK(Send({Begin(2000), other, {1100, InsertBytes(5001, TextTuple({"1"}))}, Commit(2000)}));
  ASSERT_EQ(Flushed().size(), 1u);
  ARROWCDC_ASSERT_OK(Send({Begin(3000),
                           {2100, InsertBytes(5001, TextTuple({"2"}))},
                           Item(2110, 2),
                           {2120, InsertBytes(5001, TextTuple({"3"}))},
                           Commit(3000)}));
  const auto events = Flushed();
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(std::get<ChangeBatch>(events[0]).table->name.table, "other");
  EXPECT_EQ(std::get<ChangeBatch>(events[0]).rows->num_rows(), 2);
  EXPECT_FALSE(std::get<ChangeBatch>(events[0]).group.group_end);
  EXPECT_EQ(std::get<ChangeBatch>(events[1]).table->name.table, "items");
  EXPECT_TRUE(std::get<ChangeBatch>(events[1]).group.group_end);
}

TEST_F(Pgoutput, TransactionWithoutRowsMovesThePosition) {
  ARROWCDC_ASSERT_OK(Send({Begin(1000), Commit(1000)}));
  EXPECT_TRUE(decoder_->holds());
  const auto events = Flushed();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(std::get<ProgressEvent>(events[0]).group.safe, (Position{kEpoch, 1010}));
  EXPECT_TRUE(std::get<ProgressEvent>(events[0]).group.group_end);
  EXPECT_FALSE(decoder_->holds());
}

TEST_F(Pgoutput, OneSchemaWhileItsContentIsTheSame) {
  const ChangeBatch first =
      OneBatch({Begin(1000), Items(), Item(100, 1), Items(), Item(110, 2), Commit(1000)});
  EXPECT_EQ(first.rows->num_rows(), 2);
  EXPECT_EQ(catalog_.questions, 1);
  EXPECT_EQ(catalog_.forgotten, 0);
  const SentMessage changed = {
      0, RelationBytes(kItems, "items", 'd', {{"id", kInt4, true}, {"name", kText}, {"more", kText}})};
  ARROWCDC_ASSERT_OK(Send({Begin(2000),
                           Item(1100, 3),
                           changed,
                           {1110, InsertBytes(kItems, TextTuple({"4", "x", "y"}))},
                           Items(),
                           Item(1120, 5),
                           Commit(2000)}));
  const auto events = Events();
  EXPECT_EQ(catalog_.questions, 3);
  EXPECT_EQ(catalog_.forgotten, 2);
  ASSERT_EQ(events.size(), 3u);
  const auto& before = std::get<ChangeBatch>(events[0]);
  const auto& between = std::get<ChangeBatch>(events[1]);
  const auto& after = std::get<ChangeBatch>(events[2]);
  EXPECT_EQ(before.table, first.table);
  EXPECT_EQ(between.table->column_count, 3);
  EXPECT_NE(between.table->fingerprint, first.table->fingerprint);
  EXPECT_EQ(after.table->fingerprint, first.table->fingerprint);
  EXPECT_TRUE(after.table->schema->Equals(*first.table->schema, /*check_metadata=*/true));
  EXPECT_TRUE(after.group.group_end);
}

// Rows of one name come in the order of their positions whatever relation has it.
TEST_F(Pgoutput, AnotherRelationOfTheName) {
  const SentMessage again = {0, RelationBytes(5001, "items", 'd', {{"id", kInt4, true}, {"name", kText}})};
  ARROWCDC_ASSERT_OK(Send({Begin(1000),
                           Items(),
                           Item(100, 1),
                           again,
                           {110, InsertBytes(5001, TextTuple({"2", "x"}))},
                           Commit(1000)}));
  const auto events = Events();
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(std::get<ChangeBatch>(events[0]).table->table_id, kItems);
  EXPECT_EQ(std::get<ChangeBatch>(events[1]).table->table_id, 5001u);
}

TEST_F(Pgoutput, WhatTheCatalogAdds) {
  catalog_.relations[kItems] = {
      .columns = {{{"a", kInt4, -1}, 2}, {{"b", kText, -1}, 5}, {{"c", kText, -1}, 6}}, .key = {"b", "a"}};
  const std::vector<SentColumn> columns = {{"a", kInt4, true}, {"b", kText, true}};
  const auto row = InsertBytes(kItems, TextTuple({"1", "x"}));
  const ChangeBatch batch =
      OneBatch({Begin(1000), {0, RelationBytes(kItems, "items", 'i', columns)}, {100, row}, Commit(1000)});
  EXPECT_EQ(batch.table->replica_identity, ReplicaIdentity::kIndex);
  EXPECT_EQ(batch.table->key_fields, (std::vector<int>{1, 0}));
  const auto field = batch.table->schema->field(1);
  EXPECT_EQ(field->metadata()->Get("PARQUET:field_id").ValueOr(""), "5");
  EXPECT_EQ(field->metadata()->Get("ADBC:postgresql:typname").ValueOr(""), "text");
  EXPECT_EQ(batch.table->schema->metadata()->Get("arrowcdc:oid").ValueOr(""), "5000");

  // Part of the key is not published: nothing is the key.
  catalog_.relations[kItems].key = {"b", "a", "c"};
  Restart();
  EXPECT_TRUE(
      OneBatch({Begin(1000), {0, RelationBytes(kItems, "items", 'd', columns)}, {100, row}, Commit(1000)})
          .table->key_fields.empty());

  // It knows another table by now: no attribute numbers, and the key in the order in which it was sent.
  catalog_.relations[kItems] = {.columns = {{{"a", kInt8, -1}, 2}, {{"b", kText, -1}, 5}}, .key = {"z"}};
  Restart();
  const ChangeBatch later =
      OneBatch({Begin(1000), {0, RelationBytes(kItems, "items", 'd', columns)}, {100, row}, Commit(1000)});
  EXPECT_EQ(later.table->key_fields, (std::vector<int>{0, 1}));
  EXPECT_FALSE(later.table->schema->field(1)->metadata()->Contains("PARQUET:field_id"));
}

// A partition's row is sent as the root's, and both are announced.
TEST_F(Pgoutput, PartitionsThatCarryLess) {
  catalog_.relations[kPart] = {.key = {"id"}, .ancestors = {4999, kItems}};
  const SentMessage part = {0, RelationBytes(kPart, "items_1", 'd', {{"name", kText}, {"id", kInt4, true}})};
  ARROWCDC_ASSERT_OK(
      Send({Begin(1000), Items('f'), Item(100, 1), part, Items('f'), Item(110, 2), Commit(1000)}));
  auto events = Events();
  ASSERT_EQ(events.size(), 2u);
  const TableSchema& own = *std::get<ChangeBatch>(events[0]).table;
  EXPECT_EQ(own.replica_identity, ReplicaIdentity::kFull);
  EXPECT_FALSE(own.weakened.has_value());
  const TableSchema& limited = *std::get<ChangeBatch>(events[1]).table;
  EXPECT_EQ(limited.replica_identity, ReplicaIdentity::kDefault);
  EXPECT_EQ(limited.key_fields, std::vector<int>{0});
  ASSERT_TRUE(limited.weakened.has_value());
  EXPECT_EQ(limited.weakened->partition, "public.items_1");
  EXPECT_EQ(limited.weakened->own_replica_identity, ReplicaIdentity::kFull);

  // Another carries nothing at all.
  catalog_.relations[kPart + 1] = {.ancestors = {kItems}};
  const SentMessage none = {0, RelationBytes(kPart + 1, "items_2", 'n', {{"id", kInt4}, {"name", kText}})};
  ARROWCDC_ASSERT_OK(Send({Begin(2000), none, part, Items('f'), Item(1110, 2), Commit(2000)}));
  events = Flushed();
  ASSERT_EQ(events.size(), 1u);
  const TableSchema& nothing = *std::get<ChangeBatch>(events[0]).table;
  EXPECT_EQ(nothing.replica_identity, ReplicaIdentity::kNothing);
  EXPECT_EQ(nothing.weakened->partition, "public.items_2");
}

TEST_F(Pgoutput, PartitionsWithTheKey) {
  catalog_.relations[kPart] = {.key = {"name", "id"}, .ancestors = {kItems}};
  const SentMessage part = {
      0, RelationBytes(kPart, "items_1", 'd', {{"name", kText, true}, {"id", kInt4, true}})};
  ChangeBatch batch = OneBatch({Begin(1000), Items(), part, Item(100, 1), Commit(1000)});
  EXPECT_EQ(batch.table->key_fields, std::vector<int>{0});
  EXPECT_FALSE(batch.table->weakened.has_value());

  catalog_.relations[kPart] = {.key = {"name"}, .ancestors = {kItems}};
  const SentMessage other = {0, RelationBytes(kPart, "items_1", 'd', {{"name", kText, true}, {"id", kInt4}})};
  batch = OneBatch({Begin(2000), other, Item(1100, 1), Commit(2000)});
  EXPECT_EQ(batch.table->replica_identity, ReplicaIdentity::kNothing);
  ASSERT_TRUE(batch.table->weakened.has_value());
  EXPECT_EQ(batch.table->weakened->own_key_fields, std::vector<int>{0});
}

TEST_F(Pgoutput, OriginsThatAreNotWanted) {
  const SentMessage origin = {0, "O" + Be64(1) + String("elsewhere")};
  const std::vector<SentMessage> messages = {Begin(1000),
                                             origin,
                                             Items(),
                                             Item(100, 1),
                                             {110, DeleteBytes(kItems, 'K', TextTuple({"2", std::nullopt}))},
                                             {120, TruncateBytes({kItems}, 0)},
                                             Commit(1000),
                                             Begin(2000),
                                             Item(1100, 3),
                                             Commit(2000)};
  Restart({.foreign_origins = false});
  const ChangeBatch ours = OneBatch(messages);
  Check(ours, "id", "[3]");
  EXPECT_EQ(ours.group.safe, (Position{kEpoch, 2010}));
  // Where nothing is left there is a position all the same.
  Restart({.foreign_origins = false});
  ARROWCDC_ASSERT_OK(Send({Begin(1000), origin, Items(), Item(100, 1), Commit(1000)}));
  const auto events = Flushed();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(std::get<ProgressEvent>(events[0]).group.safe, (Position{kEpoch, 1010}));
  Restart();
  ARROWCDC_ASSERT_OK(Send(messages));
  EXPECT_GE(Flushed().size(), 2u);
}

TEST_F(Pgoutput, NamesAreEscapedAndMetadataColumnsGiveWay) {
  const SentMessage relation = {
      0, RelationBytes(kItems, "caf\xe9", 'n', {{"_op", kText}, {"caf\xe9", kText}}, "")};
  const ChangeBatch batch =
      OneBatch({Begin(1000), relation, {100, InsertBytes(kItems, TextTuple({"a", "b"}))}, Commit(1000)});
  EXPECT_EQ(batch.table->name, (TableName{"pg_catalog",
                                          "\xef\xbf\xbd"
                                          "caf\\xe9"}));
  EXPECT_EQ(batch.table->schema->field(1)->name(),
            "\xef\xbf\xbd"
            "caf\\xe9");
  Check(batch, "_op", R"(["a"])");
  EXPECT_EQ(batch.table->schema->field(2)->name(), "__op");
}

TEST_F(Pgoutput, TableWithoutColumns) {
  const SentMessage relation = {0, RelationBytes(kItems, "items", 'n', {})};
  const ChangeBatch batch = OneBatch({Begin(1000),
                                      relation,
                                      {100, InsertBytes(kItems, TupleOf({}))},
                                      {100, InsertBytes(kItems, TupleOf({}))},
                                      Commit(1000)});
  EXPECT_EQ(batch.rows->num_rows(), 2);
  Check(batch, "_ord", "[0, 1]");
}

TEST_F(Pgoutput, WhatIsNotSupportedOnPurpose) {
  for (const char kind : {'b', 'P', 'K', 'r', 'p'}) {
    SCOPED_TRACE(kind);
    Restart();
    const arrow::Status status = Send({{0, string(1, kind) + string(40, '\1')}});
    ASSERT_NE(GetErrorDetail(status), nullptr) << status.ToString();
    EXPECT_EQ(GetErrorDetail(status)->kind(), ErrorKind::kUnsupported);
    EXPECT_FALSE(GetErrorDetail(status)->retryable());
  }
}

TEST_F(Pgoutput, WrongOrder) {
  ExpectProtocolError({{0, ""}}, "nothing");
  ExpectProtocolError({{0, "?"}}, "kind that is not known");
  ExpectProtocolError({Begin(1000), Begin(2000)}, "within another");
  ExpectProtocolError({Commit(1000)}, "another transaction");
  ExpectProtocolError({Begin(1000), Commit(2000)}, "another transaction");
  ExpectProtocolError({Begin(1000), Commit(1000), Begin(900), Commit(900)}, "backwards");
  ExpectProtocolError({Items(), Item(100, 1)}, "outside of a transaction");
  ExpectProtocolError({Items(), {100, TruncateBytes({kItems})}}, "outside of a transaction");
  ExpectProtocolError({Begin(1000), Item(100, 1)}, "was not announced");
  ExpectProtocolError({Begin(1000), {100, TruncateBytes({kItems})}}, "was not announced");
  ExpectProtocolError({Begin(1000), Items(), {100, InsertBytes(kItems, TextTuple({"1"}))}}, "1 columns");
  ExpectProtocolError({Begin(1000), Items(), {100, InsertBytes(kItems, TextTuple({"one", "x"}))}},
                      "no value of its type");
  ExpectProtocolError({Begin(1000), Items(), {100, DeleteBytes(kItems, 'N', TextTuple({"1", "x"}))}},
                      "old row");
  ExpectProtocolError({{0, RelationBytes(kItems, "items", 'x', {})}}, "unknown replica identity");
  ExpectProtocolError({{0, RelationBytes(kItems, "items", 'd', {{"a", kInt4}, {"a", kInt4}})}}, "one name");
  ExpectProtocolError({Begin(1000), {0, CommitBytes(1000, 1010) + "x"}}, "do not belong");
  ExpectProtocolError({{0, MessageBytes(true, 101, "p", "")}}, "of no transaction");
  ExpectProtocolError({Begin(1000), {0, MessageBytes(false, 101, "p", "")}}, "of no transaction within one");
  ExpectProtocolError({{0, MessageBytes(false, 0, "p", "")}}, "backwards");
  ExpectProtocolError({Begin(1000), Commit(1000), {0, MessageBytes(false, 1009, "p", "")}}, "backwards");
}

// An error, or batches that are valid.
TEST_F(Pgoutput, Damaged) {
  const auto session = WholeSession();
  const auto run = [&](size_t which, const string& bytes) {
    Restart();
    auto messages = session;
    messages[which].bytes = bytes;
    const arrow::Status status = Send(messages);
    if (status.ok()) ARROWCDC_EXPECT_OK(decoder_->Flush());
    for (const Event& event : Events()) {
      if (const auto* batch = std::get_if<ChangeBatch>(&event))
        ARROWCDC_ASSERT_OK(batch->rows->ValidateFull());
    }
    if (!status.ok()) {
      ASSERT_NE(GetErrorDetail(status), nullptr) << status.ToString();
      EXPECT_NE(GetErrorDetail(status)->kind(), ErrorKind::kInternal) << status.ToString();
    }
  };
  ARROWCDC_ASSERT_OK(Send(session));
  for (size_t which = 0; which < session.size(); ++which) {
    const string& bytes = session[which].bytes;
    for (size_t at = 0; at < bytes.size(); ++at) {
      SCOPED_TRACE(std::to_string(which) + ", " + std::to_string(at));
      ASSERT_NO_FATAL_FAILURE(run(which, bytes.substr(0, at)));
      for (const int bit : {0, 3, 7}) {
        string damaged = bytes;
        damaged[at] = static_cast<char>(damaged[at] ^ (1 << bit));
        ASSERT_NO_FATAL_FAILURE(run(which, damaged));
      }
    }
  }
}

}  // namespace
}  // namespace arrowcdc::test
