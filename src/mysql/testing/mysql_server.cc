#include "src/mysql/testing/mysql_server.h"

#include <arpa/inet.h>
#include <csignal>
#include <cstdlib>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

#include "src/mysql/client/url.h"
#include "tests/testing/wait.h"

namespace arrowcdc::mysql::test {
namespace {

namespace fs = std::filesystem;
using arrowcdc::test::Subprocess;
using arrowcdc::test::SubprocessOptions;
using std::chrono::seconds;

constexpr seconds kLimit{60};

fs::path FilesOf(Flavor flavor) {
  const char* const given = std::getenv("ARROWCDC_MYSQL_SERVERS");
  const fs::path all =
      given != nullptr && *given != '\0' ? fs::path(given) : fs::path(ARROWCDC_MYSQL_SERVERS);
  return all / (flavor == Flavor::kMysql ? "mysql" : "mariadb");
}

arrow::Result<int> FreePort() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  const bool bound = fd >= 0 && bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                     getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  if (fd >= 0) close(fd);
  if (!bound) return arrow::Status::IOError("no free port on 127.0.0.1");
  return ntohs(address.sin_port);
}

// A program runs by the loader and with the libraries of its own release.
std::vector<std::string> Program(const fs::path& root, const std::string& path) {
  fs::path loader = root / "usr/lib64/ld-linux-x86-64.so.2";
  if (!fs::exists(loader)) loader = root / "lib64/ld-linux-x86-64.so.2";
  const std::string usr = root / "usr";
  return {loader, "--library-path", usr + "/lib/x86_64-linux-gnu:" + (root / "lib/x86_64-linux-gnu").string(),
          usr + path};
}

}  // namespace

bool HasServer(Flavor flavor) { return fs::exists(FilesOf(flavor) / "complete"); }

arrow::Result<std::unique_ptr<MysqlServer>> MysqlServer::Create(Flavor flavor,
                                                                std::vector<std::string> arguments,
                                                                std::string program) {
  const char* const temporary = std::getenv("TMPDIR");
  std::string name =
      std::string(temporary != nullptr && *temporary != '\0' ? temporary : "/tmp") + "/arrowcdc-test-XXXXXX";
  if (mkdtemp(name.data()) == nullptr) return arrow::Status::IOError("no temporary directory");
  fs::copy(FilesOf(flavor) / "data", fs::path(name) / "data", fs::copy_options::recursive);
  // Each server is to have an identity of its own.
  fs::remove(fs::path(name) / "data" / "auto.cnf");
  ARROW_ASSIGN_OR_RAISE(const int port, FreePort());
  std::unique_ptr<MysqlServer> server(
      new MysqlServer(flavor, std::move(arguments), std::move(program), name, port));
  ARROW_RETURN_NOT_OK(server->Start());
  return server;
}

MysqlServer::MysqlServer(Flavor flavor, std::vector<std::string> arguments, std::string program,
                         fs::path directory, int port)
    : flavor_(flavor),
      arguments_(std::move(arguments)),
      program_(std::move(program)),
      directory_(std::move(directory)),
      port_(port) {}

MysqlServer::~MysqlServer() {
  connection_.reset();
  process_.reset();
  std::error_code ignored;
  fs::remove_all(directory_, ignored);
}

