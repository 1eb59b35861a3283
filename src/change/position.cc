// LSNs as text.
#include "arrowcdc/position.h"

#include <cinttypes>
#include <cstdio>

#include "arrowcdc/error.h"
#include "arrowcdc/secrets.h"

namespace arrowcdc {
namespace {

// One to eight hexadecimal digits, nothing else.
bool ParseHalf(std::string_view digits, uint64_t* value) {
  if (digits.empty() || digits.size() > 8) return false;
  *value = 0;
  for (char c : digits) {
    int digit;
    if (c >= '0' && c <= '9') {
      digit = c - '0';
    } else if (c >= 'a' && c <= 'f') {
      digit = c - 'a' + 10;
    } else if (c >= 'A' && c <= 'F') {
      digit = c - 'A' + 10;
    } else {
      return false;
    }
    *value = *value << 4 | static_cast<uint64_t>(digit);
  }
  return true;
}

}  // namespace

std::string FormatLsn(uint64_t lsn) {
  char text[20];
  int bytes = snprintf(text, sizeof(text), "%" PRIX32 "/%" PRIX32, static_cast<uint32_t>(lsn >> 32),
                       static_cast<uint32_t>(lsn));
  return std::string(text, static_cast<size_t>(bytes));
}

arrow::Result<uint64_t> ParseLsn(std::string_view text) {
  size_t slash = text.find('/');
  uint64_t high = 0;
  uint64_t low = 0;
  if (slash == std::string_view::npos || !ParseHalf(text.substr(0, slash), &high) ||
      !ParseHalf(text.substr(slash + 1), &low)) {
    return MakeError(ErrorKind::kInvalidOption, "not an LSN: " + Shown(text), "LSN",
                     "write it as PostgreSQL does: two hexadecimal numbers, as in 16/B374D848");
  }
  return high << 32 | low;
}

}  // namespace arrowcdc
