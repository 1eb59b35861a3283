// Copied rows against those that the binlog brought, and against SELECT while others write.
#include <algorithm>
#include <atomic>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <arrow/api.h>
#include <gtest/gtest.h>

#include "arrowcdc/error.h"
#include "arrowcdc/mysql.h"
#include "src/mysql/client/url.h"
#include "src/mysql/snapshot/snapshot_point.h"
#include "src/mysql/testing/batches.h"
#include "src/mysql/testing/mysql_server.h"
#include "src/mysql/testing/replay.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/seed.h"
#include "tests/testing/wait.h"

namespace arrowcdc::mysql::test {
namespace {

const WantedTables kEveryTable = [](const TableName&, uint32_t) { return true; };

class MysqlSnapshot : public testing::TestWithParam<Flavor> {
 protected:
  void SetUp() override {
    if (!HasServer(GetParam())) GTEST_SKIP() << "no server: tools/mysql_files.sh has not fetched it";
    ARROWCDC_ASSERT_OK_AND_ASSIGN(server_, MysqlServer::Create(GetParam()));
    ARROWCDC_ASSERT_OK(server_->Run({"CREATE DATABASE shop CHARACTER SET utf8mb4"}));
  }

  bool is_mysql() const { return GetParam() == Flavor::kMysql; }

  MysqlOptions Options() const {
    MysqlOptions options;
    options.url = server_->url();
    options.tables = {"shop.*"};
    options.snapshot_connections = 3;
    options.snapshot_part_bytes = 64 << 10;
    return options;
  }

  std::unique_ptr<Source> MakeSource(const MysqlOptions& options) {
    auto source = MakeMysqlSource(options);
    EXPECT_TRUE(source.ok()) << source.status();
    return source.ok() ? *std::move(source) : nullptr;
  }

