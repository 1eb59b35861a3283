// What the decoders make of every type of docs/types.md that is not a plain scalar, and of the scalars'
// extremes, in both forms and by COPY, against values worked out by hand.
#include <arrow/array.h>
#include <arrow/compare.h>
#include <arrow/json/from_string.h>

#include "arrowcdc/change_rows.h"
#include "src/postgres/decode/values/testing/read_one.h"
#include "tests/testing/assert_ok.h"
#include "tests/values/read_table.h"

namespace arrowcdc::test {
namespace {

using arrow::DataType;
using arrow::field;
using arrow::TimeUnit;
using std::string;

constexpr char kNoForm[] = "!";

struct Value {
  string literal;  // SQL, without the cast
  string json;     // as Arrow's JSON reader takes it, or kNoForm
};

struct TypeCase {
  string sql;
  std::shared_ptr<DataType> type;
  std::vector<Value> values;
};

class TypeMatrix : public ValuesTest {
 protected:
  // One table with a column a case, one row a value and a row of nulls, read in every way.
  void Check(const std::vector<TypeCase>& cases, const string& ddl = "") {
    string columns;
    size_t rows = 0;
    for (size_t i = 0; i < cases.size(); ++i) {
      columns += ", c" + std::to_string(i) + " " + cases[i].sql;
      rows = std::max(rows, cases[i].values.size());
    }
    ASSERT_NO_FATAL_FAILURE(Prepare(ddl + "CREATE TABLE t (id int PRIMARY KEY" + columns + ")"));
    string sql;
    for (size_t row = 0; row <= rows; ++row) {
      sql += "INSERT INTO t VALUES (" + std::to_string(row);
      for (const TypeCase& one : cases) {
        sql += ", " + (row < one.values.size() ? one.values[row].literal + "::" + one.sql : "NULL");
      }
      sql += ");";
    }
    ASSERT_NO_FATAL_FAILURE(Sql(sql));

    ARROWCDC_ASSERT_OK_AND_ASSIGN(const MappedColumns mapped, MapTable());
    bool binary = true;
    for (const ValueForm form : mapped.forms) binary = binary && form == ValueForm::kBinary;
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const ChangeBatch text, Select(ValueForm::kText));
    CheckBatch(cases, text, "text");
    if (binary) {
      ARROWCDC_ASSERT_OK_AND_ASSIGN(const ChangeBatch as_binary, Select(ValueForm::kBinary));
      CheckBatch(cases, as_binary, "binary");
    }
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const ChangeBatch copied, Copy(40));
    CheckBatch(cases, copied, "copy");
  }

 private:
  static void CheckBatch(const std::vector<TypeCase>& cases, const ChangeBatch& batch, const string& way) {
    SCOPED_TRACE(way);
    ARROWCDC_ASSERT_OK(batch.rows->ValidateFull());
    for (size_t i = 0; i < cases.size(); ++i) CheckColumn(cases[i], batch, static_cast<int>(i) + 1);
  }

  static void CheckColumn(const TypeCase& expected, const ChangeBatch& batch, int index) {
    SCOPED_TRACE(expected.sql);
    const auto column = arrow::MakeArray(WithoutExtensions(batch.rows->column_data(index)));
    ASSERT_TRUE(column->type()->Equals(*expected.type)) << column->type()->ToString();
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const ChangeRows rows, ChangeRows::Make(*batch.table, *batch.rows));
    string json = "[";
    for (int64_t row = 0; row < column->length(); ++row) {
      const auto place = static_cast<size_t>(row);
      const string value = place < expected.values.size() ? expected.values[place].json : "null";
      json += (row > 0 ? ", " : "") + (value == kNoForm ? "null" : value);
      EXPECT_EQ(rows.IsUnrepresentable(row, index), value == kNoForm) << "row " << row;
    }
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto wanted,
                                  arrow::json::ArrayFromJSONString(expected.type, json + "]"));
    const auto options = arrow::EqualOptions::Defaults().nans_equal(true).signed_zeros_equal(false);
    EXPECT_TRUE(wanted->Equals(*column, options))
        << "wanted " << wanted->ToString() << "\ngot " << column->ToString();
  }
};

