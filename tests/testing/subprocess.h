// A child process of a test. It is killed with its object, and by the kernel when the thread that started it
// ends.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

#include <arrow/result.h>

namespace arrowcdc::test {

// Run as another user (only root can).
struct RunAs {
  uid_t uid = 0;
  gid_t gid = 0;
  std::string name;
};

struct SubprocessOptions {
  std::vector<std::string> argv;           // argv[0] is looked up in PATH
  std::map<std::string, std::string> env;  // on top of this process's; an empty value unsets the name
  std::filesystem::path cwd;
  std::optional<RunAs> run_as;
  std::string input;                  // what the child reads on stdin
  bool input_pipe = false;            // stdin is a pipe instead: input_fd()
  bool output_pipe = false;           // stdout is a pipe: output_fd(); else it is kept: output()
  std::filesystem::path output_file;  // stdout and stderr are appended here
  bool own_session = false;           // setsid: signals of the terminal do not reach it
  int death_signal = 9;               // when the starting thread ends; 0: none
};

struct ExitState {
  int code = 0;    // meaningful if signal is 0
  int signal = 0;  // that ended it
  bool ok() const { return code == 0 && signal == 0; }
};

// Output goes to memory files, so a child never blocks on a reader that does not read.
class Subprocess {
 public:
  static arrow::Result<std::unique_ptr<Subprocess>> Start(SubprocessOptions options);
  // Kills and reaps.
  ~Subprocess();
  Subprocess(const Subprocess&) = delete;
  Subprocess& operator=(const Subprocess&) = delete;

  pid_t pid() const { return pid_; }
  bool Running();
  arrow::Status Signal(int signal);
  // SIGKILL, and waits until it is gone.
  ExitState Kill();
  // Errors: IOError with the child's last words when it has not ended in time.
  arrow::Result<ExitState> Wait(std::chrono::milliseconds limit);
  // Waits until stderr holds `text`; an error when the child ends without it, or in time.
  arrow::Status WaitForError(const std::string& text, std::chrono::milliseconds limit);

  // What the child has written so far.
  std::string output() const;
  std::string error() const;
  std::vector<std::string> ErrorLines() const;

  int input_fd() const { return input_fd_; }
  int output_fd() const { return output_fd_; }
  void CloseInput();

 private:
  Subprocess() = default;
  bool Reap(bool block);

  std::string name_;
  pid_t pid_ = -1;
  std::optional<ExitState> ended_;
  int input_fd_ = -1;   // ours to write
  int output_fd_ = -1;  // ours to read: pipe or memory file
  int error_fd_ = -1;
  bool output_is_file_ = false;
};

// What /proc says of any process.
struct ProcessInfo {
  bool alive = false;  // exists, and is not a zombie
  pid_t parent = 0;
};
ProcessInfo ReadProcess(pid_t pid);

// Runs to the end. Errors: IOError with stderr when it does not exit with 0 in time. Returns stdout.
arrow::Result<std::string> RunProgram(SubprocessOptions options,
                                      std::chrono::milliseconds limit = std::chrono::minutes(1));

}  // namespace arrowcdc::test
