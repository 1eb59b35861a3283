// The same WAL through both output plugins: wal2arrow, and pgoutput with values in binary and in text, give
// the same rows with the same identities, operations, values, names and types.
#include <gtest/gtest.h>

#include "arrowcdc/change_rows.h"
#include "arrowcdc/messages_table.h"
#include "arrowcdc/postgres.h"
#include "tests/end_to_end/slot_lines.h"
#include "tests/end_to_end/workload.h"
#include "arrowcdc/error.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/error_detail.h"
#include "tests/testing/private_server.h"
#include "tests/testing/seed.h"
#include "tests/testing/wait.h"

namespace arrowcdc::test {
namespace {

using std::string;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr char kTables[] = R"(
CREATE TYPE mood AS ENUM ('sad', 'it''s "ok"');
CREATE DOMAIN price AS numeric(8,3);
CREATE TABLE types (id int PRIMARY KEY, c_bool bool, c_int2 int2, c_float4 float4, c_float8 float8,
  c_numeric numeric(10,2), c_free numeric, c_money money, c_date date, c_timestamp timestamp,
  c_timestamptz timestamptz, c_time time, c_timetz timetz, c_interval interval, c_uuid uuid, c_json json,
  c_jsonb jsonb, c_bytea bytea, c_text text[], c_int int4[], c_inet inet, c_macaddr macaddr, c_bit bit(3),
  c_varbit varbit, c_mood mood, c_price price, c_char "char", c_bpchar char(4), c_name name, c_xid8 xid8,
  c_lsn pg_lsn, c_tsvector tsvector, c_xml xml, c_oid oid);
CREATE TABLE weak (id int, name text) PARTITION BY RANGE (id);
ALTER TABLE weak REPLICA IDENTITY FULL;
CREATE TABLE weak_1 PARTITION OF weak FOR VALUES FROM (0) TO (10);
ALTER TABLE weak_1 REPLICA IDENTITY FULL;
CREATE TABLE weak_2 (name text, id int PRIMARY KEY);
ALTER TABLE weak ATTACH PARTITION weak_2 FOR VALUES FROM (10) TO (20);
CREATE TABLE many (a int, b text, PRIMARY KEY (a, b));
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent);
CREATE TABLE "Odd.Name" ("a""b" int PRIMARY KEY, _op text, _lsn int);
CREATE TABLE toasted (id int PRIMARY KEY, body text, key_body text, n int);
ALTER TABLE toasted ALTER body SET STORAGE EXTERNAL, ALTER key_body SET STORAGE EXTERNAL;
CREATE TABLE toasted_full (LIKE toasted INCLUDING ALL);
ALTER TABLE toasted_full REPLICA IDENTITY FULL;
CREATE TABLE no_columns ();
ALTER TABLE no_columns REPLICA IDENTITY FULL;
CREATE SCHEMA unknown_types;
CREATE TABLE unknown_types.points (id int PRIMARY KEY, at point, item aclitem[]);
CREATE PUBLICATION known FOR TABLES IN SCHEMA public WITH (publish_via_partition_root);
CREATE PUBLICATION unknown FOR TABLES IN SCHEMA unknown_types;
)";

