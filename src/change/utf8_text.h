// Text for people, whatever bytes it holds: names in an SQL_ASCII database are any. Pure.
#pragma once

#include <string>
#include <string_view>

namespace arrowcdc {

bool IsUtf8(std::string_view text);

// The text, with \xHH for each byte that is no part of valid UTF-8.
std::string EscapeInvalidUtf8(std::string_view text);

// A name of a database as docs/types.md has it: as it is where it is UTF-8; escaped, U+FFFD in front, where
// it is not or begins so itself.
std::string NameToUtf8(std::string_view name);

}  // namespace arrowcdc
