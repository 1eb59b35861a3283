// Transactions that are sent while they are in progress: what of them comes out when they commit.
#include <gtest/gtest.h>

#include "arrowcdc/change_rows.h"
#include "arrowcdc/error.h"
#include "src/postgres/decode/testing/memory_spool.h"
#include "src/postgres/decode/wal2arrow/testing/session.h"

namespace arrowcdc {
namespace {

using format::CellEntry;
using format::FrameKind;
using format::TransactionEntry;
using test::BatchPayload;
using test::FrameFactory;
using test::ItemRows;
using test::Items;
using test::Json;
using test::kEpoch;
using test::kUnchangedName;
using test::kUnrepresentableCells;
using test::MemorySpool;
using test::Message;
using test::TestTable;

constexpr uint16_t kInProgress = format::kFlagInProgress;
constexpr int64_t kCommitTs = 1700000000000009;

class StreamedFrames : public testing::Test {
 protected:
  void SetUp() override { Restart(); }

  void Restart(std::function<bool(const TableName&)> matches = nullptr,
               const std::string& options = "publication_names=p\nstreaming=on\n") {
    make_ = {};
    decoder_ = std::make_unique<Wal2arrowDecoder>(
        arrow::default_memory_pool(), kEpoch, kPayloadBytesMax,
        InProgress{&spool_, std::move(matches),
                   [this](const TableName& table, uint64_t rows) { unmatched_[table] += rows; }});
    spool_.records.clear();
    ASSERT_TRUE(Send(make_.Hello(1, options)).ok());
    ASSERT_TRUE(Send(make_.Schema(Items())).ok());
  }

  // Events of a frame, to the last.
  arrow::Result<std::vector<Event>> Send(const std::string& frame) {
    std::vector<Event> events;
    ARROW_ASSIGN_OR_RAISE(auto event, decoder_->Decode(Message::Make(frame), format::kXLogDataHeaderBytes));
    while (event.has_value() || decoder_->has_more()) {
      if (event.has_value()) events.push_back(std::move(*event));
      ARROW_ASSIGN_OR_RAISE(event, decoder_->Next());
    }
    return events;
  }
  void Take(const std::vector<std::string>& frames) {
    for (const std::string& frame : frames) {
      auto events = Send(frame);
      ASSERT_TRUE(events.ok()) << events.status();
      EXPECT_TRUE(events->empty()) << "an event of a transaction in progress";
    }
  }
  std::vector<Event> Events(const std::string& frame) {
    auto events = Send(frame);
    EXPECT_TRUE(events.ok()) << events.status();
    return events.ok() ? *std::move(events) : std::vector<Event>();
  }
  void ExpectRefused(const std::string& frame, const std::string& text) {
    const auto events = Send(frame);
    ASSERT_FALSE(events.ok()) << "wanted: " << text;
    EXPECT_NE(events.status().message().find(text), std::string::npos) << events.status().message();
    ASSERT_NE(GetErrorDetail(events.status()), nullptr);
    EXPECT_EQ(GetErrorDetail(events.status())->kind(), ErrorKind::kProtocol);
  }

  std::string Start(uint32_t xid) { return InProgressFrame(FrameKind::kStreamStart, {xid, 0, 0, 0}); }
  std::string Stop() { return InProgressFrame(FrameKind::kStreamStop, {}); }
  std::string Abort(uint32_t xid, uint32_t subxid) {
    return InProgressFrame(FrameKind::kStreamAbort, {xid, subxid, 0, 0});
  }
  std::string Commit(uint32_t xid, uint64_t commit_lsn, uint64_t end_lsn) {
    make_.safe_lsn = end_lsn;
    make_.flags = format::kFlagGroupEnd;
    std::string frame = make_.Stream(FrameKind::kStreamCommit, {xid, 0, commit_lsn, kCommitTs});
    make_.flags = 0;
    return frame;
  }
  // The four rows of ItemRows, by the parts of the transaction.
  std::string Rows(const std::vector<std::pair<uint32_t, uint32_t>>& runs, const TestTable& table = Items(),
                   arrow::Compression::type compression = arrow::Compression::UNCOMPRESSED) {
    std::vector<TransactionEntry> entries;
    for (const auto& [xid, rows] : runs) entries.push_back({0, 0, xid, rows});
    make_.flags = kInProgress;
    std::string frame = make_.Batch(table, 4, BatchPayload(*ItemRows(table), compression), entries,
                                    kUnchangedName, kUnrepresentableCells);
    make_.flags = 0;
    return frame;
  }
  std::string InProgressFrame(FrameKind kind, const format::StreamSection& section) {
    make_.flags = kInProgress;
    std::string frame = make_.Stream(kind, section);
    make_.flags = 0;
    return frame;
  }

