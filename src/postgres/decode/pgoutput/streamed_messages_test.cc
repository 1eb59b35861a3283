// Transactions that pgoutput sends while they are in progress: what of them comes out when they commit.
#include <arrow/json/from_string.h>
#include <gtest/gtest.h>

#include "arrowcdc/error.h"
#include "src/postgres/decode/pgoutput/pgoutput_decoder.h"
#include "src/postgres/decode/pgoutput/testing/session.h"
#include "src/postgres/decode/testing/memory_spool.h"
#include "tests/testing/assert_ok.h"

namespace arrowcdc::test {
namespace {

using std::string;

constexpr uint32_t kEpoch = 3;
constexpr uint32_t kItems = 5000;
constexpr uint32_t kOthers = 5001;

string Items() { return RelationBytes(kItems, "items", 'd', {{"id", kInt4, true}, {"name", kText}}); }
string WiderItems() {
  return RelationBytes(kItems, "items", 'd', {{"id", kInt4, true}, {"name", kText}, {"extra", kInt4}});
}
string Others() { return RelationBytes(kOthers, "others", 'd', {{"id", kInt4, true}}); }
string Item(const string& id) { return InsertBytes(kItems, TextTuple({id, "x"})); }

class StreamedMessages : public testing::Test {
 protected:
  void SetUp() override { Restart(); }
  void Restart(std::function<bool(const TableName&)> matches = nullptr, const PgoutputOptions& options = {}) {
    spool_.records.clear();
    decoder_ = std::make_unique<PgoutputDecoder>(
        arrow::default_memory_pool(), kEpoch, &catalog_, options,
        InProgress{&spool_, std::move(matches),
                   [this](const TableName& table, uint64_t rows) { unmatched_[table] += rows; }});
  }
  arrow::Result<std::vector<Event>> Send(const std::vector<SentMessage>& messages) {
    std::vector<Event> events;
    for (const SentMessage& message : messages) {
      ARROW_RETURN_NOT_OK(decoder_->Decode(message.bytes, message.lsn));
      while (true) {
        ARROW_ASSIGN_OR_RAISE(auto event, decoder_->Next());
        if (!event.has_value() && !decoder_->has_more()) break;
        if (event.has_value()) events.push_back(std::move(*event));
      }
    }
    return events;
  }
  std::vector<Event> Events(const std::vector<SentMessage>& messages) {
    auto events = Send(messages);
    ARROWCDC_EXPECT_OK(events);
    return events.ok() ? *std::move(events) : std::vector<Event>();
  }
  void Take(const std::vector<SentMessage>& messages) { EXPECT_TRUE(Events(messages).empty()); }
  void ExpectRefused(const std::vector<SentMessage>& messages, const string& part,
                     ErrorKind kind = ErrorKind::kProtocol) {
    SCOPED_TRACE(part);
    Restart();
    const auto events = Send(messages);
    ASSERT_FALSE(events.ok());
    EXPECT_NE(events.status().message().find(part), string::npos) << events.status().ToString();
    ASSERT_NE(GetErrorDetail(events.status()), nullptr);
    EXPECT_EQ(GetErrorDetail(events.status())->kind(), kind);
  }

  static SentMessage Start(uint32_t xid) { return {0, StreamStartBytes(xid)}; }
  static SentMessage Stop() { return {0, "E"}; }
  static SentMessage Of(uint32_t xid, const string& message, uint64_t lsn = 0) {
    return {lsn, InBlock(xid, message)};
  }
  static SentMessage Commit(uint32_t xid, uint64_t commit_lsn) {
    return {commit_lsn + 10, StreamCommitBytes(xid, commit_lsn, commit_lsn + 10, 5)};
  }
  static SentMessage Abort(uint32_t xid, uint32_t subxid) { return {0, StreamAbortBytes(xid, subxid)}; }

  static void Check(const Event& event, const string& name, const string& json) {
    const auto& batch = std::get<ChangeBatch>(event);
    ARROWCDC_EXPECT_OK(batch.rows->ValidateFull());
    const auto column = batch.rows->GetColumnByName(name);
    ASSERT_NE(column, nullptr) << name;
    EXPECT_TRUE(arrow::json::ArrayFromJSONString(column->type(), json).ValueOrDie()->Equals(*column))
        << name << ": " << column->ToString();
  }

