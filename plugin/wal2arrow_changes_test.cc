// Changes through the plugin in a real server: which rows come, with which cells, in which frames.
#include <algorithm>
#include <cstddef>
#include <optional>
#include <set>

#include <arrow/array.h>
#include <arrow/util/key_value_metadata.h>

#include "arrowcdc/change_rows.h"
#include "format/frame.h"
#include "plugin/testing/test_stream.h"
#include "tests/testing/assert_ok.h"

namespace arrowcdc::test {
namespace {

using ::std::string;
using Strings = std::vector<string>;

class Changes : public PluginTest {};

TEST_F(Changes, InsertUpdateDelete) {
  Prepare("CREATE TABLE t (id int PRIMARY KEY, a text); CREATE PUBLICATION p FOR TABLE t");
  Sql("INSERT INTO t VALUES (1, 'x'), (2, NULL)");
  Sql("UPDATE t SET a = 'y' WHERE id = 1; UPDATE t SET id = 3 WHERE id = 1; DELETE FROM t");
  EXPECT_EQ(Lines({}, true), (Strings{"insert t(1, x) #0", "insert t(2, null) #0", "update_after t(1, y) #0",
                                      "update_before t(1, null) #0", "update_after t(3, y) #1",
                                      "delete t(2, null) #0", "delete t(3, null) #0"}));
}

TEST_F(Changes, ReplicaIdentities) {
  Prepare(
      "CREATE TABLE full_t (a int, b text); ALTER TABLE full_t REPLICA IDENTITY FULL;"
      "CREATE TABLE index_t (a int NOT NULL, b text NOT NULL, c int);"
      "CREATE UNIQUE INDEX index_i ON index_t (b, a); ALTER TABLE index_t REPLICA IDENTITY USING INDEX "
      "index_i;"
      "CREATE TABLE nothing_t (a int PRIMARY KEY); ALTER TABLE nothing_t REPLICA IDENTITY NOTHING;"
      "CREATE PUBLICATION p FOR TABLE full_t, index_t; CREATE PUBLICATION q FOR TABLE nothing_t WITH "
      "(publish = insert)");
  Sql("INSERT INTO full_t VALUES (1, NULL)");
  Sql("UPDATE full_t SET b = 'z'");
  Sql("DELETE FROM full_t");
  Sql("INSERT INTO index_t VALUES (1, 'x', 1)");
  Sql("UPDATE index_t SET c = 2");
  Sql("UPDATE index_t SET b = 'y'");
  Sql("DELETE FROM index_t");
  Sql("INSERT INTO nothing_t VALUES (1)");
  Sql("DELETE FROM nothing_t");
  EXPECT_EQ(Lines({{"publication_names", "p, q"}}),
            (Strings{"insert full_t(1, null)", "update_before full_t(1, null)", "update_after full_t(1, z)",
                     "delete full_t(1, z)", "insert index_t(1, x, 1)", "update_after index_t(1, x, 2)",
                     "update_before index_t(1, x, null)", "update_after index_t(1, y, 2)",
                     "delete index_t(1, y, null)", "insert nothing_t(1)"}));

  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto events, Peek({{"publication_names", "p,q"}}));
  std::map<string, std::pair<ReplicaIdentity, std::vector<int>>> identities;
  for (const Event& event : events) {
    const auto& batch = std::get<ChangeBatch>(event);
    identities[batch.table->name.table] = {batch.table->replica_identity, batch.table->key_fields};
  }
  const std::map<string, std::pair<ReplicaIdentity, std::vector<int>>> expected = {
      {"full_t", {ReplicaIdentity::kFull, {}}},
      {"index_t", {ReplicaIdentity::kIndex, {1, 0}}},
      {"nothing_t", {ReplicaIdentity::kNothing, {}}}};
  EXPECT_EQ(identities, expected);
}

TEST_F(Changes, UnchangedToastIsMarkedOrTakenFromTheOldRow) {
  Prepare(
      "CREATE TABLE d (id int PRIMARY KEY, v text, w text); ALTER TABLE d ALTER v SET STORAGE EXTERNAL;"
      "CREATE TABLE f (id int PRIMARY KEY, v text, w text); ALTER TABLE f ALTER v SET STORAGE EXTERNAL;"
      "ALTER TABLE f REPLICA IDENTITY FULL;"
      "CREATE TABLE k (v text PRIMARY KEY, w int); ALTER TABLE k ALTER v SET STORAGE EXTERNAL;"
      "CREATE PUBLICATION p FOR TABLE d, f, k");
  const string x(9000, 'x');
  const string k(2500, 'k');
  Sql("INSERT INTO d VALUES (1, repeat('x', 9000), 'a')");
  Sql("UPDATE d SET w = 'b'");
  Sql("UPDATE d SET id = 2");
  Sql("UPDATE d SET v = 'short'");
  Sql("INSERT INTO f VALUES (1, repeat('x', 9000), 'a')");
  Sql("UPDATE f SET w = 'b'");
  Sql("INSERT INTO k VALUES (repeat('k', 2500), 1)");
  Sql("UPDATE k SET w = 2");
  EXPECT_EQ(Lines(),
            (Strings{"insert d(1, " + x + ", a)", "update_after d(1, ~, b)", "update_before d(1, null, null)",
                     "update_after d(2, ~, b)", "update_after d(2, short, b)", "insert f(1, " + x + ", a)",
                     "update_before f(1, " + x + ", a)", "update_after f(1, " + x + ", b)",
                     "insert k(" + k + ", 1)", "update_before k(" + k + ", null)",
                     "update_after k(" + k + ", 2)"}));
}

// Rows of one name are told apart by their position only, so they must come in its order whatever relation
// they are of.
TEST_F(Changes, TablesThatTakeOverANameInATransaction) {
  Prepare(
      "CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE n (id int PRIMARY KEY); CREATE PUBLICATION p FOR "
      "ALL TABLES");
  // The newcomer's batch is full and sent long before the transaction ends.
  Sql("BEGIN; INSERT INTO t VALUES (1); ALTER TABLE t RENAME TO o; ALTER TABLE n RENAME TO t;"
      "INSERT INTO t SELECT generate_series(1, 2000); COMMIT");
  // Back and forth: the first one's batch would go on behind the second one's rows.
  Sql("BEGIN; INSERT INTO t VALUES (-1); ALTER TABLE t RENAME TO n; ALTER TABLE o RENAME TO t; INSERT INTO t "
      "VALUES (-2);"
      "ALTER TABLE t RENAME TO o; ALTER TABLE n RENAME TO t; INSERT INTO t VALUES (-3); COMMIT");
  Sql("BEGIN; INSERT INTO t VALUES (-4); DROP TABLE t; CREATE TABLE t (id int PRIMARY KEY);"
      "INSERT INTO t SELECT generate_series(1, 2000); COMMIT");
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto events, Peek({{"batch_bytes", "4096"}}));
  int64_t rows = 0;
  RowPosition last{};
  for (const Event& event : events) {
    const auto* batch = std::get_if<ChangeBatch>(&event);
    if (batch == nullptr || batch->rows->num_rows() == 0) continue;
    ASSERT_EQ(batch->table->name.table, "t");
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto changes, ChangeRows::Make(*batch->table, *batch->rows));
    for (int64_t row = 0; row < changes.num_rows(); ++row, ++rows) {
      const RowPosition position = changes.position(row);
      EXPECT_LT(last, position) << "row " << rows;
      last = position;
    }
  }
  EXPECT_EQ(rows, 1 + 2000 + 3 + 1 + 2000);
}

