// The real file system: what is written is there, and errors say path, reason and remedy.
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include <gtest/gtest.h>

#include "src/sink/file_system.h"
#include "src/sink/parquet_sink.h"
#include "src/sink/testing/parquet_rows.h"
#include "src/change/testing/change_batches.h"
#include "src/sink/testing/sink_stream.h"
#include "tests/testing/error_detail.h"
#include "tests/testing/assert_ok.h"

namespace arrowcdc::test {
namespace {

class PosixFileSystemTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "arrowcdc-sink-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  std::string Path(const std::string& name) { return JoinPath(directory_, name); }

  std::string directory_;
  FileSystem& files_ = *PosixFileSystem();
};

TEST_F(PosixFileSystemTest, WritesSmallAndLarge) {
  auto file = files_.Create(Path("f")).ValueOrDie();
  const std::string large(300'000, 'x');
  ARROWCDC_ASSERT_OK(file->Write("ab", 2));
  ARROWCDC_ASSERT_OK(file->Write(large.data(), static_cast<int64_t>(large.size())));
  ARROWCDC_ASSERT_OK(file->Write("cd", 2));
  EXPECT_EQ(file->Tell().ValueOrDie(), 300'004);
  ARROWCDC_ASSERT_OK(file->Sync());
  ARROWCDC_ASSERT_OK(file->Close());
  EXPECT_EQ(ReadFile(files_, Path("f")).ValueOrDie(), "ab" + large + "cd");
}

TEST_F(PosixFileSystemTest, AppendCutsAndGoesOn) {
  ARROWCDC_ASSERT_OK(ReplaceFile(files_, Path("f"), "0123456789"));
  EXPECT_FALSE(files_.Append(Path("f"), 11).ok());
  EXPECT_FALSE(files_.Append(Path("absent"), 1).ok());
  EXPECT_EQ(files_.Kind(Path("absent")).ValueOrDie(), PathKind::kAbsent);
  auto file = files_.Append(Path("f"), 4).ValueOrDie();
  ARROWCDC_ASSERT_OK(file->Write("x", 1));
  ARROWCDC_ASSERT_OK(file->Close());
  EXPECT_EQ(ReadFile(files_, Path("f")).ValueOrDie(), "0123x");
  EXPECT_EQ(files_.List(directory_).ValueOrDie(), std::vector<std::string>{"f"});
}

TEST_F(PosixFileSystemTest, DirectoriesAreMadeAllTheWay) {
  ARROWCDC_ASSERT_OK(MakeDirectories(files_, Path("a/b//c/")));
  ARROWCDC_ASSERT_OK(MakeDirectories(files_, Path("a/b/c")));
  EXPECT_EQ(files_.Kind(Path("a/b/c")).ValueOrDie(), PathKind::kDirectory);
  ARROWCDC_ASSERT_OK(ReplaceFile(files_, Path("f"), ""));
  EXPECT_EQ(KindOf(MakeDirectories(files_, Path("f/g"))), ErrorKind::kSink);
  EXPECT_EQ(ParentDirectory("a"), ".");
  EXPECT_EQ(ParentDirectory("/a"), "/");
  EXPECT_EQ(ParentDirectory("a/b//"), "a");
  EXPECT_EQ(ParentDirectory("/"), "/");
}

TEST_F(PosixFileSystemTest, ErrorsSayPathReasonAndRemedy) {
  const auto status = files_.Create(Path("no/such")).status();
  EXPECT_EQ(KindOf(status), ErrorKind::kSink);
  EXPECT_EQ(status.message(), "cannot create " + Path("no/such") + ": No such file or directory");
  EXPECT_FALSE(GetErrorDetail(status)->remedy().empty());
}

TEST_F(PosixFileSystemTest, AFullDeviceIsSaidSo) {
  if (access("/dev/full", W_OK) != 0) GTEST_SKIP() << "no /dev/full";
  auto file = files_.Create("/dev/full").ValueOrDie();
  ARROWCDC_ASSERT_OK(file->Write("x", 1));
  const auto status = file->Sync();
  EXPECT_NE(status.message().find("No space left on device"), std::string::npos) << status.message();
  EXPECT_NE(GetErrorDetail(status)->remedy().find("free space"), std::string::npos);
  // What failed once is not tried again: nobody knows what is in the file.
  EXPECT_FALSE(file->Write(std::string(1 << 20, 'x')).ok());
  EXPECT_FALSE(file->Sync().ok());
}

TEST_F(PosixFileSystemTest, ALockIsHeldOnce) {
  auto lock = files_.Lock(Path("lock")).ValueOrDie();
  const auto second = files_.Lock(Path("lock"));
  EXPECT_EQ(KindOf(second.status()), ErrorKind::kSink);
  EXPECT_NE(second.status().message().find("another process"), std::string::npos);
  lock.reset();
  EXPECT_TRUE(files_.Lock(Path("lock")).ok());
}

TEST_F(PosixFileSystemTest, AReaderThatHasGoneIsAnErrorAndNoSignal) {
  ASSERT_EQ(std::signal(SIGPIPE, SIG_DFL) == SIG_ERR, false);
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const int old_stdout = dup(STDOUT_FILENO);
  std::fflush(stdout);
  dup2(ends[1], STDOUT_FILENO);
  auto out = StandardOutput();
  dup2(old_stdout, STDOUT_FILENO);
  close(ends[0]);
  close(ends[1]);
  close(old_stdout);
  ARROWCDC_ASSERT_OK(out->Write("x", 1));
  const auto status = out->Flush();
  EXPECT_EQ(KindOf(status), ErrorKind::kSink);
  EXPECT_NE(status.message().find("standard output"), std::string::npos) << status.message();
  EXPECT_NE(status.message().find("Broken pipe"), std::string::npos) << status.message();
}

// Standard output is ends[1] while StandardOutput looks at it.
std::unique_ptr<WritableFile> OutputOn(const int (&ends)[2], std::shared_ptr<StopToken> stop) {
  const int old_stdout = dup(STDOUT_FILENO);
  std::fflush(stdout);
  dup2(ends[1], STDOUT_FILENO);
  auto out = StandardOutput(std::move(stop));
  dup2(old_stdout, STDOUT_FILENO);
  close(old_stdout);
  close(ends[1]);
  return out;
}

TEST_F(PosixFileSystemTest, AReaderThatDoesNotReadHoldsAStopUpForAMomentOnly) {
  for (const bool is_socket : {false, true}) {
    int ends[2];
    ASSERT_EQ(is_socket ? socketpair(AF_UNIX, SOCK_STREAM, 0, ends) : pipe(ends), 0);
    const auto stop = std::make_shared<StopToken>();
    auto out = OutputOn(ends, stop);
    stop->StopAfter(std::chrono::milliseconds(100));
    const std::string text(16 << 20, 'x');
    const auto began = std::chrono::steady_clock::now();
    const auto status = out->Write(text.data(), static_cast<int64_t>(text.size()));
    EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(2));
    EXPECT_EQ(KindOf(status), ErrorKind::kInterrupted) << status;
    EXPECT_FALSE(out->Flush().ok()) << "what follows would stand in the wrong place";
    close(ends[0]);
  }
}

TEST_F(PosixFileSystemTest, AReaderThatReadsGetsAllOfItAfterAStop) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const auto stop = std::make_shared<StopToken>();
  auto out = OutputOn(ends, stop);
  stop->Stop();
  std::string got;
  std::thread reader([&] {
    char buffer[4096];
    for (ssize_t bytes; (bytes = read(ends[0], buffer, sizeof buffer)) > 0;)
      got.append(buffer, static_cast<size_t>(bytes));
  });
  const std::string text(1 << 20, 'x');
  EXPECT_TRUE(out->Write(text.data(), static_cast<int64_t>(text.size())).ok());
  EXPECT_TRUE(out->Close().ok());
  reader.join();
  close(ends[0]);
  EXPECT_EQ(got, text);
}

TEST_F(PosixFileSystemTest, TheParquetSinkOnRealFiles) {
  const auto table = MakeTable({"public", "a/b"}, {arrow::field("id", arrow::int64())});
  const std::string target = Path("new/place");
  {
    ParquetSink sink(target, {});
    ARROWCDC_ASSERT_OK(sink.Open(TestStream()).status());
    ARROWCDC_ASSERT_OK(sink.Write(MakeBatch(table, {{{1, 1, 0}}, {{1, 2, 0}}}, {Ids({7, 8})})));
    ARROWCDC_ASSERT_OK(sink.Advance(At(5)));
    ParquetSink second(target, {});
    EXPECT_EQ(KindOf(second.Open(TestStream()).status()), ErrorKind::kSink);
    ARROWCDC_ASSERT_OK(sink.Close());
  }
  const std::string path = JoinPath(target, "public.a%2Fb/0000000000000001-0000000000000002-00000.parquet");
  EXPECT_EQ(ReadParquet(files_, path)->num_rows(), 2);
  ParquetSink again(target, {});
  const auto state = again.Open(TestStream()).ValueOrDie();
  EXPECT_EQ(state.position->order, 5u);
  EXPECT_EQ(state.last_rows.at({"public", "a/b"}), (RowPosition{1, 2, 0}));
}

// Root may write everywhere. False: this process has remained what it was.
bool DropRoot() {
  if (geteuid() != 0) return true;
  const passwd* nobody = getpwnam("nobody");
  return nobody != nullptr && setgroups(0, nullptr) == 0 && setgid(nobody->pw_gid) == 0 &&
         setuid(nobody->pw_uid) == 0;
}

TEST_F(PosixFileSystemTest, ADirectoryThatCannotBeWritten) {
  ASSERT_EQ(chmod(directory_.c_str(), 0555), 0);
  const auto open_unprivileged = [&] {
    // Nothing else may be what denies it.
    if (!DropRoot() || access(directory_.c_str(), R_OK | X_OK) != 0) _exit(2);
    const auto status = ParquetSink(Path("d"), {}).Open(TestStream()).status();
    std::fputs(status.message().c_str(), stderr);
    _exit(status.ok() ? 1 : 0);
  };
  EXPECT_EXIT(open_unprivileged(), ::testing::ExitedWithCode(0), "Permission denied");
}

}  // namespace
}  // namespace arrowcdc::test
