// Change batches as text for people and pipes: one JSON object a row, or aligned columns. Pure.
#pragma once

#include <string>

#include "arrowcdc/change_batch.h"

namespace arrowcdc {

void AppendNdjson(const ChangeBatch& batch, std::string* out);

// One block a batch. Long values are cut.
void AppendTable(const ChangeBatch& batch, std::string* out);

}  // namespace arrowcdc
