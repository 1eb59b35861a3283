// Readers against a made-up server: budgets, claims, positions, events, refusals, each on its own.
#include "arrowcdc/readers.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <random>
#include <set>

#include <arrow/array.h>
#include <gtest/gtest.h>

#include "arrowcdc/change_rows.h"
#include "arrowcdc/error.h"
#include "arrowcdc/messages_table.h"
#include "src/change/message_row.h"
#include "src/delivery/readers/shared_stream.h"
#include "tests/testing/assert_ok.h"
#include "src/delivery/testing/fake_source.h"
#include "tests/testing/wait.h"

namespace arrowcdc {
namespace {

using enum ReplicaIdentity;

using std::chrono::milliseconds;
using std::chrono::seconds;

using test::At;
using test::FakeBatch;
using test::FakeRow;
using test::FakeServer;
using test::FakeSource;
using test::FakeTransaction;

constexpr milliseconds kLimit = seconds(30);

class TwoReaders : public testing::Test {
 protected:
  TwoReaders() {
    server_.may_forget = [this](const FakeRow& row) { return settled_.count(row.table) > 0; };
  }
  void Open(ReaderSetOptions options) {
    options.tables = {server_.tables[0]->name, server_.tables[1]->name};
    server_.Write(random_, 60, 8);
    set_ = ReaderSet::Open(std::make_unique<FakeSource>(server_, 1, 0), options).ValueOrDie();
    read_ = set_->reader(server_.tables[0]->name);
    unread_ = set_->reader(server_.tables[1]->name);
  }

