// Values up to PostgreSQL's limits. With ARROWCDC_LARGE set: at the limit, and rows beyond 1 GB.
#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include <arrow/array.h>
#include <gtest/gtest.h>

#include "arrowcdc/error.h"
#include "tests/end_to_end/read_slot.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/error_detail.h"
#include "tests/testing/private_server.h"

namespace arrowcdc::test {
namespace {

using std::string;
using std::chrono::seconds;

constexpr int64_t kMiB = 1 << 20;

// The most memory that the process had, in bytes; 0: it is gone.
int64_t PeakOf(const string& pid) {
  std::ifstream status("/proc/" + pid + "/status");
  for (string line; std::getline(status, line);) {
    if (line.rfind("VmHWM:", 0) == 0) return std::stoll(line.substr(6)) * 1024;
  }
  return 0;
}

class LargeValues : public ::testing::Test {
 protected:
  void SetUp() override {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(server_, PrivateServer::Create({.settings = {{"max_wal_size", "8GB"}}}));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(sql_, server_->Connect());
    ARROWCDC_ASSERT_OK(
        sql_->Exec("CREATE TABLE t (id int PRIMARY KEY, a text, b text); CREATE TABLE u (LIKE t);"
                   "CREATE PUBLICATION p FOR TABLE t, u WITH (publish = 'insert')"));
    for (const string plugin : {"wal2arrow", "pgoutput"}) {
      ARROWCDC_ASSERT_OK(
          sql_->Query("SELECT pg_create_logical_replication_slot('" + plugin + "', '" + plugin + "')"));
    }
  }

  // Rows of `size` times x in a, and in b where `both`; peak_ is the walsender's.
  arrow::Status Read(const string& plugin, int64_t size, bool both, int64_t* rows) {
    PostgresOptions options;
    options.conninfo = server_->conninfo();
    options.slot = plugin;
    options.publications = {"p"};
    options.plugin = OutputPlugin::kAuto;
    const auto check = [&](const arrow::Array& column, int64_t row) {
      ASSERT_TRUE(column.IsValid(row));
      const auto value = static_cast<const arrow::StringArray&>(column).GetView(row);
      ASSERT_EQ(static_cast<int64_t>(value.size()), size);
      EXPECT_TRUE(std::all_of(value.begin(), value.end(), [](char c) { return c == 'x'; }));
    };
    *rows = 0;
    return ReadSlot(
        options,
        [&](const ChangeBatch& batch) {
          for (int64_t row = 0; row < batch.rows->num_rows(); ++row, ++*rows) {
            check(*batch.rows->column(1), row);
            if (both && batch.table->name.table == "u") check(*batch.rows->column(2), row);
          }
          const auto pid =
              sql_->Scalar("SELECT active_pid FROM pg_replication_slots WHERE slot_name = '" + plugin + "'");
          if (pid.ok()) peak_ = std::max(peak_, PeakOf(*pid));
        },
        seconds(500));
  }

  std::unique_ptr<PrivateServer> server_;
  std::unique_ptr<SqlConnection> sql_;
  int64_t peak_ = 0;
};

// In the server: the value as it puts it together (with room for all of it, compressed or not), decompressed,
// in the column, and messages of 32 MiB.
TEST_F(LargeValues, OneOf500MB) {
  constexpr int64_t kSize = 500 * kMiB;
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO t VALUES (1, repeat('x', " + std::to_string(kSize) + "))"));
  int64_t rows = 0;
  ARROWCDC_ASSERT_OK(Read("wal2arrow", kSize, false, &rows));
  EXPECT_EQ(rows, 1);
  std::printf("walsender of wal2arrow: %lld MiB at most\n", static_cast<long long>(peak_ / kMiB));
  EXPECT_GT(peak_, kSize);
  EXPECT_LT(peak_, 3 * kSize + 200 * kMiB);
  peak_ = 0;
  ARROWCDC_ASSERT_OK(Read("pgoutput", kSize, false, &rows));
  EXPECT_EQ(rows, 1);
  std::printf("walsender of pgoutput: %lld MiB at most\n", static_cast<long long>(peak_ / kMiB));
}

// The longest value that a row of t can be put together with: the row, with 56 bytes more, is one allocation
// of less than 1 GiB. pgoutput cannot send it.
TEST_F(LargeValues, AtTheLimitAndRowsBeyond) {
  if (std::getenv("ARROWCDC_LARGE") == nullptr) GTEST_SKIP() << "ARROWCDC_LARGE is not set";
  constexpr int64_t kSize = (int64_t{1} << 30) - 1 - 56;
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO t VALUES (1, repeat('x', " + std::to_string(kSize) + "))"));
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO u SELECT id, a, a FROM t"));
  int64_t rows = 0;
  ARROWCDC_ASSERT_OK(Read("wal2arrow", kSize, true, &rows));
  EXPECT_EQ(rows, 2);
  std::printf("walsender of wal2arrow: %lld MiB at most\n", static_cast<long long>(peak_ / kMiB));
  EXPECT_LT(peak_, 5 * kSize + 200 * kMiB);  // two values, two columns, and one value decompressed at a time
  const arrow::Status ended = Read("pgoutput", kSize, true, &rows);
  EXPECT_EQ(KindOf(ended), ErrorKind::kUnsupported) << ended.ToString();
  ASSERT_NE(GetErrorDetail(ended), nullptr);
  EXPECT_NE(GetErrorDetail(ended)->remedy().find("wal2arrow"), string::npos) << ended.ToString();
}

}  // namespace
}  // namespace arrowcdc::test
