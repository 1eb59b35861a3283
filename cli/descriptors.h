// Descriptors 0, 1 and 2 that the parent closed.
#pragma once

namespace arrowcdc::cli {

// Opens /dev/null in the place of each, so that no file and no socket gets its number: log lines would be
// written into that. Call it before anything opens a descriptor.
void OpenStandardDescriptors();

// What is written to standard output goes nowhere.
bool StandardOutputWasClosed();

}  // namespace arrowcdc::cli
