// What this process costs.
#pragma once

#include <cstdint>

namespace arrowcdc::cli {

struct ProcessUsage {
  double cpu_seconds = 0;
  uint64_t resident_bytes = 0;
};

ProcessUsage ReadProcessUsage();

}  // namespace arrowcdc::cli
