// Readers on several threads against a made-up server, with lost connections, stops, closed and abandoned
// readers at random points: nothing is acknowledged that was not committed or given up, and every reader gets
// every row at least once, in order.
#include <algorithm>
#include <atomic>
#include <map>
#include <random>
#include <set>
#include <thread>

#include <arrow/array.h>
#include <gtest/gtest.h>

#include "arrowcdc/error.h"
#include "arrowcdc/readers.h"
#include "tests/testing/assert_ok.h"
#include "src/delivery/testing/fake_source.h"
#include "tests/testing/seed.h"

namespace arrowcdc {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::FakeRow;
using test::FakeServer;
using test::FakeSource;

using Stream = std::pair<TableName, int>;  // what one reader reads: a table and a partition

// Which rows each reader must get, and what has become of them. Guarded by the server's lock.
class Ledger {
 public:
  Ledger(FakeServer& server, int partitions) : server_(server), partitions_(partitions) {
    server.may_forget = [this](const FakeRow& row) {
      if (IsDone(row.id)) return true;
      if (closed_.count(StreamOf(row)) == 0) return false;
      given_up_.insert(row.id);
      return true;
    };
  }

  void Write(std::mt19937_64& random) {
    const size_t before = server_.wal.size();
    server_.Write(random, 25, 12);
    const std::lock_guard lock(server_.mutex);
    for (size_t i = before; i < server_.wal.size(); ++i) {
      for (const FakeRow& row : server_.wal[i].rows) {
        partition_of_.push_back(PartitionOf(row));  // ids count up from 0
        rows_[StreamOf(row)].push_back(row.id);
      }
    }
  }

  // A closed reader is one of its session only.
  void BeginSession() { closed_.clear(); }

  // The reader returned `id` behind the row before it in this session, if there was one.
  void ExpectNext(const Stream& stream, int64_t id, std::optional<int64_t> before) {
    const std::lock_guard lock(server_.mutex);
    const auto& rows = rows_[stream];
    const auto found = std::find(rows.begin(), rows.end(), id);
    ASSERT_NE(found, rows.end()) << "row " << id << " belongs to another reader";
    if (before.has_value()) {
      ASSERT_NE(found, rows.begin()) << "row " << id << " again, behind " << *before;
      ASSERT_EQ(*std::prev(found), *before) << "row " << id << " out of order, behind " << *before;
      return;
    }
    for (auto earlier = rows.begin(); earlier != found; ++earlier)
      ASSERT_TRUE(IsDone(*earlier)) << "row " << *earlier << " was passed over for " << id;
  }

  // Said before the reader is told, so that no acknowledgement comes first.
  void Settle(std::vector<int64_t>* ids) {
    const std::lock_guard lock(server_.mutex);
    settled_.insert(ids->begin(), ids->end());
    ids->clear();
  }
  void Close(const Stream& stream) {
    const std::lock_guard lock(server_.mutex);
    closed_.insert(stream);
  }

  void ExpectAllDone() {
    const std::lock_guard lock(server_.mutex);
    for (int64_t id = 0; id < server_.next_id; ++id) EXPECT_TRUE(IsDone(id)) << "row " << id << " was lost";
  }
  size_t given_up() const { return given_up_.size(); }

 private:
  bool IsDone(int64_t id) const { return settled_.count(id) > 0 || given_up_.count(id) > 0; }

  Stream StreamOf(const FakeRow& row) const {
    return {server_.tables[static_cast<size_t>(row.table)]->name, partition_of_[static_cast<size_t>(row.id)]};
  }

  int PartitionOf(const FakeRow& row) const {
    const auto& table = server_.tables[static_cast<size_t>(row.table)];
    PartitionOptions options;
    options.partitions = partitions_;
    const auto partitioner = HashPartitioner::Make(table, options).ValueOrDie();
    return static_cast<int>(
        partitioner.PartitionsOf(*test::FakeBatch(table, {row}, {}).rows).ValueOrDie()[0]);
  }

