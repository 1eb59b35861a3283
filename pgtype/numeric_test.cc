// NUMERIC values, written byte by byte from the layout that the server's numeric.c describes, against numbers
// worked out by hand and against Arrow's decimals.
#include "pgtype/numeric.h"

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <arrow/util/decimal.h>
#include <gtest/gtest.h>

#include "tests/testing/seed.h"

namespace arrowcdc::pgtype {
namespace {

using arrow::Decimal128;
using arrow::Decimal256;
using std::string;

// On the heap at its exact size, so that a read beyond it is seen.
using Bytes = std::vector<uint8_t>;

// Words of 16 bits, as a little-endian machine has them.
Bytes Words(const std::vector<uint16_t>& words) {
  Bytes bytes;
  for (const uint16_t word : words) {
    bytes.push_back(static_cast<uint8_t>(word & 0xff));
    bytes.push_back(static_cast<uint8_t>(word >> 8));
  }
  bytes.shrink_to_fit();
  return bytes;
}

// A decimal text as the server keeps it: digits of four decimals aligned to the point, zeros at both ends
// left out; the short header where the scale fits in 6 bits and the weight in 7, unless the long one is asked
// for.
Bytes OnDisk(string text, bool long_header = false) {
  const bool negative = text[0] == '-';
  if (negative) text.erase(0, 1);
  const size_t point = std::min(text.find('.'), text.size());
  string integer = text.substr(0, point);
  string fraction = point < text.size() ? text.substr(point + 1) : "";
  const auto scale = static_cast<uint16_t>(fraction.size());
  integer.insert(0, (4 - integer.size() % 4) % 4, '0');
  fraction.append((4 - fraction.size() % 4) % 4, '0');
  int weight = static_cast<int>(integer.size() / 4) - 1;
  std::vector<uint16_t> digits;
  const string all = integer + fraction;
  for (size_t i = 0; i < all.size(); i += 4)
    digits.push_back(static_cast<uint16_t>(std::stoi(all.substr(i, 4))));
  while (!digits.empty() && digits.back() == 0) digits.pop_back();
  while (!digits.empty() && digits.front() == 0) {
    digits.erase(digits.begin());
    --weight;
  }
  if (digits.empty()) weight = 0;
  std::vector<uint16_t> words;
  if (!long_header && scale <= 63 && weight >= -64 && weight <= 63) {
    words.push_back(static_cast<uint16_t>(0x8000 | (negative ? 0x2000 : 0) | scale << 7 | (weight & 0x7f)));
  } else {
    words.push_back(static_cast<uint16_t>((negative ? 0x4000 : 0) | scale));
    words.push_back(static_cast<uint16_t>(weight));
  }
  words.insert(words.end(), digits.begin(), digits.end());
  return Words(words);
}

std::optional<string> Text(const Bytes& bytes) {
  NumericValue value;
  if (!ReadNumeric(bytes.data(), bytes.size(), &value)) return std::nullopt;
  std::vector<char> text(NumericTextBytesMax(value));
  return string(text.data(), NumericToText(value, text.data()));
}

// The integer as text, by the narrowest way that the precision allows. All ways must agree.
std::optional<string> Scaled(const Bytes& bytes, int32_t precision, int32_t scale) {
  NumericValue value;
  if (!ReadNumeric(bytes.data(), bytes.size(), &value)) return std::nullopt;
  uint8_t integer[32];
  std::optional<string> wide;
  if (NumericToDecimal256(value, precision, scale, integer)) wide = Decimal256(integer).ToIntegerString();
  if (precision <= 38) {
    const bool fits = NumericToDecimal128(value, precision, scale, integer);
    EXPECT_EQ(fits, wide.has_value());
    if (fits) {
      EXPECT_EQ(Decimal128(integer).ToIntegerString(), wide);
    }
    int64_t quick;
    if (ShortNumericToInteger(bytes.data(), bytes.size(), precision, scale, &quick)) {
      EXPECT_EQ(std::to_string(quick), wide);
    }
  }
  return wide;
}

bool IsQuick(const string& text, int32_t precision, int32_t scale) {
  const Bytes bytes = OnDisk(text);
  int64_t integer;
  return ShortNumericToInteger(bytes.data(), bytes.size(), precision, scale, &integer);
}

TEST(Numeric, LayoutByHand) {
  const std::vector<std::pair<Bytes, string>> cases = {
      {Words({0x8000}), "0"},
      {Words({0x8180}), "0.000"},  // scale 3
      {Words({0x8000, 1}), "1"},
      {Words({0xA000, 1}), "-1"},
      {Words({0x8100, 12, 3400}), "12.34"},            // scale 2
      {Words({0x8001, 1}), "10000"},                   // weight 1
      {Words({0x8201, 12, 34, 5600}), "120034.5600"},  // scale 4, weight 1
      {Words({0x827F, 1}), "0.0001"},                  // weight -1
      {Words({0xA6FD, 1, 2345}),
       "-0.0000000000012"},          // scale 13, weight -3: what is behind the scale stays out
      {Words({0x0000, 0, 7}), "7"},  // the long header
      {Words({0x4002, 0, 7, 500}), "-7.05"},
      {Words({0x0000, 75, 1}), "1" + string(300, '0')},
      {Words({0x4190, 0xFF9C, 1}), "-0." + string(399, '0') + "1"},  // scale 400, weight -100
      {Words({0xC000}), "NaN"},
      {Words({0xD000}), "Infinity"},
      {Words({0xF000}), "-Infinity"},
  };
  for (const auto& [bytes, text] : cases) EXPECT_EQ(Text(bytes), text);
}

TEST(Numeric, TooShort) {
  EXPECT_EQ(Text({}), std::nullopt);
  EXPECT_EQ(Text({0x00}), std::nullopt);
  EXPECT_EQ(Text(Words({0x0000})), std::nullopt);  // a long header needs a weight
  EXPECT_EQ(Text({0x00, 0x40, 0x00}), std::nullopt);
  int64_t integer;
  EXPECT_FALSE(ShortNumericToInteger(Bytes(1).data(), 1, 10, 2, &integer));
}

TEST(Numeric, Scaled) {
  const string nines38(38, '9');
  const string nines76(76, '9');
  struct Case {
    string text;
    int32_t precision;
    int32_t scale;
    std::optional<string> integer;
  };
  const std::vector<Case> cases = {
      {"0", 1, 0, "0"},
      {"0.00", 38, 38, "0"},
      {"12.34", 10, 2, "1234"},
      {"-12.34", 10, 2, "-1234"},
      {"12.34", 10, 4, "123400"},
      {"12.34", 10, 7, "123400000"},
      {"12.3400", 10, 2, "1234"},
      {"12.34", 10, 1, std::nullopt},  // a digit behind the scale
      {"12.3456", 10, 2, std::nullopt},
      {"0.00005", 10, 4, std::nullopt},
      {"99999999.99", 10, 2, "9999999999"},
      {"100000000", 10, 2, std::nullopt},  // eleven digits
      {"10000", 5, 0, "10000"},
      {"10000", 4, 0, std::nullopt},
      {"12300", 3, -2, "123"},
      {"12340", 3, -2, std::nullopt},
      {"99900", 3, -2, "999"},
      {"100000", 3, -2, std::nullopt},
      {"120000000", 2, -7, "12"},
      {"0.00999", 3, 5, "999"},
      {"0.01", 3, 5, std::nullopt},  // 1000
      {"999999999999999999", 18, 0, "999999999999999999"},
      {"1000000000000000000", 19, 0, "1000000000000000000"},
      {nines38, 38, 0, nines38},
      {"-" + nines38, 38, 0, "-" + nines38},
      {"0." + nines38, 38, 38, nines38},
      {"1" + string(38, '0'), 38, 0, std::nullopt},
      {nines38 + ".5", 39, 1, nines38 + "5"},
      {nines76, 76, 0, nines76},
      {"-" + nines76, 76, 0, "-" + nines76},
      {"1" + string(76, '0'), 76, 0, std::nullopt},
      {"1", 76, 75, "1" + string(75, '0')},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.text + " as decimal(" + std::to_string(one.precision) + "," + std::to_string(one.scale));
    EXPECT_EQ(Scaled(OnDisk(one.text), one.precision, one.scale), one.integer);
    EXPECT_EQ(Scaled(OnDisk(one.text, true), one.precision, one.scale), one.integer);
  }
}

TEST(Numeric, NoInteger) {
  for (const uint16_t header : {0xC000, 0xD000, 0xF000}) {
    EXPECT_EQ(Scaled(Words({header}), 38, 0), std::nullopt);
  }
  EXPECT_EQ(Scaled(Words({0x0000, 0, 10000}), 38, 0), std::nullopt);  // damaged: no digit of four decimals
}

// The short way is worth having only where it is taken.
TEST(Numeric, ShortWay) {
  EXPECT_TRUE(IsQuick("0.00", 12, 2));
  EXPECT_TRUE(IsQuick("12.34", 12, 2));
  EXPECT_TRUE(IsQuick("-9999999999.99", 12, 2));
  EXPECT_TRUE(IsQuick("9999999999999999", 38, 2));
  EXPECT_TRUE(IsQuick("12300", 3, -2));
  EXPECT_FALSE(IsQuick("9999999999999999", 38, 3));   // 10^19 - 1000
  EXPECT_FALSE(IsQuick("12345678901234567", 20, 0));  // five digits of four
  EXPECT_FALSE(IsQuick("12.345", 12, 2));
  EXPECT_FALSE(IsQuick("12.3456789", 38, 2));
  EXPECT_FALSE(IsQuick("10000000000", 12, 2));
  EXPECT_FALSE(IsQuick("1" + string(300, '0'), 38, 0));  // a long header
}

// Texts of every length against Arrow's own reading of them.
TEST(Numeric, AgreesWithArrow) {
  std::mt19937_64 random(test::Seed());
  const auto below = [&](int count) { return static_cast<int>(random() % static_cast<uint64_t>(count)); };
  for (int round = 0; round < 20000; ++round) {
    const int precision = 1 + below(76);
    const int scale = below(precision + 1);
    string digits;
    const int count = std::max(scale + 1, 1 + below(precision));
    for (int i = 0; i < count; ++i) digits += static_cast<char>('0' + (below(3) == 0 ? 0 : below(10)));
    string text = digits.substr(0, digits.size() - static_cast<size_t>(scale));
    text.erase(0, std::min(text.find_first_not_of('0'), text.size() - 1));
    const bool zero = digits.find_first_not_of('0') == string::npos;
    if (scale > 0) text += "." + digits.substr(digits.size() - static_cast<size_t>(scale));
    if (!zero && below(2) == 0) text.insert(0, "-");
    SCOPED_TRACE(text);

    const Bytes bytes = OnDisk(text, below(4) == 0);
    EXPECT_EQ(Text(bytes), text);
    Decimal256 wanted;
    int32_t own_precision, own_scale;
    ASSERT_TRUE(Decimal256::FromString(text, &wanted, &own_precision, &own_scale).ok());
    if (own_scale != scale) wanted = wanted.Rescale(own_scale, scale).ValueOrDie();
    const bool fits = wanted.FitsInPrecision(precision);
    EXPECT_EQ(Scaled(bytes, precision, scale), fits ? std::optional(wanted.ToIntegerString()) : std::nullopt);
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace arrowcdc::pgtype