  // The rows of this table are dealt with.
  void Settle(int table) {
    const std::lock_guard lock(server_.mutex);
    settled_.insert(table);
  }
  uint64_t Confirmed() {
    const std::lock_guard lock(server_.mutex);
    return server_.confirmed;
  }
  // End of the last transaction before the first row of the table.
  uint64_t EndBefore(int table) const {
    uint64_t end = 100;
    for (const FakeTransaction& txn : server_.wal) {
      if (std::any_of(txn.rows.begin(), txn.rows.end(),
                      [&](const FakeRow& row) { return row.table == table; }))
        return end;
      end = txn.end_lsn;
    }
    return end;
  }
  // Reads the first table to the end of what was written.
  int64_t ReadAll() {
    int64_t rows = 0;
    while (true) {
      const auto result = read_->Next(kLimit, FormatLsn(server_.wal_end));
      EXPECT_TRUE(result.ok()) << result.status();
      if (!result.ok() || result->state != ReadState::kBatch) return rows;
      rows += result->rows->num_rows();
    }
  }
  std::mt19937_64 random_{7};
  FakeServer server_{2};
  std::set<int> settled_;
  std::unique_ptr<ReaderSet> set_;
  std::shared_ptr<Reader> read_, unread_;
};

TEST_F(TwoReaders, AReaderThatNobodyReadsEndsInAnErrorAndKeepsItsClaim) {
  ReaderSetOptions options;
  options.reader_bytes_max = 20'000;
  options.unread_limit = milliseconds(20);
  Open(options);
  EXPECT_EQ(ReadAll(), server_.RowsOf(0));
  Settle(0);
  ARROWCDC_ASSERT_OK(read_->Commit());
  EXPECT_LE(Confirmed(), EndBefore(1));

  const auto event = set_->NextEvent(kLimit);
  ASSERT_TRUE(event.has_value());
  EXPECT_EQ(event->kind, ReaderEvent::Kind::kReaderEnded);
  EXPECT_EQ(event->reader, unread_);
  const auto result = unread_->Next(milliseconds(0));
  ASSERT_FALSE(result.ok());
  const ErrorDetail* detail = GetErrorDetail(result.status());
  ASSERT_NE(detail, nullptr);
  EXPECT_EQ(detail->kind(), ErrorKind::kReaderUnread);
  EXPECT_NE(detail->object().find("public.t1"), std::string::npos) << detail->object();
  EXPECT_NE(detail->remedy().find("close"), std::string::npos) << detail->remedy();
  EXPECT_EQ(unread_->stats().waiting_bytes, 0);

  Settle(1);
  unread_->Close();
  EXPECT_EQ(Confirmed(), server_.wal_end);
}

TEST_F(TwoReaders, ASlowReaderLosesNothing) {
  ReaderSetOptions options;
  options.reader_bytes_max = 20'000;
  options.unread_limit = milliseconds(1);
  Open(options);
  int64_t slow_rows = 0;
  int64_t rows = 0;
  const auto slow_read = [&] {
    const auto result = unread_->Next(kLimit, FormatLsn(server_.wal_end));
    EXPECT_TRUE(result.ok()) << result.status();
    if (!result.ok() || result->state != ReadState::kBatch) return false;
    slow_rows += result->rows->num_rows();
    return true;
  };
  bool more = slow_read();
  while (more) {
    // The other one is emptied and asks in vain, longer than an unread reader may stand in its way.
    while (true) {
      const auto result = read_->Next(milliseconds(5), FormatLsn(server_.wal_end));
      ASSERT_TRUE(result.ok()) << result.status();
      if (result->state != ReadState::kBatch) break;
      rows += result->rows->num_rows();
    }
    more = slow_read();
  }
  rows += ReadAll();
  EXPECT_EQ(slow_rows, server_.RowsOf(1));
  EXPECT_EQ(rows, server_.RowsOf(0));
}

TEST_F(TwoReaders, AReaderThatIsNotReadAnyMoreEndsAfterTheSlowLimit) {
  ReaderSetOptions options;
  options.reader_bytes_max = 20'000;
  options.unread_limit = kLimit;
  options.slow_limit = milliseconds(20);
  Open(options);
  ASSERT_EQ(unread_->Next(kLimit).ValueOrDie().state, ReadState::kBatch);
  EXPECT_EQ(ReadAll(), server_.RowsOf(0));
  const arrow::Status status = unread_->Next(milliseconds(0)).status();
  const ErrorDetail* detail = GetErrorDetail(status);
  ASSERT_NE(detail, nullptr) << status;
  EXPECT_EQ(detail->kind(), ErrorKind::kReaderUnread);
  EXPECT_NE(status.message().find("any more"), std::string::npos) << status;
  Settle(0);
  ARROWCDC_ASSERT_OK(read_->Commit());
  EXPECT_LE(Confirmed(), EndBefore(1)) << "what it had returned was not committed";
}

TEST_F(TwoReaders, AbandoningKeepsTheClaimAndClosingGivesItUp) {
  Open({});
  unread_->Abandon();
  EXPECT_EQ(ReadAll(), server_.RowsOf(0));
  Settle(0);
  ARROWCDC_ASSERT_OK(read_->Commit());
  EXPECT_LE(Confirmed(), EndBefore(1));
  EXPECT_FALSE(unread_->Next(milliseconds(0)).ok());
  Settle(1);
  unread_->Close();
  unread_->Close();
  EXPECT_EQ(Confirmed(), server_.wal_end);
}

TEST_F(TwoReaders, ClosingGivesUpWhatWaitsAndWhatWasReturned) {
  Open({});
  EXPECT_EQ(ReadAll(), server_.RowsOf(0));
  ASSERT_EQ(unread_->Next(kLimit).ValueOrDie().state, ReadState::kBatch);
  EXPECT_GT(unread_->stats().waiting_bytes, 0);
  Settle(0);
  ARROWCDC_ASSERT_OK(read_->Commit());
  EXPECT_LE(Confirmed(), EndBefore(1));
  Settle(1);
  unread_->Close();
  EXPECT_EQ(Confirmed(), server_.wal_end);
  EXPECT_EQ(unread_->stats().waiting_bytes, 0);
}

TEST_F(TwoReaders, StoppingDoesNotWaitForAFullReader) {
  ReaderSetOptions options;
  options.reader_bytes_max = 1;
  Open(options);
  ARROWCDC_ASSERT_OK(
      test::WaitFor([&] { return read_->stats().waiting_bytes > 0 || unread_->stats().waiting_bytes > 0; },
                    kLimit, "rows"));
  ARROWCDC_ASSERT_OK(set_->Stop());
  EXPECT_LE(Confirmed(), std::min(EndBefore(0), EndBefore(1)));
  while (true) {
    const auto result = read_->Next(milliseconds(0));
    if (result.ok()) continue;
    EXPECT_NE(GetErrorDetail(result.status()), nullptr);
    break;
  }
  const arrow::Status committed = read_->Commit();
  EXPECT_EQ(read_->stats().uncommitted_batches == 0, committed.ok());
}

TEST_F(TwoReaders, ReadsUpToAPositionAndThenOn) {
  Open({});
  EXPECT_EQ(ReadAll(), server_.RowsOf(0));
  const auto again = read_->Next(milliseconds(0), FormatLsn(server_.wal_end));
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->state, ReadState::kEnd);
  const auto on = read_->Next(milliseconds(0));
  ASSERT_TRUE(on.ok());
  EXPECT_EQ(on->state, ReadState::kTimeout);
}

TEST_F(TwoReaders, NotifiesWhoIsNotWaiting) {
  std::atomic<int> calls{0};
  Open({});
  read_->SetNotify([&] { ++calls; });
  EXPECT_EQ(ReadAll(), server_.RowsOf(0));
  ASSERT_EQ(read_->Next(milliseconds(0)).ValueOrDie().state, ReadState::kTimeout);
  calls = 0;
  ARROWCDC_ASSERT_OK(set_->Stop());
  EXPECT_GT(calls, 0);
  read_->SetNotify(nullptr);
}

// Many readers, whose own budgets are never full.
class ManyReaders : public testing::Test {
 protected:
  void Open(milliseconds unread_limit) {
    std::mt19937_64 random(3);
    server_.Write(random, 150, 20);
    server_.may_forget = [](const FakeRow&) { return true; };
    ReaderSetOptions options;
    options.reader_bytes_max = 90'000;
    options.bytes_max = kBytesMax;
    options.unread_limit = unread_limit;
    for (const auto& table : server_.tables) options.tables.push_back(table->name);
    set_ = ReaderSet::Open(std::make_unique<FakeSource>(server_, 1, 0), options).ValueOrDie();
  }
  int64_t WaitingBytes() const {
    int64_t bytes = 0;
    for (const auto& reader : set_->readers()) bytes += reader->stats().waiting_bytes;
    return bytes;
  }

