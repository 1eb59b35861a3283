// The copy behind a made-up snapshot: what is kept is not read, and what is stale is voided once.
#include "src/delivery/snapshot_copy.h"

#include <map>
#include <mutex>

#include <gtest/gtest.h>

#include "arrowcdc/change_rows.h"
#include "src/change/testing/change_batches.h"
#include "src/delivery/testing/fake_snapshot.h"
#include "tests/testing/assert_ok.h"

namespace arrowcdc::test {
namespace {

const Position kPoint{1, 300};

std::shared_ptr<const TableSchema> Table(const std::string& name, uint32_t id) {
  return MakeTable({"public", name}, {arrow::field("id", arrow::int64())}, 1, id);
}

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
  FakeSnapshot snapshot(kPoint);
  snapshot.Add(Table("fresh", 1), {{{1}}, {{2}}});
  snapshot.Add(Table("stale", 2), {{{1}}, {{2}}, {{3}}});
  snapshot.Add(Table("kept", 3), {{{1}}, {{2}}}, 3, Position{1, 200});
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

// Of MySQL two copies may have one point, where nothing was committed in between.
TEST(SnapshotCopy, TwoAtOnePointAreToldApart) {
  SnapshotProgress last[2];
  for (SnapshotProgress& progress : last) {
    FakeSnapshot snapshot(kPoint);
    snapshot.Add(Table("t", 1), {{{1}}});
    FakeTarget target;
    const StopToken stop;
    const auto before = std::chrono::steady_clock::now();
    ARROWCDC_ASSERT_OK(CopySnapshot(
        snapshot, target, {}, 1, stop, [&](const SnapshotProgress& told) { progress = told; },
        [](const SourceNotice&) {}));
    EXPECT_GE(progress.begun, before);
  }
  EXPECT_EQ(last[0].point, last[1].point);
  EXPECT_NE(last[0].copy, last[1].copy);
}

// Whoever reads alone, for a target that keeps nothing, reads tables whole.
TEST(SnapshotCopy, TablesAreCutForSeveralReadersOrForWhatIsKept) {
  struct Asked : FakeSnapshot {
    using FakeSnapshot::FakeSnapshot;
    void ReadWholeTables() override { whole = true; }
    bool whole = false;
  };
  struct Keeps : FakeTarget {
    explicit Keeps(bool keeps) : keeps_(keeps) {}
    bool keeps_parts() const override { return keeps_; }
    const bool keeps_;
  };
  for (const bool keeps : {false, true}) {
    for (const int connections : {1, 2}) {
      Asked snapshot(kPoint);
      snapshot.Add(Table("t", 1), {{{1}}, {{2}}});
      Keeps target(keeps);
      const StopToken stop;
      ARROWCDC_ASSERT_OK(CopySnapshot(
          snapshot, target, {}, connections, stop, [](const SnapshotProgress&) {},
          [](const SourceNotice&) {}));
      EXPECT_EQ(snapshot.whole, !keeps && connections == 1);
    }
  }
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
