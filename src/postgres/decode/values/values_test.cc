// Values of types of one part in both forms, laid out by hand as PostgreSQL's documentation and the sources
// of the send functions have them, against values worked out by hand.
#include <bit>
#include <cmath>

#include <arrow/util/decimal.h>
#include <gtest/gtest.h>

#include "src/postgres/decode/values/testing/value_cases.h"

namespace arrowcdc::test {
namespace {

using arrow::field;
using std::string;
using namespace std::string_literals;  // NOLINT

TEST_F(Values, Numbers) {
  Check(kBool, arrow::boolean(),
        {{"\1", "t", "true"}, {"\0"s, "f", "false"}, {"", "", kFault}, {"\1\1", "true", kFault}});
  Check(kInt2, arrow::int16(),
        {{Be16(-32768), "-32768", "-32768"},
         {Be16(32767), "32767", "32767"},
         {"\1", "32768", kFault},
         {Be32(1), "1 ", kFault}});
  Check(kInt4, arrow::int32(),
        {{Be32(INT32_MIN), "-2147483648", "-2147483648"}, {Be32(77), "77", "77"}, {"", "", kFault}});
  Check(kInt8, arrow::int64(),
        {{Be64(INT64_MIN), "-9223372036854775808", "-9223372036854775808"},
         {Be64(INT64_MAX), "9223372036854775807", "9223372036854775807"},
         {Be32(1), "9223372036854775808", kFault}});
  Check(kOid, arrow::uint32(),
        {{Be32(-1), "4294967295", "4294967295"}, {Be32(0), "0", "0"}, {"", "pg_class", kFault}});
  Check(kRegclass, arrow::uint32(),
        {{Be32(1259), "1259", "1259"},
         {Be32(0), "-", "0"},
         {kNone, "pg_class", kNoForm},
         {"\1", kNone, kFault}});
  Check(kXid8, arrow::uint64(), {{Be64(-1), "18446744073709551615", "18446744073709551615"}});
  Check(kPgLsn, arrow::uint64(),
        {{Be64(-1), "FFFFFFFF/FFFFFFFF", "18446744073709551615"},
         {Be64(int64_t{1} << 32), "1/0", "4294967296"},
         {"", "1", kFault},
         {"", "1/100000000", kFault},
         {"", "/", kFault}});
  Check(kChar, arrow::uint8(),
        {{"x", "x", "120"},
         {"\0"s, "", "0"},
         {"\xe9", "\\351", "233"},
         {"xy", "xy", kFault},
         {"", "\\999", kFault}});
}

TEST_F(Values, Floats) {
  const auto bits32 = [](float value) { return Be(std::bit_cast<uint32_t>(value)); };
  const auto bits64 = [](double value) { return Be(std::bit_cast<uint64_t>(value)); };
  Check(kFloat4, arrow::float32(),
        {{bits32(1.5F), "1.5", "1.5"},
         {bits32(-0.0F), "-0", "-0.0"},
         {Be32(1), "1e-45", "1e-45"},
         {bits32(INFINITY), "Infinity", "Inf"},
         {bits32(-INFINITY), "-Infinity", "-Inf"},
         {Be32(0x7fc00000), "NaN", "NaN"},
         {bits32(3.4028235e38F), "3.4028235e+38", "3.4028235e38"},
         {"\1", "inf", kFault},
         {Be64(1), "1e39", kFault}});
  Check(kFloat8, arrow::float64(),
        {{Be64(1), "5e-324", "4.9406564584124654e-324"},
         {bits64(1.7976931348623157e308), "1.7976931348623157e+308", "1.7976931348623157e308"},
         {bits64(0.1), "0.1", "0.1"},
         {Be32(1), "0.1x", kFault},
         {"", "nan(1)", kFault}});
  // A NaN keeps its payload, also one that signals.
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const MappedType mapped, MapType(kFloat8, -1, {}, &catalog_));
  const auto array = ReadOne(mapped, ValueForm::kBinary, Be64(0x7ff0000000000123)).array;
  EXPECT_EQ(array->data()->GetValues<uint64_t>(1)[0], 0x7ff0000000000123u);
}

TEST_F(Values, Numeric) {
  const string nines38(38, '9');
  const string nines76(76, '9');
  const auto small = arrow::decimal128(10, 2);
  Check(kNumeric, small,
        {{NumericBytes(1, 0, 2, {1, 2345, 6700}), "12345.67", "\"12345.67\""},
         {NumericBytes(1, 0x4000, 2, {9999, 9999, 9900}), "-99999999.99", "\"-99999999.99\""},
         {NumericBytes(0, 0, 2, {}), "0.00", "\"0.00\""},
         {NumericBytes(-1, 0, 2, {100}), "0.01", "\"0.01\""},
         {NumericBytes(0, 0, 0, {1000}), "1000", "\"1000.00\""},
         {NumericBytes(-1, 0, 3, {10}), "0.001", kNoForm},
         {NumericBytes(2, 0, 2, {1}), "100000000", kNoForm},
         {NumericBytes(0, 0xc000, 0, {}), "NaN", kNoForm},
         {NumericBytes(0, 0xd000, 0, {}), "Infinity", kNoForm},
         {NumericBytes(0, 0xf000, 0, {}), "-Infinity", kNoForm},
         {NumericBytes(0, 0, 2, {10000}), "1e5", kFault},
         {NumericBytes(0, 0x1234, 2, {1}), "", kFault},
         {NumericBytes(0, 0, 0x4000, {1}), "-", kFault},
         {NumericBytes(0, 0, 0, {1}) + "x", "1.2.3", kFault},
         {Be16(2) + Be16(0) + Be16(0) + Be16(0) + Be16(1), ".5", kFault}},
        NumericTypmod(10, 2));
  std::vector<int> groups(10, 9999);
  groups[0] = 99;
  Check(kNumeric, arrow::decimal128(38, 0),
        {{NumericBytes(9, 0x4000, 0, groups), "-" + nines38, "\"-" + nines38 + "\""}}, NumericTypmod(38, 0));
  Check(kNumeric, arrow::decimal256(76, 0),
        {{NumericBytes(18, 0, 0, std::vector<int>(19, 9999)), nines76, "\"" + nines76 + "\""},
         {NumericBytes(19, 0, 0, {1}), "1" + string(76, '0'), kNoForm}},
        NumericTypmod(76, 0));
  Check(kNumeric, arrow::decimal128(3, 5),
        {{NumericBytes(-1, 0x4000, 5, {99, 9000}), "-0.00999", "\"-0.00999\""}}, NumericTypmod(3, 5));
  Check(kNumeric, arrow::utf8(),
        {{NumericBytes(0, 0xd000, 0, {}), "Infinity", "\"Infinity\""},
         {NumericBytes(-2, 0x4000, 11, {1234, 5000}), "-0.00001234500", "\"-0.00001234500\""},
         {NumericBytes(1, 0, 0, {1}), "10000", "\"10000\""},
         {NumericBytes(1, 0, 4, {12, 34, 5600}), "120034.5600", "\"120034.5600\""}});
  Check(kNumeric, arrow::utf8(), {{NumericBytes(0, 0, 3, {1, 5000}), "1.500", "\"1.500\""}},
        NumericTypmod(100, 3));
}

// Arrow's JSON reader has no negative scales.
TEST_F(Values, NumericWithNegativeScale) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const MappedType mapped,
                                MapType(kNumeric, NumericTypmod(5, -2), {}, &catalog_));
  ASSERT_TRUE(mapped.type->Equals(*arrow::decimal128(5, -2)));
  const auto read = [&](ValueForm form, const string& bytes) {
    const auto array = ReadOne(mapped, form, bytes).array;
    return arrow::Decimal128(static_cast<const arrow::Decimal128Array&>(*array).GetValue(0));
  };
  EXPECT_EQ(read(ValueForm::kText, "-9999900"), arrow::Decimal128(-99999));
  EXPECT_EQ(read(ValueForm::kBinary, NumericBytes(1, 0x4000, 0, {999, 9900})), arrow::Decimal128(-99999));
  EXPECT_EQ(ReadOne(mapped, ValueForm::kText, "150").outcome, ReadOutcome::kNoForm);
}

