// Large values: stored in every way, in keys, in rows of COPY and in old rows. All of their bytes come, or
// the cell is marked.
#include <vector>

#include "plugin/testing/test_stream.h"
#include "tests/testing/assert_ok.h"

namespace arrowcdc::test {
namespace {

using std::string;
using Strings = std::vector<string>;

class Toast : public PluginTest {
 protected:
  // The server's own idea of a value, for lines.
  static string Repeated(const string& text, int count) {
    string all;
    for (int i = 0; i < count; ++i) all += text;
    return all;
  }
};

// Not compressed and in line, compressed in line, and out of line, compressed or not, by both methods where
// the server knows both.
TEST_F(Toast, EveryStorageAndCompression) {
  Prepare(
      "CREATE TABLE t (id int PRIMARY KEY, plain text, main text, external text, extended text, lz4 text);"
      "ALTER TABLE t ALTER plain SET STORAGE PLAIN, ALTER main SET STORAGE MAIN, ALTER external SET STORAGE "
      "EXTERNAL;"
      "DO $$ BEGIN ALTER TABLE t ALTER lz4 SET COMPRESSION lz4; "
      "EXCEPTION WHEN feature_not_supported THEN RAISE NOTICE 'built without LZ4'; END $$;"
      "CREATE PUBLICATION p FOR TABLE t;"
      "CREATE TABLE random AS SELECT string_agg(md5(i::text), '' ORDER BY i) AS v FROM generate_series(1, "
      "300) i");
  Sql("INSERT INTO t VALUES (1, repeat('p', 1000), repeat('m', 3000), repeat('e', 5000), repeat('x', 9000),"
      " repeat('4', 9000))");
  Sql("INSERT INTO t SELECT 2, 'small', v, v, v, v FROM random");
  Sql("UPDATE t SET main = 'M', external = external || 'E', extended = extended || 'X', lz4 = lz4 || 'L' "
      "WHERE id = 2; UPDATE t SET plain = 'P', lz4 = repeat('5', 8000) WHERE id = 1");
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto connection, SharedServer().Connect(database()));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const string v, connection->Scalar("SELECT v FROM random"));
  ASSERT_EQ(v.size(), 9600u);
  // What the second update leaves as it is lies out of line (~): MAIN stays in the row as long as others can
  // leave it, compressed as they are.
  EXPECT_EQ(
      Lines(),
      (Strings{"insert t(1, " + Repeated("p", 1000) + ", " + Repeated("m", 3000) + ", " +
                   Repeated("e", 5000) + ", " + Repeated("x", 9000) + ", " + Repeated("4", 9000) + ")",
               "insert t(2, small, " + v + ", " + v + ", " + v + ", " + v + ")",
               "update_after t(2, small, M, " + v + "E, " + v + "X, " + v + "L)",
               "update_after t(1, P, " + Repeated("m", 3000) + ", ~, ~, " + Repeated("5", 8000) + ")"}));
}

TEST_F(Toast, Keys) {
  // Random letters, so that they do not get small enough for the row; within what an index takes.
  Prepare(
      "CREATE TABLE t (key text PRIMARY KEY, n int); ALTER TABLE t ALTER key SET STORAGE EXTERNAL;"
      "CREATE PUBLICATION p FOR TABLE t");
  Sql("INSERT INTO t VALUES (repeat('k', 2500), 1)");
  Sql("UPDATE t SET n = 2; UPDATE t SET key = repeat('l', 2400); UPDATE t SET key = 'short'; "
      "UPDATE t SET key = repeat('m', 2300); DELETE FROM t");
  const string k = Repeated("k", 2500);
  const string l = Repeated("l", 2400);
  const string m = Repeated("m", 2300);
  EXPECT_EQ(Lines(), (Strings{"insert t(" + k + ", 1)", "update_before t(" + k + ", null)",
                              "update_after t(" + k + ", 2)", "update_before t(" + k + ", null)",
                              "update_after t(" + l + ", 2)", "update_before t(" + l + ", null)",
                              "update_after t(short, 2)", "update_before t(short, null)",
                              "update_after t(" + m + ", 2)", "delete t(" + m + ", null)"}));
}

// Rows of one record, between them those whose values lie in records of their own.
TEST_F(Toast, Copy) {
  Prepare(
      "CREATE TABLE t (id int, v text); ALTER TABLE t ALTER v SET STORAGE EXTERNAL; CREATE PUBLICATION p FOR "
      "TABLE t");
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto connection, SharedServer().Connect(database()));
  string data;
  Strings wanted;
  for (int i = 0; i < 300; ++i) {
    const string value =
        i % 7 == 3 ? Repeated(string(1, static_cast<char>('a' + i % 26)), 3000 + i) : "short";
    data += std::to_string(i) + "\t" + value + "\n";
    wanted.push_back("insert t(" + std::to_string(i) + ", " + value + ")");
  }
  ARROWCDC_ASSERT_OK(connection->CopyIn("COPY t FROM STDIN", data));
  EXPECT_EQ(Lines(), wanted);
}

// An old row is one tuple of the WAL however large its values are.
TEST_F(Toast, OldRowsOfMoreThanAPage) {
  Prepare(
      "CREATE TABLE t (id int, a text, b text); ALTER TABLE t ALTER a SET STORAGE EXTERNAL, ALTER b SET "
      "STORAGE EXTERNAL; ALTER TABLE t REPLICA IDENTITY FULL; CREATE PUBLICATION p FOR TABLE t");
  Sql("INSERT INTO t VALUES (1, repeat('a', 70000), repeat('b', 200000))");
  Sql("UPDATE t SET id = 2; DELETE FROM t");
  const string rest = ", " + Repeated("a", 70000) + ", " + Repeated("b", 200000) + ")";
  EXPECT_EQ(Lines(), (Strings{"insert t(1" + rest, "update_before t(1" + rest, "update_after t(2" + rest,
                              "delete t(2" + rest}));
}

}  // namespace
}  // namespace arrowcdc::test
