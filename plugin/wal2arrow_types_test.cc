// Values of every type of the type table through the plugin, against values worked out by hand.
#include <functional>

#include <arrow/array.h>
#include <arrow/compare.h>
#include <arrow/extension_type.h>
#include <arrow/json/from_string.h>
#include <arrow/util/decimal.h>

#include "arrowcdc/change_rows.h"
#include "plugin/testing/test_stream.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/seed.h"

namespace arrowcdc::test {
namespace {

using arrow::DataType;
using arrow::field;
using arrow::TimeUnit;
using ::std::string;

// What stands for a value without an Arrow form.
constexpr const char* kNoForm = "!";

struct Value {
  string literal;  // SQL, without the cast
  string json;     // as Arrow's JSON reader takes it, or kNoForm
};

struct TypeCase {
  string sql;
  std::shared_ptr<DataType> type;
  std::vector<Value> values;
};

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

std::shared_ptr<DataType> RangeOf(const std::shared_ptr<DataType>& bound) {
  return arrow::struct_({field("lower", bound), field("upper", bound), field("lower_inc", arrow::boolean()),
                         field("upper_inc", arrow::boolean()), field("empty", arrow::boolean())});
}

std::vector<TypeCase> RangeCases() {
  const string x(200, 'x');  // longer than a short header counts
  const string empty = "[null, null, false, false, true]";
  return {
      {"int4range",
       RangeOf(arrow::int32()),
       {{"'(1,5]'", "[2, 6, true, false, false]"},
        {"'empty'", empty},
        {"'(,)'", "[null, null, false, false, false]"},
        {"'[-3,)'", "[-3, null, true, false, false]"},
        {"'(,7)'", "[null, 7, false, false, false]"}}},
      {"int8range",
       RangeOf(arrow::int64()),
       {{"'[1,9223372036854775807)'", "[1, 9223372036854775807, true, false, false]"}}},
      {"floatrange",
       RangeOf(arrow::float64()),
       {{"'(0.5,1e300]'", "[0.5, 1e300, false, true, false]"},
        {"'[,Infinity]'", "[null, Inf, false, true, false]"}}},
      {"numrange",
       RangeOf(arrow::utf8()),
       {{"'[1.50,2.25)'", R"(["1.50", "2.25", true, false, false])"},
        {"'(-0.1,1e20)'", R"(["-0.1", "100000000000000000000", false, false, false])"}}},
      {"pricerange",
       RangeOf(arrow::decimal128(8, 3)),
       {{"'[1.5,2]'", R"(["1.500", "2.000", true, true, false])"},
        {"'[1,NaN]'", kNoForm},
        {"'[3,]'", R"(["3.000", null, true, false, false])"}}},
      {"daterange",
       RangeOf(arrow::date32()),
       {{"'[2020-01-02,2020-02-01)'", "[18263, 18293, true, false, false]"},
        {"'[2020-01-02,infinity)'", kNoForm},
        {"'[-infinity,2020-01-02)'", kNoForm},
        {"'(,)'", "[null, null, false, false, false]"}}},
      {"stay",
       RangeOf(arrow::date32()),
       {{"'[2020-01-02,2020-01-02]'", "[18263, 18264, true, false, false]"}}},
      {"tstzrange",
       RangeOf(arrow::timestamp(TimeUnit::MICRO, "UTC")),
       {{"'[2020-01-01 02:00+02,)'", "[1577836800000000, null, true, false, false]"}}},
      {"textrange",
       RangeOf(arrow::utf8()),
       {{"'[a,bé)'", R"(["a", "bé", true, false, false])"},
        {"'(abc," + x + "]'", "[\"abc\", \"" + x + "\", false, true, false]"},
        {"'[" + x + ",z)'", "[\"" + x + "\", \"z\", true, false, false]"},
        {"'[\"\",\"\"]'", R"(["", "", true, true, false])"}}},
      {"listrange",
       RangeOf(arrow::list(arrow::int32())),
       {{R"x('["{1,NULL}","{2}"]')x", "[[1, null], [2], true, true, false]"},
        {R"x('["{1}","{{2}}"]')x", kNoForm}}},
      {"bitrange", RangeOf(arrow::utf8()), {{"'[01,1)'", R"(["01", "1", true, false, false])"}}},
      {"int4multirange",
       arrow::list(RangeOf(arrow::int32())),
       {{"'{}'", "[]"},
        {"'{[1,3),[5,6),[8,)}'",
         "[[1, 3, true, false, false], [5, 6, true, false, false], [8, null, true, false, false]]"},
        {"'{(,)}'", "[[null, null, false, false, false]]"}}},
      {"textmultirange",
       arrow::list(RangeOf(arrow::utf8())),
       {{"'{[a,b],[c," + ('d' + x) + "],[e," + ('e' + x) + "),[f,fffff],[g,h],[i,]}'",
         R"([["a", "b", true, true, false], ["c", "d)" + x + R"(", true, true, false], ["e", "e)" + x +
             R"(", true, false, false], ["f", "fffff", true, true, false], ["g", "h", true, true, false],
             ["i", null, true, false, false]])"}}},
      {"datemultirange",
       arrow::list(RangeOf(arrow::date32())),
       {{"'{[2020-01-02,2020-01-03),[2021-01-01,infinity)}'", kNoForm},
        {"'{[2020-01-02,2020-01-03)}'", "[[18263, 18264, true, false, false]]"}}},
      {"int4range[]",
       arrow::list(RangeOf(arrow::int32())),
       {{R"x('{"[1,2)",NULL,empty}')x", "[[1, 2, true, false, false], null, " + empty + "]"},
        {"'{}'", "[]"},
        {"'{{empty}}'", kNoForm}}},
      {"daterange[]",
       arrow::list(RangeOf(arrow::date32())),
       {{R"x('{"[2020-01-02,2020-01-03)","[2020-01-02,infinity)"}')x", kNoForm},
        {R"x('{"[2020-01-02,)",empty}')x", "[[18263, null, true, false, false], " + empty + "]"}}},
      {"int4multirange[]",
       arrow::list(arrow::list(RangeOf(arrow::int32()))),
       {{R"x('{"{[1,2)}",NULL,"{}"}')x", "[[[1, 2, true, false, false]], null, []]"}}},
  };
}

std::shared_ptr<DataType> Pair() {
  return arrow::struct_({field("a", arrow::int32()), field("b", arrow::utf8()),
                         field("c", arrow::timestamp(TimeUnit::MICRO, "UTC"))});
}

std::vector<TypeCase> CompositeCases() {
  const auto shape = arrow::struct_({field("w", arrow::float64()), field("odd é", arrow::binary()),
                                     field("o", arrow::uint32()), field("u", arrow::fixed_size_binary(16))});
  const auto wide =
      arrow::struct_({field("p", Pair()), field("ps", arrow::list(Pair())),
                      field("r", RangeOf(arrow::int32())), field("m", arrow::list(RangeOf(arrow::int64()))),
                      field("j", arrow::utf8()), field("n", arrow::list(arrow::decimal128(5, 1))),
                      field("i", arrow::utf8()), field("e", arrow::struct_({})), field("s", shape)});
  return {
      {"pair",
       Pair(),
       {{"ROW(1, 'sad', '2020-01-01 02:00+02')", R"([1, "sad", 1577836800000000])"},
        {"ROW(NULL, NULL, NULL)", "[null, null, null]"},
        {"ROW(2, 'ok', 'infinity')", kNoForm},
        {"ROW(3, NULL, NULL)", "[3, null, null]"}}},
      {"good_pair", Pair(), {{"ROW(1, 'ok', NULL)", R"([1, "ok", null])"}}},
      {"pair[]",
       arrow::list(Pair()),
       {{R"x('{"(1,sad,)",NULL}')x", R"([[1, "sad", null], null])"},
        {"'{}'", "[]"},
        {R"x('{"(,ok,)","(4,ok,infinity)"}')x", kNoForm},
        {R"x('{"(,,)"}')x", "[[null, null, null]]"}}},
      {"nothing", arrow::struct_({}), {{"ROW()", "[]"}}},
      {"shape",
       shape,
       {{"ROW(0.5, '\\x41', 4000000000, '30313233-3435-3637-3839-616263646566')",
         R"([0.5, "A", 4000000000, "0123456789abcdef"])"},
        {"ROW(NULL, '\\x', NULL, '30313233-3435-3637-3839-616263646566')",
         R"([null, "", null, "0123456789abcdef"])"}}},
      {"wide",
       wide,
       {{R"(ROW(ROW(1,'ok',NULL), ARRAY[ROW(2,NULL,NULL),NULL]::pair[], '[1,4)', '{[1,2),[4,)}', '{"k": [1]}',
            '{1.5,NULL}', '10.0.0.1', ROW()::nothing, ROW(1,'\x42',7,NULL)))",
         R"([[1, "ok", null], [[2, null, null], null], [1, 4, true, false, false],
             [[1, 2, true, false, false], [4, null, true, false, false]], "{\"k\": [1]}", ["1.5", null],
             "10.0.0.1", [], [1, "B", 7, null]])"},
        {"ROW(NULL, '{}', 'empty', '{}', NULL, '{}', NULL, NULL, NULL)",
         "[null, [], [null, null, false, false, true], [], null, [], null, null, null]"},
        {"ROW(ROW(5,NULL,NULL), ARRAY[ROW(6,NULL,NULL)]::pair[], '[1,2)', '{[1,2)}', '1', "
         "'{1,NaN}', NULL, NULL, NULL)",
         kNoForm},
        {"ROW(NULL, NULL, NULL, NULL, '[]', '{2}', NULL, NULL, ROW(2,NULL,NULL,NULL))",
         R"([null, null, null, null, "[]", ["2.0"], null, null, [2, null, null, null]])"}}},
      {"wide[]",
       arrow::list(wide),
       {{"ARRAY[ROW(NULL, ARRAY[ROW(2,NULL,NULL)]::pair[], '[1,4)', '{[1,2)}', '{}', "
         "'{1.5}', NULL, NULL, NULL)::wide, NULL]",
         R"([[null, [[2, null, null]], [1, 4, true, false, false], [[1, 2, true, false, false]], "{}", ["1.5"],
              null, null, null], null])"},
        {"ARRAY[ROW(NULL, NULL, NULL, NULL, NULL, '{1}', NULL, NULL, NULL)::wide, ROW(NULL, "
         "NULL, NULL, NULL, NULL, '{NaN}', NULL, NULL, NULL)]",
         kNoForm}}},
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
      {"inet[]", arrow::utf8(), {{"'{10.0.0.1,NULL}'", "\"{10.0.0.1,NULL}\""}}},
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

