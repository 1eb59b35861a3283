// The decoders of text, of binary and of COPY give what the plugin gives: fields with their metadata, values
// bit for bit, and the same values without an Arrow form.
#include <arrow/array.h>
#include <arrow/compare.h>

#include "tests/testing/assert_ok.h"
#include "tests/values/read_table.h"

namespace arrowcdc::test {
namespace {

using std::string;

struct Column {
  string type;
  std::vector<string> literals;  // SQL, without the cast
};

const string kNines38(38, '9');
const string kNines76(76, '9');

// Extremes of each, and values without a form.
// NOLINTNEXTLINE(readability-function-size): a table
std::vector<Column> Columns() {
  return {
      {"bool", {"'t'", "'f'"}},
      {"int2", {"'-32768'", "'32767'"}},
      {"int4", {"'-2147483648'", "'2147483647'"}},
      {"int8", {"'-9223372036854775808'", "'9223372036854775807'"}},
      {"float4", {"'1e-45'", "'NaN'", "'-Infinity'", "'-0'", "'3.4028235e38'", "'0.1'"}},
      {"float8", {"'5e-324'", "'NaN'", "'Infinity'", "'-0'", "'1.7976931348623157e308'", "'0.1'"}},
      {"oid", {"'0'", "'4294967295'"}},
      {"xid", {"'4294967295'"}},
      {"cid", {"'4294967295'"}},
      {"xid8", {"'18446744073709551615'"}},
      {"pg_lsn", {"'FFFFFFFF/FFFFFFFF'", "'1/0'"}},
      {"numeric(10,2)", {"'-99999999.99'", "'0'", "'0.01'", "'NaN'"}},
      {"numeric(3,5)", {"'0.00999'", "'-0.00001'"}},
      {"numeric(5,-2)", {"'9999900'", "'-149'", "'0'"}},
      {"numeric(38,38)", {"'0." + kNines38 + "'"}},
      {"numeric(39,1)", {"'" + kNines38 + ".5'"}},
      {"numeric(76,0)", {"'" + kNines76 + "'", "'-" + kNines76 + "'"}},
      {"numeric(100,3)", {"'1.5'", "'NaN'"}},
      {"numeric", {"'Infinity'", "'-Infinity'", "'NaN'", "'0.000'", "'-0.00001234500'", "'10000'"}},
      {"money", {"'-92233720368547758.08'", "'1'"}},
      {"text", {"''", "'hé €😀'"}},
      {"varchar(3)", {"'abc'"}},
      {"char(5)", {"'ab'"}},
      {"name", {"'a name'"}},
      {"\"char\"", {"'\\351'", "'\\000'", "'x'"}},
      {"bytea", {"''", "'\\x004100ff'"}},
      {"date",
       {"'1970-01-01'", "'4714-11-24 BC'", "'5874897-12-31'", "'infinity'", "'-infinity'",
        "'0001-01-01 BC'"}},
      {"timestamp",
       {"'1970-01-01 00:00:00.000001'", "'4714-11-24 00:00:00 BC'", "'294247-01-10 04:00:54.775807'",
        "'294247-01-10 04:00:54.775808'", "'294276-12-31 23:59:59.999999'", "'infinity'", "'-infinity'"}},
      {"timestamptz",
       {"'1970-01-01 02:00:00+02'", "'1900-01-01 00:00:00+00'", "'infinity'", "'0044-03-15 12:00+00 BC'"}},
      {"time", {"'00:00'", "'23:59:59.999999'", "'24:00:00'"}},
      {"timetz", {"'12:00:00.5+15:59:59'", "'00:00-08'", "'24:00:00+00'"}},
      {"interval",
       {"'-1 mon +3 days -00:00:01.5'", "'178000000 years'", "'2562047:47:16.854775'",
        "'2562047:47:16.854776'", "'-2562047:47:16.854776'", "'1 year -1 day'", "'0'",
        "'-178000000 years -11 mons'"}},
      {"uuid", {"'30313233-3435-3637-3839-616263646566'"}},
      {"json", {"'{\"a\": 1,  \"a\":2}'", "'null'"}},
      {"jsonb", {R"('{"b":[1, -2.50,{"c":"\u0001\t\"\\é"}],"a":true,"z":null}')", "'[]'", "'1e3'"}},
      {"xml", {"'<a>1</a>'", "'<?xml version=\"1.0\" encoding=\"utf-8\"?><b/>'"}},
      {"mood", {"'sad'", "'a\"b'"}},
      {"low_price", {"'1.25'"}},
      {"words", {"'as stored'"}},
      {"citext", {"'As It Is'"}},
      {"inet", {"'10.0.0.1/8'", "'::/0'", "'::ffff:1.2.3.4'", "'1:0:0:2::3'"}},
      {"cidr", {"'10.0.0.0/8'", "'2001:db8::/32'"}},
      {"macaddr", {"'08:00:2b:01:02:03'"}},
      {"macaddr8", {"'08:00:2b:01:02:03:04:05'"}},
      {"bit(3)", {"'101'"}},
      {"varbit", {"''", "'0000000001'"}},
      {"tsvector", {"'b:2A a:1 it''s'"}},
      {"jsonpath", {"'$.a'"}},
      {"point", {"'(0.1,1e300)'"}},
      {"point[]", {"'{\"(1,2)\"}'"}},
      {"tid", {"'(1,2)'"}},
      {"int2vector", {"'1 2 3'"}},
      {"oidvector", {"''"}},
      {"int4[]", {"'{1,NULL,3}'", "'{}'", "'{NULL}'", "'{{1,2},{3,4}}'", "'[0:1]={1,2}'"}},
      {"bool[]", {"'{t,f,NULL,t,t,t,t,t,f}'"}},
      {"text[]", {R"('{a,NULL,"","NULL","q\"\\{,}"}')"}},
      {"numeric(5,1)[]", {"'{1.5,NULL,-9999.9}'", "'{1,NaN}'"}},
      {"date[]", {"'{1970-01-02,infinity}'", "'{1970-01-02}'"}},
      {"timetz[]", {"'{01:02:03+02,NULL}'"}},
      {"jsonb[]", {R"('{"{\"a\":1}",NULL,3}')"}},
      {"uuid[]", {"'{30313233-3435-3637-3839-616263646566,NULL}'"}},
      {"bytea[]", {R"('{"\\x41",""}')"}},
      {"mood[]", {R"('{sad,NULL,"a\"b"}')"}},
      {"low_price[]", {"'{1.25,2}'"}},
  };
}

class Agreement : public ValuesTest {
 protected:
  static void Compare(const ChangeBatch& plugin, const ChangeBatch& ours, const string& way) {
    SCOPED_TRACE(way);
    ASSERT_EQ(ours.table->column_count, plugin.table->column_count);
    ASSERT_EQ(ours.rows->num_rows(), plugin.rows->num_rows());
    EXPECT_EQ(ours.table->key_fields, plugin.table->key_fields);
    for (int i = 0; i < plugin.table->column_count; ++i) {
      const auto& theirs = *plugin.rows->schema()->field(i);
      SCOPED_TRACE(theirs.ToString(/*show_metadata=*/true));
      EXPECT_TRUE(theirs.Equals(*ours.rows->schema()->field(i), /*check_metadata=*/true))
          << ours.rows->schema()->field(i)->ToString(true);
      const auto options = arrow::EqualOptions::Defaults().nans_equal(true).signed_zeros_equal(false);
      EXPECT_TRUE(plugin.rows->column(i)->Equals(*ours.rows->column(i), options))
          << "plugin " << plugin.rows->column(i)->ToString() << "\nours " << ours.rows->column(i)->ToString();
    }
    const auto unrepresentable = [](const ChangeBatch& batch) {
      return batch.rows->column(batch.table->column_count +
                                static_cast<int>(MetadataColumn::kUnrepresentable));
    };
    EXPECT_TRUE(unrepresentable(plugin)->Equals(*unrepresentable(ours))) << unrepresentable(ours)->ToString();
  }
};

TEST_F(Agreement, EveryType) {
  const std::vector<Column> columns = Columns();
  string ddl =
      "CREATE EXTENSION citext; CREATE TYPE mood AS ENUM ('sad', 'ok', 'a\"b'); CREATE DOMAIN price AS "
      "numeric(8,3);"
      "CREATE DOMAIN low_price AS price CHECK (value < 10); CREATE TYPE words;"
      "CREATE FUNCTION words_in(cstring) RETURNS words LANGUAGE internal STRICT IMMUTABLE AS 'textin';"
      "CREATE FUNCTION words_out(words) RETURNS cstring LANGUAGE internal STRICT IMMUTABLE AS 'textout';"
      "CREATE TYPE words (input = words_in, output = words_out, internallength = variable);"
      "CREATE TABLE t (id int PRIMARY KEY";
  size_t rows = 0;
  for (size_t i = 0; i < columns.size(); ++i) {
    ddl += ", c" + std::to_string(i) + " " + columns[i].type;
    rows = std::max(rows, columns[i].literals.size());
  }
  ASSERT_NO_FATAL_FAILURE(Prepare(ddl + "); CREATE PUBLICATION p FOR TABLE t"));
  string sql = "BEGIN;";
  for (size_t row = 0; row <= rows; ++row) {
    sql += "INSERT INTO t VALUES (" + std::to_string(row);
    for (const Column& column : columns) {
      sql += ", " + (row < column.literals.size() ? column.literals[row] + "::" + column.type : "NULL");
    }
    sql += ");";
  }
  ASSERT_NO_FATAL_FAILURE(Sql(sql + "COMMIT"));

  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto events, Peek());
  ASSERT_EQ(events.size(), 1u);
  const auto& plugin = std::get<ChangeBatch>(events[0]);
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const ChangeBatch text, Select(ValueForm::kText));
  Compare(plugin, text, "text");
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const ChangeBatch copied, Copy(1000));
  Compare(plugin, copied, "copy");
}

}  // namespace
}  // namespace arrowcdc::test
