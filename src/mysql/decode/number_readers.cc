// Numbers of row images. MySQL's floats are IEEE 754, little-endian as the rest.
#include <bit>
#include <type_traits>

#include "src/mysql/decode/column_reader.h"
#include "src/mysql/decode/decimal_digits.h"

namespace arrowcdc::mysql {
namespace {

__extension__ typedef unsigned __int128 Uint128;
__extension__ typedef __int128 Int128;

constexpr char kNoDecimal[] = "a decimal has more digits in a group than fit";

template <int N, typename T>
const uint8_t* ReadInteger(const ColumnStep& /*step*/, const uint8_t* at, RowInput* input,
                           ColumnBuilder* column) {
  if (!input->Has(at, N)) return input->Fault(kCutOff);
  uint64_t bits = LoadLittle<N>(at);
  if constexpr (N == 3 && std::is_signed_v<T>) bits = (bits ^ 0x800000) - 0x800000;
  column->Append(static_cast<T>(bits));
  return at + N;
}

// 256 bits, the lowest limb first, as Arrow has them.
struct Limbs {
  uint64_t limb[4] = {};

  void MultiplyAndAdd(uint32_t factor, uint32_t summand) {
    Uint128 carry = summand;
    for (uint64_t& part : limb) {
      carry += static_cast<Uint128>(part) * factor;
      part = static_cast<uint64_t>(carry);
      carry >>= 64;
    }
  }
  void Negate() {
    uint64_t carry = 1;
    for (uint64_t& part : limb) {
      part = ~part + carry;
      carry = part == 0 ? carry : 0;
    }
  }
};

// Calls add(power of ten, digits) for each group. False: a group is no such number.
template <typename Add>
bool ForGroups(const ColumnStep& step, const uint8_t* at, bool is_negative, Add add) {
  for (int i = 0; i < step.groups; ++i) {
    const int digits = step.digits[i];
    const int bytes = kGroupBytes[digits];
    const uint32_t value = LoadDecimalGroup(at, bytes, i == 0, is_negative);
    if (value >= kPowersOfTen[digits]) return false;
    add(kPowersOfTen[digits], value);
    at += bytes;
  }
  return true;
}

}  // namespace

ReadValue IntegerReader(int bytes, bool is_unsigned) {
  switch (bytes) {
    case 1:
      return is_unsigned ? ReadInteger<1, uint8_t> : ReadInteger<1, int8_t>;
    case 2:
      return is_unsigned ? ReadInteger<2, uint16_t> : ReadInteger<2, int16_t>;
    case 3:
      return is_unsigned ? ReadInteger<3, uint32_t> : ReadInteger<3, int32_t>;
    case 4:
      return is_unsigned ? ReadInteger<4, uint32_t> : ReadInteger<4, int32_t>;
    default:
      return is_unsigned ? ReadInteger<8, uint64_t> : ReadInteger<8, int64_t>;
  }
}

const uint8_t* ReadFloat(const ColumnStep& /*step*/, const uint8_t* at, RowInput* input,
                         ColumnBuilder* column) {
  if (!input->Has(at, sizeof(float))) return input->Fault(kCutOff);
  column->Append(std::bit_cast<float>(static_cast<uint32_t>(LoadLittle<4>(at))));
  return at + sizeof(float);
}

const uint8_t* ReadDouble(const ColumnStep& /*step*/, const uint8_t* at, RowInput* input,
                          ColumnBuilder* column) {
  if (!input->Has(at, sizeof(double))) return input->Fault(kCutOff);
  column->Append(std::bit_cast<double>(LoadLittle<8>(at)));
  return at + sizeof(double);
}

void SetDecimalLayout(int precision, int scale, ColumnStep* step) {
  const auto add = [step](int digits) {
    if (digits == 0) return;
    step->digits[step->groups++] = static_cast<uint8_t>(digits);
    step->size = static_cast<uint8_t>(step->size + kGroupBytes[digits]);
  };
  constexpr int kDigitsIn64Bits = 18;
  const int whole = precision - scale;
  step->in_64_bits = precision <= kDigitsIn64Bits;
  step->groups = step->size = 0;
  add(whole % kGroupDigits);
  for (int i = 0; i < whole / kGroupDigits; ++i) add(kGroupDigits);
  for (int i = 0; i < scale / kGroupDigits; ++i) add(kGroupDigits);
  add(scale % kGroupDigits);
}

const uint8_t* ReadDecimal128(const ColumnStep& step, const uint8_t* at, RowInput* input,
                              ColumnBuilder* column) {
  if (!input->Has(at, step.size)) return input->Fault(kCutOff);
  const bool is_negative = IsNegativeDecimal(at);
  if (step.in_64_bits) {
    int64_t small = 0;
    if (!ForGroups(step, at, is_negative,
                   [&](uint32_t power, uint32_t digits) { small = small * power + digits; })) {
      return input->Fault(kNoDecimal);
    }
    column->Append(static_cast<Int128>(is_negative ? -small : small));
    return at + step.size;
  }
  Uint128 value = 0;
  if (!ForGroups(step, at, is_negative,
                 [&](uint32_t power, uint32_t digits) { value = value * power + digits; })) {
    return input->Fault(kNoDecimal);
  }
  column->Append(is_negative ? ~value + 1 : value);
  return at + step.size;
}

const uint8_t* ReadDecimal256(const ColumnStep& step, const uint8_t* at, RowInput* input,
                              ColumnBuilder* column) {
  if (!input->Has(at, step.size)) return input->Fault(kCutOff);
  const bool is_negative = IsNegativeDecimal(at);
  Limbs value;
  if (!ForGroups(step, at, is_negative,
                 [&](uint32_t power, uint32_t digits) { value.MultiplyAndAdd(power, digits); })) {
    return input->Fault(kNoDecimal);
  }
  if (is_negative) value.Negate();
  column->Append(value);
  return at + step.size;
}

const uint8_t* ReadBit(const ColumnStep& step, const uint8_t* at, RowInput* input, ColumnBuilder* column) {
  if (!input->Has(at, step.size)) return input->Fault(kCutOff);
  column->Append(LoadBig(at, step.size));
  return at + step.size;
}

const uint8_t* ReadYear(const ColumnStep& /*step*/, const uint8_t* at, RowInput* input,
                        ColumnBuilder* column) {
  if (!input->Has(at, 1)) return input->Fault(kCutOff);
  column->Append(static_cast<uint16_t>(*at == 0 ? 0 : 1900 + *at));
  return at + 1;
}

}  // namespace arrowcdc::mysql
