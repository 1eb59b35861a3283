// A made-up server's tables at a point, and a source that takes such points. Some take no point in time, and
// some fail in the middle.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "arrowcdc/change_rows.h"
#include "arrowcdc/error.h"
#include "src/change/testing/change_batches.h"
#include "src/delivery/testing/fake_source.h"

namespace arrowcdc::test {

// Tables at a point, in parts of a few rows.
class FakeSnapshot : public Snapshot {
 public:
  struct Part {
    std::vector<int64_t> ids;
    bool fails = false;  // behind its rows
  };

  explicit FakeSnapshot(const Position& point) : point_(point) {}

  // parts_kept: that are there besides `parts`, at `least`.
  void Add(const std::shared_ptr<const TableSchema>& table, const std::vector<Part>& parts,
           int parts_kept = 0, const std::optional<Position>& least = std::nullopt) {
    for (const Part& part : parts) parts_.emplace_back(tables_.size(), part);
    tables_.push_back({.name = table->name,
                       .table_id = table->table_id,
                       .part_count = static_cast<int>(parts.size()) + parts_kept,
                       .parts_kept = parts_kept,
                       .point = least.value_or(point_)});
    schemas_.push_back(table);
  }

  const std::vector<SnapshotTable>& tables() const override { return tables_; }
  Position point() const override { return point_; }
  arrow::Result<SnapshotHold> KeepAlive() override { return SnapshotHold{}; }
  void Cancel() override {}
  arrow::Result<std::unique_ptr<SnapshotReader>> MakeReader() override {
    return std::make_unique<Reader>(this);
  }

 private:
  class Reader : public SnapshotReader {
   public:
    explicit Reader(FakeSnapshot* snapshot) : snapshot_(*snapshot) {}
    arrow::Result<std::optional<size_t>> NextPart() override {
      const std::lock_guard lock(snapshot_.mutex_);
      if (snapshot_.next_ == snapshot_.parts_.size()) return std::nullopt;
      std::tie(table_, part_) = snapshot_.parts_[snapshot_.next_++];
      at_ = 0;
      return table_;
    }
    SnapshotPart part() const override {
      return {.table = table()->name, .table_id = table()->table_id, .point = snapshot_.point_};
    }
    std::shared_ptr<const TableSchema> table() const override { return snapshot_.schemas_[table_]; }
    arrow::Result<std::optional<ChangeBatch>> Next() override {
      std::this_thread::yield();
      if (at_ == part_.ids.size()) {
        if (part_.fails) return MakeError(ErrorKind::kBusy, "changed", "table", "", "", true);
        return std::nullopt;
      }
      const int64_t id = part_.ids[at_++];
      const RowPosition position = {snapshot_.point_.order - 1, static_cast<uint64_t>(id) + 1, 0};
      return MakeBatch(table(), {{position, Op::kSnapshot}}, {Ids({id})}, {});
    }

   private:
    FakeSnapshot& snapshot_;
    size_t table_ = 0;
    Part part_;
    size_t at_ = 0;
  };

  const Position point_;
  std::vector<SnapshotTable> tables_;
  std::vector<std::shared_ptr<const TableSchema>> schemas_;
  std::vector<std::pair<size_t, Part>> parts_;  // of which table
  std::mutex mutex_;
  size_t next_ = 0;  // under the mutex
};

class SourceWithRows : public FakeSource {
 public:
  // last_point: of all sources of the server.
  SourceWithRows(FakeServer& server, uint64_t seed, int fail_one_in, uint64_t& last_point)
      : FakeSource(server, seed, fail_one_in), server_(server), random_(seed), last_point_(last_point) {}

  arrow::Result<std::optional<Event>> Next(std::chrono::milliseconds timeout) override {
    auto event = FakeSource::Next(timeout);
    if (!event.ok() || !event->has_value()) return event;
    const std::lock_guard lock(server_.mutex);
    if (const auto* const batch = std::get_if<ChangeBatch>(&**event))
      told_ = std::max(told_, LastOf(*batch).commit_lsn);
    if (const auto* const keepalive = std::get_if<KeepaliveEvent>(&**event))
      told_ = std::max(told_, keepalive->position.order);
    return event;
  }
  // At a point that the stream and the point before have not passed: that is the end of the log of then.
  arrow::Result<std::unique_ptr<Snapshot>> BeginSnapshot(const WantedTables& wanted,
                                                         const std::vector<SnapshotPart>&) override {
    const std::lock_guard lock(server_.mutex);
    if (random_() % 8 == 0) return MakeError(ErrorKind::kBusy, "waited in vain", "server", "", "", true);
    // Where a record may begin: no commit is one below it.
    const uint64_t least = (std::max(told_, last_point_) + 8) / 8 * 8 + 4;
    const uint64_t records = server_.wal_end > least ? (server_.wal_end - least) / 8 : 0;
    last_point_ = least + random_() % (records + 1) * 8;
    ++points;
    auto snapshot = std::make_unique<FakeSnapshot>(At(last_point_));
    for (size_t t = 0; t < server_.tables.size(); ++t) {
      const auto& table = server_.tables[t];
      if (wanted(table->name, table->table_id)) snapshot->Add(table, StateOf(static_cast<int>(t)));
    }
    return snapshot;
  }

  int points = 0;

 private:
  // At the last point, in any order.
  std::vector<FakeSnapshot::Part> StateOf(int table) {
    std::vector<FakeSnapshot::Part> parts(1 + random_() % 3);
    for (const FakeTransaction& txn : server_.wal) {
      for (const FakeRow& row : txn.rows) {
        if (row.table == table && txn.commit_lsn < last_point_)
          parts[random_() % parts.size()].ids.push_back(row.id);
      }
    }
    for (FakeSnapshot::Part& part : parts) part.fails = random_() % 12 == 0;
    return parts;
  }

  static RowPosition LastOf(const ChangeBatch& batch) {
    const auto changes = ChangeRows::Make(*batch.table, *batch.rows).ValueOrDie();
    return changes.position(changes.num_rows() - 1);
  }

  FakeServer& server_;
  std::mt19937_64 random_;  // guarded by the server's lock
  uint64_t& last_point_;
  uint64_t told_ = 100;
};

}  // namespace arrowcdc::test
