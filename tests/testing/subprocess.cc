#include "tests/testing/subprocess.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <grp.h>
#include <sstream>
#include <string_view>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

#include "tests/testing/wait.h"

extern char** environ;

namespace arrowcdc::test {
namespace {

arrow::Status Errno(const std::string& what) {
  return arrow::Status::IOError(what, ": ", std::strerror(errno));
}

// All that the child needs between fork and exec, made before the fork: only async-signal-safe calls are
// allowed there.
struct ChildPlan {
  std::vector<const char*> argv;
  std::vector<const char*> envp;
  std::string program;
  int input = -1;
  int output = -1;
  int error = -1;
  pid_t parent = 0;
};

std::string FindProgram(const std::string& name) {
  if (name.find('/') != std::string::npos) return name;
  const char* path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "/usr/bin:/bin" : path);
  std::string folder;
  while (std::getline(folders, folder, ':')) {
    std::string candidate = folder + "/" + name;
    if (access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return name;
}

std::vector<std::string> Environment(const std::map<std::string, std::string>& changes) {
  std::vector<std::string> result;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    if (!changes.contains(std::string(text.substr(0, text.find('='))))) result.emplace_back(text);
  }
  for (const auto& [name, value] : changes) {
    if (!value.empty()) result.push_back(name + "=" + value);
  }
  return result;
}

[[noreturn]] void ChildExit(const char* what) {
  const char* reason = strerrordesc_np(errno);
  for (const char* part : {what, ": ", reason == nullptr ? "?" : reason, "\n"}) {
    if (write(STDERR_FILENO, part, std::strlen(part)) < 0) break;
  }
  _exit(127);
}

[[noreturn]] void RunChild(const SubprocessOptions& options, const ChildPlan& plan) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  signal(SIGPIPE, SIG_DFL);
  if (dup2(plan.error, STDERR_FILENO) < 0 || dup2(plan.input, STDIN_FILENO) < 0 ||
      dup2(plan.output, STDOUT_FILENO) < 0) {
    ChildExit("dup2");
  }
  if (options.own_session) setsid();
  if (!options.cwd.empty() && chdir(options.cwd.c_str()) != 0) ChildExit("chdir");
  if (options.run_as) {
    const gid_t gid = options.run_as->gid;
    if (setgroups(1, &gid) != 0 || setgid(gid) != 0 || setuid(options.run_as->uid) != 0)
      ChildExit("change of user");
  }
  // After the change of user, which resets it.
  if (options.death_signal != 0) {
    prctl(PR_SET_PDEATHSIG, options.death_signal);
    if (getppid() != plan.parent) _exit(127);
  }
  execve(plan.program.c_str(), const_cast<char**>(plan.argv.data()), const_cast<char**>(plan.envp.data()));
  ChildExit(plan.program.c_str());
}

std::string ReadAll(int fd) {
  std::string text;
  char buffer[1 << 16];
  off_t at = 0;
  for (;;) {
    const ssize_t got = pread(fd, buffer, sizeof buffer, at);
    if (got <= 0) return text;
    text.append(buffer, static_cast<size_t>(got));
    at += got;
  }
}

std::string Tail(const std::string& text, size_t bytes) {
  return text.size() <= bytes ? text : "..." + text.substr(text.size() - bytes);
}

// This process may have been started without the standard streams; a descriptor in their place would be lost
// at dup2.
int AboveStandard(int fd) {
  if (fd < 0 || fd > STDERR_FILENO) return fd;
  const int moved = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  close(fd);
  return moved;
}

void CloseFd(int* fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

}  // namespace

arrow::Result<std::unique_ptr<Subprocess>> Subprocess::Start(SubprocessOptions options) {
  if (options.argv.empty()) return arrow::Status::Invalid("no program given");
  std::unique_ptr<Subprocess> self(new Subprocess());
  self->name_ = options.argv[0];

  ChildPlan plan;
  plan.program = FindProgram(options.argv[0]);
  plan.parent = getpid();
  for (const auto& argument : options.argv) plan.argv.push_back(argument.c_str());
  plan.argv.push_back(nullptr);
  const auto environment = Environment(options.env);
  for (const auto& entry : environment) plan.envp.push_back(entry.c_str());
  plan.envp.push_back(nullptr);

  int pipe_fds[2];
  if (options.input_pipe) {
    if (pipe2(pipe_fds, O_CLOEXEC) != 0) return Errno("pipe");
    plan.input = AboveStandard(pipe_fds[0]);
    self->input_fd_ = AboveStandard(pipe_fds[1]);
  } else {
    plan.input = AboveStandard(memfd_create("stdin", MFD_CLOEXEC));
    if (plan.input < 0) return Errno("memfd_create");
    if (pwrite(plan.input, options.input.data(), options.input.size(), 0) !=
        static_cast<ssize_t>(options.input.size())) {
      return Errno("stdin");
    }
  }
  if (!options.output_file.empty()) {
    plan.output =
        AboveStandard(open(options.output_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
    if (plan.output < 0) return Errno(options.output_file.string());
    plan.error = plan.output;
  } else {
    self->error_fd_ = plan.error = AboveStandard(memfd_create("stderr", MFD_CLOEXEC));
    if (options.output_pipe) {
      if (pipe2(pipe_fds, O_CLOEXEC) != 0) return Errno("pipe");
      self->output_fd_ = AboveStandard(pipe_fds[0]);
      plan.output = AboveStandard(pipe_fds[1]);
    } else {
      self->output_fd_ = plan.output = AboveStandard(memfd_create("stdout", MFD_CLOEXEC));
      self->output_is_file_ = true;
    }
  }
  if (plan.output < 0 || plan.error < 0) return Errno("output");

  const pid_t pid = fork();
  if (pid == 0) RunChild(options, plan);
  const int fork_errno = errno;
  close(plan.input);
  if (plan.output != self->output_fd_) close(plan.output);
  if (pid < 0) {
    errno = fork_errno;
    return Errno("fork");
  }
  self->pid_ = pid;
  return self;
}

Subprocess::~Subprocess() {
  if (pid_ > 0) Kill();
  CloseFd(&input_fd_);
  CloseFd(&output_fd_);
  CloseFd(&error_fd_);
}

bool Subprocess::Reap(bool block) {
  if (ended_) return true;
  int status = 0;
  pid_t got = 0;
  do {
    got = waitpid(pid_, &status, block ? 0 : WNOHANG);
  } while (got < 0 && errno == EINTR);
  if (got == 0) return false;
  ExitState state;
  if (got == pid_ && WIFSIGNALED(status)) {
    state.signal = WTERMSIG(status);
  } else if (got == pid_) {
    state.code = WEXITSTATUS(status);
  } else {
    state.code = -1;  // somebody else reaped it
  }
  ended_ = state;
  return true;
}

bool Subprocess::Running() { return !Reap(false); }

arrow::Status Subprocess::Signal(int signal) {
  if (!Running()) return arrow::Status::Invalid(name_, " has ended already");
  if (kill(pid_, signal) != 0) return Errno("kill");
  return arrow::Status::OK();
}

ExitState Subprocess::Kill() {
  if (Running()) {
    kill(pid_, SIGKILL);
    Reap(true);
  }
  return *ended_;
}

arrow::Result<ExitState> Subprocess::Wait(std::chrono::milliseconds limit) {
  const auto status = WaitFor([this] { return Reap(false); }, limit, "the end of " + name_);
  if (!status.ok()) return arrow::Status::IOError(status.message(), "; it said: ", Tail(error(), 2000));
  return *ended_;
}

arrow::Status Subprocess::WaitForError(const std::string& text, std::chrono::milliseconds limit) {
  bool found = false;
  const auto look = [&] {
    const bool running = Running();  // before reading: what a dead child wrote is complete
    found = error().find(text) != std::string::npos;
    return found || !running;
  };
  const auto status = WaitFor(look, limit, name_ + " to say: " + text);
  if (found) return arrow::Status::OK();
  const std::string reason = status.ok() ? name_ + " ended without saying: " + text : status.message();
  return arrow::Status::IOError(reason, "; it said: ", Tail(error(), 2000));
}

std::string Subprocess::output() const { return output_is_file_ ? ReadAll(output_fd_) : ""; }

std::string Subprocess::error() const { return error_fd_ < 0 ? "" : ReadAll(error_fd_); }

std::vector<std::string> Subprocess::ErrorLines() const {
  std::vector<std::string> lines;
  std::istringstream text(error());
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  return lines;
}

void Subprocess::CloseInput() { CloseFd(&input_fd_); }

ProcessInfo ReadProcess(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string stat;
  std::getline(file, stat);
  const size_t name_end = stat.rfind(')');  // the name may hold anything
  char state = 0;
  ProcessInfo info;
  if (name_end == std::string::npos ||
      std::sscanf(stat.c_str() + name_end + 1, " %c %d", &state, &info.parent) != 2)
    return {};
  info.alive = state != 'Z' && state != 'X';
  return info;
}

arrow::Result<std::string> RunProgram(SubprocessOptions options, std::chrono::milliseconds limit) {
  const std::string name = options.argv.empty() ? "" : options.argv[0];
  ARROW_ASSIGN_OR_RAISE(auto child, Subprocess::Start(std::move(options)));
  ARROW_ASSIGN_OR_RAISE(const ExitState state, child->Wait(limit));
  if (!state.ok()) {
    return arrow::Status::IOError(name, " ended with code ", state.code, ", signal ", state.signal, ": ",
                                  Tail(child->error(), 2000));
  }
  return child->output();
}

}  // namespace arrowcdc::test
