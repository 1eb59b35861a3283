// Bytes written as hexadecimal digits.
#pragma once

#include <cstddef>
#include <string_view>

namespace arrowcdc {

// -1: no digit.
inline int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Writes half as many bytes as there are digits. False: these are not digits, or their number is odd.
inline bool ParseHex(std::string_view digits, char* out) {
  if (digits.size() % 2 != 0) return false;
  for (size_t i = 0; i < digits.size(); i += 2) {
    const int high = HexDigit(digits[i]);
    const int low = HexDigit(digits[i + 1]);
    if (high < 0 || low < 0) return false;
    *out++ = static_cast<char>(high << 4 | low);
  }
  return true;
}

}  // namespace arrowcdc