std::shared_ptr<arrow::ArrayData> WithoutExtensions(const std::shared_ptr<arrow::ArrayData>& data) {
  auto out = data->Copy();
  if (data->type->id() == arrow::Type::EXTENSION) {
    out->type = static_cast<const arrow::ExtensionType&>(*data->type).storage_type();
  }
  if (out->type->id() != arrow::Type::LIST && out->type->id() != arrow::Type::STRUCT) return out;
  arrow::FieldVector fields;
  for (size_t i = 0; i < out->child_data.size(); ++i) {
    out->child_data[i] = WithoutExtensions(out->child_data[i]);
    fields.push_back(field(out->type->field(static_cast<int>(i))->name(), out->child_data[i]->type));
  }
  out->type = out->type->id() == arrow::Type::LIST ? arrow::list(fields[0]) : arrow::struct_(fields);
  return out;
}

class Types : public PluginTest {
 protected:
  // One table with a column per case, one row per value and a row of nulls; every cell is compared.
  void Check(const std::vector<TypeCase>& cases, const string& ddl = "", const string& settings = "") {
    string columns;
    size_t rows = 0;
    for (size_t i = 0; i < cases.size(); ++i) {
      columns += (i ? ", c" : "c") + std::to_string(i) + " " + cases[i].sql;
      rows = std::max(rows, cases[i].values.size());
    }
    ASSERT_NO_FATAL_FAILURE(
        Prepare(ddl + "CREATE TABLE t (" + columns + "); CREATE PUBLICATION p FOR TABLE t"));
    string sql = settings + "BEGIN;";
    for (size_t row = 0; row < kRepeats * (rows + 1); ++row) {
      const size_t place = row % (rows + 1);
      sql += "INSERT INTO t VALUES (";
      for (size_t i = 0; i < cases.size(); ++i) {
        const auto& values = cases[i].values;
        sql +=
            (i ? ", " : "") + (place < values.size() ? values[place].literal + "::" + cases[i].sql : "NULL");
      }
      sql += ");";
    }
    ASSERT_NO_FATAL_FAILURE(Sql(sql + "COMMIT"));

    for (const string compression : {"none", "lz4", "zstd"}) {
      SCOPED_TRACE(compression);
      ARROWCDC_ASSERT_OK_AND_ASSIGN(
          const auto events, Peek({{"compression", compression}, {"batch_bytes", std::to_string(16 << 20)}}));
      ASSERT_EQ(events.size(), 1u);
      const auto& batch = std::get<ChangeBatch>(events[0]);
      ASSERT_EQ(batch.rows->num_rows(), static_cast<int64_t>(kRepeats * (rows + 1)));
      for (size_t i = 0; i < cases.size(); ++i) {
        CheckColumn(cases[i], batch, static_cast<int>(i), static_cast<int64_t>(rows) + 1);
      }
    }
  }

