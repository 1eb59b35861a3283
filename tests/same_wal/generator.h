// A seed makes a script: transactions of several sessions, interleaved, with everything that reaches the WAL.
#pragma once

#include <cstdint>

#include "tests/same_wal/script.h"

namespace arrowcdc::test {

// Tables of schema a are published by their roots, those of b as they are, and of c inserts and truncates
// alone: publications a, b and c. Publication as_text has a table of a type that pgoutput cannot send in its
// binary form.
Script Generate(uint64_t seed);

}  // namespace arrowcdc::test
