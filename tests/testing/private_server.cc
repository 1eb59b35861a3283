#include "tests/testing/private_server.h"

#include <arpa/inet.h>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <netinet/in.h>
#include <pwd.h>
#include <sstream>
#include <sys/shm.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

#include "tests/testing/wait.h"

namespace arrowcdc::test {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Waits for the end of its stdin, that is of the test process, then ends the server and removes the
// directory.
constexpr char kGuardScript[] = R"sh(
trap '' INT TERM HUP QUIT
cat >/dev/null
[ -d "$1" ] || exit 0
pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null)
if [ -n "$pid" ] && [ "$(readlink "/proc/$pid/cwd")" = "$1/data" ]; then
  kill -QUIT "$pid"
  for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    [ -e "/proc/$pid/stat" ] || break
    sleep 0.25
  done
  kill -KILL "$pid" 2>/dev/null
fi
for i in 1 2 3 4 5; do rm -rf "$1" && break; sleep 0.5; done
)sh";

std::string Slurp(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string Trim(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

arrow::Result<fs::path> ServerBinDirectory() {
  const char* given = std::getenv("PG_CONFIG");
  const std::string pg_config = given != nullptr && *given != '\0' ? given : ARROWCDC_PG_CONFIG;
  ARROW_ASSIGN_OR_RAISE(const std::string directory, RunProgram({.argv = {pg_config, "--bindir"}}));
  return fs::path(Trim(directory));
}

// PostgreSQL refuses to run as root.
arrow::Result<std::optional<RunAs>> ServerUser() {
  if (geteuid() != 0) return std::optional<RunAs>();
  for (const char* name : {"postgres", "nobody"}) {
    if (const passwd* entry = getpwnam(name)) {
      return std::optional<RunAs>(RunAs{.uid = entry->pw_uid, .gid = entry->pw_gid, .name = name});
    }
  }
  return arrow::Status::Invalid(
      "running as root, and there is no user postgres or nobody to run the server as");
}

arrow::Result<int> FreePort() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  const bool bound = fd >= 0 && bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                     getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  const int error = errno;
  if (fd >= 0) close(fd);
  if (!bound) return arrow::Status::IOError("no free port on 127.0.0.1: ", std::strerror(error));
  return ntohs(address.sin_port);
}

// What the server is run by, as valgrind and its options; it must become the server, not start it.
std::vector<std::string> ServerPrefix() {
  const char* given = std::getenv("ARROWCDC_SERVER_PREFIX");
  std::istringstream words(given != nullptr ? given : "");
  return {std::istream_iterator<std::string>(words), std::istream_iterator<std::string>()};
}

std::vector<pid_t> ChildrenOf(pid_t parent) {
  std::vector<pid_t> children;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const pid_t pid = std::atoi(entry.path().filename().c_str());
    if (pid > 0 && ReadProcess(pid).parent == parent) children.push_back(pid);
  }
  return children;
}

std::string Quoted(const std::string& value) {
  std::string quoted = "'";
  for (const char c : value) quoted += c == '\'' || c == '\\' ? std::string(2, c) : std::string(1, c);
  return quoted + "'";
}

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

}  // namespace

fs::path PluginPath() {
  const char* given = std::getenv("ARROWCDC_PLUGIN");
  return given != nullptr && *given != '\0' ? given : ARROWCDC_BUILD_DIR "/wal2arrow.so";
}

arrow::Result<fs::path> ServerProgram(const std::string& name) {
  ARROW_ASSIGN_OR_RAISE(const fs::path bin, ServerBinDirectory());
  return bin / name;
}

