// Where a server's history left earlier timelines.
#pragma once

#include <cstdint>
#include <string_view>

#include <arrow/result.h>

#include "src/postgres/client/connection.h"

namespace arrowcdc::postgres {

// Of a timeline history file: the switch point behind `timeline`. Pure.
// Errors: kPositionGap when the history does not go through it.
arrow::Result<uint64_t> TimelineEndIn(std::string_view history, uint32_t timeline);

// Reads the history of `current` on a replication connection.
arrow::Result<uint64_t> ReadTimelineEnd(Connection& connection, uint32_t current, uint32_t timeline);

}  // namespace arrowcdc::postgres