  std::unique_ptr<MysqlServer> server_;
};

INSTANTIATE_TEST_SUITE_P(All, MysqlSnapshot, testing::Values(Flavor::kMysql, Flavor::kMariadb),
                         [](const testing::TestParamInfo<Flavor>& info) {
                           return info.param == Flavor::kMysql ? "Mysql" : "Mariadb";
                         });

std::vector<std::string> TypesSql(bool is_mysql) {
  const std::string json = is_mysql ? "json" : "json /* text */";
  std::string columns =
      "id BIGINT UNSIGNED PRIMARY KEY, t TINYINT, tu TINYINT UNSIGNED, b1 TINYINT(1), s SMALLINT, m "
      "MEDIUMINT, mu "
      "MEDIUMINT UNSIGNED, i INT, iu INT UNSIGNED, l BIGINT, f FLOAT, d DOUBLE, p DECIMAL(10,3), p65 "
      "DECIMAL(65,30), y YEAR, bi BIT(12), da DATE, ti TIME(6), dt DATETIME(6), dt0 DATETIME, ts "
      "TIMESTAMP(3) "
      "NULL, c CHAR(10), c1 CHAR(10) CHARACTER SET latin1, v VARCHAR(100), v2 VARCHAR(300) CHARACTER SET "
      "cp1251, bin BINARY(5), vb VARBINARY(300), tx TEXT, ltx LONGTEXT, bl BLOB, tb TINYBLOB, e ENUM('a','b "
      "c'), st SET('x','y','z'), j " +
      json + ", g GEOMETRY, hidden INT INVISIBLE DEFAULT 7";
  if (is_mysql) columns += ", ve VECTOR(3)";
  const std::string vector = is_mysql ? ", STRING_TO_VECTOR('[1,2.5,-3]')" : "";
  const std::string no_vector = is_mysql ? ", NULL" : "";
  const std::string names =
      "id, t, tu, b1, s, m, mu, i, iu, l, f, d, p, p65, y, bi, da, ti, dt, dt0, ts, c, c1, v, v2, bin, vb, "
      "tx, "
      "ltx, bl, tb, e, st, j, g, hidden" +
      std::string(is_mysql ? ", ve" : "");
  const std::string insert = "INSERT INTO shop.types (" + names + ") VALUES ";
  return {
      "SET sql_mode = ''", "CREATE TABLE shop.types (" + columns + ")",
      insert +
          "(18446744073709551615, -128, 255, 1, -32768, -8388608, 16777215, -2147483648, 4294967295, "
          "-9223372036854775808, 16777217, 1.7976931348623157e308, -1234567.891, "
          "-12345678901234567890123456789012345.123456789012345678901234567890, 2155, b'101010101010', "
          "'9999-12-31', '-838:59:59.000001', '2024-02-29 23:59:59.999999', '1000-01-01', "
          "'2038-01-19 03:14:07.999', 'trail  ', 'caf\xc3\xa9', '\xf0\x9f\x98\x80 four bytes', "
          "'\xd0\xbf\xd1\x80\xd0\xb8', x'00ff', x'0001', 'text', REPEAT('long ', 20000), x'00', '', 'b c', "
          "'x,z', '{\"a\": [1, 2.5, null, true, \"x\\\\u00e9\"], \"b\": {}}', "
          "ST_GeomFromText('POINT(1 2)'), -1" +
          vector + ")",
      insert +
          "(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -0.0, 0, 0, 0, 0, '0000-00-00', '00:00:00', '0000-00-00', "
          "'2024-02-00 01:02:03', '0000-00-00', '', '', '', '', '', '', '', '', '', '', '', '', '[]', "
          "ST_GeomFromText('LINESTRING(0 0, 1 1)'), 0" +
          no_vector + ")",
      "INSERT INTO shop.types (id) VALUES (5)"};
}

// Rows of a table as a batch without the metadata columns, by their first column.
arrow::Result<std::shared_ptr<arrow::Table>> ColumnsOf(const std::vector<ChangeBatch>& batches) {
  std::vector<std::shared_ptr<arrow::RecordBatch>> rows;
  for (const ChangeBatch& batch : batches) {
    std::vector<int> own(static_cast<size_t>(batch.table->column_count));
    for (size_t i = 0; i < own.size(); ++i) own[i] = static_cast<int>(i);
    own.push_back(batch.table->metadata_field(MetadataColumn::kUnrepresentable));
    ARROW_ASSIGN_OR_RAISE(auto selected, batch.rows->SelectColumns(own));
    rows.push_back(std::move(selected));
  }
  return arrow::Table::FromRecordBatches(rows);
}

// Limits that the server has for the queries of others would leave rows out, some of them without a word.
TEST_P(MysqlSnapshot, DefaultsOfTheServerLeaveNoRowsOut) {
  std::string values;
  for (int id = 0; id < 2000; ++id) values += (id == 0 ? "(" : ", (") + std::to_string(id) + ")";
  ARROWCDC_ASSERT_OK(server_->Run(
      {"CREATE TABLE shop.t (id INT)", "INSERT INTO shop.t VALUES " + values,
       "SET GLOBAL sql_select_limit = 10", "SET GLOBAL max_join_size = 10",
       is_mysql() ? "SET GLOBAL max_execution_time = 1" : "SET GLOBAL max_statement_time = 0.0001"}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto copied, Copied(Options()));
  int64_t rows = 0;
  for (const ChangeBatch& batch : copied) rows += batch.rows->num_rows();
  EXPECT_EQ(rows, 2000);
}

// A primary key that MySQL made, and does not show, is in the binlog.
TEST_P(MysqlSnapshot, CopiesKeysThatAreNotShown) {
  if (!is_mysql()) GTEST_SKIP() << "MariaDB makes no primary keys by itself";
  ARROWCDC_ASSERT_OK(server_->Run({"SET SESSION sql_generate_invisible_primary_key = 1",
                                   "CREATE TABLE shop.t (v INT)", "INSERT INTO shop.t VALUES (5)",
                                   "SET GLOBAL show_gipk_in_create_table_and_information_schema = 0"}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto copied, Copied(Options()));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto streamed, Streamed(Options()));
  ASSERT_FALSE(copied.empty() || streamed.empty());
  EXPECT_TRUE(copied[0].table->schema->Equals(*streamed[0].table->schema, /*check_metadata=*/true))
      << copied[0].table->schema->ToString(true);
}

// Each value that SELECT gives is the one that the binlog has: same types, names, metadata.
TEST_P(MysqlSnapshot, CopiedRowsAreThoseOfTheBinlog) {
  ARROWCDC_ASSERT_OK(server_->Run(TypesSql(is_mysql())));
  for (const auto choice : {Unrepresentable::kNull, Unrepresentable::kText}) {
    MysqlOptions options = Options();
    options.unrepresentable = choice;
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto streamed, Streamed(options));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto copied, Copied(options));
    ASSERT_FALSE(streamed.empty());
    ASSERT_FALSE(copied.empty());
    const TableSchema& schema = *streamed.back().table;
    EXPECT_TRUE(copied[0].table->schema->Equals(*schema.schema, /*check_metadata=*/true))
        << copied[0].table->schema->ToString(true) << "\nstreamed\n"
        << schema.schema->ToString(true);
    EXPECT_EQ(copied[0].table->fingerprint, schema.fingerprint);
    EXPECT_EQ(copied[0].table->table_id, schema.table_id);
    EXPECT_EQ(copied[0].table->key_fields, schema.key_fields);
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto from_binlog, ColumnsOf(streamed));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto from_select, ColumnsOf(copied));
    // By the key: 0, 5, 2^64 - 1; the binlog has them as they were inserted.
    ASSERT_EQ(from_binlog->num_rows(), 3);
    ASSERT_EQ(from_select->num_rows(), 3);
    const int64_t inserted_at[] = {1, 2, 0};
    for (int64_t row = 0; row < 3; ++row) {
      for (int column = 0; column < from_select->num_columns(); ++column) {
        ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto selected, from_select->column(column)->GetScalar(row));
        ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto logged,
                                      from_binlog->column(column)->GetScalar(inserted_at[row]));
        EXPECT_TRUE(selected->Equals(*logged)) << from_select->field(column)->name() << ": "
                                               << selected->ToString() << " and " << logged->ToString();
      }
    }
  }
}

