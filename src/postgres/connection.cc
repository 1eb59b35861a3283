// Connecting goes through PQconnectPoll, because only so the verbosity can be set that makes libpq tell the
// SQLSTATE of a refusal.
#include "src/postgres/connection.h"

#include <poll.h>

#include <cerrno>
#include <charconv>
#include <chrono>

#include "arrowcdc/error.h"
#include "arrowcdc/position.h"

namespace arrowcdc::postgres {
namespace {

using Clock = std::chrono::steady_clock;

struct Parameters {
  std::vector<const char*> keywords;
  std::vector<const char*> values;

  explicit Parameters(const ConnectionOptions& options) {
    for (const auto& [keyword, value] : options.parameters) {
      keywords.push_back(keyword.c_str());
      values.push_back(value.c_str());
    }
    keywords.push_back(nullptr);
    values.push_back(nullptr);
  }
};

// Waits until libpq can go on. False: the deadline has passed.
bool WaitForSocket(PGconn* connection, PostgresPollingStatusType wish, Clock::time_point deadline) {
  const short events = wish == PGRES_POLLING_READING ? POLLIN : POLLOUT;
  while (true) {
    pollfd entry{PQsocket(connection), events, 0};
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) return false;
    const int ready = poll(&entry, 1, static_cast<int>(left));
    if (ready > 0 || (ready < 0 && errno != EINTR)) return true;
  }
}

std::string TextOf(const char* value) { return value == nullptr ? "" : value; }

std::string HostOf(PGconn* connection) {
  return TextOf(PQhost(connection)) + "|" + TextOf(PQhostaddr(connection)) + "|" +
         std::to_string(PQsocket(connection));
}

// Drives the attempt to its end; the time starts anew with every host, as it does in libpq.
bool Poll(PGconn* connection, int timeout_seconds) {
  PostgresPollingStatusType wish = PGRES_POLLING_WRITING;
  std::string host = HostOf(connection);
  auto deadline = Clock::now() + std::chrono::seconds(timeout_seconds);
  while (PQstatus(connection) != CONNECTION_BAD) {
    if (!WaitForSocket(connection, wish, deadline)) return false;
    wish = PQconnectPoll(connection);
    if (wish == PGRES_POLLING_OK || wish == PGRES_POLLING_FAILED) return true;
    const std::string now = HostOf(connection);
    if (now != host) deadline = Clock::now() + std::chrono::seconds(timeout_seconds);
    host = now;
  }
  return true;
}

}  // namespace

arrow::Result<int64_t> QueryResult::Int(int row, int column) const {
  const std::string text = Text(row, column);
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size() && !text.empty()) return value;
  return MakeError(ErrorKind::kInternal, "the server answered with something that is no number",
                   "catalog query", "");
}

arrow::Result<uint64_t> QueryResult::Lsn(int row, int column) const { return ParseLsn(Text(row, column)); }

arrow::Result<std::unique_ptr<Connection>> Connection::Open(const std::string& conninfo,
                                                            ConnectionMode mode) {
  ARROW_ASSIGN_OR_RAISE(ConnectionOptions options, MakeConnectionOptions(conninfo, mode));
  std::unique_ptr<Connection> connection(new Connection(std::move(options)));
  ARROW_RETURN_NOT_OK(connection->Connect());
  return connection;
}

arrow::Status Connection::Connect() {
  const Parameters parameters(options_);
  connection_.reset(PQconnectStartParams(parameters.keywords.data(), parameters.values.data(), 1));
  if (connection_ == nullptr) return arrow::Status::OutOfMemory("libpq could not allocate a connection");
  PQsetErrorVerbosity(connection_.get(), PQERRORS_VERBOSE);
  PQsetNoticeProcessor(
      connection_.get(), [](void*, const char*) {}, nullptr);
  if (!Poll(connection_.get(), options_.connect_timeout_seconds)) {
    if (!options_.several_hosts) {
      return MakeError(
          ErrorKind::kConnection,
          "no answer within " + std::to_string(options_.connect_timeout_seconds) + " s (connect_timeout)",
          "server " + options_.server, "check host, port, routes and firewalls", "", true);
    }
    // Only libpq's own loop goes on to the next host after a timeout.
    connection_.reset(PQconnectdbParams(parameters.keywords.data(), parameters.values.data(), 1));
    PQsetNoticeProcessor(
        connection_.get(), [](void*, const char*) {}, nullptr);
  }
  if (PQstatus(connection_.get()) != CONNECTION_OK) {
    return ErrorFromConnection(connection_.get(), MakeContext(ErrorContext::Action::kConnect));
  }
  PQsetErrorVerbosity(connection_.get(), PQERRORS_DEFAULT);
  // There the bytes of a name have no meaning, and one that is not UTF-8 would fail the query that reads it.
  if (TextOf(PQparameterStatus(connection_.get(), "server_encoding")) == "SQL_ASCII" &&
      PQsetClientEncoding(connection_.get(), "SQL_ASCII") != 0) {
    return ErrorFromConnection(connection_.get(), MakeContext(ErrorContext::Action::kConnect));
  }
  return arrow::Status::OK();
}

arrow::Result<QueryResult> Connection::Query(const std::string& sql) {
  return Query(sql, MakeContext(ErrorContext::Action::kQuery));
}

arrow::Result<QueryResult> Connection::Query(const std::string& sql, const ErrorContext& context) {
  QueryResult result(PQexec(connection_.get(), sql.c_str()));
  const ExecStatusType status = PQresultStatus(result.raw());
  if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) return result;
  return ErrorFromResult(result.raw(), connection_.get(), context);
}

bool Connection::is_local() const {
  return IsLocal(TextOf(PQhost(connection_.get())), TextOf(PQhostaddr(connection_.get())));
}

ErrorContext Connection::MakeContext(ErrorContext::Action action) const {
  ErrorContext context;
  context.action = action;
  context.server = options_.server;
  context.user = options_.user;
  context.database = options_.database;
  return context;
}

}  // namespace arrowcdc::postgres
