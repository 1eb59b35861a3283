// The work stands for a name server that never answers.
#include "src/change/abandonable.h"

#include <latch>
#include <memory>

#include <gtest/gtest.h>

namespace arrowcdc {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(RunAbandonable, HandsOnTheResult) {
  StopToken token;
  EXPECT_EQ(RunAbandonable(&token, [] { return 7; }), 7);
  EXPECT_EQ(RunAbandonable(nullptr, [owned = std::make_unique<int>(8)] { return *owned; }), 8);
}

TEST(RunAbandonable, NobodyWaitsForWorkThatHangs) {
  struct Shared {
    std::latch answered{1};
    std::latch left{1};
  };
  const auto shared = std::make_shared<Shared>();
  StopToken token;
  token.StopAfter(milliseconds(100));
  const auto began = Clock::now();
  const auto result = RunAbandonable(&token, [shared] {
    shared->answered.wait();
    shared->left.count_down();
    return 1;
  });
  EXPECT_EQ(result, std::nullopt);
  EXPECT_LT(Clock::now() - began, seconds(1));
  EXPECT_TRUE(HasAbandonedWork());
  shared->answered.count_down();  // the thread ends with the test
  shared->left.wait();
}

TEST(RunAbandonable, StoppedBeforehand) {
  StopToken token;
  token.Stop();
  const auto answered = std::make_shared<std::latch>(1);
  EXPECT_EQ(RunAbandonable(&token,
                           [answered] {
                             answered->wait();
                             return 1;
                           }),
            std::nullopt);
  answered->count_down();
}

}  // namespace
}  // namespace arrowcdc