// Under unrepresentable=text dates are what the server's own text is, also those that no calendar has.
TEST_P(MysqlSnapshot, DatesAsText) {
  ARROWCDC_ASSERT_OK(server_->Run(
      {"SET sql_mode = 'ALLOW_INVALID_DATES'", "SET time_zone = '+00:00'",
       "CREATE TABLE shop.dates (id INT PRIMARY KEY, da DATE, d0 DATETIME, d3 DATETIME(3), d6 DATETIME(6), "
       "s0 "
       "TIMESTAMP NULL, s1 TIMESTAMP(1) NULL, s6 TIMESTAMP(6) NULL, v VARCHAR(9))",
       "INSERT INTO shop.dates VALUES (1, '0000-00-00', '0000-00-00', '0000-00-00', '0000-00-00', "
       "'0000-00-00', "
       "'0000-00-00', '0000-00-00', 'x')",
       "INSERT INTO shop.dates VALUES (2, '2026-02-31', '2026-02-31 23:59:59', '2026-00-00 01:02:03.5', "
       "'0000-01-00 00:00:00.000001', '2038-01-19 03:14:07', '1970-01-01 00:00:01.9', "
       "'2000-02-29 12:34:56.789012', '')",
       "INSERT INTO shop.dates VALUES (3, '9999-12-31', '9999-12-31 23:59:59', '1000-01-01', "
       "'0001-01-01', '1999-12-31 23:59:59', NULL, '2024-02-29 00:00:00', NULL)",
       "INSERT INTO shop.dates (id) VALUES (4)"}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const Rows rows,
                                server_->Query("SELECT * FROM shop.dates ORDER BY id"));  // the text protocol
  std::vector<std::string> expected;
  for (const auto& row : rows) {
    std::string& line = expected.emplace_back();
    for (const auto& cell : row) line += (line.empty() ? "" : ", ") + cell.value_or("null");
  }
  ASSERT_EQ(expected.size(), 4u);
  MysqlOptions options = Options();
  options.unrepresentable = Unrepresentable::kText;
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto streamed, ValueLines(Streamed(options), "dates"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto copied, ValueLines(Copied(options), "dates"));
  EXPECT_EQ(streamed, expected);
  EXPECT_EQ(copied, expected);
}

// Whatever is written meanwhile: the copied rows with the changes behind the point are the table.
TEST_P(MysqlSnapshot, WhileOthersWrite) {
  std::mt19937_64 random(arrowcdc::test::Seed());
  const std::vector<TableName> tables = {{"shop", "a"}, {"shop", "b"}, {"shop", "c"}};
  for (const TableName& table : tables) {
    const std::string name = "shop." + table.table;
    // c has no key to be split by.
    const std::string key = table.table == "c" ? "k VARCHAR(20) PRIMARY KEY" : "k BIGINT PRIMARY KEY";
    ARROWCDC_ASSERT_OK(
        server_->Run({"CREATE TABLE " + name + " (" + key + ", n INT, s VARCHAR(200))",
                      "INSERT INTO " + name +
                          " WITH RECURSIVE r AS (SELECT 1 AS k UNION ALL SELECT k + 1 FROM r WHERE k < 900) "
                          "SELECT k * 10, k, REPEAT('x', 200) FROM r",
                      "ANALYZE TABLE " + name}));
  }
  std::atomic<bool> stop = false;
  std::vector<std::thread> writers;
  for (int w = 0; w < 2; ++w) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(std::shared_ptr<Connection> connection, server_->Connect());
    writers.emplace_back([&stop, connection, own = std::mt19937_64(random()), w]() mutable {
      for (int i = 0; !stop; ++i) {
        const std::string table = std::string("shop.") + "abc"[own() % 3];
        const std::string k = std::to_string(own() % 900 * 10 + static_cast<uint64_t>(w));
        const bool rolls_back = own() % 5 == 0;
        (void)connection->Query("BEGIN");
        (void)connection->Query("REPLACE INTO " + table + " VALUES (" + k + ", " + std::to_string(i) +
                                ", 'w')");
        (void)connection->Query("UPDATE " + table + " SET n = n + 1 WHERE k = " + k);
        if (own() % 3 == 0) (void)connection->Query("DELETE FROM " + table + " WHERE k = " + k);
        (void)connection->Query(rolls_back ? "ROLLBACK" : "COMMIT");
      }
    });
  }
  const auto source = MakeSource(Options());
  Replay replay;
  arrow::Status status = source->Connect().status();
  for (int round = 0; status.ok() && round < 3; ++round) {
    replay = Replay();
    const auto start = source->Resume({});
    status = start.status();
    if (!status.ok()) break;
    replay.set_position(*start);
    const auto snapshot = source->BeginSnapshot(kEveryTable, {});
    status = snapshot.status();
    if (status.ok()) status = replay.Copy(snapshot->get(), 3);
    if (status.ok()) status = replay.Catch(source.get());
    if (status.ok() && round < 2) status = source->Connect().status();
  }
  stop = true;
  for (std::thread& writer : writers) writer.join();
  ARROWCDC_ASSERT_OK(status);
  ARROWCDC_ASSERT_OK(replay.Catch(source.get()));
  for (const TableName& table : tables) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto rows, Replay::Select(server_.get(), table));
    EXPECT_EQ(replay.rows(table), rows) << table.table;
    EXPECT_GT(rows.size(), 500u);
  }
}

