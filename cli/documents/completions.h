// What shells complete behind "arrowcdc": commands, options, words of choices, paths. From the option table.
#pragma once

#include <string>

namespace arrowcdc::cli {

std::string MakeBashCompletion();
std::string MakeZshCompletion();
std::string MakeFishCompletion();

}  // namespace arrowcdc::cli
