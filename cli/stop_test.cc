#include "cli/stop.h"

#include <unistd.h>

#include <chrono>

#include <gtest/gtest.h>

#include "cli/exit_code.h"

namespace arrowcdc::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Work that nothing can end, as a write to a disk that hangs.
[[noreturn]] void Hang() {
  while (true) pause();
}

TEST(StopLimit, EndsAProcessThatIsBusyForTooLong) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_EXIT(
      {
        const auto stop = std::make_shared<StopToken>();
        const StopLimit limit(stop, milliseconds(50), "too late");
        stop->Stop();
        Hang();
      },
      testing::ExitedWithCode(kInterrupted), "");
}

TEST(StopLimit, LeavesOneAloneThatWasNotStoppedOrIsDoneInTime) {
  const auto stop = std::make_shared<StopToken>();
  { const StopLimit limit(stop, milliseconds(0), "not stopped"); }
  stop->Stop();
  { const StopLimit limit(stop, seconds(600), "done in time"); }
  SUCCEED();
}

}  // namespace
}  // namespace arrowcdc::cli
