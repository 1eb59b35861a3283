// What --help and the manual pages both say.
#pragma once

#include <string>

#include "src/options/option.h"

namespace arrowcdc::cli {

// Of the program; indented lines are commands.
extern const char* const kDescription;

// How SIZE and DURATION are written.
extern const char* const kAmountsHelp;

bool TakesAmounts(const Command& command);

// What stands for an option's value: SIZE, DURATION, a|b|c; empty for a flag.
std::string ValueName(const Option& option);

// In lines of 100 columns at most, as far as words allow. What explains an option stands below itself, from
// option_column on.
std::string WrapHelp(const std::string& text, size_t option_column);

}  // namespace arrowcdc::cli
