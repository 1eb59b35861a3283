// Every kind of change, from the same WAL through both output plugins: the same rows with the same
// identities. What the rows should be is written down where the two could be wrong alike.
#include <algorithm>
#include <thread>

#include <gtest/gtest.h>

#include "src/postgres/decode/pgoutput/pgoutput_decoder.h"
#include "src/postgres/decode/testing/memory_spool.h"
#include "tests/damaged_streams/recorded_stream.h"
#include "tests/end_to_end/slot_lines.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/error_detail.h"
#include "tests/testing/private_server.h"

namespace arrowcdc::test {
namespace {

using std::string;
using Strings = std::vector<string>;

class KindsAgree : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    PrivateServerOptions options;
    options.settings = {{"logical_decoding_work_mem", "64kB"},
                        {"max_prepared_transactions", "4"},
                        {"max_replication_slots", "40"}};
    ARROWCDC_ASSERT_OK_AND_ASSIGN(server_, PrivateServer::Create(options));
  }
  static void TearDownTestSuite() {
    EXPECT_EQ(server_->CountServerRestarts(), 0) << "a process of the server crashed";
    server_.reset();
  }

  // A database of its own with `ddl` run in it, then a slot for each plugin.
  void Prepare(const string& ddl) {
    static int number = 0;
    name_ = "kinds_" + std::to_string(++number);
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto admin, server_->Connect());
    ARROWCDC_ASSERT_OK(admin->Exec("CREATE DATABASE " + name_));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(sql_, server_->Connect(name_));
    ARROWCDC_ASSERT_OK(sql_->Exec(ddl));
    for (const string plugin : {"wal2arrow", "pgoutput"}) {
      ARROWCDC_ASSERT_OK(sql_->Query("SELECT pg_create_logical_replication_slot('" + SlotOf(plugin) + "', '" +
                                     plugin + "')"));
    }
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const string version, sql_->Scalar("SHOW server_version_num"));
    version_ = std::stoi(version);
  }

  string SlotOf(const string& plugin) const { return name_ + "_" + plugin; }

  void Sql(const string& statements) { ARROWCDC_ASSERT_OK(sql_->Exec(statements)); }
  // Each a transaction.
  void SqlEach(const Strings& transactions) {
    for (const string& statements : transactions) Sql("BEGIN; " + statements + "; COMMIT");
  }

  arrow::Result<SlotLines> Read(const string& plugin, const Strings& publications, Origin origin) {
    PostgresOptions options;
    options.conninfo = server_->conninfo(name_);
    options.slot = SlotOf(plugin);
    options.publications = publications;
    options.origin = origin;
    return ReadSlotLines(options);
  }

  // What both give.
  SlotLines ReadBoth(const Strings& publications = {"p"}, Origin origin = Origin::kAny) {
    const auto wanted = Read("wal2arrow", publications, origin);
    const auto got = Read("pgoutput", publications, origin);
    EXPECT_TRUE(wanted.ok()) << wanted.status().ToString();
    EXPECT_TRUE(got.ok()) << got.status().ToString();
    if (!wanted.ok() || !got.ok()) return {};
    ExpectSameLines(*got, *wanted);
    return *wanted;
  }

  // Operation and first columns of a table's rows: "insert 1 x".
  static Strings Rows(const SlotLines& lines, const string& table, int columns) {
    Strings rows;
    const auto found = lines.find({"public", table});
    if (found == lines.end()) return rows;
    for (const string& line : found->second) {
      if (line.starts_with("schema ")) continue;
      const Strings cells = Split(line);
      string row;
      for (const string& cell : cells) {
        if (IsOperation(cell)) {
          row = cell;
          break;
        }
      }
      for (int i = 0; i < columns; ++i) row += " " + cells[static_cast<size_t>(i)];
      rows.push_back(row);
    }
    return rows;
  }

  static std::unique_ptr<PrivateServer> server_;
  std::unique_ptr<SqlConnection> sql_;
  string name_;  // of the database
  int version_ = 0;

 private:
  static Strings Split(const string& line) {
    Strings cells;
    for (size_t at = 0; at < line.size();) {
      const size_t end = line.find(" | ", at);
      cells.push_back(line.substr(at, end - at));
      at = end == string::npos ? line.size() : end + 3;
    }
    return cells;
  }
  static bool IsOperation(const string& cell) {
    const Strings names = {"insert", "update_before", "update_after", "delete", "truncate"};
    return std::find(names.begin(), names.end(), cell) != names.end();
  }
};
std::unique_ptr<PrivateServer> KindsAgree::server_;

// --- row filters ---

