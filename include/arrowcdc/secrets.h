// What must not be repeated: a value that the user gave may be a connection string in the wrong place, or a
// part of one that was not quoted, with a password in it.
#pragma once

#include <string>
#include <string_view>

namespace arrowcdc {

// A URI, a keyword of connection strings with '=', or user:password@host.
bool LooksLikeConninfo(std::string_view text);

// A value of the user's for a message: in double quotes, or words in its stead where it could be a part of a
// connection string.
std::string Shown(std::string_view value);

}  // namespace arrowcdc