arrow::Result<std::unique_ptr<PrivateServer>> PrivateServer::Create(PrivateServerOptions options) {
  std::unique_ptr<PrivateServer> self(new PrivateServer());
  self->options_ = std::move(options);
  ARROW_ASSIGN_OR_RAISE(self->bin_, ServerBinDirectory());
  ARROW_ASSIGN_OR_RAISE(self->run_as_, ServerUser());
  ARROW_RETURN_NOT_OK(self->MakeDirectory());
  ARROW_RETURN_NOT_OK(self->StartGuard());
  ARROW_RETURN_NOT_OK(self->InitDatabase());

  auto& settings = self->settings_;
  const std::string directory = self->directory_.string();
  if (self->options_.tcp) {
    ARROW_ASSIGN_OR_RAISE(self->port_, FreePort());
  }
  settings = {{"listen_addresses", self->options_.tcp ? "127.0.0.1" : ""},
              {"port", std::to_string(self->port_)},
              {"unix_socket_directories", directory},
              {"wal_level", "logical"},
              {"max_wal_senders", "10"},
              {"max_replication_slots", "10"},
              {"max_connections", "50"},
              {"shared_buffers", "32MB"},
              {"fsync", "off"},
              {"timezone", "UTC"},
              {"lc_messages", "C"},
              {"log_line_prefix", "%m [%p] "},
              {"dynamic_library_path", directory + "/lib:$libdir"}};
  ARROW_ASSIGN_OR_RAISE(const std::string known,
                        self->RunAsServer({(self->bin_ / "postgres").string(), "--describe-config"}));
  if (self->options_.allow_plugin && known.find("output_plugin_libraries\t") != std::string::npos) {
    std::string names = "pgoutput, test_decoding, wal2arrow";
    for (const auto& library : self->options_.libraries) {
      if (library.stem() != "wal2arrow") names += ", " + library.stem().string();
    }
    settings["output_plugin_libraries"] = names;
  }
  if (self->options_.standby_of != nullptr) {
    settings["primary_conninfo"] = self->options_.standby_of->conninfo();
    settings["primary_slot_name"] = "standby";
    settings["hot_standby_feedback"] = "on";
  }
  for (const auto& [name, value] : self->options_.settings) settings[name] = value;
  if (settings.contains("port")) self->port_ = std::atoi(settings["port"].c_str());
  ARROW_RETURN_NOT_OK(self->WriteSettings());
  if (!self->options_.hba.empty())
    std::ofstream(self->data_directory() / "pg_hba.conf") << self->options_.hba;
  ARROW_RETURN_NOT_OK(self->Start());
  return self;
}

PrivateServer::~PrivateServer() {
  if (postmaster_ && postmaster_->Running() && !Stop(StopMode::kImmediate, seconds(10)).ok()) (void)Crash();
  RemoveSharedMemory();
  std::error_code ignored;
  if (!directory_.empty()) fs::remove_all(directory_, ignored);
  if (guard_) {
    guard_->CloseInput();
    (void)guard_->Wait(seconds(10));
  }
}

arrow::Status PrivateServer::MakeDirectory() {
  // A socket's path is limited to 107 bytes, so this must stay short.
  std::string path = (fs::temp_directory_path() / "arrowcdc-test-XXXXXX").string();
  if (mkdtemp(path.data()) == nullptr) return arrow::Status::IOError(path, ": ", std::strerror(errno));
  directory_ = fs::canonical(path);
  fs::create_directory(directory_ / "lib");
  GiveToServer(directory_);
  fs::permissions(directory_, fs::perms::owner_all | fs::perms::group_read | fs::perms::group_exec |
                                  fs::perms::others_read | fs::perms::others_exec);
  return arrow::Status::OK();
}

arrow::Status PrivateServer::StartGuard() {
  SubprocessOptions options;
  options.argv = {"/bin/sh", "-c", kGuardScript, "arrowcdc-test-guard", directory_.string()};
  options.cwd = "/";
  options.input_pipe = true;
  options.own_session = true;
  options.death_signal = 0;
  ARROW_ASSIGN_OR_RAISE(guard_, Subprocess::Start(std::move(options)));
  return arrow::Status::OK();
}