TEST_F(KindsAgree, RowFilters) {
  Prepare(
      "CREATE TABLE keyed (id int PRIMARY KEY, v text); CREATE TABLE whole (a int, b text, g int GENERATED "
      "ALWAYS AS (a * 2) STORED); ALTER TABLE whole REPLICA IDENTITY FULL;"
      "CREATE PUBLICATION p FOR TABLE keyed WHERE (id > 10), whole WHERE (g > 20 OR b IS NULL);"
      "CREATE PUBLICATION q FOR TABLE keyed WHERE (id = 5) WITH (publish = 'insert');"
      "CREATE PUBLICATION r FOR TABLE whole WHERE (b ~ '^x.*[0-9]')");
  // Which publishes them by choice, and wants all of an identity published.
  for (const char* publication : {"p", "q", "r"}) {
    if (version_ >= 180000)
      Sql(string("ALTER PUBLICATION ") + publication + " SET (publish_generated_columns = stored)");
  }
  SqlEach(
      {"INSERT INTO keyed SELECT i, 'v' || i FROM generate_series(1, 20) i",
       "UPDATE keyed SET v = v || '!'; UPDATE keyed SET id = id + 100 WHERE id IN (5, 15)",
       "UPDATE keyed SET id = -id WHERE id > 17; DELETE FROM keyed WHERE id % 2 = 0",
       "INSERT INTO whole SELECT i, 'x' || i FROM generate_series(8, 13) i; INSERT INTO whole VALUES (1, "
       "NULL)",
       "UPDATE whole SET a = a + 2; UPDATE whole SET b = NULL WHERE a < 12; UPDATE whole SET b = 'y' WHERE a "
       "= 3",
       "DELETE FROM whole", "TRUNCATE keyed, whole"});
  EXPECT_EQ(
      Rows(ReadBoth({"r"}), "whole", 2),
      (Strings{"insert 8 x8",          "insert 9 x9",         "insert 10 x10",        "insert 11 x11",
               "insert 12 x12",        "insert 13 x13",       "update_before 8 x8",   "update_after 10 x8",
               "update_before 9 x9",   "update_after 11 x9",  "update_before 10 x10", "update_after 12 x10",
               "update_before 11 x11", "update_after 13 x11", "update_before 12 x12", "update_after 14 x12",
               "update_before 13 x13", "update_after 15 x13", "delete 10 x8",         "delete 11 x9",
               "delete 12 x10",        "delete 13 x11",       "delete 14 x12",        "delete 15 x13",
               "truncate null null"}));
  const SlotLines both = ReadBoth({"p", "q"});
  EXPECT_EQ(Rows(both, "keyed", 1).front(), "insert 5");
  ReadBoth({"p"});
  ReadBoth({"p", "q", "r"});
}

TEST_F(KindsAgree, RowFiltersAndLargeValues) {
  Prepare(
      "CREATE TABLE t (id int, big text, other text, n int); ALTER TABLE t REPLICA IDENTITY FULL;"
      "ALTER TABLE t ALTER big SET STORAGE EXTERNAL, ALTER other SET STORAGE EXTERNAL;"
      "CREATE TABLE k (big text, other text, n int, PRIMARY KEY (big, n)); ALTER TABLE k ALTER big SET "
      "STORAGE EXTERNAL, ALTER other SET STORAGE EXTERNAL;"
      "CREATE PUBLICATION p FOR TABLE t WHERE (n > 1 AND length(big) > 100), k WHERE (n > 1 AND big < 'y')");
  SqlEach({"INSERT INTO t VALUES (1, repeat('b', 9000), repeat('o', 9000), 1)", "UPDATE t SET n = 2",
           "UPDATE t SET other = repeat('p', 8000)", "UPDATE t SET n = 3, big = 'short'",
           "UPDATE t SET big = repeat('c', 7000)",
           "INSERT INTO k VALUES (repeat('b', 2100), repeat('o', 9000), 1), (repeat('z', 2100), NULL, 2)",
           "UPDATE k SET n = 3", "UPDATE k SET other = NULL", "UPDATE k SET n = 0", "DELETE FROM k"});
  const SlotLines lines = ReadBoth();
  // It moves in by its number, and its text comes with it; what is not in the key was not logged again.
  EXPECT_TRUE(HasLine(lines.at({"public", "k"}), "[other]"));
  EXPECT_EQ(Rows(lines, "t", 1),
            (Strings{"insert 1", "update_before 1", "update_after 1", "delete 1", "insert 1"}));
}

TEST_F(KindsAgree, RowFiltersOfPartitions) {
  Prepare(
      "CREATE TABLE root (id int, k int, v text) PARTITION BY LIST (k); ALTER TABLE root REPLICA IDENTITY "
      "FULL;"
      "CREATE TABLE one PARTITION OF root FOR VALUES IN (1); ALTER TABLE one REPLICA IDENTITY FULL;"
      "CREATE TABLE two (v text, gone int, k int, id int); ALTER TABLE two DROP COLUMN gone;"
      "ALTER TABLE two REPLICA IDENTITY FULL; ALTER TABLE root ATTACH PARTITION two FOR VALUES IN (2);"
      "CREATE TABLE deep (k int, v text, id int) PARTITION BY RANGE (id); ALTER TABLE deep REPLICA IDENTITY "
      "FULL; ALTER TABLE root ATTACH PARTITION deep FOR VALUES IN (3);"
      "CREATE TABLE deepest (id int, gone text, k int, v text); ALTER TABLE deepest DROP COLUMN gone;"
      "ALTER TABLE deepest REPLICA IDENTITY FULL;"
      "ALTER TABLE deep ATTACH PARTITION deepest FOR VALUES FROM (0) TO (100);"
      "CREATE PUBLICATION p FOR TABLE root WHERE (id > 5 AND v <> 'no') WITH (publish_via_partition_root);"
      "CREATE PUBLICATION middle FOR TABLE deep WHERE (id < 8) WITH (publish_via_partition_root);"
      "CREATE PUBLICATION leaves FOR TABLE one WHERE (id > 5), two WHERE (v = 'b'), deepest WHERE (k = 3)");
  SqlEach({"INSERT INTO root SELECT i, 1 + i % 3, chr(96 + i) FROM generate_series(1, 12) i",
           "UPDATE root SET id = id + 4; UPDATE root SET v = 'no' WHERE id % 2 = 0",
           "UPDATE root SET k = 1 + k % 3",
           "ALTER TABLE root ADD extra int DEFAULT 3; UPDATE root SET extra = id WHERE k = 2",
           "DELETE FROM root WHERE id > 9; TRUNCATE root"});
  EXPECT_GT(ReadBoth().at({"public", "root"}).size(), 20u);
  ReadBoth({"middle"});
  ReadBoth({"p", "middle"});
  ReadBoth({"leaves"});
}