TEST_F(Changes, CompressedAndReassembledValues) {
  Prepare(
      "CREATE TABLE t (id int PRIMARY KEY, v text, j jsonb, a text[], n numeric); CREATE PUBLICATION p FOR "
      "TABLE t");
  // Compressed in line, compressed out of line, and plain out of line.
  Sql("INSERT INTO t SELECT 1, repeat('ab', 5000), to_jsonb(repeat('c', 5000)), array_fill('d'::text, "
      "ARRAY[900]),"
      " repeat('7', 9000)::numeric");
  Sql("CREATE TABLE random AS SELECT string_agg(md5(i::text), '' ORDER BY i) AS v FROM generate_series(1, "
      "2000) i");
  Sql("INSERT INTO t SELECT 2, v, to_jsonb(v), ARRAY[v, NULL, v], NULL FROM random");
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto connection, SharedServer().Connect(database()));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto random, connection->Scalar("SELECT v FROM random"));
  const auto lines = Lines();
  ASSERT_EQ(lines.size(), 2u);
  string ab;
  for (int i = 0; i < 5000; ++i) ab += "ab";
  EXPECT_EQ(lines[0].substr(0, 12 + 10000), "insert t(1, " + ab);
  EXPECT_NE(lines[0].find("\"" + string(5000, 'c') + "\""), string::npos);
  EXPECT_NE(lines[0].find(", " + string(9000, '7') + ")"), string::npos);
  EXPECT_EQ(lines[1].substr(0, 12 + random.size()), "insert t(2, " + random);
  EXPECT_NE(lines[1].find("\"" + random + "\""), string::npos);
}

