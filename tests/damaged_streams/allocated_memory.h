// Memory that the process has allocated, of whatever library and by whatever call, as AddressSanitizer sees
// it. In a build without it nothing is counted.
#pragma once

#include <cstdint>

namespace arrowcdc::test {

// Whether memory is counted; from the first call on.
bool CountsAllocatedMemory();

// From its making on. One at a time.
class AllocatedMemory {
 public:
  AllocatedMemory();

  // The most that was allocated at one time, beyond what there was at the beginning.
  int64_t peak_bytes() const;
};

}  // namespace arrowcdc::test
