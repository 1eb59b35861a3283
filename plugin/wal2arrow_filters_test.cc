// Row filters through the plugin in a real server: which changes come, and as what. What a filter means is
// taken from SQL itself: a row passes where SELECT ... WHERE gives it.
#include <random>

#include "plugin/testing/test_stream.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/seed.h"

namespace arrowcdc::test {
namespace {

using std::string;
using Strings = std::vector<string>;

class Filters : public PluginTest {
 protected:
  static size_t CountInLog(const string& text) {
    const string log = SharedServer().Log();
    size_t count = 0;
    for (size_t at = log.find(text); at != string::npos; at = log.find(text, at + 1)) ++count;
    return count;
  }

  // Of one reading by SQL.
  Strings PeekLines(const PluginOptions& options) {
    Strings lines;
    const auto events = Peek(options);
    EXPECT_TRUE(events.ok()) << events.status();
    if (events.ok()) {
      for (const Event& event : *events) AppendLines(event, false, &lines);
    }
    return lines;
  }
};

TEST_F(Filters, RowsThatMoveInAndOut) {
  Prepare(
      "CREATE TABLE t (a int, b text); ALTER TABLE t REPLICA IDENTITY FULL;"
      "CREATE PUBLICATION p FOR TABLE t WHERE (a > 10)");
  Sql("INSERT INTO t VALUES (5, 'low'), (11, 'high'), (NULL, 'unknown')");
  Sql("UPDATE t SET a = a + 10 WHERE a = 5");      // in
  Sql("UPDATE t SET a = a + 10 WHERE a = 15");     // stays in
  Sql("UPDATE t SET a = 10 WHERE a = 11");         // out
  Sql("UPDATE t SET a = 9 WHERE a = 10");          // stays out
  Sql("UPDATE t SET a = 12 WHERE b = 'unknown'");  // unknown is out
  Sql("DELETE FROM t");
  EXPECT_EQ(Lines(), (Strings{"insert t(11, high)", "insert t(15, low)", "update_before t(15, low)",
                              "update_after t(25, low)", "delete t(11, high)", "insert t(12, unknown)",
                              "delete t(25, low)", "delete t(12, unknown)"}));
}

// Without an old row the identity is as it was.
TEST_F(Filters, KeyAsIdentity) {
  Prepare("CREATE TABLE t (id int PRIMARY KEY, b text); CREATE PUBLICATION p FOR TABLE t WHERE (id % 2 = 0)");
  Sql("INSERT INTO t SELECT i, 'x' FROM generate_series(1, 4) i");
  Sql("UPDATE t SET b = 'y'; UPDATE t SET id = 6 WHERE id = 1; UPDATE t SET id = 7 WHERE id = 2; DELETE FROM "
      "t");
  EXPECT_EQ(Lines(),
            (Strings{"insert t(2, x)", "insert t(4, x)", "update_after t(2, y)", "update_after t(4, y)",
                     "insert t(6, y)", "delete t(2, null)", "delete t(4, null)", "delete t(6, null)"}));
}

TEST_F(Filters, SeveralPublications) {
  Prepare(
      "CREATE SCHEMA s; CREATE TABLE s.t (a int PRIMARY KEY);"
      "CREATE PUBLICATION low FOR TABLE s.t WHERE (a < 3); CREATE PUBLICATION high FOR TABLE s.t WHERE (a "
      "> 7);"
      "CREATE PUBLICATION inserts FOR TABLE s.t WHERE (a = 5) WITH (publish = 'insert');"
      "CREATE PUBLICATION deletes FOR TABLE s.t WITH (publish = 'delete');"
      "CREATE PUBLICATION schema FOR TABLES IN SCHEMA s, TABLE s.t WHERE (a = 1);"
      "CREATE PUBLICATION everything FOR ALL TABLES; CREATE PUBLICATION plain FOR TABLE s.t");
  Sql("INSERT INTO s.t SELECT generate_series(1, 9); DELETE FROM s.t WHERE a IN (1, 5)");
  const Strings all = {"insert t(1)", "insert t(2)", "insert t(3)", "insert t(4)",
                       "insert t(5)", "insert t(6)", "insert t(7)", "insert t(8)",
                       "insert t(9)", "delete t(1)", "delete t(5)"};
  EXPECT_EQ(Lines({{"publication_names", "low,high"}}),
            (Strings{"insert t(1)", "insert t(2)", "insert t(8)", "insert t(9)", "delete t(1)"}));
  // Each operation has its own filters.
  EXPECT_EQ(Lines({{"publication_names", "low,inserts"}}),
            (Strings{"insert t(1)", "insert t(2)", "insert t(5)", "delete t(1)"}));
  EXPECT_EQ(Lines({{"publication_names", "high,deletes"}}),
            (Strings{"insert t(8)", "insert t(9)", "delete t(1)", "delete t(5)"}));
  for (const string without : {"schema", "everything", "plain"}) {
    EXPECT_EQ(Lines({{"publication_names", "low," + without}}), all) << without;
    EXPECT_EQ(Lines({{"publication_names", without}}), all) << without;
  }
}

// Such a filter ends every session of pgoutput at the row.
TEST_F(Filters, RowsWhoseFilterRaisesAnErrorPass) {
  Prepare(
      "CREATE TABLE t (id int, a int, b int); ALTER TABLE t REPLICA IDENTITY FULL;"
      "CREATE PUBLICATION p FOR TABLE t WHERE (a / b > 1);"
      "CREATE PUBLICATION hopeless FOR TABLE t WHERE (a > 1 / 0)");
  Sql("INSERT INTO t VALUES (1, 4, 2), (2, 4, 0), (3, 1, 1), (4, 4, NULL), (5, 9, 3)");
  Sql("UPDATE t SET b = 0 WHERE id = 5; UPDATE t SET b = 9 WHERE id = 5; DELETE FROM t WHERE id IN (2, 3)");
  const size_t told = CountInLog("a row filter of table \"public.t\" raised an error (SQLSTATE 22012)");
  EXPECT_EQ(PeekLines({}),
            (Strings{"insert t(1, 4, 2)", "insert t(2, 4, 0)", "insert t(5, 9, 3)",
                     "update_before t(5, 9, 3)", "update_after t(5, 9, 0)", "update_before t(5, 9, 0)",
                     "update_after t(5, 9, 9)", "delete t(2, 4, 0)"}));
  EXPECT_EQ(CountInLog("a row filter of table \"public.t\" raised an error (SQLSTATE 22012)"), told + 1);
  EXPECT_EQ(Lines().size(), 8u);
  EXPECT_EQ(Lines({{"publication_names", "hopeless"}}).size(), 5u + 4u + 2u);
  // Subtransactions do not pile up.
  Sql("INSERT INTO t SELECT i, i, i % 2 FROM generate_series(1, 3000) i");
  EXPECT_EQ(Lines().size(), 8u + 2999u);
}

// Of functions in SQL that the planner computes at once or does not inline, since it would have to compute an
// expensive argument twice, a walsender with pgoutput crashes, and the server with it.
TEST_F(Filters, FunctionsInSql) {
  string expensive = "at";
  for (int i = 0; i < 12; ++i) expensive += " + step";
  const Strings filters = {"lpad(a, 3) = '  x'", "(" + expensive + ", step) OVERLAPS (at, step)",
                           "a = lpad(coalesce('y', a), 3, 'y')", "'  ' || a = lpad(lower('X'), 3)"};
  Prepare("CREATE TABLE t (a text, at timestamp, step interval)");
  for (size_t i = 0; i < filters.size(); ++i) {
    Sql("CREATE PUBLICATION p" + std::to_string(i) + " FOR TABLE t WHERE (" + filters[i] +
        ") WITH (publish = insert)");
  }
  Sql("INSERT INTO t (a) VALUES ('x'), ('yyy'); INSERT INTO t VALUES ('z', '2020-01-01', '1 day'), ('w', "
      "'2020-01-01', '-1 day'), ('v', 'infinity', '1 day')");
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto sql, SharedServer().Connect(database()));
  for (size_t i = 0; i < filters.size(); ++i) {
    SCOPED_TRACE(filters[i]);
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto passing, sql->Query("SELECT a FROM t WHERE " + filters[i]));
    Strings names;
    for (const string& line : Lines({{"publication_names", "p" + std::to_string(i)}}))
      names.push_back(line.substr(9, line.find(',') - 9));
    Strings expected;
    for (const SqlRow& row : passing) expected.push_back(*row[0]);
    EXPECT_EQ(names, expected);
  }
}