  static std::string Column(const Event& event, const std::string& name) {
    const auto& batch = std::get<ChangeBatch>(event);
    EXPECT_TRUE(batch.rows->ValidateFull().ok()) << batch.rows->ValidateFull();
    EXPECT_TRUE(batch.rows->schema()->Equals(*batch.table->schema, true));
    EXPECT_TRUE(ChangeRows::Make(*batch.table, *batch.rows).ok());
    std::string text;
    const auto column = batch.rows->GetColumnByName(name);
    for (int64_t row = 0; row < column->length(); ++row) {
      text += (row == 0 ? "" : " ") + column->GetScalar(row).ValueOrDie()->ToString();
    }
    return text;
  }

  MemorySpool spool_;
  std::map<TableName, uint64_t> unmatched_;
  FrameFactory make_;
  std::unique_ptr<Wal2arrowDecoder> decoder_;
};

TEST_F(StreamedFrames, RowsComeAtTheCommitAsOneGroup) {
  EXPECT_TRUE(decoder_->streams());
  Take({Start(41), Rows({{41, 3}, {43, 1}}), Stop(), Start(41), Rows({{43, 4}}), Stop()});
  const auto events = Events(Commit(41, 500, 600));
  ASSERT_EQ(events.size(), 3u);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(Column(events[i], "id"), "1 2 3 4");
    EXPECT_EQ(Column(events[i], "_commit_lsn"), "500 500 500 500");
    EXPECT_EQ(Column(events[i], "_xid"), "41 41 41 41");
    EXPECT_EQ(Column(events[i], "_lsn"), "100 110 120 130");
    const GroupState& group = std::get<ChangeBatch>(events[i]).group;
    EXPECT_FALSE(group.group_end);
    EXPECT_TRUE(group.txn_incomplete);
    EXPECT_FALSE(group.safe.has_value());
  }
  const auto& rows = *std::get<ChangeBatch>(events[0]).rows;
  EXPECT_TRUE(
      rows.GetColumnByName("_commit_ts")
          ->Equals(*Json(arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"),
                         "[1700000000000009, 1700000000000009, 1700000000000009, 1700000000000009]")));
  const GroupState& end = std::get<ProgressEvent>(events[2]).group;
  EXPECT_TRUE(end.group_end);
  EXPECT_EQ(end.safe, (Position{kEpoch, 600}));
  EXPECT_TRUE(spool_.records.empty());
}

TEST_F(StreamedFrames, TransactionsInterleave) {
  Take({Start(41), Rows({{41, 4}}), Stop(), Start(42), Rows({{42, 4}}), Stop(), Start(41), Rows({{41, 4}}),
        Stop()});
  const auto later = Events(Commit(42, 500, 600));
  ASSERT_EQ(later.size(), 2u);
  EXPECT_EQ(Column(later[0], "_xid"), "42 42 42 42");
  // A transaction that was not streamed comes in between, as ever.
  make_.flags = format::kFlagGroupEnd;
  make_.safe_lsn = 700;
  const auto plain = Events(make_.Batch(Items(), 4, BatchPayload(*ItemRows(Items())), {{650, 1, 44, 4}}));
  make_.flags = 0;
  ASSERT_EQ(plain.size(), 1u);
  EXPECT_EQ(Column(plain[0], "_xid"), "44 44 44 44");
  const auto first = Events(Commit(41, 800, 900));
  ASSERT_EQ(first.size(), 3u);
  EXPECT_EQ(std::get<ChangeBatch>(first[0]).group.safe, (Position{kEpoch, 700}));
  EXPECT_EQ(Column(first[1], "_commit_lsn"), "800 800 800 800");
}

TEST_F(StreamedFrames, AbortedPartsAreCutOut) {
  Take({Start(41), Rows({{41, 1}, {42, 1}, {43, 1}, {42, 1}}), Rows({{44, 4}}), Rows({{42, 2}, {41, 2}}),
        Stop(), Abort(41, 43), Abort(41, 44)});
  const auto events = Events(Commit(41, 500, 600));
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(Column(events[0], "id"), "1 2 4");
  EXPECT_EQ(Column(events[0], "name"), "one null four");
  EXPECT_EQ(Column(events[0], "_op"), Column(events[0], "_op"));
  EXPECT_EQ(Column(events[0], "_unchanged"), "null list<item: string>[name] null");
  EXPECT_EQ(Column(events[0], "_unrepresentable"), "null null list<item: string>[tags]");
  EXPECT_EQ(Column(events[0], "_xid"), "41 41 41");
  EXPECT_EQ(Column(events[1], "id"), "1 2 3 4");
}

TEST_F(StreamedFrames, OneStretchIsASlice) {
  Take({Start(41), Rows({{42, 2}, {41, 2}}), Stop(), Abort(41, 42)});
  const auto events = Events(Commit(41, 500, 600));
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(Column(events[0], "id"), "3 4");
  EXPECT_EQ(Column(events[0], "_unrepresentable"), "list<item: string>[name, tags] list<item: string>[tags]");
}

TEST_F(StreamedFrames, AbortedTransactionsLeaveNothing) {
  Take({Start(41), Rows({{41, 4}}), Stop(), Start(42), Rows({{42, 4}}), Stop(), Abort(41, 41)});
  EXPECT_EQ(spool_.records.size(), 1u);
  Take({Abort(41, 41), Abort(99, 99), Abort(99, 100)});  // unknown ones are ignored
  EXPECT_EQ(Events(Commit(42, 500, 600)).size(), 2u);
}

TEST_F(StreamedFrames, AllPartsAborted) {
  Take({Start(41), Rows({{42, 4}}), Stop(), Abort(41, 42)});
  const auto events = Events(Commit(41, 500, 600));
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(std::get<ProgressEvent>(events[0]).group.safe, (Position{kEpoch, 600}));
}

TEST_F(StreamedFrames, TruncateTakesTheCommit) {
  make_.flags = kInProgress;
  std::vector<std::string> frames = {Start(41)};
  make_.flags = kInProgress;
  frames.push_back(make_.Truncate({Items()}, {0, 0, 41, 0}));
  frames.push_back(make_.Truncate({Items()}, {0, 0, 42, 0}));
  make_.flags = 0;
  frames.push_back(Stop());
  frames.push_back(Abort(41, 42));
  Take(frames);
  const auto events = Events(Commit(41, 950, 960));
  ASSERT_EQ(events.size(), 2u);
  const auto& truncate = std::get<TruncateEvent>(events[0]);
  EXPECT_EQ(truncate.commit_lsn, 950u);
  EXPECT_EQ(truncate.lsn, 900u);
  EXPECT_EQ(truncate.xid, 41u);
  EXPECT_EQ(truncate.commit_ts, kCommitTs);
  EXPECT_TRUE(truncate.group.txn_incomplete);
}

TEST_F(StreamedFrames, SchemasCountAtOnce) {
  TestTable other = Items();
  other.table_name = "others";
  other.oid = 16400;
  std::vector<std::string> frames = {Start(41)};
  frames.push_back(make_.Schema(other));
  frames.push_back(Rows({{41, 4}}, other));
  frames.push_back(Stop());
  frames.push_back(Abort(41, 41));
  Take(frames);
  make_.flags = format::kFlagGroupEnd;
  make_.safe_lsn = 700;
  const auto plain = Events(make_.Batch(other, 4, BatchPayload(*ItemRows(other)), {{650, 1, 44, 4}}));
  ASSERT_EQ(plain.size(), 1u);
  EXPECT_EQ(std::get<ChangeBatch>(plain[0]).table->name.table, "others");
}

TEST_F(StreamedFrames, CompressedAndInParts) {
  for (const auto compression : {arrow::Compression::UNCOMPRESSED, arrow::Compression::LZ4_FRAME}) {
    for (const size_t part_bytes : {1, 64, 500}) {
      Restart();
      std::vector<std::string> frames = {Start(41)};
      const std::string whole = Rows({{41, 1}, {42, 3}}, Items(), compression);
      for (std::string& part : make_.Split(whole, part_bytes)) frames.push_back(std::move(part));
      frames.push_back(Rows({{42, 1}, {41, 3}}, Items(), compression));
      frames.push_back(Stop());
      frames.push_back(Abort(41, 42));
      Take(frames);
      const auto events = Events(Commit(41, 500, 600));
      ASSERT_EQ(events.size(), 3u) << part_bytes;
      EXPECT_EQ(Column(events[0], "id"), "1");
      EXPECT_EQ(Column(events[1], "id"), "2 3 4");
    }
  }
}

TEST_F(StreamedFrames, UnmatchedTablesAreCountedAndNotKept) {
  Restart([](const TableName& table) { return table.table != "items"; });
  std::vector<std::string> frames = {Start(41)};
  for (std::string& part : make_.Split(Rows({{41, 4}}), 300)) frames.push_back(std::move(part));
  frames.push_back(Rows({{41, 4}}));
  frames.push_back(Stop());
  Take(frames);
  EXPECT_TRUE(spool_.records.empty());
  const auto events = Events(Commit(41, 500, 600));
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(unmatched_, (std::map<TableName, uint64_t>{{{"public", "items"}, 8}}));
  EXPECT_TRUE(std::get<ProgressEvent>(events[0]).group.group_end);
}

TEST_F(StreamedFrames, NoticesCountAtTheCommit) {
  make_.safe_lsn = 400;
  const auto notice = [&] {
    make_.flags = kInProgress | format::kFlagOptional;
    std::string frame = make_.Notice({0, 70, 1, format::kOperationInsert, 0, 0, 0, 0}, {{70, "public", "t"}});
    make_.flags = 0;
    return frame;
  };
  std::vector<std::string> frames;
  for (const uint32_t xid : {41, 42}) {
    frames.push_back(Start(xid));
    frames.push_back(notice());
    frames.push_back(Rows({{xid, 4}}));
    frames.push_back(Stop());
  }
  Take(frames);
  Take({Abort(42, 42), Abort(41, 77)});
  const auto committed = Events(Commit(41, 500, 600));
  ASSERT_EQ(committed.size(), 3u);
  EXPECT_EQ(std::get<NoticeEvent>(committed[0]).position, (Position{kEpoch, 500}));
  EXPECT_EQ(std::get<NoticeEvent>(committed[0]).table, (TableName{"public", "t"}));
}

// However much of it does not count: whoever calls can do something else meanwhile.
TEST_F(StreamedFrames, NextLooksAtAFewFramesATime) {
  std::vector<std::string> frames = {Start(41)};
  for (int i = 0; i < 100; ++i) frames.push_back(Rows({{42, 4}}));
  frames.push_back(Stop());
  frames.push_back(Abort(41, 42));
  Take(frames);
  auto event = decoder_->Decode(Message::Make(Commit(41, 500, 600)), format::kXLogDataHeaderBytes);
  ASSERT_TRUE(event.ok());
  int turns = 0;
  for (; !event->has_value() && decoder_->has_more(); ++turns) {
    event = decoder_->Next();
    ASSERT_TRUE(event.ok());
  }
  EXPECT_GT(turns, 3);
  EXPECT_TRUE(std::holds_alternative<ProgressEvent>(**event));
}

TEST_F(StreamedFrames, WrongOrder) {
  const auto fresh = [this](const std::string& what) {
    SCOPED_TRACE(what);
    Restart();
  };
  fresh("rows outside");
  ExpectRefused(Rows({{41, 4}}), "outside of a transaction");
  fresh("stop outside");
  ExpectRefused(Stop(), "outside of a transaction");
  fresh("start within");
  Take({Start(41)});
  ExpectRefused(Start(42), "within the rows of another transaction");
  fresh("abort within");
  Take({Start(41)});
  ExpectRefused(Abort(41, 41), "within the rows of another transaction");
  fresh("commit within");
  Take({Start(41)});
  ExpectRefused(Commit(41, 500, 600), "within those of a transaction in progress");
  fresh("committed rows within");
  Take({Start(41)});
  ExpectRefused(make_.Batch(Items(), 4, BatchPayload(*ItemRows(Items())), {{650, 1, 44, 4}}),
                "within those of a transaction in progress");
  fresh("commit of an unknown one");
  ExpectRefused(Commit(41, 500, 600), "of which nothing came");
  fresh("commit of an aborted one");
  Take({Start(41), Rows({{41, 4}}), Stop(), Abort(41, 41)});
  ExpectRefused(Commit(41, 500, 600), "of which nothing came");
  fresh("commit twice");
  Take({Start(41), Rows({{41, 4}}), Stop()});
  EXPECT_EQ(Events(Commit(41, 500, 600)).size(), 2u);
  ExpectRefused(Commit(41, 700, 800), "of which nothing came");
  fresh("commit before what has ended");
  Take({Start(41), Rows({{41, 4}}), Stop(), Start(42), Stop()});
  EXPECT_EQ(Events(Commit(41, 500, 600)).size(), 2u);
  ExpectRefused(Commit(42, 550, 700), "out of commit order");
  fresh("end before the commit");
  Take({Start(41), Rows({{41, 4}}), Stop()});
  ExpectRefused(Commit(41, 500, 500), "out of commit order");
  fresh("other frames between parts");
  Take({Start(41)});
  const uint32_t sequence = make_.sequence;
  Take({make_.Split(Rows({{41, 4}}), 300)[0]});
  make_.sequence = sequence + 1;
  ExpectRefused(Stop(), "between the parts");
  fresh("rows that have committed");
  Take({Start(41)});
  make_.flags = kInProgress;
  Take({make_.Batch(Items(), 4, BatchPayload(*ItemRows(Items())), {{650, 1, 41, 4}})});
  make_.flags = 0;
  Take({Stop()});
  ExpectRefused(Commit(41, 700, 800), "in progress that has committed");
  fresh("in a group");
  make_.flags = kInProgress | format::kFlagGroupEnd;
  ExpectRefused(make_.Stream(FrameKind::kStreamStart, {41, 0, 0, 0}), "in a group");
}

TEST_F(StreamedFrames, OnlyWhereItWasAskedForAndGranted) {
  Restart(nullptr, "publication_names=p\n");
  EXPECT_FALSE(decoder_->streams());
  ExpectRefused(Start(41), "not asked for");
  Wal2arrowDecoder without(arrow::default_memory_pool(), kEpoch);
  FrameFactory make;
  ASSERT_TRUE(without.Decode(Message::Make(make.Hello(1, "streaming=on\n")), 25).ok());
  make.flags = kInProgress;
  EXPECT_FALSE(without.Decode(Message::Make(make.Stream(FrameKind::kStreamStart, {41, 0, 0, 0})), 25).ok());
}

TEST_F(StreamedFrames, SpoolsErrorsEndTheSession) {
  spool_.fails = arrow::Status::IOError("no room");
  Take({Start(41)});
  EXPECT_TRUE(Send(Rows({{41, 4}})).status().IsIOError());
  EXPECT_FALSE(Send(Stop()).ok());
}

// An error, or batches that are valid; ASan sees what is read beyond a record.
TEST_F(StreamedFrames, Damaged) {
  std::vector<std::string> frames = {Start(41), Rows({{41, 1}, {42, 3}}), Stop(), Abort(41, 42),
                                     Commit(41, 500, 600)};
  for (size_t which = 0; which < frames.size(); ++which) {
    for (size_t at = 0; at < std::min<size_t>(frames[which].size(), 200); ++at) {
      for (const int bit : {0, 4, 7}) {
        SetUp();
        auto damaged = frames;
        damaged[which][at] = static_cast<char>(damaged[which][at] ^ (1 << bit));
        for (const std::string& frame : damaged) {
          const auto events = Send(frame);
          if (!events.ok()) {
            ASSERT_NE(GetErrorDetail(events.status()), nullptr) << events.status();
            break;
          }
          for (const Event& event : *events) {
            const auto* const batch = std::get_if<ChangeBatch>(&event);
            ASSERT_TRUE(batch == nullptr || batch->rows->ValidateFull().ok());
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace arrowcdc
