#include "src/change/abandonable.h"

namespace arrowcdc {

std::atomic<int> abandonable_threads = 0;

bool HasAbandonedWork() noexcept { return abandonable_threads > 0; }

}  // namespace arrowcdc
