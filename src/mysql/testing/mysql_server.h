// A real MySQL or MariaDB that a test owns: own directory, a port of 127.0.0.1, gone with its object. The
// programs are those that tools/mysql_files.sh has fetched.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "src/mysql/client/connection.h"
#include "tests/testing/subprocess.h"

namespace arrowcdc::mysql::test {

// Whether the programs are there; a test says so and is skipped where they are not.
bool HasServer(Flavor flavor);

// Threads: one at a time. The account is root without a password.
class MysqlServer {
 public:
  // Copies the initialized data and starts it, with GTIDs, and FULL row metadata. `arguments`: further ones
  // of the server, which win. program: where it is to take itself to be, since MySQL looks beside its program
  // for the components to load.
  static arrow::Result<std::unique_ptr<MysqlServer>> Create(Flavor flavor,
                                                            std::vector<std::string> arguments = {},
                                                            std::string program = "");
  ~MysqlServer();
  MysqlServer(const MysqlServer&) = delete;
  MysqlServer& operator=(const MysqlServer&) = delete;

  arrow::Status Start();
  arrow::Status Stop();   // in order
  arrow::Status Crash();  // kill -9
  arrow::Status Restart() {
    ARROW_RETURN_NOT_OK(Stop());
    return Start();
  }

  // Statements one after another, on one connection that stays.
  arrow::Status Run(const std::vector<std::string>& statements);
  arrow::Result<Rows> Query(const std::string& sql);
  arrow::Result<std::unique_ptr<Connection>> Connect() const;
  // What mysqlbinlog or mariadb-binlog prints of a file of the log: rows decoded, with all that -vv says and
  // the columns of each table.
  arrow::Result<std::string> PrintLog(const std::string& file) const;

  std::string url(const std::string& settings = "ssl-mode=disabled") const;
  std::string url_as(const std::string& user, const std::string& password, const std::string& settings) const;
  int port() const { return port_; }
  Flavor flavor() const { return flavor_; }
  std::filesystem::path data_directory() const { return directory_ / "data"; }

 private:
  MysqlServer(Flavor flavor, std::vector<std::string> arguments, std::string program,
              std::filesystem::path directory, int port);

  const Flavor flavor_;
  const std::vector<std::string> arguments_;
  const std::string program_;
  const std::filesystem::path directory_;
  const int port_;
  std::unique_ptr<arrowcdc::test::Subprocess> process_;
  std::unique_ptr<Connection> connection_;
};

}  // namespace arrowcdc::mysql::test
