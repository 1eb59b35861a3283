// The IPC sinks: streams that Arrow's reader reads one after the other.
#include <gtest/gtest.h>

#include "src/sink/ipc_file_sink.h"
#include "src/sink/ipc_pipe_sink.h"
#include "src/sink/testing/ipc_rows.h"
#include "src/sink/testing/memory_file_system.h"
#include "src/change/testing/change_batches.h"
#include "src/sink/testing/sink_stream.h"
#include "tests/testing/error_detail.h"
#include "tests/testing/assert_ok.h"

namespace arrowcdc::test {
namespace {

using Stored = std::vector<std::pair<std::string, int64_t>>;

ChangeBatch Rows(const std::shared_ptr<const TableSchema>& table, const std::vector<int64_t>& ids) {
  std::vector<RowMeta> rows;
  for (const int64_t id : ids) rows.push_back({{static_cast<uint64_t>(id), static_cast<uint64_t>(id), 0}});
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
  EXPECT_EQ(read.rows, (Stored{{"a", 1}, {"a", 2}, {"a", 3}, {"b", 4}, {"a", 5}, {"a", 6}}));
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
  EXPECT_EQ(ReadStreams(Content()).rows, (Stored{{"a", 1}, {"a", 2}, {"a", 3}, {"b", 4}}));
  sink.reset();
  files_.KillProcess();
  sink = MakeOpen();
  EXPECT_EQ(state_.position->order, 10u);
  EXPECT_TRUE(state_.last_rows.empty());
  EXPECT_EQ(ReadStreams(Content()).rows, (Stored{{"a", 1}, {"a", 2}}));
  ARROWCDC_ASSERT_OK(sink->Write(Rows(Table("b"), {5})));
  ARROWCDC_ASSERT_OK(sink->Close());
  EXPECT_EQ(ReadStreams(Content()).rows, (Stored{{"a", 1}, {"a", 2}, {"b", 5}}));
}

// In one process, as when a connection is lost: the rows of a table that was not copied whole are gone.
TEST_F(IpcFileSinkTest, ACopyThatGoesOnCutsBackWhatIsNotWhole) {
  auto sink = MakeOpen();
  const auto copy = [&](const std::string& name, const std::vector<int64_t>& ids, bool whole) {
    SnapshotPart part;
    part.table = {"public", name};
    part.point = At(20);
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto writer, sink->BeginPart(part));
    ARROWCDC_ASSERT_OK(writer->Write(Rows(Table(name), ids)));
    if (!whole) return;
    ARROWCDC_ASSERT_OK(writer->Finish());
    ARROWCDC_ASSERT_OK(sink->CompleteTable({part.table, part.table_id, part.point}));
  };
  for (const bool again : {false, true}) {
    ARROWCDC_ASSERT_OK(sink->Advance(At(10)));
    ARROWCDC_ASSERT_OK(sink->BeginSnapshot(std::nullopt).status());
    if (!again) copy("a", {1}, true);
    copy("b", {2, 3}, again);
    now_ += options_.roll_age;
    ARROWCDC_ASSERT_OK(sink->Tick());
  }
  ARROWCDC_ASSERT_OK(sink->EndSnapshot());
  ARROWCDC_ASSERT_OK(sink->Write(Rows(Table("b"), {4})));
  ARROWCDC_ASSERT_OK(sink->Advance(At(30)));
  ARROWCDC_ASSERT_OK(sink->Close());
  EXPECT_EQ(sink->durable(), At(30));
  EXPECT_EQ(ReadStreams(Content()).rows, (Stored{{"a", 1}, {"b", 2}, {"b", 3}, {"b", 4}}));
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
  EXPECT_EQ(ReadStreams(ReadFile(files, "/out").ValueOrDie()).rows, (Stored{{"a", 1}}));
  ARROWCDC_ASSERT_OK(sink.Write(Rows(Table("a"), {2})));
  ARROWCDC_ASSERT_OK(sink.Write(Rows(Table("b"), {3})));
  ARROWCDC_ASSERT_OK(sink.Close());
  ARROWCDC_ASSERT_OK(sink.Close());
  const std::string content = ReadFile(files, "/out").ValueOrDie();
  const auto read = ReadStreams(content);
  EXPECT_EQ(read.streams, 2);
  EXPECT_EQ(read.rows, (Stored{{"a", 1}, {"a", 2}, {"b", 3}}));
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
