// What a snapshot has of tables that are there no more, against a server.
#include "src/postgres/snapshot/snapshot_tables.h"

#include <gtest/gtest.h>

#include "src/postgres/testing/server_fixture.h"
#include "tests/testing/assert_ok.h"

namespace arrowcdc::postgres {
namespace {

using test::Server;

// Functions that look at the catalog as it is know nothing of it. It is no table that nobody may read.
TEST(SnapshotTablesServer, ATableThatIsDroppedMeanwhileIsNotRefused) {
  auto sql = Server().Connect().ValueOrDie();
  ARROWCDC_ASSERT_OK(
      sql->Exec("CREATE TABLE stays (id int PRIMARY KEY); CREATE TABLE goes (id int PRIMARY KEY);"
                "CREATE PUBLICATION of_snapshot FOR TABLE stays, goes"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto connection,
                                Connection::Open(Server().conninfo(), ConnectionMode::kSql));
  ARROWCDC_ASSERT_OK(connection->Query("BEGIN ISOLATION LEVEL REPEATABLE READ"));
  const auto wanted = [&](const TableName& name, uint32_t) {
    if (name.table == "goes") {
      EXPECT_TRUE(sql->Exec("DROP TABLE goes").ok());
    }
    return true;
  };
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto tables,
                                ReadCopyTables(*connection, {"of_snapshot"}, nullptr, wanted));
  EXPECT_EQ(tables.size(), 2u);
  ARROWCDC_ASSERT_OK(connection->Query("ROLLBACK"));
  ARROWCDC_ASSERT_OK(sql->Exec("DROP PUBLICATION of_snapshot; DROP TABLE stays"));
}

// What nobody has analyzed is told by its size.
TEST(SnapshotTablesServer, RowsOfATableThatNobodyHasCounted) {
  auto sql = Server().Connect().ValueOrDie();
  ARROWCDC_ASSERT_OK(
      sql->Exec("CREATE TABLE uncounted (id bigint PRIMARY KEY, v int, note text, empty text) WITH "
                "(autovacuum_enabled = off); CREATE TABLE bare () WITH (autovacuum_enabled = off);"
                "INSERT INTO uncounted SELECT i, i, repeat('x', 28) FROM generate_series(1, 10000) AS i;"
                "CREATE PUBLICATION of_uncounted FOR TABLE uncounted, bare"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto connection,
                                Connection::Open(Server().conninfo(), ConnectionMode::kSql));
  const auto all = [](const TableName&, uint32_t) { return true; };
  ARROWCDC_ASSERT_OK_AND_ASSIGN(auto tables, ReadCopyTables(*connection, {"of_uncounted"}, nullptr, all));
  ASSERT_EQ(tables.size(), 2u);
  EXPECT_EQ(tables[0].leaves.at(0).rows, 0);  // bare
  EXPECT_GT(tables[1].leaves.at(0).rows, 5000);
  EXPECT_LT(tables[1].leaves.at(0).rows, 20000);
  ARROWCDC_ASSERT_OK(sql->Exec("ANALYZE uncounted"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(tables, ReadCopyTables(*connection, {"of_uncounted"}, nullptr, all));
  EXPECT_EQ(tables[1].leaves.at(0).rows, 10000);
  ARROWCDC_ASSERT_OK(sql->Exec("DROP PUBLICATION of_uncounted; DROP TABLE uncounted, bare"));
}

}  // namespace
}  // namespace arrowcdc::postgres
