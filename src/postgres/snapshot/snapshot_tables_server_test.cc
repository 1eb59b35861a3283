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

}  // namespace
}  // namespace arrowcdc::postgres
