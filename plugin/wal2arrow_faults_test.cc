// What must not stop the stream, and what must, with which words: options, publications, hostile values and
// types.
#include "plugin/testing/test_stream.h"
#include "plugin/testing/walsender_stream.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/seed.h"

#include <cstdio>
#include <fstream>
#include <random>
#include <set>
#include <tuple>

#include <arrow/util/utf8.h>

namespace arrowcdc::test {
namespace {

using ::std::string;
using Strings = std::vector<string>;

constexpr char kMark[] = "\xef\xbf\xbd";  // U+FFFD, before a name that is escaped

class Faults : public PluginTest {
 protected:
  void ExpectError(const PluginOptions& options, const Strings& parts) {
    const string error = PeekError(options);
    for (const string& part : parts)
      EXPECT_NE(error.find(part), string::npos) << "no \"" << part << "\" in: " << error;
  }
};

TEST_F(Faults, Options) {
  Prepare("CREATE TABLE t (id int); CREATE PUBLICATION p FOR TABLE t");
  Sql("INSERT INTO t VALUES (1)");
  ExpectError({{"secret_option", "secret value"}}, {"has no option \"secret_option\""});
  EXPECT_EQ(PeekError({{"secret_option", "secret value"}}).find("secret value"), string::npos);
  ExpectError({{"publication_names", ""}}, {"needs the option publication_names"});
  ExpectError({{"publication_names", "\"p"}}, {"publication_names"});
  ExpectError({{"publication_names", ",,,"}}, {"publication_names"});
  ExpectError({{"publication_names", string(2 << 20, 'p')}}, {"publication_names"});
  ExpectError({{"publication_names", "p\\"}}, {"publication \"p\\\" does not exist"});
  ExpectError({{"proto_min", "2"}, {"proto_max", "3"}}, {"protocol 2 to 3", "1 to 1"});
  ExpectError({{"proto_min", "0"}, {"proto_max", "0"}}, {"protocol 0 to 0", "1 to 1"});
  ExpectError({{"proto_min", "x"}}, {"proto_min"});
  ExpectError({{"proto_max", ""}}, {"proto_max"});
  ExpectError({{"proto_max", "-1"}}, {"proto_max"});
  ExpectError({{"batch_bytes", "1e9"}}, {"batch_bytes"});
  ExpectError({{"batch_bytes", " 1"}}, {"batch_bytes"});
  ExpectError({{"numeric", "decimal(77,1)"}}, {"numeric"});
  ExpectError({{"numeric", "decimal(10,"}}, {"numeric"});
  ExpectError({{"numeric", "decimal(10,11)"}}, {"numeric"});
  ExpectError({{"compression", "gzip"}}, {"\"compression\"", "\"none\", \"lz4\" or \"zstd\""});
  ExpectError({{"compression", ""}}, {"\"compression\""});
  ExpectError({{"compression", "LZ4"}}, {"\"compression\""});
  ExpectError({{"\\", "\\"}}, {"has no option \"\\\""});
  ExpectError({{"", ""}}, {"has no option"});
  // Out of range is clamped, what a protocol of the future offers is taken down to what is known.
  for (const string bytes : {"0", "1", "99999999999999999999999999999"}) {
    EXPECT_EQ(Lines({{"batch_bytes", bytes}}), Strings{"insert t(1)"}) << bytes;
  }
  EXPECT_EQ(Lines({{"proto_min", "1"}, {"proto_max", "99999999999999999999999999"}}), Strings{"insert t(1)"});
  EXPECT_EQ(Lines({{"publication_names", " p , \"p\" "}}), Strings{"insert t(1)"});
}

TEST_F(Faults, PublicationThatDoesNotExistYet) {
  Prepare("CREATE TABLE t (id int)");
  Sql("INSERT INTO t VALUES (1)");
  Sql("CREATE PUBLICATION p FOR TABLE t");
  ExpectError({}, {"publication \"p\" does not exist at this point of the WAL"});
}

TEST_F(Faults, DifferentColumnListsAreRefusedByName) {
  Prepare(
      "CREATE TABLE t (a int, b int); CREATE PUBLICATION p FOR TABLE t (a); CREATE PUBLICATION q FOR TABLE "
      "t");
  Sql("INSERT INTO t VALUES (1, 2)");
  ExpectError({{"publication_names", "p,q"}},
              {"\"p\"", "\"q\"", "different columns", "public.t", "make them equal",
               "pg_replication_slot_advance('" + slot() + "', "});
}

// Types of users: an output function that fails for some values, one that always fails, one that gives bytes
// that are no text. enum_out fails for a number that is no label, any_out always.
constexpr const char* kHostileTypes =
    "CREATE TYPE sometimes;"
    "CREATE FUNCTION sometimes_in(cstring) RETURNS sometimes LANGUAGE internal STRICT IMMUTABLE AS 'oidin';"
    "CREATE FUNCTION sometimes_out(sometimes) RETURNS cstring LANGUAGE internal STRICT IMMUTABLE AS "
    "'enum_out';"
    "CREATE TYPE sometimes (input = sometimes_in, output = sometimes_out, internallength = 4, passedbyvalue,"
    " alignment = int4);"
    "CREATE TYPE never;"
    "CREATE FUNCTION never_in(cstring) RETURNS never LANGUAGE internal STRICT IMMUTABLE AS 'textin';"
    "CREATE FUNCTION never_out(never) RETURNS cstring LANGUAGE internal STRICT IMMUTABLE AS 'any_out';"
    "CREATE TYPE never (input = never_in, output = never_out, internallength = variable);"
    "CREATE TYPE bytes;"
    "CREATE FUNCTION bytes_in(cstring) RETURNS bytes LANGUAGE internal STRICT IMMUTABLE AS 'byteain';"
    "CREATE FUNCTION bytes_out(bytes) RETURNS cstring LANGUAGE internal STRICT IMMUTABLE AS 'textout';"
    "CREATE TYPE bytes (input = bytes_in, output = bytes_out, internallength = variable);"
    "CREATE TYPE label AS ENUM ('yes');"
    "CREATE TABLE t (id int, s sometimes, n never, na never[], b bytes, after text); CREATE PUBLICATION p "
    "FOR TABLE t;";

TEST_F(Faults, OutputFunctionsThatFail) {
  Prepare(kHostileTypes);
  Sql("INSERT INTO t SELECT 1, oid::text::sometimes, NULL, NULL, 'abc', 'x' FROM pg_enum;"
      "INSERT INTO t VALUES (2, '5', 'n', '{n}', '\\xff00', 'y'), (3, NULL, NULL, NULL, NULL, 'z')");
  EXPECT_EQ(Lines(), (Strings{"insert t(1, yes, null, null, abc, x)", "insert t(2, !, !, !, !, y)",
                              "insert t(3, null, null, null, null, z)"}));
  // Subtransactions do not pile up.
  Sql("INSERT INTO t SELECT i, '5', 'n', NULL, NULL, 'w' FROM generate_series(1, 2000) i");
  EXPECT_EQ(Lines().size(), 2003u);
}

TEST_F(Faults, TypesDroppedBeforeTheirRowsAreDecoded) {
  Prepare(string(kHostileTypes) +
          "CREATE TYPE color AS ENUM ('red'); CREATE DOMAIN d AS numeric(5,1); CREATE TYPE pair AS (a int, b "
          "color);"
          "CREATE TABLE u (c color, cs color[], d d, p pair); ALTER PUBLICATION p ADD TABLE u");
  Sql("INSERT INTO u VALUES ('red', '{red}', 1.5, ROW(1, 'red'));"
      "ALTER TYPE color RENAME VALUE 'red' TO 'blue'; INSERT INTO u VALUES ('blue', '{blue}', 2, ROW(2, "
      "'blue'))");
  Sql("ALTER TYPE color ADD VALUE 'green'");
  Sql("INSERT INTO u VALUES ('green', NULL, NULL, NULL)");
  Sql("INSERT INTO t SELECT 1, oid::text::sometimes FROM pg_enum WHERE enumlabel = 'yes'");
  Sql("DROP TABLE t, u");
  Sql("DROP TYPE sometimes, never, bytes, label, color, pair CASCADE; DROP DOMAIN d");
  EXPECT_EQ(Lines(),
            (Strings{"insert u(red, list<item: string>[red], 1.5, {a:int32 = 1, b:string = red})",
                     "insert u(blue, list<item: string>[blue], 2.0, {a:int32 = 2, b:string = blue})",
                     "insert u(green, null, null, null)", "insert t(1, yes, null, null, null, null)"}));
}

// The rows are what they were when they were written, whichever way the types went.
TEST_F(Faults, ExtensionsDroppedBeforeTheirRowsAreDecoded) {
  Prepare(
      "CREATE EXTENSION hstore; CREATE EXTENSION citext; CREATE EXTENSION ltree; CREATE EXTENSION cube;"
      "CREATE TABLE t (h hstore, hs hstore[], c citext, l ltree[], k cube); CREATE PUBLICATION p FOR TABLE "
      "t");
  const string insert = "INSERT INTO t VALUES ('a=>1', '{b=>NULL}', 'C', '{a.b}', '(1, 2)')";
  Sql(insert);
  const Strings before = Lines();
  ASSERT_EQ(before.size(), 1u);
  // The session knows it as a member already; one that begins here does not, and has its text.
  Sql("ALTER EXTENSION hstore DROP TYPE hstore; " + insert);
  Sql("ALTER EXTENSION hstore ADD TYPE hstore; " + insert);
  Sql("DROP TABLE t; DROP EXTENSION hstore, citext, ltree, cube");
  const Strings after = Lines();
  ASSERT_EQ(after.size(), 3u);
  EXPECT_EQ(after[0], before[0]);
  EXPECT_EQ(after[1], before[0]);
  EXPECT_EQ(after[2], before[0]);
}

TEST_F(Faults, SqlAsciiDatabase) {
  Prepare("CREATE TABLE \"t\xe9\" (id int, a text, j jsonb, s text[]); CREATE PUBLICATION p FOR ALL TABLES",
          "SQL_ASCII");
  Sql("INSERT INTO \"t\xe9\" VALUES (1, 'h\xc3\xa9', '\"\xc3\xa9\"', '{a,\xc3\xa9}'),"
      " (2, 'h\xe9', '\"\xff\"', '{a,\xff}'), (3, 'plain', '{}', '{}')");
  const auto lines = Lines();
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0].substr(0, 28), "insert \xef\xbf\xbdt\\xe9(1, h\xc3\xa9, \"\xc3\xa9\"");
  EXPECT_EQ(lines[1], "insert \xef\xbf\xbdt\\xe9(2, !, !, !)");
  EXPECT_EQ(lines[2].substr(0, 30), "insert \xef\xbf\xbdt\\xe9(3, plain, {}, ");
}