TEST_F(Filters, LargeValues) {
  Prepare(
      "CREATE TABLE t (id int, big text, n int); ALTER TABLE t REPLICA IDENTITY FULL;"
      "ALTER TABLE t ALTER big SET STORAGE EXTERNAL;"
      "CREATE TABLE k (big text PRIMARY KEY, n int); ALTER TABLE k ALTER big SET STORAGE EXTERNAL;"
      "CREATE PUBLICATION p FOR TABLE t WHERE (length(big) > 5000 AND n > 1), k WHERE (length(big) = 2100)");
  Sql("INSERT INTO t VALUES (1, repeat('x', 9000), 1), (2, repeat('x', 4000), 2)");
  Sql("UPDATE t SET n = n + 1");                             // 1 moves in, its value was not changed
  Sql("UPDATE t SET big = repeat('y', 6000) WHERE id = 2");  // 2 moves in
  Sql("UPDATE t SET n = 0 WHERE id = 1");                    // out
  // Wide enough to lie outside of the row, and still a key that the index can take compressed.
  Sql("INSERT INTO k VALUES (repeat('x', 2100), 1), (repeat('y', 2101), 1); UPDATE k SET n = 2");
  const string x(9000, 'x');
  const string y(6000, 'y');
  const string key(2100, 'x');
  EXPECT_EQ(Lines(), (Strings{"insert t(1, " + x + ", 2)", "insert t(2, " + y + ", 3)",
                              "delete t(1, " + x + ", 2)", "insert k(" + key + ", 1)",
                              "update_before k(" + key + ", null)", "update_after k(" + key + ", 2)"}));
}