TEST_F(Changes, DdlInTheMiddleOfATransaction) {
  Prepare("CREATE TABLE t (id int PRIMARY KEY, a text, b int); CREATE PUBLICATION p FOR ALL TABLES");
  Sql("BEGIN; INSERT INTO t VALUES (1, 'a', 1);"
      "ALTER TABLE t ADD c int DEFAULT 7; INSERT INTO t VALUES (2, 'b', 2, 3); UPDATE t SET a = 'u' WHERE id "
      "= 1;"
      "ALTER TABLE t DROP b; INSERT INTO t VALUES (3, 'c', 9);"
      "ALTER TABLE t RENAME a TO aa; INSERT INTO t VALUES (4, 'd', 1);"
      "ALTER TABLE t ALTER c TYPE text; INSERT INTO t VALUES (5, 'e', 'word');"
      "ALTER TABLE t RENAME TO tt; INSERT INTO tt VALUES (6, 'f', 'g'); COMMIT");
  // Tuples written before the column was there: the default comes from the catalog.
  Sql("UPDATE tt SET aa = 'v' WHERE id = 2; ALTER TABLE tt ADD m int DEFAULT 5; UPDATE tt SET id = 20 WHERE "
      "id = 2");
  EXPECT_EQ(Lines(), (Strings{"insert t(1, a, 1)", "insert t(2, b, 2, 3)", "update_after t(1, u, 1, 7)",
                              "insert t(3, c, 9)", "insert t(4, d, 1)", "insert t(5, e, word)",
                              "insert tt(6, f, g)", "update_after tt(2, v, 3)",
                              "update_before tt(2, null, null, null)", "update_after tt(20, v, 3, 5)"}));

  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto events, Peek());
  std::set<uint64_t> fingerprints;
  std::optional<Position> safe;
  for (const Event& event : events) {
    const auto& batch = std::get<ChangeBatch>(event);
    fingerprints.insert(batch.table->fingerprint);
    EXPECT_NE(batch.group.txn_incomplete, batch.group.group_end);
    if (batch.group.txn_incomplete) {
      EXPECT_EQ(batch.group.safe, safe) << "safe_lsn moved inside a transaction";
    }
    safe = batch.group.safe;
  }
  EXPECT_EQ(fingerprints.size(), 7u);
  EXPECT_TRUE(safe.has_value());
}

