// The one place in the tests that sleeps: between two looks at a condition.
#include "tests/testing/wait.h"

#include <algorithm>
#include <thread>

namespace arrowcdc::test {

arrow::Status WaitFor(const std::function<bool()>& condition, std::chrono::milliseconds limit,
                      std::string_view what) {
  using Clock = std::chrono::steady_clock;
  const auto deadline = Clock::now() + limit;
  auto pause = std::chrono::milliseconds(1);
  while (!condition()) {
    if (Clock::now() >= deadline) {
      return arrow::Status::IOError("gave up after ", limit.count(), " ms waiting for ", what);
    }
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, std::chrono::milliseconds(20));
  }
  return arrow::Status::OK();
}

}  // namespace arrowcdc::test