TEST_F(Values, NumericByOption) {
  ValueOptions options;
  options.numeric = {pgtype::NumericAs::kDouble, 0, 0};
  const string ten_to_400 = "1" + string(400, '0');
  Check(kNumeric, arrow::float64(),
        {{NumericBytes(0, 0, 1, {1, 5000}), "1.5", "1.5"},
         {NumericBytes(0, 0xc000, 0, {}), "NaN", "NaN"},
         {NumericBytes(0, 0xf000, 0, {}), "-Infinity", "-Inf"},
         {NumericBytes(100, 0, 0, {1}), ten_to_400, kNoForm},
         {"", "0x10", kFault}},
        -1, options);
  options.numeric = {pgtype::NumericAs::kDecimal, 8, 3};
  Check(kNumeric, arrow::decimal128(8, 3),
        {{NumericBytes(-1, 0x4000, 3, {1250}), "-0.125", "\"-0.125\""},
         {NumericBytes(1, 0, 3, {12, 3456, 7890}), "123456.789", kNoForm}},
        -1, options);
}

TEST_F(Values, Money) {
  Check(kMoney, arrow::decimal128(19, 2),
        {{Be64(-9223372036854775807 - 1), "-$92,233,720,368,547,758.08", "\"-92233720368547758.08\""},
         {Be64(100), "$1.00", "\"1.00\""},
         {Be64(-150), "($1.50)", "\"-1.50\""},
         {Be64(123456), "1.234,56 \xe2\x82\xac", "\"1234.56\""},
         {Be32(1), "$", kFault}});
  catalog_.money_digits_ = 0;
  Check(kMoney, arrow::decimal128(19, 0),
        {{Be64(1234),
          "\xef\xbf\xa5"
          "1,234",
          "\"1234\""}});
}