// What a name in SQL_ASCII becomes, written down apart from the plugin.
string Escaped(const string& name) {
  string escaped = kMark;
  for (const char c : name) {
    char text[8];
    const auto byte = static_cast<unsigned char>(c);
    std::snprintf(text, sizeof text, byte >= 0x80 ? "\\x%02x" : c == '\\' ? "\\\\" : "%c", byte);
    escaped += text;
  }
  return escaped;
}

TEST_F(Faults, NamesThatLookAlikeStayApart) {
  Prepare("", "SQL_ASCII");
  const string mark = kMark;
  // Name, and what it is called in the stream.
  const std::vector<std::pair<string, string>> names = {
      {"caf\xe9", mark + "caf\\xe9"},
      {"caf\\xe9", "caf\\xe9"},
      {mark + "caf\\xe9", mark + "\\xef\\xbf\\xbdcaf\\\\xe9"},
      {"\\xe9\xff", mark + "\\\\xe9\\xff"},
      {"\xe9\xff", mark + "\\xe9\\xff"},
      {"caf\xc3\xa9", "caf\xc3\xa9"},
      {"caf\\xc3\\xa9", "caf\\xc3\\xa9"},
      {mark, mark + "\\xef\\xbf\\xbd"}};
  Sql("CREATE PUBLICATION p FOR ALL TABLES");
  Strings wanted;
  for (size_t i = 0; i < names.size(); ++i) {
    Sql("CREATE TABLE \"" + names[i].first + "\" (id int); INSERT INTO \"" + names[i].first + "\" VALUES (" +
        std::to_string(i) + ")");
    wanted.push_back("insert " + names[i].second + "(" + std::to_string(i) + ")");
  }
  EXPECT_EQ(Lines(), wanted);
}

