// Readers against a made-up server: nothing is acknowledged that a reader with rows outstanding has not
// committed, whatever is read, committed, lost and begun again, and every row comes.
#include "arrowcdc/readers.h"

#include <algorithm>
#include <random>
#include <set>

#include "src/reader/test_source.h"
#include "tests/support/assert_ok.h"
#include "tests/support/seed.h"
#include "tests/support/wait.h"

namespace arrowcdc {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kLimit = seconds(30);

std::vector<FakeRow> RowsOf(const ReadResult& batch) {
  std::vector<FakeRow> rows;
  const auto& ids = static_cast<const arrow::Int64Array&>(*batch.rows->column(0));
  for (int64_t row = 0; row < ids.length(); ++row) {
    rows.push_back({0, ids.Value(row), RowPositionAt(*batch.table, *batch.rows, row)});
  }
  return rows;
}

// One reader as the test sees it.
struct Consumer {
  std::vector<int64_t> returned;  // not committed
  std::optional<RowPosition> last;

  void Take(const ReadResult& batch) {
    for (const FakeRow& row : RowsOf(batch)) {
      EXPECT_TRUE(!last.has_value() || *last < row.position)
          << "repeated or out of order within a session: row " << row.id;
      last = row.position;
      returned.push_back(row.id);
    }
  }
  // Before the reader is told: from now on the slot may move over these rows.
  void Settle(FakeServer& server) {
    const std::lock_guard lock(server.mutex);
    for (const int64_t id : returned) server.settled[id] = true;
    returned.clear();
  }
};

class Session {
 public:
  Session(FakeServer& server, std::mt19937_64& random, ReaderSetOptions options, int fail_one_in)
      : server_(server), random_(random), commit_(options.commit) {
    options.unread_limit = kLimit;
    set_ = ReaderSet::Open(std::make_unique<FakeSource>(server, random(), fail_one_in), std::move(options))
               .ValueOrDie();
  }

  // True when the reader said that the stream has ended.
  bool ReadOne(Reader& reader, milliseconds timeout) {
    Consumer& consumer = consumers_[&reader];
    if (commit_ == CommitMode::kOnNext) consumer.Settle(server_);
    const auto result = reader.Next(timeout);
    EXPECT_TRUE(result.ok()) << result.status();
    if (!result.ok() || result->state == ReadState::kEnd) return true;
    if (result->state == ReadState::kBatch) consumer.Take(*result);
    return false;
  }

  void Commit(Reader& reader) {
    consumers_[&reader].Settle(server_);
    ARROWCDC_EXPECT_OK(reader.Commit());
  }

  void RandomSteps(int steps) {
    for (int step = 0; step < steps; ++step) {
      const auto readers = set_->readers();
      if (readers.empty()) continue;
      Reader& reader = *readers[random_() % readers.size()];
      if (random_() % 3 == 0) {
        Commit(reader);
      } else {
        ReadOne(reader, milliseconds(random_() % 2));
      }
    }
  }

  void Drain() {
    bool all_ended = false;
    while (!all_ended && !testing::Test::HasFailure()) {
      const auto readers = set_->readers();
      all_ended = !readers.empty();  // they come with the first rows
      for (const auto& reader : readers) {
        if (!ReadOne(*reader, milliseconds(1))) all_ended = false;
      }
    }
    for (const auto& reader : set_->readers()) Commit(*reader);
  }

  ReaderSet& set() { return *set_; }

 private:
  FakeServer& server_;
  std::mt19937_64& random_;
  const CommitMode commit_;
  std::unique_ptr<ReaderSet> set_;
  std::map<Reader*, Consumer> consumers_;
};

TEST(ReaderSet, NothingIsAcknowledgedThatIsNotCommitted) {
  std::mt19937_64 random(test::Seed());
  uint64_t reconnects = 0;
  for (int round = 0; round < 24 && !HasFailure(); ++round) {
    FakeServer server(4);
    ReaderSetOptions options;
    options.commit = random() % 2 == 0 ? CommitMode::kByHand : CommitMode::kOnNext;
    options.partitions = random() % 2 == 0 ? 1 : 3;
    options.reader_bytes_max = 30'000;  // about six batches
    if (random() % 2 == 0) options.tables = {server.tables[0]->name, server.tables[1]->name};
    for (int session = 0; session < 4; ++session) {
      server.Write(random, 25, 12);
      Session(server, random, options, random() % 2 == 0 ? 0 : 60).RandomSteps(120);
    }
    options.until_lsn = server.wal_end;
    Session last(server, random, options, 80);
    last.Drain();
    reconnects += last.set().stats().reconnects;
    EXPECT_EQ(server.confirmed, server.wal_end);
    EXPECT_EQ(last.set().stats().acknowledged_lsn, server.wal_end);
    EXPECT_EQ(server.settled.size(), static_cast<size_t>(server.next_id));
  }
  EXPECT_GT(reconnects, 0u);
}

class TwoReaders : public testing::Test {
 protected:
  void Open(ReaderSetOptions options) {
    options.tables = {server_.tables[0]->name, server_.tables[1]->name};
    server_.Write(random_, 60, 8);
    set_ = ReaderSet::Open(std::make_unique<FakeSource>(server_, 1, 0), options).ValueOrDie();
    read_ = set_->reader(server_.tables[0]->name);
    unread_ = set_->reader(server_.tables[1]->name);
  }