// Who keeps nothing asks again where to begin behind the copy: it is where it was before.
TEST_P(MysqlSnapshot, NowIsWhenItWasAskedForFirst) {
  ARROWCDC_ASSERT_OK(
      server_->Run({"CREATE TABLE shop.t (k INT PRIMARY KEY)", "INSERT INTO shop.t VALUES (1)"}));
  const auto source = MakeSource(Options());
  ARROWCDC_ASSERT_OK(source->Connect().status());
  ARROWCDC_ASSERT_OK(source->Resume({}).status());
  Replay replay;
  {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto snapshot, source->BeginSnapshot(kEveryTable, {}));
    ARROWCDC_ASSERT_OK(server_->Run({"INSERT INTO shop.t VALUES (2)"}));
    ARROWCDC_ASSERT_OK(replay.Copy(snapshot.get(), 1));
  }
  EXPECT_EQ(replay.rows({"shop", "t"}).size(), 1u);
  ARROWCDC_ASSERT_OK(source->Connect().status());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const LogEnd end, source->CurrentEnd());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const Position start, source->Resume({}));
  ARROWCDC_ASSERT_OK(source->Start(start));
  ARROWCDC_ASSERT_OK(replay.ReadUntil(source.get(), end.position));
  EXPECT_EQ(replay.rows({"shop", "t"}).size(), 2u);
}

