// CPU time and memory of processes, read from /proc.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <thread>

namespace arrowcdc::bench {

// User and system time of one process so far; 0 when it is gone.
double CpuSeconds(pid_t pid);
// Of a process of any number of threads and of its living children, in nanoseconds' steps.
double FamilyCpuSeconds(pid_t pid);
// Of a postmaster: itself, its living children, and those that have ended.
double ServerCpuSeconds(pid_t postmaster);
// Anonymous memory that is resident: what the process allocated itself, without shared buffers and without
// program text.
int64_t AnonymousBytes(pid_t pid);

double OwnCpuSeconds();
double OwnChildrenCpuSeconds();
// Highest resident size of this process so far, program text included.
int64_t OwnPeakBytes();

double LoadAverage();

// Watches one process from a thread, for processes that end before they can be asked.
class ProcessSampler {
 public:
  explicit ProcessSampler(pid_t pid);
  ~ProcessSampler();
  ProcessSampler(const ProcessSampler&) = delete;
  ProcessSampler& operator=(const ProcessSampler&) = delete;

  // Takes a last look and ends the thread.
  void Stop();
  double cpu_seconds() const { return cpu_seconds_; }
  int64_t peak_anonymous_bytes() const { return peak_bytes_; }

 private:
  void Look();

  const pid_t pid_;
  std::atomic<bool> stop_{false};
  double cpu_seconds_ = 0;
  int64_t peak_bytes_ = 0;
  std::thread thread_;
};

}  // namespace arrowcdc::bench
