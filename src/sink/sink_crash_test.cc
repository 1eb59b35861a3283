// The sinks that keep data under failures (src/sink/testing/crash_world.h).
#include <algorithm>

#include <gtest/gtest.h>

#include "src/sink/ipc_file_sink.h"
#include "src/sink/parquet_sink.h"
#include "src/sink/testing/crash_world.h"
#include "src/sink/testing/ipc_rows.h"
#include "src/sink/testing/parquet_rows.h"

namespace arrowcdc::test {
namespace {

using Failure = MemoryFileSystem::Failure;

std::unique_ptr<Sink> MakeParquet(FileSystem* files, const SteadyClock& clock) {
  SinkOptions options;
  options.roll_rows = 7;
  ParquetLimits limits;
  limits.row_group_rows = 5;
  limits.files_on_disk = 2;
  limits.encoders = 3;
  limits.files_completing = 1000;  // the sink's thread is the one that lets go what is held
  return std::make_unique<ParquetSink>("/a/b", options, files, clock, limits);
}

std::vector<StoredRow> ReadParquetRows(MemoryFileSystem& files) {
  std::vector<StoredRow> rows;
  for (const auto& path : files.Files("/a/b")) {
    if (!path.ends_with(".parquet")) continue;
    const auto table = ReadParquet(files, path);
    const std::string name = table->schema()->metadata()->Get("arrowcdc:table").ValueOrDie();
    for (const auto& chunk : table->GetColumnByName("id")->chunks()) {
      const auto& ids = static_cast<const arrow::Int64Array&>(*chunk);
      for (int64_t i = 0; i < ids.length(); ++i) rows.emplace_back(name, ids.Value(i));
    }
  }
  return rows;
}

std::unique_ptr<Sink> MakeIpc(FileSystem* files, const SteadyClock& clock) {
  return std::make_unique<IpcFileSink>("/f", SinkOptions(), files, clock);
}

std::vector<StoredRow> ReadIpcRows(MemoryFileSystem& files) {
  auto rows = ReadStreams(ReadFile(files, "/f").ValueOrDie()).rows;
  EXPECT_TRUE(std::is_sorted(rows.begin(), rows.end(), [](const StoredRow& a, const StoredRow& b) {
    return a.second < b.second;
  })) << "rows are not in the order in which they came";
  return rows;
}

// A Parquet sink looks at a directory again where a first look has failed.
const CrashedSink kSinks[] = {
    {"Parquet", MakeParquet, ReadParquetRows, /*makes_up_for_failures=*/true, 80, 15,
     /*written_by_threads=*/"/a/b/s."},
    {"Ipc", MakeIpc, ReadIpcRows, /*makes_up_for_failures=*/false, 40, 200}};

class SinkCrash : public ::testing::TestWithParam<CrashedSink> {
 protected:
  enum class After { kKill, kPowerLoss };

  // The k-th operation fails, for every k, until a run gets through. The seeds change what a power loss
  // takes.
  static void FailEverywhere(Failure failure, After after, uint64_t first_seed = 1234) {
    const CrashedSink& sink = GetParam();
    int64_t failures = 0;
    for (int64_t k = 0;; ++k) {
      const uint64_t seed = first_seed + static_cast<uint64_t>(k);
      SCOPED_TRACE("operation " + std::to_string(k) + ", seed " + std::to_string(seed));
      CrashWorld world(sink, seed);
      world.files().FailAt(k, failure);
      const bool good = world.Run();
      const bool hit = world.files().failed();
      EXPECT_TRUE(good != hit || (sink.makes_up_for_failures && failure == Failure::kOnce));
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
      if (!hit || HasFailure()) break;
    }
    EXPECT_GT(failures, 20);
  }
};

TEST_P(SinkCrash, EveryOperationFailsOnceThenKill) { FailEverywhere(Failure::kOnce, After::kKill); }
TEST_P(SinkCrash, EveryOperationFailsOnceThenPowerIsLost) {
  FailEverywhere(Failure::kOnce, After::kPowerLoss);
}
TEST_P(SinkCrash, EveryOperationFailsForGoodThenKill) { FailEverywhere(Failure::kForGood, After::kKill); }
TEST_P(SinkCrash, EveryOperationFailsThenPowerIsLost) {
  FailEverywhere(Failure::kForGood, After::kPowerLoss);
}

// What is made first is where a kill leaves least behind; every outcome of the power loss after it is met.
TEST_P(SinkCrash, KilledAtTheBeginningThenPowerIsLost) {
  for (int64_t k = 0; k < 8; ++k) {
    for (uint64_t seed = 1; seed <= 6; ++seed) {
      SCOPED_TRACE("operation " + std::to_string(k) + ", seed " + std::to_string(seed));
      CrashWorld world(GetParam(), seed);
      world.files().FailAt(k, Failure::kForGood);
      EXPECT_FALSE(world.Run());
      world.files().KillProcess();
      EXPECT_TRUE(world.Run());
      world.files().LosePower(world.random());
      world.ExpectEveryRowOnce();
      if (HasFailure()) return;
    }
  }
}

// Its process may have been killed between a rename and what makes it stable.
TEST_P(SinkCrash, AnOpenThatFailsCallsNothingDurable) {
  bool hit = true;
  for (int64_t k = 0; hit; ++k) {
    SCOPED_TRACE("operation " + std::to_string(k));
    CrashWorld world(GetParam(), 1);
    EXPECT_TRUE(world.Run());
    world.files().KillProcess();
    world.files().FailAt(k, Failure::kForGood);
    world.Run();
    hit = world.files().failed();
    ASSERT_LT(k, 200);
    if (HasFailure()) break;
  }
}

TEST_P(SinkCrash, ManyCrashesInARow) {
  const uint64_t first_seed = std::random_device{}();
  for (uint64_t seed = first_seed; seed < first_seed + GetParam().many_crashes; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed) + " (replay: CrashWorld world(GetParam(), seed))");
    CrashWorld world(GetParam(), seed);
    for (int crash = 0; crash < 8; ++crash) {
      world.files().FailAt(static_cast<int64_t>(world.random()() % GetParam().operations), Failure::kForGood);
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
    if (HasFailure()) break;
  }
}

// Many files of many tables, which are held back where the seed says so: later ones are ready before earlier
// ones when the process ends.
TEST(ParquetThreadsCrash, FilesBecomeReadyInAnyOrder) {
  const uint64_t first_seed = std::random_device{}();
  for (uint64_t seed = first_seed; seed < first_seed + 6; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    CrashWorld world(kSinks[0], seed, /*tables=*/6, /*transactions=*/60);
    for (int crash = 0; crash < 6; ++crash) {
      world.files().FailAt(static_cast<int64_t>(world.random()() % 400), Failure::kForGood);
      world.Run();
      world.random()() % 2 == 0 ? world.files().KillProcess() : world.files().LosePower(world.random());
    }
    EXPECT_TRUE(world.Run());
    world.files().LosePower(world.random());
    world.ExpectEveryRowOnce();
    if (HasFailure()) break;
  }
}

INSTANTIATE_TEST_SUITE_P(All, SinkCrash, ::testing::ValuesIn(kSinks),
                         [](const auto& tested) { return std::string(tested.param.name); });

}  // namespace
}  // namespace arrowcdc::test
