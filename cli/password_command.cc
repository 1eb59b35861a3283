#include "cli/password_command.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>
#include <utility>

#include "arrowcdc/error.h"
#include "arrowcdc/password.h"

namespace arrowcdc::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kBytesMax = 64 << 10;  // of a password: tokens are long
constexpr std::chrono::seconds kPatience(60);

arrow::Status Failed(const std::string& what) {
  return MakeError(ErrorKind::kInvalidOption, what, "option --password-command",
                   "run the command by hand: it must print the password and nothing else");
}

// What it asks may be away: another time it may come.
arrow::Status NotNow(const std::string& what) {
  return MakeError(ErrorKind::kAuthentication, what, "option --password-command",
                   "run the command by hand: it must print the password and nothing else", "",
                   /*retryable=*/true);
}

arrow::Status CannotRun(int error) {
  return Failed(std::string("the command cannot be run: ") + std::strerror(error));
}

// A command of the shell's, whose standard output is read. It ends with this object.
class Child {
 public:
  Child() = default;
  ~Child() {
    if (output_ >= 0) close(output_);
    if (pid_ <= 0) return;
    (void)kill(pid_, SIGKILL);
    (void)Reap();
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  arrow::Status Start(const std::string& command) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return CannotRun(errno);
    output_ = ends[0];
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t usual;  // a stream ignores it
    sigemptyset(&usual);
    sigaddset(&usual, SIGPIPE);
    posix_spawnattr_setsigdefault(&attributes, &usual);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    std::string text = command;
    char shell[] = "sh";
    char option[] = "-c";
    char* const argv[] = {shell, option, text.data(), nullptr};
    const int error = posix_spawn(&pid_, "/bin/sh", &actions, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (error != 0) pid_ = -1;
    return error == 0 ? arrow::Status::OK() : CannotRun(error);
  }

  int output() const { return output_; }

  // Readable once it has ended; -1 where that cannot be had.
  int OpenEnd() const { return static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)); }

  // Blocking. As waitpid() has it; -1: it cannot be told.
  int Reap() {
    int state = -1;
    while (waitpid(pid_, &state, 0) == -1 && errno == EINTR) continue;
    pid_ = -1;
    return state;
  }

 private:
  pid_t pid_ = -1;
  int output_ = -1;
};

arrow::Status WaitOrFail(int fd, const StopToken* stop, Clock::time_point deadline) {
  switch (WaitFor(fd, POLLIN, stop, deadline)) {
    case Wake::kReady:
      return arrow::Status::OK();
    case Wake::kStopped:
      return MakeError(ErrorKind::kInterrupted, "stopped while --password-command was running", "", "");
    case Wake::kTimeout:
      break;
  }
  return NotNow("the command did not end in time, and was ended");
}

// Until it prints no more, or too much.
arrow::Result<std::string> ReadAll(int fd, const StopToken* stop, Clock::time_point deadline) {
  std::string text;
  std::array<char, 4096> bytes;
  while (text.size() <= kBytesMax) {
    ARROW_RETURN_NOT_OK(WaitOrFail(fd, stop, deadline));
    const ssize_t got = read(fd, bytes.data(), bytes.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    text.append(bytes.data(), static_cast<size_t>(got));
  }
  return text;
}

arrow::Status WaitForEnd(Child& child, const StopToken* stop, Clock::time_point deadline) {
  if (const int end = child.OpenEnd(); end >= 0) {
    const arrow::Status waited = WaitOrFail(end, stop, deadline);
    close(end);
    ARROW_RETURN_NOT_OK(waited);
  }
  const int state = child.Reap();
  constexpr int kNotExecutable = 126;  // of the shell's, as the next one
  constexpr int kNotFound = 127;
  if (state == -1 || !WIFEXITED(state)) return NotNow("the command was ended by a signal");
  const int code = WEXITSTATUS(state);
  if (code == 0) return arrow::Status::OK();
  const std::string what = "the command ended with exit code " + std::to_string(code);
  return code == kNotExecutable || code == kNotFound ? Failed(what) : NotNow(what);
}

}  // namespace

arrow::Result<std::string> RunPasswordCommand(const std::string& command, const StopToken* stop,
                                              Clock::time_point deadline) {
  Child child;
  ARROW_RETURN_NOT_OK(child.Start(command));
  ARROW_ASSIGN_OR_RAISE(std::string password, ReadAll(child.output(), stop, deadline));
  const bool too_long = password.size() > kBytesMax;
  if (!too_long) ARROW_RETURN_NOT_OK(WaitForEnd(child, stop, deadline));
  if (password.ends_with('\n')) password.pop_back();
  if (password.ends_with('\r')) password.pop_back();
  if (password.empty()) return Failed("the command printed nothing");
  if (too_long || password.find('\n') != std::string::npos || password.find('\0') != std::string::npos)
    return Failed("what the command printed is no password: it has several lines, or is too long");
  return password;
}

arrow::Status UsePasswordOf(const std::string& command, std::shared_ptr<StopToken> stop) {
  const bool somebody_types = isatty(STDIN_FILENO) == 1;
  ARROW_ASSIGN_OR_RAISE(
      std::string first,
      RunPasswordCommand(command, stop.get(), somebody_types ? kNoPasswordLimit : Clock::now() + kPatience));
  SetPasswordProvider([command, stop = std::move(stop),
                       first = std::optional(std::move(first))]() mutable -> arrow::Result<std::string> {
    if (first.has_value()) return *std::exchange(first, std::nullopt);
    return RunPasswordCommand(command, stop.get(), Clock::now() + kPatience);
  });
  return arrow::Status::OK();
}

}  // namespace arrowcdc::cli
