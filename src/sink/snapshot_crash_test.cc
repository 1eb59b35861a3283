// Snapshots in the sinks that keep data, under failures: a table counts when all its rows are there, and then
// they stay.
#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <tuple>

#include <gtest/gtest.h>

#include "src/change/testing/change_batches.h"
#include "src/sink/ipc_file_sink.h"
#include "src/sink/parquet_sink.h"
#include "src/sink/stored_table.h"
#include "src/sink/testing/ipc_rows.h"
#include "src/sink/testing/memory_file_system.h"
#include "src/sink/testing/parquet_rows.h"
#include "src/sink/testing/sink_stream.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/error_detail.h"

namespace arrowcdc::test {
namespace {

using Failure = MemoryFileSystem::Failure;

constexpr int kTables = 3;
constexpr int kParts = 2;
constexpr int64_t kRows = 4;  // of a part

// Whatever waits for a time is due each time that somebody looks.
SteadyClock Hasty() {
  return [now = std::chrono::steady_clock::time_point()]() mutable { return now += std::chrono::seconds(1); };
}

std::unique_ptr<Sink> MakeParquet(FileSystem* files) {
  ParquetLimits limits;
  limits.snapshot_row_group_bytes = 1;
  return std::make_unique<ParquetSink>("/d", SinkOptions(), files, Hasty(), limits);
}

using IdsByTable = std::map<std::string, std::vector<int64_t>>;  // by table

IdsByTable ReadParquetIds(MemoryFileSystem& files) {
  IdsByTable found;
  for (const auto& path : files.Files("/d")) {
    if (!path.ends_with(".parquet")) continue;
    const auto table = ReadParquet(files, path);
    auto& ids = found[table->schema()->metadata()->Get("arrowcdc:table").ValueOrDie()];
    for (const auto& chunk : table->GetColumnByName("id")->chunks()) {
      for (int64_t i = 0; i < chunk->length(); ++i)
        ids.push_back(static_cast<const arrow::Int64Array&>(*chunk).Value(i));
    }
  }
  return found;
}

std::unique_ptr<Sink> MakeIpc(FileSystem* files) {
  SinkOptions options;
  options.roll_bytes = 1;  // a flush wherever one may be
  return std::make_unique<IpcFileSink>("/f", options, files);
}

IdsByTable ReadIpcIds(MemoryFileSystem& files) {
  IdsByTable found;
  for (const auto& [table, id] : ReadStreams(ReadFile(files, "/f").ValueOrDie()).rows)
    found[table].push_back(id);
  return found;
}

struct TestedSink {
  const char* name;
  std::unique_ptr<Sink> (*make)(FileSystem* files);
  IdsByTable (*read)(MemoryFileSystem& files);
  int64_t operations;  // of a run, more than half
  bool keeps_parts;
};

SnapshotPart MakePart(const TableSchema& table, const Position& point, const std::string& range) {
  SnapshotPart part;
  part.table = table.name;
  part.table_id = table.table_id;
  part.point = point;
  part.seen = "seen at " + std::to_string(point.order);
  part.layout = "layout";
  part.range = range;
  return part;
}

// The sink's life in one process after the other, each with a point of its own. What one has finished the
// next ones do not write again.
class SnapshotWorld {
  using Finished = std::map<uint32_t, std::map<std::string, Position>>;  // table -> range -> point

 public:
  SnapshotWorld(const TestedSink& sink, uint64_t seed) : sink_(sink), random_(seed) {
    for (int i = 0; i < kTables; ++i) {
      tables_.push_back(MakeTable({"public", "t" + std::to_string(i)}, {arrow::field("id", arrow::int64())},
                                  /*fingerprint=*/1, /*oid=*/static_cast<uint32_t>(100 + i)));
    }
  }

  MemoryFileSystem& files() { return files_; }
  std::mt19937_64& random() { return random_; }

  // False when something failed in it.
  bool Run() {
    const auto sink = sink_.make(&files_);
    ++lives_;
    const bool done = Copy(*sink).ok();
    return sink->Close().ok() && done;
  }

  void ExpectEveryRowOnce() {
    IdsByTable found = sink_.read(files_);
    ASSERT_EQ(found.size(), static_cast<size_t>(kTables));
    for (auto& [name, ids] : found) {
      std::sort(ids.begin(), ids.end());
      std::vector<int64_t> wanted;
      for (int64_t id = 0; id < kParts * kRows; ++id) wanted.push_back(id);
      EXPECT_EQ(ids, wanted) << name;
    }
  }

