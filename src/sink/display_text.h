// Text as a terminal shows it: how many columns it takes, and nothing in it that steers one. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace arrowcdc {

// Columns of text that ShownText has gone over.
size_t DisplayWidth(std::string_view text);

// With "…" at the end where it takes more than so many columns.
std::string CutToWidth(std::string_view text, size_t columns);

// With what would move the cursor, change the direction of writing or is no UTF-8 written as \uXXXX or '?'.
std::string ShownText(std::string_view text);

}  // namespace arrowcdc
