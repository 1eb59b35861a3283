// The Parquet sink under failures: a small source is delivered to it as the pipeline would, the k-th file
// operation fails for every k, processes are killed and power is lost; in the end the files hold every row
// once.
#include <algorithm>
#include <map>
#include <random>

#include <gtest/gtest.h>

#include "src/sink/testing/memory_file_system.h"
#include "src/sink/parquet_sink.h"
#include "src/sink/testing/parquet_rows.h"
#include "src/sink/testing/change_rows.h"

namespace arrowcdc::test {
namespace {

constexpr int kTables = 3;

struct Row {
  int table;
  RowPosition position;
  int64_t id;
};
struct Transaction {
  std::vector<Row> rows;
  uint64_t end;
};

// Transactions of one to a few rows over all tables, now and then a large one.
std::vector<Transaction> MakeSource(std::mt19937_64& random, int transactions) {
  std::vector<Transaction> source;
  uint64_t lsn = 1000;
  int64_t id = 0;
  for (int i = 0; i < transactions; ++i) {
    Transaction transaction;
    const uint64_t rows = random() % 8 == 0 ? 20 : 1 + random() % 3;
    const uint64_t commit = lsn + rows * 10;
    for (uint64_t r = 0; r < rows; ++r, lsn += 10) {
      transaction.rows.push_back({static_cast<int>(random() % kTables), {commit, lsn, 0}, ++id});
    }
    lsn = commit + 8;
    transaction.end = lsn;
    source.push_back(std::move(transaction));
  }
  return source;
}

class World {
 public:
  explicit World(uint64_t seed) : random_(seed), source_(MakeSource(random_, 7)) {
    for (int i = 0; i < kTables; ++i) {
      tables_.push_back(MakeTable({"s", "t" + std::to_string(i)}, {arrow::field("id", arrow::int64())}));
    }
    options_.roll_rows = 7;
  }

  MemoryFileSystem& files() { return files_; }
  std::mt19937_64& random() { return random_; }

  // One life of the client; false when the sink failed in it.
  bool Run() {
    ParquetLimits limits;
    limits.row_group_rows = 5;
    limits.files_on_disk = 2;
    ParquetSink sink(
        "/a/b", options_, &files_, [this] { return now_; }, limits);
    const bool good = Deliver(sink);
    Observe(sink);
    if (!sink.Close().ok()) return false;
    Observe(sink);
    return good;
  }

  void ExpectEveryRowOnce() {
    std::map<int64_t, int> seen;
    for (const auto& path : files_.Files("/a/b")) {
      if (!path.ends_with(".parquet")) continue;
      const auto ids = ReadParquet(files_, path)->GetColumnByName("id");
      for (const auto& chunk : ids->chunks()) {
        for (int64_t i = 0; i < chunk->length(); ++i)
          ++seen[static_cast<arrow::Int64Array&>(*chunk).Value(i)];
      }
    }
    for (const auto& transaction : source_) {
      for (const auto& row : transaction.rows) EXPECT_EQ(seen[row.id], 1) << "row " << row.id;
    }
    EXPECT_EQ(acknowledged_, source_.back().end);
  }

 private:
  bool Deliver(ParquetSink& sink) {
    const auto opened = sink.Open(TestStream());
    if (!opened.ok()) return false;
    const SinkState& state = *opened;
    const uint64_t start = state.position ? state.position->order : 0;
    // The server keeps nothing before what was acknowledged.
    EXPECT_GE(start, acknowledged_);
    for (const auto& transaction : source_) {
      if (transaction.end <= start) continue;
      for (size_t i = 0; i < transaction.rows.size();) {
        size_t end = i + 1;
        while (end < transaction.rows.size() && transaction.rows[end].table == transaction.rows[i].table)
          ++end;
        if (!WriteRows(sink, state, transaction, i, end)) return false;
        i = end;
        if (random_() % 16 == 0 && !sink.Flush().ok()) return false;
      }
      if (!sink.Advance(At(transaction.end)).ok()) return false;
      now_ += std::chrono::seconds(random_() % 12);
      if (!sink.Tick().ok()) return false;
      Observe(sink);
    }
    return sink.Flush().ok();
  }

