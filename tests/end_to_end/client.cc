#include "tests/end_to_end/client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>

#include "arrowcdc/position.h"

namespace arrowcdc::test {

std::filesystem::path CommandPath() {
  const char* given = std::getenv("ARROWCDC_COMMAND");
  return given != nullptr ? given : ARROWCDC_COMMAND_PATH;
}

SubprocessOptions Command(const PrivateServer& server, const std::string& subcommand,
                          std::vector<std::string> arguments) {
  SubprocessOptions options;
  options.argv = {CommandPath(), "--log=json", subcommand, "--source", server.conninfo()};
  options.argv.insert(options.argv.end(), arguments.begin(), arguments.end());
  return options;
}

arrow::Status RunCommand(const PrivateServer& server, const std::string& subcommand,
                         std::vector<std::string> arguments) {
  return RunProgram(Command(server, subcommand, std::move(arguments)), std::chrono::minutes(2)).status();
}

arrow::Result<uint64_t> ConfirmedFlush(SqlConnection& sql, const std::string& slot) {
  ARROW_ASSIGN_OR_RAISE(
      const std::string text,
      sql.Scalar("SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '" + slot + "'"));
  return ParseLsn(text);
}

namespace {

arrow::Status Compare(std::vector<std::string> program, const std::vector<std::string>& tables) {
  SubprocessOptions options;
  options.argv = std::move(program);
  options.argv.insert(options.argv.end(), tables.begin(), tables.end());
  ARROW_ASSIGN_OR_RAISE(auto child, Subprocess::Start(std::move(options)));
  ARROW_ASSIGN_OR_RAISE(const ExitState ended, child->Wait(std::chrono::minutes(5)));
  if (ended.ok()) return arrow::Status::OK();
  return arrow::Status::Invalid("the files are not what the tables are\n", child->output(), child->error());
}

}  // namespace

arrow::Status CompareReplay(const PrivateServer& server, const std::filesystem::path& files,
                            const std::vector<std::string>& tables) {
  return Compare({ARROWCDC_PYTHON, std::string(ARROWCDC_COMPARE) + "/compare_replay.py", "--parquet", files,
                  "--conninfo", server.conninfo(), "--tables"},
                 tables);
}

arrow::Status CompareState(const PrivateServer& server, const std::filesystem::path& files,
                           const std::vector<std::string>& tables) {
  return Compare({ARROWCDC_PYTHON, std::string(ARROWCDC_COMPARE) + "/compare_state.py", CommandPath(), files,
                  server.conninfo()},
                 tables);
}

HttpAnswer HttpGet(int port, const std::string& path) {
  HttpAnswer answer;
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in name = {};
  name.sin_family = AF_INET;
  name.sin_port = htons(static_cast<uint16_t>(port));
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const std::string request = "GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
  std::string text;
  if (connect(fd, reinterpret_cast<sockaddr*>(&name), sizeof name) == 0 &&
      write(fd, request.data(), request.size()) == static_cast<ssize_t>(request.size())) {
    char bytes[4096];
    for (ssize_t got; (got = read(fd, bytes, sizeof bytes)) > 0;)
      text.append(bytes, static_cast<size_t>(got));
  }
  close(fd);
  const size_t head = text.find("\r\n\r\n");
  if (head == std::string::npos) return answer;
  answer.code = std::atoi(text.c_str() + std::string("HTTP/1.1 ").size());
  answer.body = text.substr(head + 4);
  return answer;
}

int HttpPort(const std::string& log) {
  const std::string url = "http://127.0.0.1:";
  const size_t at = log.find(url);
  return at == std::string::npos ? 0 : std::atoi(log.c_str() + at + url.size());
}

TemporaryDirectory::TemporaryDirectory() {
  std::string name = std::filesystem::temp_directory_path() / "arrowcdc-test-XXXXXX";
  if (mkdtemp(name.data()) == nullptr) std::abort();
  path_ = name;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace arrowcdc::test
