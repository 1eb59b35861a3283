// Manual pages from the option table, in man(7)'s macros.
#pragma once

#include <string>

#include "src/options/option.h"

namespace arrowcdc::cli {

// arrowcdc(1).
std::string MakeManualPage();

// arrowcdc-COMMAND(1).
std::string MakeManualPage(const Command& command);

}  // namespace arrowcdc::cli
