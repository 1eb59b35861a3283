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

// Of a collation up to 255, which both families number alike. Null: not known.
const char* CharsetOfCollation(uint32_t collation);

}  // namespace arrowcdc::mysql
