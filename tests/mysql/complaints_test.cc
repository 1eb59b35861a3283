// What users of other readers of binlogs complain of, each as a test of that name; the list, with the tests
// that stand elsewhere, is in docs/cases.md.
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <arrow/util/key_value_metadata.h>
#include <gtest/gtest.h>

#include "arrowcdc/error.h"
#include "arrowcdc/mysql.h"
#include "src/mysql/testing/source_fixture.h"
#include "tests/mysql/captured_rows.h"
#include "tests/mysql/cutting_proxy.h"
#include "tests/mysql/value_text.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/wait.h"

namespace arrowcdc::mysql::test {
namespace {

using std::chrono::seconds;

class Complaints : public MysqlSource {
 protected:
  bool mysql() const { return GetParam() == Flavor::kMysql; }

  // Rows as "insert id=1 n=5", each column by its name; "~": it is not in the image, "!": it has no form.
  arrow::Result<std::vector<std::string>> Read(Source* source) {
    ARROW_ASSIGN_OR_RAISE(const LogEnd end, MakeEnd());
    ARROW_ASSIGN_OR_RAISE(const auto rows, CaptureUntil(source, end.position));
    std::vector<std::string> lines;
    for (const CapturedRow& row : rows) {
      lines.emplace_back(OpName(row.op));
      for (size_t i = 0; i < row.cells.size(); ++i) {
        const auto& field = *row.table->schema->field(static_cast<int>(i));
        const std::string type = field.metadata()->Get("arrowcdc:mysql_type").ValueOr("");
        using What = CapturedRow::What;
        lines.back() += " " + field.name() + "=";
        lines.back() += row.cells[i] == What::kNull        ? "NULL"
                        : row.cells[i] == What::kUnchanged ? "~"
                        : row.cells[i] != What::kValue
                            ? "!"
                            : SelectedText(*row.rows->column(static_cast<int>(i)), row.row, type);
      }
    }
    return lines;
  }

  // A second server that follows server_, and has all of it.
  void StartReplica() {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(
        replica_, MysqlServer::Create(GetParam(), {"--server-id=2", "--log-slave-updates=ON"}));
    const std::string port = std::to_string(server_->port());
    ARROWCDC_ASSERT_OK(server_->Run(
        {"CREATE USER 'copy'@'%' IDENTIFIED BY 'x'", "GRANT REPLICATION SLAVE ON *.* TO 'copy'@'%'"}));
    const std::string of_mysql =
        "CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT=" + port +
        ", SOURCE_USER='copy', SOURCE_PASSWORD='x', SOURCE_AUTO_POSITION=1, GET_SOURCE_PUBLIC_KEY=1";
    const std::string of_mariadb = "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=" + port +
                                   ", MASTER_USER='copy', MASTER_PASSWORD='x', MASTER_USE_GTID=slave_pos";
    ARROWCDC_ASSERT_OK(replica_->Run({mysql() ? of_mysql : of_mariadb,
                                      mysql() ? std::string("START REPLICA") : std::string("START SLAVE")}));
  }

  void Follow() {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto rows, Replay::Select(server_.get(), kTable));
    ARROWCDC_ASSERT_OK(arrowcdc::test::WaitFor(
        [&] {
          const auto there = Replay::Select(replica_.get(), kTable);
          return there.ok() && *there == rows;
        },
        seconds(30), "the replica to follow"));
  }