TEST_F(Faults, RandomNamesNeverCollide) {
  Prepare("", "SQL_ASCII");
  const uint64_t seed = Seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  arrow::util::InitializeUTF8();
  // Pieces of which valid and invalid names are made that an escape could confuse.
  const Strings pieces = {"\\",   "x",    "e",   "9",        "a",     "\xe9", "\xff", "\xef",
                          "\xbf", "\xbd", kMark, "\xc3\xa9", "\\xe9", "\\x",  "\\\\", "0"};
  std::set<string> names;
  while (names.size() < 400) {
    string name;
    for (size_t n = 1 + random() % 4; n > 0; --n) name += pieces[random() % pieces.size()];
    names.insert(name);
  }
  string sql = "BEGIN; CREATE PUBLICATION p FOR ALL TABLES;";
  for (const string& name : names) {
    sql += "CREATE TABLE \"" + name + "\" (); INSERT INTO \"" + name + "\" DEFAULT VALUES;";
  }
  Sql(sql + "COMMIT");
  std::set<string> lines;
  for (const string& line : Lines()) lines.insert(line);
  EXPECT_EQ(lines.size(), names.size());
  for (const string& name : names) {
    const bool plain = arrow::util::ValidateUTF8(name) && !name.starts_with(kMark);
    EXPECT_TRUE(lines.contains("insert " + (plain ? name : Escaped(name)) + "()")) << Escaped(name);
  }
}

