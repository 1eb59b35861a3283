// The same WAL by every decoder: a generated workload, and what wal2arrow and pgoutput make of it in each of
// their modes is equal, is what test_decoding says happened, and replayed is what the tables hold.
//
// ARROWCDC_SEEDS: how many seeds, from that of ARROWCDC_TEST_SEED on. ARROWCDC_HALF: only the first or the
// second half of them (1, 2), for two processes beside each other. ARROWCDC_SCRIPT: a file that the
// statements of a failing seed are written to.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "tests/same_wal/comparison.h"
#include "tests/same_wal/generator.h"
#include "tests/same_wal/shrink.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/seed.h"

namespace arrowcdc::test {
namespace {

using std::string;
using std::to_string;

constexpr int kSeeds = 50;
constexpr int64_t kRowsPerSeed = 4000;  // on the average of all seeds

class SameWal : public testing::Test {
 protected:
  void SetUp() override {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(server_, MakeSameWalServer());
    ARROWCDC_ASSERT_OK_AND_ASSIGN(admin_, server_->Connect());
    has_xml_ = admin_->Query("SELECT '<a/>'::xml").ok() || admin_->last_sqlstate() != "0A000";
    ARROWCDC_ASSERT_OK_AND_ASSIGN(
        const string has_lz4,
        admin_->Scalar(
            "SELECT 'lz4' = ANY (enumvals) FROM pg_settings WHERE name = 'default_toast_compression'"));
    has_lz4_ = has_lz4 == "t";
  }

  // The script of a seed, for a server that may be built without LZ4.
  Script ScriptOf(uint64_t seed) const {
    static const string kLz4 = "SET COMPRESSION lz4";
    Script script = Generate(seed);
    for (Step& step : script.steps) {
      if (!has_lz4_ && step.sql.ends_with(kLz4))
        step.sql.replace(step.sql.size() - kLz4.size(), kLz4.size(), "SET COMPRESSION pglz");
    }
    return script;
  }

  // Errors: what no comparison is possible with.
  arrow::Result<Comparison> Check(const Script& script) {
    const string database = "same_wal_" + to_string(++databases_);
    ARROW_RETURN_NOT_OK(admin_->Exec("CREATE DATABASE " + database));
    if (!has_xml_) ARROW_RETURN_NOT_OK(StandInForXml(database));
    ARROW_RETURN_NOT_OK(RunSetup(*server_, database, script));
    ARROW_ASSIGN_OR_RAISE(auto slots, SameWalSlots::Create(*server_, database));
    ARROW_ASSIGN_OR_RAISE(const RunResult run, RunSteps(*server_, database, script));
    for (const string& failure : run.failures) {
      if (!shortening_) ADD_FAILURE() << "seed " << script.seed << ": a statement is refused: " << failure;
    }
    auto result = slots->Compare({{"a", "b", "c"}, "as_text", script.leaves, /*replayed=*/true});
    ARROW_RETURN_NOT_OK(slots->Drop());
    slots.reset();
    ARROW_RETURN_NOT_OK(admin_->Exec("DROP DATABASE " + database + " (FORCE)"));
    return result;
  }

  // A server may be built without libxml.
  arrow::Status StandInForXml(const string& database) {
    ARROW_RETURN_NOT_OK(admin_->Exec("ALTER DATABASE " + database + " SET search_path = public, pg_catalog"));
    ARROW_ASSIGN_OR_RAISE(const auto sql, server_->Connect(database));
    return sql->Exec("CREATE DOMAIN public.xml AS text");
  }

  void Report(uint64_t seed, const string& difference) {
    std::printf("seed %llu: %s\nits script is made shorter\n", static_cast<unsigned long long>(seed),
                difference.c_str());
    shortening_ = true;
    const Script shorter = Shrink(
        ScriptOf(seed),
        [&](const Script& script) {
          const auto found = Check(script);
          return found.ok() && !found->difference.empty();
        },
        std::chrono::minutes(2));
    const auto left = Check(shorter);
    const char* const path = std::getenv("ARROWCDC_SCRIPT");
    if (path != nullptr) std::ofstream(path) << ToText(shorter);
    ADD_FAILURE() << "seed " << seed << ": " << difference
                  << "\nafter shortening: " << (left.ok() ? left->difference : left.status().ToString())
                  << "\n"
                  << ToText(shorter).substr(0, 20'000)
                  << "\nreplay with: ARROWCDC_SEEDS=1 ARROWCDC_TEST_SEED=" << seed;
  }

  static int Setting(const char* name, int otherwise) {
    const char* const given = std::getenv(name);
    return given != nullptr ? std::max(1, std::atoi(given)) : otherwise;
  }

  std::unique_ptr<PrivateServer> server_;
  std::unique_ptr<SqlConnection> admin_;
  int databases_ = 0;
  bool has_xml_ = true;
  bool has_lz4_ = true;
  bool shortening_ = false;  // scripts lack statements that others need
};

TEST_F(SameWal, EveryDecoderAndTheTablesAgree) {
  const int all = Setting("ARROWCDC_SEEDS", kSeeds);
  const int half = Setting("ARROWCDC_HALF", 0);
  const uint64_t first = Seed() + static_cast<uint64_t>(half == 2 ? all / 2 : 0);
  const int seeds = half == 0 ? all : half == 1 ? all / 2 : all - all / 2;
  int64_t rows = 0;
  std::map<string, int64_t> blocks;
  for (uint64_t seed = first; seed != first + static_cast<uint64_t>(seeds); ++seed) {
    const auto result = Check(ScriptOf(seed));
    ASSERT_TRUE(result.ok()) << "seed " << seed << ": " << result.status().ToString();
    if (!result->difference.empty()) return Report(seed, result->difference);
    rows += result->rows;
    for (const auto& [plugin, count] : result->blocks) blocks[plugin] += count;
  }
  std::printf("%d seeds, %lld rows, blocks in progress: %lld by wal2arrow, %lld by pgoutput\n", seeds,
              static_cast<long long>(rows), static_cast<long long>(blocks["wal2arrow"]),
              static_cast<long long>(blocks["pgoutput"]));
  // What is rolled back in part ends that for pgoutput, as far as the log had come.
  EXPECT_GE(blocks["wal2arrow"], 10 * seeds);
  EXPECT_GE(blocks["pgoutput"], 2 * seeds);
  EXPECT_GE(rows, kRowsPerSeed * seeds);
}

// Each of these seeds was not agreed on once.
TEST_F(SameWal, SeedsThatFailed) {
  constexpr uint64_t kSeedsThatFailed[] = {
      15737397621950774663U,  // a message, and behind it a row of a subtransaction, merged in front of it
      12631802979899019644U,  // in progress, pgoutput takes the table that the transaction made for another
  };
  for (const uint64_t seed : kSeedsThatFailed) {
    const auto result = Check(ScriptOf(seed));
    ASSERT_TRUE(result.ok()) << "seed " << seed << ": " << result.status().ToString();
    if (!result->difference.empty()) return Report(seed, result->difference);
  }
}

}  // namespace
}  // namespace arrowcdc::test