 private:
  arrow::Status Copy(Sink& sink) {
    ARROW_ASSIGN_OR_RAISE(const SinkState state, sink.Open(TestStream()));
    std::set<uint32_t> copied;
    // Whoever has one alone is not asked any more whether rows are to be copied.
    EXPECT_EQ(state.position.has_value(), state.snapshot.has_value());
    if (state.snapshot.has_value()) {
      // Whoever began has stored where the stream begins.
      EXPECT_EQ(state.position, At(100));
      for (const CopiedTable& table : state.snapshot->copied)
        EXPECT_TRUE(copied.insert(table.table_id).second);
    }
    EXPECT_TRUE(std::includes(copied.begin(), copied.end(), completed_.begin(), completed_.end()));
    if (state.snapshot.has_value() && state.snapshot->complete) return arrow::Status::OK();
    ARROW_RETURN_NOT_OK(sink.Advance(At(100)));
    ARROW_RETURN_NOT_OK(KeepParts(sink, copied));
    const Position point = At(200 + lives_ * 10);
    for (const auto& table : tables_) {
      if (copied.contains(table->table_id)) continue;
      ARROW_RETURN_NOT_OK(CopyTable(sink, table, point));
      completed_.insert(table->table_id);
    }
    return sink.EndSnapshot();
  }

  // Sometimes they are of no use, as those of a table that was rewritten.
  arrow::Status KeepParts(Sink& sink, const std::set<uint32_t>& copied) {
    ARROW_ASSIGN_OR_RAISE(const auto parts, sink.BeginSnapshot(std::nullopt));
    Finished kept;
    for (const SnapshotPart& part : parts) {
      EXPECT_FALSE(copied.contains(part.table_id));
      EXPECT_EQ(part.seen, "seen at " + std::to_string(part.point.order));
      EXPECT_EQ(part.layout, "layout");
      EXPECT_TRUE(kept[part.table_id].emplace(part.range, part.point).second);
    }
    if (sink_.keeps_parts) {
      for (const auto& [table, finished] : finished_) {
        if (copied.contains(table)) continue;
        for (const auto& [range, point] : finished) EXPECT_EQ(kept[table][range], point) << range;
      }
    }
    std::set<TableName> tables;
    for (const auto& table : tables_) {
      if (random_() % 4 == 0) kept.erase(table->table_id);
      if (kept.contains(table->table_id)) tables.insert(table->name);
    }
    finished_.clear();  // whether the sink has forgotten them where the next call fails
    ARROW_RETURN_NOT_OK(sink.KeepParts(tables));
    finished_ = std::move(kept);
    return arrow::Status::OK();
  }

  arrow::Status CopyTable(Sink& sink, const std::shared_ptr<const TableSchema>& table,
                          const Position& point) {
    auto& finished = finished_[table->table_id];
    std::optional<std::string> last;  // that was finished, and need not be stored
    for (uint64_t part = 0; part < kParts; ++part) {
      const std::string range = "part " + std::to_string(part);
      if (finished.contains(range)) continue;
      ARROW_ASSIGN_OR_RAISE(const auto writer, sink.BeginPart(MakePart(*table, point, range)));
      if (last.has_value()) finished.emplace(*last, point);
      for (int64_t id = 0; id < kRows; ++id) {
        const auto place = part * 1000 + static_cast<uint64_t>(id);
        RowMeta row{{point.order - 1, place, 0}, Op::kSnapshot};
        row.xid = std::nullopt;
        ARROW_RETURN_NOT_OK(
            writer->Write(MakeBatch(table, {row}, {Ids({static_cast<int64_t>(part) * kRows + id})})));
      }
      ARROW_RETURN_NOT_OK(writer->Finish());
      last = range;
    }
    Position least = point;
    for (const auto& [range, at] : finished) least = std::min(least, at);
    finished_.erase(table->table_id);  // renamed, and then perhaps lost with the power
    return sink.CompleteTable({table->name, table->table_id, least});
  }