  static constexpr int kTables = 16;
  static constexpr int64_t kBytesMax = 100'000;
  static constexpr int64_t kBatchBytesMax = 8'000;
  FakeServer server_{kTables};
  std::unique_ptr<ReaderSet> set_;
};

TEST_F(ManyReaders, HaveABoundTogether) {
  Open(kLimit);
  ARROWCDC_ASSERT_OK(
      test::WaitFor([&] { return WaitingBytes() > kBytesMax - kBatchBytesMax; }, kLimit, "full readers"));
  int64_t rows[kTables] = {};
  std::set<int> ended;
  while (ended.size() < kTables) {
    for (int table = 0; table < kTables; ++table) {
      const auto reader = set_->reader(server_.tables[static_cast<size_t>(table)]->name);
      const auto result = reader->Next(milliseconds(1), FormatLsn(server_.wal_end));
      ASSERT_TRUE(result.ok()) << result.status();
      // Besides the bound: a batch for each that was asked in vain.
      EXPECT_LE(WaitingBytes(), kBytesMax + kTables * kBatchBytesMax);
      if (result->state == ReadState::kBatch) rows[table] += result->rows->num_rows();
      if (result->state == ReadState::kEnd) ended.insert(table);
    }
  }
  for (int table = 0; table < kTables; ++table) EXPECT_EQ(rows[table], server_.RowsOf(table)) << table;
}

TEST_F(ManyReaders, OneOfThemCanBeReadAlone) {
  Open(milliseconds(20));
  const auto only = set_->reader(server_.tables[0]->name);
  int64_t rows = 0;
  while (true) {
    const auto result = only->Next(kLimit, FormatLsn(server_.wal_end));
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_LE(WaitingBytes(), kBytesMax + kBatchBytesMax);
    if (result->state != ReadState::kBatch) break;
    rows += result->rows->num_rows();
  }
  EXPECT_EQ(rows, server_.RowsOf(0));
  const auto event = set_->NextEvent(kLimit);
  ASSERT_TRUE(event.has_value());
  EXPECT_EQ(event->kind, ReaderEvent::Kind::kReaderEnded);
  EXPECT_EQ(GetErrorDetail(event->status)->kind(), ErrorKind::kReaderUnread);
  EXPECT_NE(event->reader, only);
  EXPECT_EQ(GetErrorDetail(event->status)->object(), event->reader->ToString());
}

// Who asked once and went away does not wait.
TEST(SharedStream, OnlyWhoWaitsIsHungry) {
  ReaderSetOptions options;
  FakeServer server(1);
  const auto stream = std::make_shared<SharedStream>(std::make_shared<FakeSource>(server, 1, 0), options);
  const auto reader = std::make_shared<Reader>(stream, TableName{"public", "t"}, 0);
  stream->readers.push_back(reader);
  const auto before = std::chrono::steady_clock::now();
  EXPECT_FALSE(stream->AnyIsHungry(before));
  ASSERT_EQ(reader->Next(milliseconds(0)).ValueOrDie().state, ReadState::kTimeout);
  EXPECT_TRUE(stream->AnyIsHungry(before));
  EXPECT_FALSE(stream->AnyIsHungry(std::chrono::steady_clock::now() + seconds(1)));
  reader->SetNotify([] {});
  EXPECT_TRUE(stream->AnyIsHungry(std::chrono::steady_clock::now() + seconds(1)));
  stream->readers.clear();
}

TEST(ReaderSet, TruncateReachesEveryPartitionOfItsTables) {
  FakeServer server(2);
  server.wal_end = 200;
  TruncateEvent truncate;
  truncate.tables = {server.tables[0]};
  truncate.commit_lsn = 110;
  truncate.lsn = 108;
  truncate.group = {At(120), true, false, false};
  const std::vector<FakeRow> rows = {{1, 1, {150, 140, 0}}};
  ReaderSetOptions options;
  options.partitions = 3;
  auto set =
      ReaderSet::Open(std::make_unique<FakeSource>(
                          server, std::vector<Event>{truncate, FakeBatch(server.tables[1], rows,
                                                                         {At(160), true, false, false})}),
                      options)
          .ValueOrDie();
  std::set<int> partitions;
  for (int i = 0; i < 3; ++i) {
    const auto event = set->NextEvent(kLimit);
    ASSERT_TRUE(event.has_value());
    EXPECT_EQ(event->kind, ReaderEvent::Kind::kReaderAdded);
    EXPECT_EQ(event->reader->table(), server.tables[0]->name);
    partitions.insert(event->reader->partition());
    const auto batch = event->reader->Next(kLimit).ValueOrDie();
    ASSERT_EQ(batch.state, ReadState::kBatch);
    ASSERT_EQ(batch.rows->num_rows(), 1);
    EXPECT_EQ(ChangeRows::Make(*batch.table, *batch.rows)->op(0), Op::kTruncate);
    if (i < 2) {
      ARROWCDC_ASSERT_OK(event->reader->Commit());
      EXPECT_EQ(server.confirmed, 100u);
    } else {
      ARROWCDC_ASSERT_OK(event->reader->Commit());
      // The position may come into force just after the row.
      ARROWCDC_ASSERT_OK(
          test::WaitFor([&] { return set->stats().acknowledged == At(120); }, kLimit, "the acknowledgement"));
    }
  }
  EXPECT_EQ(partitions.size(), 3u);
}

// However many partitions tables have: they have no key to be split by.
TEST(ReaderSet, LogicalMessagesHaveOneReader) {
  FakeServer server(1);
  server.wal_end = 200;
  const LogicalMessage message{115, "p", arrow::Buffer::FromString("x"), std::nullopt};
  ReaderSetOptions options;
  options.partitions = 3;
  options.tables = {server.tables[0]->name, MessagesTable()->name};
  auto set =
      ReaderSet::Open(
          std::make_unique<FakeSource>(
              server, std::vector<Event>{ChangeBatch{
                          MessagesTable(), MessageRow(message).ValueOrDie(), {At(115), true, false, false}}}),
          options)
          .ValueOrDie();
  EXPECT_EQ(set->readers().size(), 3u + 1);
  const auto reader = set->reader(MessagesTable()->name);
  ASSERT_NE(reader, nullptr);
  const auto batch = reader->Next(kLimit).ValueOrDie();
  ASSERT_EQ(batch.state, ReadState::kBatch);
  EXPECT_EQ(batch.rows->num_rows(), 1);
  ARROWCDC_ASSERT_OK(reader->Commit());
  ARROWCDC_ASSERT_OK(
      test::WaitFor([&] { return set->stats().acknowledged == At(115); }, kLimit, "the acknowledgement"));
}

TEST(ReaderSet, ATableWithoutAKeyEndsItsOwnPartitionsOnly) {
  FakeServer server(2);
  server.wal_end = 200;
  auto keyless = std::make_shared<TableSchema>(*server.tables[0]);
  keyless->key_fields.clear();
  keyless->replica_identity = kNothing;
  ReaderSetOptions options;
  options.partitions = 2;
  options.tables = {keyless->name, server.tables[1]->name};
  auto set =
      ReaderSet::Open(
          std::make_unique<FakeSource>(
              server,
              std::vector<Event>{
                  FakeBatch(server.tables[1], {{1, 1, {110, 108, 0}}}, {At(120), true, false, false}),
                  FakeBatch(keyless, {{0, 2, {130, 128, 0}}}, {At(140), true, false, false}),
                  FakeBatch(server.tables[1], {{1, 1, {150, 148, 0}}}, {At(160), true, false, false})}),
          options)
          .ValueOrDie();
  const auto result = set->reader(keyless->name, 1)->Next(kLimit);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(GetErrorDetail(result.status())->kind(), ErrorKind::kReplicaIdentity);
  ARROWCDC_ASSERT_OK(test::WaitFor([&] { return set->stats().delivered == At(160); }, kLimit, "the rest"));
  int batches = 0;
  for (int partition = 0; partition < 2; ++partition) {
    const auto reader = set->reader(server.tables[1]->name, partition);
    while (reader->Next(milliseconds(0)).ValueOrDie().state == ReadState::kBatch) ++batches;
    ARROWCDC_ASSERT_OK(reader->Commit());
  }
  EXPECT_EQ(batches, 2);
  EXPECT_EQ(server.confirmed, 120u);
  // Nobody knows which partition the row belongs to: it is let go when all are closed.
  set->reader(keyless->name, 0)->Close();
  EXPECT_EQ(server.confirmed, 120u);
  set->reader(keyless->name, 1)->Close();
  EXPECT_EQ(server.confirmed, 160u);
}

struct NeverStarted : FakeSource {
  using FakeSource::FakeSource;
  arrow::Status Start(const Position&) override {
    return MakeError(ErrorKind::kPluginMissing, "not here", "start", "install it");
  }
};

TEST(ReaderSet, TablesThatCannotBeSplitAreRefusedBeforeAnythingIsStreamed) {
  FakeServer server(1);
  const auto open = [&](const SourceTable& table, int partitions, std::vector<std::string> columns = {}) {
    server.catalog = {{{"public", "fine"}, kDefault, {{"id", "bigint", true, 1}}}, table};
    ReaderSetOptions options;
    options.partitions = partitions;
    if (!columns.empty()) options.partition_columns[table.name] = std::move(columns);
    auto source = std::make_unique<NeverStarted>(server, 1, 0);
    return ReaderSet::Open(std::move(source), options, TablePatterns::Parse({"public.*"}).ValueOrDie())
        .status();
  };
  const auto expect = [](const arrow::Status& status, ErrorKind kind, const std::string& object) {
    const ErrorDetail* detail = GetErrorDetail(status);
    ASSERT_NE(detail, nullptr) << status;
    EXPECT_EQ(detail->kind(), kind) << status;
    EXPECT_EQ(detail->object(), object);
    EXPECT_NE(detail->remedy(), "");
  };
  const SourceTable::Column id = {"id", "bigint", true, 1};
  const SourceTable::Column name = {"name", "text", true, 0};
  const SourceTable::Column tags = {"tags", "text[]", false, 2};
  const TableName t = {"public", "t"};
  expect(open({t, kDefault, {name}}, 2), ErrorKind::kReplicaIdentity, "table public.t");
  expect(open({t, kNothing, {name}}, 2), ErrorKind::kReplicaIdentity, "table public.t");
  expect(open({t, kFull, {name}}, 2), ErrorKind::kReplicaIdentity, "table public.t");
  expect(open({t, kDefault, {id, name}}, 2, {"name"}), ErrorKind::kReplicaIdentity,
         "table public.t, column \"name\"");
  expect(open({t, kDefault, {name, id, tags}}, 2), ErrorKind::kUnsupported,
         "table public.t, column \"tags\"");
  expect(open({t, kDefault, {id}}, 2, {"nope"}), ErrorKind::kInvalidOption,
         "table public.t, column \"nope\"");
  // What is left: the start itself.
  for (const arrow::Status& status :
       {open({t, kDefault, {name}}, 1), open({{"other", "t"}, kDefault, {name}}, 2),
        open({t, kFull, {name}}, 2, {"name"}), open({t, kDefault, {name, id, tags}}, 2, {"id"})}) {
    expect(status, ErrorKind::kPluginMissing, "start");
  }
}

// One batch holds rows of several transactions; the server holds others back meanwhile.
TEST(ReaderSet, ABatchOfSeveralTransactionsIsFreeAsAWhole) {
  FakeServer server(2);
  server.wal_end = 1000;
  const auto rows = [](int table, std::initializer_list<uint64_t> commits) {
    std::vector<FakeRow> all;
    for (const uint64_t commit : commits)
      all.push_back({table, static_cast<int64_t>(commit), {commit, commit - 5, 0}});
    return all;
  };
  const std::vector<Event> events = {
      FakeBatch(server.tables[0], rows(0, {110, 120, 130}), {{}, false, false, true}),
      KeepaliveEvent{At(900), false},
      FakeBatch(server.tables[1], rows(1, {115, 125}), {At(135), true, false, true}),
      KeepaliveEvent{At(900), false},  // the server holds 140 to 160 back
      FakeBatch(server.tables[0], rows(0, {140, 150, 160}), {At(165), true, false, true}),
      KeepaliveEvent{At(900), false},
      FakeBatch(server.tables[1], rows(1, {170}), {{}, false, true, false}),
      KeepaliveEvent{At(900), false}};
  ReaderSetOptions options;
  options.tables = {server.tables[0]->name, server.tables[1]->name};
  const auto set = ReaderSet::Open(std::make_unique<FakeSource>(server, events), options).ValueOrDie();
  const auto first = set->reader(server.tables[0]->name);
  const auto second = set->reader(server.tables[1]->name);
  const auto take = [](Reader& reader, const std::optional<std::string>& until = std::nullopt) {
    const ReadResult result = reader.Next(kLimit, until).ValueOrDie();
    return result.state == ReadState::kBatch ? result.rows->num_rows() : -1;
  };
  const auto acknowledged = [&] { return set->stats().acknowledged; };

  ARROWCDC_ASSERT_OK(test::WaitFor([&] { return set->stats().delivered == At(165); }, kLimit, "the groups"));
  EXPECT_EQ(acknowledged(), std::nullopt);
  EXPECT_EQ(take(*first), 3);
  ARROWCDC_ASSERT_OK(first->Commit());
  EXPECT_EQ(acknowledged(), std::nullopt) << "the other table has rows of the same group";
  // A position inside a group: its batch may hold rows before it.
  EXPECT_EQ(take(*second, FormatLsn(118)), 2);
  EXPECT_EQ(take(*first, FormatLsn(118)), -1) << "what is left commits later";
  ARROWCDC_ASSERT_OK(second->Commit());
  EXPECT_EQ(acknowledged(), At(135));
  EXPECT_EQ(take(*first), 3);
  ARROWCDC_ASSERT_OK(first->Commit());
  EXPECT_EQ(acknowledged(), At(165));
  EXPECT_EQ(take(*second), 1);
  ARROWCDC_ASSERT_OK(second->Commit());
  EXPECT_EQ(acknowledged(), At(165)) << "the group is open";
  EXPECT_EQ(server.confirmed, 165u);
}

// A commit that is made before the pump has come to the end of the group, and then the end of the program.
TEST(ReaderSet, WhatWasDeliveredBeforeTheStopIsCommitted) {
  FakeServer server(1);
  server.wal_end = 200;
  ReaderSetOptions options;
  options.tables = {server.tables[0]->name};
  options.stop = std::make_shared<StopToken>();
  struct WithGate : FakeSource {
    using FakeSource::FakeSource;
    arrow::Result<std::optional<Event>> Next(milliseconds timeout) override {
      return open ? FakeSource::Next(timeout) : std::optional<Event>();
    }
    std::atomic<bool> open = false;
  };
  auto source = std::make_unique<WithGate>(
      server, std::vector<Event>{
                  FakeBatch(server.tables[0], {{0, 1, {110, 108, 0}}}, {At(120), true, false, false})});
  std::atomic<bool>& gate = source->open;
  auto set = ReaderSet::Open(std::move(source), options).ValueOrDie();
  const auto reader = set->readers()[0];
  reader->SetNotify([stop = options.stop.get()] { stop->Stop(); });
  gate = true;
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const ReadResult read, reader->Next(kLimit));
  ASSERT_EQ(read.state, ReadState::kBatch);
  ARROWCDC_ASSERT_OK(test::WaitFor([&] { return set->ended(); }, kLimit, "the end"));
  EXPECT_EQ(server.confirmed, 100u);
  reader->Close();
  EXPECT_EQ(server.confirmed, 120u);
}