arrow::Status MysqlServer::Start() {
  const fs::path root = FilesOf(flavor_) / "root";
  const bool mysql = flavor_ == Flavor::kMysql;
  const std::string usr = root / "usr";
  SubprocessOptions options;
  options.argv = Program(root, mysql ? "/sbin/mysqld" : "/sbin/mariadbd");
  const std::vector<std::string> common = {
      "--no-defaults", "--basedir=" + usr, "--datadir=" + data_directory().string(),
      "--lc-messages-dir=" + usr + "/share/mysql", "--character-sets-dir=" + usr + "/share/mysql/charsets",
      "--socket=" + (directory_ / "s").string(), "--pid-file=" + (directory_ / "pid").string(),
      // A MariaDB that starts removes the temporary tables of others there, and those crash.
      "--tmpdir=" + directory_.string(), "--bind-address=127.0.0.1", "--port=" + std::to_string(port_),
      "--server-id=1", "--log-bin=binlog", "--binlog-format=ROW", "--binlog-row-metadata=FULL",
      "--innodb-buffer-pool-size=64M",
      // No test here loses power.
      "--innodb-flush-log-at-trx-commit=2"};
  if (!program_.empty()) options.argv.insert(options.argv.begin() + 1, {"--argv0", program_});
  options.argv.insert(options.argv.end(), common.begin(), common.end());
  if (geteuid() == 0) options.argv.push_back("--user=root");
  const std::vector<std::string> own =
      mysql ? std::vector<std::string>{"--gtid-mode=ON",
                                       "--enforce-gtid-consistency=ON",
                                       "--mysqlx=OFF",
                                       "--performance-schema=OFF",
                                       "--secure-file-priv=NULL",
                                       "--plugin-dir=" + usr + "/lib/mysql/plugin"}
            : std::vector<std::string>{"--gtid-strict-mode=ON", "--plugin-dir=" + usr + "/lib/mysql/plugin"};
  options.argv.insert(options.argv.end(), own.begin(), own.end());
  options.argv.insert(options.argv.end(), arguments_.begin(), arguments_.end());
  options.output_file = directory_ / "server.log";
  options.cwd = directory_;
  ARROW_ASSIGN_OR_RAISE(process_, Subprocess::Start(std::move(options)));
  const arrow::Status ready = arrowcdc::test::WaitFor(
      [&] {
        auto connection = Connect();
        if (connection.ok()) connection_ = *std::move(connection);
        return connection_ != nullptr || !process_->Running();
      },
      kLimit, "the server to accept connections");
  ARROW_RETURN_NOT_OK(ready);
  if (connection_ == nullptr)
    return arrow::Status::IOError("the server did not start: see " + (directory_ / "server.log").string());
  return arrow::Status::OK();
}

arrow::Status MysqlServer::Stop() {
  connection_.reset();
  ARROW_RETURN_NOT_OK(process_->Signal(SIGTERM));
  return process_->Wait(kLimit).status();
}

arrow::Status MysqlServer::Crash() {
  connection_.reset();
  process_->Kill();
  return arrow::Status::OK();
}

arrow::Status MysqlServer::Run(const std::vector<std::string>& statements) {
  for (const std::string& statement : statements) {
    const arrow::Status run = connection_->Query(statement).status();
    if (!run.ok()) return run.WithMessage(run.message(), " in: ", statement.substr(0, 200));
  }
  return arrow::Status::OK();
}

arrow::Result<Rows> MysqlServer::Query(const std::string& sql) { return connection_->Query(sql); }

arrow::Result<std::string> MysqlServer::PrintLog(const std::string& file) const {
  SubprocessOptions options;
  options.argv = Program(FilesOf(flavor_) / "root",
                         flavor_ == Flavor::kMysql ? "/bin/mysqlbinlog" : "/bin/mariadb-binlog");
  for (const std::string& argument :
       {std::string("--no-defaults"), std::string("-vv"), std::string("--base64-output=DECODE-ROWS"),
        std::string("--print-table-metadata"), (data_directory() / file).string()})
    options.argv.push_back(argument);
  return arrowcdc::test::RunProgram(std::move(options));
}

arrow::Result<std::unique_ptr<Connection>> MysqlServer::Connect() const {
  ARROW_ASSIGN_OR_RAISE(const Url parsed, ParseUrl(url()));
  return Connection::Open(parsed, nullptr);
}

std::string MysqlServer::url(const std::string& settings) const { return url_as("root", "", settings); }

std::string MysqlServer::url_as(const std::string& user, const std::string& password,
                                const std::string& settings) const {
  return "mysql://" + user + ":" + password + "@127.0.0.1:" + std::to_string(port_) + "/?" + settings;
}

}  // namespace arrowcdc::mysql::test
