// A script that shows a fault, made shorter as long as it still does.
#pragma once

#include <chrono>
#include <functional>

#include "tests/same_wal/script.h"

namespace arrowcdc::test {

// Leaves transactions out, many at first, then single steps, until none can go or the time is over.
Script Shrink(Script script, const std::function<bool(const Script&)>& fails, std::chrono::seconds limit);

}  // namespace arrowcdc::test
