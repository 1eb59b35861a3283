// Single-byte sets by tables, Unicode's own forms by hand, the others by iconv, but for the characters that
// MySQL takes for others.
#include "src/mysql/decode/charset.h"

#include <iconv.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#include "src/mysql/decode/charset_tables.h"

namespace arrowcdc::mysql {
namespace {

void AppendUtf8(uint32_t character, std::string* text) {
  const auto add = [text](uint32_t byte) { *text += static_cast<char>(byte); };
  if (character < 0x80) {
    add(character);
  } else if (character < 0x800) {
    add(0xc0 | character >> 6);
    add(0x80 | (character & 0x3f));
  } else if (character < 0x10000) {
    add(0xe0 | character >> 12);
    add(0x80 | (character >> 6 & 0x3f));
    add(0x80 | (character & 0x3f));
  } else {
    add(0xf0 | character >> 18);
    add(0x80 | (character >> 12 & 0x3f));
    add(0x80 | (character >> 6 & 0x3f));
    add(0x80 | (character & 0x3f));
  }
}

class Utf8 : public Charset {
 public:
  explicit Utf8(const char* name) : name_(name) {}
  const char* name() const override { return name_; }
  bool is_utf8() const override { return true; }
  bool ToUtf8(std::span<const uint8_t> text, std::string* utf8) const override {
    utf8->assign(reinterpret_cast<const char*>(text.data()), text.size());
    return true;
  }

 private:
  const char* name_;
};

class SingleByte : public Charset {
 public:
  explicit SingleByte(const SingleByteCharset& charset) : name_(charset.name) {
    for (size_t i = 0; i < characters_.size(); ++i) {
      characters_[i] = i < charset.first                 ? static_cast<uint16_t>(i)
                       : i < charset.first + size_t{128} ? charset.characters[i - charset.first]
                                                         : kNoCharacter;
    }
  }
  const char* name() const override { return name_; }
  bool ToUtf8(std::span<const uint8_t> text, std::string* utf8) const override {
    utf8->clear();
    for (const uint8_t byte : text) {
      if (characters_[byte] == kNoCharacter) return false;
      AppendUtf8(characters_[byte], utf8);
    }
    return true;
  }

 private:
  const char* name_;
  std::array<uint16_t, 256> characters_;
};

// UTF-16, UTF-32 and UCS-2, which is UTF-16 without pairs.
class Wide : public Charset {
 public:
  Wide(const char* name, size_t width, bool is_big, bool has_pairs)
      : name_(name), width_(width), is_big_(is_big), has_pairs_(has_pairs) {}
  const char* name() const override { return name_; }
  bool ToUtf8(std::span<const uint8_t> text, std::string* utf8) const override {
    utf8->clear();
    if (text.size() % width_ != 0) return false;
    for (size_t at = 0; at < text.size(); at += width_) {
      uint32_t character = Load(text, at);
      if (has_pairs_ && character >= 0xd800 && character < 0xdc00 && at + width_ < text.size()) {
        const uint32_t low = Load(text, at += width_);
        if (low < 0xdc00 || low >= 0xe000) return false;
        character = 0x10000 + ((character - 0xd800) << 10 | (low - 0xdc00));
      }
      if ((character >= 0xd800 && character < 0xe000) || character > 0x10ffff) return false;
      AppendUtf8(character, utf8);
    }
    return true;
  }

 private:
  uint32_t Load(std::span<const uint8_t> text, size_t at) const {
    uint32_t value = 0;
    for (size_t i = 0; i < width_; ++i) value = value << 8 | text[at + (is_big_ ? i : width_ - 1 - i)];
    return value;
  }

  const char* name_;
  size_t width_;
  bool is_big_;
  bool has_pairs_;
};

// A conversion descriptor has a state, so each conversion begins with none.
bool AppendByIconv(const char* encoding, std::span<const uint8_t> text, std::string* utf8) {
  thread_local std::string opened;
  thread_local std::unique_ptr<void, void (*)(void*)> descriptor(nullptr, [](void* d) { iconv_close(d); });
  if (opened != encoding) {
    const iconv_t made = iconv_open("UTF-8", encoding);
    if (made == reinterpret_cast<iconv_t>(-1)) return false;
    descriptor.reset(made);
    opened = encoding;
  }
  iconv(descriptor.get(), nullptr, nullptr, nullptr, nullptr);
  const size_t before = utf8->size();
  utf8->resize(before + 3 * text.size() + 4);  // no character of one byte has more, none of two
  auto* in = const_cast<char*>(reinterpret_cast<const char*>(text.data()));
  size_t in_left = text.size();
  char* out = utf8->data() + before;
  size_t out_left = utf8->size() - before;
  const size_t result = iconv(descriptor.get(), &in, &in_left, &out, &out_left);
  utf8->resize(utf8->size() - out_left);
  return result == 0 && in_left == 0;  // none was replaced
}

class MultiByte : public Charset {
 public:
  explicit MultiByte(const MultiByteCharset& charset) : charset_(charset) {}
  const char* name() const override { return charset_.name; }
  // What is between two exceptions goes to iconv in one piece.
  bool ToUtf8(std::span<const uint8_t> text, std::string* utf8) const override {
    utf8->clear();
    size_t begin = 0;
    for (size_t at = 0; at < text.size();) {
      const size_t size = SizeAt(text, at);
      if (size > text.size() - at) return false;
      const CharsetException* const exception =
          text[at] < 0x80 ? nullptr : FindException(text.subspan(at, size));
      if (exception != nullptr) {
        if (exception->character == kNoCharacter) return false;
        if (!AppendByIconv(charset_.encoding, text.subspan(begin, at - begin), utf8)) return false;
        AppendUtf8(exception->character + Code(text.subspan(at, size)) - exception->first, utf8);
        begin = at + size;
      }
      at += size;
    }
    return AppendByIconv(charset_.encoding, text.subspan(begin), utf8);
  }
  // This system has the encoding.
  bool IsThere() const {
    std::string unused;
    return AppendByIconv(charset_.encoding, {}, &unused);
  }