// In the log, and not there for others: its session waits until a replica has it. Whether log_status waits
// for it or we look who owns a GTID, the point sees its row.
TEST_P(MysqlSnapshot, ACommitThatIsInTheLogAndNotDone) {
  if (!is_mysql()) GTEST_SKIP() << "MariaDB's position is that of what is committed";
  ARROWCDC_ASSERT_OK(server_->Run({"CREATE TABLE shop.t (k INT PRIMARY KEY)",
                                   "INSTALL PLUGIN rpl_semi_sync_source SONAME 'semisync_source.so'",
                                   "SET GLOBAL rpl_semi_sync_source_timeout = 2000"}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const Url url, ParseUrl(server_->url()));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(std::shared_ptr<Connection> writer, server_->Connect());
  const auto is_waiting = [this] {
    const auto rows = server_->Query("SHOW PROCESSLIST");
    return rows.ok() && std::any_of(rows->begin(), rows->end(), [](const auto& row) {
             return row[6].value_or("").find("semi-sync ACK") != std::string::npos;
           });
  };
  int written_rows = 0;
  for (const bool waits_for_commits : {WaitsForCommits(writer->server_version()), false}) {
    // After its time-out the server goes on without.
    ARROWCDC_ASSERT_OK(server_->Run(
        {"SET GLOBAL rpl_semi_sync_source_enabled = OFF", "SET GLOBAL rpl_semi_sync_source_enabled = ON"}));
    ++written_rows;
    arrow::Status written;
    std::thread thread([&] {
      written = writer->Query("INSERT INTO shop.t VALUES (" + std::to_string(written_rows) + ")").status();
    });
    const arrow::Status waited =
        arrowcdc::test::WaitFor(is_waiting, std::chrono::seconds(30), "the commit that waits");
    const auto point = TakePoint(url, nullptr, 2, waits_for_commits);
    std::vector<std::string> counts;
    for (size_t i = 0; point.ok() && i < point->connections.size(); ++i)
      counts.push_back(point->connections[i]->QueryValue("SELECT COUNT(*) FROM shop.t").ValueOr("?"));
    thread.join();
    ARROWCDC_ASSERT_OK(waited);
    ARROWCDC_ASSERT_OK(written);
    ARROWCDC_ASSERT_OK(point.status());
    EXPECT_EQ(counts, std::vector<std::string>(2, std::to_string(written_rows)));
  }
}

// Nothing tells then who is about to commit, so tables are locked for a moment.
TEST_P(MysqlSnapshot, WithoutGtids) {
  if (!is_mysql()) GTEST_SKIP() << "MariaDB always has them";
  ARROWCDC_ASSERT_OK(
      server_->Run({"SET GLOBAL gtid_mode = ON_PERMISSIVE", "SET GLOBAL gtid_mode = OFF_PERMISSIVE",
                    "SET GLOBAL gtid_mode = OFF", "CREATE USER cdc@'%' IDENTIFIED BY 'secret'",
                    "GRANT REPLICATION SLAVE, REPLICATION CLIENT, BACKUP_ADMIN, SELECT ON *.* TO cdc@'%'"}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const Url url,
                                ParseUrl(server_->url_as("cdc", "secret", "ssl-mode=preferred")));
  ARROWCDC_EXPECT_OK(TakePoint(url, nullptr, 2, true).status());
  const arrow::Status denied = TakePoint(url, nullptr, 2, false).status();
  const ErrorDetail* const detail = GetErrorDetail(denied);
  ASSERT_NE(detail, nullptr) << denied;
  EXPECT_EQ(detail->kind(), ErrorKind::kPermission);
  EXPECT_TRUE(denied.message().starts_with("without GTIDs")) << denied;
  EXPECT_TRUE(detail->remedy().starts_with("GRANT RELOAD ON *.* to it;")) << detail->remedy();
  ARROWCDC_ASSERT_OK(server_->Run({"GRANT RELOAD ON *.* TO cdc@'%'"}));
  ARROWCDC_EXPECT_OK(TakePoint(url, nullptr, 2, false).status());
  // What lasts passes.
  ARROWCDC_ASSERT_OK(server_->Run({"CREATE TABLE shop.t (k INT PRIMARY KEY)", "LOCK TABLES shop.t WRITE"}));
  const arrow::Status busy = TakePoint(url, nullptr, 2, false).status();
  ARROWCDC_ASSERT_OK(server_->Run({"UNLOCK TABLES"}));
  ASSERT_NE(GetErrorDetail(busy), nullptr) << busy;
  EXPECT_EQ(GetErrorDetail(busy)->kind(), ErrorKind::kBusy) << busy;
  EXPECT_TRUE(GetErrorDetail(busy)->retryable()) << busy;
}

TEST(WaitsForCommits, ByVersion) {
  for (const char* version : {"9.7.4", "9.7.0-commercial", "9.10.1", "10.0.0"})
    EXPECT_TRUE(WaitsForCommits(version)) << version;
  for (const char* version : {"8.0.42", "8.4.6", "9.6.0", "9", "", "x.y"})
    EXPECT_FALSE(WaitsForCommits(version)) << version;
}

TEST_P(MysqlSnapshot, ATableThatIsChangedIsReadAgainLater) {
  ARROWCDC_ASSERT_OK(
      server_->Run({"CREATE TABLE shop.t (k INT PRIMARY KEY)", "INSERT INTO shop.t VALUES (1), (2)"}));
  const auto source = MakeSource(Options());
  ARROWCDC_ASSERT_OK(source->Connect().status());
  for (const char* const change : {"ALTER TABLE shop.t ADD COLUMN n INT, ALGORITHM = COPY",
                                   "TRUNCATE TABLE shop.t", "DROP TABLE shop.t"}) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto snapshot, source->BeginSnapshot(kEveryTable, {}));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto reader, snapshot->MakeReader());
    ARROWCDC_ASSERT_OK(server_->Run({change}));
    const arrow::Status status = reader->NextPart().status();
    const ErrorDetail* const detail = GetErrorDetail(status);
    ASSERT_NE(detail, nullptr) << change << ": " << status;
    EXPECT_EQ(detail->kind(), ErrorKind::kBusy) << change;
    EXPECT_TRUE(detail->retryable()) << change;
    EXPECT_EQ(detail->object(), "table shop.t");
  }
}