TEST_F(Filters, PartitionsWithOtherColumns) {
  Prepare(
      "CREATE TABLE root (id int, k int, v text) PARTITION BY LIST (k); ALTER TABLE root REPLICA IDENTITY "
      "FULL;"
      "CREATE TABLE one PARTITION OF root FOR VALUES IN (1); ALTER TABLE one REPLICA IDENTITY FULL;"
      "CREATE TABLE two (v text, gone int, k int, id int); ALTER TABLE two DROP COLUMN gone;"
      "ALTER TABLE two REPLICA IDENTITY FULL;"
      "ALTER TABLE root ATTACH PARTITION two FOR VALUES IN (2);"
      "CREATE PUBLICATION p FOR TABLE root WHERE (id > 5) WITH (publish_via_partition_root);"
      "CREATE PUBLICATION leaves FOR TABLE root, two WHERE (v = 'b')");
  Sql("INSERT INTO root VALUES (1, 1, 'a'), (6, 1, 'a'), (2, 2, 'b'), (7, 2, 'c')");
  Sql("UPDATE root SET id = id + 4; UPDATE root SET k = 2 WHERE id = 10");
  EXPECT_EQ(Lines(),
            (Strings{"insert root(6, 1, a)", "insert root(7, 2, c)", "update_before root(6, 1, a)",
                     "update_after root(10, 1, a)", "insert root(6, 2, b)", "update_before root(7, 2, c)",
                     "update_after root(11, 2, c)", "delete root(10, 1, a)", "insert root(10, 2, a)"}));
  // Under their own names partitions have their own filters. A batch has the rows of one table.
  EXPECT_EQ(Lines({{"publication_names", "leaves"}}),
            (Strings{"insert one(1, 1, a)", "insert one(6, 1, a)", "insert two(b, 2, 2)",
                     "update_before one(1, 1, a)", "update_after one(5, 1, a)", "update_before one(6, 1, a)",
                     "update_after one(10, 1, a)", "delete one(10, 1, a)", "update_before two(b, 2, 2)",
                     "update_after two(b, 2, 6)"}));
}

