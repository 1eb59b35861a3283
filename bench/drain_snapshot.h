// The drains of a table's rows as they are, not of its changes.
#pragma once

#include "bench/drain.h"

namespace arrowcdc::bench {

// By arrowcdc's pipeline with a snapshot alone, into a sink that drops what it gets, or into Parquet files.
// Its time begins before the point is taken and ends when all is stored.
arrow::Result<DrainResult> DrainSnapshot(const DrainTask& task, const Started& started,
                                         const std::function<void(const DrainResult&)>& hold);

}  // namespace arrowcdc::bench