TEST_F(Changes, DroppedAndAddedAgainUnderTheSameName) {
  Prepare("CREATE TABLE t (a int, x text, b int); ALTER TABLE t DROP a; CREATE PUBLICATION p FOR ALL TABLES");
  Sql("INSERT INTO t VALUES ('one', 1); ALTER TABLE t DROP x; ALTER TABLE t ADD x int; INSERT INTO t VALUES "
      "(2, 3)");
  Sql("DROP TABLE t; CREATE TABLE t (z bool); INSERT INTO t VALUES (true)");
  EXPECT_EQ(Lines(), (Strings{"insert t(one, 1)", "insert t(2, 3)", "insert t(true)"}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto events, Peek());
  const auto& schema = *std::get<ChangeBatch>(events[1]).table->schema;
  EXPECT_EQ(schema.field(0)->metadata()->Get("PARQUET:field_id").ValueOrDie(), "3");
  EXPECT_EQ(schema.field(1)->metadata()->Get("PARQUET:field_id").ValueOrDie(), "4");
}

TEST_F(Changes, PartitionsUnderTheirRootAndUnderTheirOwnNames) {
  Prepare(
      "CREATE TABLE r (id int, v text, z int) PARTITION BY RANGE (id);"
      "CREATE TABLE l1 (z int, junk int, v text, id int); ALTER TABLE l1 DROP junk;"
      "ALTER TABLE r ATTACH PARTITION l1 FOR VALUES FROM (0) TO (10);"
      "CREATE TABLE l2 PARTITION OF r FOR VALUES FROM (10) TO (20); ALTER TABLE r ADD PRIMARY KEY (id);"
      "CREATE PUBLICATION p FOR TABLE r WITH (publish_via_partition_root); CREATE PUBLICATION q FOR TABLE r");
  Sql("INSERT INTO r VALUES (1, 'a', 5), (11, 'b', 6)");
  Sql("UPDATE r SET id = 12 WHERE id = 1");
  Sql("TRUNCATE l1");
  Sql("TRUNCATE r");
  EXPECT_EQ(Lines(), (Strings{"insert r(1, a, 5)", "insert r(11, b, 6)", "delete r(1, null, null)",
                              "insert r(12, a, 5)", "truncate r"}));
  EXPECT_EQ(Lines({{"publication_names", "q"}}),
            (Strings{"insert l1(5, a, 1)", "insert l2(11, b, 6)", "delete l1(null, null, 1)",
                     "insert l2(12, a, 5)", "truncate l1", "truncate l1 l2"}));
}

TEST_F(Changes, WhatPublicationsSend) {
  Prepare(
      "CREATE SCHEMA s; CREATE TABLE s.in_schema (id int PRIMARY KEY, g int GENERATED ALWAYS AS (id * 2) "
      "STORED);"
      "CREATE TABLE listed (id int PRIMARY KEY, secret text, v int); CREATE TABLE other (id int PRIMARY KEY);"
      "CREATE TABLE inserts (id int PRIMARY KEY);"
      "CREATE PUBLICATION p FOR TABLE listed (id, v); CREATE PUBLICATION q FOR TABLES IN SCHEMA s;"
      "CREATE PUBLICATION i FOR TABLE inserts WITH (publish = 'insert, delete')");
  Sql("INSERT INTO listed VALUES (1, 'hidden', 2); UPDATE listed SET secret = 'more'; UPDATE listed SET id = "
      "2");
  Sql("INSERT INTO s.in_schema VALUES (1); INSERT INTO other VALUES (1)");
  Sql("INSERT INTO inserts VALUES (1); UPDATE inserts SET id = 2; DELETE FROM inserts; TRUNCATE inserts");
  EXPECT_EQ(Lines({{"publication_names", "p,q,i"}}),
            (Strings{"insert listed(1, 2)", "update_after listed(1, 2)", "update_before listed(1, null)",
                     "update_after listed(2, 2)", "insert in_schema(1)", "insert inserts(1)",
                     "delete inserts(2)"}));
}

// "table identity: key" of each table, as the client is told.
Strings KeysOf(const std::vector<Event>& events) {
  std::set<string> keys;
  for (const Event& event : events) {
    const auto& table = *std::get<ChangeBatch>(event).table;
    string key = table.name.table + " " + LetterOf(table.replica_identity) + ":";
    for (const int field : table.key_fields) key += " " + table.schema->field(field)->name();
    keys.insert(key);
  }
  return {keys.begin(), keys.end()};
}

int ServerVersion() {
  const auto connection = SharedServer().Connect();
  EXPECT_TRUE(connection.ok());
  return connection.ok() ? std::stoi((*connection)->Scalar("SHOW server_version_num").ValueOr("0")) : 0;
}

TEST_F(Changes, GeneratedColumnsOfTheKey) {
  // 18 refuses updates and deletes where the publication leaves them out.
  const bool from_18 = ServerVersion() >= 180000;
  const string with = string(" WITH (publish_via_partition_root") +
                      (from_18 ? ", publish_generated_columns = stored); " : "); ");
  Prepare(
      "CREATE TABLE users (tenant int, mail text, lmail text GENERATED ALWAYS AS (lower(mail)) STORED" +
      string(from_18 ? "" : ", size int GENERATED ALWAYS AS (length(mail)) STORED") +
      ", PRIMARY KEY (tenant, lmail));"
      "CREATE TABLE first (g int GENERATED ALWAYS AS (a * 2) STORED NOT NULL, a int NOT NULL);"
      "CREATE UNIQUE INDEX first_i ON first (g, a); ALTER TABLE first REPLICA IDENTITY USING INDEX first_i;"
      "CREATE TABLE alone (a int, g int GENERATED ALWAYS AS (a + 1) STORED PRIMARY KEY);"
      "CREATE TABLE root (a int, b int, g int GENERATED ALWAYS AS (b * 3) STORED, PRIMARY KEY (a, g)) "
      "PARTITION BY RANGE (a); CREATE TABLE leaf PARTITION OF root FOR VALUES FROM (0) TO (10);"
      "CREATE PUBLICATION p FOR TABLE users, first, alone" +
      with + "CREATE PUBLICATION q FOR TABLE users" + with + "CREATE PUBLICATION r FOR TABLE root" + with);
  Sql("INSERT INTO users VALUES (1, 'Ann'), (2, 'Bob'); UPDATE users SET mail = 'ANN' WHERE tenant = 1;"
      "UPDATE users SET mail = 'Anna' WHERE tenant = 1; DELETE FROM users WHERE tenant = 2");
  Sql("INSERT INTO first VALUES (DEFAULT, 1); UPDATE first SET a = 2; DELETE FROM first");
  Sql("INSERT INTO alone VALUES (1); UPDATE alone SET a = 2; DELETE FROM alone");
  EXPECT_EQ(Lines(), (Strings{"insert users(1, Ann, ann)", "insert users(2, Bob, bob)",
                              "update_after users(1, ANN, ann)", "update_before users(1, null, ann)",
                              "update_after users(1, Anna, anna)", "delete users(2, null, bob)",
                              "insert first(2, 1)", "update_before first(2, 1)", "update_after first(4, 2)",
                              "delete first(4, 2)", "insert alone(1, 2)", "update_before alone(null, 2)",
                              "update_after alone(2, 3)", "delete alone(null, 3)"}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto events, Peek());
  EXPECT_EQ(KeysOf(events), (Strings{"alone d: g", "first i: g a", "users d: tenant lmail"}));
  EXPECT_EQ(Lines({{"publication_names", "q,p"}}), Lines());
  // Under the root's name.
  Sql("INSERT INTO root VALUES (1, 2); DELETE FROM root");
  EXPECT_EQ(Lines({{"publication_names", "r"}}),
            (Strings{"insert root(1, 2, 6)", "delete root(1, null, 6)"}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto root_events, Peek({{"publication_names", "r"}}));
  EXPECT_EQ(KeysOf(root_events), (Strings{"root d: a g"}));
}

// Under FULL all columns are the identity, and generated ones follow from the others.
TEST_F(Changes, GeneratedColumnsUnderFullAndNothing) {
  Prepare(
      "CREATE TABLE f (a int, g int GENERATED ALWAYS AS (a * 2) STORED PRIMARY KEY); ALTER TABLE f REPLICA "
      "IDENTITY "
      "FULL;"
      "CREATE TABLE n (a int, g int GENERATED ALWAYS AS (a * 2) STORED PRIMARY KEY); ALTER TABLE n REPLICA "
      "IDENTITY "
      "NOTHING; CREATE PUBLICATION p FOR TABLE f, n WITH (publish = 'insert')");
  Sql("INSERT INTO f VALUES (1); INSERT INTO n VALUES (1)");
  EXPECT_EQ(Lines(), (Strings{"insert f(1)", "insert n(1)"}));
}

// A list says what is sent. Part of a key is no key.
TEST_F(Changes, ColumnListsThatLeaveOutColumnsOfTheKey) {
  Prepare(
      "CREATE TABLE t (a int, b int, g int GENERATED ALWAYS AS (b * 2) STORED, v int, PRIMARY KEY (a, g));"
      "CREATE TABLE u (a int, b int, v int, PRIMARY KEY (a, b));"
      "CREATE PUBLICATION p FOR TABLE t (a, b), u (b, v) WITH (publish = 'insert');"
      "CREATE PUBLICATION all_of_it FOR TABLE t (a, b, v), u WITH (publish = 'insert');"
      "CREATE PUBLICATION without_list FOR TABLE t, u");
  Sql("INSERT INTO t VALUES (1, 2, DEFAULT, 3); INSERT INTO u VALUES (1, 2, 3)");
  EXPECT_EQ(Lines(), (Strings{"insert t(1, 2)", "insert u(2, 3)"}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto events, Peek());
  EXPECT_EQ(KeysOf(events), (Strings{"t d:", "u d:"}));
  // All columns that can be listed, and no list: no difference. A stored column can be listed from 18 on.
  EXPECT_EQ(Lines({{"publication_names", "all_of_it,without_list"}}),
            (Strings{"insert t(1, 2, 4, 3)", "insert u(1, 2, 3)"}));
  EXPECT_EQ(Lines({{"publication_names", "without_list,all_of_it"}}),
            (Strings{"insert t(1, 2, 4, 3)", "insert u(1, 2, 3)"}));
}

TEST_F(Changes, GeneratedColumnsFrom18On) {
  if (ServerVersion() < 180000) GTEST_SKIP() << "publish_generated_columns came with 18";
  Prepare(
      "CREATE TABLE t (id int PRIMARY KEY, s int GENERATED ALWAYS AS (id * 2) STORED,"
      " v int GENERATED ALWAYS AS (id * 3) VIRTUAL);"
      "CREATE PUBLICATION p FOR TABLE t WITH (publish_generated_columns = stored); CREATE PUBLICATION q FOR "
      "TABLE t;"
      "CREATE PUBLICATION l FOR TABLE t (id, s);"
      "CREATE TABLE k (id int, s int GENERATED ALWAYS AS (id * 2) STORED PRIMARY KEY, v int GENERATED ALWAYS "
      "AS (id "
      "* 3) STORED); CREATE PUBLICATION none FOR TABLE k WITH (publish = 'insert');"
      "CREATE PUBLICATION stored FOR TABLE k WITH (publish = 'insert', publish_generated_columns = stored);"
      "CREATE PUBLICATION listed FOR TABLE k (id, s) WITH (publish = 'insert')");
  Sql("INSERT INTO k VALUES (1)");
  // The key's always.
  EXPECT_EQ(Lines({{"publication_names", "none"}}), Strings{"insert k(1, 2)"});
  EXPECT_EQ(Lines({{"publication_names", "none,listed"}}), Strings{"insert k(1, 2)"});
  EXPECT_EQ(Lines({{"publication_names", "stored"}}), Strings{"insert k(1, 2, 3)"});
  EXPECT_NE(PeekError({{"publication_names", "none,stored"}}).find("different columns"), string::npos);
  Sql("INSERT INTO t VALUES (1)");
  EXPECT_EQ(Lines(), Strings{"insert t(1, 2)"});
  EXPECT_EQ(Lines({{"publication_names", "q"}}), Strings{"insert t(1)"});
  EXPECT_EQ(Lines({{"publication_names", "l,p"}}), Strings{"insert t(1, 2)"});
}

TEST_F(Changes, MembershipIsThatOfTheMoment) {
  Prepare(
      "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY); CREATE PUBLICATION p FOR "
      "TABLE a");
  Sql("INSERT INTO a VALUES (1); INSERT INTO b VALUES (1)");
  Sql("BEGIN; INSERT INTO b VALUES (2); ALTER PUBLICATION p ADD TABLE b; INSERT INTO b VALUES (3); COMMIT");
  Sql("ALTER PUBLICATION p DROP TABLE a; INSERT INTO a VALUES (2); INSERT INTO b VALUES (4)");
  EXPECT_EQ(Lines(), (Strings{"insert a(1)", "insert b(3)", "insert b(4)"}));
}

TEST_F(Changes, Truncate) {
  Prepare(
      "CREATE TABLE a (id serial PRIMARY KEY); CREATE TABLE b (id int REFERENCES a); CREATE TABLE c (id int);"
      "CREATE PUBLICATION p FOR TABLE a, b");
  Sql("INSERT INTO a VALUES (1); TRUNCATE a RESTART IDENTITY CASCADE; INSERT INTO a VALUES (2)");
  Sql("TRUNCATE c");
  EXPECT_EQ(Lines(), (Strings{"insert a(1)", "truncate a b cascade restart", "insert a(2)"}));
}

TEST_F(Changes, OnlyCommittedRowsOfSavepointsAndUpserts) {
  Prepare("CREATE TABLE t (id int PRIMARY KEY, v text); CREATE PUBLICATION p FOR TABLE t");
  Sql("BEGIN; INSERT INTO t VALUES (1, 'a'); SAVEPOINT s; INSERT INTO t VALUES (2, 'b'); ROLLBACK TO s;"
      "INSERT INTO t VALUES (3, 'c') ON CONFLICT (id) DO NOTHING;"
      "INSERT INTO t VALUES (3, 'd') ON CONFLICT (id) DO UPDATE SET v = 'upsert'; COMMIT");
  Sql("BEGIN; INSERT INTO t VALUES (9, 'r'); ROLLBACK");
  Sql("BEGIN; INSERT INTO t VALUES (4, 'two'); PREPARE TRANSACTION 'x'");
  Sql("COMMIT PREPARED 'x'");
  EXPECT_EQ(Lines(),
            (Strings{"insert t(1, a)", "insert t(3, c)", "update_after t(3, upsert)", "insert t(4, two)"}));
}

TEST_F(Changes, RowsOfOneRecordAreCounted) {
  Prepare("CREATE TABLE t (id int); CREATE PUBLICATION p FOR TABLE t");
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto connection, SharedServer().Connect(database()));
  string data;
  for (int i = 0; i < 1000; ++i) data += std::to_string(i) + "\n";
  ARROWCDC_ASSERT_OK(connection->CopyIn("COPY t FROM STDIN", data));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto events, Peek());
  std::set<RowPosition> positions;
  int64_t rows = 0;
  uint16_t ord_max = 0;
  for (const Event& event : events) {
    const auto& batch = std::get<ChangeBatch>(event);
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto changes, ChangeRows::Make(*batch.table, *batch.rows));
    for (int64_t row = 0; row < changes.num_rows(); ++row, ++rows) {
      const RowPosition position = changes.position(row);
      if (!positions.empty()) {
        EXPECT_LT(*positions.rbegin(), position) << "rows are not in order";
      }
      positions.insert(position);
      ord_max = std::max(ord_max, position.ord);
    }
  }
  EXPECT_EQ(rows, 1000);
  EXPECT_EQ(positions.size(), 1000u);
  EXPECT_GT(ord_max, 50) << "COPY did not write several rows a record";
}

TEST_F(Changes, LargeTransactionComesInPieces) {
  Prepare("CREATE TABLE a (id int, v text); CREATE TABLE b (id int); CREATE PUBLICATION p FOR TABLE a, b");
  Sql("BEGIN; INSERT INTO b VALUES (-1); INSERT INTO a SELECT i, repeat('v', 100) FROM generate_series(1, "
      "5000) i;"
      "INSERT INTO b VALUES (-2); COMMIT");
  Sql("INSERT INTO b VALUES (-3)");
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto events, Peek({{"batch_bytes", "20000"}}));
  int64_t rows = 0;
  int group_ends = 0;
  for (size_t i = 0; i < events.size(); ++i) {
    const auto& batch = std::get<ChangeBatch>(events[i]);
    rows += batch.rows->num_rows();
    if (batch.table->name.table == "a") {
      EXPECT_LE(batch.rows->num_rows(), 20000 / 100);
    }
    if (batch.group.group_end) {
      ++group_ends;
    } else {
      EXPECT_TRUE(batch.group.txn_incomplete);
      EXPECT_EQ(batch.group.safe, std::nullopt);
    }
  }
  EXPECT_EQ(rows, 5003);
  EXPECT_EQ(group_ends, 2);
  EXPECT_GT(events.size(), 25u);
  const auto& first_end = std::get<ChangeBatch>(events[events.size() - 2]).group;
  const auto& second_end = std::get<ChangeBatch>(events.back()).group;
  EXPECT_TRUE(first_end.group_end);
  EXPECT_LT(first_end.safe, second_end.safe);
}

