// The policy of ending at a value that has no Arrow form, for whatever has decoded it.
#pragma once

#include <arrow/status.h>

#include "arrowcdc/change_batch.h"

namespace arrowcdc {

// Errors: kUnsupported where a row lists a column in _unrepresentable: the first one, by table, column and
// the row's position, never by its value; ChangeRows::Make's.
arrow::Status CheckRepresentable(const ChangeBatch& batch);

}  // namespace arrowcdc