std::shared_ptr<DataType> Range(const std::shared_ptr<DataType>& bound) {
  return arrow::struct_({field("lower", bound), field("upper", bound), field("lower_inc", arrow::boolean()),
                         field("upper_inc", arrow::boolean()), field("empty", arrow::boolean())});
}

string Text(const string& text) {
  string json = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') json += '\\';
    json += c;
  }
  return json + '"';
}

// The output text of a literal that is its own.
Value Same(const string& text) { return {"$$" + text + "$$", Text(text)}; }

TEST_F(TypeMatrix, Ranges) {
  const auto utc = arrow::timestamp(TimeUnit::MICRO, "UTC");
  const auto ints = Range(arrow::int32());
  Check(
      {
          {"int4range",
           ints,
           {{"'(1,5]'", "[2, 6, true, false, false]"},
            {"'empty'", "[null, null, false, false, true]"},
            {"'(,)'", "[null, null, false, false, false]"},
            {"'[-2147483648,2147483647)'", "[-2147483648, 2147483647, true, false, false]"},
            {"'(,7)'", "[null, 7, false, false, false]"}}},
          {"int8range", Range(arrow::int64()), {{"'[1,)'", "[1, null, true, false, false]"}}},
          {"numrange",
           Range(arrow::utf8()),
           {{"'(1.50,Infinity]'", R"(["1.50", "Infinity", false, true, false])"},
            {"'[-0.1,NaN]'", R"(["-0.1", "NaN", true, true, false])"}}},
          {"daterange",
           Range(arrow::date32()),
           {{"'[1970-01-02,1970-01-05]'", "[1, 5, true, false, false]"},
            {"'[1970-01-02,infinity)'", kNoForm}}},
          {"tstzrange",
           Range(utc),
           {{"'[1970-01-01 02:00:00.000001+02,)'", "[1, null, true, false, false]"},
            {"'[-infinity,)'", kNoForm}}},
          {"tsrange",
           Range(arrow::timestamp(TimeUnit::MICRO)),
           {{"'(1969-12-31 23:59:59.999999,1970-01-01]'", "[-1, 0, false, true, false]"}}},
          {"textrange",
           Range(arrow::utf8()),
           {{R"($$["a,(""b","c\\]"]$$)", R"(["a,(\"b", "c\\]", true, true, false])"},
            {R"($$("",x)$$)", R"(["", "x", false, false, false])"}}},
          {"int4multirange",
           arrow::list(ints),
           {{"'{}'", "[]"},
            {"'{[1,3),[5,)}'", "[[1, 3, true, false, false], [5, null, true, false, false]]"}}},
          {"textmultirange",
           arrow::list(Range(arrow::utf8())),
           {{R"($${["a,}","b"],[c,d)}$$)",
             R"([["a,}", "b", true, true, false], ["c", "d", true, false, false]])"}}},
          {"int4range[]",
           arrow::list(ints),
           {{R"x($${"[1,2)",NULL,empty}$$)x",
             "[[1, 2, true, false, false], null, [null, null, false, false, true]]"}}},
      },
      "CREATE TYPE textrange AS RANGE (subtype = text);");
}

