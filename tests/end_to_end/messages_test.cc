// Logical messages through the command: what stands in the files, exactly once whatever is killed on the way,
// and what is shown.
#include <algorithm>
#include <atomic>
#include <map>
#include <set>
#include <thread>

#include <arrow/api.h>
#include <arrow/io/file.h>
#include <gtest/gtest.h>
#include <parquet/arrow/reader.h>

#include "arrowcdc/position.h"
#include "tests/end_to_end/client.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/seed.h"
#include "tests/testing/wait.h"

namespace arrowcdc::test {
namespace {

using std::string;
using std::chrono::seconds;

constexpr char kDirectory[] = "pg_catalog._arrowcdc_messages";

struct StoredMessage {
  RowPosition position;
  string prefix;
  string content;
  bool transactional = false;
  bool has_xid = false;
  bool has_time = false;
};

// By output plugin.
class MessagesTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(server_, PrivateServer::Create());
    ARROWCDC_ASSERT_OK_AND_ASSIGN(sql_, server_->Connect());
    ARROWCDC_ASSERT_OK(sql_->Exec("CREATE TABLE t (id bigint PRIMARY KEY)"));
    ARROWCDC_ASSERT_OK(
        RunCommand(*server_, "setup", {"--tables", "public.*", "--yes", "--plugin", GetParam()}));
  }

  SubprocessOptions Stream(std::vector<string> more) {
    std::vector<string> arguments = {"--tables", "public.*", "--plugin", GetParam(), "--snapshot", "never"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Command(*server_, "stream", std::move(arguments));
  }
  string Parquet() const { return "parquet:" + files_.path().string(); }

  // Of all files of a table, in the order of their names.
  std::vector<std::shared_ptr<arrow::RecordBatch>> Files(const string& table) {
    std::vector<std::filesystem::path> paths;
    if (!std::filesystem::exists(files_.path() / table)) return {};
    for (const auto& entry : std::filesystem::directory_iterator(files_.path() / table)) {
      if (entry.path().extension() == ".parquet") paths.push_back(entry.path());
    }
    std::sort(paths.begin(), paths.end());
    std::vector<std::shared_ptr<arrow::RecordBatch>> files;
    for (const auto& path : paths) {
      auto file = arrow::io::ReadableFile::Open(path).ValueOrDie();
      auto reader = parquet::arrow::OpenFile(file, arrow::default_memory_pool()).ValueOrDie();
      files.push_back(reader->ReadTable().ValueOrDie()->CombineChunksToBatch().ValueOrDie());
      ARROWCDC_EXPECT_OK(files.back()->ValidateFull());
    }
    return files;
  }

  std::vector<StoredMessage> Messages() {
    std::vector<StoredMessage> messages;
    for (const auto& rows : Files(kDirectory)) {
      const auto column = [&](const char* name) { return rows->GetColumnByName(name); };
      const auto& prefixes = static_cast<const arrow::StringArray&>(*column("prefix"));
      const auto& contents = static_cast<const arrow::BinaryArray&>(*column("content"));
      const auto& flags = static_cast<const arrow::BooleanArray&>(*column("transactional"));
      const auto& commits = static_cast<const arrow::UInt64Array&>(*column("_commit_lsn"));
      const auto& lsns = static_cast<const arrow::UInt64Array&>(*column("_lsn"));
      for (int64_t i = 0; i < rows->num_rows(); ++i) {
        messages.push_back({{commits.Value(i), lsns.Value(i), 0},
                            prefixes.GetString(i),
                            contents.GetString(i),
                            flags.Value(i),
                            column("_xid")->IsValid(i),
                            column("_commit_ts")->IsValid(i)});
      }
    }
    return messages;
  }

  TemporaryDirectory files_;
  std::unique_ptr<PrivateServer> server_;
  std::unique_ptr<SqlConnection> sql_;
};

// What a writer has written, by prefix, while it was let.
class Writer {
 public:
  Writer(const PrivateServer& server, int number)
      : thread_([this, conninfo = server.conninfo(), number] { Run(conninfo, number); }) {}
  ~Writer() { Stop(); }
  void Stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }
  const std::map<string, std::multiset<string>>& written() const { return written_; }
  const arrow::Status& status() const { return status_; }