// initdb takes seconds, a copy of its result does not: the first server of a kind leaves one in the build
// directory.
arrow::Status PrivateServer::InitDatabase() {
  if (options_.standby_of != nullptr) {
    ARROW_RETURN_NOT_OK(RunProgram({.argv = {"cp", "-a", options_.standby_of->data_directory().string(),
                                             data_directory().string()}})
                            .status());
    std::ofstream(data_directory() / "standby.signal").flush();
    return arrow::Status::OK();
  }
  ARROW_ASSIGN_OR_RAISE(const std::string version,
                        RunProgram({.argv = {(bin_ / "postgres").string(), "--version"}}));
  std::string key = Trim(version) + " " + options_.encoding + " " + options_.locale + " " +
                    (run_as_ ? run_as_->name : std::to_string(getuid()));
  for (char& c : key) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '.') c = '_';
  }
  const fs::path cache = fs::path(ARROWCDC_BUILD_DIR) / "test-clusters";
  const fs::path cached = cache / key;
  if (fs::exists(cached / "PG_VERSION")) {
    return RunProgram({.argv = {"cp", "-a", "--reflink=auto", cached.string(), data_directory().string()}})
        .status();
  }
  ARROW_RETURN_NOT_OK(RunAsServer({(bin_ / "initdb").string(), "--no-sync", "--auth=trust",
                                   "--username=postgres", "--encoding=" + options_.encoding,
                                   "--locale=" + options_.locale, "-D", data_directory().string()})
                          .status());
  std::error_code error;
  fs::create_directories(cache, error);
  const fs::path mine = cache / (key + "." + std::to_string(getpid()) + ".tmp");
  if (!error &&
      RunProgram({.argv = {"cp", "-a", "--reflink=auto", data_directory().string(), mine.string()}}).ok()) {
    fs::rename(mine, cached, error);  // another test may have been first
  }
  fs::remove_all(mine, error);
  return arrow::Status::OK();
}

arrow::Status PrivateServer::WriteSettings() const {
  std::ofstream file(data_directory() / "postgresql.conf", std::ios::trunc);
  for (const auto& [name, value] : settings_) file << name << " = " << Quoted(value) << "\n";
  file.flush();
  if (!file) return arrow::Status::IOError("cannot write postgresql.conf");
  return arrow::Status::OK();
}

// Copied, because the server's user need not be able to read the build directory.
arrow::Status PrivateServer::CopyLibraries() const {
  for (const auto& library : options_.libraries) {
    if (!fs::exists(library)) continue;
    const fs::path target = directory_ / "lib" / library.filename();
    std::error_code error;
    fs::remove(target, error);  // a running backend keeps the old file
    fs::copy_file(library, target, error);
    if (error) return arrow::Status::IOError(library.string(), ": ", error.message());
    fs::permissions(target, fs::perms(0755));
  }
  return arrow::Status::OK();
}

arrow::Status PrivateServer::Set(const std::string& name, const std::string& value) {
  settings_[name] = value;
  return WriteSettings();
}

arrow::Status PrivateServer::Reload() {
  if (!postmaster_) return arrow::Status::Invalid("the server is not running");
  return postmaster_->Signal(SIGHUP);
}

arrow::Status PrivateServer::Start(milliseconds limit) {
  if (Running()) return arrow::Status::Invalid("the server runs already");
  ARROW_RETURN_NOT_OK(CopyLibraries());
  SubprocessOptions options;
  options.argv = ServerPrefix();
  for (const auto& argument : {(bin_ / "postgres").string(), std::string("-D"), data_directory().string()})
    options.argv.push_back(argument);
  options.run_as = run_as_;
  options.cwd = directory_;
  options.output_file = log_path();
  options.own_session = true;
  options.death_signal = 0;  // the guard's work: it ends with this process, not with a thread of it
  // A test's own connection settings are not the server's.
  for (const char* name :
       {"PGDATA", "PGPORT", "PGHOST", "PGUSER", "PGDATABASE", "PGOPTIONS", "PGTZ", "LC_ALL"})
    options.env[name] = "";
  ARROW_ASSIGN_OR_RAISE(postmaster_, Subprocess::Start(std::move(options)));
  arrow::Status ready;
  const auto waited = WaitFor(
      [&] {
        ready = ReadyStatus();
        return ready.ok() || !postmaster_->Running();
      },
      limit, "PostgreSQL to accept connections");
  if (waited.ok() && ready.ok()) return arrow::Status::OK();
  const std::string log = Log();
  const std::string reason = waited.ok() ? "PostgreSQL ended at its start" : waited.message();
  return arrow::Status::IOError(reason, "; the end of its log:\n",
                                log.substr(log.size() > 2000 ? log.size() - 2000 : 0));
}

