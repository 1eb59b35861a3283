// The IPC sinks: streams that Arrow's reader reads one after the other, and a file that holds every row once.
#include <random>

#include <arrow/io/memory.h>
#include <arrow/ipc/reader.h>
#include <gtest/gtest.h>

#include "src/sink/ipc_file_sink.h"
#include "src/sink/ipc_pipe_sink.h"
#include "src/sink/testing/memory_file_system.h"
#include "src/sink/testing/change_rows.h"

namespace arrowcdc::test {
namespace {

struct ReadBack {
  int streams = 0;
  std::vector<std::string> rows;  // "table:id"
};

// As a user would: open a stream where the one before ended, until nothing is left.
ReadBack ReadStreams(const std::string& content) {
  ReadBack out;
  arrow::io::BufferReader input(arrow::Buffer::FromString(content));
  while (input.Tell().ValueOrDie() < static_cast<int64_t>(content.size())) {
    auto reader = arrow::ipc::RecordBatchStreamReader::Open(&input);
    EXPECT_TRUE(reader.ok()) << reader.status().ToString();
    if (!reader.ok()) break;
    ++out.streams;
    const std::string table = (*reader)->schema()->metadata()->Get("arrowcdc:table").ValueOrDie();
    while (true) {
      auto batch = (*reader)->Next();
      EXPECT_TRUE(batch.ok()) << batch.status().ToString();
      if (!batch.ok() || *batch == nullptr) break;
      EXPECT_TRUE((*batch)->ValidateFull().ok());
      const auto& ids = static_cast<const arrow::Int64Array&>(*(*batch)->GetColumnByName("id"));
      for (int64_t i = 0; i < ids.length(); ++i)
        out.rows.push_back(table + ":" + std::to_string(ids.Value(i)));
    }
  }
  return out;
}

ChangeBatch Rows(const std::shared_ptr<const TableSchema>& table, const std::vector<int64_t>& ids) {
  std::vector<RowMeta> rows;
  for (const int64_t id : ids)
    rows.push_back({{static_cast<uint64_t>(id), static_cast<uint64_t>(id), 0}, 0, {}});
  return MakeBatch(table, rows, {Ids(ids)});
}

std::shared_ptr<const TableSchema> Table(const std::string& name, uint64_t fingerprint = 1) {
  return MakeTable({"public", name}, {arrow::field("id", arrow::int64())}, fingerprint);
}

class IpcFileSinkTest : public ::testing::Test {
 protected:
  std::unique_ptr<IpcFileSink> MakeOpen() {
    auto sink = std::make_unique<IpcFileSink>("/f", options_, &files_, [this] { return now_; });
    auto state = sink->Open(TestStream());
    EXPECT_TRUE(state.ok()) << state.status().ToString();
    if (state.ok()) state_ = *state;
    return sink;
  }
  std::string Content() { return ReadFile(files_, "/f").ValueOrDie(); }

