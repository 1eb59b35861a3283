// What happens to tables without a change of a row that is published: nothing of it comes, and the rows
// around it do.
#include <vector>

#include "plugin/testing/test_stream.h"
#include "tests/testing/assert_ok.h"

namespace arrowcdc::test {
namespace {

using std::string;
using Strings = std::vector<string>;

class Rewrites : public PluginTest {};

TEST_F(Rewrites, TablesThatAreWrittenAnew) {
  Prepare(
      "CREATE TABLE t (id int PRIMARY KEY, v varchar(5), n int); CREATE PUBLICATION p FOR TABLE t;"
      "INSERT INTO t SELECT i, i, i FROM generate_series(1, 100) i");
  Sql("INSERT INTO t VALUES (101, 'a', 1)");
  Sql("VACUUM FULL t");
  Sql("CLUSTER t USING t_pkey");
  Sql("INSERT INTO t VALUES (102, 'b', 2)");
  Sql("ALTER TABLE t SET (fillfactor = 50); ALTER TABLE t ALTER n TYPE bigint USING n * 2");
  Sql("INSERT INTO t VALUES (103, 'c', 3)");
  Sql("ALTER TABLE t ALTER v TYPE varchar(9); REINDEX TABLE t");
  Sql("UPDATE t SET v = 'longer' WHERE id = 103");
  EXPECT_EQ(Lines(), (Strings{"insert t(101, a, 1)", "insert t(102, b, 2)", "insert t(103, c, 3)",
                              "update_after t(103, longer, 3)"}));
}

TEST_F(Rewrites, TablesThatAreStoredElsewhere) {
  Prepare(
      "CREATE ACCESS METHOD other_heap TYPE TABLE HANDLER heap_tableam_handler;"
      "CREATE TABLE t (id int PRIMARY KEY, v text); CREATE PUBLICATION p FOR TABLE t;"
      "INSERT INTO t SELECT i, i FROM generate_series(1, 100) i");
  Sql("SET allow_in_place_tablespaces = on");
  Sql("CREATE TABLESPACE elsewhere LOCATION ''");
  Sql("INSERT INTO t VALUES (101, 'a')");
  Sql("ALTER TABLE t SET TABLESPACE elsewhere");
  Sql("UPDATE t SET v = 'b' WHERE id = 101");
  Sql("ALTER TABLE t SET ACCESS METHOD other_heap");
  Sql("DELETE FROM t WHERE id = 100");
  Sql("ALTER TABLE t SET TABLESPACE pg_default");
  Sql("DROP TABLESPACE elsewhere");
  Sql("INSERT INTO t VALUES (102, 'c')");
  EXPECT_EQ(Lines(), (Strings{"insert t(101, a)", "update_after t(101, b)", "delete t(100, null)",
                              "insert t(102, c)"}));
}

// Rows of a table that is not logged come from the moment on at which it is, and no longer than that.
TEST_F(Rewrites, LoggedAndUnlogged) {
  Prepare("CREATE UNLOGGED TABLE t (id int PRIMARY KEY); CREATE PUBLICATION p FOR ALL TABLES");
  Sql("INSERT INTO t VALUES (1)");
  Sql("ALTER TABLE t SET LOGGED");
  Sql("INSERT INTO t VALUES (2)");
  Sql("ALTER TABLE t SET UNLOGGED");
  Sql("INSERT INTO t VALUES (3)");
  EXPECT_EQ(Lines(), (Strings{"insert t(2)"}));
}

TEST_F(Rewrites, RelationsThatHaveNoRowsToPublish) {
  Prepare(
      "CREATE TABLE t (id int PRIMARY KEY, n serial); CREATE UNLOGGED TABLE fast (id int);"
      "CREATE MATERIALIZED VIEW seen AS SELECT id FROM t; CREATE SEQUENCE s; CREATE PUBLICATION p FOR ALL "
      "TABLES");
  Sql("CREATE TEMPORARY TABLE mine (id int); INSERT INTO mine VALUES (1); INSERT INTO fast VALUES (1);"
      "INSERT INTO t VALUES (1); SELECT nextval('s') FROM generate_series(1, 100); SELECT setval('s', 7)");
  Sql("REFRESH MATERIALIZED VIEW seen");
  Sql("CREATE TABLE made AS SELECT 5 AS five; TRUNCATE fast; INSERT INTO t VALUES (2)");
  EXPECT_EQ(Lines(), (Strings{"insert t(1, 1)", "insert made(5)", "insert t(2, 2)"}));
}

// What is no change to somebody who looks at the table is one to the WAL.
TEST_F(Rewrites, UpdatesThatChangeNothing) {
  Prepare(
      "CREATE TABLE t (id int PRIMARY KEY, v int, secret int) WITH (fillfactor = 50);"
      "CREATE PUBLICATION p FOR TABLE t (id, v)");
  Sql("INSERT INTO t VALUES (1, 2, 3); UPDATE t SET v = v; UPDATE t SET id = id; UPDATE t SET secret = 4;"
      "SELECT * FROM t FOR UPDATE; DELETE FROM t WHERE id = 7");
  EXPECT_EQ(Lines(), (Strings{"insert t(1, 2)", "update_after t(1, 2)", "update_after t(1, 2)",
                              "update_after t(1, 2)"}));
}

// Only the identity's index says what old rows have, whatever others there are, also while one is being made.
TEST_F(Rewrites, OtherIndexesThanTheIdentity) {
  Prepare(
      "CREATE TABLE t (id int PRIMARY KEY, a text NOT NULL, b int); CREATE UNIQUE INDEX ON t (lower(a));"
      "CREATE UNIQUE INDEX ON t (b) WHERE b > 5; CREATE PUBLICATION p FOR TABLE t");
  Sql("INSERT INTO t VALUES (1, 'one', 9)");
  Sql("CREATE UNIQUE INDEX CONCURRENTLY later ON t (a, id)");
  Sql("UPDATE t SET a = 'two'; UPDATE t SET id = 2");
  Sql("REINDEX INDEX CONCURRENTLY later");
  Sql("DELETE FROM t");
  EXPECT_EQ(Lines(),
            (Strings{"insert t(1, one, 9)", "update_after t(1, two, 9)", "update_before t(1, null, null)",
                     "update_after t(2, two, 9)", "delete t(2, null, null)"}));
}

// A server has room for ten callbacks of a kind and process; each session asking for its own would fill it.
TEST_F(Rewrites, ManySessionsOfOneConnection) {
  Prepare("CREATE TABLE t (id int); CREATE PUBLICATION p FOR TABLE t");
  Sql("INSERT INTO t VALUES (1)");
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto connection, SharedServer().Connect(database()));
  for (int session = 0; session < 100; ++session) {
    SCOPED_TRACE(session);
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const string frames,
                                  connection->Scalar("SELECT count(*) FROM " + PeekCall({})));
    ASSERT_EQ(frames, "3");  // hello, schema, batch
  }
}

}  // namespace
}  // namespace arrowcdc::test