 private:
  // So often all rows are written: enough for every column to be worth compressing.
  static constexpr size_t kRepeats = 30;

  // The column has the case's values, filled up with nulls to `period` and over again.
  void CheckColumn(const TypeCase& expected, const ChangeBatch& batch, int index, int64_t period) {
    SCOPED_TRACE(expected.sql);
    const auto column = arrow::MakeArray(WithoutExtensions(batch.rows->column_data(index)));
    ASSERT_TRUE(column->type()->Equals(*expected.type)) << column->type()->ToString();
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto changes, ChangeRows::Make(*batch.table, *batch.rows));
    string json = "[";
    for (int64_t row = 0; row < column->length(); ++row) {
      const size_t place = static_cast<size_t>(row % period);
      const string value = place < expected.values.size() ? expected.values[place].json : "null";
      json += (row ? ", " : "") + (value == kNoForm ? "null" : value);
      EXPECT_EQ(changes.IsUnrepresentable(row, index), value == kNoForm) << "row " << row;
    }
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto wanted,
                                  arrow::json::ArrayFromJSONString(expected.type, json + "]"));
    const auto options = arrow::EqualOptions::Defaults().nans_equal(true).signed_zeros_equal(false);
    EXPECT_TRUE(wanted->Equals(*column, options))
        << "wanted " << wanted->ToString() << "\ngot " << column->ToString();
  }
};

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

