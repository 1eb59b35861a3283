// The seed of a random test: ARROWCDC_TEST_SEED, or a new one in every run. When a test fails it is printed
// with how to replay it.
#pragma once

#include <cstdint>

namespace arrowcdc::test {

// The same value throughout a process.
uint64_t Seed();

}  // namespace arrowcdc::test
