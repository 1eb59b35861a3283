// Connecting goes through PQconnectPoll, because only so the verbosity can be set that makes libpq tell the
// SQLSTATE of a refusal. libpq resolves names within it, which nothing can end: so it has a thread of its
// own.
#include "src/postgres/client/connection.h"

#include <poll.h>

#include <charconv>
#include <chrono>

#include "arrowcdc/error.h"
#include "arrowcdc/position.h"
#include "src/change/abandonable.h"
#include "src/change/password.h"

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

std::string TextOf(const char* value) { return value == nullptr ? "" : value; }

std::string HostOf(PGconn* connection) {
  return TextOf(PQhost(connection)) + "|" + TextOf(PQhostaddr(connection)) + "|" +
         std::to_string(PQsocket(connection));
}

// Drives the attempt to its end; the time starts anew with every host, as it does in libpq.
Wake Poll(PGconn* connection, int timeout_seconds, const StopToken* stop) {
  PostgresPollingStatusType wish = PGRES_POLLING_WRITING;
  std::string host = HostOf(connection);
  auto deadline = Clock::now() + std::chrono::seconds(timeout_seconds);
  while (PQstatus(connection) != CONNECTION_BAD) {
    const short events = wish == PGRES_POLLING_READING ? POLLIN : POLLOUT;
    const Wake wake = WaitFor(PQsocket(connection), events, stop, deadline);
    if (wake != Wake::kReady) return wake;
    wish = PQconnectPoll(connection);
    if (wish == PGRES_POLLING_OK || wish == PGRES_POLLING_FAILED) return Wake::kReady;
    const std::string now = HostOf(connection);
    if (now != host) deadline = Clock::now() + std::chrono::seconds(timeout_seconds);
    host = now;
  }
  return Wake::kReady;
}

