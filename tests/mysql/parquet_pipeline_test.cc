// Through the pipeline into the Parquet sink while the process that streams, or the server, is killed again
// and again: every change is in the files once, and together they are what SELECT gives.
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include <arrow/api.h>
#include <gtest/gtest.h>

#include "arrowcdc/mysql.h"
#include "arrowcdc/pipeline.h"
#include "arrowcdc/sink.h"
#include "arrowcdc/stop_token.h"
#include "src/mysql/testing/mysql_server.h"
#include "src/mysql/testing/replay.h"
#include "src/sink/file_system.h"
#include "src/sink/testing/parquet_rows.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/seed.h"
#include "tests/testing/subprocess.h"
#include "tests/testing/wait.h"

namespace arrowcdc::mysql::test {
namespace {

namespace fs = std::filesystem;
using arrowcdc::test::Subprocess;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kTransactions = 1'500;
constexpr int kTransactionsOfARound = 60;
constexpr int kRounds = 4;
constexpr int kKills = 12;

struct Quiet : PipelineObserver {
  void OnConnected(const SourceInfo&, const Position&, bool) override { std::fputs("connected\n", stderr); }
};

// The child: streams from URL into DIRECTORY, to the end of the log at that time, or until it is killed.
int Stream(const std::string& url, const std::string& directory, bool to_end) {
  MysqlOptions options;
  options.url = url;
  options.tables = {"shop.*"};
  options.start = MysqlStart::kEarliest;
  const auto source = MakeMysqlSource(options);
  SinkOptions sink_options;
  sink_options.roll_rows = 500;
  sink_options.roll_age = milliseconds(50);
  const auto sink = MakeSink("parquet:" + directory, sink_options);
  if (!source.ok() || !sink.ok()) return 2;
  PipelineOptions pipeline;
  if (to_end) pipeline.until = "now";
  Quiet observer;
  const StopToken stop;
  const auto done = RunPipeline(**source, **sink, pipeline, nullptr, observer, stop);
  if (!done.ok()) std::fprintf(stderr, "%s\n", done.status().ToString().c_str());
  return done.ok() ? 0 : 1;
}

arrow::Result<std::unique_ptr<Subprocess>> StartStream(const std::string& url, const fs::path& directory,
                                                       const std::string& mode) {
  return Subprocess::Start({.argv = {"/proc/self/exe", "--stream", url, directory.string(), mode}});
}

struct Row {
  uint64_t commit = 0;
  uint64_t lsn = 0;
  uint64_t ord = 0;
  std::string op;
  std::string key;
  std::string text;
};

arrow::Result<std::vector<Row>> ReadRows(const fs::path& directory, int columns) {
  std::vector<Row> rows;
  const auto files = PosixFileSystem();
  for (const auto& entry : fs::directory_iterator(directory)) {
    if (entry.path().extension() != ".parquet") continue;
    const auto table = arrowcdc::test::ReadParquet(*files, entry.path());
    ARROW_ASSIGN_OR_RAISE(const auto batch, table->CombineChunksToBatch());
    const auto number = [&](const char* name, int64_t row) -> uint64_t {
      return std::stoull((*batch->GetColumnByName(name)->GetScalar(row))->ToString());
    };
    for (int64_t i = 0; i < batch->num_rows(); ++i) {
      Row row{number("_commit_lsn", i), number("_lsn", i), number("_ord", i), "", "", ""};
      ARROW_ASSIGN_OR_RAISE(const auto op, batch->GetColumnByName("_op")->GetScalar(i));
      row.op = op->type->id() == arrow::Type::DICTIONARY
                   ? (*static_cast<const arrow::DictionaryScalar&>(*op).GetEncodedValue())->ToString()
                   : op->ToString();
      for (int column = 0; column < columns; ++column) {
        ARROW_ASSIGN_OR_RAISE(const auto value, batch->column(column)->GetScalar(i));
        const std::string cell = value->is_valid ? value->ToString() : "NULL";
        if (column == 0) row.key = cell;
        row.text += (column == 0 ? "" : "|") + cell;
      }
      rows.push_back(std::move(row));
    }
  }
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) {
    return std::tie(a.commit, a.lsn, a.ord) < std::tie(b.commit, b.lsn, b.ord);
  });
  return rows;
}

