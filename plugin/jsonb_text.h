// jsonb as text, byte for byte what jsonb_out gives, but without its limit of 1 GiB.
#pragma once

#include "plugin/column.h"

namespace arrowcdc::plugin {

// Appends the text, in the database's encoding, to *out. False: it would pass bytes_max; *out is then
// incomplete.
bool JsonbToText(const JsonbContainer* root, MemoryContext context, Buffer* out, size_t bytes_max);

}  // namespace arrowcdc::plugin