  const TestedSink& sink_;
  std::mt19937_64 random_;
  std::vector<std::shared_ptr<const TableSchema>> tables_;
  MemoryFileSystem files_;
  std::set<uint32_t> completed_;  // what CompleteTable has promised
  Finished finished_;             // what the sink has promised to keep
  uint64_t lives_ = 0;
};

class SnapshotCrash : public ::testing::TestWithParam<TestedSink> {};

TEST_P(SnapshotCrash, RowsAreThereOnceTheTableIsComplete) {
  SnapshotWorld world(GetParam(), 1);
  EXPECT_TRUE(world.Run());
  world.ExpectEveryRowOnce();
  EXPECT_TRUE(world.Run());
  world.ExpectEveryRowOnce();
}

TEST_P(SnapshotCrash, EveryOperationFails) {
  for (const bool power_is_lost : {false, true}) {
    int64_t failures = 0;
    for (int64_t k = 0;; ++k) {
      SCOPED_TRACE("operation " + std::to_string(k) + (power_is_lost ? ", power lost" : ", killed"));
      SnapshotWorld world(GetParam(), static_cast<uint64_t>(k) + 77);
      world.files().FailAt(k, Failure::kForGood);
      const bool good = world.Run();
      const bool hit = world.files().failed();
      EXPECT_NE(good, hit);
      failures += hit;
      power_is_lost ? world.files().LosePower(world.random()) : world.files().KillProcess();
      EXPECT_TRUE(world.Run());
      world.files().LosePower(world.random());
      EXPECT_TRUE(world.Run());
      world.ExpectEveryRowOnce();
      if (!hit || HasFailure()) break;
    }
    EXPECT_GT(failures, GetParam().operations / 2);
  }
}

// A copy that makes up for a gap begins while one of a single table is noted: who goes on copies all.
TEST_P(SnapshotCrash, ThePlanIsTheLastOne) {
  MemoryFileSystem files;
  const std::vector<TableName> one = {{"public", "t0"}};
  const std::vector<TableName> all = {{"public", "t0"}, {"public", "t1"}};
  for (const auto& [only, position] : {std::pair(one, At(100)), {all, At(300)}}) {
    const auto sink = GetParam().make(&files);
    ARROWCDC_ASSERT_OK(sink->Open(TestStream()).status());
    ARROWCDC_ASSERT_OK(sink->Advance(position));
    ARROWCDC_ASSERT_OK(sink->BeginSnapshot(only).status());
    files.KillProcess();
  }
  const auto sink = GetParam().make(&files);
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SinkState state, sink->Open(TestStream()));
  EXPECT_EQ(state.position, At(300));
  ASSERT_TRUE(state.snapshot.has_value());
  EXPECT_FALSE(state.snapshot->complete);
  EXPECT_EQ(state.snapshot->only, all);
}

TEST_P(SnapshotCrash, ManyCrashesInARow) {
  const uint64_t first_seed = std::random_device{}();
  for (uint64_t seed = first_seed; seed < first_seed + 50; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    SnapshotWorld world(GetParam(), seed);
    for (int crash = 0; crash < 8; ++crash) {
      world.files().FailAt(
          static_cast<int64_t>(world.random()() % static_cast<uint64_t>(GetParam().operations)),
          Failure::kForGood);
      world.Run();
      world.random()() % 2 == 0 ? world.files().KillProcess() : world.files().LosePower(world.random());
    }
    EXPECT_TRUE(world.Run());
    world.ExpectEveryRowOnce();
    if (HasFailure()) break;
  }
}

constexpr TestedSink kSinks[] = {{"Parquet", MakeParquet, ReadParquetIds, 130, true},
                                 {"Ipc", MakeIpc, ReadIpcIds, 40, false}};

INSTANTIATE_TEST_SUITE_P(All, SnapshotCrash, ::testing::ValuesIn(kSinks),
                         [](const auto& tested) { return std::string(tested.param.name); });

// One table, its sinks one after the other.
class ParquetSnapshot : public ::testing::Test {
 protected:
  // What it has kept.
  std::vector<SnapshotPart> Open(SteadyClock clock = Hasty()) {
    sink_.reset();
    files_.KillProcess();
    sink_ = std::make_unique<ParquetSink>("/d", SinkOptions(), &files_, std::move(clock));
    EXPECT_TRUE(sink_->Open(TestStream()).ok());
    return Begin();
  }

  std::vector<SnapshotPart> Begin() {
    EXPECT_TRUE(sink_->Advance(At(100)).ok());
    auto parts = sink_->BeginSnapshot(std::nullopt).ValueOrDie();
    std::sort(parts.begin(), parts.end(), [](const auto& a, const auto& b) {
      return std::tie(a.point, a.range) < std::tie(b.point, b.range);
    });
    return parts;
  }

