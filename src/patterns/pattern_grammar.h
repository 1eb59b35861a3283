// The grammar of one table pattern (docs/patterns.md), translated to a regular expression a part.
// Pure: text in, text out; nothing is compiled or matched here.
#pragma once

#include <string>
#include <string_view>

#include <arrow/result.h>

namespace arrowcdc {

struct ParsedPattern {
  bool exclude = false;      // began with "!"
  std::string schema_regex;  // RE2 syntax, to be matched in full with dot_nl
  std::string table_regex;
};

// Errors: kInvalidOption that names the pattern, the offset in bytes and what was expected there.
arrow::Result<ParsedPattern> ParseTablePattern(std::string_view pattern);

// The pattern in single quotes, or words in its stead where it may be a part of a connection string.
std::string PatternForMessage(std::string_view pattern);

}  // namespace arrowcdc
