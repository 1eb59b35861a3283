// A made-up server for the tests of what stands behind a source: transactions over several tables, many or
// few to a group, flushed and interrupted at random. It checks what it is told is dealt with.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "arrowcdc/source.h"

namespace arrowcdc::test {

inline std::string TokenAt(uint64_t order, uint32_t epoch) {
  return std::to_string(epoch) + " " + std::to_string(order);
}
inline Position At(uint64_t order, uint32_t epoch = 1) { return {epoch, order, TokenAt(order, epoch)}; }

// public.<name> with one column, id, which is its key.
std::shared_ptr<const TableSchema> FakeTable(const std::string& name);

struct FakeRow {
  int table;
  int64_t id;
  RowPosition position;
};

// Inserts. The rows must be in order.
ChangeBatch FakeBatch(const std::shared_ptr<const TableSchema>& table, const std::vector<FakeRow>& rows,
                      GroupState group);

// In LSNs, which all epochs have in common, as rows' positions do.
struct FakeTransaction {
  uint64_t commit_lsn;
  uint64_t end_lsn;
  std::vector<FakeRow> rows;
};

// What outlives every connection and every crash of the client. Guarded by `mutex` where threads share it.
struct FakeServer {
  explicit FakeServer(int table_count);

  // Transactions of up to rows_max rows; some have none.
  void Write(std::mt19937_64& random, int transactions, int rows_max);
  int64_t RowsOf(int table) const;

  // Another server takes over, which has all that this one had, at half the orders.
  static constexpr uint32_t kEpochsMax = 4;
  void FailOver() { epoch = std::min(epoch + 1, kEpochsMax); }
  static Position PositionAt(uint64_t lsn, uint32_t epoch) { return At(lsn >> (epoch - 1), epoch); }
  Position PositionAt(uint64_t lsn) const { return PositionAt(lsn, epoch); }
  // The last LSN that has it.
  static uint64_t LsnAt(const Position& position) {
    return ((position.order + 1) << (position.epoch - 1)) - 1;
  }

  std::mutex mutex;
  std::vector<std::shared_ptr<const TableSchema>> tables;  // t0, t1, ...
  std::vector<SourceTable> catalog;                        // what Source::Tables answers
  std::vector<FakeTransaction> wal;
  uint32_t epoch = 1;
  uint64_t wal_end = 100;
  uint64_t confirmed = 100;
  int64_t next_id = 0;
  // Whether a row may be forgotten: asked, with the lock held, for every row that an acknowledgement covers.
  std::function<bool(const FakeRow&)> may_forget = [](const FakeRow&) { return false; };
};

class FakeSource : public Source {
 public:
  // One Next in fail_one_in loses the connection (0: none).
  FakeSource(FakeServer& server, uint64_t seed, int fail_one_in)
      : server_(server), random_(seed), fail_one_in_(fail_one_in) {}
  // Events as they stand here.
  FakeSource(FakeServer& server, std::vector<Event> events)
      : server_(server), fail_one_in_(0), scripted_(true), queue_(std::move(events)) {}

  // One lost connection in so many is that of a server that fails over.
  void FailOverOneIn(uint64_t losses) { fail_over_one_in_ = losses; }
  // So many calls of Next, then an error that no retry mends; negative: never.
  void FailForGoodAfter(int calls) { calls_left_ = calls; }

  arrow::Result<SourceInfo> Connect() override;
  // Refuses what lies beyond the server's end, or behind what it has been acknowledged without accept_gap.
  arrow::Result<Position> Resume(const ResumeRequest& request) override;
  arrow::Result<std::vector<SourceTable>> Tables() override;
  arrow::Result<std::unique_ptr<Snapshot>> BeginSnapshot(const WantedTables&,
                                                         const std::vector<SnapshotPart>&) override {
    return arrow::Status::NotImplemented("no snapshot");
  }
  arrow::Result<LogEnd> CurrentEnd() override;
  arrow::Result<Position> ParsePosition(std::string_view text) override;
  arrow::Result<Position> Rebase(const Position& position) override;
  arrow::Result<bool> HasInHistory(const Position&) override { return true; }
  bool Covers(const Position& position, const RowPosition& row) const override {
    return row.commit_lsn < FakeServer::LsnAt(position);
  }
  arrow::Status Start(const Position& start) override;
  arrow::Result<std::optional<Event>> Next(std::chrono::milliseconds timeout) override;
  void Acknowledge(const Position& durable) override;
  void RequestKeepalive() override;
  arrow::Status Stop() override { return arrow::Status::OK(); }
  SourceStats stats() const override { return {}; }

 private:
  size_t QueueGroup(size_t first);
  void QueueKeepalive(uint64_t lsn);
  Position PositionAt(uint64_t lsn) const { return FakeServer::PositionAt(lsn, epoch_); }
  bool OneIn(uint64_t n) { return random_() % n == 0; }

  FakeServer& server_;
  std::mt19937_64 random_;
  const int fail_one_in_;
  const bool scripted_ = false;
  int calls_left_ = -1;
  uint64_t fail_over_one_in_ = 0;
  std::atomic<uint32_t> epoch_ = 1;  // of the connection
  std::vector<Event> queue_;         // guarded by the server's lock
  size_t next_ = 0;
};

}  // namespace arrowcdc::test
