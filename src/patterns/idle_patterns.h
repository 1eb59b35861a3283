// Patterns that have no effect. Pure: no I/O.
#pragma once

#include <string>
#include <vector>

#include <arrow/result.h>

#include "arrowcdc/table_patterns.h"

namespace arrowcdc {

// Of the patterns that do not leave out, those that match none of these tables: they are misspelt, most
// likely.
// Errors: as TablePatterns::Parse.
arrow::Result<std::vector<std::string>> IdlePatterns(const std::vector<std::string>& patterns,
                                                     const std::vector<TableName>& tables);

}  // namespace arrowcdc
