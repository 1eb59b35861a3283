// Waiting in tests: poll a condition against a deadline, never sleep for a guessed time.
#pragma once

#include <chrono>
#include <functional>
#include <string_view>

#include <arrow/status.h>

namespace arrowcdc::test {

// Polls `condition` until it is true. Errors: IOError naming `what` when `limit` has passed first.
arrow::Status WaitFor(const std::function<bool()>& condition, std::chrono::milliseconds limit,
                      std::string_view what);

}  // namespace arrowcdc::test
