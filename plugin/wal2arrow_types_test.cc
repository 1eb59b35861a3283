// Values of every type of the type table through the plugin, against values worked out by hand.
#include <arrow/array.h>
#include <arrow/extension_type.h>
#include <arrow/json/from_string.h>
#include <arrow/util/decimal.h>

#include "plugin/testing/type_cases.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/seed.h"

namespace arrowcdc::test {
namespace {

using arrow::DataType;
using arrow::field;
using arrow::TimeUnit;
using ::std::string;

class Types : public TypeTest {};

std::shared_ptr<DataType> TimeTz() {
  return arrow::struct_({field("time", arrow::time64(TimeUnit::MICRO)), field("offset_s", arrow::int32())});
}

// 1970-01-01 is day 2440588 of the Julian calendar's count; PostgreSQL's first date is day 0.
// NOLINTNEXTLINE(readability-function-size): a table
std::vector<TypeCase> ScalarCases() {
  const string nines38(38, '9');
  const string nines76(76, '9');
  return {
      {"bool", arrow::boolean(), {{"'t'", "true"}, {"'f'", "false"}}},
      {"int2", arrow::int16(), {{"'-32768'", "-32768"}, {"'32767'", "32767"}}},
      {"int4", arrow::int32(), {{"'-2147483648'", "-2147483648"}, {"'2147483647'", "2147483647"}}},
      {"int8",
       arrow::int64(),
       {{"'-9223372036854775808'", "-9223372036854775808"},
        {"'9223372036854775807'", "9223372036854775807"}}},
      {"float4",
       arrow::float32(),
       {{"'1e-45'", "1e-45"}, {"'NaN'", "NaN"}, {"'-Infinity'", "-Inf"}, {"'-0'", "-0.0"}}},
      {"float8",
       arrow::float64(),
       {{"'4.9406564584124654e-324'", "4.9406564584124654e-324"},
        {"'NaN'", "NaN"},
        {"'Infinity'", "Inf"},
        {"'-0'", "-0.0"},
        {"'1.7976931348623157e308'", "1.7976931348623157e308"}}},
      {"oid", arrow::uint32(), {{"'0'", "0"}, {"'4294967295'", "4294967295"}}},
      {"xid", arrow::uint32(), {{"'4294967295'", "4294967295"}}},
      {"cid", arrow::uint32(), {{"'4294967295'", "4294967295"}}},
      {"regclass", arrow::uint32(), {{"'pg_class'", "1259"}, {"'4000000000'", "4000000000"}}},
      {"regtype", arrow::uint32(), {{"'int4'", "23"}}},
      {"xid8", arrow::uint64(), {{"'18446744073709551615'", "18446744073709551615"}}},
      {"pg_lsn", arrow::uint64(), {{"'FFFFFFFF/FFFFFFFF'", "18446744073709551615"}, {"'1/0'", "4294967296"}}},
      {"numeric(10,2)",
       arrow::decimal128(10, 2),
       {{"'-99999999.99'", "\"-99999999.99\""},
        {"'0'", "\"0.00\""},
        {"'0.01'", "\"0.01\""},
        {"'1000'", "\"1000.00\""},
        {"'NaN'", kNoForm}}},
      {"numeric(3,5)",
       arrow::decimal128(3, 5),
       {{"'0.00999'", "\"0.00999\""}, {"'-0.00001'", "\"-0.00001\""}}},
      {"numeric(38,0)",
       arrow::decimal128(38, 0),
       {{"'" + nines38 + "'", "\"" + nines38 + "\""}, {"'-" + nines38 + "'", "\"-" + nines38 + "\""}}},
      {"numeric(38,38)", arrow::decimal128(38, 38), {{"'0." + nines38 + "'", "\"0." + nines38 + "\""}}},
      {"numeric(39,1)", arrow::decimal256(39, 1), {{"'" + nines38 + ".5'", "\"" + nines38 + ".5\""}}},
      {"numeric(76,0)",
       arrow::decimal256(76, 0),
       {{"'" + nines76 + "'", "\"" + nines76 + "\""},
        {"'-" + nines76 + "'", "\"-" + nines76 + "\""},
        {"'0'", "\"0\""}}},
      {"numeric(100,3)", arrow::utf8(), {{"'1.5'", "\"1.500\""}, {"'NaN'", "\"NaN\""}}},
      {"numeric",
       arrow::utf8(),
       {{"'Infinity'", "\"Infinity\""},
        {"'-Infinity'", "\"-Infinity\""},
        {"'NaN'", "\"NaN\""},
        {"'0.000'", "\"0.000\""},
        {"'-0.00001234500'", "\"-0.00001234500\""},
        {"'10000'", "\"10000\""},
        {"'120034.5600'", "\"120034.5600\""}}},
      {"money",
       arrow::decimal128(19, 2),
       {{"'-92233720368547758.08'", "\"-92233720368547758.08\""}, {"'1'", "\"1.00\""}}},
      {"text", arrow::utf8(), {{"''", "\"\""}, {"'hé €😀'", "\"hé €😀\""}}},
      {"varchar(3)", arrow::utf8(), {{"'abc'", "\"abc\""}}},
      {"char(5)", arrow::utf8(), {{"'ab'", "\"ab   \""}}},
      {"name", arrow::utf8(), {{"'a name'", "\"a name\""}}},
      {"\"char\"", arrow::uint8(), {{"'\\351'", "233"}, {"'\\000'", "0"}, {"'x'", "120"}}},
      {"bytea", arrow::binary(), {{"''", "\"\""}, {"'\\x004100'", "\"\\u0000A\\u0000\""}}},
      {"date",
       arrow::date32(),
       {{"'1970-01-01'", "0"},
        {"'2000-01-01'", "10957"},
        {"'4714-11-24 BC'", "-2440588"},
        {"'5874897-12-31'", "2145042905"},
        {"'infinity'", kNoForm},
        {"'-infinity'", kNoForm}}},
      {"timestamp",
       arrow::timestamp(TimeUnit::MICRO),
       {{"'1970-01-01 00:00:00.000001'", "1"},
        {"'1969-12-31 23:59:59.999999'", "-1"},
        {"'4714-11-24 00:00:00 BC'", "-210866803200000000"},
        {"'294247-01-10 04:00:54.775807'", "9223372036854775807"},
        {"'294247-01-10 04:00:54.775808'", kNoForm},
        {"'294276-12-31 23:59:59.999999'", kNoForm},
        {"'infinity'", kNoForm},
        {"'-infinity'", kNoForm}}},
      {"timestamptz",
       arrow::timestamp(TimeUnit::MICRO, "UTC"),
       {{"'1970-01-01 02:00:00+02'", "0"},
        {"'2000-01-01 00:00:00+00'", "946684800000000"},
        {"'infinity'", kNoForm}}},
      {"time",
       arrow::time64(TimeUnit::MICRO),
       {{"'00:00'", "0"}, {"'23:59:59.999999'", "86399999999"}, {"'24:00:00'", kNoForm}}},
      {"timetz",
       TimeTz(),
       {{"'12:00:00.5+15:59'", "[43200500000, 57540]"},
        {"'00:00-08'", "[0, -28800]"},
        {"'24:00:00+00'", kNoForm}}},
      {"interval",
       arrow::month_day_nano_interval(),
       {{"'-1 mon +3 days -00:00:01.5'", "[-1, 3, -1500000000]"},
        {"'178000000 years'", "[2136000000, 0, 0]"},
        {"'2562047:47:16.854775'", "[0, 0, 9223372036854775000]"},
        {"'2562047:47:16.854776'", kNoForm},
        {"'-2562047:47:16.854776'", kNoForm}}},
      {"uuid",
       arrow::fixed_size_binary(16),
       {{"'30313233-3435-3637-3839-616263646566'", "\"0123456789abcdef\""}}},
      {"json",
       arrow::utf8(),
       {{"'{\"a\": 1,  \"a\":2}'", "\"{\\\"a\\\": 1,  \\\"a\\\":2}\""}, {"'null'", "\"null\""}}},
      {"jsonb",
       arrow::utf8(),
       {{"'{\"b\":[1, -2.50,{\"c\":\"\\u0001\\t\\\"\\\\é\"}],\"a\":true,\"z\":null}'",
         "\"{\\\"a\\\": true, \\\"b\\\": [1, -2.50, {\\\"c\\\": \\\"\\\\u0001\\\\t\\\\\\\"\\\\\\\\é\\\"}], "
         "\\\"z\\\": null}\""},
        {"'[]'", "\"[]\""},
        {"'{}'", "\"{}\""},
        {"'[[], {}, [[1]]]'", "\"[[], {}, [[1]]]\""},
        {"'\"scalar\"'", "\"\\\"scalar\\\"\""},
        {"'1e3'", "\"1000\""}}},
  };
}

std::vector<TypeCase> XmlCases() {
  return {
      {"xml",
       arrow::utf8(),
       {{"'<a>1</a>'", "\"<a>1</a>\""}, {"'<?xml version=\"1.0\" encoding=\"utf-8\"?><b/>'", "\"<b/>\""}}},
      {"xml[]", arrow::list(arrow::utf8()), {{"'{<a/>,NULL}'", "[\"<a/>\", null]"}}},
  };
}

std::vector<TypeCase> ArrayCases() {
  return {
      {"int4[]",
       arrow::list(arrow::int32()),
       {{"'{1,NULL,3}'", "[1, null, 3]"},
        {"'{}'", "[]"},
        {"'{NULL}'", "[null]"},
        {"'{{1,2},{3,4}}'", kNoForm},
        {"'[0:1]={1,2}'", kNoForm},
        {"'[2:2]={7}'", kNoForm}}},
      {"bool[]",
       arrow::list(arrow::boolean()),
       {{"'{t,f,NULL,t,t,t,t,t,f}'", "[true,false,null,true,true,true,true,true,false]"}}},
      {"text[]",
       arrow::list(arrow::utf8()),
       {{"'{a,NULL,\"\",\"NULL\"}'", "[\"a\", null, \"\", \"NULL\"]"},
        {"array_fill('x'::text, ARRAY[3])", "[\"x\", \"x\", \"x\"]"}}},
      {"numeric(5,1)[]",
       arrow::list(arrow::decimal128(5, 1)),
       {{"'{1.5,NULL,-9999.9}'", "[\"1.5\", null, \"-9999.9\"]"}, {"'{1,NaN}'", kNoForm}}},
      {"date[]",
       arrow::list(arrow::date32()),
       {{"'{1970-01-02,infinity}'", kNoForm}, {"'{1970-01-02}'", "[1]"}}},
      {"timetz[]", arrow::list(TimeTz()), {{"'{01:02:03+02,NULL}'", "[[3723000000, 7200], null]"}}},
      {"jsonb[]",
       arrow::list(arrow::utf8()),
       {{"'{\"{\\\"a\\\":1}\",NULL,3}'", "[\"{\\\"a\\\": 1}\", null, \"3\"]"}}},
      {"uuid[]",
       arrow::list(arrow::fixed_size_binary(16)),
       {{"'{30313233-3435-3637-3839-616263646566,NULL}'", "[\"0123456789abcdef\", null]"}}},
      {"name[]", arrow::list(arrow::utf8()), {{"'{n,NULL}'", "[\"n\", null]"}}},
      {"bytea[]", arrow::list(arrow::binary()), {{"'{\"\\\\x41\",\"\"}'", "[\"A\", \"\"]"}}},
  };
}

// Types that are sent as their output text, whatever the session's settings.
std::vector<TypeCase> TextCases() {
  return {
      {"inet", arrow::utf8(), {{"'10.0.0.1/8'", "\"10.0.0.1/8\""}, {"'::/0'", "\"::/0\""}}},
      {"cidr", arrow::utf8(), {{"'10.0.0.0/8'", "\"10.0.0.0/8\""}}},
      {"macaddr", arrow::utf8(), {{"'08:00:2b:01:02:03'", "\"08:00:2b:01:02:03\""}}},
      {"bit(3)", arrow::utf8(), {{"'101'", "\"101\""}}},
      {"varbit", arrow::utf8(), {{"''", "\"\""}, {"'0000000001'", "\"0000000001\""}}},
      {"tsvector", arrow::utf8(), {{"'b:2 a:1'", "\"'a':1 'b':2\""}}},
      {"jsonpath", arrow::utf8(), {{"'$.a'", "\"$.\\\"a\\\"\""}}},
      {"point", arrow::utf8(), {{"'(0.1,1e300)'", "\"(0.1,1e+300)\""}}},
      {"tid", arrow::utf8(), {{"'(1,2)'", "\"(1,2)\""}}},
      {"int2vector", arrow::utf8(), {{"'1 2 3'", "\"1 2 3\""}}},
      {"inet[]", arrow::list(arrow::utf8()), {{"'{10.0.0.1,NULL}'", "[\"10.0.0.1\", null]"}}},
      {"point[]",
       arrow::list(arrow::utf8()),
       {{"'{NULL,\"(0.1,2)\"}'", "[null, \"(0.1,2)\"]"}, {"'{{\"(1,2)\"}}'", kNoForm}}},
      {"bits[]", arrow::list(arrow::utf8()), {{"'{101,1}'", "[\"101\", \"1\"]"}}},
      {"mood", arrow::utf8(), {{"'ok'", "\"ok\""}}},
      {"mood[]",
       arrow::list(arrow::utf8()),
       {{R"x('{sad,NULL,"a\"b"}')x", "[\"sad\", null, \"a\\\"b\"]"}, {"'{}'", "[]"}, {"'{{sad}}'", kNoForm}}},
      {"moods", arrow::list(arrow::utf8()), {{"'{ok}'", "[\"ok\"]"}}},
      {"good_mood[]", arrow::list(arrow::utf8()), {{"'{ok,NULL}'", "[\"ok\", null]"}}},
      {"price", arrow::decimal128(8, 3), {{"'1.5'", "\"1.500\""}}},
      {"low_price", arrow::decimal128(8, 3), {{"'1.25'", "\"1.250\""}}},
      {"low_price[]", arrow::list(arrow::decimal128(8, 3)), {{"'{1.25,2}'", "[\"1.250\", \"2.000\"]"}}},
      {"numbers", arrow::list(arrow::int32()), {{"'{1,2}'", "[1, 2]"}}},
      {"words", arrow::utf8(), {{"'as stored'", "\"as stored\""}}},
      {"words[]", arrow::list(arrow::utf8()), {{"'{A,b}'", "[\"A\", \"b\"]"}}},
  };
}

TEST_F(Types, Scalars) { Check(ScalarCases()); }

// Arrow's JSON reader has no negative scales.
TEST_F(Types, NumericWithNegativeScale) {
  Prepare("CREATE TABLE t (n numeric(5,-2)); CREATE PUBLICATION p FOR TABLE t");
  Sql("INSERT INTO t VALUES (9999900), (-100), (149), (0), ('NaN')");
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto events, Peek());
  const auto& rows = *std::get<ChangeBatch>(events.at(0)).rows;
  ASSERT_TRUE(rows.column(0)->type()->Equals(*arrow::decimal128(5, -2)));
  const auto& column = static_cast<const arrow::Decimal128Array&>(*rows.column(0));
  const std::vector<int64_t> hundreds = {99999, -1, 1, 0};
  for (size_t i = 0; i < hundreds.size(); ++i) {
    EXPECT_EQ(arrow::Decimal128(column.GetValue(static_cast<int64_t>(i))), arrow::Decimal128(hundreds[i]))
        << i;
  }
  EXPECT_TRUE(column.IsNull(4));
}

TEST_F(Types, Xml) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto connection, SharedServer().Connect());
  if (!connection->Query("SELECT '<a/>'::xml").ok()) GTEST_SKIP() << "the server is built without libxml";
  Check(XmlCases());
}

TEST_F(Types, Arrays) { Check(ArrayCases()); }

TEST_F(Types, TextOfOtherTypesDomainsEnums) {
  Check(TextCases(),
        "CREATE TYPE mood AS ENUM ('sad', 'ok', 'a\"b');"
        "CREATE DOMAIN price AS numeric(8,3); CREATE DOMAIN low_price AS price CHECK (value < 10);"
        "CREATE DOMAIN bits AS varbit; CREATE DOMAIN numbers AS int[]; CREATE DOMAIN moods AS mood[]; CREATE "
        "DOMAIN good_mood AS "
        "mood "
        "CHECK (value = "
        "'ok');"
        // As citext is made: another type whose functions are text's.
        "CREATE TYPE words;"
        "CREATE FUNCTION words_in(cstring) RETURNS words LANGUAGE internal STRICT IMMUTABLE AS "
        "'textin';"
        "CREATE FUNCTION words_out(words) RETURNS cstring LANGUAGE internal STRICT IMMUTABLE AS "
        "'textout';"
        "CREATE TYPE words (input = words_in, output = words_out, internallength = variable);"
        // Defaults of the database that would show in the text.
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET datestyle = ''German''', "
        "current_database());"
        "EXECUTE format('ALTER DATABASE %I SET timezone = ''Asia/Tokyo''', current_database());"
        "EXECUTE format('ALTER DATABASE %I SET extra_float_digits = -5', current_database()); END "
        "$$;");
}