TEST_F(Values, BytesAndText) {
  Check(kBytea, arrow::binary(),
        {{"", "\\x", "\"\""},
         {"\0A\0"s, "\\x004100", "\"\\u0000A\\u0000\""},
         {kNone, "a\\\\b\\000", "\"a\\\\b\\u0000\""},
         {kNone, "\\x0", kFault},
         {kNone, "\\xzz", kFault},
         {kNone, "a\\9", kFault}});
  for (const uint32_t type : {kText, kBpchar, kName, kJson, kXml}) {
    Check(type, arrow::utf8(),
          {{"h\xc3\xa9 \xe2\x82\xac\xf0\x9f\x98\x80", "h\xc3\xa9 \xe2\x82\xac\xf0\x9f\x98\x80",
            "\"h\xc3\xa9 \xe2\x82\xac\xf0\x9f\x98\x80\""},
           {"", "", "\"\""},
           {"caf\xe9", "caf\xe9", kNoForm},
           {"cut \xe2\x82", "cut \xe2\x82", kNoForm}});
  }
  Check(kJsonb, arrow::utf8(),
        {{"\1{\"a\": 1}", "{\"a\": 1}", "\"{\\\"a\\\": 1}\""}, {"\2{}", kNone, kFault}, {"", kNone, kFault}});
  Check(kUuid, arrow::fixed_size_binary(16),
        {{"0123456789abcdef", "30313233-3435-3637-3839-616263646566", "\"0123456789abcdef\""},
         {"0123456789abcde", "30313233-3435-3637-3839-61626364656", kFault},
         {kNone, "30313233-3435-3637-3839-61626364656g", kFault},
         {kNone, "30313233x3435-3637-3839-616263646566", kFault}});
}

