// The copy behind a made-up snapshot: what is kept is not read, and what is stale is voided once.
#include "src/delivery/snapshot_copy.h"

#include <map>
#include <mutex>

#include <gtest/gtest.h>

#include "arrowcdc/change_rows.h"
#include "src/change/testing/change_batches.h"
#include "tests/testing/assert_ok.h"

namespace arrowcdc::test {
namespace {

const Position kPoint{1, 300};

// Each part is one row.
class FakeSnapshot : public Snapshot {
 public:
  void Add(const std::string& name, int part_count, int parts_kept, const Position& point) {
    const auto id = static_cast<uint32_t>(schemas_.size() + 1);
    schemas_.push_back(MakeTable({"public", name}, {arrow::field("id", arrow::int64())}, 1, id));
    SnapshotTable table;
    table.name = {"public", name};
    table.table_id = id;
    table.part_count = part_count;
    table.parts_kept = parts_kept;
    table.point = point;
    for (int i = parts_kept; i < part_count; ++i) parts_.push_back(tables_.size());
    tables_.push_back(table);
  }

  const std::vector<SnapshotTable>& tables() const override { return tables_; }
  Position point() const override { return kPoint; }
  arrow::Result<std::unique_ptr<SnapshotReader>> MakeReader() override {
    return std::make_unique<Reader>(this);
  }
  arrow::Result<SnapshotHold> KeepAlive() override { return SnapshotHold{}; }
  void Cancel() override {}

 private:
  class Reader : public SnapshotReader {
   public:
    explicit Reader(FakeSnapshot* snapshot) : snapshot_(*snapshot) {}

    arrow::Result<std::optional<size_t>> NextPart() override {
      const std::lock_guard lock(snapshot_.mutex_);
      if (snapshot_.next_ == snapshot_.parts_.size()) return std::nullopt;
      lsn_ = snapshot_.next_;
      table_ = snapshot_.parts_[snapshot_.next_++];
      read_ = false;
      return table_;
    }
    SnapshotPart part() const override {
      SnapshotPart part;
      part.table = snapshot_.tables_[table_].name;
      part.point = kPoint;
      return part;
    }
    std::shared_ptr<const TableSchema> table() const override { return snapshot_.schemas_[table_]; }
    arrow::Result<std::optional<ChangeBatch>> Next() override {
      if (std::exchange(read_, true)) return std::nullopt;
      return MakeBatch(table(), {{{kPoint.order - 1, lsn_ + 1, 0}, Op::kSnapshot}}, {Ids({7})});
    }

   private:
    FakeSnapshot& snapshot_;
    size_t table_ = 0;
    uint64_t lsn_ = 0;
    bool read_ = false;
  };

  std::vector<SnapshotTable> tables_;
  std::vector<std::shared_ptr<const TableSchema>> schemas_;
  std::vector<size_t> parts_;
  std::mutex mutex_;
  size_t next_ = 0;  // under the mutex
};

class FakeTarget : public SnapshotTarget {
 public:
  struct Got {
    int parts = 0;
    int void_parts = 0;
    std::string ops;  // of its rows, by first letter
    std::vector<CopiedTable> completed;
  };

  int snapshot_writers_max() const override { return 3; }
  arrow::Result<std::unique_ptr<SnapshotPartWriter>> BeginPart(const SnapshotPart& part) override {
    const std::lock_guard lock(mutex_);
    ++tables[part.table.table].parts;
    tables[part.table.table].void_parts += part.voids_earlier ? 1 : 0;
    return std::make_unique<Writer>(this, part.table.table);
  }
  arrow::Status CompleteTable(const CopiedTable& table) override {
    const std::lock_guard lock(mutex_);
    tables[table.name.table].completed.push_back(table);
    return arrow::Status::OK();
  }

  std::map<std::string, Got> tables;

 private:
  class Writer : public SnapshotPartWriter {
   public:
    Writer(FakeTarget* target, std::string table) : target_(*target), table_(std::move(table)) {}
    arrow::Status Write(const ChangeBatch& batch) override {
      ARROW_ASSIGN_OR_RAISE(const ChangeRows changes, ChangeRows::Make(*batch.table, *batch.rows));
      const std::lock_guard lock(target_.mutex_);
      for (int64_t row = 0; row < changes.num_rows(); ++row) {
        EXPECT_EQ(changes.commit_lsn(row), kPoint.order - 1);
        target_.tables[table_].ops += changes.op(row) == Op::kTruncate ? 't' : 's';
      }
      return arrow::Status::OK();
    }
    arrow::Status Finish() override { return arrow::Status::OK(); }

   private:
    FakeTarget& target_;
    const std::string table_;
  };

  std::mutex mutex_;
};

TEST(SnapshotCopy, WhatIsKeptIsThereAndVoidsNothingAgain) {
  FakeSnapshot snapshot;
  snapshot.Add("fresh", 2, 0, kPoint);
  snapshot.Add("stale", 3, 0, kPoint);
  snapshot.Add("kept", 5, 3, {1, 200});
  FakeTarget target;
  SnapshotProgress last;
  const StopToken stop;
  ARROWCDC_ASSERT_OK(CopySnapshot(
      snapshot, target, {{"public", "stale"}, {"public", "kept"}}, 3, stop,
      [&](const SnapshotProgress& progress) { last = progress; }, [](const SourceNotice&) {}));
  EXPECT_EQ(target.tables["fresh"].ops, "ss");
  EXPECT_EQ(target.tables["stale"].ops, "tsss");
  EXPECT_EQ(target.tables["stale"].void_parts, 1);
  EXPECT_EQ(target.tables["kept"].ops, "ss");
  EXPECT_EQ(target.tables["kept"].void_parts, 0);
  for (const auto& [name, got] : target.tables) {
    ASSERT_EQ(got.completed.size(), 1u) << name;
    EXPECT_EQ(got.completed[0].point, name == "kept" ? (Position{1, 200}) : kPoint) << name;
  }
  ASSERT_EQ(last.tables.size(), 3u);
  EXPECT_EQ(last.tables[2].parts_kept, 3);
  EXPECT_EQ(last.tables[2].parts_done, 5);
  EXPECT_EQ(last.tables[2].part_count, 5);
  EXPECT_EQ(last.tables[2].rows, 2u);
  EXPECT_TRUE(last.tables[2].complete);
}

TEST(SnapshotCopy, PartsOfAStaleTableCountWithTheRowThatVoids) {
  const auto part = [](const std::string& name, bool voids) {
    SnapshotPart made;
    made.table = {"public", name};
    made.voids_earlier = voids;
    return made;
  };
  std::vector<SnapshotPart> parts = {part("stale", false), part("voided", false), part("voided", true),
                                     part("fresh", false)};
  DropThoseThatVoidNothing([](const SnapshotPart& of) { return of.table.table != "fresh"; }, &parts);
  ASSERT_EQ(parts.size(), 3u);
  EXPECT_EQ(parts[0].table.table, "voided");
  EXPECT_EQ(parts[1].table.table, "voided");
  EXPECT_EQ(parts[2].table.table, "fresh");
}

}  // namespace
}  // namespace arrowcdc::test