// Few rows in many wide tables: it is the columns that take memory.
TEST_F(Changes, TransactionOverManyWideTablesComesInPieces) {
  Prepare(
      "DO $$ BEGIN FOR i IN 1..60 LOOP EXECUTE format('CREATE TABLE t%s (%s)', i,"
      " (SELECT string_agg(format('c%s int', c), ', ') FROM generate_series(1, 300) c)); END LOOP; END $$;"
      "CREATE PUBLICATION p FOR ALL TABLES");
  Sql("DO $$ BEGIN FOR i IN 1..60 LOOP EXECUTE format('INSERT INTO t%s (c1) VALUES (%s)', i, i); END LOOP; "
      "END "
      "$$");
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto frames, Frames());
  // The schemas of all open tables stand in front of their rows: of 55 tables that is, for each has 303
  // columns with its metadata, and 16,384 are the most.
  const auto is = [](format::FrameKind kind) {
    return [kind](const auto& frame) {
      return frame->data()[offsetof(format::FrameHeader, kind)] == static_cast<uint8_t>(kind);
    };
  };
  const auto first_rows = std::find_if(frames.begin(), frames.end(), is(format::FrameKind::kBatch));
  EXPECT_EQ(std::count_if(frames.begin(), first_rows, is(format::FrameKind::kSchema)), 55);
  EXPECT_EQ(std::count_if(frames.begin(), frames.end(), is(format::FrameKind::kSchema)), 60);
  const auto lines = Lines();
  ASSERT_EQ(lines.size(), 60u);
  EXPECT_EQ(lines[59].substr(0, 22), "insert t60(60, null, n");
}

