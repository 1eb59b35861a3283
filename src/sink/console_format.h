// Change batches as text for people and pipes: one JSON object a row, or aligned columns. Pure.
#pragma once

#include <string>

#include <arrow/status.h>

#include "arrowcdc/change_batch.h"

namespace arrowcdc {

// Both append nothing where they fail. Errors: those of ChangeRows.
arrow::Status AppendNdjson(const ChangeBatch& batch, std::string* out);

// One block a batch. Long values are cut.
arrow::Status AppendTable(const ChangeBatch& batch, std::string* out);

}  // namespace arrowcdc
