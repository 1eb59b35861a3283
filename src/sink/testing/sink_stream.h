// The stream that the sinks' tests store.
#pragma once

#include <cstdint>

#include "arrowcdc/sink.h"

namespace arrowcdc::test {

inline StreamIdentity TestStream() {
  return {{"postgresql", "7123456789012345678"}, "shop", "arrowcdc", {"p"}, {}};
}

inline Position At(uint64_t order, uint32_t epoch = 1) { return {epoch, order}; }

}  // namespace arrowcdc::test