TEST_F(Types, Ranges) {
  Check(RangeCases(),
        "CREATE TYPE textrange AS RANGE (subtype = text); CREATE TYPE floatrange AS RANGE "
        "(subtype = float8);"
        "CREATE TYPE listrange AS RANGE (subtype = int[]); CREATE TYPE bitrange AS RANGE "
        "(subtype = varbit);"
        "CREATE DOMAIN price AS numeric(8,3); CREATE TYPE pricerange AS RANGE (subtype = price);"
        "CREATE DOMAIN stay AS daterange CHECK (NOT isempty(value));");
}

TEST_F(Types, Composites) {
  Check(CompositeCases(),
        "CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TYPE pair AS (a int, b mood, c "
        "timestamptz);"
        "CREATE TYPE nothing AS (); CREATE DOMAIN good_pair AS pair CHECK ((value).a > 0);"
        "CREATE TABLE shape (w float8, gone int, \"odd é\" bytea, o oid, u uuid);"
        "ALTER TABLE shape DROP COLUMN gone;"
        "CREATE TYPE wide AS (p pair, ps pair[], r int4range, m int8multirange, j jsonb, n "
        "numeric(5,1)[],"
        " i inet, e nothing, s shape);");
}

TEST_F(Types, TextOfOtherTypesDomainsEnums) {
  Check(TextCases(),
        "CREATE TYPE mood AS ENUM ('sad', 'ok', 'a\"b');"
        "CREATE DOMAIN price AS numeric(8,3); CREATE DOMAIN low_price AS price CHECK (value < 10);"
        "CREATE DOMAIN numbers AS int[]; CREATE DOMAIN moods AS mood[]; CREATE DOMAIN good_mood AS "
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

// Attributes of a type are those of the moment, by their place in it: a new one that is called as a dropped
// one was is another.
TEST_F(Types, RowTypesThatChangeBetweenRows) {
  Prepare(
      "CREATE TYPE pair AS (a int, b int); CREATE TABLE t (id int PRIMARY KEY, p pair, l pair[]);"
      "CREATE PUBLICATION p FOR TABLE t");
  Sql("INSERT INTO t VALUES (1, '(1,2)', '{\"(3,4)\"}')");
  Sql("ALTER TYPE pair ADD ATTRIBUTE c text; INSERT INTO t VALUES (2, '(1,2,x)', NULL)");
  Sql("UPDATE t SET id = 10 WHERE id = 1");  // a value of before
  Sql("ALTER TYPE pair DROP ATTRIBUTE b; INSERT INTO t VALUES (3, '(5,y)', NULL)");
  Sql("UPDATE t SET id = 11 WHERE id = 10");
  Sql("ALTER TYPE pair ADD ATTRIBUTE b int; INSERT INTO t VALUES (4, '(6,z,7)', NULL)");
  Sql("ALTER TYPE pair DROP ATTRIBUTE c; ALTER TYPE pair ADD ATTRIBUTE c text;"
      "INSERT INTO t VALUES (5, '(8,9,new)', '{\"(10,,)\"}'); UPDATE t SET id = 12 WHERE id = "
      "11");
  Sql("BEGIN; INSERT INTO t VALUES (6, '(1,2,three)', NULL); ALTER TYPE pair RENAME ATTRIBUTE c "
      "TO d;"
      "ALTER TYPE pair DROP ATTRIBUTE b; INSERT INTO t VALUES (7, '(1,two)', NULL); COMMIT");

  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto events, Stream());
  const auto pair = [](const std::vector<string>& names) {
    arrow::FieldVector fields;
    for (const string& name : names)
      fields.push_back(field(name, name < "c" ? arrow::int32() : arrow::utf8()));
    return arrow::struct_(fields);
  };
  struct Expected {
    std::shared_ptr<DataType> type;
    string pairs;
    string lists;
  };
  const std::vector<Expected> expected = {
      {pair({"a", "b"}), "[[1, 2]]", "[[[3, 4]]]"},
      {pair({"a", "b", "c"}), R"([[1, 2, "x"], null, [1, 2, null]])", "[null, null, [[3, 4, null]]]"},
      {pair({"a", "c"}), R"([[5, "y"], null, [1, null]])", "[null, null, [[3, null]]]"},
      {pair({"a", "c", "b"}), R"([[6, "z", 7]])", "[null]"},
      {pair({"a", "b", "c"}), R"([[8, 9, "new"], null, [1, null, null], [1, 2, "three"]])",
       "[[[10, null, null]], null, [[3, null, null]], null]"},
      {pair({"a", "d"}), R"([[1, "two"]])", "[null]"},
  };
  // Batches of one schema may be several.
  size_t at = 0;
  int64_t row = 0;
  for (const Event& event : events) {
    const auto* batch = std::get_if<ChangeBatch>(&event);
    if (batch == nullptr) continue;
    for (int64_t i = 0; i < batch->rows->num_rows(); ++i) {
      ASSERT_LT(at, expected.size());
      const auto pairs = arrow::json::ArrayFromJSONString(expected[at].type, expected[at].pairs).ValueOrDie();
      const auto lists =
          arrow::json::ArrayFromJSONString(arrow::list(expected[at].type), expected[at].lists).ValueOrDie();
      ASSERT_TRUE(batch->rows->column(1)->type()->Equals(*pairs->type()))
          << at << " " << batch->rows->column(1)->type()->ToString();
      EXPECT_TRUE(batch->rows->column(1)->Slice(i, 1)->Equals(*pairs->Slice(row, 1)))
          << at << " " << batch->rows->column(1)->ToString();
      EXPECT_TRUE(batch->rows->column(2)->Slice(i, 1)->Equals(*lists->Slice(row, 1)))
          << at << " " << batch->rows->column(2)->ToString();
      if (++row < pairs->length()) continue;
      row = 0;
      ++at;
    }
  }
  EXPECT_EQ(at, expected.size());
}

// Types can be nested deeper than readers go, and multiply: what is too much is text.
TEST_F(Types, RowTypesWithoutEnd) {
  string ddl = "CREATE TYPE deep0 AS (a int); CREATE TYPE many0 AS (a int);";
  for (int i = 1; i <= 40; ++i) {
    const string below = std::to_string(i - 1);
    ddl += "CREATE TYPE deep" + std::to_string(i) + " AS (a deep" + below + ");";
    if (i > 6) continue;
    ddl += "CREATE TYPE many" + std::to_string(i) + " AS (";
    for (int k = 0; k < 8; ++k) ddl += (k ? ", a" : "a") + std::to_string(k) + " many" + below;
    ddl += ");";
  }
  Prepare(ddl + "CREATE TABLE t (d deep40, m many6); CREATE PUBLICATION p FOR TABLE t");
  string value = "1";
  for (int i = 0; i <= 40; ++i) value = "ROW(" + value + ")";
  Sql("INSERT INTO t VALUES (" + value + ", NULL)");
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto events, Peek());
  const auto& rows = *std::get<ChangeBatch>(events.at(0)).rows;
  auto column = rows.column(0);
  for (int depth = 0; depth <= 30; ++depth) {
    ASSERT_EQ(column->type_id(), arrow::Type::STRUCT) << depth;
    column = static_cast<const arrow::StructArray&>(*column).field(0);
  }
  ASSERT_EQ(column->type_id(),
            arrow::Type::STRING);  // of deep9, in whose text each level doubles its quotes
  EXPECT_EQ(static_cast<const arrow::StringArray&>(*column).GetView(0).substr(0, 2), "(\"");
  const std::function<int(const DataType&)> count = [&](const DataType& type) {
    int types = 1;
    for (const auto& child : type.fields()) types += count(*child->type());
    return types;
  };
  EXPECT_GT(count(*rows.column(1)->type()), 2000);
  EXPECT_LT(count(*rows.column(1)->type()), 2500);
}

