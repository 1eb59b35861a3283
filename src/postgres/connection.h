// One libpq connection and its results, with typed errors.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/result.h>
#include <libpq-fe.h>

#include "src/postgres/connection_options.h"
#include "src/postgres/postgres_error.h"

namespace arrowcdc::postgres {

// Rows of one query, as text.
class QueryResult {
 public:
  explicit QueryResult(PGresult* result) : result_(result, PQclear) {}

  int rows() const { return PQntuples(result_.get()); }
  int columns() const { return PQnfields(result_.get()); }
  bool IsNull(int row, int column) const { return PQgetisnull(result_.get(), row, column) != 0; }
  // Empty where null.
  std::string Text(int row, int column) const {
    return std::string(PQgetvalue(result_.get(), row, column), PQgetlength(result_.get(), row, column));
  }
  bool Bool(int row, int column) const { return Text(row, column) == "t"; }
  // Errors: kInternal where it is null or no number.
  arrow::Result<int64_t> Int(int row, int column) const;
  arrow::Result<uint64_t> Lsn(int row, int column) const;
  std::optional<std::string> Optional(int row, int column) const {
    return IsNull(row, column) ? std::nullopt : std::optional<std::string>(Text(row, column));
  }
  const PGresult* raw() const { return result_.get(); }

 private:
  std::unique_ptr<PGresult, decltype(&PQclear)> result_;
};

// Threads: one at a time. Blocking: Open up to connect_timeout a host (15 s unless set), queries as long as
// the server takes.
class Connection {
 public:
  // Opens with the session's settings pinned: no search path, no timeouts but a lock timeout, row security an
  // error. Errors: typed; never with any part of the conninfo but host, port, role and database.
  static arrow::Result<std::unique_ptr<Connection>> Open(const std::string& conninfo, ConnectionMode mode);

  // One command; rows or none. Values are quoted into it (quoting.h): replication connections take no
  // parameters. `context` names the object in an error.
  arrow::Result<QueryResult> Query(const std::string& sql);
  arrow::Result<QueryResult> Query(const std::string& sql, const ErrorContext& context);

  // The start of an error context: server, role, database.
  ErrorContext MakeContext(ErrorContext::Action action) const;

  // The server was reached over a unix socket or a loopback address.
  bool is_local() const;
  int server_version() const { return PQserverVersion(connection_.get()); }
  PGconn* raw() const { return connection_.get(); }

 private:
  explicit Connection(ConnectionOptions options)
      : options_(std::move(options)), connection_(nullptr, PQfinish) {}
  arrow::Status Connect();

  ConnectionOptions options_;
  std::unique_ptr<PGconn, decltype(&PQfinish)> connection_;
};

}  // namespace arrowcdc::postgres