TEST(ReaderSet, AKeepaliveCountsOnceTheServerHoldsNothingBack) {
  const std::vector<Event> events = {
      ProgressEvent{{{}, false, false, true}},      KeepaliveEvent{At(200), false},
      ProgressEvent{{At(150), true, false, true}},  KeepaliveEvent{At(300), false},
      ProgressEvent{{At(170), true, false, false}}, KeepaliveEvent{At(400), false}};
  for (const auto& [until, delivered] : std::map<uint64_t, uint64_t>{{165, 170}, {350, 400}}) {
    FakeServer server(1);
    server.wal_end = until;
    ReaderSetOptions options;
    options.until = FormatLsn(until);
    const auto set = ReaderSet::Open(std::make_unique<FakeSource>(server, events), options).ValueOrDie();
    EXPECT_FALSE(set->NextEvent(kLimit).has_value()) << "the stream ends";
    EXPECT_TRUE(set->ended());
    EXPECT_EQ(set->stats().delivered, At(delivered));
  }
}

TEST(ReaderSet, AnEndThatWasAskedForIsNoErrorOfTheSession) {
  FakeServer server(2);
  server.may_forget = [](const FakeRow&) { return true; };
  NoticeEvent notice;
  notice.what = NoticeEvent::What::kPassedOver;
  notice.table = server.tables[1]->name;
  notice.operation.insert = true;
  notice.position = At(300);
  const ChangeBatch batch =
      FakeBatch(server.tables[0], {{0, 0, {300, 300, 0}}}, {At(301), true, false, false});
  ReaderSetOptions options;
  options.tables = {server.tables[0]->name};
  options.on_unpublished = OnUnpublished::kStop;
  const auto set =
      ReaderSet::Open(std::make_unique<FakeSource>(server, std::vector<Event>{Event(notice), Event(batch)}),
                      options, TablePatterns::Parse({"public.*"}).ValueOrDie())
          .ValueOrDie();
  const auto reader = set->reader(server.tables[0]->name);
  EXPECT_EQ(reader->Next(kLimit).ValueOrDie().state, ReadState::kBatch);
  ARROWCDC_ASSERT_OK(reader->Commit());
  const auto end = reader->Next(kLimit);
  ASSERT_FALSE(end.ok());
  EXPECT_EQ(GetErrorDetail(end.status())->kind(), ErrorKind::kPublicationMissing);
  EXPECT_EQ(set->stats().reconnects, 0u);
}