// A composite that points to the TOAST table is one that the change did not carry.
TEST_F(Types, LargeNestedValues) {
  Prepare(
      "CREATE TYPE pair AS (a int, b text); CREATE TABLE t (id int PRIMARY KEY, n int, p pair, l "
      "pair[]);"
      "ALTER TABLE t ALTER p SET STORAGE EXTERNAL; CREATE PUBLICATION p FOR TABLE t");
  Sql("INSERT INTO t VALUES (1, 1, ROW(1, repeat('x', 9000)), "
      "(SELECT array_agg(ROW(i, repeat('y', 100))::pair) FROM generate_series(1, 9000) i)); "
      "UPDATE t SET n = 2");
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto events, Peek({{"batch_bytes", std::to_string(16 << 20)}}));
  const auto& batch = std::get<ChangeBatch>(events.at(0));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto changes, ChangeRows::Make(*batch.table, *batch.rows));
  const auto& pairs = static_cast<const arrow::StructArray&>(*batch.rows->column(2));
  EXPECT_EQ(static_cast<const arrow::StringArray&>(*pairs.field(1)).GetView(0), string(9000, 'x'));
  const auto& lists = static_cast<const arrow::ListArray&>(*batch.rows->column(3));
  ASSERT_EQ(lists.value_length(0), 9000);
  const auto& elements = static_cast<const arrow::StructArray&>(*lists.values());
  EXPECT_EQ(static_cast<const arrow::Int32Array&>(*elements.field(0)).Value(8999), 9000);
  ASSERT_EQ(batch.rows->num_rows(), 2);
  EXPECT_TRUE(changes.IsUnchanged(1, 2) && pairs.IsNull(1));
  EXPECT_TRUE(changes.IsUnchanged(1, 3) && lists.IsNull(1));
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
