// Where a real server's WAL ends, on a primary and on a standby.
#include <gtest/gtest.h>

#include "arrowcdc/position.h"
#include "src/postgres/stream/wal_end.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/private_server.h"

namespace arrowcdc::postgres {
namespace {

using test::PrivateServer;

uint64_t Lsn(test::SqlConnection& sql, const std::string& expression) {
  return ParseLsn(sql.Scalar("SELECT " + expression).ValueOr("")).ValueOr(0);
}

TEST(WalEndServer, IsASegmentsStartAfterASwitch) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto server, PrivateServer::Create({}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto sql, server->Connect());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto connection,
                                Connection::Open(server->conninfo(), ConnectionMode::kReplication));
  ARROWCDC_ASSERT_OK(sql->Exec("CREATE TABLE t (a int)"));
  ARROWCDC_ASSERT_OK(sql->Exec("SELECT pg_switch_wal()"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const WalEnd end, ReadWalEnd(*connection));
  EXPECT_TRUE(end.flushed);
  EXPECT_EQ(end.lsn % (16 << 20), 0u) << FormatLsn(end.lsn);
  EXPECT_GT(end.lsn, 0u);
}

TEST(WalEndServer, HoldsAnAsynchronousCommitOrSaysThatItIsNotFlushed) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto server, PrivateServer::Create({}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto sql, server->Connect());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto connection,
                                Connection::Open(server->conninfo(), ConnectionMode::kSql));
  ARROWCDC_ASSERT_OK(sql->Exec("CREATE TABLE t (a int); SET synchronous_commit = off"));
  for (int round = 0; round < 20; ++round) {
    ARROWCDC_ASSERT_OK(sql->Exec("INSERT INTO t VALUES (1)"));
    const uint64_t inserted = Lsn(*sql, "pg_current_wal_insert_lsn()");
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const WalEnd end, ReadWalEnd(*connection));
    // Up to a page's header, which may stand before the next record.
    EXPECT_TRUE(!end.flushed || end.lsn + 40 >= inserted) << FormatLsn(end.lsn) << " " << FormatLsn(inserted);
    EXPECT_LE(end.lsn, Lsn(*sql, "pg_current_wal_flush_lsn()"));
  }
}

TEST(WalEndServer, OfATransactionInProgressIsWhatIsFlushed) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto server,
                                PrivateServer::Create({.settings = {{"wal_writer_delay", "10s"}}}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto sql, server->Connect());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto connection,
                                Connection::Open(server->conninfo(), ConnectionMode::kSql));
  ARROWCDC_ASSERT_OK(sql->Exec("CREATE TABLE t (a int)"));
  ARROWCDC_ASSERT_OK(sql->Exec("BEGIN; INSERT INTO t VALUES (1)"));
  const uint64_t inserted = Lsn(*sql, "pg_current_wal_insert_lsn()");
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const WalEnd end, ReadWalEnd(*connection));
  EXPECT_TRUE(end.flushed ? end.lsn >= inserted : end.lsn < inserted) << FormatLsn(end.lsn);
}

TEST(WalEndServer, OfAStandbyIsWhatWasReplayed) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto primary, PrivateServer::Create({}));
  {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto sql, primary->Connect());
    ARROWCDC_ASSERT_OK(sql->Exec("SELECT pg_create_physical_replication_slot('standby', true)"));
  }
  ARROWCDC_ASSERT_OK(primary->Stop(test::StopMode::kFast));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto standby, PrivateServer::Create({.standby_of = primary.get()}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto sql, standby->Connect());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto connection,
                                Connection::Open(standby->conninfo(), ConnectionMode::kSql));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const WalEnd end, ReadWalEnd(*connection));
  EXPECT_TRUE(end.flushed);
  EXPECT_EQ(end.lsn, Lsn(*sql, "pg_last_wal_replay_lsn()"));
}

}  // namespace
}  // namespace arrowcdc::postgres
