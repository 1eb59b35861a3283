#include "src/sink/display_text.h"

#include <clocale>
#include <cstdint>
#include <cstdio>
#include <cwchar>

#include <locale.h>

namespace arrowcdc {
namespace {

constexpr std::string_view kCut = "…";
constexpr char32_t kNone = 0xffffffff;

// The code point at `*at`, which moves behind it; kNone for a byte that begins none.
char32_t NextCodePoint(std::string_view text, size_t* at) {
  const auto lead = static_cast<unsigned char>(text[(*at)++]);
  if (lead < 0x80) return lead;
  const size_t more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
  if (lead < 0xc2 || lead > 0xf4 || text.size() - *at < more) return kNone;
  char32_t point = lead & (0x3fU >> more);
  for (size_t i = 0; i < more; ++i) {
    const auto byte = static_cast<unsigned char>(text[*at + i]);
    if ((byte & 0xc0) != 0x80) return kNone;
    point = point << 6 | (byte & 0x3fU);
  }
  const bool encoded_longer = (more == 2 && point < 0x800) || (more == 3 && point < 0x10000);
  if (encoded_longer || (point >= 0xd800 && point < 0xe000) || point > 0x10ffff) return kNone;
  *at += more;
  return point;
}

// The C library's table for Unicode, whatever the locale of the process is.
class UnicodeLocale {
 public:
  UnicodeLocale() : locale_(newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr)) {}
  // Of one code point. Where there is no table: 1.
  size_t Width(char32_t point) const {
    if (point < 0x300 || locale_ == nullptr) return 1;
    const locale_t before = uselocale(locale_);
    const int width = wcwidth(static_cast<wchar_t>(point));
    uselocale(before);
    return width < 0 ? 1 : static_cast<size_t>(width);
  }

 private:
  const locale_t locale_;  // lives as long as the process
};

size_t WidthOf(char32_t point) {
  static const UnicodeLocale unicode;
  return unicode.Width(point);
}

// Control characters, line and paragraph separators, and what turns the direction of all that follows.
bool Steers(char32_t point) {
  return point < 0x20 || (point >= 0x7f && point < 0xa0) || point == 0x61c || point == 0x200e ||
         point == 0x200f || (point >= 0x2028 && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069);
}

}  // namespace

size_t DisplayWidth(std::string_view text) {
  size_t width = 0;
  for (size_t at = 0; at < text.size();) width += WidthOf(NextCodePoint(text, &at));
  return width;
}

std::string CutToWidth(std::string_view text, size_t columns) {
  size_t width = 0;
  size_t fits = 0;  // bytes that leave a column for the sign
  for (size_t at = 0; at < text.size();) {
    width += WidthOf(NextCodePoint(text, &at));
    if (width < columns) fits = at;
    if (width > columns) return columns == 0 ? "" : std::string(text.substr(0, fits)).append(kCut);
  }
  return std::string(text);
}

std::string ShownText(std::string_view text) {
  std::string shown;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    const char32_t point = NextCodePoint(text, &at);
    if (point == kNone) {
      shown += '?';
    } else if (Steers(point)) {
      char escape[16];
      std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(point));
      shown += escape;
    } else {
      shown += text.substr(begin, at - begin);
    }
  }
  return shown;
}

}  // namespace arrowcdc
