// Text and names that are not valid UTF-8 in a UTF8 database, as a cast without a function, a damaged page or
// a superuser's update puts them there. The plugin sends values as they are and escapes names; the decoder
// makes such values null and unrepresentable. See docs/types.md.
#include <arrow/util/key_value_metadata.h>

#include "plugin/testing/test_stream.h"
#include "tests/testing/assert_ok.h"

namespace arrowcdc::test {
namespace {

using std::string;
using Strings = std::vector<string>;

class Text : public PluginTest {
 protected:
  // Bytes as text, unchecked: $("E9") is what a client in Latin-1 would have written for é.
  static constexpr char kUnchecked[] =
      "CREATE CAST (bytea AS text) WITHOUT FUNCTION;"
      "CREATE FUNCTION raw(hex text) RETURNS text LANGUAGE sql IMMUTABLE AS "
      "$$SELECT decode(hex, 'hex')::text$$;";

  void PrepareText(const string& ddl) { Prepare(kUnchecked + ddl + "; CREATE PUBLICATION p FOR ALL TABLES"); }
};

TEST_F(Text, EveryKindOfWrongBytes) {
  PrepareText("CREATE TABLE t (id int, a text, b text)");
  const Strings kWrong = {"436166e9", "80",     "c3",       "e282",     "eda080", "edbfbf",
                          "c080",     "e080af", "f08080af", "f4908080", "fe",     "ff"};
  Strings expected;
  for (const string& hex : kWrong) {
    Sql("INSERT INTO t VALUES (1, raw('" + hex + "'), 'é'), (2, 'x', raw('61" + hex + "')), (3, raw('" + hex +
        "'), NULL)");
    expected.insert(expected.end(), {"insert t(1, !, é)", "insert t(2, x, !)", "insert t(3, !, null)"});
  }
  Sql("INSERT INTO t VALUES (0, '€', '😀')");
  expected.push_back("insert t(0, €, 😀)");
  EXPECT_EQ(Lines(), expected);
}

TEST_F(Text, EveryTypeOfText) {
  PrepareText(
      "CREATE DOMAIN word AS varchar(20); CREATE TYPE mood AS ENUM ('ok', 'cafe');"
      "CREATE TYPE pair AS (n int, s text);"
      "CREATE CAST (bytea AS json) WITHOUT FUNCTION; CREATE CAST (bytea AS bpchar) WITHOUT FUNCTION;"
      "CREATE TABLE t (id int, c bpchar, v varchar(9), n name, j json, jb jsonb, d word, a text[], m mood, "
      "ma mood[], p pair, x name[])");
  Sql("UPDATE pg_enum SET enumlabel = raw('636166e9')::name WHERE enumlabel = 'cafe'");
  Sql("INSERT INTO t (id, c) VALUES (1, decode('e92020', 'hex')::bpchar)");
  Sql("INSERT INTO t (id, v) VALUES (2, raw('61e9'))");
  Sql("INSERT INTO t (id, n) VALUES (3, raw('e9')::name)");
  Sql("INSERT INTO t (id, j) VALUES (4, '\\x22e922'::bytea::json)");
  Sql("INSERT INTO t (id, jb) VALUES (5, to_jsonb(raw('e9'))), (6, jsonb_build_object('k', raw('eda080')))");
  Sql("INSERT INTO t (id, d) VALUES (7, raw('c080'))");
  Sql("INSERT INTO t (id, a) VALUES (8, ARRAY['a', raw('e9'), NULL]), (9, ARRAY['a', NULL])");
  Sql("INSERT INTO t (id, m) VALUES (10, (enum_range(NULL::mood))[2]), (11, 'ok')");
  Sql("INSERT INTO t (id, ma) VALUES (12, ARRAY[(enum_range(NULL::mood))[2]]), (13, ARRAY['ok'::mood])");
  Sql("INSERT INTO t (id, p) VALUES (14, ROW(1, raw('e9'))), (15, ROW(1, 'é'))");
  Sql("INSERT INTO t (id, x) VALUES (16, ARRAY[raw('e9')::name])");
  const auto lines = Lines();
  const auto row = [&](int id) {
    for (const string& line : lines) {
      if (line.starts_with("insert t(" + std::to_string(id) + ",")) return line;
    }
    return string();
  };
  // id, then the one column that is neither null nor as it was.
  const auto with = [](int id, size_t column, const string& value) {
    Strings cells(11, "null");
    cells[column - 1] = value;
    string line = "insert t(" + std::to_string(id);
    for (const string& cell : cells) line += ", " + cell;
    return line + ")";
  };
  ASSERT_EQ(lines.size(), 16u);
  EXPECT_EQ(row(1), with(1, 1, "!"));
  EXPECT_EQ(row(2), with(2, 2, "!"));
  EXPECT_EQ(row(3), with(3, 3, "!"));
  EXPECT_EQ(row(4), with(4, 4, "!"));
  EXPECT_EQ(row(5), with(5, 5, "!"));
  EXPECT_EQ(row(6), with(6, 5, "!"));
  EXPECT_EQ(row(7), with(7, 6, "!"));
  EXPECT_EQ(row(8), with(8, 7, "!"));
  EXPECT_EQ(row(9), with(9, 7, "list<item: string>[a, null]"));
  EXPECT_EQ(row(10), with(10, 8, "!"));
  EXPECT_EQ(row(11), with(11, 8, "ok"));
  EXPECT_EQ(row(12), with(12, 9, "!"));
  EXPECT_NE(row(13).find("ok"), string::npos) << row(13);
  EXPECT_EQ(row(14), with(14, 10, "!"));
  EXPECT_EQ(row(15), with(15, 10, "{n:int32 = 1, s:string = é}"));
  EXPECT_EQ(row(16), with(16, 11, "!"));
}

// Compressed in the row, out of line, and out of line compressed; unchanged beside unrepresentable.
TEST_F(Text, ToastedValues) {
  PrepareText(
      "CREATE TABLE t (id int PRIMARY KEY, a text, b text, c text, n int);"
      "ALTER TABLE t ALTER b SET STORAGE EXTERNAL; ALTER TABLE t ALTER c SET STORAGE EXTERNAL");
  const string kLong = "(SELECT string_agg(md5(i::text), '') FROM generate_series(1, 400) i)";
  Sql("INSERT INTO t VALUES (1, repeat('ab', 5000) || raw('e9'), repeat('b', 9000) || raw('e9'), 'c', 0)");
  Sql("INSERT INTO t VALUES (2, " + kLong + " || raw('e9'), 'b', " + kLong + ", 0)");
  Sql("UPDATE t SET n = 1, a = raw('e9') WHERE id = 1");
  Sql("UPDATE t SET n = 1, b = raw('ff') WHERE id = 2");
  const auto lines = Lines();
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_EQ(lines[0], "insert t(1, !, !, c, 0)");
  EXPECT_TRUE(lines[1].starts_with("insert t(2, !, b, c4ca4238a0b9")) << lines[1].substr(0, 60);
  EXPECT_EQ(lines[2], "update_after t(1, !, ~, c, 1)");
  EXPECT_EQ(lines[3], "update_after t(2, ~, !, ~, 1)");
}

// Each row by itself, and a key like any other column.
TEST_F(Text, OldAndNewRowsAndKeys) {
  PrepareText(
      "CREATE TABLE t (k text PRIMARY KEY, v text); CREATE TABLE f (a int, v text);"
      "ALTER TABLE f REPLICA IDENTITY FULL");
  Sql("INSERT INTO t VALUES (raw('e9'), 'x')");
  Sql("UPDATE t SET v = 'y'");
  Sql("UPDATE t SET k = 'k'");
  Sql("UPDATE t SET k = raw('c080')");
  Sql("DELETE FROM t");
  Sql("INSERT INTO f VALUES (1, raw('e9'))");
  Sql("UPDATE f SET v = 'é'");
  Sql("UPDATE f SET v = raw('e9')");
  Sql("DELETE FROM f");
  EXPECT_EQ(Lines(),
            (Strings{"insert t(!, x)", "update_after t(!, y)", "update_before t(!, null)",
                     "update_after t(k, y)", "update_before t(k, null)", "update_after t(!, y)",
                     "delete t(!, null)", "insert f(1, !)", "update_before f(1, !)", "update_after f(1, é)",
                     "update_before f(1, é)", "update_after f(1, !)", "delete f(1, !)"}));
}

// As in a SQL_ASCII database: U+FFFD in front, and each byte that is no ASCII becomes \xNN, in the whole
// name.
TEST_F(Text, NamesOfSchemasTablesColumnsAndTypes) {
  PrepareText(
      "CREATE SCHEMA s; CREATE DOMAIN d AS int;"
      "CREATE TABLE s.t (id int, col int, good d, \"é\" int, twin int, \"\\xe9\" int)");
  Sql("UPDATE pg_namespace SET nspname = raw('73e9')::name WHERE nspname = 's';"
      "UPDATE pg_class SET relname = raw('e974')::name WHERE relname = 't' AND relkind = 'r';"
      "UPDATE pg_attribute SET attname = raw('e9')::name WHERE attname = 'twin';"
      "UPDATE pg_attribute SET attname = raw('c3a9e9')::name WHERE attname = 'col';"
      "UPDATE pg_type SET typname = raw('64e9')::name WHERE typname = 'd' AND typtype = 'd'");
  Sql("DO $$ BEGIN EXECUTE 'INSERT INTO ' || (SELECT oid::regclass FROM pg_class WHERE relname = "
      "raw('e974')::name) "
      "|| ' VALUES (1, 2, 3, 4, 5, 6)'; END $$");
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto events, Peek());
  ASSERT_EQ(events.size(), 1u);
  const auto& batch = std::get<ChangeBatch>(events[0]);
  const string kMark = "\xef\xbf\xbd";
  EXPECT_EQ(batch.table->name, (TableName{kMark + "s\\xe9", kMark + "\\xe9t"}));
  EXPECT_EQ(batch.table->schema->field(0)->name(), "id");
  EXPECT_EQ(batch.table->schema->field(1)->name(), kMark + "\\xc3\\xa9\\xe9");
  EXPECT_EQ(batch.table->schema->field(2)->metadata()->Get("ADBC:postgresql:typname").ValueOr(""),
            kMark + "d\\xe9");
  EXPECT_EQ(batch.table->schema->field(3)->name(), "é");
  // The mark keeps it apart from the column whose name is what it would be without.
  EXPECT_EQ(batch.table->schema->field(4)->name(), kMark + "\\xe9");
  EXPECT_EQ(batch.table->schema->field(5)->name(), "\\xe9");
}

}  // namespace
}  // namespace arrowcdc::test