// Bits of validity and of booleans at row counts around whole bytes and words.
TEST_F(Types, ValidityAtEveryLength) {
  Prepare("CREATE TABLE t (i int, b bool, s text); CREATE PUBLICATION p FOR TABLE t");
  const std::vector<int> counts = {1, 7, 8, 9, 63, 64, 65, 129};
  for (const int count : counts) {
    Sql("INSERT INTO t SELECT nullif(i % 3, 0), CASE WHEN i % 5 > 0 THEN i % 2 = 0 END, CASE "
        "WHEN i = " +
        std::to_string(count) + " THEN 'last' END FROM generate_series(1, " + std::to_string(count) + ") i");
  }
  std::vector<string> expected;
  for (const int count : counts) {
    for (int i = 1; i <= count; ++i) {
      expected.push_back("insert t(" + (i % 3 ? std::to_string(i % 3) : "null") + ", " +
                         (i % 5 ? (i % 2 ? "false" : "true") : "null") + ", " +
                         (i == count ? "last" : "null") + ")");
    }
  }
  EXPECT_EQ(Lines(), expected);
}

TEST_F(Types, UnconstrainedNumericByOption) {
  Prepare("CREATE TABLE t (n numeric); CREATE PUBLICATION p FOR TABLE t");
  Sql("INSERT INTO t VALUES ('1.50'), ('-0.125'), ('NaN'), ('Infinity'), ('1e400'), "
      "('123456.789')");
  EXPECT_EQ(Lines({{"numeric", "text"}}).at(0), "insert t(1.50)");
  EXPECT_EQ(Lines({{"numeric", "double"}}),
            (std::vector<string>{"insert t(1.5)", "insert t(-0.125)", "insert t(nan)", "insert t(inf)",
                                 "insert t(!)", "insert t(123456.789)"}));
  EXPECT_EQ(Lines({{"numeric", "decimal(8,3)"}}),
            (std::vector<string>{"insert t(1.500)", "insert t(-0.125)", "insert t(!)", "insert t(!)",
                                 "insert t(!)", "insert t(!)"}));
}

