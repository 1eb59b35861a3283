// Sessions put together from frames and read back; frames that do not follow the protocol are refused for the
// right reason.
#include "src/postgres/decode/wal2arrow/wal2arrow_decoder.h"

#include <arrow/extension/json.h>
#include <arrow/extension/uuid.h>
#include <gtest/gtest.h>

#include "arrowcdc/error.h"
#include "src/postgres/decode/wal2arrow/testing/session.h"

namespace arrowcdc {
namespace {

using format::CellEntry;
using format::FrameKind;
using format::TransactionEntry;
using test::BatchPayload;
using test::DecodeAll;
using test::FrameFactory;
using test::ItemRows;
using test::Items;
using test::Json;
using test::kTwoTransactions;
using test::kUnchangedName;
using test::kEpoch;
using test::Message;
using test::Session;
using test::TestTable;
using test::With;

ChangeBatch DecodeBatch(const std::vector<std::string>& frames) {
  auto event = DecodeAll(frames);
  EXPECT_TRUE(event.ok()) << event.status();
  if (!event.ok() || !event->has_value()) return {};
  return std::get<ChangeBatch>(**event);
}

void ExpectRefused(const std::vector<std::string>& frames, const std::string& text) {
  auto event = DecodeAll(frames);
  ASSERT_FALSE(event.ok()) << "wanted: " << text;
  EXPECT_NE(event.status().message().find(text), std::string::npos)
      << event.status().message() << "\nwanted: " << text;
  EXPECT_NE(event.status().message().find("offset "), std::string::npos) << event.status().message();
  const ErrorDetail* detail = GetErrorDetail(event.status());
  ASSERT_NE(detail, nullptr);
  EXPECT_EQ(detail->kind(), ErrorKind::kProtocol);
}

TEST(Decoder, Hello) {
  Wal2arrowDecoder decoder(arrow::default_memory_pool(), kEpoch);
  auto event = decoder.Decode(Message::Make(FrameFactory().Hello()), 25);
  ASSERT_TRUE(event.ok()) << event.status();
  EXPECT_FALSE(event->has_value());
}

TEST(Decoder, BatchWithEverything) {
  ChangeBatch batch = DecodeBatch(Session());
  ASSERT_NE(batch.rows, nullptr);
  EXPECT_EQ(batch.table->name, (TableName{"public", "items"}));
  EXPECT_EQ(batch.table->table_id, 16385u);
  EXPECT_EQ(batch.table->fingerprint, Items().fingerprint());
  EXPECT_EQ(batch.table->column_count, 3);
  EXPECT_EQ(batch.table->key_fields, std::vector<int>{0});
  EXPECT_EQ(batch.group.safe, (Position{kEpoch, 250}));
  EXPECT_TRUE(batch.group.group_end);
  EXPECT_TRUE(batch.group.dirty);
  EXPECT_FALSE(batch.group.txn_incomplete);

  ASSERT_TRUE(batch.rows->ValidateFull().ok()) << batch.rows->ValidateFull();
  EXPECT_TRUE(batch.rows->schema()->Equals(*batch.table->schema, true));
  auto lists = arrow::list(arrow::utf8());
  auto ops = std::make_shared<arrow::DictionaryArray>(
      arrow::dictionary(arrow::int8(), arrow::utf8()), Json(arrow::int8(), "[0, 2, 3, 0]"),
      Json(arrow::utf8(),
           R"(["insert", "update_before", "update_after", "delete", "snapshot", "truncate"])"));
  const std::pair<const char*, std::shared_ptr<arrow::Array>> kExpected[] = {
      {"id", Json(arrow::int64(), "[1, 2, 3, 4]")},
      {"name", Json(arrow::utf8(), R"(["one", null, null, "four"])")},
      {"tags", Json(Items().columns[2]->type(), R"([["a"], [], null, null])")},
      {"_op", ops},
      {"_commit_lsn", Json(arrow::uint64(), "[150, 150, 150, 200]")},
      {"_lsn", Json(arrow::uint64(), "[100, 110, 120, 130]")},
      {"_ord", Json(arrow::uint16(), "[0, 1, 0, 7]")},
      {"_xid", Json(arrow::uint32(), "[41, 41, 41, 42]")},
      {"_commit_ts", Json(arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"),
                          "[1700000000000001, 1700000000000001, 1700000000000001, -1]")},
      {"_unchanged", Json(lists, R"([null, ["name"], null, null])")},
      {"_unrepresentable", Json(lists, R"([null, null, ["name", "tags"], ["tags"]])")}};
  for (int i = 0; i < batch.rows->num_columns(); ++i) {
    EXPECT_EQ(batch.rows->schema()->field(i)->name(), kExpected[i].first);
    EXPECT_TRUE(batch.rows->column(i)->Equals(*kExpected[i].second))
        << kExpected[i].first << " " << batch.rows->column(i)->ToString();
  }
}

TEST(Decoder, ValuesAreSlicesOfTheMessage) {
  auto frames = Session();
  Wal2arrowDecoder decoder(arrow::default_memory_pool(), kEpoch);
  ASSERT_TRUE(DecodeAll({frames[0], frames[1]}, &decoder).ok());
  auto message = Message::Make(frames[2]);
  auto event = decoder.Decode(message, 25);
  ASSERT_TRUE(event.ok()) << event.status();
  auto rows = std::get<ChangeBatch>(**event).rows;
  auto inside = [&](const std::shared_ptr<arrow::Buffer>& buffer) {
    return buffer->data() >= message->data() &&
           buffer->data() + buffer->size() <= message->data() + message->size();
  };
  EXPECT_TRUE(inside(rows->column_data(0)->buffers[1]));  // id
  EXPECT_TRUE(inside(rows->column_data(1)->buffers[0]));  // name: validity, offsets, bytes
  EXPECT_TRUE(inside(rows->column_data(1)->buffers[1]));
  EXPECT_TRUE(inside(rows->column_data(1)->buffers[2]));
  EXPECT_TRUE(inside(rows->column_data(2)->child_data[0]->buffers[2]));  // tags
  EXPECT_TRUE(inside(rows->column_data(3)->buffers[1]));                 // _op's codes
  EXPECT_TRUE(inside(rows->column_data(5)->buffers[1]));                 // _lsn
  EXPECT_TRUE(inside(rows->column_data(6)->buffers[1]));                 // _ord
  // The first buffer of the body stands where the format puts it: at a multiple of 64 of the message.
  EXPECT_EQ((rows->column_data(0)->buffers[1]->data() - message->data()) % 64, 0);
  // The batch keeps the message alive.
  auto* id = static_cast<const arrow::Int64Array*>(rows->column(0).get());
  message.reset();
  event = std::optional<Event>();
  EXPECT_EQ(id->Value(3), 4);
}

TEST(Decoder, MessageAtAnyAddress) {
  // As a row of pg_logical_slot_get_binary_changes, or behind another header.
  for (size_t offset : {0, 1, 3, 8, 25, 26}) {
    Wal2arrowDecoder decoder(arrow::default_memory_pool(), kEpoch);
    std::optional<Event> last;
    for (const auto& frame : Session()) {
      auto event = decoder.Decode(Message::Make(frame, offset), static_cast<int64_t>(offset));
      ASSERT_TRUE(event.ok()) << offset << " " << event.status();
      last = *event;
    }
    const auto& rows = *std::get<ChangeBatch>(*last).rows;
    ASSERT_TRUE(rows.ValidateFull().ok());
    EXPECT_EQ(static_cast<const arrow::Int64Array&>(*rows.column(0)).Value(2), 3);
  }
}

TEST(Decoder, CanonicalExtensionTypes) {
  TestTable table;
  auto extension = [](const char* name) {
    return arrow::key_value_metadata({"ARROW:extension:name", "ARROW:extension:metadata"}, {name, ""});
  };
  table.columns = {arrow::field("u", arrow::fixed_size_binary(16), true, extension("arrow.uuid")),
                   arrow::field("j", arrow::utf8(), true, extension("arrow.json")),
                   arrow::field("l", arrow::list(arrow::field("item", arrow::fixed_size_binary(16), true,
                                                              extension("arrow.uuid"))))};
  auto rows = arrow::RecordBatch::Make(
      table.wire_schema(), 1,
      arrow::ArrayVector{Json(arrow::fixed_size_binary(16), R"(["0123456789abcdef"])"),
                         Json(arrow::utf8(), R"(["{\"a\": 1}"])"),
                         Json(table.columns[2]->type(), R"([["fedcba9876543210", null]])"),
                         Json(arrow::int8(), "[0]"), Json(arrow::uint64(), "[1]"),
                         Json(arrow::uint16(), "[0]")});
  FrameFactory make;
  ChangeBatch batch = DecodeBatch(
      {make.Hello(), make.Schema(table), make.Batch(table, 1, BatchPayload(*rows), {{1, 0, 1, 1}})});
  ASSERT_NE(batch.rows, nullptr);
  EXPECT_TRUE(batch.table->schema->field(0)->type()->Equals(arrow::extension::uuid()));
  EXPECT_TRUE(batch.table->schema->field(1)->type()->Equals(arrow::extension::json()));
  EXPECT_TRUE(batch.table->schema->field(2)->type()->field(0)->type()->Equals(arrow::extension::uuid()));
  const auto& uuids = static_cast<const arrow::ExtensionArray&>(*batch.rows->column(0));
  EXPECT_EQ(static_cast<const arrow::FixedSizeBinaryArray&>(*uuids.storage()).GetView(0), "0123456789abcdef");
}

TEST(Decoder, MetadataColumnsGiveWay) {
  TestTable table;
  table.columns = {arrow::field("_op", arrow::utf8()), arrow::field("_xid", arrow::int32())};
  table.role_columns[0] = table.role_columns[0]->WithName("__op");
  auto rows = arrow::RecordBatch::Make(
      table.wire_schema(), 1,
      arrow::ArrayVector{Json(arrow::utf8(), R"(["mine"])"), Json(arrow::int32(), "[-1]"),
                         Json(arrow::int8(), "[3]"), Json(arrow::uint64(), "[1]"),
                         Json(arrow::uint16(), "[0]")});
  FrameFactory make;
  ChangeBatch batch = DecodeBatch(
      {make.Hello(), make.Schema(table), make.Batch(table, 1, BatchPayload(*rows), {{1, 0, 1, 1}})});
  ASSERT_NE(batch.rows, nullptr);
  EXPECT_EQ(batch.rows->schema()->field_names(),
            (std::vector<std::string>{"_op", "_xid", "__op", "_commit_lsn", "_lsn", "_ord", "__xid",
                                      "_commit_ts", "_unchanged", "_unrepresentable"}));
}

TEST(Decoder, TableWithoutColumns) {
  TestTable table;
  auto rows = arrow::RecordBatch::Make(
      table.wire_schema(), 2,
      arrow::ArrayVector{Json(arrow::int8(), "[0, 0]"), Json(arrow::uint64(), "[1, 2]"),
                         Json(arrow::uint16(), "[0, 0]")});
  FrameFactory make;
  ChangeBatch batch = DecodeBatch(
      {make.Hello(), make.Schema(table), make.Batch(table, 2, BatchPayload(*rows), {{1, 0, 1, 2}})});
  ASSERT_NE(batch.rows, nullptr);
  EXPECT_EQ(batch.rows->num_rows(), 2);
  EXPECT_EQ(batch.table->column_count, 0);
}

TEST(Decoder, BatchesOfOneSchemaShareIt) {
  FrameFactory make;
  TestTable table = Items();
  Wal2arrowDecoder decoder(arrow::default_memory_pool(), kEpoch);
  auto batch = [&] {
    auto event =
        DecodeAll({make.Batch(table, 4, BatchPayload(*ItemRows(table)), kTwoTransactions)}, &decoder);
    EXPECT_TRUE(event.ok()) << event.status();
    return std::get<ChangeBatch>(**event);
  };
  ASSERT_TRUE(DecodeAll({make.Hello(), make.Schema(table)}, &decoder).ok());
  auto first = batch();
  ASSERT_TRUE(DecodeAll({make.Schema(table)}, &decoder).ok());  // announced again
  EXPECT_EQ(first.table, batch().table);
}

TEST(Decoder, Truncate) {
  FrameFactory make;
  TestTable a = Items();
  TestTable b = Items();
  b.oid = 16390;
  b.table_name = "others";
  std::vector<std::string> frames = {make.Hello(), make.Schema(a), make.Schema(b)};
  make.flags = format::kFlagGroupEnd;
  make.safe_lsn = 1000;
  frames.push_back(make.Truncate({b, a}, {950, 77, 5, 0}));
  auto event = DecodeAll(frames);
  ASSERT_TRUE(event.ok()) << event.status();
  const auto& truncate = std::get<TruncateEvent>(**event);
  ASSERT_EQ(truncate.tables.size(), 2u);
  EXPECT_EQ(truncate.tables[0]->name.table, "others");
  EXPECT_EQ(truncate.tables[1]->name.table, "items");
  EXPECT_TRUE(truncate.cascade);
  EXPECT_FALSE(truncate.restart_identity);
  EXPECT_EQ(truncate.commit_lsn, 950u);
  EXPECT_EQ(truncate.lsn, 900u);
  EXPECT_EQ(truncate.xid, 5u);
  EXPECT_EQ(truncate.commit_ts, 77);
  EXPECT_TRUE(truncate.group.group_end);
  EXPECT_EQ(truncate.group.safe, (Position{kEpoch, 1000}));
}

TEST(Decoder, ProgressAndStateOfFramesWithoutAnEvent) {
  FrameFactory make;
  Wal2arrowDecoder decoder(arrow::default_memory_pool(), kEpoch);
  ASSERT_TRUE(DecodeAll({make.Hello()}, &decoder).ok());
  make.flags = format::kFlagGroupEnd;
  make.safe_lsn = 9;
  auto event = DecodeAll({make.Bare(FrameKind::kProgress)}, &decoder);
  ASSERT_TRUE(event.ok() && event->has_value()) << event.status();
  EXPECT_EQ(std::get<ProgressEvent>(**event).group.safe, (Position{kEpoch, 9}));
  EXPECT_TRUE(std::get<ProgressEvent>(**event).group.group_end);

  make.flags = format::kFlagDirty;
  event = DecodeAll({make.Schema(Items())}, &decoder);
  ASSERT_TRUE(event.ok() && event->has_value()) << event.status();
  EXPECT_TRUE(std::get<ProgressEvent>(**event).group.dirty);

  make.flags = format::kFlagOptional;
  event = DecodeAll({make.Bare(static_cast<FrameKind>(200), "whatever")}, &decoder);
  ASSERT_TRUE(event.ok()) << event.status();
  EXPECT_FALSE(event->has_value());
}

TEST(Decoder, Notices) {
  FrameFactory make;
  Wal2arrowDecoder decoder(arrow::default_memory_pool(), kEpoch);
  ASSERT_TRUE(DecodeAll({make.Hello()}, &decoder).ok());
  make.flags = format::kFlagOptional;
  const auto decode = [&](const format::NoticeSection& section,
                          const std::vector<FrameFactory::NoticeName>& names) {
    const auto event = DecodeAll({make.Notice(section, names)}, &decoder);
    EXPECT_TRUE(event.ok() && event->has_value()) << event.status();
    return event.ok() && event->has_value() ? std::get<NoticeEvent>(**event) : NoticeEvent();
  };
  NoticeEvent event = decode({900, 16386, 2, 0, 1 | 4, 0, 16384, 0},
                             {{16386, "public", "o_1"}, {16385, "s", "\xc3\xa4"}, {16384, "public", "o"}});
  EXPECT_EQ(event.what, NoticeEvent::What::kMembership);
  EXPECT_EQ(event.position, (Position{kEpoch, 900}));
  EXPECT_EQ(event.table_id, 16386u);
  EXPECT_TRUE(event.published.insert && event.published.remove);
  EXPECT_FALSE(event.published.update || event.published.truncate);
  EXPECT_EQ(event.table, (TableName{"public", "o_1"}));
  EXPECT_EQ(event.published_as, (TableName{"public", "o"}));
  EXPECT_EQ(event.ancestors, (std::vector<TableName>{{"s", "\xc3\xa4"}, {"public", "o"}}));
  event = decode({900, 16390, 1, 2, 0, 0, 0, 0}, {{16390, "public", "t"}});
  EXPECT_EQ(event.what, NoticeEvent::What::kPassedOver);
  EXPECT_TRUE(event.operation.update);
  EXPECT_EQ(event.published_as, TableName());
  EXPECT_TRUE(event.ancestors.empty());
  event = decode({900, 0, 3, 0, 15, 0, 0, 0}, {{77, "", "p"}});
  EXPECT_EQ(event.what, NoticeEvent::What::kPublication);
  EXPECT_EQ(event.table, (TableName{"", "p"}));
  // Of a later version.
  const auto later = DecodeAll({make.Notice({900, 1, 4, 0, 0, 0, 0, 0}, {})}, &decoder);
  ASSERT_TRUE(later.ok()) << later.status();
  EXPECT_FALSE(later->has_value());
}

TEST(Decoder, NoticesOutsideTheProtocol) {
  const auto is_refused = [](const std::vector<std::string>& frames) {
    const arrow::Status status = DecodeAll(frames).status();
    const ErrorDetail* detail = GetErrorDetail(status);
    return detail != nullptr && detail->kind() == ErrorKind::kProtocol;
  };
  const auto refused = [&](uint16_t flags, const format::NoticeSection& section,
                           const std::vector<FrameFactory::NoticeName>& names) {
    FrameFactory make;
    std::vector<std::string> frames = {make.Hello()};
    make.flags = flags;
    frames.push_back(make.Notice(section, names));
    return is_refused(frames);
  };
  const format::NoticeSection good = {900, 5, 2, 0, 1, 0, 5, 0};
  EXPECT_FALSE(refused(format::kFlagOptional, good, {{5, "public", "t"}}));
  EXPECT_TRUE(refused(format::kFlagOptional | format::kFlagGroupEnd, good, {{5, "public", "t"}}));
  EXPECT_TRUE(refused(format::kFlagOptional, good, {}));
  EXPECT_TRUE(refused(format::kFlagOptional, good, {{5, "public", ""}}));
  EXPECT_TRUE(refused(format::kFlagOptional, good, {{5, "public", "\xff"}}));
  EXPECT_TRUE(refused(format::kFlagOptional, good, {{6, "public", "t"}}));
  FrameFactory make;
  std::vector<std::string> frames = {make.Hello(), make.Notice(good, {{5, "public", "t"}})};
  // The table's name reaches beyond its section: fixed part, section of 24 bytes, header of the next, oid,
  // schema.
  const size_t at = 32 + 8 + 24 + 8 + 4 + 2;
  ASSERT_EQ(frames[1][at], 1);
  frames[1][at] = 9;
  EXPECT_TRUE(is_refused(frames));
}

// What a client does that knows nothing of notices: a frame of a kind it does not know, wherever it comes, is
// as if it were not there.
TEST(Decoder, OptionalFramesChangeNothing) {
  FrameFactory make;
  const TestTable table = Items();
  Wal2arrowDecoder decoder(arrow::default_memory_pool(), kEpoch);
  ASSERT_TRUE(DecodeAll({make.Hello(), make.Schema(table)}, &decoder).ok());
  const auto batch = [&](uint16_t flags, uint64_t safe_lsn) {
    make.flags = flags;
    make.safe_lsn = safe_lsn;
    const auto event =
        DecodeAll({make.Batch(table, 4, BatchPayload(*ItemRows(table)), kTwoTransactions)}, &decoder);
    EXPECT_TRUE(event.ok()) << event.status();
    return std::get<ChangeBatch>(**event).group;
  };
  EXPECT_FALSE(batch(format::kFlagTxnIncomplete, 10).group_end);
  make.flags = format::kFlagOptional;
  const auto skipped = DecodeAll({make.Bare(static_cast<FrameKind>(200), "whatever")}, &decoder);
  ASSERT_TRUE(skipped.ok()) << skipped.status();
  EXPECT_FALSE(skipped->has_value());
  const GroupState group = batch(format::kFlagGroupEnd, 20);
  EXPECT_TRUE(group.group_end);
  EXPECT_EQ(group.safe, (Position{kEpoch, 20}));
}

TEST(Decoder, PayloadInParts) {
  for (size_t part_bytes : {1, 7, 8, 100, 500}) {
    SCOPED_TRACE(part_bytes);
    FrameFactory make;
    TestTable table = Items();
    std::vector<std::string> frames = {make.Hello(), make.Schema(table)};
    make.flags = format::kFlagGroupEnd;
    make.safe_lsn = 250;
    auto whole = make.Batch(table, 4, BatchPayload(*ItemRows(table)), kTwoTransactions, kUnchangedName);
    auto parts = make.Split(whole, part_bytes);
    ASSERT_GT(parts.size(), 1u) << whole.size();
    frames.insert(frames.end(), parts.begin(), parts.end());
    ChangeBatch batch = DecodeBatch(frames);
    ASSERT_NE(batch.rows, nullptr);
    EXPECT_TRUE(batch.rows->ValidateFull().ok());
    EXPECT_TRUE(batch.group.group_end);  // of the first part
    EXPECT_EQ(batch.group.safe, (Position{kEpoch, 250}));
    EXPECT_TRUE(batch.rows->column(1)->Equals(*ItemRows(table)->column(1)));
    EXPECT_TRUE(
        batch.rows->column(9)->Equals(*Json(arrow::list(arrow::utf8()), R"([null, ["name"], null, null])")));
    // The body is aligned again, as far as the first part says where it begins.
    if (part_bytes < 8) continue;
    EXPECT_EQ(reinterpret_cast<uintptr_t>(batch.rows->column_data(0)->buffers[1]->data()) % 64, 0u);
  }
}

// What is announced is not allocated before it comes.
TEST(Decoder, PartsTakeNoMoreMemoryThanTheyBring) {
  FrameFactory make;
  const TestTable table = Items();
  std::vector<std::string> frames = {make.Hello(), make.Schema(table)};
  const auto parts =
      make.Split(make.Batch(table, 4, BatchPayload(*ItemRows(table)), kTwoTransactions), 200);
  frames.push_back(With(parts[0], offsetof(format::FrameHeader, payload_bytes), uint64_t{3} << 30, 8));
  frames.push_back(parts[1]);
  arrow::ProxyMemoryPool pool(arrow::default_memory_pool());
  Wal2arrowDecoder decoder(&pool, kEpoch);
  const auto event = DecodeAll(frames, &decoder);
  ASSERT_TRUE(event.ok()) << event.status();
  EXPECT_FALSE(event->has_value());
  EXPECT_LT(pool.max_memory(), 1 << 16);
}

TEST(Decoder, PartsThatDoNotFit) {
  FrameFactory make;
  TestTable table = Items();
  std::vector<std::string> start = {make.Hello(), make.Schema(table)};
  auto whole = make.Batch(table, 4, BatchPayload(*ItemRows(table)), kTwoTransactions);
  auto parts = make.Split(whole, 200);
  ASSERT_GE(parts.size(), 4u);
  auto with = [&](std::vector<std::string> rest) {
    rest.insert(rest.begin(), start.begin(), start.end());
    return rest;
  };
  FrameFactory other;
  other.sequence = 3;
  ExpectRefused(with({parts[0], other.Bare(FrameKind::kProgress)}), "another frame between the parts");
  FrameFactory orphan;
  orphan.sequence = 2;
  ExpectRefused(with({orphan.Bare(FrameKind::kContinuation, "x")}), "nothing to continue");
  std::string short_end = parts[1];
  short_end[4] = 0;  // no MORE although parts are missing
  ExpectRefused(with({parts[0], short_end}), "part that does not fit");
  auto endless = parts;
  endless.back()[4] = format::kFlagMore;
  ExpectRefused(with(endless), "part that does not fit");

  Wal2arrowDecoder small(arrow::default_memory_pool(), kEpoch, 300);
  auto event = DecodeAll(with(parts), &small);
  ASSERT_FALSE(event.ok());
  EXPECT_NE(event.status().message().find("longer than this client takes"), std::string::npos);
}

TEST(Decoder, OrderOfFrames) {
  auto frames = Session();
  ExpectRefused({frames[1]}, "frame 0 was due");
  ExpectRefused({With(frames[1], 12, 0, 4)}, "does not begin with hello");
  ExpectRefused({frames[0], frames[0]}, "frame 1 was due");
  ExpectRefused({frames[0], With(frames[0], 12, 1, 4)}, "hello in mid-session");
  ExpectRefused({frames[0], frames[2]}, "frame 1 was due");
  ExpectRefused({frames[0], With(frames[2], 12, 1, 4)}, "schema was not announced");
  ExpectRefused({frames[0], With(frames[1], 16, 9, 8), With(frames[2], 16, 8, 8)}, "safe_lsn goes backwards");
  ExpectRefused({frames[0], frames[1], With(frames[2], 4, 6, 2)}, "ends inside a transaction");
  ExpectRefused({With(frames[0], 3, 9, 1)}, "does not begin with hello");
  ExpectRefused({frames[0], With(frames[1], 3, 9, 1)}, "does not know (found 9)");
  ExpectRefused({frames[0], With(frames[1], 3, 12, 1)}, "(prepare): kind of frame this client does not know");
  ExpectRefused({FrameFactory().Hello(2)}, "protocol version this client does not know (found 2)");
}

TEST(Decoder, NotUsedAfterAnError) {
  auto frames = Session();
  Wal2arrowDecoder decoder(arrow::default_memory_pool(), kEpoch);
  ASSERT_FALSE(DecodeAll({frames[1]}, &decoder).ok());
  auto event = DecodeAll({frames[0]}, &decoder);
  ASSERT_FALSE(event.ok());
  EXPECT_NE(event.status().message().find("after an error"), std::string::npos);
}

void ExpectSchemaRefused(const TestTable& table, const std::string& text) {
  FrameFactory make;
  ExpectRefused({make.Hello(), make.Schema(table)}, text);
}

TEST(Decoder, SchemasOutsideTheProtocol) {
  auto frames = Session();
  // The table section is the first of the header, its data at 40: fingerprint, oid, replica identity.
  ExpectRefused({frames[0], With(frames[1], 40, 1, 8)}, "fingerprint");
  ExpectRefused({frames[0], With(frames[1], 48, 1, 4)}, "arrowcdc:oid");
  ExpectRefused({frames[0], With(frames[1], 52, 'x', 1)}, "unknown replica identity (found 120)");

  TestTable table = Items();
  table.columns[1] = arrow::field("name", arrow::dictionary(arrow::int8(), arrow::utf8()));
  ExpectSchemaRefused(table, "dictionary");
  table = Items();
  table.columns[1] = arrow::field("name", arrow::utf8_view());
  ExpectSchemaRefused(table, "not in the protocol");
  table = Items();
  table.columns[1] =
      arrow::field("a", arrow::list(arrow::field("item", arrow::dense_union(arrow::FieldVector{}))));
  ExpectSchemaRefused(table, "not in the protocol");
  table = Items();
  table.columns[1] = arrow::field(std::string(256, 'x'), arrow::utf8());
  ExpectSchemaRefused(table, "no name");
  table = Items();
  table.columns[1] = arrow::field("\xff", arrow::utf8());
  ExpectSchemaRefused(table, "no name");
  table = Items();
  table.table_name = std::string("a\0b", 3);
  ExpectSchemaRefused(table, "no name");
  table = Items();
  table.table_name = "";
  ExpectSchemaRefused(table, "no name");
  table = Items();
  table.columns[1] = table.columns[1]->WithMetadata(arrow::key_value_metadata({"k"}, {"\xff"}));
  ExpectSchemaRefused(table, "metadata that is not UTF-8");
  table = Items();
  table.columns[1] = table.columns[1]->WithMetadata(arrow::key_value_metadata({"arrowcdc:key"}, {"1"}));
  FrameFactory make;
  EXPECT_FALSE(DecodeAll({make.Hello(), make.Schema(table)}).ok());  // two columns at place 1
  table = Items();
  table.columns.assign(1665, arrow::field("c", arrow::int32()));
  ExpectSchemaRefused(table, "more columns");
  table.columns.assign(1664, arrow::field("c", arrow::int32()));
  FrameFactory wide;
  EXPECT_TRUE(DecodeAll({wide.Hello(), wide.Schema(table)}).ok());
}

TEST(Decoder, RolesOutsideTheProtocol) {
  auto role = [](const char* name) { return arrow::key_value_metadata({"arrowcdc:role"}, {name}); };
  TestTable table = Items();
  table.columns[0] = table.columns[0]->WithMetadata(role("op"));
  ExpectSchemaRefused(table, "role \"op\"");
  table = Items();
  table.role_columns[0] = table.role_columns[0]->WithMetadata(role("ord"));
  ExpectSchemaRefused(table, "role \"ord\"");
  table = Items();
  table.role_columns[0] = table.role_columns[0]->WithType(arrow::int16());
  ExpectSchemaRefused(table, "role \"op\"");
  table = Items();
  table.role_columns[2] = table.role_columns[1];
  ExpectSchemaRefused(table, "role \"lsn\"");
  table = Items();
  table.role_columns[2] = table.role_columns[2]->WithMetadata(nullptr);
  ExpectSchemaRefused(table, "role \"\"");
  table = TestTable();
  table.role_columns.pop_back();
  ExpectSchemaRefused(table, "role");
  // Their order is free.
  table = Items();
  std::swap(table.role_columns[0], table.role_columns[2]);
  FrameFactory make;
  EXPECT_TRUE(DecodeAll({make.Hello(), make.Schema(table)}).ok());
}

TEST(Decoder, TypesNestedTooDeep) {
  for (int depth : {50, 70}) {
    auto type = arrow::int32();
    for (int i = 0; i < depth; ++i) type = arrow::list(arrow::field("item", type));
    TestTable table;
    table.columns = {arrow::field("c", type)};
    FrameFactory make;
    EXPECT_EQ(DecodeAll({make.Hello(), make.Schema(table)}).ok(), depth == 50) << depth;
  }
}

struct BatchParts {
  TestTable table = Items();
  std::shared_ptr<arrow::RecordBatch> rows = ItemRows(Items());
  uint32_t row_count = 4;
  std::vector<TransactionEntry> transactions = kTwoTransactions;
  std::vector<CellEntry> unchanged = kUnchangedName;
  std::string payload;