  MemoryFileSystem files_;
  SinkOptions options_;
  SinkState state_;
  std::chrono::steady_clock::time_point now_{std::chrono::hours(1)};
};

TEST_F(IpcFileSinkTest, ANewStreamBeginsWhereTableOrSchemaChanges) {
  auto sink = MakeOpen();
  EXPECT_FALSE(state_.position);
  ARROWCDC_ASSERT_OK(sink->Write(Rows(Table("a"), {1, 2})));
  ARROWCDC_ASSERT_OK(sink->Write(Rows(Table("a"), {3})));
  ARROWCDC_ASSERT_OK(sink->Write(Rows(Table("b"), {4})));
  ARROWCDC_ASSERT_OK(sink->Write(Rows(Table("a"), {5})));
  ARROWCDC_ASSERT_OK(sink->Write(Rows(Table("a", 2), {6})));
  ARROWCDC_ASSERT_OK(sink->Advance(At(10)));
  EXPECT_TRUE(sink->has_pending_rows());
  EXPECT_FALSE(sink->durable());
  ARROWCDC_ASSERT_OK(sink->Flush());
  EXPECT_FALSE(sink->has_pending_rows());
  EXPECT_EQ(sink->durable()->order, 10u);
  const auto read = ReadStreams(Content());
  EXPECT_EQ(read.streams, 4);
  EXPECT_EQ(read.rows, (std::vector<std::string>{"a:1", "a:2", "a:3", "b:4", "a:5", "a:6"}));
}

TEST_F(IpcFileSinkTest, RowsAfterTheLastAdvanceAreCutOffAtTheNextOpen) {
  auto sink = MakeOpen();
  ARROWCDC_ASSERT_OK(sink->Write(Rows(Table("a"), {1, 2})));
  ARROWCDC_ASSERT_OK(sink->Advance(At(10)));
  ARROWCDC_ASSERT_OK(sink->Write(Rows(Table("a"), {3})));
  ARROWCDC_ASSERT_OK(sink->Write(Rows(Table("b"), {4})));
  ARROWCDC_ASSERT_OK(sink->Flush());
  EXPECT_EQ(sink->durable()->order, 10u);
  EXPECT_TRUE(sink->has_pending_rows());
  EXPECT_EQ(ReadStreams(Content()).rows, (std::vector<std::string>{"a:1", "a:2", "a:3", "b:4"}));
  sink.reset();
  files_.KillProcess();
  sink = MakeOpen();
  EXPECT_EQ(state_.position->order, 10u);
  EXPECT_TRUE(state_.last_rows.empty());
  EXPECT_EQ(ReadStreams(Content()).rows, (std::vector<std::string>{"a:1", "a:2"}));
  ARROWCDC_ASSERT_OK(sink->Write(Rows(Table("b"), {5})));
  ARROWCDC_ASSERT_OK(sink->Close());
  EXPECT_EQ(ReadStreams(Content()).rows, (std::vector<std::string>{"a:1", "a:2", "b:5"}));
}

TEST_F(IpcFileSinkTest, TickAndRollBytesFlush) {
  auto sink = MakeOpen();
  ARROWCDC_ASSERT_OK(sink->Write(Rows(Table("a"), {1})));
  ARROWCDC_ASSERT_OK(sink->Advance(At(10)));
  ARROWCDC_ASSERT_OK(sink->Tick());
  EXPECT_FALSE(sink->durable());
  now_ += options_.roll_age;
  ARROWCDC_ASSERT_OK(sink->Tick());
  EXPECT_EQ(sink->durable()->order, 10u);
  ARROWCDC_ASSERT_OK(sink->Close());

  options_.roll_bytes = 1000;
  sink = MakeOpen();
  ARROWCDC_ASSERT_OK(sink->Write(Rows(Table("a"), {2})));
  ARROWCDC_ASSERT_OK(sink->Advance(At(20)));
  EXPECT_EQ(sink->durable()->order, 20u);
}

TEST_F(IpcFileSinkTest, IdleAdvanceIsStoredOnce) {
  auto sink = MakeOpen();
  ARROWCDC_ASSERT_OK(sink->Advance(At(10)));
  ARROWCDC_ASSERT_OK(sink->Flush());
  EXPECT_EQ(sink->durable()->order, 10u);
  const int64_t operations = files_.operations();
  ARROWCDC_ASSERT_OK(sink->Flush());
  ARROWCDC_ASSERT_OK(sink->Tick());
  EXPECT_EQ(files_.operations(), operations);
}

TEST_F(IpcFileSinkTest, RefusesWhatIsNotItsOwn) {
  ARROWCDC_ASSERT_OK(ReplaceFile(files_, "/f", "something else"));
  IpcFileSink foreign("/f", options_, &files_);
  EXPECT_EQ(KindOf(foreign.Open(TestStream()).status()), ErrorKind::kSink);
  EXPECT_EQ(Content(), "something else");
  ARROWCDC_ASSERT_OK(files_.Remove("/f"));
  auto sink = MakeOpen();
  IpcFileSink second("/f", options_, &files_);
  EXPECT_FALSE(second.Open(TestStream()).ok());
  ARROWCDC_ASSERT_OK(sink->Advance(At(10)));
  ARROWCDC_ASSERT_OK(sink->Close());
  StreamIdentity other = TestStream();
  other.slot = "other";
  IpcFileSink third("/f", options_, &files_);
  EXPECT_EQ(KindOf(third.Open(other).status()), ErrorKind::kPositionGap);
}

TEST_F(IpcFileSinkTest, AFileOfAnotherVersionIsRefused) {
  auto sink = MakeOpen();
  ARROWCDC_ASSERT_OK(sink->Write(Rows(Table("a"), {1})));
  ARROWCDC_ASSERT_OK(sink->Advance(At(10)));
  ARROWCDC_ASSERT_OK(sink->Close());
  const std::string manifest = ReadFile(files_, "/f.manifest.json").ValueOrDie();
  const std::string content = Content();
  for (const std::string version : {"1", "3"}) {
    std::string other = manifest;
    other.replace(other.find("\"arrowcdc_manifest\": 2"), 22, "\"arrowcdc_manifest\": " + version);
    ARROWCDC_ASSERT_OK(ReplaceFile(files_, "/f.manifest.json", other));
    IpcFileSink next("/f", options_, &files_);
    const auto status = next.Open(TestStream()).status();
    EXPECT_EQ(KindOf(status), ErrorKind::kSink);
    EXPECT_NE(status.message().find("/f holds version " + version), std::string::npos) << status;
    EXPECT_EQ(Content(), content);
  }
}

// ALTER DATABASE ... RENAME: system and slot are the same, so are the rows.
TEST_F(IpcFileSinkTest, GoesOnUnderAnotherDatabaseName) {
  auto sink = MakeOpen();
  ARROWCDC_ASSERT_OK(sink->Advance(At(100)));
  ARROWCDC_ASSERT_OK(sink->Close());
  StreamIdentity renamed = TestStream();
  renamed.database = "shop_old";
  for (const std::string stored : {"shop", "shop_old"}) {
    IpcFileSink next("/f", options_, &files_);
    const auto state = next.Open(renamed).ValueOrDie();
    EXPECT_EQ(state.stream->database, stored);
    ARROWCDC_ASSERT_OK(next.Advance(At(state.position->order + 100)));
    ARROWCDC_ASSERT_OK(next.Close());
  }
}

TEST_F(IpcFileSinkTest, RemembersWhatItsRowsCameFrom) {
  auto sink = MakeOpen();
  EXPECT_FALSE(state_.stream);
  ARROWCDC_ASSERT_OK(sink->Write(Rows(Table("a"), {1})));
  ARROWCDC_ASSERT_OK(
      sink->Write(Rows(MakeTable({"public", "a"}, {arrow::field("id", arrow::int64())}, 2, 20000), {2})));
  ARROWCDC_ASSERT_OK(sink->Write(Rows(Table("b"), {3})));
  ARROWCDC_ASSERT_OK(sink->Advance(At(10)));
  ARROWCDC_ASSERT_OK(sink->Close());
  StreamIdentity other = TestStream();
  other.publications = {"q"};
  other.patterns = {"public.*"};
  IpcFileSink next("/f", options_, &files_);
  auto state = next.Open(other).ValueOrDie();
  EXPECT_EQ(state.stream->publications, std::vector<std::string>{"p"});
  EXPECT_TRUE(state.stream->patterns.empty());
  EXPECT_EQ(state.table_ids,
            (std::map<TableName, uint32_t>{{{"public", "a"}, 20000}, {{"public", "b"}, 16384}}));
  ARROWCDC_ASSERT_OK(next.Advance(At(20)));
  ARROWCDC_ASSERT_OK(next.Close());
  IpcFileSink last("/f", options_, &files_);
  state = last.Open(other).ValueOrDie();
  EXPECT_EQ(state.stream->publications, std::vector<std::string>{"q"});
  EXPECT_EQ(state.stream->patterns, std::vector<std::string>{"public.*"});
}

TEST_F(IpcFileSinkTest, AStartThatWasRefusedClaimsNothing) {
  ARROWCDC_ASSERT_OK(MakeOpen()->Close());
  StreamIdentity other = TestStream();
  other.slot = "other";
  IpcFileSink next("/f", options_, &files_);
  ARROWCDC_ASSERT_OK(next.Open(other).status());
  ARROWCDC_ASSERT_OK(next.Advance(At(10)));
  ARROWCDC_ASSERT_OK(next.Close());
  IpcFileSink first("/f", options_, &files_);
  EXPECT_EQ(KindOf(first.Open(TestStream()).status()), ErrorKind::kPositionGap);
}

// One life of a client that delivers rows 1.. in groups of a few; what is acknowledged never comes again.
class CrashWorld {
 public:
  explicit CrashWorld(uint64_t seed) : random_(seed) {}
  MemoryFileSystem& files() { return files_; }
  std::mt19937_64& random() { return random_; }

