// CPU time of a process is all of it: of threads that have ended, and of children.
#include "bench/process_stats.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ctime>
#include <thread>

#include <gtest/gtest.h>

namespace arrowcdc::bench {
namespace {

constexpr double kSeconds = 0.1;

double ThreadSeconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

void Burn() {
  const double end = ThreadSeconds() + kSeconds;
  while (ThreadSeconds() < end) continue;
}

TEST(ProcessStatsTest, FamilyHasThreadsThatEnded) {
  const double before = FamilyCpuSeconds(getpid());
  std::thread(Burn).join();
  const double used = FamilyCpuSeconds(getpid()) - before;
  EXPECT_GE(used, kSeconds);
  EXPECT_LT(used, 10 * kSeconds);
}

TEST(ProcessStatsTest, FamilyHasLivingChildren) {
  const double before = FamilyCpuSeconds(getpid());
  int burnt[2];
  ASSERT_EQ(pipe(burnt), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    Burn();
    [[maybe_unused]] const ssize_t written = write(burnt[1], "x", 1);
    pause();
    _exit(0);
  }
  char byte;
  EXPECT_EQ(read(burnt[0], &byte, 1), 1);
  EXPECT_GE(FamilyCpuSeconds(child), kSeconds);
  EXPECT_GE(FamilyCpuSeconds(getpid()) - before, kSeconds);
  kill(child, SIGKILL);
  EXPECT_EQ(waitpid(child, nullptr, 0), child);
  close(burnt[0]);
  close(burnt[1]);
  EXPECT_EQ(FamilyCpuSeconds(child), 0);
}

}  // namespace
}  // namespace arrowcdc::bench