  void ReplaceColumn(int i, const std::string& values) {
    auto columns = rows->columns();
    columns[i] = Json(columns[i]->type(), values);
    rows = arrow::RecordBatch::Make(rows->schema(), 4, columns);
  }

  std::vector<std::string> Frames() const {
    FrameFactory make;
    return {make.Hello(), make.Schema(Items()),
            make.Batch(table, row_count, payload.empty() ? BatchPayload(*rows) : payload, transactions,
                       unchanged)};
  }
};

TEST(Decoder, BatchesOutsideTheProtocol) {
  auto refused = [](auto change, const char* text) {
    BatchParts parts;
    change(parts);
    ExpectRefused(parts.Frames(), text);
  };
  refused([](BatchParts& p) { p.row_count = 5; }, "5 were announced");
  refused([](BatchParts& p) { p.row_count = 0; }, "without rows");
  refused([](BatchParts& p) { p.table.oid = 7; }, "not announced");
  refused([](BatchParts& p) { p.transactions[0].rows = 2; }, "transactions of 3 rows for a batch of 4");
  refused([](BatchParts& p) { p.transactions[0].rows = 0xffffffff; }, "transactions of 4294967296 rows");
  refused([](BatchParts& p) { p.transactions[1].commit_lsn = 150; }, "out of commit order");
  refused([](BatchParts& p) { p.transactions.push_back({300, 0, 1, 0}); }, "without rows");
  refused([](BatchParts& p) { p.transactions.clear(); }, "transactions of 0 rows");
  refused([](BatchParts& p) { p.unchanged[0].row = 4; }, "unchanged: cell outside the batch");
  refused([](BatchParts& p) { p.unchanged[0].field = 3; }, "unchanged: cell outside the batch");
  refused([](BatchParts& p) { p.unchanged[0].row = 0; }, "unchanged: cell that has a value");
  refused([](BatchParts& p) { p.unchanged.push_back({1, 1, 0}); }, "unchanged: cells out of order");
  refused([](BatchParts& p) { p.unchanged = {{2, 2, 0}, {2, 1, 0}}; }, "unchanged: cells out of order");
  refused([](BatchParts& p) { p.unchanged = {{2, 1, 0}, {1, 1, 0}}; }, "unchanged: cells out of order");
  refused([](BatchParts& p) { p.ReplaceColumn(3, "[0, 6, 0, 0]"); }, "unknown operation 6 in row 1");
  refused([](BatchParts& p) { p.ReplaceColumn(3, "[0, 0, -1, 0]"); }, "unknown operation -1 in row 2");
  refused([](BatchParts& p) { p.ReplaceColumn(3, "[0, null, 0, 0]"); }, "null in column 3");
  refused([](BatchParts& p) { p.ReplaceColumn(4, "[0, null, 0, 0]"); }, "null in column 4");
  refused([](BatchParts& p) { p.ReplaceColumn(5, "[0, 0, 0, null]"); }, "null in column 5");
  refused([](BatchParts& p) { p.payload = "x"; }, "no encapsulated Arrow message");
  refused([](BatchParts& p) { p.payload = Items().payload(); }, "Arrow message of type");
  refused([](BatchParts& p) { p.payload = BatchPayload(*p.rows) + std::string(8, '\0'); }, "Arrow body of");
}

TEST(Decoder, BatchOfAnotherRelation) {
  auto frames = Session();
  // The batch section's data stands at 40: fingerprint, oid.
  ExpectRefused({frames[0], frames[1], With(frames[2], 48, 7, 4)}, "not the schema's (found 7)");
}

// Arrow's own message quotes the number that does not fit.
TEST(Decoder, ErrorsHoldNoValues) {
  TestTable table;
  table.columns = {arrow::field("n", arrow::decimal128(2, 0))};
  const auto number = Json(arrow::decimal128(9, 0), R"(["123456789"])")->data()->Copy();
  number->type = table.columns[0]->type();
  const auto rows = arrow::RecordBatch::Make(
      table.wire_schema(), 1,
      arrow::ArrayVector{arrow::MakeArray(number), Json(arrow::int8(), "[0]"), Json(arrow::uint64(), "[11]"),
                         Json(arrow::uint16(), "[0]")});
  FrameFactory make;
  const auto event = DecodeAll(
      {make.Hello(), make.Schema(table), make.Batch(table, 1, BatchPayload(*rows), {{9, 9, 9, 1}})});
  ASSERT_FALSE(event.ok());
  EXPECT_NE(event.status().message().find("column 0 is not a valid array of decimal128"), std::string::npos)
      << event.status();
  EXPECT_EQ(event.status().ToString().find("123456789"), std::string::npos) << event.status();
}

// Bytes by hand, after docs/wire.md; only the two Arrow messages are somebody else's.
struct Bytes {
  std::string text;
  Bytes& Int(uint64_t value, int width) {
    for (int i = 0; i < width; ++i) text.push_back(static_cast<char>(value >> (8 * i)));
    return *this;
  }
  Bytes& Text(const std::string& value) {
    text += value;
    return *this;
  }
  Bytes& PadTo(size_t size) {
    text.resize(size, '\0');
    return *this;
  }
};

std::string HeaderByHand(int kind, int flags, uint32_t header_bytes, uint32_t sequence, uint64_t safe_lsn,
                         uint64_t payload_bytes) {
  Bytes b;
  b.Text("WA").Int(1, 1).Int(kind, 1).Int(flags, 2).Int(32, 2).Int(header_bytes, 4).Int(sequence, 4);
  return b.Int(safe_lsn, 8).Int(payload_bytes, 8).text;
}

// Smallest header of at least `content` bytes that puts the Arrow body at a multiple of 64.
uint32_t HeaderBytesByHand(size_t content, const std::string& payload) {
  uint32_t metadata_length = static_cast<uint8_t>(payload[4]) | static_cast<uint8_t>(payload[5]) << 8;
  while ((25 + content + 8 + metadata_length) % 64 != 0) ++content;
  return static_cast<uint32_t>(content);
}

// Text that is not UTF-8 costs its cell and nothing else.
TEST(Decoder, TextThatIsNotUtf8IsUnrepresentable) {
  TestTable table = Items();
  for (const auto compression : {arrow::Compression::UNCOMPRESSED, arrow::Compression::ZSTD}) {
    auto rows = ItemRows(table);
    const auto damaged = [](const std::shared_ptr<arrow::Array>& array, const std::string& from) {
      auto data = array->data()->Copy();
      auto* text = &data;
      if (array->type_id() == arrow::Type::LIST) {
        data->child_data[0] = data->child_data[0]->Copy();
        text = &data->child_data[0];
      }
      std::string bytes = (*text)->buffers[2]->ToString();
      bytes[bytes.find(from)] = '\xe9';
      (*text)->buffers[2] = arrow::Buffer::FromString(bytes);
      return arrow::MakeArray(data);
    };
    rows = rows->SetColumn(1, rows->schema()->field(1), damaged(rows->column(1), "four")).ValueOrDie();
    rows = rows->SetColumn(2, rows->schema()->field(2), damaged(rows->column(2), "a")).ValueOrDie();
    FrameFactory make;
    std::vector<std::string> frames = {make.Hello(), make.Schema(table)};
    make.flags = format::kFlagGroupEnd;
    frames.push_back(make.Batch(table, 4, BatchPayload(*rows, compression), kTwoTransactions, kUnchangedName,
                                arrowcdc::test::kUnrepresentableCells));
    const ChangeBatch batch = DecodeBatch(frames);
    ASSERT_NE(batch.rows, nullptr);
    ASSERT_TRUE(batch.rows->ValidateFull().ok()) << batch.rows->ValidateFull();
    EXPECT_TRUE(batch.rows->column(0)->Equals(*Json(arrow::int64(), "[1, 2, 3, 4]")));
    EXPECT_TRUE(batch.rows->column(1)->Equals(*Json(arrow::utf8(), R"(["one", null, null, null])")));
    EXPECT_TRUE(batch.rows->column(2)->Equals(*Json(Items().columns[2]->type(), "[null, [], null, null]")));
    const auto lists = arrow::list(arrow::utf8());
    EXPECT_TRUE(batch.rows->column(9)->Equals(*Json(lists, R"([null, ["name"], null, null])")));
    EXPECT_TRUE(batch.rows->column(10)->Equals(
        *Json(lists, R"([["tags"], null, ["name", "tags"], ["name", "tags"]])")));
  }
}

// The wire may not call a cell null that has a value, be it text or not.
TEST(Decoder, DamagedTextThatIsMarkedIsAFault) {
  TestTable table = Items();
  auto rows = ItemRows(table);
  auto data = rows->column(1)->data()->Copy();
  std::string bytes = data->buffers[2]->ToString();
  bytes[bytes.find("four")] = '\xe9';
  data->buffers[2] = arrow::Buffer::FromString(bytes);
  rows = rows->SetColumn(1, rows->schema()->field(1), arrow::MakeArray(data)).ValueOrDie();
  const std::vector<format::CellEntry> kMarked = {{3, 1, 0}};
  for (const bool unchanged : {true, false}) {
    FrameFactory make;
    const auto status = DecodeAll({make.Hello(), make.Schema(table),
                                   make.Batch(table, 4, BatchPayload(*rows), kTwoTransactions,
                                              unchanged ? kMarked : std::vector<format::CellEntry>(),
                                              unchanged ? std::vector<format::CellEntry>() : kMarked)})
                            .status();
    EXPECT_NE(status.message().find("cell that has a value"), std::string::npos) << status;
  }
}

TEST(Decoder, SessionLaidByHand) {
  TestTable table;
  table.oid = 20000;
  table.identity = 'i';
  table.columns = {arrow::field("v", arrow::int32())};
  auto rows = arrow::RecordBatch::Make(
      table.wire_schema(), 2,
      arrow::ArrayVector{Json(arrow::int32(), "[7, null]"), Json(arrow::int8(), "[0, 2]"),
                         Json(arrow::uint64(), "[11, 12]"), Json(arrow::uint16(), "[0, 0]")});
  std::string schema_payload = table.payload();
  std::string batch_payload = BatchPayload(*rows);
  uint64_t fingerprint = 0xcbf29ce484222325;
  for (unsigned char c : schema_payload) fingerprint = (fingerprint ^ c) * 0x100000001b3;

  Bytes hello;
  hello.Text(HeaderByHand(1, 0, 56, 0, 0, 0)).Int(1, 2).Int(0, 2).Int(16, 4);
  hello.Int(1, 2).Int(0, 2).Int(150020, 4).Int(99, 8);

  uint32_t header_bytes = HeaderBytesByHand(32 + 8 + 35 + 5, schema_payload);
  Bytes schema;
  schema.Text(HeaderByHand(2, 0, header_bytes, 1, 0, schema_payload.size()));
  schema.Int(4, 2).Int(0, 2).Int(35, 4).Int(fingerprint, 8).Int(20000, 4).Text("i").Int(0, 3);
  schema.Int(6, 2).Int(5, 2).Int(0, 4).Text("publicitems").PadTo(header_bytes).Text(schema_payload);

  header_bytes = HeaderBytesByHand(32 + 24 + 32 + 16, batch_payload);
  Bytes batch;
  batch.Text(HeaderByHand(3, 2, header_bytes, 2, 0x5000, batch_payload.size()));
  batch.Int(5, 2).Int(0, 2).Int(16, 4).Int(fingerprint, 8).Int(20000, 4).Int(2, 4);
  batch.Int(6, 2).Int(0, 2).Int(24, 4).Int(0x4000, 8).Int(1234567, 8).Int(700, 4).Int(2, 4);
  batch.Int(7, 2).Int(0, 2).Int(8, 4).Int(1, 4).Int(0, 2).Int(0, 2).PadTo(header_bytes).Text(batch_payload);

  ChangeBatch change = DecodeBatch({hello.text, schema.text, batch.text});
  ASSERT_NE(change.rows, nullptr);
  EXPECT_EQ(change.table->replica_identity, ReplicaIdentity::kIndex);
  EXPECT_EQ(change.group.safe, (Position{kEpoch, 0x5000}));
  EXPECT_TRUE(change.rows->column(0)->Equals(*Json(arrow::int32(), "[7, null]")));
  EXPECT_TRUE(change.rows->column(2)->Equals(*Json(arrow::uint64(), "[16384, 16384]")));
  EXPECT_TRUE(change.rows->column(5)->Equals(*Json(arrow::uint32(), "[700, 700]")));
  EXPECT_TRUE(change.rows->column(7)->Equals(*Json(arrow::list(arrow::utf8()), R"([null, ["v"]])")));
}

}  // namespace
}  // namespace arrowcdc