// Inserts, updates and deletes in transactions of one to five statements, of ids from *next on.
void Write(MysqlServer* server, std::mt19937_64* random, int transactions, int64_t* next) {
  for (int i = 0; i < transactions; ++i) {
    std::vector<std::string> statements{"BEGIN"};
    for (uint64_t left = 1 + (*random)() % 5; left > 0; --left) {
      const std::string id = std::to_string((*random)() % static_cast<uint64_t>(*next + 1));
      switch ((*random)() % 4) {
        case 0:
        case 1:
          statements.push_back("INSERT INTO shop.t VALUES (" + std::to_string((*next)++) + ", 'abc', 0)");
          break;
        case 2:
          statements.push_back("UPDATE shop.t SET n = n + 1 WHERE id = " + id);
          break;
        default:
          statements.push_back("DELETE FROM shop.t WHERE id = " + id);
          break;
      }
    }
    statements.emplace_back("COMMIT");
    if (i % 200 == 199) statements.emplace_back("FLUSH LOGS");
    const arrow::Status written = server->Run(statements);
    if (!written.ok()) ADD_FAILURE() << written;
  }
}

// Streams what there is, to the end.
void StreamToEnd(MysqlServer* server, const fs::path& directory) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto last, StartStream(server->url(), directory, "to-end"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto exit, last->Wait(seconds(120)));
  EXPECT_TRUE(exit.ok()) << last->error();
}

// Each row is there once, and replayed they are what SELECT says.
void ExpectAllOnce(MysqlServer* server, const fs::path& directory, int64_t inserted) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const std::vector<Row> rows, ReadRows(directory / "shop.t", 3));
  std::map<std::string, std::string> state;
  std::set<std::tuple<uint64_t, uint64_t, uint64_t>> names;
  int64_t inserts = 0;
  uint64_t wrong = 0;
  for (const Row& row : rows) {
    EXPECT_TRUE(names.emplace(row.commit, row.lsn, row.ord).second) << "a row is there twice";
    const auto found = state.find(row.key);
    if (row.op == "delete" || row.op == "update_before") {
      if (found == state.end() || found->second != row.text) {
        ++wrong;
      } else {
        state.erase(found);
      }
    } else {
      inserts += row.op == "insert" ? 1 : 0;
      wrong += state.emplace(row.key, row.text).second ? 0 : 1;
    }
  }
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(inserts, inserted);
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto selected, Replay::Select(server, {"shop", "t"}));
  EXPECT_EQ(state, selected);
}

class ParquetPipeline : public testing::TestWithParam<Flavor> {};

INSTANTIATE_TEST_SUITE_P(All, ParquetPipeline, testing::Values(Flavor::kMysql, Flavor::kMariadb),
                         [](const auto& info) { return info.param == Flavor::kMysql ? "Mysql" : "Mariadb"; });

TEST_P(ParquetPipeline, EveryChangeOnceHoweverOftenItIsKilled) {
  if (!HasServer(GetParam())) GTEST_SKIP() << "no server: tools/mysql_files.sh has not fetched it";
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto server, MysqlServer::Create(GetParam()));
  ARROWCDC_ASSERT_OK(server->Run(
      {"CREATE DATABASE shop", "CREATE TABLE shop.t (id BIGINT PRIMARY KEY, name VARCHAR(100), n INT)"}));
  std::mt19937_64 random(arrowcdc::test::Seed());
  const fs::path directory = server->data_directory().parent_path() / "changes";
  int64_t inserted = 0;
  std::mt19937_64 of_writer(random());
  std::thread writer([&] { Write(server.get(), &of_writer, kTransactions, &inserted); });
  int killed = 0;
  for (; killed < kKills; ++killed) {
    auto child = StartStream(server->url(), directory, "on");
    if (!child.ok()) break;
    if (!(*child)->WaitForError("connected", seconds(60)).ok()) {
      ADD_FAILURE() << (*child)->error();
      break;
    }
    const auto until = std::chrono::steady_clock::now() + milliseconds(random() % 400);
    (void)arrowcdc::test::WaitFor([&] { return std::chrono::steady_clock::now() >= until; }, seconds(5), "");
    (*child)->Kill();
  }
  writer.join();
  EXPECT_EQ(killed, kKills);
  StreamToEnd(server.get(), directory);
  ExpectAllOnce(server.get(), directory, inserted);
}

