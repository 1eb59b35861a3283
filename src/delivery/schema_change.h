// What is other in the columns of a table than before, for people.
#pragma once

#include <string>

#include "arrowcdc/change_batch.h"

namespace arrowcdc {

// "added note, dropped name, renamed a to b, qty is int64 and was int32, the replica identity"; empty:
// nothing.
std::string DescribeSchemaChange(const TableSchema& before, const TableSchema& now);

}  // namespace arrowcdc
