// The same binlog by this library and by the servers' own programs: a random workload, and what comes of it
// is row by row what mysqlbinlog and mariadb-binlog print, and replayed what the tables hold.
//
// ARROWCDC_SEEDS: how many seeds, from that of ARROWCDC_TEST_SEED on. ARROWCDC_SCRIPT: a file that the
// statements of a failing seed are written to, and beside it what the program printed.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "arrowcdc/mysql.h"
#include "src/mysql/stream/log_place.h"
#include "src/mysql/testing/source_fixture.h"
#include "tests/mysql/captured_rows.h"
#include "tests/mysql/logged_rows.h"
#include "tests/mysql/workload.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/seed.h"

namespace arrowcdc::mysql::test {
namespace {

constexpr int kSeeds = 8;
constexpr int64_t kRowsPerSeed = 150;  // on the average of all seeds

class SameBinlog : public MysqlSource {
 protected:
  static int SeedCount() {
    const char* const given = std::getenv("ARROWCDC_SEEDS");
    return given != nullptr ? std::max(1, std::atoi(given)) : kSeeds;
  }

  // What the server's program says of all files from `first` on.
  arrow::Status ReadLog(LogPlace first, LoggedRows* logged) {
    ARROW_ASSIGN_OR_RAISE(const Rows files, server_->Query("SHOW BINARY LOGS"));
    for (const auto& row : files) {
      ARROW_ASSIGN_OR_RAISE(const LogPlace file, ParsePlace(row[0].value_or("") + ":4"));
      if (file.file < first.file) continue;
      ARROW_ASSIGN_OR_RAISE(const std::string text, server_->PrintLog(row[0].value_or("")));
      if (const char* const path = std::getenv("ARROWCDC_SCRIPT"); path != nullptr)
        std::ofstream(path + ("." + row[0].value_or(""))) << text;
      ARROW_RETURN_NOT_OK(logged->Add(file.file, text));
    }
    return arrow::Status::OK();
  }

  // Errors: what no comparison is possible with. Empty: no difference.
  arrow::Result<std::string> Check(Source* source, Workload* workload, const std::string& database,
                                   uint64_t seed, LoggedRows* logged) {
    ARROW_RETURN_NOT_OK(server_->Run({"FLUSH LOGS"}));
    ARROW_ASSIGN_OR_RAISE(const LogEnd begin, MakeEnd());
    ARROW_RETURN_NOT_OK(workload->Run(database, seed));
    ARROW_ASSIGN_OR_RAISE(const LogEnd end, MakeEnd());
    const auto captured = CaptureUntil(source, end.position);
    if (!captured.ok()) return captured.status().ToString();
    ARROW_RETURN_NOT_OK(ReadLog(PlaceOf(begin.position.order), logged));
    const auto transactions = logged->Take();
    ARROW_ASSIGN_OR_RAISE(std::string found, DifferenceFromLog(*captured, transactions, server_.get()));
    if (found.empty()) {
      ARROW_ASSIGN_OR_RAISE(found, DifferenceFromTables(*captured, transactions, database, server_.get()));
    }
    ARROW_RETURN_NOT_OK(server_->Run({"DROP DATABASE " + QuoteName(database)}));
    ARROW_ASSIGN_OR_RAISE(const LogEnd dropped, MakeEnd());
    ARROW_ASSIGN_OR_RAISE(const auto rest, CaptureUntil(source, dropped.position));
    const bool emptied = std::all_of(rest.begin(), rest.end(), [&](const CapturedRow& row) {
      return row.op == Op::kTruncate && row.table->name.schema == database;
    });
    if (found.empty() && (rest.empty() || !emptied)) return "the database was dropped, and is not empty";
    return found;
  }
};

INSTANTIATE_TEST_SUITE_P(All, SameBinlog, testing::Values(Flavor::kMysql, Flavor::kMariadb), FlavorName);

TEST_P(SameBinlog, IsReadAsTheServersProgramsReadIt) {
  const bool mysql = GetParam() == Flavor::kMysql;
  StartServer({"--secure-file-priv=", "--sync-binlog=0"});
  if (!mysql) ARROWCDC_ASSERT_OK(server_->Run({"SET GLOBAL log_bin_compress_min_len = 10"}));
  // As what comes: in UTC.
  ARROWCDC_ASSERT_OK(
      server_->Run({"SET NAMES utf8mb4", "SET SESSION time_zone = '+00:00'", "SET SESSION sql_mode = ''",
                    "RESET " + std::string(mysql ? "BINARY LOGS AND GTIDS" : "MASTER")}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto workload,
                                Workload::Make(server_.get(), server_->data_directory().parent_path()));
  const auto source = MakeSource({"w*.*"});
  Replay replay;
  ARROWCDC_ASSERT_OK(replay.Begin(source.get()));
  LoggedRows logged;
  const int seeds = SeedCount();
  for (int i = 0; i < seeds; ++i) {
    const uint64_t seed = arrowcdc::test::Seed() + static_cast<uint64_t>(i);
    const auto found = Check(source.get(), workload.get(), "w" + std::to_string(i), seed, &logged);
    const std::string difference = found.ok() ? *found : found.status().ToString();
    if (difference.empty()) continue;
    const char* const path = std::getenv("ARROWCDC_SCRIPT");
    if (path != nullptr) std::ofstream(path) << workload->text();
    FAIL() << "seed " << seed << ": " << difference
           << "\nreplay with: ARROWCDC_SEEDS=1 ARROWCDC_TEST_SEED=" << seed
           << ", ARROWCDC_SCRIPT=FILE for its statements";
  }
  const LoggedCounts& counts = logged.counts();
  std::printf(
      "%d seeds, %lld statements (%lld refused), %lld rows; in the log: %lld compressed, %lld changes of "
      "documents in part, XA: %lld committed, %lld in one phase, %lld rolled back; %lld rows rolled back, "
      "%lld values not in the image, %lld truncated, %lld renamed\n",
      seeds, static_cast<long long>(workload->statements()), static_cast<long long>(workload->refused()),
      static_cast<long long>(counts.rows), static_cast<long long>(counts.compressed_events),
      static_cast<long long>(counts.partial_updates), static_cast<long long>(counts.xa_commits),
      static_cast<long long>(counts.xa_one_phase), static_cast<long long>(counts.xa_rollbacks),
      static_cast<long long>(counts.rolled_back_rows), static_cast<long long>(counts.absent_cells),
      static_cast<long long>(counts.truncates), static_cast<long long>(counts.renames));
  EXPECT_GE(counts.rows, kRowsPerSeed * seeds);
  EXPECT_LT(workload->refused(), workload->statements() / 4);
  if (seeds < kSeeds) return;
  EXPECT_GT(counts.compressed_events, 0);
  EXPECT_EQ(counts.partial_updates > 0, mysql);
  EXPECT_EQ(counts.rolled_back_rows > 0, !mysql);
  EXPECT_EQ(counts.xa_one_phase > 0, mysql);  // to MariaDB's log that is any transaction
  for (const int64_t count :
       {counts.xa_commits, counts.xa_rollbacks, counts.absent_cells, counts.truncates, counts.renames})
    EXPECT_GT(count, 0);
}

}  // namespace
}  // namespace arrowcdc::mysql::test