TEST(ReaderSet, GivesUpWhenTheServerIsAwayTooLong) {
  FakeServer server(1);
  ReaderSetOptions options;
  options.tables = {server.tables[0]->name};
  options.retry_max = milliseconds(100);
  auto set = ReaderSet::Open(std::make_unique<FakeSource>(server, 1, 1), options).ValueOrDie();
  EXPECT_FALSE(set->ended());
  const auto result = set->readers()[0]->Next(kLimit);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(GetErrorDetail(result.status())->kind(), ErrorKind::kConnection);
  EXPECT_EQ(set->NextEvent(kLimit)->kind, ReaderEvent::Kind::kReconnecting);
  EXPECT_TRUE(set->ended());
}

// Readers keep nothing: until something was streamed, the slot alone says where to begin.
TEST(ReaderSet, BeginsWhereTheSlotStandsAfterAFirstStartThatFailed) {
  struct Restarting : FakeSource {
    explicit Restarting(FakeServer& server) : FakeSource(server, 1, 0), confirmed(server.confirmed) {}
    arrow::Status Start(const Position& start) override {
      starts.push_back(start);
      if (starts.size() > 1) return FakeSource::Start(start);
      confirmed += 50;
      return MakeError(ErrorKind::kConnection, "restarting", "server", "", "57P01", true);
    }
    uint64_t& confirmed;
    std::vector<Position> starts;
  };
  FakeServer server(1);
  server.wal_end = 1000;
  auto source = std::make_unique<Restarting>(server);
  const Restarting& seen = *source;
  const auto set = ReaderSet::Open(std::move(source), {}).ValueOrDie();
  EXPECT_EQ(seen.starts, (std::vector<Position>{At(100), At(150)}));
  EXPECT_FALSE(set->ended());
  EXPECT_EQ(set->stats().reconnects, 0u) << "nothing was streamed before";
}