// Random numbers and documents; the server's own text is the oracle.
TEST_F(Types, RandomNumericAndJsonb) {
  const double seed = static_cast<double>(Seed() % 1000000) / 1000000;
  SCOPED_TRACE("ARROWCDC_TEST_SEED=" + std::to_string(Seed()) + " replays it");
  Prepare(
      "CREATE TABLE t (a numeric, b numeric(38,10), c numeric(76,30), j jsonb, id int); CREATE "
      "PUBLICATION p "
      "FOR "
      "TABLE t");
  Sql("SELECT setseed(" + std::to_string(seed) + ");" + R"(
      CREATE FUNCTION digits(n int) RETURNS text LANGUAGE sql VOLATILE AS
        $$SELECT coalesce(string_agg(substr('00000123456789', 1 + (random() * 13)::int, 1), ''), '')
          FROM generate_series(1, n)$$;
      CREATE FUNCTION number(before int, behind int) RETURNS numeric LANGUAGE sql VOLATILE AS
        $$SELECT (CASE WHEN random() < 0.5 THEN '-' ELSE '' END || '0' || digits((random() * before)::int) || '.' || '0'
                  || digits((random() * (behind - 1))::int))::numeric$$;
      CREATE FUNCTION letters(n int) RETURNS text LANGUAGE sql VOLATILE AS
        $$SELECT coalesce(string_agg(chr((ARRAY[1, 8, 9, 10, 12, 13, 31, 34, 47, 92, 97, 127, 233, 8364, 128512])
                                           [1 + (random() * 14)::int]), ''), '') FROM generate_series(1, n)$$;
      INSERT INTO t SELECT number(80, 60), number(28, 10), number(46, 30),
        jsonb_build_object(letters((random() * 6)::int), jsonb_build_array(number(20, 20), letters((random() * 9)::int),
          random() < 0.5, NULL, jsonb_build_array(), jsonb_build_object('k', letters(3), letters(2), number(3, 3)))), i
        FROM generate_series(1, 3000) i)");
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto connection, SharedServer().Connect(database()));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto expected,
                                connection->Query("SELECT a, b, c, j FROM t ORDER BY id"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto events, Peek());
  size_t at = 0;
  for (const Event& event : events) {
    const auto& rows = *std::get<ChangeBatch>(event).rows;
    const auto& text = static_cast<const arrow::StringArray&>(*rows.column(0));
    const auto& small = static_cast<const arrow::Decimal128Array&>(*rows.column(1));
    const auto& large = static_cast<const arrow::Decimal256Array&>(*rows.column(2));
    const auto& json = static_cast<const arrow::StringArray&>(
        *static_cast<const arrow::ExtensionArray&>(*rows.column(3)).storage());
    for (int64_t row = 0; row < rows.num_rows(); ++row, ++at) {
      ASSERT_LT(at, expected.size());
      EXPECT_EQ(text.GetView(row), *expected[at][0]);
      EXPECT_EQ(arrow::Decimal128(small.GetValue(row)),
                arrow::Decimal128::FromString(*expected[at][1]).ValueOrDie());
      EXPECT_EQ(arrow::Decimal256(large.GetValue(row)),
                arrow::Decimal256::FromString(*expected[at][2]).ValueOrDie());
      EXPECT_EQ(json.GetView(row), *expected[at][3]);
      EXPECT_FALSE(text.IsNull(row) || small.IsNull(row) || large.IsNull(row) || json.IsNull(row));
    }
  }
  EXPECT_EQ(at, expected.size());
}

