// Full validation of the columns of a batch: what Arrow's ValidateFull accepts, without its cost for every
// string.
#pragma once

#include <arrow/array.h>
#include <arrow/status.h>

namespace arrowcdc {

// As array.ValidateFull(). Text and binary columns are looked at as a whole first.
arrow::Status ValidateColumn(const arrow::Array& array);

}  // namespace arrowcdc
