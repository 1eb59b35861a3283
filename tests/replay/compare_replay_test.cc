// tests/replay/compare_replay.py itself: right files pass, and every kind of damage to them is seen.
#include <filesystem>
#include <regex>
#include <sstream>

#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/testing/assert_ok.h"
#include "tests/testing/private_server.h"
#include "tests/testing/subprocess.h"

namespace arrowcdc::test {
namespace {

namespace fs = std::filesystem;

struct Counts {
  long rows = 0;
  long lost = 0;
  long duplicated = 0;
  long wrong = 0;
  int exit_code = 0;
  std::string output;
};

class CompareReplayTest : public ::testing::Test {
 protected:
  static constexpr long kAllRows = 5034;  // counted in fixture.py: 10, 5008 of shop.item, 10, 1, 2 and 3

  static void SetUpTestSuite() {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(server_, PrivateServer::Create({.libraries = {}}));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto sql, Fixture({"sql"}));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(auto connection, server_->Connect());
    ARROWCDC_ASSERT_OK(connection->Exec(sql));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto tables, Fixture({"tables"}));
    std::istringstream lines(tables);
    for (std::string line; std::getline(lines, line);) tables_.push_back(line);
  }
  static void TearDownTestSuite() { server_.reset(); }

  void SetUp() override {
    ASSERT_NE(server_, nullptr);
    std::string path = (fs::temp_directory_path() / "arrowcdc-replay-XXXXXX").string();
    ASSERT_NE(mkdtemp(path.data()), nullptr);
    directory_ = path;
    ARROWCDC_ASSERT_OK(Fixture({"write", path}));
  }
  void TearDown() override { fs::remove_all(directory_); }

  static arrow::Result<std::string> Fixture(std::vector<std::string> arguments) {
    std::vector<std::string> argv = {ARROWCDC_PYTHON, ARROWCDC_SOURCE_DIR "/tests/replay/fixture.py"};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    return RunProgram({.argv = argv});
  }

  arrow::Result<Counts> Compare(const std::vector<std::string>& tables,
                                const std::vector<std::string>& more = {}) {
    std::vector<std::string> argv = {ARROWCDC_PYTHON, ARROWCDC_SOURCE_DIR "/tests/replay/compare_replay.py",
                                     "--parquet",     directory_.string(),
                                     "--conninfo",    server_->conninfo()};
    argv.insert(argv.end(), more.begin(), more.end());
    argv.push_back("--tables");
    argv.insert(argv.end(), tables.begin(), tables.end());
    ARROW_ASSIGN_OR_RAISE(auto child, Subprocess::Start({.argv = argv}));
    ARROW_ASSIGN_OR_RAISE(const auto state, child->Wait(std::chrono::minutes(1)));
    Counts counts{.exit_code = state.code, .output = child->output() + child->error()};
    std::smatch match;
    const std::regex total("total rows=(\\d+) lost=(\\d+) duplicated=(\\d+) wrong=(\\d+)\n");
    if (!std::regex_search(counts.output, match, total))
      return arrow::Status::IOError("no total in: ", counts.output);
    counts.rows = std::stol(match[1]);
    counts.lost = std::stol(match[2]);
    counts.duplicated = std::stol(match[3]);
    counts.wrong = std::stol(match[4]);
    return counts;
  }

  // Damages the files and compares.
  arrow::Result<Counts> After(const std::string& damage) {
    ARROW_RETURN_NOT_OK(Fixture({damage, directory_.string()}));
    return Compare(tables_);
  }

  static inline std::unique_ptr<PrivateServer> server_;
  static inline std::vector<std::string> tables_;
  fs::path directory_;
};

TEST_F(CompareReplayTest, RightFilesPass) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(auto counts, Compare(tables_));
  EXPECT_EQ(counts.exit_code, 0) << counts.output;
  EXPECT_EQ(counts.lost + counts.duplicated + counts.wrong, 0) << counts.output;
  EXPECT_EQ(counts.rows, kAllRows) << counts.output;
  ARROWCDC_ASSERT_OK_AND_ASSIGN(counts, Compare({"shop.item"}, {"--journal", "shop.journal"}));
  EXPECT_EQ(counts.exit_code, 0) << counts.output;
}

TEST_F(CompareReplayTest, RowGroupRemoved) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto counts, After("row-group-removed"));
  EXPECT_EQ(counts.lost, 2048) << counts.output;
  EXPECT_EQ(counts.exit_code, 1);
}

