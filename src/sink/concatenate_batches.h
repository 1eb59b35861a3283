// Batches copied into one, as arrow::ConcatenateRecordBatches does it, for many that have a row or a few:
// there Arrow's objects for each column of each batch cost far more than the values.
#pragma once

#include <memory>

#include <arrow/record_batch.h>
#include <arrow/result.h>

namespace arrowcdc {

// One or more batches of one schema; their rows in their order. Errors: Invalid where a column is of several
// types, CapacityError where it is more than an array holds, OutOfMemory.
arrow::Result<std::shared_ptr<arrow::RecordBatch>> ConcatenateBatches(
    const arrow::RecordBatchVector& batches);

}  // namespace arrowcdc
