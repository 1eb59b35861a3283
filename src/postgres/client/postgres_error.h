// What libpq and the server say -> typed errors with object and remedy. The only place that knows their
// texts. Nothing here ever sees a conninfo or a password; texts that may carry row values are left out.
#pragma once

#include <string>
#include <vector>

#include <arrow/status.h>
#include <libpq-fe.h>

namespace arrowcdc::postgres {

// What to do where a slot is missing.
inline constexpr char kMakeSlot[] =
    "run 'arrowcdc setup' to make it, or name another by --slot; where it was there and is gone, stream with "
    "--snapshot when-needed then, which copies all rows anew";

// What was being done, so that an error can name its object.
struct ErrorContext {
  enum class Action { kConnect, kQuery, kCreateSlot, kDropSlot, kPublication, kStream };
  Action action = Action::kQuery;
  std::string server;  // host:port or socket directory
  std::string user;
  std::string database;
  std::string slot;
  std::vector<std::string> publications;
};

// Fields of an ErrorResponse.
struct ServerError {
  std::string sqlstate;  // empty where libpq itself reports
  std::string message;   // primary text
  std::string detail;
  std::string hint;
  std::string function;      // of the server's source; the same in every language
  std::string context = {};  // what it was about, one line a level
};

// The decision alone, for tests too.
arrow::Status ClassifyServerError(const ServerError& error, const ErrorContext& context);

// A failed command. `result` may be null (out of memory, connection lost): then the connection says why.
arrow::Status ErrorFromResult(const PGresult* result, PGconn* connection, const ErrorContext& context);

// A connection that could not be made or broke. While connecting the verbosity must be PQERRORS_VERBOSE: only
// so the SQLSTATE is told.
arrow::Status ErrorFromConnection(PGconn* connection, const ErrorContext& context);
arrow::Status ClassifyConnectionError(const std::string& text, bool needs_password,
                                      const ErrorContext& context);

}  // namespace arrowcdc::postgres