// One process streams on meanwhile; the log has many small files, and those that were read are removed.
TEST_P(ParquetPipeline, EveryChangeOnceHoweverOftenTheServerIsKilled) {
  if (!HasServer(GetParam())) GTEST_SKIP() << "no server: tools/mysql_files.sh has not fetched it";
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto server,
                                MysqlServer::Create(GetParam(), {"--max-binlog-size=8192"}));
  ARROWCDC_ASSERT_OK(server->Run(
      {"CREATE DATABASE shop", "CREATE TABLE shop.t (id BIGINT PRIMARY KEY, name VARCHAR(100), n INT)"}));
  std::mt19937_64 random(arrowcdc::test::Seed());
  const fs::path directory = server->data_directory().parent_path() / "changes";
  int64_t inserted = 0;
  for (int round = 0; round < kRounds; ++round) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto child, StartStream(server->url(), directory, "on"));
    ARROWCDC_ASSERT_OK(child->WaitForError("connected", seconds(60)));
    Write(server.get(), &random, kTransactionsOfARound, &inserted);
    ARROWCDC_ASSERT_OK(server->Crash());
    ARROWCDC_ASSERT_OK(server->Start());
    Write(server.get(), &random, kTransactionsOfARound, &inserted);
    ARROWCDC_ASSERT_OK(server->Run({"FLUSH LOGS"}));
    ARROWCDC_ASSERT_OK(server->Restart());
    Write(server.get(), &random, kTransactionsOfARound, &inserted);
    EXPECT_TRUE(child->Running()) << child->error();
    child->Kill();
    StreamToEnd(server.get(), directory);
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const Rows files, server->Query("SHOW BINARY LOGS"));
    EXPECT_GT(files.size(), 3);
    ARROWCDC_ASSERT_OK(server->Run({"PURGE BINARY LOGS TO '" + files.back()[0].value_or("") + "'"}));
  }
  StreamToEnd(server.get(), directory);
  ExpectAllOnce(server.get(), directory, inserted);
}

// Of a table that was truncated before any row of it came only the name is known.
TEST_P(ParquetPipeline, ATruncationInFrontOfAllRows) {
  if (!HasServer(GetParam())) GTEST_SKIP() << "no server: tools/mysql_files.sh has not fetched it";
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto server, MysqlServer::Create(GetParam()));
  ARROWCDC_ASSERT_OK(
      server->Run({"CREATE DATABASE shop", "CREATE TABLE shop.t (id BIGINT PRIMARY KEY, n INT)",
                   "TRUNCATE TABLE shop.t", "INSERT INTO shop.t VALUES (1, 2)"}));
  const fs::path directory = server->data_directory().parent_path() / "changes";
  ASSERT_EQ(Stream(server->url(), directory, true), 0);
  std::vector<std::string> ops;
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const std::vector<Row> rows, ReadRows(directory / "shop.t", 0));
  for (const Row& row : rows) ops.push_back(row.op);
  EXPECT_EQ(ops, (std::vector<std::string>{"truncate", "insert"}));
}

}  // namespace
}  // namespace arrowcdc::mysql::test

int main(int argc, char** argv) {
  if (argc == 5 && std::string(argv[1]) == "--stream")
    return arrowcdc::mysql::test::Stream(argv[2], argv[3], std::string(argv[4]) == "to-end");
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
