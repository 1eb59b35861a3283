// Text for people with names of others in it: what moves a terminal's cursor or colours it is not passed on.
#pragma once

#include <string>
#include <string_view>

namespace arrowcdc::cli {

// Control characters become '?'; what follows a line break is set in by so many spaces, so that it passes for
// no line of ours.
std::string Printable(std::string_view text, size_t indent = 10);

}  // namespace arrowcdc::cli
