// A made-up server's tables at a point, and a source that takes such points. Some take no point in time, and
// some fail in the middle.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <mutex>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "arrowcdc/change_rows.h"
#include "arrowcdc/error.h"
#include "src/change/testing/change_batches.h"
#include "src/delivery/testing/fake_source.h"

namespace arrowcdc::test {

// The state at a point, in parts of a few rows.
class FakeSnapshot : public Snapshot {
 public:
  struct Part {
    size_t table;
    std::vector<int64_t> ids;
    bool fails;
  };

  FakeSnapshot(FakeServer& server, const WantedTables& wanted, uint64_t point, std::mt19937_64& random)
      : point_(At(point)) {
    for (size_t t = 0; t < server.tables.size(); ++t) {
      const auto& table = server.tables[t];
      if (!wanted(table->name, table->table_id)) continue;
      std::vector<std::vector<int64_t>> parts(1 + random() % 3);
      for (const FakeTransaction& txn : server.wal) {
        for (const FakeRow& row : txn.rows) {
          if (row.table == static_cast<int>(t) && txn.commit_lsn < point)
            parts[random() % parts.size()].push_back(row.id);
        }
      }
      for (auto& ids : parts) parts_.push_back({tables_.size(), std::move(ids), random() % 12 == 0});
      tables_.push_back({.name = table->name,
                         .table_id = table->table_id,
                         .part_count = static_cast<int>(parts.size()),
                         .point = point_});
      schemas_.push_back(table);
    }
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
      part_ = &snapshot_.parts_[snapshot_.next_++];
      at_ = 0;
      return part_->table;
    }
    SnapshotPart part() const override {
      return {.table = table()->name, .table_id = table()->table_id, .point = snapshot_.point_};
    }
    std::shared_ptr<const TableSchema> table() const override { return snapshot_.schemas_[part_->table]; }
    arrow::Result<std::optional<ChangeBatch>> Next() override {
      std::this_thread::yield();
      if (at_ == part_->ids.size()) {
        if (part_->fails) return MakeError(ErrorKind::kBusy, "changed", "table", "", "", true);
        return std::nullopt;
      }
      const int64_t id = part_->ids[at_++];
      const RowPosition position = {snapshot_.point_.order - 1, static_cast<uint64_t>(id) + 1, 0};
      return MakeBatch(table(), {{position, Op::kSnapshot}}, {Ids({id})}, {});
    }

   private:
    FakeSnapshot& snapshot_;
    const Part* part_ = nullptr;
    size_t at_ = 0;
  };

  const Position point_;
  std::vector<SnapshotTable> tables_;
  std::vector<std::shared_ptr<const TableSchema>> schemas_;
  std::vector<Part> parts_;
  std::mutex mutex_;
  size_t next_ = 0;
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
    return std::make_unique<FakeSnapshot>(server_, wanted, last_point_, random_);
  }

  int points = 0;

 private:
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
