#include "plugin/testing/walsender_stream.h"

#include <chrono>
#include <poll.h>

#include <arrow/buffer.h>

#include "format/frame.h"
#include "src/postgres/decode/wal2arrow/wal2arrow_decoder.h"

namespace arrowcdc::test {

namespace {

using Clock = std::chrono::steady_clock;

constexpr char kCanceled[] = "canceling statement due to user request";
constexpr auto kLimit = std::chrono::minutes(1);

// One message, or empty at the end of the stream. Errors: IOError at the deadline.
arrow::Result<std::string> ReadMessage(PGconn* connection, Clock::time_point deadline) {
  for (;;) {
    char* data = nullptr;
    const int size = PQgetCopyData(connection, &data, 1);
    if (size > 0) {
      std::string message(data, static_cast<size_t>(size));
      PQfreemem(data);
      return message;
    }
    if (size < 0) return std::string();
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd socket{PQsocket(connection), POLLIN, 0};
    if (left <= 0 || poll(&socket, 1, static_cast<int>(left)) == 0)
      return arrow::Status::IOError("the walsender says nothing any more");
    if (PQconsumeInput(connection) == 0) return std::string();
  }
}

// What is left of the command: the rest of the stream, and the server's error if it ended in one.
std::string Finish(PGconn* connection, Clock::time_point deadline) {
  std::string error;
  for (;;) {
    PGresult* const result = PQgetResult(connection);
    if (result == nullptr) return error;
    const ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_FATAL_ERROR && error.empty()) error = PQresultErrorMessage(result);
    PQclear(result);
    if (status == PGRES_COPY_BOTH || status == PGRES_COPY_OUT || status == PGRES_COPY_IN) {
      for (;;) {
        const auto rest = ReadMessage(connection, deadline);
        if (!rest.ok()) return rest.status().message();
        if (rest->empty()) break;
      }
    }
    if (PQstatus(connection) == CONNECTION_BAD) {
      return error.empty() ? PQerrorMessage(connection) : error;
    }
  }
}

}  // namespace

arrow::Result<std::unique_ptr<WalsenderStream>> WalsenderStream::Connect(const std::string& database) {
  ARROW_ASSIGN_OR_RAISE(auto sql,
                        SqlConnection::Connect(SharedServer().conninfo(database) + " replication=database"));
  return std::unique_ptr<WalsenderStream>(new WalsenderStream(std::move(sql)));
}

arrow::Result<WalsenderStream::Outcome> WalsenderStream::Run(const std::string& slot, PluginOptions options,
                                                             size_t wanted, End end) {
  const auto deadline = Clock::now() + kLimit;
  PGconn* const connection = sql_->raw();
  options.emplace("publication_names", "p");
  std::string command = "START_REPLICATION SLOT \"" + slot + "\" LOGICAL 0/0 (";
  const char* separator = "";
  for (const auto& [name, value] : options) {
    command += separator + ("\"" + name + "\" '" + value + "'");
    separator = ", ";
  }
  command += ")";

  Outcome outcome;
  if (PQsendQuery(connection, command.c_str()) == 0)
    return arrow::Status::IOError(PQerrorMessage(connection));
  PGresult* const started = PQgetResult(connection);
  const bool copying = PQresultStatus(started) == PGRES_COPY_BOTH;
  if (!copying && started != nullptr) outcome.error = PQresultErrorMessage(started);
  PQclear(started);

  Wal2arrowDecoder decoder(arrow::default_memory_pool(), /*epoch=*/1);
  while (copying && outcome.lines.size() < wanted) {
    ARROW_ASSIGN_OR_RAISE(std::string message, ReadMessage(connection, deadline));
    if (message.empty()) break;
    if (message[0] != 'w') continue;
    ARROW_ASSIGN_OR_RAISE(auto event, decoder.Decode(arrow::Buffer::FromString(std::move(message)),
                                                     format::kXLogDataHeaderBytes));
    if (event) AppendLines(*event, true, &outcome.lines);
  }
  const bool ending = copying && outcome.lines.size() >= wanted;
  if (ending && end == End::kCopyDone) {
    PQputCopyEnd(connection, nullptr);
    PQflush(connection);
  } else if (ending) {
    PGcancel* const request = PQgetCancel(connection);
    char reason[256] = "";
    const int sent = PQcancel(request, reason, sizeof reason);
    PQfreeCancel(request);
    if (sent == 0) return arrow::Status::IOError(reason);
  }
  while (ending) {
    ARROW_ASSIGN_OR_RAISE(const std::string message, ReadMessage(connection, deadline));
    if (message.empty()) break;
  }
  const std::string error = Finish(connection, deadline);
  const bool asked_for = ending && end == End::kCancel && error.find(kCanceled) != std::string::npos;
  if (outcome.error.empty() && !asked_for) outcome.error = error;
  outcome.connected = PQstatus(connection) == CONNECTION_OK;
  return outcome;
}

}  // namespace arrowcdc::test