 private:
  static uint32_t Code(std::span<const uint8_t> character) {
    uint32_t code = 0;
    for (const uint8_t byte : character) code = code << 8 | byte;
    return code;
  }
  size_t SizeAt(std::span<const uint8_t> text, size_t at) const {
    for (const auto& lead : charset_.leads) {
      if (text[at] < 0x80 || text[at] < lead.first || text[at] > lead.last) continue;
      const bool is_digit = at + 1 < text.size() && text[at + 1] >= '0' && text[at + 1] <= '9';
      return is_digit && std::string_view(charset_.name) == "gb18030" ? 4 : lead.bytes;
    }
    return 1;
  }
  const CharsetException* FindException(std::span<const uint8_t> character) const {
    const uint32_t code = Code(character);
    const auto& all = charset_.exceptions;
    const auto found = std::lower_bound(all.begin(), all.end(), code,
                                        [](const auto& one, uint32_t value) { return one.last < value; });
    return found != all.end() && found->first <= code ? &*found : nullptr;
  }

  const MultiByteCharset& charset_;
};

using Charsets = std::vector<std::unique_ptr<Charset>>;

Charsets MakeCharsets() {
  Charsets all;
  for (const char* const name : {"utf8mb4", "utf8mb3", "ascii"}) all.push_back(std::make_unique<Utf8>(name));
  for (const SingleByteCharset& charset : SingleByteCharsets())
    all.push_back(std::make_unique<SingleByte>(charset));
  all.push_back(std::make_unique<Wide>("ucs2", 2, /*is_big=*/true, /*has_pairs=*/false));
  all.push_back(std::make_unique<Wide>("utf16", 2, /*is_big=*/true, /*has_pairs=*/true));
  all.push_back(std::make_unique<Wide>("utf16le", 2, /*is_big=*/false, /*has_pairs=*/true));
  all.push_back(std::make_unique<Wide>("utf32", 4, /*is_big=*/true, /*has_pairs=*/false));
  for (const MultiByteCharset& charset : MultiByteCharsets()) {
    auto made = std::make_unique<MultiByte>(charset);
    if (made->IsThere()) all.push_back(std::move(made));
  }
  return all;
}

// MariaDB numbers collations without padding 1024 above those with it, and the newer ones of Unicode by set.
const char* MariadbCharset(uint32_t collation) {
  static constexpr const char* kUnicode[] = {"utf8mb3", "utf8mb4", "ucs2", "utf16", "utf32"};
  if (collation >= 2048) {
    const uint32_t set = (collation - 2048) / 256;
    return set < std::size(kUnicode) ? kUnicode[set] : nullptr;
  }
  if (collation >= 1024) return MariadbCharset(collation - 1024);
  if (collation >= 576 && collation < 704) return kUnicode[(collation - 576) / 32];
  if (collation >= 736 && collation < 768) return "utf32";
  return CharsetOfCollation(collation);
}

const char* MysqlCharset(uint32_t collation) {
  // utf8mb4 alone has got collations since; from 1024 on they are of the server's own files.
  if (collation > 255) return collation < 1024 ? "utf8mb4" : nullptr;
  return CharsetOfCollation(collation);
}

const char* NameOf(uint32_t collation, Flavor flavor) {
  return flavor == Flavor::kMariadb ? MariadbCharset(collation) : MysqlCharset(collation);
}

}  // namespace

const Charset* FindCharset(uint32_t collation, Flavor flavor) {
  static const Charsets charsets = MakeCharsets();
  const char* const name = NameOf(collation, flavor);
  if (name == nullptr) return nullptr;
  for (const auto& charset : charsets) {
    if (std::string_view(charset->name()) == name) return charset.get();
  }
  return nullptr;
}

std::string CharsetName(uint32_t collation, Flavor flavor) {
  const char* const name = NameOf(collation, flavor);
  return name == nullptr ? std::string() : std::string(name);
}

}  // namespace arrowcdc::mysql
