#include "bench/process_stats.h"

#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace arrowcdc::bench {
namespace {

std::string ReadText(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

struct CpuTimes {
  pid_t parent = 0;
  double own = 0;
  double ended_children = 0;
};

// The fields behind the program's name, which may hold anything: state is field 3 of proc(5).
CpuTimes ReadCpuTimes(pid_t pid) {
  const std::string stat = ReadText("/proc/" + std::to_string(pid) + "/stat");
  const size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) return {};
  std::istringstream fields(stat.substr(name_end + 1));
  std::string field;
  double values[18] = {};
  for (int number = 3; number <= 17 && fields >> field; ++number) values[number] = std::atof(field.c_str());
  const double ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  return {.parent = static_cast<pid_t>(values[4]),
          .own = (values[14] + values[15]) / ticks,
          .ended_children = (values[16] + values[17]) / ticks};
}

int64_t StatusBytes(const std::string& process, const std::string& name) {
  std::istringstream lines(ReadText("/proc/" + process + "/status"));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(name + ":")) return std::atoll(line.c_str() + name.size() + 1) * 1024;
  }
  return 0;
}

// Of all threads of a process, those that have ended included; 0 when it is gone.
double ClockSeconds(pid_t pid) {
  clockid_t clock;
  timespec time{};
  if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &time) != 0) return 0;
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

double UsageSeconds(int who) {
  rusage usage{};
  getrusage(who, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace

// schedstat counts nanoseconds; where the kernel does not offer it, stat counts ticks of 10 ms.
double CpuSeconds(pid_t pid) {
  const std::string text = ReadText("/proc/" + std::to_string(pid) + "/schedstat");
  const double nanoseconds = std::atof(text.c_str());
  return nanoseconds > 0 ? nanoseconds * 1e-9 : ReadCpuTimes(pid).own;
}

double FamilyCpuSeconds(pid_t pid) {
  double seconds = ClockSeconds(pid);
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const pid_t other = std::atoi(entry.path().filename().c_str());
    if (other > 0 && ReadCpuTimes(other).parent == pid) seconds += ClockSeconds(other);
  }
  return seconds;
}

double ServerCpuSeconds(pid_t postmaster) {
  const CpuTimes own = ReadCpuTimes(postmaster);
  double seconds = own.own + own.ended_children;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const pid_t pid = std::atoi(entry.path().filename().c_str());
    if (pid > 0 && ReadCpuTimes(pid).parent == postmaster) seconds += CpuSeconds(pid);
  }
  return seconds;
}

int64_t AnonymousBytes(pid_t pid) { return StatusBytes(std::to_string(pid), "RssAnon"); }

double OwnCpuSeconds() { return UsageSeconds(RUSAGE_SELF); }

double OwnChildrenCpuSeconds() { return UsageSeconds(RUSAGE_CHILDREN); }

int64_t OwnPeakBytes() { return StatusBytes("self", "VmHWM"); }

double LoadAverage() { return std::atof(ReadText("/proc/loadavg").c_str()); }

ProcessSampler::ProcessSampler(pid_t pid) : pid_(pid) {
  thread_ = std::thread([this] {
    while (!stop_) {
      Look();
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  });
}

ProcessSampler::~ProcessSampler() { Stop(); }

void ProcessSampler::Stop() {
  if (!thread_.joinable()) return;
  stop_ = true;
  thread_.join();
  Look();
}

// A process that has ended keeps the figures of the last look.
void ProcessSampler::Look() {
  cpu_seconds_ = std::max(cpu_seconds_, CpuSeconds(pid_));
  peak_bytes_ = std::max(peak_bytes_, AnonymousBytes(pid_));
}

}  // namespace arrowcdc::bench