  FakeServer& server_;
  const int partitions_;
  std::vector<int> partition_of_;  // by id
  std::map<Stream, std::vector<int64_t>> rows_;
  std::set<int64_t> settled_;   // returned, and committed or about to be
  std::set<int64_t> given_up_;  // acknowledged because their reader was closed
  std::set<Stream> closed_;
};

// One reader as its owner sees it.
class Consumer {
 public:
  Consumer(std::shared_ptr<Reader> reader, Ledger& ledger, CommitMode commit)
      : reader_(std::move(reader)), ledger_(ledger), commit_(commit) {}

  // False when there is nothing more to get.
  bool Read(milliseconds timeout) {
    if (commit_ == CommitMode::kOnNext) ledger_.Settle(&returned_);
    const auto result = reader_->Next(timeout);
    if (!result.ok()) {
      const ErrorDetail* detail = GetErrorDetail(result.status());
      EXPECT_NE(detail, nullptr) << result.status();
      kind_ = detail == nullptr ? ErrorKind::kInternal : detail->kind();
      return false;
    }
    if (result->state == ReadState::kEnd) return false;
    if (result->state == ReadState::kTimeout) return true;
    const auto& ids = static_cast<const arrow::Int64Array&>(*result->rows->column(0));
    for (int64_t row = 0; row < ids.length(); ++row) {
      ledger_.ExpectNext(stream(), ids.Value(row), last_);
      last_ = ids.Value(row);
      returned_.push_back(ids.Value(row));
    }
    return true;
  }

  // May fail when the stream was stopped: then the rows come again, which is allowed.
  void Commit() {
    ledger_.Settle(&returned_);
    const arrow::Status status = reader_->Commit();
    const ErrorDetail* detail = GetErrorDetail(status);
    EXPECT_TRUE(status.ok() || (detail != nullptr && detail->kind() == ErrorKind::kConnection)) << status;
  }
  void Close() {
    ledger_.Close(stream());
    reader_->Close();
  }
  void Abandon() { reader_->Abandon(); }

  std::optional<ErrorKind> error_kind() const { return kind_; }

 private:
  Stream stream() const { return {reader_->table(), reader_->partition()}; }

  const std::shared_ptr<Reader> reader_;
  Ledger& ledger_;
  const CommitMode commit_;
  std::vector<int64_t> returned_;  // not committed
  std::optional<int64_t> last_;
  std::optional<ErrorKind> kind_;
};

// The owner of every so many-th reader of the set.
class Owner {
 public:
  Owner(ReaderSet& set, Ledger& ledger, CommitMode commit, size_t place, size_t of, uint64_t seed)
      : set_(set), ledger_(ledger), commit_(commit), place_(place), of_(of), random_(seed) {}

  void RandomSteps(int steps) {
    // Some owners read seldom, some never some of their readers.
    const uint64_t neglect = 1 + random_() % 3;
    for (int step = 0; step < steps && !testing::Test::HasFailure(); ++step) {
      FindReaders();
      if (consumers_.empty()) {
        std::this_thread::yield();
        continue;
      }
      const uint64_t which = random_() % (consumers_.size() * neglect);
      if (which >= consumers_.size()) continue;
      Consumer& consumer = *consumers_[which];
      const uint64_t action = random_() % 120;
      if (action == 0) consumer.Close();
      if (action == 1) consumer.Abandon();
      if (action < 40) {
        consumer.Commit();
      } else {
        consumer.Read(milliseconds(random_() % 3));
      }
    }
  }

  void ReadToTheEnd() {
    // Those that have said so at their last look; more readers may have come meanwhile.
    bool all_ended = false;
    while ((FindReaders() || !all_ended) && !testing::Test::HasFailure()) {
      all_ended = !consumers_.empty();
      for (const auto& consumer : consumers_) {
        if (consumer->Read(milliseconds(1))) all_ended = false;
      }
    }
    for (const auto& consumer : consumers_) {
      EXPECT_EQ(consumer->error_kind(), std::nullopt);
      consumer->Commit();
    }
  }

