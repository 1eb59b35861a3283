// Types whose values have no parts: smallest, largest and special values of each.
#include "tests/values/type_matrix.h"

namespace arrowcdc::test {

using arrow::field;
using arrow::TimeUnit;
using std::string;

namespace {

const string kNines38(38, '9');
const string kNines76(76, '9');

Value Number(const string& literal) { return {"'" + literal + "'", literal}; }
// A decimal as JSON has it.
Value Decimal(const string& literal, const string& digits) {
  return {"'" + literal + "'", '"' + digits + '"'};
}
Value NoForm(const string& literal) { return {"'" + literal + "'", kNoForm}; }

std::vector<Family> Integers() {
  return {
      {"bool", arrow::boolean(), {{"'t'", "true"}, {"'f'", "false"}}},
      {"int2", arrow::int16(), {Number("-32768"), Number("32767"), Number("0")}},
      {"int4", arrow::int32(), {Number("-2147483648"), Number("2147483647"), Number("-1")}},
      {"int8",
       arrow::int64(),
       {Number("-9223372036854775808"), Number("9223372036854775807"), Number("4294967296")}},
      {"oid", arrow::uint32(), {Number("0"), Number("4294967295"), Number("2147483648")}},
      {"xid", arrow::uint32(), {Number("0"), Number("4294967295")}},
      {"cid", arrow::uint32(), {Number("0"), Number("4294967295")}},
      {"xid8", arrow::uint64(), {Number("0"), Number("18446744073709551615")}},
      {"pg_lsn",
       arrow::uint64(),
       {{"'0/0'", "0"}, {"'FFFFFFFF/FFFFFFFF'", "18446744073709551615"}, {"'1/0'", "4294967296"}}},
      {"\"char\"", arrow::uint8(), {{"'\\000'", "0"}, {"'\\377'", "255"}, {"'x'", "120"}, {"''", "0"}}},
      {.sql = "regclass",
       .type = arrow::uint32(),
       .values = {{"0", "0"}, {"4000000000", "4000000000"}, {"'pg_catalog.pg_class'", "1259", kNoForm}},
       .always_has_form = false},
      {.sql = "regtype",
       .type = arrow::uint32(),
       .values = {{"0", "0"}, {"4294967295", "4294967295"}, {"'int4'", "23", kNoForm}},
       .always_has_form = false},
      {.sql = "regnamespace",
       .type = arrow::uint32(),
       .values = {{"0", "0"}, {"4294967295", "4294967295"}, {"'pg_catalog'", "11", kNoForm}},
       .always_has_form = false},
  };
}

std::vector<Family> Numbers() {
  return {
      {"float4",
       arrow::float32(),
       {Number("-3.4028235e38"),
        Number("3.4028235e38"),
        Number("1e-45"),
        {"'NaN'", "NaN"},
        {"'Infinity'", "Inf"},
        {"'-Infinity'", "-Inf"},
        {"'-0'", "-0.0"},
        Number("0.1")}},
      {"float8",
       arrow::float64(),
       {Number("-1.7976931348623157e308"),
        Number("1.7976931348623157e308"),
        Number("4.9406564584124654e-324"),
        {"'NaN'", "NaN"},
        {"'Infinity'", "Inf"},
        {"'-Infinity'", "-Inf"},
        {"'-0'", "-0.0"},
        Number("0.1")}},
      {.sql = "numeric(10,2)",
       .type = arrow::decimal128(10, 2),
       .values = {Decimal("-99999999.99", "-99999999.99"), Decimal("99999999.99", "99999999.99"),
                  Decimal("0", "0.00"), Decimal("0.01", "0.01"), NoForm("NaN")},
       .always_has_form = false},
      {.sql = "numeric(3,5)",
       .type = arrow::decimal128(3, 5),
       .values = {Decimal("-0.00999", "-0.00999"), Decimal("0.00999", "0.00999"), NoForm("NaN")},
       .always_has_form = false},
      {.sql = "numeric(5,-2)",
       .type = arrow::decimal128(5, -2),
       .values = {Decimal("-9999900", "-99999"), Decimal("9999900", "99999"), Decimal("-149", "-1"),
                  Decimal("0", "0"), NoForm("NaN")},
       .always_has_form = false,
       .json_type = arrow::decimal128(5, 0),  // hundreds: Arrow's JSON reader has no negative scales
       .in_arrays = false},
      {.sql = "numeric(38,38)",
       .type = arrow::decimal128(38, 38),
       .values = {Decimal("-0." + kNines38, "-0." + kNines38), Decimal("0." + kNines38, "0." + kNines38)},
       .always_has_form = false},
      {.sql = "numeric(39,1)",
       .type = arrow::decimal256(39, 1),
       .values = {Decimal("-" + kNines38 + ".9", "-" + kNines38 + ".9"),
                  Decimal(kNines38 + ".5", kNines38 + ".5"), NoForm("NaN")},
       .always_has_form = false},
      {.sql = "numeric(76,0)",
       .type = arrow::decimal256(76, 0),
       .values = {Decimal("-" + kNines76, "-" + kNines76), Decimal(kNines76, kNines76), NoForm("NaN")},
       .always_has_form = false},
      {"numeric(100,3)",
       arrow::utf8(),
       {Decimal("-1.5", "-1.500"), Decimal("1e90", "1" + string(90, '0') + ".000"), Decimal("NaN", "NaN")}},
      {"numeric",
       arrow::utf8(),
       {Decimal("-1e300", "-1" + string(300, '0')), Decimal("1e-300", "0." + string(299, '0') + "1"),
        Decimal("Infinity", "Infinity"), Decimal("-Infinity", "-Infinity"), Decimal("NaN", "NaN"),
        Decimal("0.000", "0.000"), Decimal("-0.00001234500", "-0.00001234500"), Decimal("10000", "10000")}},
      {"money",
       arrow::decimal128(19, 2),
       {Decimal("-92233720368547758.08", "-92233720368547758.08"),
        Decimal("92233720368547758.07", "92233720368547758.07"), Decimal("1", "1.00")}},
  };
}

// 1970-01-01 is day 2440588 of the Julian calendar's count; PostgreSQL's first date is day 0.
std::vector<Family> Times() {
  const auto time_tz =
      arrow::struct_({field("time", arrow::time64(TimeUnit::MICRO)), field("offset_s", arrow::int32())});
  return {
      {.sql = "date",
       .type = arrow::date32(),
       .values = {{"'4714-11-24 BC'", "-2440588"},
                  {"'5874897-12-31'", "2145042905"},
                  {"'1970-01-01'", "0"},
                  {"'0001-12-31 BC'", "-719163"},
                  NoForm("infinity"),
                  NoForm("-infinity")},
       .always_has_form = false},
      {.sql = "timestamp",
       .type = arrow::timestamp(TimeUnit::MICRO),
       .values = {{"'4714-11-24 00:00:00 BC'", "-210866803200000000"},
                  {"'294247-01-10 04:00:54.775807'", "9223372036854775807"},
                  {"'1969-12-31 23:59:59.999999'", "-1"},
                  NoForm("294247-01-10 04:00:54.775808"),
                  NoForm("294276-12-31 23:59:59.999999"),
                  NoForm("infinity"),
                  NoForm("-infinity")},
       .always_has_form = false},
      {.sql = "timestamptz",
       .type = arrow::timestamp(TimeUnit::MICRO, "UTC"),
       .values = {{"'4714-11-24 00:00:00+00 BC'", "-210866803200000000"},
                  {"'294247-01-10 04:00:54.775807+00'", "9223372036854775807"},
                  {"'1970-01-01 02:00:00+02'", "0"},
                  NoForm("294247-01-10 04:00:54.775808+00"),
                  NoForm("infinity"),
                  NoForm("-infinity")},
       .always_has_form = false},
      {.sql = "time",
       .type = arrow::time64(TimeUnit::MICRO),
       .values =
           {{"'00:00'", "0"}, {"'23:59:59.999999'", "86399999999"}, NoForm("24:00:00"), NoForm("23:59:60")},
       .always_has_form = false},
      {.sql = "timetz",
       .type = time_tz,
       .values = {{"'00:00:00-15:59:59'", "[0, -57599]"},
                  {"'23:59:59.999999+15:59:59'", "[86399999999, 57599]"},
                  {"'12:00:00.5+00'", "[43200500000, 0]"},
                  NoForm("24:00:00+00")},
       .always_has_form = false},
      {.sql = "interval",
       .type = arrow::month_day_nano_interval(),
       .values = {{"'-178000000 years'", "[-2136000000, 0, 0]"},
                  {"'178000000 years'", "[2136000000, 0, 0]"},
                  {"'-1 mon +3 days -00:00:01.5'", "[-1, 3, -1500000000]"},
                  {"'0'", "[0, 0, 0]"},
                  {"'2562047:47:16.854775'", "[0, 0, 9223372036854775000]"},
                  {"'2147483647 days -2147483648 mons'", "[-2147483648, 2147483647, 0]"},
                  NoForm("2562047:47:16.854776"),
                  NoForm("-2562047:47:16.854776")},
       .always_has_form = false},
  };
}

}  // namespace

std::vector<Family> ScalarFamilies() {
  std::vector<Family> families = Integers();
  for (auto* const more : {&Numbers, &Times}) {
    for (Family& family : (*more)()) families.push_back(std::move(family));
  }
  return families;
}

}  // namespace arrowcdc::test
