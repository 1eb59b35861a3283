// Fuzz target: bytes of a NUMERIC, as a tuple has them -> text and integers. The text stays within its bound
// and is a number; integers of all widths agree with each other and with the text.
//
// Input: precision (from 1), scale (from -128), then the value.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include <arrow/util/decimal.h>

#include "pgtype/numeric.h"
#include "pgtype/type_table.h"

namespace {

using arrow::Decimal128;
using arrow::Decimal256;
using namespace arrowcdc::pgtype;  // NOLINT

void Require(bool condition) {
  if (!condition) abort();
}

// The digits of a server's value are below 10000; of others only this is asked: that nothing is read or
// written outside.
bool HasSoundDigits(const NumericValue& value) {
  for (int32_t i = 0; i < value.digit_count; ++i) {
    uint16_t digit;
    memcpy(&digit, value.digits + 2 * static_cast<size_t>(i), sizeof(digit));
    if (digit >= 10000) return false;
  }
  return true;
}

// What is behind the display scale is in no text; a server's value has nothing there.
bool IsShownWhole(const NumericValue& value) {
  for (int32_t i = 0; i < value.digit_count; ++i) {
    uint16_t digit;
    memcpy(&digit, value.digits + 2 * static_cast<size_t>(i), sizeof(digit));
    const int32_t shown = value.display_scale + 4 * (value.weight - i) + 4;  // decimals of the digit
    const int32_t hidden = shown >= 4 ? 1 : shown == 3 ? 10 : shown == 2 ? 100 : shown == 1 ? 1000 : 10000;
    if (digit % hidden != 0) return false;
  }
  return true;
}

std::string TextOf(const NumericValue& value) {
  std::vector<char> text(NumericTextBytesMax(value));
  const size_t bytes = NumericToText(value, text.data());
  Require(bytes <= text.size());
  return {text.data(), bytes};
}

// The text without point, zeros and sign: the significant digits.
std::string Significant(const std::string& text) {
  std::string digits;
  for (const char c : text) {
    if (c != '.' && c != '-') digits += c;
  }
  digits.erase(0, digits.find_first_not_of('0'));
  if (!digits.empty()) digits.erase(digits.find_last_not_of('0') + 1);
  return digits;
}

void CheckIntegers(const uint8_t* data, size_t bytes, const NumericValue& value, int32_t precision,
                   int32_t scale, const std::string& text) {
  uint8_t wide[32];
  uint8_t narrow[16];
  const bool fits = NumericToDecimal256(value, precision, scale, wide);
  std::string integer = fits ? Decimal256(wide).ToIntegerString() : "";
  if (precision <= kDecimal128Digits) {
    Require(NumericToDecimal128(value, precision, scale, narrow) == fits);
    if (fits) Require(Decimal128(narrow).ToIntegerString() == integer);
    int64_t quick;
    if (ShortNumericToInteger(data, bytes, precision, scale, &quick))
      Require(std::to_string(quick) == integer);
  }
  if (!fits) return;
  Require(integer.size() <= static_cast<size_t>(precision) + (integer[0] == '-' ? 1 : 0));
  if (!IsShownWhole(value)) return;
  Require(Significant(integer) == Significant(text));
  Require(integer == "0" || (integer[0] == '-') == (text[0] == '-'));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t bytes) {
  if (bytes < 2) return 0;
  const int32_t precision = 1 + data[0] % kDecimal256Digits;
  const int32_t scale = data[1] - 128;
  data += 2;
  bytes -= 2;
  NumericValue value;
  int64_t quick;
  if (!ReadNumeric(data, bytes, &value)) {
    Require(!ShortNumericToInteger(data, bytes, precision, scale, &quick));
    return 0;
  }
  const std::string text = TextOf(value);
  if (value.kind != NumericKind::kFinite) {
    uint8_t wide[32];
    Require(!NumericToDecimal256(value, precision, scale, wide));
    Require(!ShortNumericToInteger(data, bytes, precision, scale, &quick));
  } else if (HasSoundDigits(value)) {
    CheckIntegers(data, bytes, value, precision, scale, text);
  }
  return 0;
}
