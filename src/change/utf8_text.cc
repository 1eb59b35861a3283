// Valid sequences pass, byte by byte the rest is written out.
#include "src/change/utf8_text.h"

#include <algorithm>

#include <arrow/util/utf8.h>

namespace arrowcdc {
namespace {

// Bytes of the valid sequence at the start, 0: there is none.
size_t SequenceSize(std::string_view text) {
  for (size_t size = 1; size <= std::min<size_t>(4, text.size()); ++size) {
    if (IsUtf8(text.substr(0, size))) return size;
  }
  return 0;
}

void PutEscaped(char c, std::string* out) {
  static constexpr char kDigits[] = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  *out += {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
}

}  // namespace

bool IsUtf8(std::string_view text) {
  arrow::util::InitializeUTF8();
  return arrow::util::ValidateUTF8(text);
}

std::string EscapeInvalidUtf8(std::string_view text) {
  if (IsUtf8(text)) return std::string(text);
  std::string out;
  while (!text.empty()) {
    const size_t size = SequenceSize(text);
    if (size > 0) {
      out += text.substr(0, size);
    } else {
      PutEscaped(text[0], &out);
    }
    text.remove_prefix(std::max<size_t>(size, 1));
  }
  return out;
}

std::string NameToUtf8(std::string_view name) {
  static constexpr char kMark[] = "\xef\xbf\xbd";
  if (IsUtf8(name) && !name.starts_with(kMark)) return std::string(name);
  std::string out = kMark;
  for (const char c : name) {
    if (static_cast<unsigned char>(c) > 127) {
      PutEscaped(c, &out);
    } else {
      out.append(c == '\\' ? 2 : 1, c);
    }
  }
  return out;
}

}  // namespace arrowcdc