TEST_F(CompareReplayTest, RowGroupDoubled) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto counts, After("row-group-doubled"));
  EXPECT_EQ(counts.duplicated, 2048) << counts.output;
  EXPECT_EQ(counts.lost + counts.wrong, 0) << counts.output;
  EXPECT_EQ(counts.exit_code, 1);
}

TEST_F(CompareReplayTest, OneValueChanged) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto counts, After("value-changed"));
  EXPECT_EQ(counts.wrong, 1) << counts.output;
  EXPECT_NE(counts.output.find("'4321',): price"), std::string::npos) << counts.output;
  EXPECT_EQ(counts.exit_code, 1);
}

// A copy that went on must agree with the changes in between, and settles them no longer than it lasted.
TEST_F(CompareReplayTest, CopyThatWentOnDamaged) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(auto counts, After("copied-row-changed"));
  EXPECT_EQ(counts.wrong, 2) << counts.output;  // against its change, and against the source
  ARROWCDC_ASSERT_OK(Fixture({"write", directory_.string()}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(counts, After("copied-row-lost"));
  EXPECT_EQ(counts.lost, 1) << counts.output;
  ARROWCDC_ASSERT_OK(Fixture({"write", directory_.string()}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(counts, After("copied-row-doubled"));
  EXPECT_EQ(counts.duplicated, 1) << counts.output;
  ARROWCDC_ASSERT_OK(Fixture({"write", directory_.string()}));
  // Without its copied rows the table lacks 3 and 5 and has the old 2; the delete of 6 is of no row.
  ARROWCDC_ASSERT_OK_AND_ASSIGN(counts, After("late-change-lost"));
  EXPECT_EQ(counts.lost, 3) << counts.output;
  EXPECT_EQ(counts.wrong, 1) << counts.output;
}

TEST_F(CompareReplayTest, FileRemoved) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto counts, After("file-removed"));
  EXPECT_EQ(counts.lost, 1) << counts.output;  // the update of a row that was never inserted
  EXPECT_EQ(counts.exit_code, 1);
}

TEST_F(CompareReplayTest, UnchangedTakenForNull) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto counts, After("unchanged-lost"));
  EXPECT_EQ(counts.wrong, 2) << counts.output;
  EXPECT_EQ(counts.exit_code, 1);
}

TEST_F(CompareReplayTest, TruncateLost) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto counts, After("truncate-lost"));
  EXPECT_EQ(counts.duplicated, 1) << counts.output;
  EXPECT_EQ(counts.exit_code, 1);
}

TEST_F(CompareReplayTest, RowOfABagDoubled) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto counts, After("bag-row-doubled"));
  EXPECT_EQ(counts.lost, 0) << counts.output;
  EXPECT_EQ(counts.duplicated, 1) << counts.output;
  EXPECT_EQ(counts.exit_code, 1);
}

TEST_F(CompareReplayTest, RowOfABagChanged) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto counts, After("bag-row-changed"));
  EXPECT_EQ(counts.lost, 1) << counts.output;
  EXPECT_EQ(counts.duplicated, 1) << counts.output;
  EXPECT_EQ(counts.exit_code, 1);
}

TEST_F(CompareReplayTest, ChangesThatCancelOutAreInTheJournal) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(auto counts, After("cancelled-pair-lost"));
  EXPECT_EQ(counts.exit_code, 0) << counts.output;
  ARROWCDC_ASSERT_OK_AND_ASSIGN(counts, Compare({"shop.item"}, {"--journal", "shop.journal"}));
  EXPECT_EQ(counts.lost, 2) << counts.output;
  EXPECT_EQ(counts.exit_code, 1);
}

TEST_F(CompareReplayTest, UnrepresentableTakenForNull) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto counts, After("unrepresentable-unmarked"));
  EXPECT_EQ(counts.wrong, 3) << counts.output;  // the three rows that were updated
  EXPECT_EQ(counts.exit_code, 1);
}

TEST_F(CompareReplayTest, TransactionsMixedUp) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto counts, After("transactions-mixed"));
  EXPECT_EQ(counts.wrong, 1) << counts.output;
  EXPECT_EQ(counts.exit_code, 1);
}

}  // namespace
}  // namespace arrowcdc::test