  // One row, or none.
  void Write(uint64_t point, const std::string& range, std::optional<int64_t> id, bool finish = true,
             bool voids_earlier = false) {
    SnapshotPart part = MakePart(*table_, At(point), range);
    part.voids_earlier = voids_earlier;
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto writer, sink_->BeginPart(part));
    if (id.has_value()) {
      RowMeta row{{point - 1, static_cast<uint64_t>(*id), 0}, Op::kSnapshot};
      ARROWCDC_ASSERT_OK(writer->Write(MakeBatch(table_, {row}, {Ids({*id})})));
    }
    if (finish) ARROWCDC_ASSERT_OK(writer->Finish());
  }

  void Complete(uint64_t point) {
    ARROWCDC_ASSERT_OK(sink_->CompleteTable({table_->name, table_->table_id, At(point)}));
    ARROWCDC_ASSERT_OK(sink_->EndSnapshot());
  }

  // In the table's directory.
  std::vector<std::string> Names() {
    std::vector<std::string> names;
    for (const auto& path : files_.Files("/d/public.t"))
      names.push_back(path.substr(std::string("/d/public.t/").size()));
    return names;
  }

  const std::shared_ptr<const TableSchema> table_ =
      MakeTable({"public", "t"}, {arrow::field("id", arrow::int64())});
  MemoryFileSystem files_;
  std::unique_ptr<ParquetSink> sink_;
};

// A part that is given up leaves nothing; parts of an earlier point, in the same process, are not counted
// where they cannot be kept.
TEST_F(ParquetSnapshot, PartsOfAnEarlierPointGo) {
  Open();
  for (const uint64_t point : {200, 300}) {
    EXPECT_TRUE(Begin().empty());
    for (const bool finish : {true, false}) {
      Write(point, "", static_cast<int64_t>(point) + (finish ? 0 : 1), finish);
    }
  }
  Complete(300);
  ARROWCDC_ASSERT_OK(sink_->Close());
  std::vector<std::string> finished = Names();
  std::erase_if(finished,
                [](const std::string& name) { return name.ends_with("d-00000-snapshot.inprogress"); });
  EXPECT_EQ(finished, std::vector<std::string>{"000000000000012b-000000000000012c-00000-snapshot.parquet"});
}

TEST_F(ParquetSnapshot, FinishedPartsAreHiddenUntilTheTableIsComplete) {
  Open();
  Write(200, "a", 1, true, true);
  Write(200, "b", std::nullopt);
  Write(200, "c", 3, false);
  auto parts = Open();
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(parts[0].table, table_->name);
  EXPECT_EQ(parts[0].table_id, table_->table_id);
  EXPECT_EQ(parts[0].point, At(200));
  EXPECT_EQ(parts[0].seen, "seen at 200");
  EXPECT_EQ(parts[0].layout, "layout");
  EXPECT_EQ(parts[0].range, "a");
  EXPECT_TRUE(parts[0].voids_earlier);
  EXPECT_EQ(parts[1].range, "b");
  EXPECT_FALSE(parts[1].voids_earlier);
  const std::string first = "00000000000000c7-0000000000000001-00000-snapshot";
  const std::string second = "000000000000012b-0000000000000004-00000-snapshot";
  EXPECT_EQ(Names(), std::vector<std::string>{"." + first + ".inprogress"});

  ARROWCDC_ASSERT_OK(sink_->KeepParts({table_->name}));
  Write(300, "c", 4);
  ARROWCDC_ASSERT_OK(sink_->Tick());
  EXPECT_EQ(Open().size(), 3u);
  EXPECT_EQ(Names(), (std::vector<std::string>{"." + first + ".inprogress", "." + second + ".inprogress"}));
  ARROWCDC_ASSERT_OK(sink_->KeepParts({table_->name}));
  Complete(200);
  const std::vector<std::string> complete = {first + ".parquet", second + ".parquet"};
  EXPECT_EQ(Names(), complete);

  sink_ = std::make_unique<ParquetSink>("/d", SinkOptions(), &files_);
  files_.KillProcess();
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SinkState state, sink_->Open(TestStream()));
  EXPECT_EQ(Names(), complete);
  ASSERT_EQ(state.snapshot->copied.size(), 1u);
  EXPECT_EQ(state.snapshot->copied[0].point, At(200));
  EXPECT_EQ(state.snapshot->copied[0].later_points, std::vector<Position>{At(300)});
}