TEST_F(KindsAgree, FiltersOfCopyAndOfAddedColumns) {
  Prepare(
      "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 3);"
      "ALTER TABLE t ADD late int DEFAULT 7; ALTER TABLE t REPLICA IDENTITY FULL;"
      "CREATE PUBLICATION p FOR TABLE t WHERE (late % 3 = 1)");
  string rows;
  for (int i = 10; i < 3000; ++i) rows += std::to_string(i) + "\t" + std::to_string(i % 5) + "\n";
  ARROWCDC_ASSERT_OK(sql_->CopyIn("COPY t FROM STDIN", rows));
  SqlEach({"UPDATE t SET id = -id WHERE id < 10", "DELETE FROM t WHERE id % 7 = 0"});
  EXPECT_EQ(std::count_if(rows.begin(), rows.end(), [](char c) { return c == '\n'; }), 2990);
  const Strings got = Rows(ReadBoth(), "t", 1);
  // Of five numbers 1 and 4 pass; then the three that had the default.
  EXPECT_EQ(
      std::count_if(got.begin(), got.end(), [](const string& row) { return row.starts_with("insert"); }),
      2990 * 2 / 5);
  EXPECT_EQ(std::count(got.begin(), got.end(), "update_after -3"), 1);
}

TEST_F(KindsAgree, PgoutputEndsAtAFilterThatRaisesAnError) {
  Prepare(
      "CREATE TABLE t (a int, b int); CREATE PUBLICATION p FOR TABLE t WHERE (a / b > 1) WITH (publish = "
      "insert); CREATE PUBLICATION q FOR TABLE t WITH (publish = insert)");
  Sql("INSERT INTO t VALUES (4, 2), (1, 1)");
  EXPECT_EQ(Rows(ReadBoth(), "t", 2), Strings{"insert 4 2"});
  Sql("INSERT INTO t VALUES (4, 0)");
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SlotLines passed, Read("wal2arrow", {"p"}, Origin::kAny));
  EXPECT_EQ(Rows(passed, "t", 2), (Strings{"insert 4 2", "insert 4 0"}));
  const arrow::Status ended = Read("pgoutput", {"p"}, Origin::kAny).status();
  ASSERT_EQ(KindOf(ended), ErrorKind::kUnsupported) << ended.ToString();
  EXPECT_NE(DetailOf(ended).remedy().find("row filter"), string::npos) << ended.ToString();
  EXPECT_FALSE(DetailOf(ended).retryable());
  // The remedy.
  EXPECT_EQ(Rows(ReadBoth({"q"}), "t", 2), (Strings{"insert 4 2", "insert 1 1", "insert 4 0"}));
}

// --- columns ---

TEST_F(KindsAgree, ColumnLists) {
  Prepare(
      "CREATE TABLE t (a int PRIMARY KEY, b text, c numeric(5,2), d int); CREATE TABLE root (id int PRIMARY "
      "KEY, x text, y int) PARTITION BY RANGE (id); CREATE TABLE leaf (y int, x text, id int PRIMARY KEY);"
      "ALTER TABLE root ATTACH PARTITION leaf FOR VALUES FROM (0) TO (100);"
      "CREATE PUBLICATION p FOR TABLE t (c, a), root (id, y) WITH (publish_via_partition_root);"
      "CREATE PUBLICATION same FOR TABLE t (a, c); CREATE PUBLICATION other FOR TABLE t (a);"
      "CREATE PUBLICATION filtered FOR TABLE t (a, d) WHERE (b IS NULL) WITH (publish = insert)");
  SqlEach({"INSERT INTO t VALUES (1, 'b', 1.5, 4), (2, NULL, NULL, NULL)",
           "UPDATE t SET b = 'only' WHERE a = 1", "UPDATE t SET a = 3 WHERE a = 1; DELETE FROM t WHERE a = 2",
           "INSERT INTO root VALUES (1, 'x', 1)", "UPDATE root SET x = 'z'; DELETE FROM root",
           "ALTER TABLE t DROP COLUMN d CASCADE", "INSERT INTO t VALUES (9, 'b', 9)"});
  EXPECT_EQ(Rows(ReadBoth(), "t", 2).front(), "insert 1 1.50");
  ReadBoth({"p", "same"});
  EXPECT_EQ(Rows(ReadBoth({"filtered"}), "t", 2), Strings{"insert 2 null"});
  for (const string plugin : {"wal2arrow", "pgoutput"}) {
    const arrow::Status refused = Read(plugin, {"p", "other"}, Origin::kAny).status();
    EXPECT_EQ(KindOf(refused), ErrorKind::kUnsupported) << refused.ToString();
    EXPECT_NE(refused.ToString().find("public.t"), string::npos) << refused.ToString();
    EXPECT_NE(DetailOf(refused).remedy().find("equal"), string::npos) << refused.ToString();
  }
}

