#include "cli/password_command.h"

#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <optional>
#include <utility>

#include "arrowcdc/error.h"
#include "arrowcdc/password.h"

namespace arrowcdc::cli {
namespace {

constexpr size_t kBytesMax = 64 << 10;  // of a password: tokens are long

arrow::Status Failed(const std::string& what) {
  return MakeError(ErrorKind::kInvalidOption, what, "option --password-command",
                   "run the command by hand: it must print the password and nothing else");
}

}  // namespace

arrow::Result<std::string> RunPasswordCommand(const std::string& command) {
  FILE* const pipe = popen(command.c_str(), "re");
  if (pipe == nullptr) return Failed(std::string("the command cannot be run: ") + std::strerror(errno));
  std::string password;
  std::array<char, 4096> bytes;
  for (size_t got; (got = std::fread(bytes.data(), 1, bytes.size(), pipe)) > 0;) {
    if (password.size() <= kBytesMax) password.append(bytes.data(), got);
  }
  const int ended = pclose(pipe);
  if (ended == -1 || !WIFEXITED(ended)) return Failed("the command was ended by a signal");
  if (WEXITSTATUS(ended) != 0)
    return Failed("the command ended with exit code " + std::to_string(WEXITSTATUS(ended)));
  if (password.ends_with('\n')) password.pop_back();
  if (password.ends_with('\r')) password.pop_back();
  if (password.empty()) return Failed("the command printed nothing");
  if (password.size() > kBytesMax || password.find('\n') != std::string::npos ||
      password.find('\0') != std::string::npos)
    return Failed("what the command printed is no password: it has several lines, or is too long");
  return password;
}

arrow::Status UsePasswordOf(const std::string& command) {
  ARROW_ASSIGN_OR_RAISE(std::string first, RunPasswordCommand(command));
  SetPasswordProvider(
      [command, first = std::optional(std::move(first))]() mutable -> arrow::Result<std::string> {
        if (first.has_value()) return *std::exchange(first, std::nullopt);
        return RunPasswordCommand(command);
      });
  return arrow::Status::OK();
}

}  // namespace arrowcdc::cli