// A null element of an array, a value larger than a page, and a value taken back in the middle of a batch
// leave the rows around them as they are.
TEST_F(Types, ValuesTakenBackLeaveNoTrace) {
  Prepare("CREATE TABLE t (id int, a text[], n numeric(4,1)[]); CREATE PUBLICATION p FOR TABLE t");
  Sql("INSERT INTO t VALUES (1, '{a,b}', '{1.5}'), (2, '{{c},{d}}', '{2.5,NULL,NaN}'), (3, "
      "'{e,NULL}', "
      "'{NULL,3.5}'),"
      " (4, NULL, '{NaN}'), (5, '{}', '{4.5}')");
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto events, Peek());
  const auto& batch = std::get<ChangeBatch>(events.at(0));
  const auto check = [&](int index, const std::shared_ptr<DataType>& type, const string& json) {
    const auto wanted = arrow::json::ArrayFromJSONString(type, json).ValueOrDie();
    EXPECT_TRUE(wanted->Equals(*batch.rows->column(index))) << batch.rows->column(index)->ToString();
  };
  check(1, arrow::list(arrow::utf8()), R"([["a", "b"], null, ["e", null], null, []])");
  check(2, arrow::list(arrow::decimal128(4, 1)), R"([["1.5"], null, [null, "3.5"], null, ["4.5"]])");
}

}  // namespace
}  // namespace arrowcdc::test