TEST_F(KindsAgree, GeneratedColumns) {
  Prepare(
      "CREATE TABLE t (id int PRIMARY KEY, twice int GENERATED ALWAYS AS (id * 2) STORED, big text, size int "
      "GENERATED ALWAYS AS (length(big)) STORED); ALTER TABLE t ALTER big SET STORAGE EXTERNAL;"
      "CREATE TABLE full_t (id int, twice int GENERATED ALWAYS AS (id * 2) STORED);"
      "ALTER TABLE full_t REPLICA IDENTITY FULL; CREATE TABLE inserts (twice int GENERATED ALWAYS AS (id * "
      "2) "
      "STORED PRIMARY KEY, id int); CREATE PUBLICATION p FOR TABLE t, full_t;"
      "CREATE PUBLICATION i FOR TABLE inserts WITH (publish = 'insert, truncate')");
  if (version_ >= 180000) {
    Sql("ALTER PUBLICATION p DROP TABLE full_t; CREATE PUBLICATION stored FOR TABLE t, full_t WITH "
        "(publish_generated_columns = stored);"
        "ALTER TABLE t ADD never int GENERATED ALWAYS AS (id + 1) VIRTUAL;"
        "CREATE PUBLICATION listed FOR TABLE t (id, twice);"
        "CREATE PUBLICATION virtual FOR TABLE t WHERE (never > 2) WITH (publish = insert)");
  }
  SqlEach({"INSERT INTO t (id, big) VALUES (1, repeat('x', 9000)), (2, NULL)",
           "UPDATE t SET id = 3 WHERE id = 1",
           "UPDATE t SET big = 'y' WHERE id = 3; DELETE FROM t WHERE id = 2",
           "INSERT INTO full_t VALUES (1), (2)", "UPDATE full_t SET id = id + 1; DELETE FROM full_t",
           "INSERT INTO inserts (id) VALUES (1), (2)", "TRUNCATE inserts"});
  EXPECT_FALSE(HasLine(ReadBoth().at({"public", "t"}), "twice"));
  // Of its key wal2arrow alone sends the generated column, and without it there is no key.
  if (version_ >= 180000) {
    EXPECT_TRUE(HasLine(ReadBoth({"stored"}).at({"public", "t"}), "twice"));
    EXPECT_EQ(Rows(ReadBoth({"listed"}), "t", 2).front(), "insert 1 2");
    EXPECT_EQ(Rows(ReadBoth({"virtual"}), "t", 1), Strings{"insert 2"});
  }
}

// --- truncates ---

TEST_F(KindsAgree, Truncates) {
  Prepare(
      "CREATE TABLE a (id serial PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY REFERENCES a);"
      "CREATE TABLE c (id int REFERENCES b); CREATE TABLE root (id int) PARTITION BY RANGE (id);"
      "CREATE TABLE low PARTITION OF root FOR VALUES FROM (0) TO (10);"
      "CREATE TABLE high PARTITION OF root FOR VALUES FROM (10) TO (20) PARTITION BY RANGE (id);"
      "CREATE TABLE higher PARTITION OF high FOR VALUES FROM (15) TO (20); CREATE TABLE unpublished (id int);"
      "CREATE TABLE child () INHERITS (unpublished);"
      "CREATE PUBLICATION p FOR TABLE a, b, c, root, ONLY child WITH (publish_via_partition_root, publish = "
      "'insert, truncate');"
      "CREATE PUBLICATION leaves FOR TABLE a, c, root WITH (publish = 'insert, truncate');"
      "CREATE PUBLICATION middle FOR TABLE high, b WITH (publish_via_partition_root, publish = 'insert, "
      "truncate'); CREATE PUBLICATION inserts FOR TABLE a, root WITH (publish = insert)");
  SqlEach({"INSERT INTO a VALUES (1); INSERT INTO b VALUES (1); INSERT INTO c VALUES (1)",
           "TRUNCATE a, b, c RESTART IDENTITY", "TRUNCATE a CASCADE", "TRUNCATE c, unpublished, child",
           "INSERT INTO root VALUES (1), (16); TRUNCATE root; INSERT INTO root VALUES (2)", "TRUNCATE low",
           "TRUNCATE high, c RESTART IDENTITY CASCADE", "TRUNCATE higher; TRUNCATE c, low, higher",
           "TRUNCATE unpublished", "SAVEPOINT s; TRUNCATE c; ROLLBACK TO s; TRUNCATE b CASCADE"});
  const SlotLines lines = ReadBoth();
  EXPECT_EQ(Rows(lines, "root", 1), (Strings{"insert 1", "insert 16", "truncate null", "insert 2"}));
  EXPECT_TRUE(HasLine(lines.at({"public", "b"}), "cascade"));
  EXPECT_TRUE(HasLine(lines.at({"public", "a"}), "restart"));
  EXPECT_EQ(Rows(ReadBoth({"leaves"}), "low", 1),
            (Strings{"insert 1", "truncate null", "insert 2", "truncate null", "truncate null"}));
  ReadBoth({"middle"});
  ReadBoth({"inserts"});
}

// --- origins ---

TEST_F(KindsAgree, Origins) {
  Prepare(
      "CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE u (id int); CREATE PUBLICATION p FOR TABLE "
      "t, u WITH (publish = 'insert, update, delete, truncate'); ALTER TABLE u REPLICA IDENTITY FULL;"
      "SELECT pg_replication_origin_create('elsewhere')");
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto applier, server_->Connect(name_));
  ARROWCDC_ASSERT_OK(applier->Query("SELECT pg_replication_origin_session_setup('elsewhere')"));
  Sql("INSERT INTO t VALUES (1, 'here')");
  ARROWCDC_ASSERT_OK(
      applier->Exec("INSERT INTO t VALUES (2, 'there'); UPDATE t SET v = 'seen there' WHERE id = 1"));
  ARROWCDC_ASSERT_OK(
      applier->Exec("BEGIN; INSERT INTO u SELECT generate_series(1, 5000); SAVEPOINT s; INSERT INTO "
                    "u VALUES (-1); ROLLBACK TO s; TRUNCATE u; ALTER TABLE t ADD x int; COMMIT"));
  Sql("UPDATE t SET x = 5 WHERE id = 2; INSERT INTO u VALUES (3)");
  ARROWCDC_ASSERT_OK(applier->Exec("DELETE FROM t WHERE id = 1; DROP TABLE u"));
  Sql("DELETE FROM t WHERE id = 2");
  const SlotLines all = ReadBoth();
  EXPECT_EQ(Rows(all, "t", 2), (Strings{"insert 1 here", "insert 2 there", "update_after 1 seen there",
                                        "update_after 2 there", "delete 1 null", "delete 2 null"}));
  EXPECT_EQ(Rows(all, "u", 1).size(), 5000u + 1 + 1);
  const SlotLines ours = ReadBoth({"p"}, Origin::kNone);
  EXPECT_EQ(Rows(ours, "t", 2), (Strings{"insert 1 here", "update_after 2 there", "delete 2 null"}));
  EXPECT_EQ(Rows(ours, "u", 1), Strings{"insert 3"});
  ARROWCDC_ASSERT_OK(applier->Query("SELECT pg_replication_origin_session_reset()"));
  ARROWCDC_ASSERT_OK(sql_->Query("SELECT pg_replication_origin_drop('elsewhere')"));
}