// EUC_TW has two codes for the characters of plane 1.
TEST_F(Faults, TwoCodesOfOneCharacterAreTwoNames) {
  Prepare(
      "CREATE TABLE \"\xa4\xa1\" (id int); CREATE TABLE \"\x8e\xa1\xa4\xa1\" (id int);"
      "CREATE PUBLICATION p FOR ALL TABLES",
      "EUC_TW");
  Sql("INSERT INTO \"\xa4\xa1\" VALUES (1); INSERT INTO \"\x8e\xa1\xa4\xa1\" VALUES (2)");
  const auto lines = Lines();
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[1], string("insert ") + kMark + "\\x8e\\xa1\\xa4\\xa1(2)");
  EXPECT_EQ(lines[0].find(kMark), string::npos);
  EXPECT_NE(lines[0].find("(1)"), string::npos);
}

TEST_F(Faults, OtherEncodingsAreConverted) {
  Prepare("CREATE TABLE \"t\xe9\" (\"c\xfc\" text, j jsonb); CREATE PUBLICATION p FOR ALL TABLES", "LATIN1");
  Sql("INSERT INTO \"t\xe9\" VALUES ('h\xe9', '{\"\xfc\": \"\\u0001\xff\"}'), (repeat('\xe9', 40000), NULL)");
  string many;
  for (int i = 0; i < 40000; ++i) many += "é";
  EXPECT_EQ(Lines(), (Strings{"insert té(hé, {\"ü\": \"\\u0001ÿ\"})", "insert té(" + many + ", null)"}));

  TearDown();
  // Characters of two bytes that lie across the pieces a long value is converted in.
  Prepare("CREATE TABLE t (a text); CREATE PUBLICATION p FOR ALL TABLES", "EUC_JP");
  Sql("INSERT INTO t VALUES ('a' || repeat('\xb4\xc1', 50000))");
  string kanji = "a";
  for (int i = 0; i < 50000; ++i) kanji += "漢";
  EXPECT_EQ(Lines(), Strings{"insert t(" + kanji + ")"});
}