// One transaction a line, or statements of one.
const char* const kStatements[] = {
    R"(INSERT INTO types VALUES (1, true, -32768, '1e-45', '-0', -99999999.99, '0.000', '-92233720368547758.08',
       '4714-11-24 BC', '294247-01-10 04:00:54.775807', '1900-01-01 00:00:00+00', '23:59:59.999999',
       '12:00:00.5+15:59:59', '-1 mon +3 days -00:00:01.5', '30313233-3435-3637-3839-616263646566', '{"a": 1,  "a":2}',
       '{"b":[1, -2.50]}', '\x004100ff', ARRAY['a', NULL, '', 'NULL', 'q"\{,}'], '{1,NULL,3}', '::ffff:1.2.3.4',
       '08:00:2b:01:02:03', '101', '', 'it''s "ok"', 1.25, 'x', 'ab', 'a name', '18446744073709551615',
       'FFFFFFFF/FFFFFFFF', 'b:2A a:1', NULL, 4294967295))",
    R"(INSERT INTO types (id, c_float4, c_float8, c_numeric, c_free, c_date, c_timestamp, c_timestamptz, c_time,
       c_timetz, c_interval, c_text, c_int) VALUES (2, 'NaN', 'Infinity', 'NaN', '-Infinity', 'infinity',
       '294247-01-10 04:00:54.775808', '-infinity', '24:00:00', '24:00:00+00', '178000000 years', '{}', '{{1},{2}}'))",
    "UPDATE types SET c_bool = NOT c_bool, c_date = '2024-02-29'; DELETE FROM types WHERE id = 2",
    "INSERT INTO weak SELECT g, 'n' || g FROM generate_series(1, 5) g",
    "UPDATE weak SET name = name || '!' WHERE id < 3",
    "INSERT INTO weak SELECT g, 'n' || g FROM generate_series(11, 15) g; UPDATE weak SET name = 'x' WHERE id "
    "> 13",
    "UPDATE weak SET id = id + 15 WHERE id = 1; DELETE FROM weak WHERE id IN (2, 12)",
    "INSERT INTO many SELECT g, 'b' || g % 3 FROM generate_series(1, 1000) g",
    "UPDATE many SET b = b || 'z' WHERE a % 10 = 0; SAVEPOINT s; DELETE FROM many WHERE a < 500; ROLLBACK TO "
    "s; "
    "SAVEPOINT t; DELETE FROM many WHERE a > 900; RELEASE t",
    "INSERT INTO parent SELECT generate_series(1, 3); INSERT INTO child VALUES (1, 1)",
    "TRUNCATE parent, child, many RESTART IDENTITY",
    "INSERT INTO parent VALUES (7); TRUNCATE parent CASCADE; INSERT INTO parent VALUES (8)",
    R"(INSERT INTO "Odd.Name" VALUES (1, 'theirs', 5); UPDATE "Odd.Name" SET "a""b" = 2)",
    "INSERT INTO toasted VALUES (1, repeat('b', 9000), repeat('k', 9000), 1)",
    "INSERT INTO toasted_full SELECT * FROM toasted",
    "UPDATE toasted SET n = 2; UPDATE toasted_full SET n = 2",
    "UPDATE toasted SET body = repeat('c', 8000); UPDATE toasted_full SET id = 2",
    "INSERT INTO no_columns DEFAULT VALUES; INSERT INTO no_columns DEFAULT VALUES",
    "ALTER TABLE many ADD COLUMN late text DEFAULT 'dflt', DROP COLUMN a",
    "INSERT INTO many VALUES ('x')",
    "ALTER TABLE many RENAME TO many_before; CREATE TABLE many (a int PRIMARY KEY)",
    "INSERT INTO many VALUES (1); INSERT INTO many_before VALUES ('y')",
    "DROP TABLE many; CREATE TABLE many (a int PRIMARY KEY); INSERT INTO many VALUES (2)",
    "ANALYZE toasted; UPDATE toasted SET n = 3",
    "INSERT INTO unknown_types.points VALUES (1, '(0.1,1e300)', '{}')",
    "INSERT INTO parent VALUES (20); SELECT pg_logical_emit_message(true, 'in', 'a'); INSERT INTO parent "
    "VALUES "
    "(21); SELECT pg_logical_emit_message(false, 'out', '\\x00ff'::bytea); SAVEPOINT s; "
    "SELECT pg_logical_emit_message(true, 'never', ''); ROLLBACK TO s; SELECT pg_logical_emit_message(true, "
    "'', "
    "repeat('big', 100000))",
    "SELECT pg_logical_emit_message(true, U&'caf\\00e9', ''), pg_logical_emit_message(false, U&'\\fffdx', "
    "''), "
    "pg_logical_emit_message(true, repeat('p', 70000), 'of a prefix too long')",
};

class PluginsAgree : public testing::Test {
 protected:
  void SetUp() override {
    PrivateServerOptions options;
    options.settings = {{"logical_decoding_work_mem", "64kB"}};
    ARROWCDC_ASSERT_OK_AND_ASSIGN(server_, PrivateServer::Create(options));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(sql_, server_->Connect());
    ARROWCDC_ASSERT_OK(CreateWorkloadTables(*sql_));
    ARROWCDC_ASSERT_OK(sql_->Exec(kTables));
    for (const char* plugin : {"wal2arrow", "pgoutput"}) {
      ARROWCDC_ASSERT_OK(sql_->Query("SELECT pg_create_logical_replication_slot('" + string(plugin) + "', '" +
                                     plugin + "')"));
    }
  }