 private:
  void Run(const string& conninfo, int number) {
    auto connected = SqlConnection::Connect(conninfo);
    status_ = connected.status();
    for (int i = 0; status_.ok() && !stop_; ++i) {
      const string id = std::to_string(number * 1'000'000 + i);
      const bool commits = i % 3 != 0;
      string sql = "BEGIN; INSERT INTO t VALUES (" + id + ");";
      sql += "SELECT pg_logical_emit_message(true, 'in', '" + id + "');";
      sql += "SELECT pg_logical_emit_message(false, 'out', '" + id + "');";
      sql += "SAVEPOINT s; SELECT pg_logical_emit_message(true, 'never', '" + id + "'); ROLLBACK TO s;";
      // Some are larger than what is sent at once.
      if (i % 10 == 0) sql += "SELECT pg_logical_emit_message(true, 'big', repeat('" + id + "', 50000));";
      sql += commits ? "COMMIT" : "ROLLBACK";
      status_ = (*connected)->Exec(sql);
      written_["out"].insert(id);
      if (!commits) continue;
      written_["rows"].insert(id);
      written_["in"].insert(id);
      if (i % 10 == 0) written_["big"].insert(id);
    }
  }

  std::atomic<bool> stop_ = false;
  arrow::Status status_;
  std::map<string, std::multiset<string>> written_;
  std::thread thread_;
};

TEST_P(MessagesTest, ExactlyOnceWhateverIsKilled) {
  constexpr int kKills = 12;
  const auto stream = [&] { return Stream({"--sink", Parquet(), "--messages", "--roll-age", "200ms"}); };
  ARROWCDC_ASSERT_OK_AND_ASSIGN(auto client, Subprocess::Start(stream()));
  Writer first(*server_, 1);
  Writer second(*server_, 2);
  uint64_t confirmed = 0;
  const auto wait_for_client = [&]() -> arrow::Status {
    ARROW_RETURN_NOT_OK(WaitFor(
        [&] {
          const auto now = ConfirmedFlush(*sql_);
          return !client->Running() || (now.ok() && *now > confirmed);
        },
        seconds(120), "the slot to move"));
    ARROW_ASSIGN_OR_RAISE(confirmed, ConfirmedFlush(*sql_));
    return arrow::Status::OK();
  };
  for (int i = 0; i < kKills; ++i) {
    ARROWCDC_ASSERT_OK(wait_for_client());
    ASSERT_TRUE(client->Running()) << client->error();
    if (i % 2 == 0) {
      client->Kill();
      ARROWCDC_ASSERT_OK_AND_ASSIGN(client, Subprocess::Start(stream()));
    } else {
      ARROWCDC_ASSERT_OK(
          sql_->Query("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active"));
    }
  }
  // What the one that was killed had sent may have moved the slot: one that has not begun dies of a signal.
  for (int i = 0; i < 2; ++i) ARROWCDC_ASSERT_OK(wait_for_client());
  std::map<string, std::multiset<string>> wanted;
  for (Writer* writer : {&first, &second}) {
    writer->Stop();
    ARROWCDC_ASSERT_OK(writer->status());
    for (const auto& [prefix, ids] : writer->written()) wanted[prefix].insert(ids.begin(), ids.end());
  }
  ARROWCDC_ASSERT_OK(client->Signal(SIGTERM));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const ExitState ended, client->Wait(seconds(60)));
  EXPECT_TRUE(ended.ok()) << client->error();
  // Flushes what the last rolled back transaction has written.
  ARROWCDC_ASSERT_OK(sql_->Exec("CREATE TABLE last (id int)"));
  ARROWCDC_ASSERT_OK(RunProgram(Stream({"--sink", Parquet(), "--messages", "--until", "now"}), seconds(120)));

  std::map<string, std::multiset<string>> got;
  RowPosition last{};
  for (const StoredMessage& message : Messages()) {
    EXPECT_LT(last, message.position);
    last = message.position;
    const bool big = message.prefix == "big";
    got[message.prefix].insert(big ? message.content.substr(0, 7) : message.content);
    if (big) {
      EXPECT_EQ(message.content.size(), 7u * 50'000);
    }
    EXPECT_EQ(message.transactional, message.prefix != "out");
    EXPECT_EQ(message.has_xid, message.transactional);
    EXPECT_EQ(message.has_time, message.transactional);
  }
  for (const auto& rows : Files("public.t")) {
    const auto& ids = static_cast<const arrow::Int64Array&>(*rows->GetColumnByName("id"));
    for (int64_t i = 0; i < ids.length(); ++i) got["rows"].insert(std::to_string(ids.Value(i)));
  }
  std::printf("%zu messages in transactions, %zu of none, %zu rows\n", got["in"].size(), got["out"].size(),
              got["rows"].size());
  EXPECT_EQ(got.size(), 4u);
  for (const auto& [prefix, ids] : wanted) {
    EXPECT_TRUE(got[prefix] == ids) << prefix << ": " << got[prefix].size() << " of " << ids.size();
  }
}