TEST_F(Faults, SettingsOfTheCallerAreRestored) {
  Prepare("CREATE TABLE t (id int); CREATE PUBLICATION p FOR TABLE t");
  Sql("INSERT INTO t VALUES (1)");
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto connection, SharedServer().Connect(database()));
  ARROWCDC_ASSERT_OK(
      connection->Exec("SET datestyle = 'German'; SET timezone = 'Asia/Tokyo'; SET search_path = 'x'"));
  for (const string publication : {"p", "missing"}) {
    const auto result =
        connection->Query("SELECT count(*) FROM pg_logical_slot_peek_binary_changes('" + slot() +
                          "', NULL, NULL, 'publication_names', '" + publication + "')");
    EXPECT_EQ(result.ok(), publication == "p");
    for (const auto& [name, value] : std::map<string, string>{
             {"datestyle", "German, DMY"}, {"timezone", "Asia/Tokyo"}, {"search_path", "x"}}) {
      ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto shown, connection->Scalar("SHOW " + name));
      EXPECT_EQ(shown, value);
    }
  }
}

// Composite types, domains and enums that change while a transaction is under way, below columns that stay
// the same.
TEST_F(Faults, TypesAlteredInsideATransaction) {
  Prepare(
      "CREATE TYPE pair AS (a int, b int); CREATE TYPE mood AS ENUM ('low'); CREATE DOMAIN small AS int;"
      "CREATE TABLE t (id int, p pair, ps pair[], m mood, d small); CREATE PUBLICATION p FOR TABLE t");
  Sql("ALTER TYPE mood ADD VALUE 'high'");
  Sql("BEGIN; INSERT INTO t VALUES (1, '(1,2)', '{\"(3,4)\"}', 'low', 1);"
      "ALTER TYPE pair ADD ATTRIBUTE c text; INSERT INTO t VALUES (2, '(1,2,x)', '{\"(3,4,y)\"}', 'high', 2);"
      "ALTER TYPE pair DROP ATTRIBUTE a; ALTER TYPE mood RENAME VALUE 'low' TO 'down';"
      "INSERT INTO t VALUES (3, '(2,x)', '{\"(4,y)\"}', 'down', 3);"
      "SAVEPOINT s; ALTER TYPE pair RENAME TO trio; ALTER DOMAIN small RENAME TO tiny;"
      "INSERT INTO t VALUES (4); ROLLBACK TO s; ALTER TYPE pair RENAME ATTRIBUTE b TO bb;"
      "INSERT INTO t VALUES (5, '(6,x)', '{}', 'high', 5); COMMIT");
  EXPECT_EQ(
      Lines(),
      (Strings{
          "insert t(1, {a:int32 = 1, b:int32 = 2}, list<item: struct<a: int32, b: int32>>[{a:int32 = 3, "
          "b:int32 = 4}], low, 1)",
          "insert t(2, {a:int32 = 1, b:int32 = 2, c:string = x}, list<item: struct<a: int32, b: int32, c: "
          "string>>[{a:int32 = 3, b:int32 = 4, c:string = y}], high, 2)",
          "insert t(3, {b:int32 = 2, c:string = x}, list<item: struct<b: int32, c: string>>[{b:int32 = 4, "
          "c:string = y}], down, 3)",
          "insert t(5, {bb:int32 = 6, c:string = x}, list<item: struct<bb: int32, c: string>>[], high, 5)"}));
}