// --- partitions ---

TEST_F(KindsAgree, Partitions) {
  Prepare(
      "CREATE TABLE root (id int, k int, v text, PRIMARY KEY (id, k)) PARTITION BY LIST (k);"
      "CREATE TABLE one PARTITION OF root FOR VALUES IN (1);"
      "CREATE TABLE two (v text, gone int, k int NOT NULL, also_gone text, id int NOT NULL);"
      "ALTER TABLE two DROP COLUMN gone, DROP COLUMN also_gone; ALTER TABLE root ATTACH PARTITION two FOR "
      "VALUES "
      "IN (2); CREATE TABLE three (k int NOT NULL, id int NOT NULL, v text) PARTITION BY RANGE (id);"
      "ALTER TABLE root ATTACH PARTITION three FOR VALUES IN (3);"
      "CREATE TABLE leaf PARTITION OF three FOR VALUES FROM (0) TO (1000);"
      "CREATE PUBLICATION p FOR TABLE root WITH (publish_via_partition_root);"
      "CREATE PUBLICATION leaves FOR TABLE root; CREATE PUBLICATION middle FOR TABLE three WITH "
      "(publish_via_partition_root); CREATE PUBLICATION everything FOR ALL TABLES");
  SqlEach(
      {"INSERT INTO root SELECT i, 1 + i % 3, 'v' || i FROM generate_series(1, 30) i",
       "UPDATE root SET v = v || '!' WHERE id % 2 = 0; UPDATE root SET id = id + 100 WHERE id < 5",
       "UPDATE root SET k = 1 + k % 3 WHERE id > 20", "DELETE FROM root WHERE id % 5 = 0",
       "ALTER TABLE root ADD late int DEFAULT 4; UPDATE root SET late = 5 WHERE id % 3 = 0",
       "ALTER TABLE root DETACH PARTITION two; INSERT INTO two (id, k) VALUES (500, 2)",
       "CREATE TABLE four (late int, v text, id int NOT NULL, k int NOT NULL);"
       " ALTER TABLE root ATTACH PARTITION four FOR VALUES IN (4); INSERT INTO root VALUES (600, 4, 'new', "
       "1);"
       " UPDATE root SET k = 1 WHERE id = 600",
       "ALTER TABLE root ATTACH PARTITION two FOR VALUES IN (2); UPDATE root SET v = 'again' WHERE k = 2",
       "ALTER TABLE root RENAME v TO w; ALTER TABLE root DROP COLUMN late; UPDATE root SET w = 'x' WHERE k "
       "<> 2"});
  EXPECT_GT(Rows(ReadBoth(), "root", 1).size(), 60u);
  EXPECT_GT(Rows(ReadBoth({"leaves"}), "two", 1).size(), 10u);
  ReadBoth({"middle"});
  ReadBoth({"leaves", "middle"});
  ReadBoth({"everything"});
}

// --- statements that are more than one kind of change ---

TEST_F(KindsAgree, OnConflict) {
  Prepare(
      "CREATE TABLE t (id int PRIMARY KEY, n int DEFAULT 0, big text); ALTER TABLE t ALTER big SET STORAGE "
      "EXTERNAL; CREATE TABLE unique_too (id int PRIMARY KEY, name text UNIQUE);"
      "CREATE PUBLICATION p FOR TABLE t, unique_too");
  SqlEach({"INSERT INTO t SELECT i FROM generate_series(1, 5) i ON CONFLICT DO NOTHING",
           "INSERT INTO t SELECT i FROM generate_series(4, 8) i ON CONFLICT DO NOTHING",
           "INSERT INTO t SELECT i, 0, repeat('b', 5000) FROM generate_series(7, 10) i ON CONFLICT (id) DO "
           "UPDATE SET n = "
           "t.n + 1, big = excluded.big",
           "INSERT INTO t VALUES (10) ON CONFLICT (id) DO UPDATE SET id = 11",
           "INSERT INTO unique_too VALUES (1, 'a') ON CONFLICT (name) DO UPDATE SET id = 9 WHERE false",
           "INSERT INTO unique_too VALUES (2, 'a') ON CONFLICT (name) DO UPDATE SET id = excluded.id"});
  // Sessions that insert the same keys at the same time take back what they began.
  constexpr int kKeys = 200;
  std::vector<std::thread> sessions;
  for (int session = 0; session < 4; ++session) {
    sessions.emplace_back([this] {
      ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto sql, server_->Connect(name_));
      for (int key = 0; key < kKeys; ++key) {
        ARROWCDC_ASSERT_OK(sql->Exec("INSERT INTO unique_too VALUES (" + std::to_string(1000 + key) + ", 'k" +
                                     std::to_string(key) + "') ON CONFLICT DO NOTHING"));
      }
    });
  }
  for (std::thread& session : sessions) session.join();
  const SlotLines lines = ReadBoth();
  EXPECT_EQ(Rows(lines, "unique_too", 1).size(), 1u + 2 + kKeys);
  Strings rows = Rows(lines, "t", 2);
  EXPECT_EQ(rows[8], "update_after 7 1");
  EXPECT_EQ((Strings{rows.end() - 2, rows.end()}), (Strings{"update_before 10 null", "update_after 11 0"}));
}