  TestRelationCatalog catalog_;
  MemorySpool spool_;
  std::map<TableName, uint64_t> unmatched_;
  std::unique_ptr<PgoutputDecoder> decoder_;
};

TEST_F(StreamedMessages, RowsComeAtTheCommit) {
  Take({Start(70), Of(70, Items()), Of(70, Item("1"), 100), Of(71, Item("2"), 110), Stop(), Start(70),
        Of(71, Item("3"), 120), Stop()});
  EXPECT_FALSE(decoder_->holds());
  EXPECT_EQ(catalog_.questions, 0) << "what it made may not be there to be seen yet";
  const auto events = Events({Commit(70, 500)});
  ASSERT_EQ(events.size(), 1u);
  Check(events[0], "id", "[1, 2, 3]");
  Check(events[0], "_xid", "[70, 70, 70]");
  Check(events[0], "_lsn", "[100, 110, 120]");
  Check(events[0], "_commit_lsn", "[500, 500, 500]");
  Check(events[0], "_commit_ts", "[946684800000005, 946684800000005, 946684800000005]");
  const GroupState& group = std::get<ChangeBatch>(events[0]).group;
  EXPECT_TRUE(group.group_end);
  EXPECT_EQ(group.safe, (Position{kEpoch, 510}));
  EXPECT_TRUE(spool_.records.empty());
  EXPECT_EQ(catalog_.questions, 1);
}

// Blocks end within records; what is not a row in between does not count.
TEST_F(StreamedMessages, OrdGoesOnOverBlocks) {
  Take({Start(70), Of(70, Items()), Of(70, Item("1"), 100), Of(70, Item("2"), 100), Stop(), Start(80), Stop(),
        Start(70), Of(70, Item("3"), 100), Of(70, Items()), Of(70, Item("4"), 100), Of(70, Item("5"), 200),
        Stop()});
  const auto events = Events({Commit(70, 500)});
  ASSERT_EQ(events.size(), 1u);
  Check(events[0], "_ord", "[0, 1, 2, 3, 0]");
}

TEST_F(StreamedMessages, WhatIsHeldOfEarlierTransactionsEndsBefore) {
  const auto events = Events({Start(70),
                              Of(70, Items()),
                              Of(70, Item("1"), 100),
                              Stop(),
                              {90, BeginBytes(300, 75)},
                              {0, Items()},
                              {100, Item("2")},
                              {310, CommitBytes(300, 310)},
                              Commit(70, 500)});
  ASSERT_EQ(events.size(), 2u);
  Check(events[0], "id", "[2]");
  EXPECT_TRUE(std::get<ChangeBatch>(events[0]).group.group_end);
  EXPECT_EQ(std::get<ChangeBatch>(events[0]).group.safe, (Position{kEpoch, 310}));
  Check(events[1], "id", "[1]");
}

TEST_F(StreamedMessages, AbortedPartsAndTransactions) {
  Take({Start(70), Of(70, Items()), Of(70, Item("1"), 100), Of(71, WiderItems()),
        Of(71, InsertBytes(kItems, TextTuple({"2", "x", "3"})), 110), Stop(), Start(80), Of(80, Items()),
        Of(80, Item("8"), 115), Stop(), Abort(70, 71), Abort(80, 80), Abort(99, 99)});
  const auto events = Events({Commit(70, 500)});
  ASSERT_EQ(events.size(), 1u);
  Check(events[0], "id", "[1]");
  EXPECT_TRUE(spool_.records.empty());
  // The server may have forgotten schema changes of others with the part (PostgresSource asks anew). A block
  // without anything comes with each commit.
  Restart();
  Take({Start(70), Of(70, Items()), Stop(), Abort(70, 71), Start(70), Stop()});
  ExpectRefused({Start(70), Of(70, Items()), Stop(), Abort(70, 71), Start(70), Of(70, Items())},
                "was rolled back", ErrorKind::kUnsupported);
  ExpectRefused({Start(80), Of(80, Items()), Stop(), Abort(80, 80), Commit(80, 600)},
                "of which nothing came");
}

TEST_F(StreamedMessages, NothingIsLeft) {
  Take({Start(70), Of(71, Items()), Of(71, Item("1"), 100), Stop(), Abort(70, 71)});
  const auto events = Events({Commit(70, 500)});
  ASSERT_EQ(events.size(), 1u);
  EXPECT_TRUE(std::get<ProgressEvent>(events[0]).group.group_end);
}

// What was announced in a transaction counts for it alone until it commits.
TEST_F(StreamedMessages, AnnouncementsCountFromTheCommitOn) {
  auto events = Events({{0, Items()},
                        Start(70),
                        Of(70, WiderItems()),
                        Of(70, InsertBytes(kItems, TextTuple({"1", "x", "7"})), 100),
                        Stop(),
                        {90, BeginBytes(300, 75)},
                        {150, Item("2")},
                        {310, CommitBytes(300, 310)},
                        Commit(70, 500),
                        {510, BeginBytes(600, 76)},
                        {550, InsertBytes(kItems, TextTuple({"3", "x", "9"}))},
                        {610, CommitBytes(600, 610)}});
  ARROWCDC_ASSERT_OK(decoder_->Flush());
  for (auto& event : Events({{620, BeginBytes(700, 77)}, {710, CommitBytes(700, 710)}}))
    events.push_back(std::move(event));
  ASSERT_EQ(events.size(), 3u);
  Check(events[0], "id", "[2]");
  Check(events[1], "extra", "[7]");
  Check(events[2], "extra", "[9]");
}

// The server takes a later announcement, of whatever transaction, for the one in force.
TEST_F(StreamedMessages, AnOlderAnnouncementGivesWay) {
  auto events = Events({Start(70),
                        Of(70, WiderItems()),
                        Of(70, InsertBytes(kItems, TextTuple({"1", "x", "7"})), 100),
                        Stop(),
                        {90, BeginBytes(300, 75)},
                        {0, Items()},
                        {150, Item("2")},
                        {310, CommitBytes(300, 310)},
                        Commit(70, 500),
                        {510, BeginBytes(600, 76)},
                        {550, Item("3")},
                        {610, CommitBytes(600, 610)}});
  ARROWCDC_ASSERT_OK(decoder_->Flush());
  for (auto& event : Events({{620, BeginBytes(700, 77)}, {710, CommitBytes(700, 710)}}))
    events.push_back(std::move(event));
  ASSERT_EQ(events.size(), 3u);
  Check(events[1], "extra", "[7]");
  Check(events[2], "id", "[3]");
  EXPECT_EQ(std::get<ChangeBatch>(events[2]).table->column_count, 2);
}

TEST_F(StreamedMessages, TruncateOfAPartThatCounts) {
  Take({Start(70), Of(70, Items()), Of(70, Others()), Of(70, TruncateBytes({kItems, kOthers}), 100),
        Of(71, TruncateBytes({kItems}), 110), Stop(), Abort(70, 71)});
  const auto events = Events({Commit(70, 500)});
  ASSERT_EQ(events.size(), 2u);
  const auto& truncate = std::get<TruncateEvent>(events[0]);
  EXPECT_EQ(truncate.tables.size(), 2u);
  EXPECT_EQ(truncate.commit_lsn, 500u);
  EXPECT_EQ(truncate.lsn, 100u);
  EXPECT_EQ(truncate.xid, 70u);
  EXPECT_TRUE(truncate.group.txn_incomplete);
}

// PostgreSQL 15 has no option for that. A transaction that follows is not meant.
TEST_F(StreamedMessages, OriginsThatAreNotWanted) {
  const SentMessage origin = {0, "O" + Be64(77) + String("other")};
  for (const bool wanted : {true, false}) {
    Restart(nullptr, {.foreign_origins = wanted});
    Take({Start(70), origin, Of(70, Items()), Of(70, Item("1"), 100), Of(70, TruncateBytes({kItems}), 110),
          Stop(), Start(80), Of(80, Items()), Of(80, Item("2"), 120), Stop()});
    const auto events = Events({Commit(70, 500), Commit(80, 600)});
    ASSERT_EQ(events.size(), wanted ? 4u : 2u);
    Check(events.back(), "id", "[2]");
    EXPECT_EQ(std::holds_alternative<ProgressEvent>(events[0]), !wanted);
  }
}

TEST_F(StreamedMessages, UnmatchedTablesAreCountedAndNotKept) {
  Restart([](const TableName& table) { return table.table != "items"; });
  Take({Start(70), Of(70, Items()), Of(70, Others())});
  const size_t records = spool_.records[70].size();
  Take({Of(70, Item("1"), 100),
        Of(70, UpdateBytes(kItems, 'K', TextTuple({"1", std::nullopt}), TextTuple({"2", "x"})), 110),
        Of(70, UpdateBytes(kItems, TextTuple({"2", "y"})), 120)});
  EXPECT_EQ(spool_.records[70].size(), records);
  Take({Of(70, InsertBytes(kOthers, TextTuple({"3"})), 130), Stop()});
  const auto events = Events({Commit(70, 500)});
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(unmatched_, (std::map<TableName, uint64_t>{{{"public", "items"}, 4}}));
  Check(events[0], "id", "[3]");
}

TEST_F(StreamedMessages, LargeOnesComeInBatchesOfOneGroup) {
  Restart(nullptr, {.commit_bytes = 1, .batch_bytes_max = 6000});
  std::vector<SentMessage> messages = {Start(70), Of(70, Items())};
  for (int i = 0; i < 200; ++i) messages.push_back(Of(70, Item(std::to_string(i)), 100));
  messages.push_back(Stop());
  Take(messages);
  const auto events = Events({Commit(70, 500)});
  ASSERT_GT(events.size(), 3u);
  for (size_t i = 0; i + 1 < events.size(); ++i) {
    EXPECT_FALSE(std::get<ChangeBatch>(events[i]).group.group_end);
    EXPECT_TRUE(std::get<ChangeBatch>(events[i]).group.txn_incomplete);
    EXPECT_FALSE(std::get<ChangeBatch>(events[i]).group.safe.has_value());
  }
}

TEST_F(StreamedMessages, WrongOrder) {
  const SentMessage begin = {90, BeginBytes(300, 75)};
  ExpectRefused({Stop()}, "kind that is not known");
  ExpectRefused({Start(70), Start(71)}, "does not belong");
  ExpectRefused({Start(70), begin}, "does not belong");
  ExpectRefused({Start(70), Commit(70, 500)}, "does not belong");
  ExpectRefused({Start(70), Abort(70, 70)}, "does not belong");
  ExpectRefused({begin, Start(70)}, "within another");
  ExpectRefused({begin, Commit(70, 500)}, "within another");
  ExpectRefused({Commit(70, 500)}, "of which nothing came");
  ExpectRefused({Start(70), Stop(), Commit(70, 500), Start(71), Stop(), Commit(71, 400)}, "backwards");
  ExpectRefused({{0, Items()}, Start(70), Of(70, Item("1"))}, "has not announced");
  ExpectRefused({Start(70), {0, "E1"}}, "do not belong there");
  ExpectRefused({Start(70), {0, "I12"}}, "not laid out");
  ExpectRefused({{0, "S123"}}, "not laid out");
  ExpectRefused({{0, StreamAbortBytes(70, 70) + "x"}}, "do not belong there");
}

// As protocol 4 says it with parallel streaming.
TEST_F(StreamedMessages, AbortsThatSayWhereAndWhen) {
  const string place_and_time = Be(uint64_t{400}) + Be(uint64_t{77});
  Take({Start(70),
        Of(70, Items()),
        Of(70, Item("1"), 100),
        Of(71, Item("2"), 110),
        Stop(),
        {0, StreamAbortBytes(70, 71) + place_and_time}});
  const auto events = Events({Commit(70, 500)});
  ASSERT_EQ(events.size(), 1u);
  Check(events[0], "id", "[1]");
  ExpectRefused({{0, StreamAbortBytes(70, 70) + place_and_time + "x"}}, "do not belong there");
  ExpectRefused({{0, StreamAbortBytes(70, 70) + place_and_time.substr(1)}}, "do not belong there");
}

TEST_F(StreamedMessages, OnlyWhereItWasAskedFor) {
  PgoutputDecoder decoder(arrow::default_memory_pool(), kEpoch, &catalog_);
  EXPECT_NE(decoder.Decode(StreamStartBytes(70), 0).message().find("not asked for"), string::npos);
}

TEST_F(StreamedMessages, SpoolsErrorsEndTheSession) {
  spool_.fails = arrow::Status::IOError("no room");
  EXPECT_TRUE(Send({Start(70), Of(70, Items())}).status().IsIOError());
  EXPECT_FALSE(decoder_->Decode("E", 0).ok());
}

// An error, or batches that are valid.
TEST_F(StreamedMessages, Damaged) {
  const std::vector<SentMessage> session = {
      Start(70), Of(70, Items()), Of(70, Item("1"), 100), Of(71, TruncateBytes({kItems}), 110),
      Stop(),    Abort(70, 71),   Commit(70, 500)};
  for (size_t which = 0; which < session.size(); ++which) {
    for (size_t at = 0; at < session[which].bytes.size(); ++at) {
      for (const int bit : {-1, 0, 3, 7}) {
        Restart();
        auto messages = session;
        string& bytes = messages[which].bytes;
        bytes = bit < 0 ? bytes.substr(0, at) : bytes;
        if (bit >= 0) bytes[at] = static_cast<char>(bytes[at] ^ (1 << bit));
        const auto events = Send(messages);
        if (!events.ok()) {
          ASSERT_NE(GetErrorDetail(events.status()), nullptr) << events.status().ToString();
          continue;
        }
        for (const Event& event : *events) {
          if (const auto* batch = std::get_if<ChangeBatch>(&event))
            ARROWCDC_ASSERT_OK(batch->rows->ValidateFull());
        }
      }
    }
  }
}

}  // namespace
}  // namespace arrowcdc::test