// 1970-01-01 is day 2440588 of the Julian calendar's count; PostgreSQL's first date is its day 0, and
// 2000-01-01 is day 10957 of Arrow's.
TEST_F(Values, DatesAndTimes) {
  Check(kDate, arrow::date32(),
        {{Be32(-10957), "1970-01-01", "0"},
         {Be32(0), "2000-01-01", "10957"},
         {Be32(-10957 - 2440588), "4714-11-24 BC", "-2440588"},
         {Be32(2145031948), "5874897-12-31", "2145042905"},
         {Be32(59), "2000-02-29", "11016"},
         {Be32(INT32_MAX), "infinity", kNoForm},
         {Be32(INT32_MIN), "-infinity", kNoForm},
         {"", "2001-02-29", kFault},
         {"", "1900-02-29", kFault},
         {Be64(0), "2000-13-01", kFault},
         {"", "2000-00-01", kFault},
         {"", "2000-1-1", kFault},
         {"", "2000-01-01 AD", kFault}});
  const auto timestamp = arrow::timestamp(arrow::TimeUnit::MICRO);
  constexpr int64_t kEpoch = 946684800000000;
  Check(kTimestamp, timestamp,
        {{Be64(1 - kEpoch), "1970-01-01 00:00:00.000001", "1"},
         {Be64(-1 - kEpoch), "1969-12-31 23:59:59.999999", "-1"},
         {Be64(-210866803200000000 - kEpoch), "4714-11-24 00:00:00 BC", "-210866803200000000"},
         {Be64(INT64_MAX - kEpoch), "294247-01-10 04:00:54.775807", "9223372036854775807"},
         {Be64(INT64_MAX - kEpoch + 1), "294247-01-10 04:00:54.775808", kNoForm},
         {Be64(9223371331199999999), "294276-12-31 23:59:59.999999", kNoForm},
         {Be64(INT64_MAX), "infinity", kNoForm},
         {Be64(INT64_MIN), "-infinity", kNoForm},
         {"", "2000-01-01", kFault},
         {"", "2000-01-01 00:00", kFault},
         {"", "2000-01-01 00:00:00.", kFault},
         {"", "2000-01-01 00:00:00.1234567", kFault},
         {"", "2000-01-01 00:00:00+", kFault}});
  Check(kTimestampTz, arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"),
        {{Be64(-kEpoch), "1970-01-01 02:00:00+02", "0"},
         {Be64(0), "1999-12-31 18:15:00-05:45", "946684800000000"},
         {Be64(500000), "2000-01-01 00:00:00.5+00", "946684800500000"},
         // Local mean time of Amsterdam was 19 minutes and 32 seconds ahead.
         {kNone, "1900-01-01 00:00:00+00:19:32", "-2208989972000000"},
         {Be64(-63113904000000000), "0001-01-01 00:00:00+00 BC", "-62167219200000000"}});
  Check(kTime, arrow::time64(arrow::TimeUnit::MICRO),
        {{Be64(0), "00:00:00", "0"},
         {Be64(86399999999), "23:59:59.999999", "86399999999"},
         {Be64(86400000000), "24:00:00", kNoForm},
         {Be32(0), "24:00:01", kFault},
         {"", "00:60:00", kFault}});
  const auto timetz = arrow::struct_(
      {field("time", arrow::time64(arrow::TimeUnit::MICRO)), field("offset_s", arrow::int32())});
  Check(kTimeTz, timetz,
        {{Be64(43200500000) + Be32(-57540), "12:00:00.5+15:59", "[43200500000, 57540]"},
         {Be64(0) + Be32(28800), "00:00:00-08", "[0, -28800]"},
         {Be64(86400000000) + Be32(0), "24:00:00+00", kNoForm},
         {Be64(0), "00:00:00", kFault},
         {Be64(0) + Be32(INT32_MIN), "00:00:00+1", kFault}});
}

TEST_F(Values, Intervals) {
  const auto bytes = [](int64_t us, int64_t days, int64_t months) {
    return Be64(us) + Be32(days) + Be32(months);
  };
  Check(kInterval, arrow::month_day_nano_interval(),
        {{bytes(-1500000, 3, -1), "-1 mons +3 days -00:00:01.5", "[-1, 3, -1500000000]"},
         {bytes(0, 0, 2136000000), "178000000 years", "[2136000000, 0, 0]"},
         {bytes(0, 0, -13), "-1 years -1 mons", "[-13, 0, 0]"},
         {bytes(0, 0, 0), "00:00:00", "[0, 0, 0]"},
         {bytes(14706000001, 1, 14), "1 year 2 mons 1 day 04:05:06.000001", "[14, 1, 14706000001000]"},
         {bytes(9223372036854775, 0, 0), "2562047:47:16.854775", "[0, 0, 9223372036854775000]"},
         {bytes(9223372036854776, 0, 0), "2562047:47:16.854776", kNoForm},
         {bytes(INT64_MIN, 0, 0), "-2562047788:00:54.775808", kNoForm},
         {bytes(INT64_MAX, INT32_MAX, INT32_MAX), "infinity", kNoForm},
         {bytes(INT64_MIN, INT32_MIN, INT32_MIN), "-infinity", kNoForm},
         {Be64(0), "", kFault},
         {"", "1 fortnight", kFault},
         {"", "1 year ", kFault},
         {"", "9999999999 days", kFault},
         {"", "00:00:00 1 day", kFault}});
}

