// Client and plugin of different versions: this one, and that of before transactions came while they are in
// progress. OldPlugin and OldCommand are run by tools/compatibility.sh, which builds the other half.
#include <endian.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <set>

#include <gtest/gtest.h>

#include "tests/end_to_end/client.h"
#include "tests/end_to_end/workload.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/seed.h"
#include "tests/testing/wait.h"
#include "tests/testing/walsender_client.h"

namespace arrowcdc::test {
namespace {

using std::chrono::seconds;

constexpr seconds kLimit(120);

class CompatibilityTest : public ::testing::Test {
 protected:
  void SetUp() override {
    PrivateServerOptions options;
    options.settings = {{"logical_decoding_work_mem", "64kB"}};
    ARROWCDC_ASSERT_OK_AND_ASSIGN(server_, PrivateServer::Create(options));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(sql_, server_->Connect());
    ARROWCDC_ASSERT_OK(
        sql_->Exec("CREATE TABLE big (id bigint PRIMARY KEY, name text, price numeric(10,2))"));
    ARROWCDC_ASSERT_OK(RunCommand(*server_, "setup", {"--tables", "public.*", "--yes"}));
  }

  void Change(int first) {
    const std::string begin = std::to_string(first);
    ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO big VALUES (-" + begin + ", 'one', 1.5)"));
    ARROWCDC_ASSERT_OK(
        sql_->Exec("BEGIN; INSERT INTO big SELECT g, 'row ' || g, g / 4.0 FROM generate_series(" + begin +
                   ", " + begin + " + 20000) g; SAVEPOINT s; UPDATE big SET id = id + " +
                   "10000000; ROLLBACK TO s; UPDATE big SET name = 'new' WHERE id % 7 = 0; COMMIT"));
    ARROWCDC_ASSERT_OK(sql_->Exec("DELETE FROM big WHERE id % 11 = 0"));
  }

  // What the command says. All of it must be there, once.
  void Stream(std::string* log) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(
        auto child,
        Subprocess::Start(
            Command(*server_, "stream", {"--sink", "parquet:" + files_.path().string(), "--until", "now"})));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const ExitState ended, child->Wait(kLimit));
    ASSERT_TRUE(ended.ok()) << child->error();
    *log = child->error();
    ARROWCDC_ASSERT_OK(CompareReplay(*server_, files_.path(), {"public.big"}));
  }

  TemporaryDirectory files_;
  std::unique_ptr<PrivateServer> server_;
  std::unique_ptr<SqlConnection> sql_;
};