  void Change() {
    for (const char* statements : kStatements)
      ARROWCDC_ASSERT_OK(sql_->Exec("BEGIN; " + string(statements) + "; COMMIT"));
    ARROWCDC_ASSERT_OK(sql_->CopyIn("COPY many FROM STDIN", [] {
      string rows;
      for (int i = 10; i < 5000; ++i) rows += std::to_string(i) + "\n";
      return rows;
    }()));
    Workload workload(*server_, Seed(), 2);
    ARROWCDC_EXPECT_OK(WaitFor([&] { return workload.transactions() > 400; }, seconds(120), "the workload"));
    workload.Stop();
    EXPECT_EQ(workload.refused(), 0u) << workload.last_refusal();
  }

  void Compare(const std::vector<string>& publications, bool expect_binary) {
    SCOPED_TRACE(expect_binary ? "binary" : "text");
    PostgresOptions options;
    options.conninfo = server_->conninfo();
    options.publications = publications;
    options.messages = true;
    options.slot = "wal2arrow";
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const SlotLines wanted, ReadSlotLines(options));
    options.slot = "pgoutput";
    bool binary = false;
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const SlotLines got, ReadSlotLines(options, &binary));
    EXPECT_EQ(binary, expect_binary);
    ASSERT_GT(wanted.size(), 15u);
    EXPECT_TRUE(HasLine(wanted.at({"public", "weak"}), "weakened by public.weak_2"));
    EXPECT_TRUE(HasLine(wanted.at({"public", "toasted"}), "[body, key_body]"));
    EXPECT_EQ(wanted.at(MessagesTable()->name).size(), 1u + 6);  // a schema, and what was not rolled back
    ExpectSameLines(got, wanted);
  }

  std::unique_ptr<PrivateServer> server_;
  std::unique_ptr<SqlConnection> sql_;
};

TEST_F(PluginsAgree, OverTheSameWal) {
  std::printf("seed %llu\n", static_cast<unsigned long long>(Seed()));
  ASSERT_NO_FATAL_FAILURE(Change());
  Compare({"known"}, /*expect_binary=*/true);
  Compare({"known", "unknown"}, /*expect_binary=*/false);
}

// What a session of pgoutput does besides.
class Pgoutput : public PluginsAgree {
 protected:
  arrow::Status Start(const std::vector<string>& publications) {
    PostgresOptions options;
    options.conninfo = server_->conninfo();
    options.slot = "pgoutput";
    options.publications = publications;
    options.plugin = OutputPlugin::kPgoutput;
    ARROW_ASSIGN_OR_RAISE(source_, MakePostgresSource(options));
    return StartAgain();
  }
  arrow::Status StartAgain() {
    ARROW_RETURN_NOT_OK(source_->Connect());
    ARROW_ASSIGN_OR_RAISE(const Position start, source_->Resume({}));
    return source_->Start(start);
  }
  // Rows until there are so many; fewer, and the error, where the stream ends.
  arrow::Result<int64_t> AwaitRows(int64_t wanted) {
    const auto deadline = std::chrono::steady_clock::now() + seconds(60);
    for (rows_ = 0; rows_ < wanted && std::chrono::steady_clock::now() < deadline;) {
      ARROW_ASSIGN_OR_RAISE(const auto event, source_->Next(milliseconds(100)));
      if (!event.has_value()) continue;
      if (const auto* batch = std::get_if<ChangeBatch>(&*event)) rows_ += batch->rows->num_rows();
    }
    return rows_;
  }
  bool IsBinary() {
    const auto command = sql_->Scalar(
        "SELECT query FROM pg_stat_activity JOIN pg_replication_slots ON active_pid = pid WHERE slot_name = "
        "'pgoutput'");
    return command.ValueOr("").find("binary") != string::npos;
  }

  std::unique_ptr<Source> source_;
  int64_t rows_ = 0;
};

// 15 to 17 end the stream there, 18 warns and goes on without the rows.
TEST_F(Pgoutput, PublicationThatWasNotThere) {
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO parent VALUES (1)"));
  ARROWCDC_ASSERT_OK(sql_->Exec("CREATE PUBLICATION late FOR TABLE parent"));
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO parent VALUES (2)"));
  ARROWCDC_ASSERT_OK(Start({"late"}));
  const arrow::Status ended = AwaitRows(1).status();
  EXPECT_EQ(rows_, 0);
  EXPECT_EQ(KindOf(ended), ErrorKind::kPublicationMissing) << ended.ToString();
}

