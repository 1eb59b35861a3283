// The drains that go through arrowcdc's public client library.
#pragma once

#include "bench/drain.h"

namespace arrowcdc::bench {

// Batches are dropped as they come from the source, which has validated them.
arrow::Result<DrainResult> DrainSource(const DrainTask& task, const Started& started,
                                       const std::function<void(const DrainResult&)>& hold);
// The same through a set of readers with one reader.
arrow::Result<DrainResult> DrainReaders(const DrainTask& task, const Started& started,
                                        const std::function<void(const DrainResult&)>& hold);
// The whole pipeline into a Parquet sink, until all is durable.
arrow::Result<DrainResult> DrainPipeline(const DrainTask& task, const Started& started,
                                         const std::function<void(const DrainResult&)>& hold);

}  // namespace arrowcdc::bench