size_t Count(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

using OldPlugin = CompatibilityTest;
TEST_F(OldPlugin, StreamsAndSaysSoOnce) {
  for (const int first : {1, 100'000}) {
    ASSERT_NO_FATAL_FAILURE(Change(first));
    std::string log;
    ASSERT_NO_FATAL_FAILURE(Stream(&log));
    EXPECT_EQ(Count(log, "wal2arrow is older than this client"), 1u) << log;
  }
  ARROWCDC_ASSERT_OK_AND_ASSIGN(
      const std::string blocks,
      sql_->Scalar("SELECT coalesce(sum(stream_count), 0) FROM pg_stat_replication_slots"));
  EXPECT_EQ(blocks, "0");
}

// A new one is installed while the client runs, and the old one again, twice; the session is ended or the
// client killed, and what goes on loads the other one.
TEST_F(OldPlugin, IsReplacedAndComesBackUnderLoad) {
  std::printf("seed %llu\n", static_cast<unsigned long long>(Seed()));
  const std::filesystem::path older = PluginPath();
  unsetenv("ARROWCDC_PLUGIN");
  const std::filesystem::path newer = PluginPath();
  ASSERT_NE(older, newer);
  ARROWCDC_ASSERT_OK(CreateWorkloadTables(*sql_));
  ARROWCDC_ASSERT_OK(RunCommand(*server_, "setup", {"--tables", "public.*", "--yes"}));
  const SubprocessOptions stream =
      Command(*server_, "stream",
              {"--tables", "public.*", "--sink", "parquet:" + files_.path().string(), "--roll-age", "100ms"});
  ARROWCDC_ASSERT_OK_AND_ASSIGN(auto client, Subprocess::Start(stream));
  ARROWCDC_ASSERT_OK(client->WaitForError("streaming changes", kLimit));
  Workload workload(*server_, Seed(), 2);
  for (int round = 0; round < 4; ++round) {
    const uint64_t before = ConfirmedFlush(*sql_).ValueOr(0);
    ARROWCDC_ASSERT_OK(
        WaitFor([&] { return ConfirmedFlush(*sql_).ValueOr(0) > before || !client->Running(); }, kLimit,
                "the stream to get on\n" + client->error()));
    ASSERT_TRUE(client->Running()) << client->error();
    const std::filesystem::path installed = server_->directory() / "lib" / newer.filename();
    std::filesystem::remove(installed);  // a session keeps the file that it has loaded
    std::filesystem::copy_file(round % 2 == 0 ? newer : older, installed);
    if (round % 3 == 0) {
      ARROWCDC_ASSERT_OK(sql_->Query(
          "SELECT pg_terminate_backend(active_pid, 60000) FROM pg_replication_slots WHERE active"));
    } else {
      client->Kill();
      ARROWCDC_ASSERT_OK_AND_ASSIGN(client, Subprocess::Start(stream));
    }
    ASSERT_NO_FATAL_FAILURE(Change((round + 1) * 100'000));
  }
  workload.Stop();
  EXPECT_EQ(workload.refused(), 0u) << workload.last_refusal();
  ARROWCDC_ASSERT_OK(sql_->Exec("UPDATE w_shape SET id = id"));  // columns that were added have values
  ARROWCDC_ASSERT_OK(client->Signal(SIGTERM));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const ExitState ended, client->Wait(kLimit));
  EXPECT_TRUE(ended.ok()) << client->error();
  std::string log;
  ASSERT_NO_FATAL_FAILURE(Stream(&log));
  ARROWCDC_ASSERT_OK(CompareReplay(*server_, files_.path(), WorkloadTables()));
  EXPECT_EQ(server_->CountServerRestarts(), 0);
}

using OldCommand = CompatibilityTest;
TEST_F(OldCommand, Streams) {
  for (const int first : {1, 100'000}) {
    ASSERT_NO_FATAL_FAILURE(Change(first));
    std::string log;
    ASSERT_NO_FATAL_FAILURE(Stream(&log));
  }
}

uint16_t Load16(const std::string& bytes, size_t at) {
  uint16_t value;
  memcpy(&value, bytes.data() + at, sizeof value);
  return le16toh(value);
}
uint32_t Load32(const std::string& bytes, size_t at) {
  uint32_t value;
  memcpy(&value, bytes.data() + at, sizeof value);
  return le32toh(value);
}

// A client that asks as that of then did gets what it knew: kinds, flags and sections by the numbers of its
// docs/wire.md, read here by hand.
TEST_F(CompatibilityTest, OldOptionsGiveOldFrames) {
  const std::set<int> kinds = {1, 2, 3, 4, 6, 7, 15};  // hello to truncate, progress, continuation, notice
  constexpr uint16_t kFlags = 0x1f;
  constexpr uint16_t kSectionsMax = 11;
  ASSERT_NO_FATAL_FAILURE(Change(1));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const std::string end, sql_->Scalar("SELECT pg_current_wal_lsn() - '0/0'"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(
      auto client,
      WalsenderClient::Start(
          server_->conninfo(), "arrowcdc",
          {{"proto_min", "1"}, {"proto_max", "1"}, {"publication_names", "arrowcdc"}, {"batching", "on"}}));
  std::set<int> seen;
  uint64_t safe_lsn = 0;
  while (safe_lsn < std::stoull(end)) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto message, client->Next(kLimit));
    ASSERT_TRUE(message.has_value());
    if (message->keepalive) {
      safe_lsn = std::max(safe_lsn, message->wal_end);
      continue;
    }
    const std::string& frame = message->frame;
    ASSERT_GE(frame.size(), 32u);
    EXPECT_EQ(frame.substr(0, 3), std::string("WA\1"));
    seen.insert(frame[3]);
    EXPECT_TRUE(kinds.contains(frame[3])) << static_cast<int>(frame[3]);
    EXPECT_EQ(Load16(frame, 4) & ~kFlags, 0);
    EXPECT_EQ(Load16(frame, 6), 32);
    const size_t header_bytes = Load32(frame, 8);
    for (size_t at = 32; at + 8 <= header_bytes && Load16(frame, at) != 0;
         at += 8 + (size_t{Load32(frame, at + 4)} + 7) / 8 * 8) {
      EXPECT_LE(Load16(frame, at), kSectionsMax);
    }
  }
  EXPECT_TRUE(seen.contains(1) && seen.contains(2) && seen.contains(3));
  ARROWCDC_ASSERT_OK(client->End());
}

}  // namespace
}  // namespace arrowcdc::test
