// Character sets of columns, and their text as UTF-8.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "src/mysql/decode/flavor.h"

namespace arrowcdc::mysql {

class Charset {
 public:
  virtual ~Charset() = default;
  virtual const char* name() const = 0;
  // It is written as UTF-8 already, as far as it is valid: utf8mb3, utf8mb4, ascii.
  virtual bool is_utf8() const { return false; }
  // Puts the text into `utf8`. False: some of it is no character of the set.
  virtual bool ToUtf8(std::span<const uint8_t> text, std::string* utf8) const = 0;
};

// The character set of a collation. Null: it is not known, or has no conversion. Not for kBinaryCollation.
const Charset* FindCharset(uint32_t collation, Flavor flavor);

// What the server calls it, for messages; empty: not known.
std::string CharsetName(uint32_t collation, Flavor flavor);

}  // namespace arrowcdc::mysql
