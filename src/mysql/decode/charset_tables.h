// Data of charset.cc: single-byte character sets, and which set a collation is of.
#pragma once

#include <cstdint>
#include <span>

namespace arrowcdc::mysql {

inline constexpr uint16_t kNoCharacter = 0xffff;

// What the 128 bytes from `first` on are in Unicode; those before are ASCII, those behind nothing.
struct SingleByteCharset {
  const char* name;
  uint8_t first;
  const uint16_t* characters;
};

std::span<const SingleByteCharset> SingleByteCharsets();

// Codes from `first` to `last`, big-endian, are the characters from `character` on; or none is, kNoCharacter.
struct CharsetException {
  uint32_t first;
  uint32_t last;
  uint32_t character;
};

// ASCII, and characters of more bytes, told by their first one. iconv converts them, with exceptions.
struct MultiByteCharset {
  struct Lead {
    uint8_t first;
    uint8_t last;
    uint8_t bytes;  // of the character; in gb18030 four where a digit follows
  };
  const char* name;
  const char* encoding;
  Lead leads[3];
  std::span<const CharsetException> exceptions;  // sorted
};

std::span<const MultiByteCharset> MultiByteCharsets();

// Of a collation up to 255, which both families number alike. Null: not known.
const char* CharsetOfCollation(uint32_t collation);

}  // namespace arrowcdc::mysql