TEST_F(KindsAgree, MergeTriggersAndCascades) {
  Prepare(
      "CREATE TABLE target (id int PRIMARY KEY, n int); CREATE TABLE log (what text); CREATE TABLE child (id "
      "int PRIMARY KEY, parent int REFERENCES target ON DELETE CASCADE ON UPDATE CASCADE);"
      "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO log VALUES (TG_OP); "
      "RETURN NULL; END $$; CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON target FOR EACH ROW "
      "EXECUTE "
      "FUNCTION note(); CREATE PUBLICATION p FOR TABLE target, child, log WHERE (what <> 'INSERT') WITH "
      "(publish = 'insert, update, delete'); ALTER TABLE log REPLICA IDENTITY FULL");
  SqlEach(
      {"INSERT INTO target SELECT i, i FROM generate_series(1, 6) i; INSERT INTO child VALUES (1, 1), (2, 2)",
       "MERGE INTO target AS t USING generate_series(4, 9) AS s(id) ON t.id = s.id WHEN MATCHED AND s.id = 4 "
       "THEN "
       "DELETE WHEN MATCHED THEN UPDATE SET n = n + 100 WHEN NOT MATCHED AND s.id < 9 THEN INSERT VALUES "
       "(s.id, -1) "
       "WHEN NOT MATCHED THEN DO NOTHING",
       "UPDATE target SET id = 20 WHERE id = 1", "DELETE FROM target WHERE id = 2",
       "WITH gone AS (DELETE FROM child RETURNING *), more AS (INSERT INTO target SELECT 50 + id FROM gone) "
       "UPDATE "
       "target SET n = 7 WHERE id = 3",
       "SELECT * FROM target FOR UPDATE"});
  const SlotLines lines = ReadBoth();
  // What MERGE does first follows from its plan.
  Strings merged = Rows(lines, "target", 2);
  merged = {merged.begin() + 6, merged.begin() + 11};
  std::sort(merged.begin(), merged.end());
  EXPECT_EQ(merged, (Strings{"delete 4 null", "insert 7 -1", "insert 8 -1", "update_after 5 105",
                             "update_after 6 106"}));
  EXPECT_EQ(Rows(lines, "log", 1).front(), "insert DELETE");
  EXPECT_EQ(Rows(lines, "child", 2),
            (Strings{"insert 1 1", "insert 2 2", "update_after 1 20", "delete 2 null", "delete 1 null"}));
}

TEST_F(KindsAgree, IdentityAndColumnsThatChangeInATransaction) {
  Prepare(
      "CREATE TABLE t (id int PRIMARY KEY, a int NOT NULL, b text); CREATE UNIQUE INDEX by_a ON t (a);"
      "CREATE PUBLICATION p FOR ALL TABLES");
  SqlEach(
      {"INSERT INTO t SELECT i, i * 10, 'b' FROM generate_series(1, 4) i",
       "UPDATE t SET a = 11 WHERE id = 1; ALTER TABLE t REPLICA IDENTITY USING INDEX by_a; UPDATE t SET a = "
       "21 WHERE id "
       "= 2; ALTER TABLE t REPLICA IDENTITY FULL; UPDATE t SET b = 'full' WHERE id = 3; ALTER TABLE t "
       "REPLICA IDENTITY "
       "DEFAULT; DELETE FROM t WHERE id = 4",
       "ALTER TABLE t ADD c int DEFAULT 5; UPDATE t SET c = 6 WHERE id = 1; ALTER TABLE t DROP COLUMN b; "
       "INSERT INTO t "
       "VALUES (7, 70, 7); ALTER TABLE t ALTER a TYPE bigint; INSERT INTO t VALUES (8, 80, 8); ALTER TABLE t "
       "RENAME c TO "
       "d; UPDATE t SET d = 9 WHERE id = 8; SAVEPOINT s; ALTER TABLE t DROP COLUMN d; INSERT INTO t VALUES "
       "(9, 90); "
       "ROLLBACK TO s; INSERT INTO t VALUES (10, 100, 10)",
       "CREATE TABLE fresh (x int); INSERT INTO fresh VALUES (1); ALTER TABLE fresh RENAME TO renamed; "
       "INSERT INTO "
       "renamed VALUES (2); DROP TABLE renamed; CREATE TABLE fresh (x text); INSERT INTO fresh VALUES "
       "('other')",
       "CREATE SCHEMA s; ALTER TABLE t SET SCHEMA s; INSERT INTO s.t VALUES (11, 110, 11); ALTER TABLE s.t "
       "SET SCHEMA "
       "public; ALTER TABLE t REPLICA IDENTITY NOTHING",
       "INSERT INTO t VALUES (12, 120, 12); ALTER TABLE t REPLICA IDENTITY DEFAULT; ALTER TABLE t DROP "
       "CONSTRAINT "
       "t_pkey; INSERT INTO t VALUES (13, 130, 13)",
       "CREATE TABLE copied AS SELECT * FROM t; TRUNCATE t, copied"});
  const SlotLines lines = ReadBoth();
  const Strings rows = Rows(lines, "t", 3);
  EXPECT_EQ((Strings{rows.begin() + 4, rows.begin() + 10}),
            (Strings{"update_after 1 11 b", "update_before null 20 null", "update_after 2 21 b",
                     "update_before 3 30 b", "update_after 3 30 full", "delete 4 null null"}));
  EXPECT_EQ(Rows(lines, "renamed", 1), Strings{"insert 2"});
}