TEST_F(Filters, ColumnsThatWereAdded) {
  Prepare(
      "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1);"
      "ALTER TABLE t ADD extra int DEFAULT 7 NOT NULL;"
      "ALTER TABLE t REPLICA IDENTITY FULL; CREATE PUBLICATION p FOR TABLE t WHERE (extra = 7)");
  Sql("INSERT INTO t VALUES (2); INSERT INTO t VALUES (3, 8); UPDATE t SET id = id + 10");
  EXPECT_EQ(Lines(), (Strings{"insert t(2, 7)", "update_before t(1, 7)", "update_after t(11, 7)",
                              "update_before t(2, 7)", "update_after t(12, 7)"}));
}

TEST_F(Filters, FilterThatChangesInMidStream) {
  Prepare("CREATE TABLE t (id int PRIMARY KEY); CREATE PUBLICATION p FOR TABLE t WHERE (id > 1)");
  Sql("INSERT INTO t VALUES (1), (2)");
  Sql("ALTER PUBLICATION p SET TABLE t WHERE (id < 5); INSERT INTO t VALUES (3), (5)");
  Sql("ALTER PUBLICATION p SET TABLE t; INSERT INTO t VALUES (6)");
  Sql("ALTER PUBLICATION p SET TABLE t WHERE (id < 0); ALTER TABLE t ADD x int; INSERT INTO t VALUES (7)");
  Sql("BEGIN; ALTER PUBLICATION p SET TABLE t WHERE (id = 8); INSERT INTO t VALUES (7 + 1), (9); ROLLBACK");
  EXPECT_EQ(Lines(), (Strings{"insert t(2)", "insert t(3)", "insert t(6)"}));
}

// Only the rows that are sent count.
TEST_F(Filters, PlaceInTheRecord) {
  Prepare("CREATE TABLE t (id int PRIMARY KEY); CREATE PUBLICATION p FOR TABLE t WHERE (id % 3 = 0)");
  Sql("COPY (SELECT generate_series(1, 9)) TO '" + (SharedServer().directory() / "rows").string() +
      "'; COPY t FROM '" + (SharedServer().directory() / "rows").string() + "'");
  Sql("UPDATE t SET id = 12 WHERE id = 3; UPDATE t SET id = 15 WHERE id = 1");
  EXPECT_EQ(Lines({}, true), (Strings{"insert t(3) #0", "insert t(6) #1", "insert t(9) #2",
                                      "update_before t(3) #0", "update_after t(12) #1", "insert t(15) #0"}));
}

// The server takes no filter with types or functions of users: the plugin need not know them.
TEST_F(Filters, TypesOfUsersAreRefusedByTheServer) {
  Prepare(
      "CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE DOMAIN positive AS int CHECK (VALUE > 0);"
      "CREATE TABLE t (id int PRIMARY KEY, m mood, d positive,"
      " c information_schema.cardinal_number); CREATE PUBLICATION p FOR TABLE t WHERE (id > 0)");
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto sql, SharedServer().Connect(database()));
  EXPECT_FALSE(sql->Exec("CREATE PUBLICATION q FOR TABLE t WHERE (m = 'sad')").ok());
  EXPECT_FALSE(sql->Exec("CREATE PUBLICATION q FOR TABLE t WHERE (d > 1)").ok());
  // But those that come with it.
  Sql("ALTER TABLE t REPLICA IDENTITY FULL; CREATE PUBLICATION q FOR TABLE t WHERE (c > 1)");
  Sql("INSERT INTO t VALUES (1, 'sad', 1, 1), (2, 'ok', 2, 2), (3, NULL, NULL, NULL)");
  EXPECT_EQ(Lines({{"publication_names", "q"}}), Strings{"insert t(2, ok, 2, 2)"});
}

// --- random filters, with SQL as the judge ---

class RandomFilter {
 public:
  explicit RandomFilter(std::mt19937_64* random, bool icu) : random_(*random), icu_(icu) {}

  string Make(int depth) {
    if (depth > 0 && Pick(2) == 0) {
      switch (Pick(5)) {
        case 0:
          return "(" + Make(depth - 1) + " AND " + Make(depth - 1) + ")";
        case 1:
          return "(" + Make(depth - 1) + " OR " + Make(depth - 1) + ")";
        case 2:
          return "NOT " + Parenthesized(depth);
        case 3:
          return Parenthesized(depth) + OneOf({" IS TRUE", " IS NOT TRUE", " IS FALSE", " IS UNKNOWN",
                                               " IS NOT UNKNOWN", " IS NULL", " IS NOT NULL"});
        default:
          return "COALESCE(" + Make(depth - 1) + ", " + OneOf({"true", "false", "f"}) + ")";
      }
    }
    return Leaf();
  }

