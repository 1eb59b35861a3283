#include "cli/monitor/process_usage.h"

#include <sys/resource.h>
#include <unistd.h>

#include <fstream>

namespace arrowcdc::cli {

ProcessUsage ReadProcessUsage() {
  constexpr double kMicrosecond = 1e-6;
  ProcessUsage usage;
  rusage used = {};
  if (getrusage(RUSAGE_SELF, &used) == 0) {
    for (const timeval& time : {used.ru_utime, used.ru_stime})
      usage.cpu_seconds +=
          static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * kMicrosecond;
  }
  std::ifstream pages("/proc/self/statm");
  uint64_t total = 0;
  uint64_t resident = 0;
  if (pages >> total >> resident)
    usage.resident_bytes = resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  return usage;
}

}  // namespace arrowcdc::cli