// Whoever forgot to name one meets the server of the defaults, or none.
arrow::Status SayNoSourceWasGiven(const arrow::Status& status) {
  const ErrorDetail* const detail = GetErrorDetail(status);
  if (detail == nullptr || detail->kind() == ErrorKind::kInterrupted) return status;
  return MakeError(detail->kind(),
                   status.message() +
                       "; no source was given (--source; host, or source, in Python), so this is the server "
                       "of the PG* variables, or of this machine",
                   detail->object(), detail->remedy(), detail->sqlstate(), detail->retryable());
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

int ReadsAfterWait(PGconn* connection) {
  constexpr int kExtraReadsEncrypted = 3;
  return PQsslInUse(connection) != 0 || PQgssEncInUse(connection) != 0 ? 1 + kExtraReadsEncrypted : 1;
}

arrow::Result<std::unique_ptr<Connection>> Connection::Open(const std::string& conninfo, ConnectionMode mode,
                                                            std::shared_ptr<StopToken> stop) {
  ARROW_ASSIGN_OR_RAISE(const ConnectionOptions options, MakeConnectionOptions(conninfo, mode));
  auto opened = OpenWith(options, stop);
  if (opened.ok() || !conninfo.empty()) return opened;
  return SayNoSourceWasGiven(opened.status());
}

arrow::Result<std::unique_ptr<Connection>> Connection::OpenAt(const ServerPlace& place,
                                                              const std::string& conninfo,
                                                              ConnectionMode mode,
                                                              std::shared_ptr<StopToken> stop) {
  ARROW_ASSIGN_OR_RAISE(ConnectionOptions options, MakeConnectionOptions(conninfo, mode));
  // Of two values libpq takes the later.
  options.parameters.emplace_back("host", place.host);
  options.parameters.emplace_back("hostaddr", place.address);
  options.parameters.emplace_back("port", place.port);
  options.several_hosts = false;
  ARROW_ASSIGN_OR_RAISE(auto connection, OpenWith(options, stop));
  ARROW_ASSIGN_OR_RAISE(const ServerPlace reached, connection->ReadPlace());
  if (reached.started == place.started) return connection;
  return MakeError(ErrorKind::kConnection, "another server answers than the one that was looked at",
                   "server " + options.server, "it will be tried again", "", true);
}

arrow::Result<ServerPlace> Connection::ReadPlace() {
  ARROW_ASSIGN_OR_RAISE(const QueryResult started,
                        Query("SELECT extract(epoch FROM pg_catalog.pg_postmaster_start_time())"));
  return ServerPlace{TextOf(PQhost(raw())), TextOf(PQhostaddr(raw())), TextOf(PQport(raw())),
                     started.Text(0, 0)};
}

arrow::Result<std::unique_ptr<Connection>> Connection::OpenWith(const ConnectionOptions& options,
                                                                const std::shared_ptr<StopToken>& stop) {
  const Connection described(options, stop);
  auto opened = RunAbandonable(stop.get(), [options, stop]() -> arrow::Result<std::unique_ptr<Connection>> {
    return OpenWithPassword(
        [&](const std::optional<std::string>& password) -> arrow::Result<std::unique_ptr<Connection>> {
          ConnectionOptions with_password = options;
          // Of two values libpq takes the later: that of the conninfo, where it has one.
          if (password.has_value())
            with_password.parameters.insert(with_password.parameters.begin(), {"password", *password});
          std::unique_ptr<Connection> connection(new Connection(with_password, stop));
          ARROW_RETURN_NOT_OK(connection->Connect());
          return connection;
        });
  });
  if (!opened.has_value()) return described.Interrupted();
  return *std::move(opened);
}

arrow::Status Connection::Connect() {
  const Parameters parameters(options_);
  connection_.reset(PQconnectStartParams(parameters.keywords.data(), parameters.values.data(), 1));
  if (connection_ == nullptr) return arrow::Status::OutOfMemory("libpq could not allocate a connection");
  PQsetErrorVerbosity(connection_.get(), PQERRORS_VERBOSE);
  PQsetNoticeProcessor(
      connection_.get(), [](void*, const char*) {}, nullptr);
  const Wake wake = Poll(connection_.get(), options_.connect_timeout_seconds, stop_.get());
  if (wake == Wake::kStopped) return Interrupted();
  if (wake == Wake::kTimeout) {
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
  return CheckSettings();
}

// A pooler may be told to drop what it does not know (PgBouncer's ignore_startup_parameters). To SET it all
// would change a session that others get next.
arrow::Status Connection::CheckSettings() {
  ARROW_ASSIGN_OR_RAISE(const QueryResult path, Query("SHOW search_path"));
  if (path.rows() == 1 && path.Text(0, 0).empty()) return arrow::Status::OK();
  return MakeError(ErrorKind::kUnsupported,
                   "the settings that the session was to begin with have not reached the server: what lies "
                   "between drops them (a pooler, as PgBouncer with ignore_startup_parameters)",
                   "server " + options_.server, "connect to the server itself");
}

arrow::Result<QueryResult> Connection::Query(const std::string& sql) {
  return Query(sql, MakeContext(ErrorContext::Action::kQuery));
}

arrow::Result<QueryResult> Connection::Query(const std::string& sql, const ErrorContext& context) {
  ARROW_ASSIGN_OR_RAISE(QueryResult result, Execute(sql));
  const ExecStatusType status = PQresultStatus(result.raw());
  if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) return result;
  return ErrorFromResult(result.raw(), connection_.get(), context);
}

arrow::Result<QueryResult> Connection::StartCopy(const std::string& command, const ErrorContext& context) {
  ARROW_ASSIGN_OR_RAISE(QueryResult result, Execute(command));
  const ExecStatusType status = PQresultStatus(result.raw());
  if (status == PGRES_COPY_BOTH || status == PGRES_COPY_OUT) return result;
  return ErrorFromResult(result.raw(), connection_.get(), context);
}

arrow::Result<std::optional<std::string_view>> Connection::NextCopied(const ErrorContext& context) {
  constexpr int kBytesMax = 64 << 10;
  PGconn* const raw = connection_.get();
  if (copied_ == nullptr) copied_ = std::make_unique<char[]>(kBytesMax);
  int size = 0;
  while (true) {
    // A row is a message, and PQgetCopyData allocates memory for each.
    const int bytes = PQgetlineAsync(raw, copied_.get() + size, kBytesMax - size);
    if (bytes > 0) size += bytes;
    if (bytes > 0 && size < kBytesMax) continue;
    if (size > 0) return std::string_view(copied_.get(), static_cast<size_t>(size));
    if (bytes < 0) break;
    if (PQstatus(raw) == CONNECTION_BAD) return ErrorFromConnection(raw, context);
    if (WaitFor(PQsocket(raw), POLLIN, stop_.get(), Clock::time_point::max()) != Wake::kReady) {
      connection_.reset();  // the server ends the copy when it cannot send
      return Interrupted();
    }
    // What has come in front of the end of a connection is taken first: the server's last words say why.
    for (int reads = ReadsAfterWait(raw); reads > 0 && PQconsumeInput(raw) != 0; --reads) continue;
  }
  // What the copy came to, and the end of the command.
  const QueryResult result(PQgetResult(raw));
  const bool ended = PQresultStatus(result.raw()) == PGRES_COMMAND_OK;
  if (!ended) return ErrorFromResult(result.raw(), raw, context);
  while (PGresult* more = PQgetResult(raw)) PQclear(more);
  return std::nullopt;
}

// As PQexec, which waits for ever for a server that does not answer. The last result counts.
arrow::Result<QueryResult> Connection::Execute(const std::string& sql) {
  PGconn* raw = connection_.get();
  if (stop_ != nullptr && stop_->stopped()) return Interrupted();
  QueryResult last(nullptr);
  if (PQsendQuery(raw, sql.c_str()) == 0) return last;
  while (true) {
    const bool arrived = WaitForResult(stop_.get(), Clock::time_point::max()) || Cancel();
    if (!arrived) {
      connection_.reset();
      return Interrupted();
    }
    PGresult* next = PQgetResult(raw);
    if (next == nullptr) break;
    last = QueryResult(next);
    const ExecStatusType status = PQresultStatus(next);
    if (status == PGRES_COPY_BOTH || status == PGRES_COPY_IN || status == PGRES_COPY_OUT) break;
    if (PQstatus(raw) == CONNECTION_BAD) break;
  }
  const bool failed = PQresultStatus(last.raw()) == PGRES_FATAL_ERROR;
  if (failed && stop_ != nullptr && stop_->stopped()) return Interrupted();
  return last;
}

// True: PQgetResult will not block. False: stopped, or the deadline has passed.
bool Connection::WaitForResult(const StopToken* stop, Clock::time_point deadline) {
  PGconn* raw = connection_.get();
  while (true) {
    for (int reads = ReadsAfterWait(raw); reads > 0 && PQisBusy(raw) != 0; --reads) {
      if (PQconsumeInput(raw) == 0) return true;  // the result says why
    }
    if (PQisBusy(raw) == 0) return true;
    const int unsent = PQflush(raw);
    if (unsent < 0) return true;
    const auto events = static_cast<short>(unsent > 0 ? POLLIN | POLLOUT : POLLIN);
    if (WaitFor(PQsocket(raw), events, stop, deadline) != Wake::kReady) return false;
  }
}

bool Connection::Cancel() {
  constexpr std::chrono::milliseconds kPatience{700};
  StopToken patience;
  patience.StopAfter(kPatience);
  const std::shared_ptr<PGcancel> cancel(PQgetCancel(connection_.get()), PQfreeCancel);
  if (cancel == nullptr) return false;
  const auto sent = RunAbandonable(&patience, [cancel] {
    char error[256];
    return PQcancel(cancel.get(), error, sizeof error) != 0;
  });
  return sent.value_or(false) && WaitForResult(&patience, Clock::time_point::max());
}

arrow::Status Connection::Interrupted() const {
  return MakeError(ErrorKind::kInterrupted, "stopped while waiting for the server",
                   "server " + options_.server, "");
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
