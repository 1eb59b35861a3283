// Values that consist of values through the plugin, against values worked out by hand.
#include <functional>

#include "plugin/testing/type_cases.h"

namespace arrowcdc::test {
namespace {

using arrow::DataType;
using arrow::field;
using arrow::TimeUnit;
using ::std::string;
class NestedTypes : public TypeTest {};

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

TEST_F(NestedTypes, Ranges) {
  Check(RangeCases(),
        "CREATE TYPE textrange AS RANGE (subtype = text); CREATE TYPE floatrange AS RANGE "
        "(subtype = float8);"
        "CREATE TYPE listrange AS RANGE (subtype = int[]); CREATE TYPE bitrange AS RANGE "
        "(subtype = varbit);"
        "CREATE DOMAIN price AS numeric(8,3); CREATE TYPE pricerange AS RANGE (subtype = price);"
        "CREATE DOMAIN stay AS daterange CHECK (NOT isempty(value));");
}

TEST_F(NestedTypes, Composites) {
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

TEST_F(NestedTypes, Hstore) {
  const auto map = arrow::map(arrow::utf8(), arrow::utf8());
  const string x(200, 'x');
  Check(
      {{"hstore",
        map,
        {{R"('a=>1, bé=>NULL, c=>""')", R"([["a", "1"], ["c", ""], ["bé", null]])"},
         {"''", "[]"},
         {"'k=>" + x + "'", "[[\"k\", \"" + x + "\"]]"}}},
       {"hstore[]",
        arrow::list(map),
        {{R"('{"a=>1",NULL,""}')", R"([[["a", "1"]], null, []])"}, {"'{{a=>1}}'", kNoForm}}},
       {"labels", map, {{"'a=>1'", R"([["a", "1"]])"}}},
       {"tagged",
        arrow::struct_({field("id", arrow::int32()), field("tags", map)}),
        {{"ROW(1, 'a=>1,b=>2')", R"([1, [["a", "1"], ["b", "2"]]])"}, {"ROW(2, NULL)", "[2, null]"}}},
       // Of the name alone.
       {"impostor.hstore", arrow::utf8(), {{"'1'", R"("1")"}}}},
      "CREATE EXTENSION hstore; CREATE DOMAIN labels AS hstore; CREATE TYPE tagged AS (id int, tags hstore);"
      "CREATE SCHEMA impostor; CREATE TYPE impostor.hstore;"
      "CREATE FUNCTION hin(cstring) RETURNS impostor.hstore LANGUAGE internal STRICT IMMUTABLE AS 'int4in';"
      "CREATE FUNCTION hout(impostor.hstore) RETURNS cstring LANGUAGE internal STRICT IMMUTABLE AS 'int4out';"
      "CREATE TYPE impostor.hstore (input = hin, output = hout, internallength = 4, passedbyvalue);");
}

// What pgvector stores, in types that the catalog calls members of it: so the test needs no package.
TEST_F(NestedTypes, Vectors) {
  const auto list = arrow::list(arrow::float32());
  const auto three = arrow::fixed_size_list(arrow::float32(), 3);
  const std::vector<Value> vectors = {{R"('\x030000000000803f000020c001000000')", "[1, -2.5, 1e-45]"},
                                      {R"('\x020000000000803f000020c0')", kNoForm}};
  const std::vector<Value> halves = {{R"('\x03000000003cfffb0100')", "[1, -65504, 5.9604645e-8]"},
                                     {R"('\x03000000007e007c0080')", "[NaN, Inf, -0.0]"}};
  Check(
      {{"vector3", three, vectors},
       {"vector",
        list,
        {{R"('\x030000000000803f000020c001000000')", "[1, -2.5, 1e-45]"}, {R"('\x00000000')", "[]"}}},
       {"vector3[]",
        arrow::list(three),
        {{R"(ARRAY['\x030000000000803f000020c001000000', NULL]::vector3[])", "[[1, -2.5, 1e-45], null]"},
         {R"(ARRAY['\x030000000000803f000020c001000000', '\x00000000']::vector3[])", kNoForm}}},
       {"half3", three, halves},
       {"halfvec", list, {{R"('\x0200000055350004')", "[0.33325195, 6.1035156e-05]"}}}},
      "SET allow_system_table_mods = on; CREATE TYPE vector; CREATE TYPE halfvec;"
      "CREATE FUNCTION vin(cstring) RETURNS vector LANGUAGE internal STRICT IMMUTABLE AS 'byteain';"
      "CREATE FUNCTION vout(vector) RETURNS cstring LANGUAGE internal STRICT IMMUTABLE AS 'byteaout';"
      "CREATE FUNCTION hin(cstring) RETURNS halfvec LANGUAGE internal STRICT IMMUTABLE AS 'byteain';"
      "CREATE FUNCTION hout(halfvec) RETURNS cstring LANGUAGE internal STRICT IMMUTABLE AS 'byteaout';"
      "CREATE TYPE vector (input = vin, output = vout, storage = external);"
      "CREATE TYPE halfvec (input = hin, output = hout, storage = external);"
      "CREATE DOMAIN vector3 AS vector; CREATE DOMAIN half3 AS halfvec;"
      "UPDATE pg_type SET typtypmod = 3 WHERE typname IN ('vector3', 'half3');"
      "INSERT INTO pg_extension VALUES (99999, 'vector', 10, 'public'::regnamespace, false, '1', NULL, NULL);"
      "INSERT INTO pg_depend SELECT 'pg_type'::regclass, t::regtype, 0, 'pg_extension'::regclass, 99999, 0, "
      "'e' "
      "FROM unnest(ARRAY['vector', 'halfvec']) AS t;");
}

// Attributes of a type are those of the moment, by their place in it: a new one that is called as a dropped
// one was is another.
TEST_F(NestedTypes, RowTypesThatChangeBetweenRows) {
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
TEST_F(NestedTypes, RowTypesWithoutEnd) {
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
TEST_F(NestedTypes, LargeNestedValues) {
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

}  // namespace
}  // namespace arrowcdc::test
