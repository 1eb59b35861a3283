// How large the values of a batch are, whatever buffers it shares with others: those of a frame lie in one
// block. Looks at lengths and offsets, not at values.
#pragma once

#include <cstdint>

#include <arrow/record_batch.h>

namespace arrowcdc {

uint64_t BytesOf(const arrow::RecordBatch& rows);

}  // namespace arrowcdc