TEST_F(TypeMatrix, Composites) {
  const auto pair = arrow::struct_({field("a", arrow::int32()), field("b c", arrow::utf8())});
  const auto outer = arrow::struct_({field("one", pair), field("more", arrow::list(pair)),
                                     field("price", arrow::decimal128(8, 3)),
                                     field("at", arrow::timestamp(TimeUnit::MICRO, "UTC")),
                                     field("id", arrow::fixed_size_binary(16)), field("doc", arrow::utf8())});
  const string text = R"(a "q" \ , ( ) { } ' )";
  Check(
      {
          {"pair",
           pair,
           {{"ROW(1, 'x')", R"([1, "x"])"},
            {"ROW(NULL, NULL)", "[null, null]"},
            {"ROW(-5, '')", R"([-5, ""])"},
            {"ROW(0, $$" + text + "$$)", "[0, " + Text(text) + "]"}}},
          {"pair[]",
           arrow::list(pair),
           {{"ARRAY[ROW(1, $$" + text + "$$)::pair, NULL]", "[[1, " + Text(text) + "], null]"},
            {"'{}'", "[]"}}},
          {"outer_type",
           outer,
           {{"ROW(ROW(1, $$" + text + "$$), ARRAY[ROW(2, $$" + text +
                 "$$)]::pair[], 1.5, '1970-01-01 00:00:01+00', "
                 "'30313233-3435-3637-3839-616263646566', '{\"k\": \"v\"}')",
             "[[1, " + Text(text) + "], [[2, " + Text(text) +
                 R"(]], "1.500", 1000000, "0123456789abcdef", "{\"k\": \"v\"}"])"},
            {"ROW(NULL, NULL, NULL, NULL, NULL, NULL)", "[null, null, null, null, null, null]"},
            {"ROW(NULL, NULL, NULL, 'infinity', NULL, NULL)", kNoForm},
            {"ROW(NULL, ARRAY[ARRAY[ROW(1, 'a')]]::pair[], NULL, NULL, NULL, NULL)", kNoForm}}},
          {"checked", pair, {{"ROW(1, 'x')", R"([1, "x"])"}}},
          {"nothing", arrow::struct_(arrow::FieldVector()), {{"ROW()", "{}"}}},
          {"lists", arrow::list(arrow::int32()), {{"'{1,2}'", "[1, 2]"}}},
          {"lists[]",
           arrow::list(arrow::list(arrow::int32())),
           {{R"('{"{1,NULL}",NULL,"{}"}')", "[[1, null], null, []]"}}},
      },
      "CREATE TYPE pair AS (a int, \"b c\" text);"
      "CREATE TYPE outer_type AS (one pair, gone int, more pair[], price numeric(8,3), at timestamptz, "
      "id uuid, doc "
      "jsonb); ALTER TYPE outer_type DROP ATTRIBUTE gone;"
      "CREATE DOMAIN checked AS pair CHECK ((value).a > 0); CREATE TYPE nothing AS (); CREATE DOMAIN "
      "lists AS int[];");
}

TEST_F(TypeMatrix, TypesOfOutputText) {
  const auto& utf8 = arrow::utf8();
  Check(
      {
          {"inet",
           utf8,
           {Same("10.0.0.1/8"), Same("255.255.255.255"), Same("0.0.0.0/0"), Same("::/0"), Same("::1"),
            Same("::1.2.3.4"), Same("::ffff:1.2.3.4/100"), Same("2001:db8::1:0:0:1"), Same("1:2:3:4:5:6:7:8"),
            Same("fe80::"), Same("0:0:1::"), Same("1:0:2::3:4:5"), Same("::2:3:4:5:6:7"),
            Same("64:ff9b::102:304")}},
          {"cidr", utf8, {Same("10.0.0.0/8"), Same("10.0.0.1/32"), Same("2001:db8::/32"), Same("::1/128")}},
          {"macaddr", utf8, {Same("08:00:2b:01:02:03")}},
          {"macaddr8", utf8, {Same("08:00:2b:01:02:03:04:ff")}},
          {"bit(3)", utf8, {Same("101")}},
          {"varbit", utf8, {Same(""), Same("0000000001"), Same(string(100, '1'))}},
          {"tid", utf8, {Same("(0,0)"), Same("(4294967295,65535)")}},
          {"tsvector", utf8, {Same("'a':1 'b':2"), Same(""), Same("'a':1A,2B,3C,4 'it''s' 'q\\\\b':16383")}},
          {"jsonpath", utf8, {Same("$.\"a\"[*]?(@ > 1)")}},
          {"int2vector", utf8, {Same("1 -2 3"), Same("")}},
          {"oidvector", utf8, {Same("4294967295 1")}},
          {"\"char\"", arrow::uint8(), {{"'\\351'", "233"}, {"'\\000'", "0"}, {"'x'", "120"}}},
          {"citext", utf8, {Same("As It Is")}},
          {"ltree", utf8, {Same("Top.Science"), Same("")}},
          {"xid", arrow::uint32(), {{"'4294967295'", "4294967295"}}},
          {"xid8", arrow::uint64(), {{"'18446744073709551615'", "18446744073709551615"}}},
          {"pg_lsn", arrow::uint64(), {{"'FFFFFFFF/FFFFFFFF'", "18446744073709551615"}, {"'0/A'", "10"}}},
          {"inet[]", arrow::list(utf8), {{"'{10.0.0.1,NULL,::1/64}'", R"(["10.0.0.1", null, "::1/64"])"}}},
          {"tsvector[]", arrow::list(utf8), {{R"($${"'a':1 'b'",NULL}$$)", R"(["'a':1 'b'", null])"}}},
          {"bit(3)[]", arrow::list(utf8), {{"'{101,000}'", R"(["101", "000"])"}}},
          {"citext[]", arrow::list(utf8), {{"'{A,b}'", R"(["A", "b"])"}}},
      },
      "CREATE EXTENSION citext; CREATE EXTENSION ltree;");
}

