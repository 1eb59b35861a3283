// A plain SQL connection for tests: run a statement, read the answer as text.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <arrow/result.h>
#include <libpq-fe.h>

namespace arrowcdc::test {

using SqlRow = std::vector<std::optional<std::string>>;

// Threads: one at a time. Errors: the server's message with its SQLSTATE in front.
class SqlConnection {
 public:
  static arrow::Result<std::unique_ptr<SqlConnection>> Connect(const std::string& conninfo);
  ~SqlConnection();
  SqlConnection(const SqlConnection&) = delete;
  SqlConnection& operator=(const SqlConnection&) = delete;

  // One or several commands in one message; several are one transaction unless they say otherwise.
  arrow::Status Exec(const std::string& sql);
  arrow::Result<std::vector<SqlRow>> Query(const std::string& sql);
  arrow::Result<std::vector<SqlRow>> Query(const std::string& sql, const SqlRow& parameters);
  // The only column of the only row; a null is an error.
  arrow::Result<std::string> Scalar(const std::string& sql);
  // COPY ... FROM STDIN with `data` in the format that the command names.
  arrow::Status CopyIn(const std::string& copy_command, const std::string& data);

  // Process id of the backend.
  int backend_pid() const;
  // Of the last error, or empty.
  const std::string& last_sqlstate() const { return last_sqlstate_; }
  PGconn* raw() const { return connection_; }

 private:
  explicit SqlConnection(PGconn* connection) : connection_(connection) {}
  arrow::Status Failure(const PGresult* result, const std::string& sql);
  arrow::Result<std::vector<SqlRow>> Rows(PGresult* result, const std::string& sql);

  PGconn* connection_;
  std::string last_sqlstate_;
};

}  // namespace arrowcdc::test