TEST(ReaderSet, RefusesOptionsOutOfBounds) {
  FakeServer server(1);
  for (const ReaderSetOptions& options :
       {ReaderSetOptions{.partitions = 0}, ReaderSetOptions{.reader_bytes_max = 0},
        ReaderSetOptions{.bytes_max = 0}, ReaderSetOptions{.unread_limit = milliseconds(-1)},
        ReaderSetOptions{.slow_limit = milliseconds(-1)}, ReaderSetOptions{.retry_max = milliseconds(-1)}}) {
    const auto set = ReaderSet::Open(std::make_unique<FakeSource>(server, 1, 0), options);
    ASSERT_FALSE(set.ok());
    EXPECT_EQ(GetErrorDetail(set.status())->kind(), ErrorKind::kInvalidOption);
  }
}

// What waits in a reader was delivered in an epoch before the one that `until` is read in.
TEST(ReaderSet, AnEndIsFoundAmongRowsOfAnEarlierEpoch) {
  struct FailsOver : FakeSource {
    FailsOver(FakeServer& server, std::vector<Event> events)
        : FakeSource(server, std::vector<Event>{}), script(std::move(events)) {}
    arrow::Result<SourceInfo> Connect() override {
      ++connections;
      return FakeSource::Connect();
    }
    arrow::Result<Position> Resume(const ResumeRequest& request) override {
      const bool goes_on = request.have == ResumeRequest::Have::kDelivered;
      return At(goes_on ? request.position.order : 100, connections);
    }
    arrow::Result<Position> ParsePosition(std::string_view text) override {
      ARROW_ASSIGN_OR_RAISE(const uint64_t order, ParseLsn(text));
      return At(order, connections);
    }
    arrow::Result<Position> Rebase(const Position& position) override {
      return At(position.order, connections);
    }
    arrow::Status Start(const Position&) override {
      started = connections.load();
      return arrow::Status::OK();
    }
    arrow::Result<std::optional<Event>> Next(milliseconds) override {
      if (place < script.size()) return std::optional<Event>(script[place++]);
      if (connections > 1) return std::nullopt;
      return MakeError(ErrorKind::kConnection, "lost", "server", "", "", true);
    }
    std::atomic<uint32_t> connections = 0;  // each is of an epoch of its own
    std::atomic<uint32_t> started = 0;
    std::vector<Event> script;
    size_t place = 0;
  };
  FakeServer server(1);
  server.wal_end = 10'000;
  std::vector<Event> events;
  for (const uint64_t commit : {110, 120, 130, 140}) {
    events.emplace_back(FakeBatch(server.tables[0], {{0, static_cast<int64_t>(commit), {commit, commit, 0}}},
                                  GroupState{At(commit + 1), /*group_end=*/true, false, false}));
  }
  auto source = std::make_unique<FailsOver>(server, std::move(events));
  const std::atomic<uint32_t>& started = source->started;
  ReaderSetOptions options;
  options.tables = {server.tables[0]->name};
  auto set = ReaderSet::Open(std::move(source), options).ValueOrDie();
  ARROWCDC_ASSERT_OK(test::WaitFor([&] { return started == 2; }, kLimit, "the second connection"));
  const auto reader = set->reader(server.tables[0]->name);
  int64_t rows = 0;
  while (true) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const ReadResult read, reader->Next(kLimit, FormatLsn(121)));
    if (read.state != ReadState::kBatch) {
      EXPECT_EQ(read.state, ReadState::kEnd);
      break;
    }
    rows += read.rows->num_rows();
  }
  EXPECT_EQ(rows, 2);
  ARROWCDC_EXPECT_OK(set->Stop());
}

}  // namespace
}  // namespace arrowcdc
