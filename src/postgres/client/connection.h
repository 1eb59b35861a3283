// One libpq connection and its results, with typed errors.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/result.h>
#include <libpq-fe.h>

#include "arrowcdc/stop_token.h"
#include "src/postgres/client/connection_options.h"
#include "src/postgres/client/postgres_error.h"

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
  const PGresult* raw() const { return result_.get(); }

 private:
  std::unique_ptr<PGresult, decltype(&PQclear)> result_;
};

// One server among those that a connection string may lead to, as a connection has found it.
struct ServerPlace {
  std::string host;
  std::string address;
  std::string port;
  std::string started;  // when: no two servers, nor two lives of one, have begun in the same microsecond
};

// Threads: one at a time. Blocking: Open up to connect_timeout a host (15 s unless set), queries as long as
// the server takes, and all of it until the token is stopped (kInterrupted).
class Connection {
 public:
  // Opens with the session's settings pinned: no search path, no timeouts but a lock timeout, row security an
  // error. Errors: typed; never with any part of the conninfo but host, port, role and database.
  // `stop` may be null.
  static arrow::Result<std::unique_ptr<Connection>> Open(const std::string& conninfo, ConnectionMode mode,
                                                         std::shared_ptr<StopToken> stop = nullptr);
  // The same, to that server. Errors: kConnection, retryable: another answers, or it has been restarted.
  static arrow::Result<std::unique_ptr<Connection>> OpenAt(const ServerPlace& place,
                                                           const std::string& conninfo, ConnectionMode mode,
                                                           std::shared_ptr<StopToken> stop = nullptr);
  arrow::Result<ServerPlace> ReadPlace();

  // One command; rows or none. Values are quoted into it (quoting.h): replication connections take no
  // parameters. `context` names the object in an error.
  arrow::Result<QueryResult> Query(const std::string& sql);
  arrow::Result<QueryResult> Query(const std::string& sql, const ErrorContext& context);

  // What the server answers, an error of its own too: for callers that look at its fields. Errors: stopped.
  arrow::Result<QueryResult> Execute(const std::string& sql);

  // Query for a command that begins a copy, to us at least.
  arrow::Result<QueryResult> StartCopy(const std::string& command, const ErrorContext& context);

  // The next bytes of PGRES_COPY_OUT, valid until the next call of anything; nullopt: it has ended well.
  // Errors: as Query.
  arrow::Result<std::optional<std::string_view>> NextCopied(const ErrorContext& context);

  // Asks the server to end what it does, so that nothing half-made stays there. True: its result has arrived.
  bool Cancel();

  // The start of an error context: server, role, database.
  ErrorContext MakeContext(ErrorContext::Action action) const;

  // The server was reached over a unix socket or a loopback address.
  bool is_local() const;
  int server_version() const { return PQserverVersion(connection_.get()); }
  PGconn* raw() const { return connection_.get(); }

 private:
  Connection(ConnectionOptions options, std::shared_ptr<StopToken> stop)
      : options_(std::move(options)), stop_(std::move(stop)), connection_(nullptr, PQfinish) {}
  static arrow::Result<std::unique_ptr<Connection>> OpenWith(const ConnectionOptions& options,
                                                             const std::shared_ptr<StopToken>& stop);
  arrow::Status Connect();
  arrow::Status CheckSettings();
  bool WaitForResult(const StopToken* stop, std::chrono::steady_clock::time_point deadline);
  arrow::Status Interrupted() const;

  const ConnectionOptions options_;
  const std::shared_ptr<StopToken> stop_;
  std::unique_ptr<PGconn, decltype(&PQfinish)> connection_;
  std::unique_ptr<char[]> copied_;
};

// With TLS or GSS libpq may hold bytes that poll() does not see: a record of up to 16 KiB, read in pieces
// of 8. So many reads after each wait find them all.
int ReadsAfterWait(PGconn* connection);

}  // namespace arrowcdc::postgres