  std::unique_ptr<MysqlServer> replica_;
};

INSTANTIATE_TEST_SUITE_P(All, Complaints, testing::Values(Flavor::kMysql, Flavor::kMariadb), FlavorName);

// The new server lacks what was delivered: whatever it writes next has the same numbers.
TEST_P(Complaints, FailoverWithAGapOfGtids) {
  StartServer();
  StartReplica();
  Replay replay;
  ARROWCDC_ASSERT_OK(replay.Catch(MakeSource().get()));
  ARROWCDC_ASSERT_OK(server_->Run({"INSERT INTO shop.t VALUES (1, 'on both', 1)"}));
  Follow();
  ARROWCDC_ASSERT_OK(replica_->Run({mysql() ? "STOP REPLICA" : "STOP SLAVE"}));
  ARROWCDC_ASSERT_OK(server_->Run({"INSERT INTO shop.t VALUES (2, 'lost with the server', 1)"}));
  ARROWCDC_ASSERT_OK(replay.Catch(MakeSource().get()));
  EXPECT_EQ(replay.changes(), 2);
  std::swap(server_, replica_);
  for (const bool writes : {false, true}) {
    // MariaDB's numbers are then those of the lost ones; the second that they were made in is another.
    if (writes) {
      ARROWCDC_ASSERT_OK(
          server_->Run({"SET timestamp = 1700000000", "INSERT INTO shop.t VALUES (3, 'new', 1)",
                        "INSERT INTO shop.t VALUES (4, 'new', 1)"}));
    }
    for (const bool accept_gap : {false, true}) {
      const arrow::Status refused = replay.Begin(MakeSource().get(), accept_gap);
      EXPECT_EQ(KindOf(refused), ErrorKind::kPositionGap) << refused;
    }
  }
  EXPECT_EQ(replay.changes(), 2);
}

// Some rows of a transaction were delivered, which has other places in the log of the replica.
TEST_P(Complaints, FailoverInTheMiddleOfATransaction) {
  if (!mysql()) GTEST_SKIP() << "its rows come when they are committed";
  StartServer();
  StartReplica();
  ARROWCDC_ASSERT_OK(
      server_->Run({"CREATE TABLE shop.numbers (n BIGINT PRIMARY KEY)",
                    "INSERT INTO shop.numbers WITH RECURSIVE r AS (SELECT 0 AS n UNION ALL SELECT n + 1 "
                    "FROM r WHERE n < 299) SELECT n FROM r"}));
  auto source = MakeSource();
  Replay replay;
  ARROWCDC_ASSERT_OK(replay.Catch(source.get()));
  ARROWCDC_ASSERT_OK(server_->Run({"INSERT INTO shop.t VALUES (-1, 'whole', 0)"}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const LogEnd whole, MakeEnd());
  ARROWCDC_ASSERT_OK(replay.ReadUntil(source.get(), whole.position));
  const Position stored = *replay.position();
  ARROWCDC_ASSERT_OK(
      server_->Run({"INSERT INTO shop.t SELECT a.n * 300 + b.n, REPEAT('x', 90), b.n FROM "
                    "shop.numbers a CROSS JOIN shop.numbers b"}));
  while (replay.changes() < 2) ARROWCDC_ASSERT_OK(replay.ReadOne(source.get()));
  ASSERT_LT(replay.changes(), 90'001);
  EXPECT_EQ(*replay.position(), stored) << "the position has passed what has not come as a whole";
  ARROWCDC_ASSERT_OK(source->Stop());
  Follow();
  std::swap(server_, replica_);
  const arrow::Status refused = replay.Begin(MakeSource().get());
  EXPECT_EQ(KindOf(refused), ErrorKind::kPositionGap) << refused;
  // The old one goes on where it was.
  std::swap(server_, replica_);
  source = MakeSource();
  ARROWCDC_ASSERT_OK(replay.Begin(source.get()));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const LogEnd end, MakeEnd());
  ARROWCDC_ASSERT_OK(replay.ReadUntil(source.get(), end.position));
  EXPECT_GT(replay.repeated(), 0);
  EXPECT_EQ(replay.changes(), 90'001);
  ExpectSame(&replay);
}

// What the log has from before a change of the table has the names of then, also where it is read later.
TEST_P(Complaints, NamesAreTakenByPositionAfterDdl) {
  StartServer();
  ARROWCDC_ASSERT_OK(server_->Run({"CREATE TABLE shop.d (id INT PRIMARY KEY, a INT, b INT)"}));
  const auto source = MakeSource({"shop.d"});
  Replay begin;
  ARROWCDC_ASSERT_OK(begin.Begin(source.get()));
  ARROWCDC_ASSERT_OK(server_->Run(
      {"INSERT INTO shop.d VALUES (1, 10, 20)", "ALTER TABLE shop.d MODIFY b INT FIRST",
       "INSERT INTO shop.d VALUES (21, 2, 11)", "ALTER TABLE shop.d RENAME COLUMN a TO c, DROP COLUMN b",
       "INSERT INTO shop.d VALUES (3, 12)", "ALTER TABLE shop.d ADD COLUMN a INT AFTER id",
       "UPDATE shop.d SET a = 5 WHERE id = 3", "DROP TABLE shop.d",
       "CREATE TABLE shop.d (c INT, id INT PRIMARY KEY)", "INSERT INTO shop.d VALUES (13, 4)"}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto lines, Read(source.get()));
  EXPECT_EQ(lines, (std::vector<std::string>{"insert id=1 a=10 b=20", "insert b=21 id=2 a=11",
                                             "insert id=3 c=12", "update_before id=3 a=NULL c=12",
                                             "update_after id=3 a=5 c=12", "truncate", "insert c=13 id=4"}));
}

TEST_P(Complaints, JsonThatIsChangedInPart) {
  if (!mysql()) GTEST_SKIP() << "MariaDB's JSON is text, and logged as a whole";
  StartServer();
  ARROWCDC_ASSERT_OK(server_->Run({"CREATE TABLE shop.j (id INT PRIMARY KEY, doc JSON)",
                                   "SET SESSION binlog_row_value_options = 'PARTIAL_JSON'"}));
  const auto source = MakeSource({"shop.j"});
  Replay begin;
  ARROWCDC_ASSERT_OK(begin.Begin(source.get()));
  ARROWCDC_ASSERT_OK(
      server_->Run({"INSERT INTO shop.j VALUES (1, '{\"a\": [1, 2], \"b\": \"a text that is not logged again "
                    "and again\"}')",
                    "UPDATE shop.j SET doc = JSON_SET(doc, '$.a[1]', 'two')"}));
  const std::string text = ", \"b\": \"a text that is not logged again and again\"}";
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto lines, Read(source.get()));
  EXPECT_EQ(lines, (std::vector<std::string>{"insert id=1 doc={\"a\": [1, 2]" + text,
                                             "update_before id=1 doc={\"a\": [1, 2]" + text,
                                             "update_after id=1 doc={\"a\": [1, \"two\"]" + text}));
  // Without the old document there is nothing to apply the change to.
  ARROWCDC_ASSERT_OK(server_->Run({"SET SESSION binlog_row_image = MINIMAL",
                                   "UPDATE shop.j SET doc = JSON_SET(doc, '$.a[1]', 'three')"}));
  const arrow::Status refused = Read(source.get()).status();
  EXPECT_EQ(KindOf(refused), ErrorKind::kUnsupported) << refused;
  EXPECT_NE(refused.ToString().find("shop.j"), std::string::npos) << refused;
}

TEST_P(Complaints, MinimalImages) {
  StartServer();
  ARROWCDC_ASSERT_OK(server_->Run({"INSERT INTO shop.t VALUES (1, 'one', 1)",
                                   "SET SESSION binlog_row_image = "
                                   "MINIMAL"}));
  const auto source = MakeSource();
  Replay begin;
  ARROWCDC_ASSERT_OK(begin.Begin(source.get()));
  ARROWCDC_ASSERT_OK(server_->Run({"UPDATE shop.t SET n = NULL", "UPDATE shop.t SET id = 2",
                                   "INSERT INTO shop.t (id, n) VALUES (3, NULL)", "DELETE FROM shop.t"}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto lines, Read(source.get()));
  EXPECT_EQ(lines, (std::vector<std::string>{
                       "update_before id=1 name=~ n=~", "update_after id=1 name=~ n=NULL",
                       "update_before id=1 name=~ n=~", "update_after id=2 name=~ n=~",
                       "insert id=3 name=~ n=NULL", "delete id=2 name=~ n=~", "delete id=3 name=~ n=~"}));
}

TEST_P(Complaints, CompressedColumnsOfMariadb) {
  if (mysql()) GTEST_SKIP() << "MySQL has none";
  StartServer();
  ARROWCDC_ASSERT_OK(server_->Run({"CREATE TABLE shop.c (id INT PRIMARY KEY, body TEXT COMPRESSED)"}));
  const auto source = MakeSource({"shop.c"});
  Replay begin;
  ARROWCDC_ASSERT_OK(begin.Begin(source.get()));
  ARROWCDC_ASSERT_OK(server_->Run({"INSERT INTO shop.c VALUES (1, REPEAT('x', 1000))"}));
  const arrow::Status refused = Read(source.get()).status();
  EXPECT_EQ(KindOf(refused), ErrorKind::kUnsupported) << refused;
  EXPECT_NE(refused.ToString().find("column body of table shop.c"), std::string::npos) << refused;
}

TEST_P(Complaints, InvisibleAndGeneratedColumns) {
  StartServer();
  const std::string invisible = mysql() ? "DEFAULT 7 INVISIBLE" : "INVISIBLE DEFAULT 7";
  ARROWCDC_ASSERT_OK(server_->Run({"CREATE TABLE shop.i (id INT PRIMARY KEY, hidden INT " + invisible +
                                   ", v INT AS (id + 1) VIRTUAL, s INT AS (id + 2) STORED)"}));
  if (mysql()) {
    ARROWCDC_ASSERT_OK(
        server_->Run({"SET SESSION sql_generate_invisible_primary_key = ON", "CREATE TABLE shop.k (a INT)"}));
  }
  const auto source = MakeSource({"shop.i", "shop.k"});
  Replay begin;
  ARROWCDC_ASSERT_OK(begin.Begin(source.get()));
  ARROWCDC_ASSERT_OK(server_->Run({"INSERT INTO shop.i (id) VALUES (1)", "UPDATE shop.i SET hidden = 8"}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const Rows version, server_->Query("SELECT VERSION()"));
  const bool logs_generated = mysql() || std::stoi(version[0][0].value_or("0")) < 11;
  std::vector<std::string> wanted{"insert id=1 hidden=7 v=2 s=3"};
  if (logs_generated) {
    wanted.insert(wanted.end(),
                  {"update_before id=1 hidden=7 v=2 s=3", "update_after id=1 hidden=8 v=2 s=3"});
  } else {
    wanted.insert(wanted.end(),
                  {"update_before id=1 hidden=7 v=~ s=~", "update_after id=1 hidden=8 v=! s=!"});
  }
  if (mysql()) {
    ARROWCDC_ASSERT_OK(server_->Run({"INSERT INTO shop.k VALUES (5)"}));
    wanted.emplace_back("insert my_row_id=1 a=5");
  }
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto lines, Read(source.get()));
  EXPECT_EQ(lines, wanted);
}

// MariaDB leaves out of the log what changed with the others: that it is as it was must not be said.
TEST_P(Complaints, GeneratedColumnsThatAreNotLogged) {
  if (mysql()) GTEST_SKIP() << "MySQL logs generated columns that change";
  StartServer();
  ARROWCDC_ASSERT_OK(
      server_->Run({"CREATE TABLE shop.g (id INT PRIMARY KEY, a INT, b INT, v INT AS (a + 1) VIRTUAL)",
                    "CREATE TABLE shop.gone LIKE shop.g", "INSERT INTO shop.g (id, a) VALUES (1, 1)",
                    "INSERT INTO shop.gone (id, a) VALUES (1, 1)"}));
  const auto source = MakeSource({"shop.g", "shop.gone"});
  Replay begin;
  ARROWCDC_ASSERT_OK(begin.Begin(source.get()));
  ARROWCDC_ASSERT_OK(server_->Run({"SET SESSION binlog_row_image = 'MINIMAL'", "UPDATE shop.g SET a = 7",
                                   "UPDATE shop.gone SET a = 7", "DROP TABLE shop.gone"}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto lines, Read(source.get()));
  const std::vector<std::string> wanted{"update_before id=1 a=~ b=~ v=~", "update_after id=1 a=7 b=~ v=!",
                                        "update_before id=1 a=~ b=~ v=~", "update_after id=1 a=7 b=~ v=!"};
  ASSERT_GE(lines.size(), wanted.size());
  EXPECT_EQ(std::vector<std::string>(lines.begin(), lines.begin() + 4), wanted);
  // Table maps tell nothing of it.
  ARROWCDC_ASSERT_OK(server_->Run({"ALTER TABLE shop.g DROP COLUMN b",
                                   "ALTER TABLE shop.g ADD COLUMN b INT AS (a + 2) VIRTUAL AFTER a",
                                   "UPDATE shop.g SET a = 8"}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto behind, Read(source.get()));
  EXPECT_EQ(behind,
            (std::vector<std::string>{"update_before id=1 a=~ b=~ v=~", "update_after id=1 a=8 b=! v=!"}));
}

// Whatever the zone of the session that wrote, of the server, and of this process.
TEST_P(Complaints, TimeZones) {
  StartServer({"--default-time-zone=-03:00"});
  ARROWCDC_ASSERT_OK(
      server_->Run({"CREATE TABLE shop.z (id INT PRIMARY KEY, ts TIMESTAMP(3) NULL, dt DATETIME(3))"}));
  const auto source = MakeSource({"shop.z"});
  Replay begin;
  ARROWCDC_ASSERT_OK(begin.Begin(source.get()));
  ARROWCDC_ASSERT_OK(
      server_->Run({"SET SESSION time_zone = '-03:00'",
                    "INSERT INTO shop.z VALUES (1, '2026-03-29 02:30:00.5', '2026-03-29 02:30:00.5')",
                    "SET SESSION time_zone = '+05:30'",
                    "INSERT INTO shop.z VALUES (2, '2026-03-29 02:30:00.5', '2026-03-29 02:30:00.5')"}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto lines, Read(source.get()));
  EXPECT_EQ(lines,
            (std::vector<std::string>{"insert id=1 ts=2026-03-29 05:30:00.500 dt=2026-03-29 02:30:00.500",
                                      "insert id=2 ts=2026-03-28 21:00:00.500 dt=2026-03-29 02:30:00.500"}));
}

TEST_P(Complaints, ZeroDates) {
  StartServer();
  ARROWCDC_ASSERT_OK(server_->Run(
      {"SET SESSION sql_mode = 'ALLOW_INVALID_DATES'",
       "CREATE TABLE shop.z (id INT PRIMARY KEY, d DATE, dt DATETIME, ts TIMESTAMP NULL, y YEAR)"}));
  const auto source = MakeSource({"shop.z"});
  Replay begin;
  ARROWCDC_ASSERT_OK(begin.Begin(source.get()));
  ARROWCDC_ASSERT_OK(
      server_->Run({"INSERT INTO shop.z VALUES (1, 0, 0, 0, 0)",
                    "INSERT INTO shop.z VALUES (2, '2026-02-00', '2026-02-31 01:00:00', NULL, NULL)",
                    "INSERT INTO shop.z VALUES (3, NULL, NULL, '2026-01-01 00:00:00', 1901)"}));
  ARROWCDC_ASSERT_OK(server_->Run({"UPDATE shop.z SET d = '2026-02-28' WHERE id = 1"}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto lines, Read(source.get()));
  EXPECT_EQ(lines, (std::vector<std::string>{"insert id=1 d=! dt=! ts=! y=0000",
                                             "insert id=2 d=! dt=! ts=NULL y=NULL",
                                             "insert id=3 d=NULL dt=NULL ts=2026-01-01 00:00:00 y=1901",
                                             "update_before id=1 d=! dt=! ts=! y=0000",
                                             "update_after id=1 d=2026-02-28 dt=! ts=! y=0000"}));
}

TEST_P(Complaints, UnsignedBitsAndLongDecimals) {
  StartServer();
  ARROWCDC_ASSERT_OK(
      server_->Run({"CREATE TABLE shop.n (id BIGINT UNSIGNED PRIMARY KEY, m MEDIUMINT UNSIGNED, b "
                    "BIT(64), d DECIMAL(65,30))"}));
  const auto source = MakeSource({"shop.n"});
  Replay begin;
  ARROWCDC_ASSERT_OK(begin.Begin(source.get()));
  const std::string nines(35, '9');
  const std::string decimal = "-" + nines + "." + std::string(30, '9');
  ARROWCDC_ASSERT_OK(server_->Run(
      {"INSERT INTO shop.n VALUES (18446744073709551615, 16777215, 18446744073709551615, " + decimal + ")"}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto lines, Read(source.get()));
  EXPECT_EQ(lines,
            (std::vector<std::string>{"insert id=18446744073709551615 m=16777215 b=18446744073709551615 "
                                      "d=" +
                                      decimal}));
}

TEST_P(Complaints, EnumsSetsAndCharacterSets) {
  StartServer();
  ARROWCDC_ASSERT_OK(server_->Run(
      {"SET NAMES utf8mb4",
       "CREATE TABLE shop.e (id INT PRIMARY KEY, e ENUM('a','ü,x') CHARACTER SET latin1, s SET('x','é') "
       "CHARACTER SET utf8mb4, l VARCHAR(20) CHARACTER SET latin1, c CHAR(9) CHARACTER SET cp1251, w "
       "VARCHAR(20) CHARACTER SET utf16)"}));
  const auto source = MakeSource({"shop.e"});
  Replay begin;
  ARROWCDC_ASSERT_OK(begin.Begin(source.get()));
  ARROWCDC_ASSERT_OK(server_->Run({"INSERT INTO shop.e VALUES (1, 'ü,x', 'é,x', 'é€', 'ж', '汉😀')",
                                   "ALTER TABLE shop.e MODIFY e ENUM('new','ü,x','a') CHARACTER SET latin1",
                                   "INSERT INTO shop.e (id, e) VALUES (2, 'a')"}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto lines, Read(source.get()));
  ASSERT_FALSE(lines.empty());
  EXPECT_EQ(lines.front(), "insert id=1 e=ü,x s=x,é l=é€ c=ж w=汉😀");
  EXPECT_EQ(lines.back(), "insert id=2 e=a s=NULL l=NULL c=NULL w=NULL");
}

// Two readers of one server do not end each other's dump.
TEST_P(Complaints, ServerIdClash) {
  StartServer();
  const auto first = MakeSource();
  const auto second = MakeSource();
  Replay of_first;
  Replay of_second;
  ARROWCDC_ASSERT_OK(of_first.Begin(first.get()));
  ARROWCDC_ASSERT_OK(of_second.Begin(second.get()));
  for (int i = 0; i < 5; ++i) {
    ARROWCDC_ASSERT_OK(server_->Run({"INSERT INTO shop.t VALUES (" + std::to_string(i) + ", 'x', 1)"}));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const LogEnd end, MakeEnd());
    ARROWCDC_ASSERT_OK(of_first.ReadUntil(first.get(), end.position));
    ARROWCDC_ASSERT_OK(of_second.ReadUntil(second.get(), end.position));
  }
  ExpectSame(&of_first);
  ExpectSame(&of_second);
}

// Nothing comes, and no end of the connection either: that is noticed, and the source can go on.
TEST_P(Complaints, DeadLink) {
  StartServer();
  ARROWCDC_ASSERT_OK_AND_ASSIGN(auto proxy, CuttingProxy::Start(server_->port()));
  struct Case {
    const char* settings;
    seconds at_least;
    seconds at_most;
  };
  std::vector<Case> cases = {{"ssl-mode=disabled&read-timeout=3", seconds(2), seconds(12)}};
  if (mysql()) {  // MariaDB 10.11 makes no certificate for itself
    cases.push_back({"ssl-mode=required&read-timeout=3", seconds(2), seconds(12)});
    cases.push_back({"ssl-mode=disabled", seconds(12), seconds(40)});
  }
  int id = 0;
  for (const Case& link : cases) {
    MysqlOptions options;
    options.url = "mysql://root@127.0.0.1:" + std::to_string(proxy->port()) + "/?" + link.settings;
    options.tables = {"shop.t"};
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto source, MakeMysqlSource(options));
    Replay replay;
    ARROWCDC_ASSERT_OK_AND_ASSIGN(replay.rows(kTable), Replay::Select(server_.get(), kTable));
    ARROWCDC_ASSERT_OK(replay.Begin(source.get()));
    ARROWCDC_ASSERT_OK(server_->Run({"INSERT INTO shop.t VALUES (" + std::to_string(++id) + ", 'x', 1)"}));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const LogEnd alive, MakeEnd());
    ARROWCDC_ASSERT_OK(replay.ReadUntil(source.get(), alive.position));
    proxy->Freeze(true);
    ARROWCDC_ASSERT_OK(server_->Run({"INSERT INTO shop.t VALUES (" + std::to_string(++id) + ", 'x', 1)"}));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const LogEnd end, MakeEnd());
    const auto frozen = std::chrono::steady_clock::now();
    arrow::Status lost;
    while (lost.ok() && std::chrono::steady_clock::now() < frozen + seconds(90))
      lost = replay.ReadOne(source.get());
    const auto waited = std::chrono::steady_clock::now() - frozen;
    ASSERT_EQ(KindOf(lost), ErrorKind::kConnection) << lost;
    EXPECT_TRUE(GetErrorDetail(lost)->retryable()) << lost;
    EXPECT_NE(lost.message().find("nothing came"), std::string::npos) << lost;
    EXPECT_GE(waited, link.at_least);
    EXPECT_LT(waited, link.at_most);
    proxy->Freeze(false);
    ARROWCDC_ASSERT_OK(replay.Begin(source.get()));
    ARROWCDC_ASSERT_OK(replay.ReadUntil(source.get(), end.position));
    ExpectSame(&replay);
    ARROWCDC_ASSERT_OK(source->Stop());
  }
}

// One event takes longer than the time after which a silent link is dead; bytes come all the while.
TEST_P(Complaints, ALargeEventOnASlowLink) {
  StartServer();
  // MariaDB makes no certificate for itself before 11.4.
  for (const std::string tls : {"disabled", mysql() ? "required" : "preferred"}) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(auto proxy, CuttingProxy::Start(server_->port()));
    MysqlOptions options;
    options.url =
        "mysql://root@127.0.0.1:" + std::to_string(proxy->port()) + "/?read-timeout=3&ssl-mode=" + tls;
    options.tables = {"shop.large"};
    ARROWCDC_ASSERT_OK(server_->Run(
        {"DROP TABLE IF EXISTS shop.large", "CREATE TABLE shop.large (id INT PRIMARY KEY, t LONGTEXT)"}));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto source, MakeMysqlSource(options));
    Replay replay;
    ARROWCDC_ASSERT_OK(replay.Begin(source.get()));
    proxy->Slow(1'000'000);
    ARROWCDC_ASSERT_OK(server_->Run({"INSERT INTO shop.large VALUES (1, REPEAT('x', 6000000))"}));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const LogEnd end, MakeEnd());
    ARROWCDC_ASSERT_OK(replay.ReadUntil(source.get(), end.position));
    EXPECT_EQ(replay.changes(), 1u);
    ARROWCDC_ASSERT_OK(source->Stop());
  }
}

// A server that looks for the place in large files, and says nothing meanwhile, is no dead link.
TEST_P(Complaints, AServerThatLooksForThePlace) {
  if (mysql()) GTEST_SKIP() << "MySQL gives signs of life meanwhile";
  StartServer();
  ARROWCDC_ASSERT_OK_AND_ASSIGN(auto proxy, CuttingProxy::Start(server_->port()));
  MysqlOptions options;
  options.url =
      "mysql://root@127.0.0.1:" + std::to_string(proxy->port()) + "/?ssl-mode=disabled&read-timeout=3";
  options.tables = {"shop.t"};
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto source, MakeMysqlSource(options));
  Replay replay;
  proxy->FreezeBehind(2);  // the name of the file, and its description
  ARROWCDC_ASSERT_OK(replay.Begin(source.get()));
  ARROWCDC_ASSERT_OK(arrowcdc::test::WaitFor([&] { return proxy->frozen(); }, seconds(30), "the dump"));
  const auto frozen = std::chrono::steady_clock::now();
  while (std::chrono::steady_clock::now() < frozen + seconds(8))
    ARROWCDC_ASSERT_OK(replay.ReadOne(source.get()));
  proxy->Freeze(false);
  ARROWCDC_ASSERT_OK(server_->Run({"INSERT INTO shop.t VALUES (1, 'x', 1)"}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const LogEnd end, MakeEnd());
  ARROWCDC_ASSERT_OK(replay.ReadUntil(source.get(), end.position));
  ExpectSame(&replay);
  // Once it has found it, it is.
  proxy->Freeze(true);
  arrow::Status lost;
  const auto again = std::chrono::steady_clock::now();
  while (lost.ok() && std::chrono::steady_clock::now() < again + seconds(60))
    lost = replay.ReadOne(source.get());
  EXPECT_EQ(KindOf(lost), ErrorKind::kConnection) << lost;
}

// Nor does a query wait for ever, whatever the link is under.
TEST_P(Complaints, DeadLinkUnderAQuery) {
  StartServer();
  ARROWCDC_ASSERT_OK(server_->Run({"CREATE TABLE shop.wide (s TEXT)"}));
  for (int i = 0; i < 12; ++i) {
    ARROWCDC_ASSERT_OK(server_->Run({i == 0 ? "INSERT INTO shop.wide VALUES (REPEAT('x', 20000))"
                                            : "INSERT INTO shop.wide SELECT s FROM shop.wide"}));
  }
  ARROWCDC_ASSERT_OK_AND_ASSIGN(auto proxy, CuttingProxy::Start(server_->port()));
  for (const char* const mode : {"disabled", "required"}) {
    if (!mysql() && std::string(mode) == "required") continue;
    SCOPED_TRACE(mode);
    ARROWCDC_ASSERT_OK_AND_ASSIGN(
        const Url url,
        ParseUrl("mysql://root@127.0.0.1:" + std::to_string(proxy->port()) + "/?ssl-mode=" + mode));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto asks, Connection::Open(url, std::make_shared<StopToken>(), 3));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto reads, Connection::Open(url, nullptr, 3));
    ARROWCDC_ASSERT_OK(reads->BeginSelect("SELECT s FROM shop.wide", 1));
    ARROWCDC_ASSERT_OK(reads->NextRow().status());
    proxy->Freeze(true);
    const auto frozen = std::chrono::steady_clock::now();
    arrow::Status lost = asks->Query("SELECT 1").status();
    EXPECT_EQ(KindOf(lost), ErrorKind::kConnection) << lost;
    EXPECT_LT(std::chrono::steady_clock::now() - frozen, seconds(20));
    for (lost = {}; lost.ok();) lost = reads->NextRow().status();
    EXPECT_EQ(KindOf(lost), ErrorKind::kConnection) << lost;
    EXPECT_TRUE(GetErrorDetail(lost) != nullptr && GetErrorDetail(lost)->retryable()) << lost;
    EXPECT_LT(std::chrono::steady_clock::now() - frozen, seconds(40));
    proxy->Freeze(false);
  }
}

}  // namespace
}  // namespace arrowcdc::mysql::test
