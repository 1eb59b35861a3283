// Text for people, whatever bytes it holds: names in an SQL_ASCII database are any. Pure.
#pragma once

#include <string>
#include <string_view>

namespace arrowcdc {

bool IsUtf8(std::string_view text);

// The text, with \xHH for each byte that is no part of valid UTF-8.
std::string EscapeInvalidUtf8(std::string_view text);

}  // namespace arrowcdc