  bool Run() {
    IpcFileSink sink("/f", {}, &files_);
    const auto state = sink.Open(TestStream());
    if (!state.ok()) return false;
    const uint64_t start = state->position ? state->position->order : 0;
    EXPECT_GE(start, acknowledged_);
    for (uint64_t id = start + 1; id <= kRows; ++id) {
      const auto table = Table(id / 3 % 2 == 0 ? "a" : "b");
      if (!sink.Write(Rows(table, {static_cast<int64_t>(id)})).ok()) return false;
      if (random_() % 3 == 0 && !sink.Advance(At(id)).ok()) return false;
      if (random_() % 5 == 0 && !sink.Flush().ok()) return false;
      if (sink.durable()) acknowledged_ = sink.durable()->order;
    }
    return sink.Advance(At(kRows)).ok() && sink.Close().ok();
  }

  void ExpectEveryRowOnce() {
    const auto read = ReadStreams(ReadFile(files_, "/f").ValueOrDie());
    ASSERT_EQ(read.rows.size(), kRows);
    for (uint64_t id = 1; id <= kRows; ++id) {
      EXPECT_EQ(read.rows[id - 1], (id / 3 % 2 == 0 ? "a:" : "b:") + std::to_string(id));
    }
  }

 private:
  static constexpr uint64_t kRows = 30;
  std::mt19937_64 random_;
  MemoryFileSystem files_;
  uint64_t acknowledged_ = 0;
};

TEST(IpcFileSinkCrash, EveryOperationFails) {
  int64_t failures = 0;
  for (int64_t k = 0;; ++k) {
    SCOPED_TRACE("operation " + std::to_string(k));
    CrashWorld world(99);
    world.files().FailAt(k,
                         k % 2 == 0 ? MemoryFileSystem::Failure::kOnce : MemoryFileSystem::Failure::kForGood);
    const bool good = world.Run();
    const bool hit = world.files().failed();
    EXPECT_EQ(good, !hit);
    failures += hit;
    world.files().LosePower(world.random());
    EXPECT_TRUE(world.Run());
    world.files().LosePower(world.random());
    world.ExpectEveryRowOnce();
    if (!hit || ::testing::Test::HasFailure()) break;
  }
  EXPECT_GT(failures, 20);
}

TEST(IpcFileSinkCrash, ManyCrashesInARow) {
  const uint64_t first_seed = std::random_device{}();
  for (uint64_t seed = first_seed; seed < first_seed + 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed) + " (replay: CrashWorld world(seed))");
    CrashWorld world(seed);
    for (int crash = 0; crash < 8; ++crash) {
      world.files().FailAt(static_cast<int64_t>(world.random()() % 40), MemoryFileSystem::Failure::kForGood);
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

TEST(IpcPipeSinkTest, HandsRowsOnAtEachAdvanceAndEndsTheLastStream) {
  MemoryFileSystem files;
  IpcPipeSink sink(files.Create("/out").ValueOrDie());
  EXPECT_FALSE(sink.keeps_data());
  ARROWCDC_ASSERT_OK(sink.Open(TestStream()).status());
  ARROWCDC_ASSERT_OK(sink.Write(Rows(Table("a"), {1})));
  EXPECT_TRUE(sink.has_pending_rows());
  EXPECT_FALSE(sink.durable());
  EXPECT_EQ(ReadFile(files, "/out").ValueOrDie(), "");
  ARROWCDC_ASSERT_OK(sink.Advance(At(10)));
  EXPECT_FALSE(sink.has_pending_rows());
  EXPECT_EQ(sink.durable()->order, 10u);
  EXPECT_EQ(ReadStreams(ReadFile(files, "/out").ValueOrDie()).rows, (std::vector<std::string>{"a:1"}));
  ARROWCDC_ASSERT_OK(sink.Write(Rows(Table("a"), {2})));
  ARROWCDC_ASSERT_OK(sink.Write(Rows(Table("b"), {3})));
  ARROWCDC_ASSERT_OK(sink.Close());
  ARROWCDC_ASSERT_OK(sink.Close());
  const std::string content = ReadFile(files, "/out").ValueOrDie();
  const auto read = ReadStreams(content);
  EXPECT_EQ(read.streams, 2);
  EXPECT_EQ(read.rows, (std::vector<std::string>{"a:1", "a:2", "b:3"}));
  EXPECT_TRUE(content.ends_with(kEndOfStream));
}

TEST(IpcPipeSinkTest, AFailedWriteHandsNothingOn) {
  MemoryFileSystem files;
  IpcPipeSink sink(files.Create("/out").ValueOrDie());
  ARROWCDC_ASSERT_OK(sink.Write(Rows(Table("a"), {1})));
  files.FailAt(0, MemoryFileSystem::Failure::kOnce);
  EXPECT_EQ(KindOf(sink.Advance(At(10))), ErrorKind::kSink);
  EXPECT_FALSE(sink.durable());
  EXPECT_FALSE(sink.Flush().ok());
  ARROWCDC_ASSERT_OK(sink.Close());
}

}  // namespace
}  // namespace arrowcdc::test