// It is in the way of no other.
TEST_P(MysqlSnapshot, ATableThatIsChangedIsLeftForTheEnd) {
  ARROWCDC_ASSERT_OK(
      server_->Run({"CREATE TABLE shop.a (k INT PRIMARY KEY)", "CREATE TABLE shop.b (k INT PRIMARY KEY)",
                    "INSERT INTO shop.a VALUES (1)", "INSERT INTO shop.b VALUES (1), (2)"}));
  const auto source = MakeSource(Options());
  ARROWCDC_ASSERT_OK(source->Connect().status());
  for (const char* const change :
       {"ALTER TABLE shop.a ADD COLUMN n INT, ALGORITHM = COPY", "DROP TABLE shop.a"}) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto snapshot, source->BeginSnapshot(kEveryTable, {}));
    ASSERT_EQ(snapshot->tables().size(), 2u);
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto reader, snapshot->MakeReader());
    ARROWCDC_ASSERT_OK(server_->Run({change}));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto part, reader->NextPart());
    ASSERT_TRUE(part.has_value());
    EXPECT_EQ(snapshot->tables()[*part].name.table, "b");
    int64_t rows = 0;
    while (true) {
      ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto batch, reader->Next());
      if (!batch.has_value()) break;
      rows += batch->rows->num_rows();
    }
    EXPECT_EQ(rows, 2) << change;
    const arrow::Status ended = reader->NextPart().status();
    const ErrorDetail* const detail = GetErrorDetail(ended);
    ASSERT_NE(detail, nullptr) << change << ": " << ended;
    EXPECT_EQ(detail->kind(), ErrorKind::kBusy) << change;
    EXPECT_EQ(detail->object(), "table shop.a");
  }
}

