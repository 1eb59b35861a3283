// docs/reference.md from the option table.
#pragma once

#include <string>

namespace arrowcdc {

// The whole page, in Markdown.
std::string MakeReference();

}  // namespace arrowcdc
