// The source against real servers of both families.
#include <chrono>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "arrowcdc/error.h"
#include "arrowcdc/mysql.h"
#include "src/mysql/testing/mysql_server.h"
#include "src/mysql/testing/replay.h"
#include "src/mysql/testing/source_fixture.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/seed.h"
#include "tests/testing/wait.h"

namespace arrowcdc::mysql::test {
namespace {

INSTANTIATE_TEST_SUITE_P(All, MysqlSource, testing::Values(Flavor::kMysql, Flavor::kMariadb), FlavorName);

TEST_P(MysqlSource, InsertUpdateDelete) {
  StartServer();
  const auto source = MakeSource();
  Replay replay;
  ARROWCDC_ASSERT_OK(replay.Begin(source.get()));
  ARROWCDC_ASSERT_OK(server_->Run(
      {"INSERT INTO shop.t VALUES (1, 'one', 10), (2, 'two', NULL)", "INSERT INTO shop.other VALUES (1)",
       "UPDATE shop.t SET n = 11 WHERE id = 1", "DELETE FROM shop.t WHERE id = 2"}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const LogEnd end, MakeEnd());
  ARROWCDC_ASSERT_OK(replay.ReadUntil(source.get(), end.position));
  EXPECT_EQ(replay.log(),
            (std::vector<std::string>{"insert 1|one|10", "insert 2|two|NULL", "update_before 1|one|10",
                                      "update_after 1|one|11", "delete 2|two|NULL"}));
}

TEST_P(MysqlSource, GoesOnBehindWhatWasDelivered) {
  StartServer();
  Replay replay;
  ARROWCDC_ASSERT_OK(replay.Catch(MakeSource().get()));
  for (int round = 0; round < 4; ++round) {
    const std::string id = std::to_string(round);
    ARROWCDC_ASSERT_OK(
        server_->Run({"INSERT INTO shop.t VALUES (" + id + ", 'x', 1)", "UPDATE shop.t SET n = n + 1"}));
    if (round == 1) ARROWCDC_ASSERT_OK(server_->Restart());
    if (round == 2) ARROWCDC_ASSERT_OK(server_->Run({"FLUSH LOGS", "FLUSH LOGS"}));
    ARROWCDC_ASSERT_OK(replay.Catch(MakeSource().get()));
    ExpectSame(&replay);
    EXPECT_EQ(replay.repeated(), 0);
  }
  // Nothing new.
  const uint64_t changes = replay.changes();
  ARROWCDC_ASSERT_OK(replay.Catch(MakeSource().get()));
  EXPECT_EQ(replay.changes(), changes);
}

// Of a database that was dropped while nothing was read the catalog tells no tables any more.
TEST_P(MysqlSource, KnowsAfterARestartWhichDatabaseWasDropped) {
  StartServer();
  Replay replay;
  const auto read = [&] {
    const auto source = MakeSource();
    ARROWCDC_ASSERT_OK(replay.Catch(source.get()));
  };
  read();
  ARROWCDC_ASSERT_OK(server_->Run({"INSERT INTO shop.t VALUES (1, 'x', 1)"}));
  read();
  ARROWCDC_ASSERT_OK(server_->Run({"DROP DATABASE shop"}));
  read();
  ARROWCDC_ASSERT_OK(server_->Run({"CREATE DATABASE shop", "CREATE TABLE shop.t (id BIGINT PRIMARY KEY)"}));
  read();
  ARROWCDC_ASSERT_OK(server_->Run(
      {"INSERT INTO shop.t VALUES (2)", "CREATE TABLE IF NOT EXISTS shop.t (id BIGINT PRIMARY KEY)"}));
  read();
  EXPECT_EQ(replay.log(), (std::vector<std::string>{"insert 1|x|1", "truncate", "insert 2"}));
}

TEST_P(MysqlSource, BeginsWithTheOldestFile) {
  StartServer();
  ARROWCDC_ASSERT_OK(server_->Run(
      {"INSERT INTO shop.t VALUES (1, 'x', 1)", "FLUSH LOGS", "INSERT INTO shop.t VALUES (2, 'y', 1)"}));
  MysqlOptions options;
  options.url = server_->url();
  options.tables = {"shop.t"};
  options.start = MysqlStart::kEarliest;
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto source, MakeMysqlSource(options));
  Replay replay;
  ARROWCDC_ASSERT_OK(replay.Catch(source.get()));
  ExpectSame(&replay);
  EXPECT_EQ(replay.changes(), 2);
  // And goes on from what it learned on the way.
  ARROWCDC_ASSERT_OK(server_->Run({"INSERT INTO shop.t VALUES (3, 'z', 1)"}));
  ARROWCDC_ASSERT_OK(replay.Catch(MakeSource().get()));
  ExpectSame(&replay);
  EXPECT_EQ(replay.changes(), 3);
}

// The connection is killed at random, the server is restarted, files change; every change comes once.
TEST_P(MysqlSource, EveryChangeOnceInSpiteOfLostConnections) {
  StartServer();
  std::mt19937_64 random(arrowcdc::test::Seed());
  const auto source = MakeSource({"shop.*"});
  Replay replay;
  ARROWCDC_ASSERT_OK(replay.Begin(source.get()));
  int64_t next = 0;
  int lost = 0;
  for (int round = 0; round < 40; ++round) {
    std::vector<std::string> statements{"BEGIN"};
    const int count = 1 + static_cast<int>(random() % 8);
    for (int i = 0; i < count; ++i) {
      const std::string id = std::to_string(next == 0 ? 0 : random() % static_cast<uint64_t>(next));
      switch (random() % 4) {
        case 0:
        case 1:
          statements.push_back("INSERT INTO shop.t VALUES (" + std::to_string(next) + ", 'abc', 0), (" +
                               std::to_string(next + 1) + ", NULL, 1)");
          next += 2;
          break;
        case 2:
          statements.push_back("UPDATE shop.t SET n = n + 1 WHERE id % 7 = " + id + " % 7");
          break;
        default:
          statements.push_back("DELETE FROM shop.t WHERE id = " + id);
          break;
      }
    }
    statements.push_back("INSERT INTO shop.other VALUES (" + std::to_string(round) + ")");
    statements.push_back(random() % 5 == 0 ? "ROLLBACK" : "COMMIT");
    ARROWCDC_ASSERT_OK(server_->Run(statements));
    if (random() % 8 == 0) ARROWCDC_ASSERT_OK(server_->Run({"FLUSH LOGS"}));
    if (random() % 4 == 0) {
      ARROWCDC_ASSERT_OK_AND_ASSIGN(
          const Rows dumps, server_->Query("SELECT id FROM information_schema.processlist WHERE command LIKE "
                                           "'Binlog Dump%'"));
      for (const auto& row : dumps) (void)server_->Run({"KILL " + row[0].value_or("")});
    }
    if (round == 15) ARROWCDC_ASSERT_OK(server_->Restart());
    if (round == 30) {
      ARROWCDC_ASSERT_OK(server_->Crash());
      ARROWCDC_ASSERT_OK(server_->Start());
    }
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const LogEnd end, MakeEnd());
    while (true) {
      const arrow::Status read = replay.ReadUntil(source.get(), end.position);
      if (read.ok()) break;
      const ErrorDetail* const detail = GetErrorDetail(read);
      ASSERT_TRUE(detail != nullptr && detail->retryable()) << read;
      ++lost;
      ARROWCDC_ASSERT_OK(replay.Begin(source.get()));
    }
  }
  EXPECT_GT(lost, 0);
  ExpectSame(&replay);
  ExpectSame(&replay, {"shop", "other"});
}

TEST_P(MysqlSource, RefusesWhatWasPurged) {
  StartServer();
  Replay replay;
  ARROWCDC_ASSERT_OK(replay.Catch(MakeSource().get()));
  ARROWCDC_ASSERT_OK(server_->Run({"INSERT INTO shop.t VALUES (1, 'x', 1)"}));
  ARROWCDC_ASSERT_OK(replay.Catch(MakeSource().get()));
  ARROWCDC_ASSERT_OK(server_->Run({"INSERT INTO shop.t VALUES (2, 'x', 1)", "FLUSH LOGS"}));
  // MariaDB keeps files while somebody reads them, and says nothing.
  ARROWCDC_ASSERT_OK(arrowcdc::test::WaitFor(
      [&] {
        const auto files = server_->Query("SHOW BINARY LOGS");
        if (!files.ok()) return false;
        const std::string last = files->back()[0].value_or("");
        return files->size() == 1 || (!server_->Run({"PURGE BINARY LOGS TO '" + last + "'"}).ok());
      },
      std::chrono::seconds(30), "the older files to be removed"));
  const arrow::Status refused = replay.Catch(MakeSource().get());
  EXPECT_EQ(KindOf(refused), ErrorKind::kPositionGap) << refused;
}

// Nothing is lacking where nothing came since, however much of what was delivered is gone.
TEST_P(MysqlSource, GoesOnWhereOnlyWhatWasDeliveredIsRemoved) {
  StartServer();
  Replay replay;
  const auto remove_all_but_the_last = [&] {
    ARROWCDC_ASSERT_OK(server_->Run({"FLUSH LOGS"}));
    // MariaDB keeps files while somebody reads them, and says nothing.
    ARROWCDC_ASSERT_OK(arrowcdc::test::WaitFor(
        [&] {
          const auto files = server_->Query("SHOW BINARY LOGS");
          return files.ok() &&
                 (files->size() == 1 ||
                  !server_->Run({"PURGE BINARY LOGS TO '" + files->back()[0].value_or("") + "'"}).ok());
        },
        std::chrono::seconds(30), "the older files to be removed"));
  };
  // First with nothing delivered, then with one transaction.
  ARROWCDC_ASSERT_OK(replay.Catch(MakeSource().get()));
  for (int id = 1; id <= 3; ++id) {
    remove_all_but_the_last();
    ARROWCDC_ASSERT_OK(replay.Catch(MakeSource().get()));
    ARROWCDC_ASSERT_OK(server_->Run({"INSERT INTO shop.t VALUES (" + std::to_string(id) + ", 'x', 1)"}));
    ARROWCDC_ASSERT_OK(replay.Catch(MakeSource().get()));
    EXPECT_EQ(replay.changes(), id);
  }
  EXPECT_EQ(replay.repeated(), 0);
  ExpectSame(&replay);
}

// Numbers of GTIDs are used again after RESET, and pass every comparison of sets.
TEST_P(MysqlSource, RefusesReusedGtids) {
  StartServer();
  Replay replay;
  ARROWCDC_ASSERT_OK(replay.Catch(MakeSource().get()));
  ARROWCDC_ASSERT_OK(server_->Run({"INSERT INTO shop.t VALUES (1, 'x', 1)"}));
  ARROWCDC_ASSERT_OK(replay.Catch(MakeSource().get()));
  const bool mysql = GetParam() == Flavor::kMysql;
  ARROWCDC_ASSERT_OK(server_->Run({mysql ? "RESET BINARY LOGS AND GTIDS" : "RESET MASTER"}));
  std::vector<std::string> again;
  for (int i = 0; i < 20; ++i)
    again.push_back("INSERT INTO shop.t VALUES (" + std::to_string(100 + i) + ", 'y', 2)");
  ARROWCDC_ASSERT_OK(server_->Run(again));
  const arrow::Status refused = replay.Catch(MakeSource().get());
  EXPECT_EQ(KindOf(refused), ErrorKind::kPositionGap) << refused;
}

TEST_P(MysqlSource, ReadsCompressedTransactions) {
  const bool mysql = GetParam() == Flavor::kMysql;
  StartServer({mysql ? "--binlog-transaction-compression=ON" : "--log-bin-compress=ON"});
  if (!mysql) ARROWCDC_ASSERT_OK(server_->Run({"SET GLOBAL log_bin_compress_min_len = 10"}));
  Replay replay;
  ARROWCDC_ASSERT_OK(replay.Catch(MakeSource().get()));
  ARROWCDC_ASSERT_OK(
      server_->Run({"INSERT INTO shop.t VALUES (1, REPEAT('x', 90), 1), (2, REPEAT('y', 90), 1)", "BEGIN",
                    "INSERT INTO shop.t VALUES (3, REPEAT('z', 90), 1)", "UPDATE shop.t SET n = n + 1",
                    "DELETE FROM shop.t WHERE id = 1", "COMMIT"}));
  ARROWCDC_ASSERT_OK(replay.Catch(MakeSource().get()));
  ExpectSame(&replay);
  EXPECT_EQ(replay.changes(), 2 + 1 + 6 + 1);
}

// In pieces, and through the spool where rows wait for their commit.
TEST_P(MysqlSource, ReadsABigTransaction) {
  StartServer();
  ARROWCDC_ASSERT_OK(
      server_->Run({"CREATE TABLE shop.numbers (n BIGINT PRIMARY KEY)",
                    "INSERT INTO shop.numbers WITH RECURSIVE r AS (SELECT 0 AS n UNION ALL SELECT n + 1 "
                    "FROM r WHERE n < 499) SELECT n FROM r"}));
  MysqlOptions options;
  options.url = server_->url();
  options.tables = {"shop.t"};
  options.buffer_bytes_max = 1 << 20;
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto source, MakeMysqlSource(options));
  Replay replay;
  ARROWCDC_ASSERT_OK(replay.Begin(source.get()));
  ARROWCDC_ASSERT_OK(
      server_->Run({"INSERT INTO shop.t SELECT a.n * 500 + b.n, REPEAT('x', 60), b.n FROM shop.numbers a "
                    "CROSS JOIN shop.numbers b",
                    "INSERT INTO shop.t VALUES (-1, 'behind', 0)"}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const LogEnd end, MakeEnd());
  ARROWCDC_ASSERT_OK(replay.ReadUntil(source.get(), end.position));
  EXPECT_EQ(replay.changes(), 250'001);
  EXPECT_GT(replay.batches(), 1);
  ExpectSame(&replay);
}

TEST_P(MysqlSource, TellsOfTruncates) {
  StartServer();
  const auto source = MakeSource();
  Replay replay;
  ARROWCDC_ASSERT_OK(replay.Begin(source.get()));
  ARROWCDC_ASSERT_OK(
      server_->Run({"TRUNCATE TABLE shop.other", "INSERT INTO shop.t VALUES (1, 'x', 1)", "TRUNCATE shop.t",
                    "INSERT INTO shop.t VALUES (1, 'y', 1)", "USE shop",
                    "/* a comment */ truncate table `t` -- another", "INSERT INTO t VALUES (2, 'z', 1)"}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const LogEnd end, MakeEnd());
  ARROWCDC_ASSERT_OK(replay.ReadUntil(source.get(), end.position));
  EXPECT_EQ(replay.log(), (std::vector<std::string>{"insert 1|x|1", "truncate", "insert 1|y|1", "truncate",
                                                    "insert 2|z|1"}));
  ExpectSame(&replay);
}

// Its name is not remembered, either: the end of the database says nothing more of it.
TEST_P(MysqlSource, ATableThatWasDroppedIsForgotten) {
  StartServer();
  const auto source = MakeSource({"shop.*"});
  Replay replay;
  ARROWCDC_ASSERT_OK(replay.Begin(source.get()));
  ARROWCDC_ASSERT_OK(
      server_->Run({"CREATE TABLE shop.later (id INT PRIMARY KEY)", "INSERT INTO shop.later VALUES (1)",
                    "DROP TABLE shop.later", "DROP DATABASE shop"}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const LogEnd end, MakeEnd());
  ARROWCDC_ASSERT_OK(replay.ReadUntil(source.get(), end.position));
  EXPECT_EQ(replay.log({"shop", "later"}), (std::vector<std::string>{"insert 1", "truncate"}));
  EXPECT_EQ(replay.log(kTable), std::vector<std::string>{"truncate"});
}

TEST_P(MysqlSource, RefusesStatementsThatChangeRows) {
  StartServer();
  const auto source = MakeSource();
  Replay replay;
  ARROWCDC_ASSERT_OK(replay.Begin(source.get()));
  ARROWCDC_ASSERT_OK(server_->Run(
      {"SET SESSION binlog_format = STATEMENT", "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
       "INSERT INTO shop.t VALUES (1, 'x', 1)", "SET SESSION binlog_format = ROW"}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const LogEnd end, MakeEnd());
  const arrow::Status refused = replay.ReadUntil(source.get(), end.position);
  EXPECT_EQ(KindOf(refused), ErrorKind::kServerSetting) << refused;
  EXPECT_EQ(refused.ToString().find("INSERT"), std::string::npos);
}

// What is whole in front of what cannot be read comes, once, and nothing of what is not.
TEST_P(MysqlSource, TransactionsInFrontOfAnErrorCome) {
  StartServer();
  const auto source = MakeSource({"shop.*"});
  Replay replay;
  ARROWCDC_ASSERT_OK(replay.Begin(source.get()));
  const std::string set = "SET GLOBAL binlog_row_metadata = ";
  ARROWCDC_ASSERT_OK(server_->Run(
      {"CREATE TABLE shop.u (id INT PRIMARY KEY)", "INSERT INTO shop.t VALUES (1, 'whole', 1)",
       "INSERT INTO shop.t VALUES (2, 'whole', 1)", "BEGIN", "INSERT INTO shop.t VALUES (3, 'not', 1)",
       set + "MINIMAL", "INSERT INTO shop.u VALUES (1)", "COMMIT", set + "FULL"}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const LogEnd end, MakeEnd());
  for (int times = 0; times < 2; ++times) {
    const arrow::Status refused = replay.ReadUntil(source.get(), end.position);
    EXPECT_EQ(KindOf(refused), ErrorKind::kServerSetting) << refused;
    EXPECT_EQ(replay.log(), (std::vector<std::string>{"insert 1|whole|1", "insert 2|whole|1"}));
    EXPECT_EQ(replay.repeated(), 0);
    ARROWCDC_ASSERT_OK(source->Stop());
    ARROWCDC_ASSERT_OK(replay.Begin(source.get()));
  }
}

// Also in front of a row that cannot be read, with which they are decoded: they come when it is read again.
TEST_P(MysqlSource, TransactionsInFrontOfAnUnreadableRowCome) {
  StartServer();
  ARROWCDC_ASSERT_OK(server_->Run({"CREATE TABLE shop.dated (id INT PRIMARY KEY, d DATE)"}));
  std::vector<std::string> expected;
  for (int id = 1; id <= 20; ++id) {
    ARROWCDC_ASSERT_OK(
        server_->Run({"INSERT INTO shop.dated VALUES (" + std::to_string(id) + ", '2026-01-02')"}));
    expected.push_back("insert " + std::to_string(id) + "|2026-01-02");
  }
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const LogEnd whole, MakeEnd());
  ARROWCDC_ASSERT_OK(server_->Run({"BEGIN", "INSERT INTO shop.dated VALUES (21, '2026-01-02')",
                                   "INSERT INTO shop.dated VALUES (22, '0000-00-00')", "COMMIT"}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const LogEnd end, MakeEnd());
  MysqlOptions options;
  options.url = server_->url();
  options.tables = {"shop.dated"};
  options.start = MysqlStart::kEarliest;
  options.unrepresentable = Unrepresentable::kError;
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto source, MakeMysqlSource(options));
  Replay replay;
  ARROWCDC_ASSERT_OK(replay.Begin(source.get()));
  arrow::Status refused = replay.ReadUntil(source.get(), end.position);
  ASSERT_NE(GetErrorDetail(refused), nullptr) << refused;
  EXPECT_TRUE(GetErrorDetail(refused)->retryable());
  ARROWCDC_ASSERT_OK(replay.Begin(source.get()));
  refused = replay.ReadUntil(source.get(), end.position);
  ASSERT_NE(GetErrorDetail(refused), nullptr) << refused;
  EXPECT_FALSE(GetErrorDetail(refused)->retryable()) << "for ever";
  EXPECT_EQ(replay.log(), expected);
  EXPECT_EQ(replay.position(), whole.position);
}

// To the server some letters beyond ASCII are others: which savepoint is meant is not guessed.
TEST_P(MysqlSource, RefusesSavepointsThatCannotBeToldApart) {
  if (GetParam() == Flavor::kMysql) GTEST_SKIP() << "MySQL does not log what was rolled back";
  StartServer();
  ARROWCDC_ASSERT_OK(server_->Run({"CREATE TABLE shop.log (id BIGINT PRIMARY KEY) ENGINE=MyISAM"}));
  const auto source = MakeSource();
  Replay replay;
  ARROWCDC_ASSERT_OK(replay.Begin(source.get()));
  ARROWCDC_ASSERT_OK(server_->Run({"SET NAMES utf8mb4", "BEGIN", "INSERT INTO shop.t VALUES (1, 'kept', 1)",
                                   "SAVEPOINT `\xc3\xa9`", "INSERT INTO shop.t VALUES (2, 'kept', 1)",
                                   "SAVEPOINT e", "INSERT INTO shop.t VALUES (3, 'gone', 1)",
                                   "INSERT INTO shop.log VALUES (1)", "ROLLBACK TO `\xc3\xa9`", "COMMIT"}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const Rows rows, server_->Query("SELECT id FROM shop.t ORDER BY id"));
  // MariaDB 11.8 tells them apart, 10.11 does not.
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const Rows version, server_->Query("SELECT VERSION()"));
  EXPECT_EQ(rows.size(), version[0][0]->starts_with("10.") ? 2u : 1u) << "the server has another rule by now";
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const LogEnd end, MakeEnd());
  const arrow::Status refused = replay.ReadUntil(source.get(), end.position);
  EXPECT_EQ(KindOf(refused), ErrorKind::kUnsupported) << refused;
  EXPECT_TRUE(replay.log().empty());
}

// Its tables would match. MariaDB does not log which databases a statement changes.
TEST_P(MysqlSource, RefusesStatementsInADatabaseThatCameLater) {
  StartServer();
  const auto source = MakeSource({"shop.*", "later_*.t"});
  Replay replay;
  ARROWCDC_ASSERT_OK(replay.Begin(source.get()));
  const auto change_by_text = [this](const std::string& table) {
    return server_->Run({"SET SESSION binlog_format = STATEMENT",
                         "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
                         "INSERT INTO " + table + " VALUES (1)"});
  };
  for (const std::string database : {"other", "later_1"}) {
    ARROWCDC_ASSERT_OK(
        server_->Run({"CREATE DATABASE " + database, "CREATE TABLE " + database + ".t (k INT PRIMARY KEY)"}));
  }
  if (GetParam() == Flavor::kMysql) {
    ARROWCDC_ASSERT_OK(change_by_text("other.t"));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const LogEnd end, MakeEnd());
    ARROWCDC_ASSERT_OK(replay.ReadUntil(source.get(), end.position));
  }
  ARROWCDC_ASSERT_OK(change_by_text("later_1.t"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const LogEnd end, MakeEnd());
  const arrow::Status refused = replay.ReadUntil(source.get(), end.position);
  EXPECT_EQ(KindOf(refused), ErrorKind::kServerSetting) << refused;
}

// Rows are in the log at PREPARE, and come true at COMMIT, or never.
TEST_P(MysqlSource, XaRowsComeWithTheirCommit) {
  StartServer();
  auto source = MakeSource();
  Replay replay;
  ARROWCDC_ASSERT_OK(replay.Begin(source.get()));
  ARROWCDC_ASSERT_OK(
      server_->Run({"XA START 'a'", "INSERT INTO shop.other VALUES (1)", "XA END 'a'", "XA PREPARE 'a'",
                    "XA COMMIT 'a'", "XA START 'b'", "INSERT INTO shop.t VALUES (1, 'one phase', 1)",
                    "XA END 'b'", "XA COMMIT 'b' ONE PHASE"}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const LogEnd first, MakeEnd());
  ARROWCDC_ASSERT_OK(replay.ReadUntil(source.get(), first.position));
  EXPECT_EQ(replay.log(), (std::vector<std::string>{"insert 1|one phase|1"}));
  const Position before = *replay.position();

  const auto prepare = [&](const std::string& xid, int id) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto session, server_->Connect());
    const std::string row = "INSERT INTO shop.t VALUES (" + std::to_string(id) + ", 'xa', 1)";
    for (const std::string& sql :
         {"XA START '" + xid + "'", row, "XA END '" + xid + "'", "XA PREPARE '" + xid + "'"})
      ARROWCDC_ASSERT_OK(session->Query(sql));
  };
  prepare("c", 2);
  prepare("d", 3);
  ARROWCDC_ASSERT_OK(server_->Run({"INSERT INTO shop.t VALUES (4, 'meanwhile', 1)"}));
  const auto changes = [&](uint64_t count) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (replay.changes() < count && std::chrono::steady_clock::now() < deadline)
      ARROWCDC_ASSERT_OK(replay.ReadOne(source.get()));
    EXPECT_EQ(replay.changes(), count);
  };
  changes(2);
  EXPECT_EQ(replay.log().back(), "insert 4|meanwhile|1");
  EXPECT_EQ(*replay.position(), before) << "the position has passed what is prepared";
  // Another process reads them again, and what came behind them only once.
  ARROWCDC_ASSERT_OK(source->Stop());
  source = MakeSource();
  ARROWCDC_ASSERT_OK(replay.Begin(source.get()));
  ARROWCDC_ASSERT_OK(server_->Run({"XA ROLLBACK 'c'", "XA COMMIT 'd'"}));
  changes(3);
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const LogEnd end, MakeEnd());
  ARROWCDC_ASSERT_OK(replay.ReadUntil(source.get(), end.position));
  EXPECT_EQ(replay.log().back(), "insert 3|xa|1");
  EXPECT_EQ(replay.repeated(), 1);
  ExpectSame(&replay);
}

// MariaDB has what is rolled back to a savepoint in the log, of an XA transaction at its PREPARE.
TEST_P(MysqlSource, XaRowsThatAreRolledBackToASavepointDoNotCome) {
  StartServer();
  const auto source = MakeSource();
  Replay replay;
  ARROWCDC_ASSERT_OK(replay.Begin(source.get()));
  std::vector<std::string> statements{"XA START 'a'", "INSERT INTO shop.t VALUES (1, 'kept', 1)",
                                      "SAVEPOINT s", "INSERT INTO shop.t VALUES (2, 'gone', 1)"};
  // With this MariaDB does not take them out of the log again.
  if (GetParam() == Flavor::kMariadb) {
    for (const char* sql : {"CREATE TEMPORARY TABLE shop.tmp (id INT)", "DROP TEMPORARY TABLE shop.tmp"})
      statements.emplace_back(sql);
  }
  for (const char* sql : {"ROLLBACK TO s", "INSERT INTO shop.t VALUES (3, 'kept', 1)", "XA END 'a'",
                          "XA PREPARE 'a'", "XA COMMIT 'a'"})
    statements.emplace_back(sql);
  ARROWCDC_ASSERT_OK(server_->Run(statements));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const LogEnd end, MakeEnd());
  ARROWCDC_ASSERT_OK(replay.ReadUntil(source.get(), end.position));
  EXPECT_EQ(replay.log(), (std::vector<std::string>{"insert 1|kept|1", "insert 3|kept|1"}));
  ExpectSame(&replay);
}

