#include "cli/printable.h"

namespace arrowcdc::cli {
namespace {

// Those of ASCII, and U+0080 to U+009F, which UTF-8 begins with the byte 0xc2.
bool IsControl(char before, char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < ' ' || byte == 0x7f || (before == '\xc2' && byte >= 0x80 && byte < 0xa0);
}

}  // namespace

std::string Printable(std::string_view text, size_t indent) {
  std::string shown;
  char before = '\0';
  for (const char c : text) {
    if (c == '\n') {
      shown += "\n" + std::string(indent, ' ');
    } else if (!IsControl(before, c)) {
      shown += c;
    } else {
      if (before == '\xc2') shown.pop_back();
      shown += '?';
    }
    before = c;
  }
  return shown;
}

}  // namespace arrowcdc::cli
