// Copies chosen rows of a column of any type. libarrow's own Take lives in another library, libarrow_compute;
// this one knows that indexes are in range and never null, and shares nothing but dictionaries and the data
// behind views.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <arrow/array/data.h>
#include <arrow/memory_pool.h>
#include <arrow/result.h>

#include "src/partition/row_plan.h"

namespace arrowcdc {

// The values of `column` at `rows`, counted from column.offset.
// Errors: the pool's; NotImplemented for a type that Arrow's builders do not know either; CapacityError over
// 2^32 children.
arrow::Result<std::shared_ptr<arrow::ArrayData>> Take(const arrow::ArrayData& column,
                                                      std::span<const uint32_t> rows,
                                                      arrow::MemoryPool* pool);

// As Take for each partition of the plan; null for partitions without rows.
arrow::Result<std::vector<std::shared_ptr<arrow::ArrayData>>> TakeByPartition(const arrow::ArrayData& column,
                                                                              const RowPlan& plan,
                                                                              arrow::MemoryPool* pool);

}  // namespace arrowcdc