 private:
  uint64_t Pick(uint64_t count) { return random_() % count; }
  string OneOf(const Strings& words) { return words[Pick(words.size())]; }
  string Parenthesized(int depth) { return "(" + Make(depth - 1) + ")"; }
  string Compare() { return OneOf({" = ", " <> ", " < ", " <= ", " > ", " >= ", " IS DISTINCT FROM "}); }

  string Leaf() {
    switch (Pick(16)) {
      case 0:
        return "a" + Compare() + OneOf({"0", "1", "-1", "2147483647", "NULL", "b", "s", "1.5"});
      case 1:
        return "t" + Compare() + OneOf({"'b'", "''", "u", "NULL", "'ä'"});
      case 2:
        return "n" + Compare() + OneOf({"0", "1.50", "'NaN'", "a", "s", "b"});
      case 3:
        return "d" + Compare() + OneOf({"'2020-02-29'", "'infinity'", "ts", "NULL"});
      case 4:
        return "ts" + Compare() + OneOf({"'2020-02-29 12:00'", "'-infinity'", "d"});
      case 5:
        return OneOf({"a", "t", "n", "d", "f", "ts", "x"}) + OneOf({" IS NULL", " IS NOT NULL"});
      case 6:
        return OneOf({"f", "NOT f", "f IS TRUE", "f = true", "f IS NOT FALSE"});
      case 7:
        return "a" + OneOf({" IN ", " NOT IN "}) + OneOf({"(1, 2)", "(0, NULL)", "(-1, 1, 2147483647)"});
      case 8:
        return "t IN ('a', 'b', '')";
      case 9:
        return "a BETWEEN 0 AND " + OneOf({"1", "b", "s"});
      // These may raise an error.
      case 10:
        return "a " + OneOf({"/ b", "% b", "* 2", "+ b", "- 1", "/ s"}) + Compare() + OneOf({"0", "1"});
      case 11:
        return OneOf({"length(t)", "octet_length(t)", "ascii(t)"}) + Compare() + OneOf({"1", "97", "a"});
      case 12:
        return "t LIKE " + OneOf({"'a%'", "'%b'", "u", "t || '\\'"});
      case 13:
        return "chr(a)" + Compare() + "t";
      case 14:
        return "CASE WHEN a > 0 THEN t = 'b' WHEN f THEN b / a = 1 ELSE f END";
      default:
        return "t " + (icu_ ? OneOf({"COLLATE \"C\"", "COLLATE \"und-x-icu\"", ""}) : "") +
               OneOf({" < ", " >= "}) + OneOf({"'b'", "lower('Ä')"});
    }
  }

  std::mt19937_64& random_;
  bool icu_;
};

constexpr const char* kRandomTable =
    "CREATE TABLE t (id int, a int, b int, s int2, t text, u varchar(9), n numeric, d date, ts timestamp, f "
    "bool, x bytea); ALTER TABLE t REPLICA IDENTITY FULL;"
    "CREATE TABLE versions (place serial, was t, became t);"
    "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
    " INSERT INTO versions (was, became) VALUES (OLD, NEW); RETURN NULL; END $$;"
    "CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION note();"
    "CREATE FUNCTION row_of(i int, seed float8) RETURNS t LANGUAGE sql VOLATILE AS $$ SELECT ROW(i,"
    " (ARRAY[-1, 0, 1, 2, 2147483647, NULL])[1 + floor(random() * 6)],"
    " (ARRAY[-1, 0, 1, 2, NULL])[1 + floor(random() * 5)], (ARRAY[-1, 0, 1, NULL])[1 + floor(random() * 4)],"
    " (ARRAY['a', 'b', '', 'ä', 'ab', '\\', NULL])[1 + floor(random() * 7)],"
    " (ARRAY['a', 'b', '\\', NULL])[1 + floor(random() * 4)],"
    " (ARRAY[0, 1.5, 'NaN', -1, NULL])[1 + floor(random() * 5)],"
    " (ARRAY['2020-02-29', 'infinity', '2020-03-01', NULL]::date[])[1 + floor(random() * 4)],"
    " (ARRAY['2020-02-29 12:00', '-infinity', '2020-02-29', NULL]::timestamp[])[1 + floor(random() * 4)],"
    " (ARRAY[true, false, NULL])[1 + floor(random() * 3)], (ARRAY['\\x00', NULL]::bytea[])[1 + "
    "floor(random() "
    "* 2)])::t $$;"
    // One row by SQL: true, false (unknown is), or null for an error.
    "CREATE FUNCTION passes(filter text, t) RETURNS bool LANGUAGE plpgsql AS $$ DECLARE result bool; BEGIN"
    " EXECUTE 'SELECT count(*) = 1 FROM (SELECT ($1).*) AS t WHERE ' || filter INTO result USING $2;"
    " RETURN result; EXCEPTION WHEN OTHERS THEN RETURN NULL; END $$;";