 private:
  // True when there are new ones.
  bool FindReaders() {
    const size_t before = consumers_.size();
    const auto readers = set_.readers();
    for (size_t i = place_ + consumers_.size() * of_; i < readers.size(); i += of_)
      consumers_.push_back(std::make_unique<Consumer>(readers[i], ledger_, commit_));
    return consumers_.size() > before;
  }

  ReaderSet& set_;
  Ledger& ledger_;
  const CommitMode commit_;
  const size_t place_;
  const size_t of_;
  std::mt19937_64 random_;
  std::vector<std::unique_ptr<Consumer>> consumers_;
};

ReaderSetOptions RandomOptions(const FakeServer& server, int partitions, std::mt19937_64& random) {
  ReaderSetOptions options;
  options.commit = random() % 2 == 0 ? CommitMode::kByHand : CommitMode::kOnNext;
  options.partitions = partitions;
  options.reader_bytes_max = 30'000;                           // about six batches
  options.bytes_max = random() % 2 == 0 ? 40'000 : 1'000'000;  // most readers wait for others, or none does
  if (random() % 2 == 0) options.tables = {server.tables[0]->name, server.tables[1]->name};
  return options;
}

void RunSession(FakeServer& server, Ledger& ledger, ReaderSetOptions options, std::mt19937_64& random) {
  ledger.BeginSession();
  const bool strict = random() % 3 == 0;  // those who do not read are ended at once
  options.unread_limit = strict ? milliseconds(0) : seconds(60);
  options.slow_limit = milliseconds(strict ? 1 : 0);
  const int fail_one_in = random() % 2 == 0 ? 0 : 60;
  const CommitMode commit = options.commit;
  auto source = std::make_unique<FakeSource>(server, random(), fail_one_in);
  source->FailOverOneIn(10);
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto set, ReaderSet::Open(std::move(source), std::move(options)));
  std::vector<std::thread> threads;
  const size_t owners = 1 + random() % 3;
  for (size_t i = 0; i < owners; ++i) {
    threads.emplace_back(
        [&, i, seed = random()] { Owner(*set, ledger, commit, i, owners, seed).RandomSteps(150); });
  }
  if (random() % 3 == 0) ARROWCDC_EXPECT_OK(set->Stop());  // under their hands
  for (std::thread& thread : threads) thread.join();
}

TEST(ReaderSetRandom, NothingIsLostAndNothingAcknowledgedThatIsNotCommitted) {
  std::mt19937_64 random(test::Seed());
  uint64_t reconnects = 0;
  size_t given_up = 0;
  uint32_t epochs = 0;
  for (int round = 0; round < 12 && !HasFailure(); ++round) {
    FakeServer server(4);
    const int partitions = random() % 2 == 0 ? 1 : 3;
    Ledger ledger(server, partitions);
    for (int session = 0; session < 4 && !HasFailure(); ++session) {
      ledger.Write(random);
      RunSession(server, ledger, RandomOptions(server, partitions, random), random);
    }
    ledger.Write(random);
    ledger.BeginSession();
    ReaderSetOptions options = RandomOptions(server, partitions, random);
    options.unread_limit = seconds(60);
    options.until = FormatLsn(server.PositionAt(server.wal_end).order);
    const CommitMode commit = options.commit;
    auto source = std::make_unique<FakeSource>(server, random(), 80);
    source->FailOverOneIn(4);
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto last, ReaderSet::Open(std::move(source), std::move(options)));
    Owner(*last, ledger, commit, 0, 1, random()).ReadToTheEnd();
    reconnects += last->stats().reconnects;
    EXPECT_EQ(server.PositionAt(server.confirmed), server.PositionAt(server.wal_end));
    EXPECT_EQ(last->stats().acknowledged, server.PositionAt(server.wal_end));
    ledger.ExpectAllDone();
    given_up += ledger.given_up();
    epochs += server.epoch - 1;
  }
  // The test is worth something only where this happened.
  EXPECT_GT(reconnects, 0u);
  EXPECT_GT(given_up, 0u);
  EXPECT_GT(epochs, 0u);
}

}  // namespace
}  // namespace arrowcdc