TEST_F(Faults, PublicationDroppedInMidStream) {
  Prepare("CREATE TABLE t (id int); CREATE TABLE u (id int); CREATE PUBLICATION p FOR TABLE t");
  Sql("INSERT INTO t VALUES (1)");
  Sql("BEGIN; INSERT INTO t VALUES (2); DROP PUBLICATION p; INSERT INTO u VALUES (3); COMMIT");
  Sql("CREATE PUBLICATION p FOR TABLE t; INSERT INTO t VALUES (4)");
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto stream, WalsenderStream::Connect(database()));
  for (int session = 0; session < 2; ++session) {  // what came before is delivered each time
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto outcome, stream->Run(slot(), {}, 3));
    EXPECT_EQ(outcome.lines, Strings{"insert t(1) #0"});
    EXPECT_NE(outcome.error.find("publication \"p\" does not exist at this point of the WAL"), string::npos)
        << outcome.error;
  }
}

// 63 bytes in the database's encoding are up to 126 in UTF-8, and 255 where bytes have no meaning.
TEST_F(Faults, NamesOfFullLength) {
  for (const auto& [encoding, letter, text] :
       std::vector<std::tuple<string, string, string>>{{"UTF8", "\xe6\xbc\xa2", "\xe6\xbc\xa2"},
                                                       {"LATIN1", "\xe9", "\xc3\xa9"},
                                                       {"SQL_ASCII", "\xe9", "\\xe9"}}) {
    string name;
    string wanted = encoding == "SQL_ASCII" ? kMark : "";
    for (size_t i = 0; i < 63 / letter.size(); ++i) {
      name += letter;
      wanted += text;
    }
    const string quoted = "\"" + name + "\"";
    const string table = quoted + "." + quoted;
    Prepare("CREATE SCHEMA " + quoted + "; CREATE TYPE " + quoted + " AS ENUM ('" + name +
                "'); CREATE TABLE " + table + " (" + quoted + " public." + quoted +
                ", n numeric(3,1)); CREATE PUBLICATION " + quoted + " FOR ALL TABLES",
            encoding);
    Sql("INSERT INTO " + table + " VALUES ('" + name + "', 1.5), (NULL, 'nan')");
    const string label = encoding == "SQL_ASCII" ? "!" : wanted;
    EXPECT_EQ(Lines({{"publication_names", quoted}}),
              (Strings{"insert " + wanted + "(" + label + ", 1.5)", "insert " + wanted + "(null, !)"}))
        << encoding;
    TearDown();
  }
  Prepare("");
}

TEST_F(Faults, InheritanceAndPartitionsOfPartitions) {
  Prepare(
      "CREATE TABLE parent (a int, b text); CREATE TABLE other (b text, c int);"
      "CREATE TABLE child (d int) INHERITS (other, parent); ALTER TABLE parent ADD e int; ALTER TABLE child "
      "DROP d;"
      "CREATE TABLE root (id int, k int, v text) PARTITION BY LIST (k);"
      "CREATE TABLE branch (v text, gone int, id int, k int) PARTITION BY LIST (id); ALTER TABLE branch DROP "
      "gone;"
      "CREATE TABLE leaf (x int, k int, y int, v text, id int); ALTER TABLE leaf DROP x, DROP y;"
      "ALTER TABLE branch ATTACH PARTITION leaf DEFAULT; ALTER TABLE root ATTACH PARTITION branch FOR VALUES "
      "IN (1);"
      "CREATE PUBLICATION p FOR TABLE parent, root WITH (publish_via_partition_root)");
  Sql("INSERT INTO child (a, b, c, e) VALUES (1, 'one', 2, 3); INSERT INTO parent VALUES (4, 'four', 5)");
  Sql("INSERT INTO root VALUES (1, 1, 'a'); BEGIN; ALTER TABLE root ADD w int; INSERT INTO root VALUES (2, "
      "1, 'b', 7);"
      "ALTER TABLE root DETACH PARTITION branch; INSERT INTO leaf VALUES (1, 'not published', 3, 8);"
      "ALTER TABLE root ATTACH PARTITION branch FOR VALUES IN (1); INSERT INTO leaf VALUES (1, 'c', 4, 9); "
      "COMMIT");
  EXPECT_EQ(Lines(), (Strings{"insert child(one, 2, 1, 3)", "insert parent(4, four, 5)",
                              "insert root(1, 1, a)", "insert root(2, 1, b, 7)", "insert root(4, 1, c, 9)"}));
}