// wal2arrow knows the types as they were; pgoutput's rows have the values as text, as the server's output
// functions write them.
TEST_F(KindsAgree, TypesThatAreGone) {
  Prepare(
      "CREATE TYPE color AS ENUM ('red'); CREATE DOMAIN price AS numeric(5,1); CREATE TYPE pair AS (n int, c "
      "color); CREATE TABLE t (c color, p price, id int PRIMARY KEY, cs color[], pair pair);"
      "CREATE TABLE stays (id int PRIMARY KEY, v text); CREATE PUBLICATION p FOR TABLE t, stays");
  SqlEach({"INSERT INTO t VALUES ('red', 1.5, 1, '{red,NULL}', ROW(1, 'red')), (NULL, NULL, 2, '{}', NULL)",
           "INSERT INTO stays VALUES (1, 'between'); UPDATE t SET c = NULL WHERE id = 1",
           "DROP TABLE t; DROP TYPE color, pair CASCADE; DROP DOMAIN price",
           "INSERT INTO stays VALUES (2, 'behind')"});
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SlotLines known, Read("wal2arrow", {"p"}, Origin::kAny));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SlotLines as_text, Read("pgoutput", {"p"}, Origin::kAny));
  EXPECT_EQ(
      Rows(known, "t", 5),
      (Strings{"insert red 1.5 1 [red, null] {n:int32 = 1, c:string = red}", "insert null null 2 [] null",
               "update_after null 1.5 1 [red, null] {n:int32 = 1, c:string = red}"}));
  EXPECT_EQ(Rows(as_text, "t", 5),
            (Strings{"insert red 1.5 1 {red,NULL} (1,red)", "insert null null 2 {} null",
                     "update_after null 1.5 1 {red,NULL} (1,red)"}));
  for (const SlotLines& lines : {known, as_text})
    EXPECT_EQ(Rows(lines, "stays", 2), (Strings{"insert 1 between", "insert 2 behind"}));
}

// What was identified stays so; from then on the server lets nobody update or delete.
TEST_F(KindsAgree, AnIdentityWhoseIndexIsDropped) {
  Prepare(
      "CREATE TABLE t (id int NOT NULL, v text); CREATE UNIQUE INDEX by_id ON t (id); ALTER TABLE t REPLICA "
      "IDENTITY USING INDEX by_id; CREATE PUBLICATION p FOR TABLE t");
  SqlEach({"INSERT INTO t VALUES (1, 'a'), (2, 'b')",
           "UPDATE t SET id = 3 WHERE id = 1; DELETE FROM t WHERE id = 2",
           "DROP INDEX by_id; INSERT INTO t VALUES (4, 'c')"});
  EXPECT_FALSE(sql_->Exec("UPDATE t SET v = 'd'").ok());
  EXPECT_FALSE(sql_->Exec("DELETE FROM t").ok());
  const SlotLines lines = ReadBoth();
  EXPECT_EQ(Rows(lines, "t", 2), (Strings{"insert 1 a", "insert 2 b", "update_before 1 null",
                                          "update_after 3 a", "delete 2 null", "insert 4 c"}));
  // Two versions of the table, the second without a key.
  const auto& all = lines.at({"public", "t"});
  const auto schemas =
      std::count_if(all.begin(), all.end(), [](const string& line) { return line.starts_with("schema "); });
  EXPECT_EQ(schemas, 2);
}

// It tells no row from the others by equality: it is no key of its changes.
TEST_F(KindsAgree, KeysWithoutOverlaps) {
  Prepare("CREATE PUBLICATION p; CREATE PUBLICATION inserts WITH (publish = 'insert')");
  if (version_ < 180000) GTEST_SKIP() << "PostgreSQL 18 and later have them";
  Sql("CREATE TABLE t (room int4range, during daterange, v int, PRIMARY KEY (room, during WITHOUT OVERLAPS));"
      "ALTER PUBLICATION inserts ADD TABLE t");
  PostgresOptions options;
  options.conninfo = server_->conninfo(name_);
  options.slot = "refused";
  options.tables = {"public.t"};
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SetupPlan plan, PlanSetup(options, {}));
  const arrow::Status refused = CheckObstacles(plan);
  EXPECT_EQ(KindOf(refused), ErrorKind::kReplicaIdentity);
  EXPECT_NE(refused.ToString().find("public.t (it has no primary key"), string::npos) << refused.ToString();
  SqlEach({"INSERT INTO t VALUES ('[1,2)', '[2024-01-01,2024-02-01)', 1)"});
  EXPECT_EQ(Rows(ReadBoth({"inserts"}), "t", 0), Strings{"insert"});
  Sql("ALTER TABLE t REPLICA IDENTITY FULL; ALTER PUBLICATION p ADD TABLE t");
  SqlEach({"UPDATE t SET v = 2", "UPDATE t SET during = '[2024-03-01,2024-04-01)'", "DELETE FROM t"});
  EXPECT_EQ(Rows(ReadBoth(), "t", 0),
            (Strings{"update_before", "update_after", "update_before", "update_after", "delete"}));
}