  bool WriteRows(ParquetSink& sink, const SinkState& state, const Transaction& transaction, size_t begin,
                 size_t end) {
    const auto& table = tables_[static_cast<size_t>(transaction.rows[begin].table)];
    const auto last = state.last_rows.find(table->name);
    std::vector<RowMeta> rows;
    std::vector<int64_t> ids;
    for (size_t i = begin; i < end; ++i) {
      const Row& row = transaction.rows[i];
      if (last != state.last_rows.end() && row.position <= last->second) continue;
      rows.push_back({row.position, 0, {}});
      ids.push_back(row.id);
    }
    return rows.empty() || sink.Write(MakeBatch(table, rows, {Ids(ids)})).ok();
  }

  void Observe(const ParquetSink& sink) {
    if (!sink.durable()) return;
    EXPECT_GE(sink.durable()->order, acknowledged_);
    acknowledged_ = sink.durable()->order;
  }

  std::mt19937_64 random_;
  std::vector<Transaction> source_;
  std::vector<std::shared_ptr<const TableSchema>> tables_;
  SinkOptions options_;
  MemoryFileSystem files_;
  std::chrono::steady_clock::time_point now_{std::chrono::hours(1)};
  uint64_t acknowledged_ = 0;
};

enum class After { kKill, kPowerLoss };

// The k-th operation fails, for every k, until a run gets through. The seeds change what a power loss takes.
void FailEverywhere(MemoryFileSystem::Failure failure, After after, uint64_t first_seed = 1234) {
  int64_t failures = 0;
  for (int64_t k = 0;; ++k) {
    const uint64_t seed = first_seed + static_cast<uint64_t>(k);
    SCOPED_TRACE("operation " + std::to_string(k) + ", seed " + std::to_string(seed));
    World world(seed);
    world.files().FailAt(k, failure);
    const bool good = world.Run();
    const bool hit = world.files().failed();
    // One failed look at a directory is made up for; everything else ends the run.
    EXPECT_TRUE(good != hit || failure == MemoryFileSystem::Failure::kOnce);
    EXPECT_TRUE(good || hit);
    failures += hit;
    if (after == After::kKill) {
      world.files().KillProcess();
    } else {
      world.files().LosePower(world.random());
    }
    EXPECT_TRUE(world.Run());
    world.files().LosePower(world.random());
    world.ExpectEveryRowOnce();
    if (!hit || ::testing::Test::HasFailure()) break;
  }
  EXPECT_GT(failures, 30);
}

TEST(ParquetSinkCrash, EveryOperationFailsOnceThenKill) {
  FailEverywhere(MemoryFileSystem::Failure::kOnce, After::kKill);
}
TEST(ParquetSinkCrash, EveryOperationFailsForGoodThenKill) {
  FailEverywhere(MemoryFileSystem::Failure::kForGood, After::kKill);
}
TEST(ParquetSinkCrash, EveryOperationFailsThenPowerIsLost) {
  FailEverywhere(MemoryFileSystem::Failure::kForGood, After::kPowerLoss);
}

// Making the directories is where a kill leaves least behind; every outcome of the power loss after it is
// met.
TEST(ParquetSinkCrash, KilledWhileTheDirectoryIsMadeThenPowerIsLost) {
  for (int64_t k = 0; k < 8; ++k) {
    for (uint64_t seed = 1; seed <= 6; ++seed) {
      SCOPED_TRACE("operation " + std::to_string(k) + ", seed " + std::to_string(seed));
      World world(seed);
      world.files().FailAt(k, MemoryFileSystem::Failure::kForGood);
      EXPECT_FALSE(world.Run());
      world.files().KillProcess();
      EXPECT_TRUE(world.Run());
      world.files().LosePower(world.random());
      world.ExpectEveryRowOnce();
      if (::testing::Test::HasFailure()) return;
    }
  }
}

TEST(ParquetSinkCrash, ManyCrashesInARow) {
  const uint64_t first_seed = std::random_device{}();
  for (uint64_t seed = first_seed; seed < first_seed + 15; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed) + " (replay: World world(seed))");
    World world(seed);
    for (int crash = 0; crash < 8; ++crash) {
      world.files().FailAt(static_cast<int64_t>(world.random()() % 80), MemoryFileSystem::Failure::kForGood);
      world.Run();
      if (world.random()() % 2 == 0) {
        world.files().KillProcess();
      } else {
        world.files().LosePower(world.random());
      }
    }
    EXPECT_TRUE(world.Run());
    world.files().LosePower(world.random());
    world.ExpectEveryRowOnce();
    if (::testing::Test::HasFailure()) break;
  }
}

}  // namespace
}  // namespace arrowcdc::test