// The postmaster writes its state into the eighth line; connecting to find out would fill the log with
// refusals.
arrow::Status PrivateServer::ReadyStatus() {
  const auto lines = Lines(Slurp(data_directory() / "postmaster.pid"));
  if (lines.size() >= 8 && std::atoi(lines[0].c_str()) == postmaster_->pid() &&
      lines[7].starts_with("ready")) {
    return arrow::Status::OK();
  }
  return arrow::Status::IOError("not ready");
}

arrow::Status PrivateServer::Stop(StopMode mode, milliseconds limit) {
  if (!Running()) return arrow::Status::Invalid("the server is not running");
  const int signal = mode == StopMode::kSmart ? SIGTERM : mode == StopMode::kFast ? SIGINT : SIGQUIT;
  ARROW_RETURN_NOT_OK(postmaster_->Signal(signal));
  return postmaster_->Wait(limit).status();
}

arrow::Status PrivateServer::Restart(StopMode mode) {
  ARROW_RETURN_NOT_OK(Stop(mode));
  return Start();
}

arrow::Status PrivateServer::Crash() {
  if (!Running()) return arrow::Status::Invalid("the server is not running");
  // Stopped first, so that it neither starts a process nor reaps one while they are counted.
  ARROW_RETURN_NOT_OK(postmaster_->Signal(SIGSTOP));
  const auto children = ChildrenOf(postmaster_->pid());
  postmaster_->Kill();
  for (const pid_t child : children) kill(child, SIGKILL);
  return WaitFor(
      [&] {
        for (const pid_t child : children) {
          if (ReadProcess(child).alive) return false;
        }
        return true;
      },
      seconds(10), "the server's processes to be gone");
}

arrow::Status PrivateServer::CrashBackend(pid_t backend) {
  if (!Running() || ReadProcess(backend).parent != postmaster_->pid()) {
    return arrow::Status::Invalid("process ", backend, " is none of this server's");
  }
  if (kill(backend, SIGKILL) != 0) return arrow::Status::IOError("kill: ", std::strerror(errno));
  return arrow::Status::OK();
}

bool PrivateServer::Running() { return postmaster_ && postmaster_->Running(); }

std::string PrivateServer::conninfo(const std::string& database) const {
  return "host=" + Quoted(directory_.string()) + " port=" + std::to_string(port_) +
         " user=postgres dbname=" + Quoted(database);
}

arrow::Result<std::unique_ptr<SqlConnection>> PrivateServer::Connect(const std::string& database) const {
  return SqlConnection::Connect(conninfo(database));
}

std::string PrivateServer::Log() const { return Slurp(log_path()); }

int PrivateServer::CountServerRestarts() const {
  int count = 0;
  for (const auto& line : Lines(Log())) {
    if (line.find("LOG:  terminating any other active server processes") != std::string::npos) ++count;
  }
  return count;
}

arrow::Result<std::string> PrivateServer::RunAsServer(std::vector<std::string> argv) const {
  SubprocessOptions options;
  options.argv = std::move(argv);
  options.run_as = run_as_;
  options.cwd = directory_;
  return RunProgram(std::move(options));
}

void PrivateServer::GiveToServer(const fs::path& path) const {
  if (run_as_ && chown(path.c_str(), run_as_->uid, run_as_->gid) != 0) {
    // initdb will say what it cannot do.
  }
}

// A server that was killed leaves the System V segment named in postmaster.pid; the next start takes it, the
// end of the test must.
void PrivateServer::RemoveSharedMemory() const {
  if (directory_.empty()) return;
  const auto lines = Lines(Slurp(data_directory() / "postmaster.pid"));
  int key = 0;
  int id = 0;
  if (lines.size() >= 7 && std::sscanf(lines[6].c_str(), "%d %d", &key, &id) == 2)
    shmctl(id, IPC_RMID, nullptr);
}

}  // namespace arrowcdc::test
