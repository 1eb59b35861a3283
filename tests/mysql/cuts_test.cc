// The connection is cut at every packet of a dump, in front of it and within it; the source goes on, and what
// came is what comes without a cut.
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "arrowcdc/error.h"
#include "arrowcdc/mysql.h"
#include "src/mysql/testing/source_fixture.h"
#include "tests/mysql/cutting_proxy.h"
#include "tests/testing/assert_ok.h"

namespace arrowcdc::mysql::test {
namespace {

const TableName kOther{"shop", "other"};

class Cuts : public MysqlSource {
 protected:
  std::unique_ptr<Source> MakeProxied() {
    MysqlOptions options;
    options.url = "mysql://root@127.0.0.1:" + std::to_string(proxy_->port()) + "/?ssl-mode=disabled";
    options.tables = {"shop.*"};
    auto source = MakeMysqlSource(options);
    EXPECT_TRUE(source.ok()) << source.status();
    return *std::move(source);
  }

  // Everything that a log can have, in few packets.
  void Write() {
    const bool mysql = GetParam() == Flavor::kMysql;
    std::vector<std::string> statements = {
        "INSERT INTO shop.t VALUES (1, 'one', 1), (2, 'two', 2)",
        "BEGIN",
        "INSERT INTO shop.t VALUES (3, REPEAT('x', 100), 3)",
        "UPDATE shop.t SET n = n + 1",
        "INSERT INTO shop.other VALUES (1)",
        "COMMIT",
        "XA START 'a'",
        "INSERT INTO shop.t VALUES (4, 'xa', 4)",
        "INSERT INTO shop.other VALUES (2)",
        "XA END 'a'",
        "XA PREPARE 'a'",
        "XA COMMIT 'a'",
        "FLUSH LOGS",
        "XA START 'b'",
        "INSERT INTO shop.t VALUES (5, 'never', 5)",
        "XA END 'b'",
        "XA PREPARE 'b'",
        "XA ROLLBACK 'b'",
        mysql ? "SET SESSION binlog_transaction_compression = ON" : "SET GLOBAL log_bin_compress = ON",
        "BEGIN",
        "UPDATE shop.t SET name = REPEAT('y', 90) WHERE id < 3",
        "DELETE FROM shop.t WHERE id = 1",
        "COMMIT",
        "ALTER TABLE shop.other ADD COLUMN more INT DEFAULT 7",
        "INSERT INTO shop.other VALUES (3, 8)",
        "TRUNCATE TABLE shop.other",
        "INSERT INTO shop.other VALUES (1, 9)",
        "BEGIN",
        "INSERT INTO shop.t VALUES (6, 'kept', 6)",
        "SAVEPOINT s",
        "INSERT INTO shop.t VALUES (7, 'gone', 7)",
        "ROLLBACK TO s",
        "COMMIT"};
    ARROWCDC_ASSERT_OK(server_->Run(statements));
  }

  std::unique_ptr<CuttingProxy> proxy_;
};

INSTANTIATE_TEST_SUITE_P(All, Cuts, testing::Values(Flavor::kMysql, Flavor::kMariadb), FlavorName);

TEST_P(Cuts, EveryChangeOnceWhereverTheConnectionIsCut) {
  StartServer();
  ARROWCDC_ASSERT_OK_AND_ASSIGN(proxy_, CuttingProxy::Start(server_->port()));
  if (GetParam() == Flavor::kMariadb)
    ARROWCDC_ASSERT_OK(server_->Run({"SET GLOBAL log_bin_compress_min_len = 10"}));
  // Something was delivered before, so that going on has a transaction to compare.
  Replay start;
  {
    const auto source = MakeProxied();
    ARROWCDC_ASSERT_OK(start.Begin(source.get()));
    ARROWCDC_ASSERT_OK(server_->Run({"INSERT INTO shop.t VALUES (0, 'before', 0)"}));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const LogEnd begin, MakeEnd());
    ARROWCDC_ASSERT_OK(start.ReadUntil(source.get(), begin.position));
    ARROWCDC_ASSERT_OK(source->Stop());
  }
  Write();
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const LogEnd end, MakeEnd());

  Replay uncut = start;
  const auto source = MakeProxied();
  ARROWCDC_ASSERT_OK(uncut.Begin(source.get()));
  ARROWCDC_ASSERT_OK(uncut.ReadUntil(source.get(), end.position));
  const int64_t packets = proxy_->packets();
  ARROWCDC_ASSERT_OK(source->Stop());
  ExpectSame(&uncut);
  ExpectSame(&uncut, kOther);
  EXPECT_EQ(uncut.truncates(), 1);
  ASSERT_GT(packets, 40);

  int64_t lost_connections = 0;
  for (int64_t packet = 0; packet < packets; ++packet) {
    // In front of it, within it, and at times within the length that it begins with.
    for (const uint64_t bytes : {uint64_t{0}, uint64_t{25}, uint64_t{2}}) {
      if (bytes == 2 && packet % 4 != 0) continue;
      Replay cut = start;
      auto of_cut = MakeProxied();
      proxy_->CutNext({packet, bytes});
      // Where it begins the transaction that was delivered last is read.
      arrow::Status read = cut.Begin(of_cut.get());
      if (read.ok()) read = cut.ReadUntil(of_cut.get(), end.position);
      if (!read.ok()) {
        const ErrorDetail* const detail = GetErrorDetail(read);
        ASSERT_TRUE(detail != nullptr && detail->retryable()) << "packet " << packet << ": " << read;
        ++lost_connections;
        // Another process goes on, or the same.
        if (packet % 2 == 1) of_cut = MakeProxied();
        ARROWCDC_ASSERT_OK(cut.Begin(of_cut.get()));
        ARROWCDC_ASSERT_OK(cut.ReadUntil(of_cut.get(), end.position));
      }
      for (const TableName& table : {kTable, kOther}) {
        EXPECT_EQ(cut.log(table), uncut.log(table))
            << ToString(table) << ", cut at packet " << packet << ", byte " << bytes;
      }
      EXPECT_EQ(cut.rows(kTable), uncut.rows(kTable));
      ASSERT_EQ(cut.rows(kOther), uncut.rows(kOther));
      ARROWCDC_ASSERT_OK(of_cut->Stop());
    }
  }
  std::printf("%lld packets, %lld cuts, %lld of them before the end was there\n",
              static_cast<long long>(packets), static_cast<long long>(proxy_->cuts()),
              static_cast<long long>(lost_connections));
  EXPECT_GE(lost_connections, 2 * packets);
}

}  // namespace
}  // namespace arrowcdc::mysql::test