// Rows are read by the columns that the table had where they were written, also after a session that was
// further on.
TEST_F(Faults, SecondSessionOfAConnectionGoesBack) {
  Prepare("CREATE TABLE t (id int, v int); CREATE PUBLICATION p FOR TABLE t");
  Sql("INSERT INTO t VALUES (1, 2)");
  Sql("ALTER TABLE t ALTER v TYPE text USING 'a text of some length', ADD w timestamptz[]");
  Sql("INSERT INTO t VALUES (3, 'four', '{2026-01-01}')");
  const auto expected = Lines({}, true);
  ASSERT_EQ(expected.front(), "insert t(1, 2) #0");
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto stream, WalsenderStream::Connect(database()));
  for (int session = 0; session < 3; ++session) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto outcome, stream->Run(slot(), {}, expected.size()));
    EXPECT_EQ(outcome.error, "");
    EXPECT_EQ(outcome.lines, expected);
  }
}

// The versions of a table's schema that are kept are bounded in bytes, not only in number.
TEST_F(Faults, VersionsOfAWideTableTakeBoundedMemory) {
  constexpr int kVersions = 320;
  Prepare(
      "DO $$ BEGIN EXECUTE 'CREATE TABLE wide (' || (SELECT string_agg('column_with_a_long_name_' || i || ' "
      "int', ', ')"
      " FROM generate_series(1, 1600) i) || ')'; END $$; CREATE PUBLICATION p FOR TABLE wide");
  Sql("DO $$ BEGIN FOR i IN 1.." + std::to_string(kVersions) +
      " LOOP EXECUTE format('ALTER TABLE wide RENAME column_with_a_long_name_%s TO "
      "column_with_a_long_name_%s',"
      " CASE WHEN i = 1 THEN '1' ELSE 'v' || i - 1 END, 'v' || i); INSERT INTO wide DEFAULT VALUES; END "
      "LOOP; END $$");
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto connection, SharedServer().Connect(database()));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const string frames,
                                connection->Scalar("SELECT count(*) FROM " + PeekCall({})));
  EXPECT_GT(std::stoi(frames), 2 * kVersions);  // a schema and a batch each
  std::ifstream status("/proc/" + std::to_string(connection->backend_pid()) + "/status");
  int64_t peak_kib = 0;
  for (string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) peak_kib = std::stoll(line.substr(6));
  }
  EXPECT_GT(peak_kib, 0);
  EXPECT_LT(peak_kib, int64_t{450} << 10);
}

// The stock client reads the slot over the replication protocol, and the server ends with it in order.
TEST_F(Faults, StockClientReadsTheSlot) {
  Prepare("CREATE TABLE t (id int, v text); CREATE PUBLICATION p FOR TABLE t");
  Sql("INSERT INTO t SELECT i, repeat('x', i % 100) FROM generate_series(1, 50000) i");
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto connection, SharedServer().Connect(database()));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto end, connection->Scalar("SELECT pg_current_wal_lsn()"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto program, ServerProgram("pg_recvlogical"));
  SubprocessOptions options{.argv = {program.string(), "-d", SharedServer().conninfo(database()), "--slot",
                                     slot(), "--start", "--endpos", end, "--no-loop", "-o",
                                     "publication_names=p", "-f", "-"}};
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto bytes, RunProgram(options));
  EXPECT_EQ(bytes.substr(0, 4), string("WA\x01\x01", 4));
  EXPECT_GT(bytes.size(), 50000u * (4 + 49));
}

}  // namespace
}  // namespace arrowcdc::test
