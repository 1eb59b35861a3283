// NUMERIC to integers and to text.
#include "pgtype/numeric.h"

#include <cstring>

namespace arrowcdc::pgtype {

namespace {

constexpr uint16_t kSignMask = 0xC000;
constexpr uint16_t kSignNegative = 0x4000;
constexpr uint16_t kSignShort = 0x8000;
constexpr uint16_t kSignSpecial = 0xC000;
constexpr uint16_t kSpecialMask = 0xF000;
constexpr uint16_t kSpecialInfinity = 0xD000;
constexpr uint16_t kSpecialMinusInfinity = 0xF000;

constexpr uint32_t kPowersOfTen[5] = {1, 10, 100, 1000, 10000};

// For ShortNumericToInteger.
constexpr size_t kShortDigitsMax = 4;
constexpr int32_t kPowersMax = 18;
constexpr uint64_t kPowers[kPowersMax + 1] = {1,
                                              10,
                                              100,
                                              1000,
                                              10000,
                                              100000,
                                              1000000,
                                              10000000,
                                              100000000,
                                              1000000000,
                                              10000000000,
                                              100000000000,
                                              1000000000000,
                                              10000000000000,
                                              100000000000000,
                                              1000000000000000,
                                              10000000000000000,
                                              100000000000000000,
                                              1000000000000000000};

__extension__ typedef unsigned __int128 Uint128;  // NOLINT(modernize-use-using): takes no __extension__

uint16_t Load16(const uint8_t* p) {
  uint16_t v;
  memcpy(&v, p, sizeof(v));
  return v;
}

uint32_t Digit(const NumericValue& value, int32_t i) {
  return Load16(value.digits + 2 * static_cast<size_t>(i));
}

struct Accumulator128 {
  Uint128 value;
  void MultiplyAdd(uint32_t factor, uint32_t addend) { value = value * factor + addend; }
  void Negate() { value = -value; }
};

struct Accumulator256 {
  uint64_t limbs[4];
  void MultiplyAdd(uint32_t factor, uint32_t addend) {
    uint64_t carry = addend;
    for (uint64_t& limb : limbs) {
      const Uint128 product = static_cast<Uint128>(limb) * factor + carry;
      limb = static_cast<uint64_t>(product);
      carry = static_cast<uint64_t>(product >> 64);
    }
  }
  void Negate() {
    uint64_t carry = 1;
    for (uint64_t& limb : limbs) {
      limb = ~limb + carry;
      carry = (carry != 0 && limb == 0) ? 1 : 0;
    }
  }
};

// Exponents are of ten: digit i covers 10^(4 * (weight - i)) and the three above it. The number of digits is
// checked first, so that nothing overflows: the integer stays below 10^precision.
template <typename Accumulator>
bool ToInteger(const NumericValue& value, int32_t precision, int32_t scale, Accumulator* out) {
  if (value.kind != NumericKind::kFinite) return false;
  int32_t first = 0;
  while (first < value.digit_count && Digit(value, first) == 0) ++first;
  if (first == value.digit_count) return true;

  const uint32_t lead = Digit(value, first);
  const int32_t lead_digits = lead >= 1000 ? 4 : lead >= 100 ? 3 : lead >= 10 ? 2 : 1;
  if (4 * (value.weight - first) + lead_digits + scale > precision) return false;

  int32_t lowest = -scale + 1;  // exponent the accumulated integer ends at; none yet
  bool any = false;
  for (int32_t i = first; i < value.digit_count; ++i) {
    const uint32_t digit = Digit(value, i);
    if (digit >= 10000) return false;
    const int32_t exponent = 4 * (value.weight - i);
    const int32_t keep =
        exponent >= -scale ? 4 : exponent + 4 + scale;  // decimal digits of it above the scale
    if (keep <= 0) {
      if (digit != 0) return false;
      continue;
    }
    const uint32_t cut = kPowersOfTen[4 - keep];
    if (digit % cut != 0) return false;
    out->MultiplyAdd(kPowersOfTen[keep], digit / cut);
    lowest = exponent + 4 - keep;
    any = true;
  }
  if (any) {
    for (int32_t zeros = lowest + scale; zeros > 0; zeros -= 4)
      out->MultiplyAdd(kPowersOfTen[zeros < 4 ? zeros : 4], 0);
  }
  if (value.negative) out->Negate();
  return true;
}

// Division by a constant is a multiplication.
template <uint32_t kDivisor>
bool DivideExactly(uint64_t* value) {
  const uint64_t quotient = *value / kDivisor;
  if (quotient * kDivisor != *value) return false;
  *value = quotient;
  return true;
}

bool CutDigits(int32_t count, uint64_t* value) {
  switch (count) {
    case 1:
      return DivideExactly<10>(value);
    case 2:
      return DivideExactly<100>(value);
    case 3:
      return DivideExactly<1000>(value);
    default:
      return false;
  }
}

char* PutFour(char* out, uint32_t digit) {
  out[0] = static_cast<char>('0' + digit / 1000);
  out[1] = static_cast<char>('0' + digit / 100 % 10);
  out[2] = static_cast<char>('0' + digit / 10 % 10);
  out[3] = static_cast<char>('0' + digit % 10);
  return out + 4;
}

}  // namespace

bool ReadNumeric(const uint8_t* bytes, size_t size, NumericValue* out) {
  if (size < 2) return false;
  const uint16_t header = Load16(bytes);
  *out = NumericValue{NumericKind::kFinite, false, 0, 0, 0, nullptr};
  if ((header & kSignMask) == kSignSpecial) {
    const uint16_t special = header & kSpecialMask;
    out->kind = special == kSpecialInfinity        ? NumericKind::kInfinity
                : special == kSpecialMinusInfinity ? NumericKind::kMinusInfinity
                                                   : NumericKind::kNan;
    return true;
  }
  size_t header_bytes = 2;
  if ((header & kSignMask) == kSignShort) {
    out->negative = (header & 0x2000) != 0;
    out->display_scale = (header & 0x1F80) >> 7;
    out->weight = header & 0x003F;
    if ((header & 0x0040) != 0) out->weight -= 64;
  } else {
    if (size < 4) return false;
    header_bytes = 4;
    out->negative = (header & kSignMask) == kSignNegative;
    out->display_scale = header & 0x3FFF;
    out->weight = static_cast<int16_t>(Load16(bytes + 2));
  }
  out->digits = bytes + header_bytes;
  out->digit_count = static_cast<int32_t>((size - header_bytes) / 2);
  return true;
}

bool NumericToDecimal128(const NumericValue& value, int32_t precision, int32_t scale, uint8_t out[16]) {
  Accumulator128 accumulator{0};
  if (!ToInteger(value, precision, scale, &accumulator)) return false;
  memcpy(out, &accumulator.value, 16);
  return true;
}

bool NumericToDecimal256(const NumericValue& value, int32_t precision, int32_t scale, uint8_t out[32]) {
  Accumulator256 accumulator{{0, 0, 0, 0}};
  if (!ToInteger(value, precision, scale, &accumulator)) return false;
  memcpy(out, accumulator.limbs, 32);
  return true;
}

bool ShortNumericToInteger(const uint8_t* bytes, size_t size, int32_t precision, int32_t scale,
                           int64_t* out) {
  if (size < 2 || size > 2 + 2 * kShortDigitsMax) return false;
  const uint32_t header = Load16(bytes);
  if ((header & kSignMask) != kSignShort) return false;
  uint64_t digits = 0;
  for (size_t i = 2; i + 2 <= size; i += 2) digits = digits * 10000 + Load16(bytes + i);

  // The last digit counts 10000^lowest; what is left of the point after scaling is 10^exponent of it.
  const int32_t weight = static_cast<int32_t>(header & 0x3F) - ((header & 0x40) != 0 ? 64 : 0);
  const int32_t lowest = weight - static_cast<int32_t>((size - 2) / 2) + 1;
  const int32_t exponent = 4 * lowest + scale;
  const int32_t digits_max = precision < kPowersMax ? precision : kPowersMax;
  if (exponent >= 0) {
    if (exponent > digits_max || digits >= kPowers[digits_max - exponent]) return false;
    digits *= kPowers[exponent];
  } else {
    if (!CutDigits(-exponent, &digits) || digits >= kPowers[digits_max]) return false;
  }
  *out = (header & 0x2000) != 0 ? -static_cast<int64_t>(digits) : static_cast<int64_t>(digits);
  return true;
}

size_t NumericTextBytesMax(const NumericValue& value) {
  const size_t integer = value.weight >= 0 ? 4 * (static_cast<size_t>(value.weight) + 1) : 1;
  return 1 + integer + 1 + static_cast<size_t>(value.display_scale) + 4 + 16;
}

size_t NumericToText(const NumericValue& value, char* out) {
  switch (value.kind) {
    case NumericKind::kNan:
      memcpy(out, "NaN", 3);
      return 3;
    case NumericKind::kInfinity:
      memcpy(out, "Infinity", 8);
      return 8;
    case NumericKind::kMinusInfinity:
      memcpy(out, "-Infinity", 9);
      return 9;
    case NumericKind::kFinite:
      break;
  }
  char* p = out;
  if (value.negative) *p++ = '-';

  // Before the point, without leading zeros, at least one digit.
  char* const integer = p;
  for (int32_t i = 0; i <= value.weight; ++i) p = PutFour(p, i < value.digit_count ? Digit(value, i) : 0);
  char* nonzero = integer;
  while (nonzero < p && *nonzero == '0') ++nonzero;
  if (nonzero > integer) {
    memmove(integer, nonzero, static_cast<size_t>(p - nonzero));
    p -= nonzero - integer;
  }
  if (p == integer) *p++ = '0';

  if (value.display_scale > 0) {
    *p++ = '.';
    char* const end = p + value.display_scale;
    for (int32_t i = value.weight + 1; p < end; ++i) {
      p = PutFour(p, i >= 0 && i < value.digit_count ? Digit(value, i) : 0);
    }
    p = end;
  }
  return static_cast<size_t>(p - out);
}

}  // namespace arrowcdc::pgtype