  void Settle(int table) {
    const std::lock_guard lock(server_.mutex);
    for (const FakeTransaction& txn : server_.wal) {
      for (const FakeRow& row : txn.rows) {
        if (row.table == table) server_.settled[row.id] = true;
      }
    }
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
      const auto result = read_->Next(kLimit, server_.wal_end);
      EXPECT_TRUE(result.ok()) << result.status();
      if (!result.ok() || result->state != ReadState::kBatch) return rows;
      rows += result->rows->num_rows();
    }
  }
  int64_t Written(int table) const {
    int64_t rows = 0;
    for (const FakeTransaction& txn : server_.wal) {
      rows += std::count_if(txn.rows.begin(), txn.rows.end(),
                            [&](const FakeRow& row) { return row.table == table; });
    }
    return rows;
  }

  std::mt19937_64 random_{7};
  FakeServer server_{2};
  std::unique_ptr<ReaderSet> set_;
  std::shared_ptr<Reader> read_, unread_;
};

TEST_F(TwoReaders, AReaderThatNobodyReadsEndsInAnErrorAndKeepsItsClaim) {
  ReaderSetOptions options;
  options.reader_bytes_max = 20'000;
  options.unread_limit = milliseconds(20);
  Open(options);
  EXPECT_EQ(ReadAll(), Written(0));
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

  server_.closed_tables[1] = true;
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
    const auto result = unread_->Next(kLimit, server_.wal_end);
    EXPECT_TRUE(result.ok()) << result.status();
    if (!result.ok() || result->state != ReadState::kBatch) return false;
    slow_rows += result->rows->num_rows();
    return true;
  };
  bool more = slow_read();
  while (more) {
    // The other one is emptied and asks in vain, longer than an unread reader may stand in its way.
    while (true) {
      const auto result = read_->Next(milliseconds(5), server_.wal_end);
      ASSERT_TRUE(result.ok()) << result.status();
      if (result->state != ReadState::kBatch) break;
      rows += result->rows->num_rows();
    }
    more = slow_read();
  }
  rows += ReadAll();
  EXPECT_EQ(slow_rows, Written(1));
  EXPECT_EQ(rows, Written(0));
}

TEST_F(TwoReaders, AbandoningKeepsTheClaimAndClosingGivesItUp) {
  Open({});
  unread_->Abandon();
  EXPECT_EQ(ReadAll(), Written(0));
  Settle(0);
  ARROWCDC_ASSERT_OK(read_->Commit());
  EXPECT_LE(Confirmed(), EndBefore(1));
  EXPECT_FALSE(unread_->Next(milliseconds(0)).ok());
  server_.closed_tables[1] = true;
  unread_->Close();
  unread_->Close();
  EXPECT_EQ(Confirmed(), server_.wal_end);
}

TEST_F(TwoReaders, StoppingDoesNotWaitForAFullReader) {
  ReaderSetOptions options;
  options.reader_bytes_max = 1;
  Open(options);
  ARROWCDC_ASSERT_OK(
      test::WaitFor([&] { return read_->stats().waiting_bytes > 0 || unread_->stats().waiting_bytes > 0; },
                    kLimit, "rows"));
  ARROWCDC_ASSERT_OK(set_->Stop());
  EXPECT_EQ(Confirmed(), 100u);
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
  EXPECT_EQ(ReadAll(), Written(0));
  const auto again = read_->Next(milliseconds(0), server_.wal_end);
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
  EXPECT_EQ(ReadAll(), Written(0));
  ASSERT_EQ(read_->Next(milliseconds(0)).ValueOrDie().state, ReadState::kTimeout);
  calls = 0;
  ARROWCDC_ASSERT_OK(set_->Stop());
  EXPECT_GT(calls, 0);
  read_->SetNotify(nullptr);
}