TEST_F(Values, TypesOfOutputText) {
  const auto inet = [](int family, int bits, int cidr, const string& address) {
    return string{static_cast<char>(family), static_cast<char>(bits), static_cast<char>(cidr),
                  static_cast<char>(address.size())} +
           address;
  };
  const auto same = [](const string& binary, const string& text) {
    return Case{binary, text, "\"" + text + "\""};
  };
  Check(kInet, arrow::utf8(),
        {same(inet(2, 8, 0, "\12\0\0\1"s), "10.0.0.1/8"),
         same(inet(2, 32, 0, "\xff\xff\xff\xff"), "255.255.255.255"),
         same(inet(3, 0, 0, string(16, '\0')), "::/0"),
         same(inet(3, 128, 0, string(15, '\0') + "\1"), "::1"),
         same(inet(3, 128, 0, string(12, '\0') + "\1\2\3\4"), "::1.2.3.4"),
         same(inet(3, 128, 0, string(10, '\0') + "\xff\xff\1\2\3\4"), "::ffff:1.2.3.4"),
         same(inet(3, 64, 0, "\x20\1\r\xb8\0\0\0\0\0\1\0\0\0\0\0\0"s), "2001:db8:0:0:1::/64"),
         {inet(2, 33, 0, "\12\0\0\1"s), kNone, kFault},
         {inet(2, 8, 0, string(16, 'x')), kNone, kFault},
         {inet(9, 8, 0, "\12\0\0\1"s), kNone, kFault},
         {"", kNone, kFault}});
  Check(kCidr, arrow::utf8(),
        {same(inet(2, 32, 1, "\12\0\0\1"s), "10.0.0.1/32"), same(inet(2, 8, 1, "\12\0\0\0"s), "10.0.0.0/8")});
  Check(kMacaddr, arrow::utf8(), {same("\x08\0\x2b\1\2\3"s, "08:00:2b:01:02:03"), {"\1", kNone, kFault}});
  Check(kMacaddr8, arrow::utf8(), {same("\x08\0\x2b\xff\xfe\1\2\3"s, "08:00:2b:ff:fe:01:02:03")});
  Check(kBit, arrow::utf8(),
        {same(Be32(3) + "\xa0", "101"), {Be32(9) + "\xa0", kNone, kFault}, {Be32(-1), kNone, kFault}});
  Check(kVarbit, arrow::utf8(), {same(Be32(0), ""), same(Be32(10) + "\0\x40"s, "0000000001")});
  Check(kTid, arrow::utf8(), {same(Be32(-1) + Be16(7), "(4294967295,7)"), {"", kNone, kFault}});
  Check(kTsvector, arrow::utf8(),
        {same(Be32(0), ""),
         same(Be32(2) + "a\0"s + Be16(2) + Be(uint16_t{0xc001}) + Be(uint16_t{16383}) + "it's\0"s + Be16(0),
              "'a':1A,16383 'it''s'"),
         {Be32(1) + "a", kNone, kFault},
         {Be32(1) + "a\0"s + Be16(2) + Be16(1), kNone, kFault},
         {Be32(-1), kNone, kFault}});
  Check(kJsonpath, arrow::utf8(), {{"\1$.\"a\"", "$.\"a\"", "\"$.\\\"a\\\"\""}, {"\2$", kNone, kFault}});
  Check(kInt2Vector, arrow::utf8(),
        {same(ArrayBytes(kInt2, {Be16(1), Be16(-2)}, 0), "1 -2"),
         same(ArrayBytes(kInt2, {}), ""),
         {ArrayBytes(kInt4, {Be32(1)}, 0), kNone, kFault}});
  Check(kOidVector, arrow::utf8(), {same(ArrayBytes(kOid, {Be32(-1), Be32(0)}, 0), "4294967295 0")});
}

}  // namespace
}  // namespace arrowcdc::test