// 18 believes that its subtransaction was streamed.
TEST_F(Changes, LargeTransactionThatRollsBack) {
  Prepare("CREATE TABLE t (id int, v text); CREATE PUBLICATION p FOR TABLE t");
  Sql("BEGIN; SAVEPOINT s; INSERT INTO t VALUES (1, 'in a subtransaction'); RELEASE s;"
      "INSERT INTO t SELECT i, repeat('v', 100) FROM generate_series(1, 5000) i; ROLLBACK");
  Sql("INSERT INTO t VALUES (2, 'kept')");
  EXPECT_EQ(Lines(), (Strings{"insert t(2, kept)"}));
}

TEST_F(Changes, TransactionsThatTouchNothingPublishedAreSilent) {
  Prepare("CREATE TABLE t (id int); CREATE TABLE other (id int); CREATE PUBLICATION p FOR TABLE t");
  Sql("INSERT INTO other SELECT generate_series(1, 1000)");
  Sql("CREATE TABLE more (id int)");
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto events, Peek());
  EXPECT_TRUE(events.empty());
}

TEST_F(Changes, TablesWithoutAndWithVeryManyColumns) {
  string columns;
  for (int i = 0; i < 1600; ++i) columns += (i ? ", c" : "c") + std::to_string(i) + " int";
  Prepare("CREATE TABLE none (); CREATE TABLE many (" + columns + "); CREATE PUBLICATION p FOR ALL TABLES");
  Sql("INSERT INTO none DEFAULT VALUES");
  Sql("INSERT INTO many (c0, c1599) VALUES (1, 2)");
  const auto lines = Lines();
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0], "insert none()");
  EXPECT_EQ(lines[1].substr(0, 25), "insert many(1, null, null");
  EXPECT_EQ(lines[1].substr(lines[1].size() - 8), "null, 2)");
}

TEST_F(Changes, NamesThatCollideWithMetadataAndNamesThatNeedQuotes) {
  Prepare(
      "CREATE TABLE \"we.ird \"\"T\" (\"_op\" int, \"__op\" int, \"_lsn\" text, \"A\" int, \"a\" int, "
      "\"ü\n\" int);"
      "CREATE PUBLICATION p FOR ALL TABLES");
  Sql("INSERT INTO \"we.ird \"\"T\" VALUES (1, 2, 'x', 3, 4, 5)");
  EXPECT_EQ(Lines(), (Strings{"insert we.ird \"T(1, 2, x, 3, 4, 5)"}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto events, Peek());
  const auto& schema = *std::get<ChangeBatch>(events[0]).table->schema;
  Strings names;
  for (int i = 0; i < 7; ++i) names.push_back(schema.field(i)->name());
  EXPECT_EQ(names, (Strings{"_op", "__op", "_lsn", "A", "a", "ü\n", "___op"}));
}

}  // namespace
}  // namespace arrowcdc::test