// Events as they stand here.
class ScriptedSource : public FakeSource {
 public:
  ScriptedSource(FakeServer& server, std::vector<Event> events) : FakeSource(server, 1, 0) {
    queue_ = std::move(events);
  }
  arrow::Status Start(uint64_t) override { return arrow::Status::OK(); }
};

TEST(ReaderSet, TruncateReachesEveryPartitionOfItsTables) {
  FakeServer server(2);
  server.wal_end = 200;
  TruncateEvent truncate;
  truncate.tables = {server.tables[0]};
  truncate.commit_lsn = 110;
  truncate.lsn = 108;
  truncate.group = {120, true, false, false};
  const std::vector<FakeRow> rows = {{1, 1, {150, 140, 0}}};
  ReaderSetOptions options;
  options.partitions = 3;
  auto set = ReaderSet::Open(std::make_unique<ScriptedSource>(
                                 server, std::vector<Event>{truncate, MakeBatch(server.tables[1], rows,
                                                                                {160, true, false, false})}),
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
    const auto& op = static_cast<const arrow::DictionaryArray&>(*batch.rows->column(1));
    EXPECT_EQ(static_cast<const arrow::StringArray&>(*op.dictionary()).GetString(op.GetValueIndex(0)),
              "truncate");
    if (i < 2) {
      ARROWCDC_ASSERT_OK(event->reader->Commit());
      EXPECT_EQ(server.confirmed, 100u);
    } else {
      server.closed_tables[1] = true;  // its row is of no interest here
      ARROWCDC_ASSERT_OK(event->reader->Commit());
      // The position may come into force just after the row.
      ARROWCDC_ASSERT_OK(
          test::WaitFor([&] { return set->stats().acknowledged_lsn == 120; }, kLimit, "the acknowledgement"));
    }
  }
  EXPECT_EQ(partitions.size(), 3u);
}

TEST(ReaderSet, ATableWithoutAKeyEndsItsOwnPartitionsOnly) {
  FakeServer server(2);
  server.wal_end = 200;
  auto keyless = std::make_shared<TableSchema>(*server.tables[0]);
  keyless->key_fields.clear();
  keyless->replica_identity = 'n';
  ReaderSetOptions options;
  options.partitions = 2;
  options.tables = {keyless->name, server.tables[1]->name};
  server.closed_tables[1] = true;
  auto set = ReaderSet::Open(
                 std::make_unique<ScriptedSource>(
                     server,
                     std::vector<Event>{
                         MakeBatch(server.tables[1], {{1, 1, {110, 108, 0}}}, {120, true, false, false}),
                         MakeBatch(keyless, {{0, 2, {130, 128, 0}}}, {140, true, false, false}),
                         MakeBatch(server.tables[1], {{1, 1, {150, 148, 0}}}, {160, true, false, false})}),
                 options)
                 .ValueOrDie();
  const auto result = set->reader(keyless->name, 1)->Next(kLimit);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(GetErrorDetail(result.status())->kind(), ErrorKind::kReplicaIdentity);
  ARROWCDC_ASSERT_OK(test::WaitFor([&] { return set->stats().delivered_lsn == 160; }, kLimit, "the rest"));
  int batches = 0;
  for (int partition = 0; partition < 2; ++partition) {
    const auto reader = set->reader(server.tables[1]->name, partition);
    while (reader->Next(milliseconds(0)).ValueOrDie().state == ReadState::kBatch) ++batches;
    ARROWCDC_ASSERT_OK(reader->Commit());
  }
  EXPECT_EQ(batches, 2);
  EXPECT_EQ(server.confirmed, 120u);
}

TEST(ReaderSet, GivesUpWhenTheServerIsAwayTooLong) {
  FakeServer server(1);
  ReaderSetOptions options;
  options.tables = {server.tables[0]->name};
  options.retry_max = milliseconds(100);
  auto set = ReaderSet::Open(std::make_unique<FakeSource>(server, 1, 1), options).ValueOrDie();
  const auto result = set->readers()[0]->Next(kLimit);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(GetErrorDetail(result.status())->kind(), ErrorKind::kConnection);
  EXPECT_EQ(set->NextEvent(kLimit)->kind, ReaderEvent::Kind::kReconnecting);
}

TEST(ReaderSet, RefusesOptionsOutOfBounds) {
  FakeServer server(1);
  for (const ReaderSetOptions& options :
       {ReaderSetOptions{.partitions = 0}, ReaderSetOptions{.reader_bytes_max = 0}}) {
    const auto set = ReaderSet::Open(std::make_unique<FakeSource>(server, 1, 0), options);
    ASSERT_FALSE(set.ok());
    EXPECT_EQ(GetErrorDetail(set.status())->kind(), ErrorKind::kInvalidOption);
  }
}

}  // namespace
}  // namespace arrowcdc