// The changes that come, as "insert 1 2": operation, and a place among the versions.
constexpr const char* kExpected =
    "SELECT coalesce(string_agg(CASE"
    " WHEN was IS NULL THEN CASE WHEN new_passes IS NOT FALSE THEN 'insert ' || (became).id END"
    " WHEN became IS NULL THEN CASE WHEN old_passes IS NOT FALSE THEN 'delete ' || (was).id END"
    " WHEN old_passes IS NULL OR new_passes IS NULL OR (old_passes AND new_passes) THEN"
    "  'update_before ' || (was).id || E'\\nupdate_after ' || (became).id"
    " WHEN new_passes THEN 'insert ' || (became).id WHEN old_passes THEN 'delete ' || (was).id END, E'\\n'"
    " ORDER BY place), '') FROM (SELECT *, passes($filter$, was) AS old_passes,"
    " passes($filter$, became) AS new_passes FROM versions) AS judged";

TEST_F(Filters, AgreeWithSql) {
  const uint64_t seed = Seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  Prepare(kRandomTable);
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto sql, SharedServer().Connect(database()));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(
      const string icu, sql->Scalar("SELECT count(*) FROM pg_collation WHERE collname = 'und-x-icu'"));
  constexpr int kFilters = 120;
  RandomFilter make(&random, icu != "0");
  Strings filters;
  for (int i = 0; i < kFilters; ++i) {
    filters.push_back(make.Make(3));
    SCOPED_TRACE(filters.back());
    ARROWCDC_ASSERT_OK(sql->Exec("CREATE PUBLICATION p" + std::to_string(i) + " FOR TABLE t WHERE (" +
                                 filters.back() + ")"));
  }
  ARROWCDC_ASSERT_OK(
      sql->Exec("SELECT setseed(" + std::to_string(static_cast<double>(seed % 1000) / 1000) +
                "); INSERT INTO t SELECT (row_of(i, 0)).* FROM generate_series(1, 60) i;"
                "DO $$ BEGIN FOR i IN 1..60 LOOP"
                " UPDATE t SET (id, a, b, s, t, u, n, d, ts, f, x) = (SELECT r.* FROM"
                " row_of(i, 0) r) WHERE id = i; END LOOP; END $$; DELETE FROM t WHERE id % 3 = 0"));
  int rows = 0;
  for (int i = 0; i < kFilters; ++i) {
    string query = kExpected;
    const string quoted = "$f$" + filters[static_cast<size_t>(i)] + "$f$";
    for (size_t at; (at = query.find("$filter$")) != string::npos;) query.replace(at, 8, quoted);
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const string expected, sql->Scalar(query));
    string got;
    for (const string& line : PeekLines({{"publication_names", "p" + std::to_string(i)}})) {
      const size_t open = line.find(" t(");
      got += (got.empty() ? "" : "\n") + line.substr(0, open) + " " +
             line.substr(open + 3, line.find(',') - open - 3);
      ++rows;
    }
    ASSERT_EQ(got, expected) << filters[static_cast<size_t>(i)];
  }
  std::printf("%d filters let %d rows pass, seed %llu\n", kFilters, rows,
              static_cast<unsigned long long>(seed));
  EXPECT_GT(rows, 1000);
}

}  // namespace
}  // namespace arrowcdc::test