// A message alone moves an idle slot: nothing is published, and no table has to be written.
TEST_P(MessagesTest, AMessageIsAHeartbeat) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(
      auto client, Subprocess::Start(Stream({"--sink", Parquet(), "--messages", "--roll-age", "100ms"})));
  ARROWCDC_ASSERT_OK(client->WaitForError("streaming changes", seconds(30)));
  for (int i = 0; i < 3; ++i) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(
        const string text, sql_->Scalar("SELECT pg_logical_emit_message(false, 'heartbeat', now()::text)"));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const uint64_t end, ParseLsn(text));
    ARROWCDC_ASSERT_OK(WaitFor([&] { return ConfirmedFlush(*sql_).ValueOr(0) >= end; }, seconds(30),
                               "the slot to move\n" + client->error()));
  }
  ARROWCDC_ASSERT_OK(client->Signal(SIGTERM));
  ARROWCDC_ASSERT_OK(client->Wait(seconds(30)));
  EXPECT_EQ(Messages().size(), 3u);
}

TEST_P(MessagesTest, TheConsoleShowsThemWhateverThePatternsAre) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const string end,
                                sql_->Scalar("SELECT pg_logical_emit_message(false, 'p', 'x')"));
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO t VALUES (1)"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const string without,
                                RunProgram(Stream({"--sink", "console:ndjson", "--until", "now"})));
  EXPECT_EQ(std::count(without.begin(), without.end(), '\n'), 1) << without;
  EXPECT_EQ(without.find("_arrowcdc_messages"), string::npos) << without;
  ARROWCDC_ASSERT_OK_AND_ASSIGN(
      const string with, RunProgram(Stream({"--sink", "console:ndjson", "--until", "now", "--messages"})));
  EXPECT_EQ(std::count(with.begin(), with.end(), '\n'), 2) << with;
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const uint64_t lsn, ParseLsn(end));
  EXPECT_NE(with.find("{\"_schema\":\"pg_catalog\",\"_table\":\"_arrowcdc_messages\",\"_op\":\"insert\","
                      "\"_commit_lsn\":\"" +
                      FormatLsn(lsn - 1) + "\",\"_lsn\":\"" + FormatLsn(lsn - 1) +
                      "\",\"_ord\":0,\"_xid\":null,\"_commit_ts\":null,\"prefix\":\"p\",\"content\":\"eA==\","
                      "\"transactional\":false}"),
            string::npos)
      << with;
}

INSTANTIATE_TEST_SUITE_P(Plugins, MessagesTest, testing::Values("wal2arrow", "pgoutput"),
                         [](const auto& info) { return string(info.param); });

}  // namespace
}  // namespace arrowcdc::test
