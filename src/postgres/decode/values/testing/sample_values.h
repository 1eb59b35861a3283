// One value or two of every reader, in both forms, to damage.
#pragma once

#include <bit>
#include <string>
#include <vector>

#include "src/postgres/decode/values/testing/bytes.h"
#include "src/postgres/decode/values/testing/test_catalog.h"

namespace arrowcdc::test {

struct SampleValue {
  uint32_t type;
  int32_t typmod;
  std::string binary;
  std::string text;
};

// NOLINTNEXTLINE(readability-function-size): a table
inline std::vector<SampleValue> SampleValues() {
  using namespace std::string_literals;  // NOLINT
  const std::string date = Be32(-10957);
  const std::string pair = RecordBytes({{kInt4, Be32(1)}, {kText, "a\"b"}});
  const std::string range = "\2"s + Sized(Be32(1)) + Sized(Be32(5));
  const std::string floats = Be32(0x3fc00000) + Be32(0x40200000);
  return {
      {kBool, -1, "\1", "t"},
      {kChar, -1, "\xe9", "\\351"},
      {kInt2, -1, Be16(-2), "-2"},
      {kInt8, -1, Be64(123456789012), "123456789012"},
      {kOid, -1, Be32(26), "26"},
      {kRegclass, -1, Be32(1259), "1259"},
      {kPgLsn, -1, Be64(0x100000010), "1/10"},
      {kFloat4, -1, Be32(0x3fc00000), "1.5"},
      {kFloat8, -1, Be64(0x7ff0000000000001), "-1.5e-05"},
      {kNumeric, NumericTypmod(10, 2), NumericBytes(1, 0x4000, 2, {1, 2345, 6700}), "-12345.67"},
      {kNumeric, NumericTypmod(60, 20), NumericBytes(2, 0, 20, {7, 0, 1, 2345, 6789, 1}),
       "700000001.2345678900010"},
      {kNumeric, -1, NumericBytes(-2, 0, 11, {1234, 5000}), "0.00001234500"},
      {kMoney, -1, Be64(-150), "-$1,234.50"},
      {kBytea, -1, "\0\1"s, "\\x0001"},
      {kBytea, -1, "a", "a\\\\\\000"},
      {kDate, -1, date, "0044-03-15 BC"},
      {kTime, -1, Be64(1), "01:02:03.000004"},
      {kTimeTz, -1, Be64(43200500000) + Be32(-57540), "12:00:00.5+15:59"},
      {kTimestamp, -1, Be64(1), "2000-01-01 00:00:00.000001 BC"},
      {kTimestampTz, -1, Be64(1), "2000-01-01 00:00:00+05:30:15"},
      {kInterval, -1, Be64(-1500000) + Be32(3) + Be32(-1), "-1 years -2 mons +3 days -00:00:01.5"},
      {kUuid, -1, "0123456789abcdef", "30313233-3435-3637-3839-616263646566"},
      {kText, -1, "h\xc3\xa9 \xe2\x82\xac", "h\xc3\xa9 \xf0\x9f\x98\x80"},
      {kJsonb, -1, "\1{}", "{}"},
      {kInet, -1, "\3\x40\0\x10\x20\1\r\xb8\0\0\0\0\0\1\0\0\0\0\0\0"s, "2001:db8::/64"},
      {kInet, -1, "\2\x8\1\4\12\0\0\1"s, "10.0.0.1/8"},
      {kMacaddr, -1, "\10\0\x2b\1\2\3"s, "08:00:2b:01:02:03"},
      {kVarbit, -1, Be32(10) + "\x55\x40", "0101010101"},
      {kTid, -1, Be32(1) + Be16(2), "(1,2)"},
      {kTsvector, -1, Be32(2) + "a\0"s + Be16(2) + Be16(1) + Be16(2) + "it's\0"s + Be16(0), "'a':1,2"},
      {kOidVector, -1, ArrayBytes(kOid, {Be32(1), Be32(2)}, 0), "1 2"},
      {kInt4Array, -1, ArrayBytes(kInt4, {Be32(1), std::nullopt, Be32(3)}), "{1,NULL,3}"},
      {kTextArray, -1, ArrayBytes(kText, {"a,b", "q\"\\", std::nullopt}), "{\"a,b\",\"q\\\"\\\\\",NULL,x}"},
      {kNumericArray, NumericTypmod(5, 1), ArrayBytes(kNumeric, {NumericBytes(0, 0, 1, {1, 5000})}), "{1.5}"},
      {kPair, -1, pair, "(1,\"a\"\"b\\\\\")"},
      {kOuter, -1, RecordBytes({{kPairArray, ArrayBytes(kPair, {pair, std::nullopt})}, {kDate, date}}),
       R"x(("{""(1,\\""a\\""\\""b\\"")"",NULL}",1970-01-01))x"},
      {kInt4Range, -1, range, "[1,5)"},
      {kInt4Multirange, -1, Be32(2) + Sized(range) + Sized("\x12"s + Sized(Be32(7))), "{[1,5),[7,)}"},
      {kTsRange, -1, "\6"s + Sized(Be64(0)) + Sized(Be64(1)),
       R"x(["2000-01-01 00:00:00","2000-01-02 00:00:00"])x"},
      {kHstore, -1, Be32(2) + Sized("a") + Sized("1") + Sized("b") + Sized(std::nullopt),
       R"("a\"\\"=>"1", "b"=>NULL)"},
      {kVector, -1, Be16(2) + Be16(0) + floats, "[1.5,2.5]"},
      {kVector, 2, Be16(2) + Be16(0) + floats, "[1.5,-2.5e-05]"},
      {kHalfvec, -1, Be16(2) + Be16(0) + Be16(0x3e00) + Be16(1), "[1.5,5.9604645e-08]"},
      {kGeometry, 4326 << 8,
       "\1\7\0\0\x60\xe6\x10\0\0\2\0\0\0\1\1\0\0\x40"s + std::string(24, '\1') + "\0\x40\0\0\2\0\0\0\1"s +
           std::string(24, '\5'),
       "0101000020E6100000" + std::string(32, '0')},
      {kGeometry, -1, "\1\3\0\0\0\1\0\0\0\2\0\0\0"s + std::string(32, '\3'),
       "01010000A0E6100000" + std::string(48, '0')},
  };
}

}  // namespace arrowcdc::test
