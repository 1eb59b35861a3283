// From the schemas of a table's files to the query for its rows. Pure.
#pragma once

#include <string>

#include <arrow/result.h>

#include "src/sink/stored_table.h"

namespace arrowcdc {

// Errors: kUnsupported where the files do not tell which row a change belongs to.
arrow::Result<std::string> CurrentStateSql(const StoredTable& table);

}  // namespace arrowcdc
