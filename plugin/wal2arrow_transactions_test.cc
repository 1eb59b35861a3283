// Which transactions come, and in which order: many savepoints, transactions that run into each other, and
// those that a crash of the server ended.
#include <vector>

#include "plugin/testing/test_stream.h"
#include "src/postgres/decode/wal2arrow/wal2arrow_decoder.h"
#include "tests/testing/assert_ok.h"

namespace arrowcdc::test {
namespace {

using std::string;
using Strings = std::vector<string>;

class Transactions : public PluginTest {
 protected:
  // Each third is rolled back.
  void CheckSubtransactions(int count);
};

void Transactions::CheckSubtransactions(int count) {
  Sql("DO $$ BEGIN FOR i IN 1.." + std::to_string(count) +
      " LOOP BEGIN INSERT INTO t VALUES (i); IF i % 3 = 0 THEN RAISE EXCEPTION 'given up'; END IF;"
      " EXCEPTION WHEN OTHERS THEN NULL; END; END LOOP; END $$");
  Strings wanted;
  for (int i = 1; i <= count; ++i) {
    if (i % 3 != 0) wanted.push_back("insert t(" + std::to_string(i) + ")");
  }
  EXPECT_EQ(Lines(), wanted);
}

// More than the 64 that a backend shows to others; the server writes those that it has read to its disk.
TEST_F(Transactions, ManySubtransactions) {
  Prepare("CREATE TABLE t (id int); CREATE PUBLICATION p FOR TABLE t");
  CheckSubtransactions(900);
}

// The commit record names them all. Only in memory: what the server writes to its disk costs it the square.
TEST_F(Transactions, SubtransactionsWhoseCommitRecordHasManyPages) {
  Prepare("CREATE TABLE t (id int); CREATE PUBLICATION p FOR TABLE t");
  Sql("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET logical_decoding_work_mem = %L', "
      "current_database(), '64MB'); END $$");
  CheckSubtransactions(30'000);
}

// Rows come by the commits, and within one by their order, whoever began or wrote first.
TEST_F(Transactions, ThatRunIntoEachOther) {
  Prepare("CREATE TABLE a (id int); CREATE TABLE b (id int); CREATE PUBLICATION p FOR TABLE a, b");
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto first, SharedServer().Connect(database()));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto second, SharedServer().Connect(database()));
  ARROWCDC_ASSERT_OK(first->Exec("BEGIN; INSERT INTO a VALUES (11)"));
  ARROWCDC_ASSERT_OK(second->Exec("BEGIN; INSERT INTO b VALUES (21)"));
  ARROWCDC_ASSERT_OK(first->Exec("INSERT INTO b VALUES (12)"));
  Sql("INSERT INTO a VALUES (31)");
  ARROWCDC_ASSERT_OK(second->Exec("INSERT INTO a VALUES (22)"));
  ARROWCDC_ASSERT_OK(first->Exec("INSERT INTO a VALUES (13)"));
  ARROWCDC_ASSERT_OK(second->Exec("COMMIT"));
  ARROWCDC_ASSERT_OK(first->Exec("COMMIT"));
  // A table's batch in a transaction stands where its first row does.
  EXPECT_EQ(Lines(), (Strings{"insert a(31)", "insert b(21)", "insert a(22)", "insert a(11)", "insert a(13)",
                              "insert b(12)"}));
}

arrow::Result<Strings> PeekLines(SqlConnection* connection) {
  ARROW_ASSIGN_OR_RAISE(
      const auto frames,
      FramesOf(connection, "pg_logical_slot_peek_binary_changes('s', NULL, NULL, 'publication_names', 'p')"));
  Wal2arrowDecoder decoder(arrow::default_memory_pool(), /*epoch=*/1);
  Strings lines;
  for (const auto& frame : frames) {
    ARROW_ASSIGN_OR_RAISE(const auto event, decoder.Decode(frame, 0));
    if (event.has_value()) AppendLines(*event, /*ord=*/false, &lines);
  }
  return lines;
}

TEST(TransactionsOfACrashedServer, LeaveNothing) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto server,
                                PrivateServer::Create({.settings = {{"logical_decoding_work_mem", "64kB"}}}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(auto sql, server->Connect());
  ARROWCDC_ASSERT_OK(sql->Exec("CREATE TABLE t (id int, v text); CREATE PUBLICATION p FOR TABLE t"));
  ARROWCDC_ASSERT_OK(sql->Query("SELECT pg_create_logical_replication_slot('s', 'wal2arrow')"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(auto open, server->Connect());
  ARROWCDC_ASSERT_OK(
      open->Exec("BEGIN; INSERT INTO t SELECT i, repeat('x', 100) FROM generate_series(1, 3000) i; SAVEPOINT "
                 "s; INSERT INTO t VALUES (-1, 'in a subtransaction')"));
  ARROWCDC_ASSERT_OK(sql->Exec("INSERT INTO t VALUES (1, 'before')"));  // what lies in front is flushed, too
  ARROWCDC_ASSERT_OK(server->Crash());
  ARROWCDC_ASSERT_OK(server->Start());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(sql, server->Connect());
  ARROWCDC_ASSERT_OK(sql->Exec("INSERT INTO t VALUES (2, 'after')"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const Strings lines, PeekLines(sql.get()));
  EXPECT_EQ(lines, (Strings{"insert t(1, before)", "insert t(2, after)"}));
}

}  // namespace
}  // namespace arrowcdc::test