TEST_P(MysqlSnapshot, OtherEnginesAreRefusedByName) {
  ARROWCDC_ASSERT_OK(server_->Run({"CREATE TABLE shop.old (k INT PRIMARY KEY) ENGINE = MyISAM"}));
  const auto source = MakeSource(Options());
  ARROWCDC_ASSERT_OK(source->Connect().status());
  const auto snapshot = source->BeginSnapshot(kEveryTable, {});
  const ErrorDetail* const detail = GetErrorDetail(snapshot.status());
  ASSERT_NE(detail, nullptr) << snapshot.status();
  EXPECT_EQ(detail->kind(), ErrorKind::kUnsupported);
  EXPECT_EQ(detail->object(), "table shop.old");
}

TEST_P(MysqlSnapshot, SequencesAndTablesThatKeepTheirHistory) {
  if (is_mysql()) GTEST_SKIP() << "MySQL has none";
  ARROWCDC_ASSERT_OK(server_->Run({"CREATE SEQUENCE shop.numbers", "SELECT NEXTVAL(shop.numbers)"}));
  const auto source = MakeSource(Options());
  ARROWCDC_ASSERT_OK(source->Connect().status());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto snapshot, source->BeginSnapshot(kEveryTable, {}));
  ASSERT_EQ(snapshot->tables().size(), 1);
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto reader, snapshot->MakeReader());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto part, reader->NextPart());
  ASSERT_TRUE(part.has_value());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto batch, reader->Next());
  ASSERT_TRUE(batch.has_value());
  EXPECT_EQ(batch->rows->num_rows(), 1);
  ARROWCDC_ASSERT_OK(server_->Run({"CREATE TABLE shop.history (k INT PRIMARY KEY) WITH SYSTEM VERSIONING"}));
  const auto refused = source->BeginSnapshot(kEveryTable, {});
  const ErrorDetail* const detail = GetErrorDetail(refused.status());
  ASSERT_NE(detail, nullptr) << refused.status();
  EXPECT_EQ(detail->kind(), ErrorKind::kUnsupported);
  EXPECT_EQ(detail->object(), "table shop.history");
}

// A table whose rows are copied can be changed while those of others are.
TEST_P(MysqlSnapshot, LetsGoOfTablesThatAreCopied) {
  ARROWCDC_ASSERT_OK(
      server_->Run({"CREATE TABLE shop.a (k INT PRIMARY KEY)", "CREATE TABLE shop.b (k INT PRIMARY KEY)",
                    "INSERT INTO shop.a VALUES (1)", "INSERT INTO shop.b VALUES (1), (2)",
                    "SET SESSION lock_wait_timeout = 1"}));
  MysqlOptions options = Options();
  options.snapshot_connections = 1;
  const auto source = MakeSource(options);
  ARROWCDC_ASSERT_OK(source->Connect().status());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto snapshot, source->BeginSnapshot(kEveryTable, {}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto reader, snapshot->MakeReader());
  const auto read_part = [&]() -> arrow::Result<int64_t> {
    int64_t rows = 0;
    ARROW_RETURN_NOT_OK(reader->NextPart().status());
    while (true) {
      ARROW_ASSIGN_OR_RAISE(const auto batch, reader->Next());
      if (!batch.has_value()) return rows;
      rows += batch->rows->num_rows();
    }
  };
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const int64_t of_a, read_part());
  EXPECT_EQ(of_a, 1);
  ARROWCDC_ASSERT_OK(server_->Run({"ALTER TABLE shop.a ADD COLUMN more INT", "INSERT INTO shop.b VALUES (3)",
                                   "INSERT INTO shop.a VALUES (2, 2)"}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const int64_t of_b, read_part());
  EXPECT_EQ(of_b, 2);  // as they were at the point
}