// The first is sent in a form that no reader knows, the second has none and ends the session.
TEST_F(Pgoutput, TypesThatComeLaterTurnTheSessionToText) {
  for (const string type : {"point", "aclitem[]"}) {
    SCOPED_TRACE(type);
    ARROWCDC_ASSERT_OK(sql_->Exec("CREATE TABLE late (id int PRIMARY KEY)"));
    ARROWCDC_ASSERT_OK(Start({"known"}));
    EXPECT_TRUE(IsBinary());
    ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO late VALUES (1)"));
    ARROWCDC_ASSERT_OK(AwaitRows(1));
    ARROWCDC_ASSERT_OK(sql_->Exec("ALTER TABLE late ADD COLUMN x " + type));
    ARROWCDC_ASSERT_OK(
        sql_->Exec("INSERT INTO late VALUES (2, '" + string(type == "point" ? "(1,2)" : "{}") + "')"));
    const arrow::Status ended = AwaitRows(1).status();
    ASSERT_FALSE(ended.ok());
    EXPECT_TRUE(DetailOf(ended).retryable()) << ended.ToString();
    ARROWCDC_ASSERT_OK(sql_->Exec("ALTER TABLE late DROP COLUMN x"));  // the catalog looks as before
    ARROWCDC_ASSERT_OK(StartAgain());
    EXPECT_FALSE(IsBinary());
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const int64_t rows, AwaitRows(2));
    EXPECT_EQ(rows, 2);
    ARROWCDC_ASSERT_OK(source_->Stop());
    ARROWCDC_ASSERT_OK(sql_->Exec("DROP TABLE late"));
    ARROWCDC_ASSERT_OK(
        sql_->Query("SELECT pg_replication_slot_advance('pgoutput', pg_current_wal_flush_lsn())"));
  }
}

// Whoever is told a position may acknowledge it: no row of a commit before it may still come.
TEST_F(Pgoutput, AKeepaliveIsBehindTheRowsThatAreHeld) {
  constexpr int kTransactions = 50;
  ARROWCDC_ASSERT_OK(Start({"known"}));
  uint64_t told = 0;
  int rows = 0;
  const auto deadline = std::chrono::steady_clock::now() + seconds(60);
  for (int id = 1; id <= kTransactions; ++id) {
    ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO parent VALUES (" + std::to_string(id) + ")"));
    while (rows < id) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
      source_->RequestKeepalive();
      ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto event, source_->Next(milliseconds(1)));
      if (!event.has_value()) continue;
      if (const auto* keepalive = std::get_if<KeepaliveEvent>(&*event)) {
        told = std::max(told, keepalive->position.order);
      } else if (const auto* batch = std::get_if<ChangeBatch>(&*event)) {
        ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto changes, ChangeRows::Make(*batch->table, *batch->rows));
        ASSERT_GE(changes.commit_lsn(0), told) << "row " << id;
        rows += static_cast<int>(batch->rows->num_rows());
      }
    }
  }
  EXPECT_EQ(rows, kTransactions);
  EXPECT_GT(told, 0u);
  ARROWCDC_ASSERT_OK(source_->Stop());
}

TEST_F(Pgoutput, SlotsAndTablesThatItCannotRead) {
  ARROWCDC_ASSERT_OK(
      sql_->Exec("CREATE TABLE odd (id int, twice int GENERATED ALWAYS AS (id * 2) STORED PRIMARY KEY);"
                 "CREATE PUBLICATION of_odd FOR TABLE odd;"
                 "CREATE PUBLICATION inserts FOR TABLE odd WITH (publish = 'insert')"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const string version, sql_->Scalar("SHOW server_version_num"));
  if (std::stoi(version) < 180000) {
    const arrow::Status refused = Start({"of_odd"});
    EXPECT_EQ(KindOf(refused), ErrorKind::kUnsupported) << refused.ToString();
    EXPECT_EQ(DetailOf(refused).object(), "table public.odd");
  }
  ARROWCDC_ASSERT_OK(Start({"inserts"}));
  ARROWCDC_ASSERT_OK(source_->Stop());
  source_.reset();
  ARROWCDC_ASSERT_OK(sql_->Query("SELECT pg_drop_replication_slot('pgoutput')"));
  ARROWCDC_ASSERT_OK(
      sql_->Query("SELECT pg_create_logical_replication_slot('pgoutput', 'pgoutput', false, true)"));
  const arrow::Status refused = Start({"known"});
  EXPECT_EQ(KindOf(refused), ErrorKind::kSlotMismatch) << refused.ToString();
}

}  // namespace
}  // namespace arrowcdc::test