// Rows of several points are those of the table with the changes in between.
TEST_F(ParquetSnapshot, ATableOfSeveralPointsIsReadOnceTheStreamHasCome) {
  Open();
  Write(200, "a", 1);
  Write(300, "b", 2);
  Complete(200);
  const auto early = FindStoredTable(files_, "/d", "public.t");
  EXPECT_EQ(KindOf(early.status()), ErrorKind::kBusy) << early.status();
  EXPECT_EQ(GetErrorDetail(early.status())->object(), "table public.t");
  ARROWCDC_ASSERT_OK(sink_->Advance(At(299)));
  ARROWCDC_ASSERT_OK(sink_->Flush());
  EXPECT_FALSE(FindStoredTable(files_, "/d", "public.t").ok());
  ARROWCDC_ASSERT_OK(sink_->Advance(At(300)));
  ARROWCDC_ASSERT_OK(sink_->Flush());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const StoredTable stored, FindStoredTable(files_, "/d", "public.t"));
  EXPECT_EQ(stored.files.size(), 2u);
  ASSERT_TRUE(stored.whole.has_value());
  EXPECT_EQ(stored.whole->order, 300u);
}

TEST_F(ParquetSnapshot, ATableThatWasCopiedWithoutRowsIsEmpty) {
  Open();
  EXPECT_EQ(KindOf(FindStoredTable(files_, "/d", "public.t").status()), ErrorKind::kInvalidOption);
  Write(200, "", std::nullopt);
  Complete(200);
  for (const char* name : {"public.t", "\"public\".t"}) {
    const auto empty = FindStoredTable(files_, "/d", name).status();
    EXPECT_EQ(KindOf(empty), ErrorKind::kBusy) << empty;
    EXPECT_NE(empty.message().find("it is empty"), std::string::npos) << empty;
  }
  EXPECT_EQ(KindOf(FindStoredTable(files_, "/d", "public.tt").status()), ErrorKind::kInvalidOption);
}

TEST_F(ParquetSnapshot, FilesThatWereMovedAwayAreMissed) {
  Open();
  Write(200, "", 1);
  Complete(200);
  const auto emptied = [this] {
    sink_ = nullptr;
    sink_ = std::make_unique<ParquetSink>("/d", SinkOptions(), &files_);
    return sink_->Open(TestStream()).ValueOrDie().emptied;
  };
  EXPECT_TRUE(emptied().empty());
  ASSERT_EQ(Names().size(), 1u);
  ARROWCDC_ASSERT_OK(files_.Remove("/d/public.t/" + Names()[0]));
  EXPECT_EQ(emptied(), std::vector<TableName>{table_->name});
  EXPECT_EQ(KindOf(FindStoredTable(files_, "/d", "public.t").status()), ErrorKind::kSink);
}

TEST_F(ParquetSnapshot, PartsThatDoNotCountGo) {
  Open();
  Write(200, "a", 1);
  ARROWCDC_ASSERT_OK(sink_->Tick());
  ASSERT_EQ(Open().size(), 1u);
  ARROWCDC_ASSERT_OK(sink_->KeepParts({{"public", "other"}}));
  EXPECT_TRUE(Names().empty());
  EXPECT_TRUE(Open().empty());
}

TEST_F(ParquetSnapshot, ATableOfWhichAFileIsMissingIsForgotten) {
  Open();
  Write(200, "a", 1);
  Write(200, "b", 2);
  ARROWCDC_ASSERT_OK(sink_->Tick());
  ARROWCDC_ASSERT_OK(
      files_.Remove("/d/public.t/.00000000000000c7-0000000000000001-00000-snapshot.inprogress"));
  EXPECT_TRUE(Open().empty());
  EXPECT_TRUE(Names().empty());
}

// A manifest a part would cost more than small parts do.
TEST_F(ParquetSnapshot, PartsAreStoredTogetherAndAtTheEnd) {
  const auto now = std::make_shared<std::chrono::steady_clock::time_point>();
  const SteadyClock clock = [now] { return *now; };
  Open(clock);
  Write(200, "a", 1);
  Write(200, "b", 2);
  EXPECT_TRUE(Open(clock).empty());
  ARROWCDC_ASSERT_OK(sink_->KeepParts({}));
  Write(300, "a", 1);
  *now += std::chrono::milliseconds(200);
  Write(300, "b", 2);
  Write(300, "c", 3);
  EXPECT_EQ(Open(clock).size(), 1u);
  Write(400, "c", 3);
  ARROWCDC_ASSERT_OK(sink_->Close());
  EXPECT_EQ(Open(clock).size(), 2u);
}

}  // namespace
}  // namespace arrowcdc::test