// information_schema lists only what the account may read.
TEST_P(MysqlSnapshot, ATableThatMayBeReadInPartIsRefusedByName) {
  ARROWCDC_ASSERT_OK(
      server_->Run({"CREATE TABLE shop.t (k INT PRIMARY KEY, v INT)", "CREATE USER cdc@'%'",
                    is_mysql() ? "GRANT REPLICATION SLAVE, REPLICATION CLIENT, RELOAD ON *.* TO cdc@'%'"
                               : "GRANT REPLICATION SLAVE, BINLOG MONITOR ON *.* TO cdc@'%'",
                    "GRANT SELECT (k), INSERT ON shop.t TO cdc@'%'"}));
  MysqlOptions options = Options();
  options.url = server_->url_as("cdc", "", "ssl-mode=preferred");
  const auto source = MakeSource(options);
  ARROWCDC_ASSERT_OK(source->Connect().status());
  const auto snapshot = source->BeginSnapshot(kEveryTable, {});
  const ErrorDetail* const detail = GetErrorDetail(snapshot.status());
  ASSERT_NE(detail, nullptr) << snapshot.status();
  EXPECT_EQ(detail->kind(), ErrorKind::kPermission) << snapshot.status();
  EXPECT_EQ(detail->object(), "table shop.t");
  ARROWCDC_ASSERT_OK(server_->Run({"GRANT SELECT ON shop.t TO cdc@'%'"}));
  ARROWCDC_EXPECT_OK(source->BeginSnapshot(kEveryTable, {}).status());
}

// Without the right to look at the log's status, and with none at all.
TEST_P(MysqlSnapshot, Rights) {
  ARROWCDC_ASSERT_OK(
      server_->Run({"CREATE TABLE shop.t (k INT PRIMARY KEY)", "INSERT INTO shop.t VALUES (1)",
                    "CREATE USER cdc@'%' IDENTIFIED BY 'secret'",
                    is_mysql() ? "GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO cdc@'%'"
                               : "GRANT REPLICATION SLAVE, BINLOG MONITOR ON *.* TO cdc@'%'",
                    "GRANT SELECT ON shop.* TO cdc@'%'"}));
  MysqlOptions options = Options();
  options.url = server_->url_as("cdc", "secret", "ssl-mode=preferred");
  const auto source = MakeSource(options);
  ARROWCDC_ASSERT_OK(source->Connect().status());
  const auto denied = source->BeginSnapshot(kEveryTable, {});
  if (is_mysql()) {
    const ErrorDetail* const detail = GetErrorDetail(denied.status());
    ASSERT_NE(detail, nullptr) << denied.status();
    EXPECT_EQ(detail->kind(), ErrorKind::kPermission);
    EXPECT_TRUE(
        denied.status().message().starts_with("the account may not read performance_schema.log_status"))
        << denied.status();
    EXPECT_NE(detail->remedy().find("BACKUP_ADMIN"), std::string::npos) << detail->remedy();
    EXPECT_NE(detail->remedy().find("log_status"), std::string::npos) << detail->remedy();
    ARROWCDC_ASSERT_OK(server_->Run({"GRANT SELECT ON performance_schema.log_status TO cdc@'%'"}));
    const auto lacking = source->BeginSnapshot(kEveryTable, {});
    ASSERT_NE(GetErrorDetail(lacking.status()), nullptr) << lacking.status();
    EXPECT_TRUE(lacking.status().message().starts_with("the account lacks BACKUP_ADMIN, and"))
        << lacking.status();
    EXPECT_EQ(GetErrorDetail(lacking.status())->remedy().find("log_status"), std::string::npos)
        << lacking.status();
    for (const char* const right : {"RELOAD", "BACKUP_ADMIN"}) {
      ARROWCDC_ASSERT_OK(server_->Run({std::string("GRANT ") + right + " ON *.* TO cdc@'%'"}));
      Replay replay;
      ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto snapshot, source->BeginSnapshot(kEveryTable, {}));
      ARROWCDC_ASSERT_OK(replay.Copy(snapshot.get(), 1));
      EXPECT_EQ(replay.rows({"shop", "t"}).size(), 1u) << right;
      ARROWCDC_ASSERT_OK(server_->Run({std::string("REVOKE ") + right + " ON *.* FROM cdc@'%'"}));
    }
  } else {
    ARROWCDC_ASSERT_OK(denied.status());  // each transaction tells where it is
  }
}

}  // namespace
}  // namespace arrowcdc::mysql::test
