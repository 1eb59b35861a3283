// A real PostgreSQL that a test owns: own directory, own socket, unprivileged user; gone with its object, and
// gone too when the test process dies in any other way (a guard process waits for that).
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

#include "tests/testing/sql_connection.h"
#include "tests/testing/subprocess.h"

namespace arrowcdc::test {

// wal2arrow.so of this build (ARROWCDC_PLUGIN overrides the path).
std::filesystem::path PluginPath();
// A program of the server's bin directory: "pg_recvlogical". The server is the one of PG_CONFIG.
arrow::Result<std::filesystem::path> ServerProgram(const std::string& name);

struct PrivateServerOptions {
  std::map<std::string, std::string> settings;  // postgresql.conf; wins over what the class sets
  std::string encoding = "UTF8";
  std::string locale = "C";
  std::string hba;   // contents of pg_hba.conf; empty: everybody is trusted
  bool tcp = false;  // listen on a free port of 127.0.0.1, too
  std::vector<std::filesystem::path> libraries = {
      PluginPath()};  // copied to where the server can read and load them
  // Makes a standby of this server, which must be stopped, from its files; it follows by the physical slot
  // "standby", which must be there.
  const class PrivateServer* standby_of = nullptr;
  bool allow_plugin =
      true;  // name wal2arrow and them in output_plugin_libraries where the server has that setting
};

enum class StopMode { kSmart, kFast, kImmediate };

// ARROWCDC_SERVER_PREFIX: words that every server is run by (tools/valgrind_plugin.sh).
// Threads: one at a time. The superuser is postgres; the time zone UTC; fsync is off (no test here loses
// power).
class PrivateServer {
 public:
  static constexpr std::chrono::milliseconds kDefaultLimit = std::chrono::seconds(60);

  // Makes the cluster and starts it.
  static arrow::Result<std::unique_ptr<PrivateServer>> Create(PrivateServerOptions options = {});
  ~PrivateServer();
  PrivateServer(const PrivateServer&) = delete;
  PrivateServer& operator=(const PrivateServer&) = delete;

  // Returns when connections are accepted. Errors: IOError with the end of the log.
  arrow::Status Start(std::chrono::milliseconds limit = kDefaultLimit);
  // Errors: IOError when the server has not ended in time; it goes on then.
  arrow::Status Stop(StopMode mode, std::chrono::milliseconds limit = kDefaultLimit);
  arrow::Status Restart(StopMode mode = StopMode::kFast);
  // kill -9 of the postmaster and of every process of it: the server as after a power cut, but for the files.
  arrow::Status Crash();
  // kill -9 of one backend; the postmaster then restarts all others by itself.
  arrow::Status CrashBackend(pid_t backend);
  bool Running();

  // Writes postgresql.conf; in force after Restart or Reload.
  arrow::Status Set(const std::string& name, const std::string& value);
  arrow::Status Reload();

  std::string conninfo(const std::string& database = "postgres") const;
  arrow::Result<std::unique_ptr<SqlConnection>> Connect(const std::string& database = "postgres") const;

  const std::filesystem::path& directory() const { return directory_; }
  std::filesystem::path data_directory() const { return directory_ / "data"; }
  std::filesystem::path log_path() const { return directory_ / "server.log"; }
  std::string Log() const;
  // How often a crash of one process made the postmaster restart all of them.
  int CountServerRestarts() const;
  int port() const { return port_; }
  pid_t postmaster_pid() const { return postmaster_ ? postmaster_->pid() : 0; }
  // Whom the server runs as, when the test runs as root.
  const std::optional<RunAs>& run_as() const { return run_as_; }

 private:
  PrivateServer() = default;
  arrow::Status MakeDirectory();
  arrow::Status StartGuard();
  arrow::Status InitDatabase();
  arrow::Status WriteSettings() const;
  arrow::Status CopyLibraries() const;
  arrow::Status ReadyStatus();
  arrow::Result<std::string> RunAsServer(std::vector<std::string> argv) const;
  void GiveToServer(const std::filesystem::path& path) const;
  void RemoveSharedMemory() const;

  PrivateServerOptions options_;
  std::map<std::string, std::string> settings_;
  std::filesystem::path bin_;
  std::filesystem::path directory_;
  std::optional<RunAs> run_as_;
  int port_ = 5432;
  std::unique_ptr<Subprocess> guard_;
  std::unique_ptr<Subprocess> postmaster_;
};

}  // namespace arrowcdc::test