TEST_F(TypeMatrix, Hstore) {
  const auto map = arrow::map(arrow::utf8(), arrow::utf8());
  Check(
      {
          {"hstore",
           map,
           {{"''", "[]"},
            {R"($$a=>1, "b c"=>NULL, "NULL"=>"NULL"$$)", R"([["a", "1"], ["b c", null], ["NULL", "NULL"]])"},
            {R"(hstore('q"\=>,', e'\t"\\é'))", R"([["q\"\\=>,", "\t\"\\é"]])"},
            {R"($$""=>""$$)", R"([["", ""]])"}}},
          {"hstore[]",
           arrow::list(map),
           {{R"(ARRAY['a=>1'::hstore, NULL, ''])", R"([[["a", "1"]], null, []])"}}},
          {"bag", arrow::struct_({field("h", map)}), {{R"x(ROW('"k,"=>"v)"'))x", R"x([[["k,", "v)"]]])x"}}},
      },
      "CREATE EXTENSION hstore; CREATE TYPE bag AS (h hstore);");
}

// Types that are not in the table: their text, however deep they are.
TEST_F(TypeMatrix, UnknownTypes) {
  Check(
      {
          {"point", arrow::utf8(), {Same("(0.1,1e+300)")}},
          {"box[]", arrow::utf8(), {{"ARRAY['(1,2),(0,0)'::box]", Text("{(1,2),(0,0)}")}}},
          {"spot",
           arrow::struct_({field("p", arrow::utf8()), field("n", arrow::int32())}),
           {{"ROW('(1,2)', 3)", R"x(["(1,2)", 3])x"}, {"ROW(NULL, NULL)", "[null, null]"}}},
          {"words", arrow::utf8(), {Same("as stored")}},
          {"words[]", arrow::list(arrow::utf8()), {{"'{A,b}'", R"(["A", "b"])"}}},
          {"cube", arrow::utf8(), {Same("(1, 2)")}},
      },
      "CREATE TYPE spot AS (p point, n int); CREATE EXTENSION cube;"
      // As citext is made, but without a binary form.
      "CREATE TYPE words;"
      "CREATE FUNCTION words_in(cstring) RETURNS words LANGUAGE internal STRICT IMMUTABLE AS 'textin';"
      "CREATE FUNCTION words_out(words) RETURNS cstring LANGUAGE internal STRICT IMMUTABLE AS 'textout';"
      "CREATE TYPE words (input = words_in, output = words_out, internallength = variable);");
}

// Where the extensions are installed.
TEST_F(TypeMatrix, Vectors) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto connection, SharedServer().Connect());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(
      const string found,
      connection->Scalar("SELECT count(*) FROM pg_available_extensions WHERE name = 'vector'"));
  if (found == "0") GTEST_SKIP() << "pgvector is not installed";
  const auto element = field("item", arrow::float32());
  Check({{"vector(3)", arrow::fixed_size_list(element, 3), {{"'[1,-2.5,1e-30]'", "[1, -2.5, 1e-30]"}}},
         {"vector", arrow::list(element), {{"'[0.1]'", "[0.1]"}}},
         {"halfvec(2)", arrow::fixed_size_list(element, 2), {{"'[1.5,6.1e-5]'", "[1.5, 0.0000610352]"}}}},
        "CREATE EXTENSION vector;");
}

