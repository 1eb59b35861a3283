// The real command as a child process, and questions about its slot.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "tests/testing/private_server.h"
#include "tests/testing/subprocess.h"

namespace arrowcdc::test {

// build/arrowcdc of this build (ARROWCDC_COMMAND overrides the path).
std::filesystem::path CommandPath();

// arrowcdc SUBCOMMAND --source CONNINFO ARGUMENTS..., with JSON logs.
SubprocessOptions Command(const PrivateServer& server, const std::string& subcommand,
                          std::vector<std::string> arguments);

// Runs to the end; errors carry what the command said.
arrow::Status RunCommand(const PrivateServer& server, const std::string& subcommand,
                         std::vector<std::string> arguments);

arrow::Result<uint64_t> ConfirmedFlush(SqlConnection& sql, const std::string& slot = "arrowcdc");

// tests/replay/compare_replay.py: the files against the tables, both ways. OK only if nothing is lost,
// doubled or different.
arrow::Status CompareReplay(const PrivateServer& server, const std::filesystem::path& files,
                            const std::vector<std::string>& tables);

// tests/replay/compare_state.py: the same by the query that `arrowcdc sql` prints.
arrow::Status CompareState(const PrivateServer& server, const std::filesystem::path& files,
                           const std::vector<std::string>& tables);

struct HttpAnswer {
  int code = 0;  // 0: there was none
  std::string body{};
};
// Of a port of this machine.
HttpAnswer HttpGet(int port, const std::string& path);
// Where `--http 127.0.0.1:0` listens, as its log says; 0: it does not say so.
int HttpPort(const std::string& log);

// A directory that is removed with its object.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace arrowcdc::test