TEST_P(MysqlSource, TellsOfAnXaCommitThatWasPreparedBefore) {
  StartServer();
  {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto session, server_->Connect());
    for (const char* sql :
         {"XA START 'a'", "INSERT INTO shop.t VALUES (1, 'x', 1)", "XA END 'a'", "XA PREPARE 'a'"})
      ARROWCDC_ASSERT_OK(session->Query(sql));
  }
  const auto source = MakeSource();
  Replay replay;
  ARROWCDC_ASSERT_OK(replay.Begin(source.get()));
  ARROWCDC_ASSERT_OK(server_->Run({"XA COMMIT 'a'"}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const LogEnd end, MakeEnd());
  ARROWCDC_ASSERT_OK(replay.ReadUntil(source.get(), end.position));
  ASSERT_EQ(replay.notices().size(), 1);
  EXPECT_TRUE(replay.notices()[0].error);
}

// What is rolled back is in MariaDB's log where a table that cannot roll back was changed, too.
TEST_P(MysqlSource, LeavesOutWhatWasRolledBack) {
  StartServer();
  ARROWCDC_ASSERT_OK(server_->Run({"CREATE TABLE shop.log (id BIGINT PRIMARY KEY) ENGINE=MyISAM"}));
  const auto source = MakeSource();
  Replay replay;
  ARROWCDC_ASSERT_OK(replay.Begin(source.get()));
  std::vector<std::string> statements{"BEGIN",         "INSERT INTO shop.t VALUES (1, 'kept', 1)",
                                      "SAVEPOINT a",   "INSERT INTO shop.t VALUES (2, 'gone', 1)",
                                      "ROLLBACK TO a", "INSERT INTO shop.t VALUES (3, 'kept', 1)",
                                      "COMMIT"};
  if (GetParam() == Flavor::kMariadb) {
    const std::vector<std::string> mixed{"BEGIN",
                                         "INSERT INTO shop.t VALUES (4, 'kept', 1)",
                                         "SAVEPOINT `b c`",
                                         "INSERT INTO shop.t VALUES (5, 'gone', 1)",
                                         "INSERT INTO shop.log SELECT id FROM shop.t WHERE id = 5",
                                         "ROLLBACK TO `B C`",  // the same one
                                         "COMMIT",
                                         "BEGIN",
                                         "INSERT INTO shop.t VALUES (6, 'gone', 1)",
                                         "INSERT INTO shop.log SELECT id FROM shop.t WHERE id = 6",
                                         "ROLLBACK"};
    statements.insert(statements.end(), mixed.begin(), mixed.end());
  }
  ARROWCDC_ASSERT_OK(server_->Run(statements));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const LogEnd end, MakeEnd());
  ARROWCDC_ASSERT_OK(replay.ReadUntil(source.get(), end.position));
  ExpectSame(&replay);
  EXPECT_FALSE(replay.rows(kTable).contains("2"));
}

}  // namespace
}  // namespace arrowcdc::mysql::test
