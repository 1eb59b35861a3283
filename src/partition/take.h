// Copies chosen rows of a column of any type. libarrow's own Take lives in another library, libarrow_compute;
// this one knows that indexes are in range and never null, and shares nothing but dictionaries and the data
// behind views.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <arrow/array/data.h>
#include <arrow/memory_pool.h>
#include <arrow/result.h>

#include "src/partition/row_plan.h"

namespace arrowcdc {

using ColumnsOfPartition = std::vector<std::shared_ptr<arrow::ArrayData>>;

// The rows of each partition of the plan, column by column, counted from each column's offset; empty for
// partitions without rows. The columns of fixed width of one partition share one allocation.
// Errors: the pool's; NotImplemented for a type that Arrow's builders do not know either; CapacityError over
// 2^32 children.
arrow::Result<std::vector<ColumnsOfPartition>> TakeByPartition(const ColumnsOfPartition& columns,
                                                               const RowPlan& plan, arrow::MemoryPool* pool);

}  // namespace arrowcdc
