#include "arrowcdc/stop_token.h"

#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include <gtest/gtest.h>

namespace arrowcdc {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

StopToken* signalled = nullptr;

bool Readable(const StopToken& token) {
  pollfd entry{token.fd(), POLLIN, 0};
  return poll(&entry, 1, 0) == 1;
}

TEST(StopToken, BeginsAsNotStopped) {
  const StopToken token;
  EXPECT_FALSE(token.stopped());
  EXPECT_FALSE(Readable(token));
  EXPECT_FALSE(token.Wait(milliseconds(1)));
}

TEST(StopToken, StopsForGood) {
  StopToken token;
  token.Stop();
  token.StopAfter(seconds(3600));
  EXPECT_TRUE(token.stopped());
  EXPECT_TRUE(Readable(token));
  EXPECT_TRUE(token.Wait(seconds(3600)));
}

TEST(StopToken, StopsWhenTheTimeIsOver) {
  StopToken token;
  const auto began = Clock::now();
  token.StopAfter(milliseconds(50));
  EXPECT_TRUE(token.Wait(seconds(60)));
  EXPECT_GE(Clock::now() - began, milliseconds(50));
  EXPECT_TRUE(token.stopped());
}

TEST(StopToken, ASignalHandlerEndsAWait) {
  StopToken token;
  signalled = &token;
  std::signal(SIGUSR1, [](int) { signalled->Stop(); });
  std::thread waiting([&] { EXPECT_TRUE(token.Wait(seconds(60))); });
  kill(getpid(), SIGUSR1);
  waiting.join();
  std::signal(SIGUSR1, SIG_DFL);
}

TEST(WaitFor, TellsWhyItEnded) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  StopToken token;
  const auto later = Clock::now() + seconds(60);
  EXPECT_EQ(WaitFor(ends[1], POLLOUT, &token, later), Wake::kReady);
  EXPECT_EQ(WaitFor(ends[1], POLLOUT, nullptr, later), Wake::kReady);
  EXPECT_EQ(WaitFor(ends[0], POLLIN, &token, Clock::now() + milliseconds(1)), Wake::kTimeout);
  close(ends[1]);
  EXPECT_EQ(WaitFor(ends[0], POLLIN, &token, later), Wake::kReady);  // its writer has gone
  close(ends[0]);
  token.Stop();
  EXPECT_EQ(WaitFor(-1, 0, &token, later), Wake::kStopped);
}

TEST(StopToken, WorksWithoutADescriptor) {
  rlimit old;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &old), 0);
  rlimit none = old;
  none.rlim_cur = 0;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  StopToken token;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &old), 0);
  ASSERT_EQ(token.fd(), -1);
  std::thread waiting([&] { EXPECT_TRUE(token.Wait(seconds(60))); });
  token.Stop();
  waiting.join();
}

}  // namespace
}  // namespace arrowcdc
