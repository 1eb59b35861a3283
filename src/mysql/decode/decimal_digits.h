// MySQL's binary DECIMAL: groups of up to nine digits, the highest first, in as few bytes as hold them, big
// endian ("decimal2bin" in the documentation of MySQL's sources). The first bit is set in what is not
// negative; all bits of a negative value are inverted.
#pragma once

#include <cstdint>

#include "src/mysql/decode/byte_cursor.h"

namespace arrowcdc::mysql {

inline constexpr int kGroupDigits = 9;
inline constexpr uint8_t kGroupBytes[kGroupDigits + 1] = {0, 1, 1, 2, 2, 3, 3, 4, 4, 4};
inline constexpr uint32_t kPowersOfTen[kGroupDigits + 1] = {
    1, 10, 100, 1000, 10'000, 100'000, 1'000'000, 10'000'000, 100'000'000, 1'000'000'000};

inline bool IsNegativeDecimal(const uint8_t* first) { return (*first & 0x80) == 0; }

// The digits of the group at `at`, as a number; more than they can be where the bytes are unsound.
inline uint32_t LoadDecimalGroup(const uint8_t* at, int bytes, bool is_first, bool is_negative) {
  auto value = static_cast<uint32_t>(LoadBig(at, bytes));
  if (is_first) value ^= uint32_t{0x80} << (8 * (bytes - 1));
  if (is_negative) value ^= bytes == 4 ? UINT32_MAX : (uint32_t{1} << (8 * bytes)) - 1;
  return value;
}

}  // namespace arrowcdc::mysql