TEST_F(KindsAgree, InfiniteIntervals) {
  Prepare("CREATE TABLE t (id int PRIMARY KEY, v interval); CREATE PUBLICATION p FOR TABLE t");
  if (version_ < 170000) GTEST_SKIP() << "PostgreSQL 17 and later have them";
  SqlEach({"INSERT INTO t VALUES (1, 'infinity'), (2, '-infinity'), (3, '1 day')"});
  const SlotLines lines = ReadBoth();
  const Strings rows = Rows(lines, "t", 2);
  EXPECT_EQ((Strings{rows.begin(), rows.begin() + 2}), (Strings{"insert 1 null", "insert 2 null"}));
  const auto& all = lines.at({"public", "t"});
  EXPECT_EQ(std::count_if(all.begin(), all.end(),
                          [](const string& line) { return line.find("[v]") != string::npos; }),
            2)
      << all.back();
}

TEST_F(KindsAgree, PreparedTransactionsComeWholeWhenTheyAreCommitted) {
  Prepare("CREATE TABLE t (id int PRIMARY KEY); CREATE PUBLICATION p FOR TABLE t");
  Sql("BEGIN; INSERT INTO t SELECT generate_series(1, 3000); SAVEPOINT s; INSERT INTO t VALUES (-1); "
      "ROLLBACK TO s; "
      "PREPARE TRANSACTION 'kept'");
  Sql("BEGIN; INSERT INTO t VALUES (5000); PREPARE TRANSACTION 'dropped'");
  Sql("INSERT INTO t VALUES (6000)");
  EXPECT_EQ(Rows(ReadBoth(), "t", 1), Strings{"insert 6000"});
  Sql("ROLLBACK PREPARED 'dropped'");
  Sql("COMMIT PREPARED 'kept'");
  const Strings rows = Rows(ReadBoth(), "t", 1);
  ASSERT_EQ(rows.size(), 3001u);
  EXPECT_EQ(rows[0], "insert 6000");
  EXPECT_EQ(rows.back(), "insert 3000");
}

// --- protocols ---

arrow::Result<SlotLines> DecodeRecorded(const RecordedStream& stream, const string& conninfo) {
  RecordedCatalog catalog(conninfo);
  MemorySpool spool;
  PgoutputDecoder decoder(arrow::default_memory_pool(), /*epoch=*/1, &catalog, {}, {.spool = &spool});
  std::vector<Event> events;
  const auto take = [&]() -> arrow::Status {
    while (decoder.has_more()) {
      ARROW_ASSIGN_OR_RAISE(auto event, decoder.Next());
      if (event.has_value()) events.push_back(*std::move(event));
    }
    return arrow::Status::OK();
  };
  for (const RecordedMessage& message : stream) {
    ARROW_RETURN_NOT_OK(decoder.Decode(message.bytes, message.lsn));
    ARROW_RETURN_NOT_OK(take());
  }
  ARROW_RETURN_NOT_OK(decoder.Flush());
  ARROW_RETURN_NOT_OK(take());
  return LinesOf(events);
}

// The stream asks for 1 and 2. From 16 on there is 4, and in it blocks that are meant for several appliers,
// whose aborts say where and when.
TEST_F(KindsAgree, EveryProtocol) {
  Prepare(
      "CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE u (id int PRIMARY KEY);"
      "CREATE PUBLICATION p FOR TABLE t, u");
  Sql("INSERT INTO u VALUES (1), (2)");
  Sql("BEGIN; INSERT INTO t SELECT i, 'x' FROM generate_series(1, 3000) i; TRUNCATE u; SAVEPOINT s; INSERT "
      "INTO t SELECT i, 'never' FROM generate_series(5001, 8000) i; ROLLBACK TO s; COMMIT");
  Sql("BEGIN; INSERT INTO t SELECT i, 'never' FROM generate_series(5001, 8000) i; ROLLBACK");
  Sql("BEGIN; UPDATE t SET v = 'y', id = -id; DELETE FROM t WHERE id < -2990; COMMIT");
  Sql("INSERT INTO u VALUES (3)");
  const SlotLines wanted = ReadBoth();
  ASSERT_EQ(Rows(wanted, "t", 2).size(), 3000u + 2 * 3000 + 10);
  const struct {
    const char* options;
    size_t abort_bytes;  // 0: nothing is sent in progress
    int since;
  } kProtocols[] = {
      {"'proto_version', '1'", 0, 150000},
      {"'proto_version', '2', 'streaming', 'on'", 9, 150000},
      {"'proto_version', '3', 'streaming', 'on', 'binary', 'true'", 9, 150000},
      {"'proto_version', '4', 'streaming', 'on'", 9, 160000},
      {"'proto_version', '4', 'streaming', 'parallel'", 25, 160000},
      {"'proto_version', '4', 'streaming', 'parallel', 'binary', 'true'", 25, 160000},
  };
  for (const auto& [options, abort_bytes, since] : kProtocols) {
    if (version_ < since) continue;
    SCOPED_TRACE(options);
    ARROWCDC_ASSERT_OK_AND_ASSIGN(
        const RecordedStream stream,
        RecordChanges(sql_.get(), "pg_logical_slot_peek_binary_changes('" + SlotOf("pgoutput") +
                                      "', NULL, NULL, 'publication_names', 'p', " + options + ")"));
    bool aborts = false;
    for (const RecordedMessage& message : stream) {
      if (message.bytes[0] != 'A') continue;
      aborts = true;
      EXPECT_EQ(message.bytes.size(), abort_bytes);
    }
    EXPECT_EQ(aborts, abort_bytes > 0);
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const SlotLines got, DecodeRecorded(stream, server_->conninfo(name_)));
    ExpectSameLines(got, wanted);
  }
}

}  // namespace
}  // namespace arrowcdc::test