TEST_F(TypeMatrix, Geometries) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto connection, SharedServer().Connect());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(
      const string found,
      connection->Scalar("SELECT count(*) FROM pg_available_extensions WHERE name = 'postgis'"));
  if (found == "0") GTEST_SKIP() << "PostGIS is not installed";
  ASSERT_NO_FATAL_FAILURE(
      Prepare("CREATE EXTENSION postgis; CREATE TABLE t (id int, g geometry, s "
              "geometry(GeometryZ, 4326), e geography)"));
  ASSERT_NO_FATAL_FAILURE(Sql(R"(
      INSERT INTO t SELECT n, ST_SetSRID(g, 0), ST_SetSRID(ST_Force3DZ(g), 4326), NULL FROM unnest(ARRAY[
        'POINT(1 2)'::geometry, 'LINESTRING(1 2, 3 4)', 'POLYGON((0 0, 1 0, 1 1, 0 0))', 'MULTIPOINT(1 2, 3 4)',
        'MULTIPOLYGON(((0 0, 1 0, 1 1, 0 0)))', 'GEOMETRYCOLLECTION(POINT(1 2), LINESTRING(1 2, 3 4))',
        'POINT EMPTY', 'CIRCULARSTRING(0 0, 1 1, 2 0)', 'COMPOUNDCURVE((0 0, 1 1), (1 1, 2 2))'])
        WITH ORDINALITY AS x (g, n))"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const MappedColumns mapped, MapTable());
  const auto metadata = [&](size_t i) {
    return mapped.fields[i]->metadata()->Get("ARROW:extension:metadata").ValueOr("none");
  };
  EXPECT_EQ(metadata(1), "");
  EXPECT_EQ(metadata(2), R"({"crs": "4326", "crs_type": "srid"})");
  EXPECT_EQ(metadata(3), R"({"edges": "spherical"})");
  // PostGIS's own ISO WKB is what to expect.
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto wanted,
                                values_->Query("SELECT encode(ST_AsBinary(g, 'NDR'), 'hex'), "
                                               "encode(ST_AsBinary(s, 'NDR'), 'hex') FROM t ORDER BY id"));
  for (const ValueForm form : {ValueForm::kText, ValueForm::kBinary}) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const ChangeBatch batch, Select(form));
    for (int column = 1; column <= 2; ++column) {
      const auto& values = static_cast<const arrow::BinaryArray&>(*batch.rows->column(column));
      for (int64_t row = 0; row < values.length(); ++row) {
        string hex;
        for (const char c : values.GetView(row)) {
          for (const int digit : {static_cast<uint8_t>(c) >> 4, c & 15}) hex += "0123456789abcdef"[digit];
        }
        EXPECT_EQ(hex, *wanted[static_cast<size_t>(row)][static_cast<size_t>(column) - 1]);
      }
    }
  }
}

// The same server, with another currency.
TEST_F(TypeMatrix, MoneyDigits) {
  ASSERT_NO_FATAL_FAILURE(Prepare("CREATE TABLE t (id int, m money)"));
  ASSERT_NO_FATAL_FAILURE(Sql("INSERT INTO t VALUES (1, '-92233720368547758.08'), (2, 1)"));
  for (const ValueForm form : {ValueForm::kText, ValueForm::kBinary}) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const ChangeBatch batch, Select(form));
    const auto wanted =
        arrow::json::ArrayFromJSONString(arrow::decimal128(19, 2), R"(["-92233720368547758.08", "1.00"])")
            .ValueOrDie();
    EXPECT_TRUE(wanted->Equals(*batch.rows->column(1))) << batch.rows->column(1)->ToString();
  }
}

}  // namespace
}  // namespace arrowcdc::test
