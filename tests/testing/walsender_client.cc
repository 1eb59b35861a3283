#include "tests/testing/walsender_client.h"

#include <endian.h>
#include <poll.h>

#include <cstring>

#include "format/replication_message.h"

namespace arrowcdc::test {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kXLogDataHeaderBytes = format::kXLogDataHeaderBytes;
constexpr int kKeepaliveBytes = format::kKeepaliveBytes;

std::string Quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out.append(c == '\'' ? 2 : 1, c);
  return out + "'";
}

uint64_t BigEndian(const char* from) {
  uint64_t value;
  std::memcpy(&value, from, sizeof value);
  return be64toh(value);
}

}  // namespace

arrow::Result<std::unique_ptr<WalsenderClient>> WalsenderClient::Start(
    const std::string& conninfo, const std::string& slot, const std::map<std::string, std::string>& options) {
  std::unique_ptr<WalsenderClient> self(
      new WalsenderClient(PQconnectdb((conninfo + " replication=database").c_str())));
  if (PQstatus(self->connection_) != CONNECTION_OK) return self->Failure("connecting");
  std::string command = "START_REPLICATION SLOT \"" + slot + "\" LOGICAL 0/0";
  std::string list;
  for (const auto& [name, value] : options)
    list += (list.empty() ? " (\"" : ", \"") + name + "\" " + Quoted(value);
  PGresult* result = PQexec(self->connection_, (command + (list.empty() ? "" : list + ")")).c_str());
  const bool streaming = PQresultStatus(result) == PGRES_COPY_BOTH;
  PQclear(result);
  if (!streaming) return self->Failure("START_REPLICATION");
  return self;
}

WalsenderClient::~WalsenderClient() { PQfinish(connection_); }

arrow::Status WalsenderClient::Failure(const char* what) const {
  return arrow::Status::IOError(what, ": ", PQerrorMessage(connection_));
}

arrow::Result<bool> WalsenderClient::Wait(Clock::time_point deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
  if (left <= 0) return false;
  pollfd entry{PQsocket(connection_), POLLIN, 0};
  if (poll(&entry, 1, static_cast<int>(left)) <= 0) return false;
  if (PQconsumeInput(connection_) == 0) return Failure("reading the stream");
  return true;
}

arrow::Result<std::optional<WalsenderMessage>> WalsenderClient::Next(std::chrono::milliseconds limit) {
  const auto deadline = Clock::now() + limit;
  for (;;) {
    char* buffer = nullptr;
    const int size = PQgetCopyData(connection_, &buffer, 1);
    const std::unique_ptr<char, decltype(&PQfreemem)> owner(buffer, PQfreemem);
    if (size == -2) return Failure("reading the stream");
    if (size == -1) {
      PGresult* result = PQgetResult(connection_);
      const std::string message = PQresultErrorMessage(result);
      PQclear(result);
      return arrow::Status::IOError("the server ended the stream ", message);
    }
    if (size == 0) {
      ARROW_ASSIGN_OR_RAISE(const bool more, Wait(deadline));
      if (!more) return std::nullopt;
      continue;
    }
    WalsenderMessage message;
    message.keepalive = buffer[0] == 'k';
    if (size < (message.keepalive ? kKeepaliveBytes : kXLogDataHeaderBytes))
      return arrow::Status::IOError("a short message");
    message.wal_end =
        BigEndian(buffer + (message.keepalive ? format::kKeepaliveWalEndAt : format::kWalEndAt));
    if (message.keepalive) {
      message.reply_requested = buffer[format::kKeepaliveReplyAt] != 0;
    } else {
      message.frame.assign(buffer + kXLogDataHeaderBytes, static_cast<size_t>(size - kXLogDataHeaderBytes));
    }
    return message;
  }
}

arrow::Status WalsenderClient::Reply(uint64_t lsn, bool request_reply) {
  char message[34] = {'r'};
  const uint64_t value = htobe64(lsn);
  for (int i = 0; i < 3; ++i) std::memcpy(message + 1 + 8 * i, &value, sizeof value);
  message[33] = request_reply ? 1 : 0;
  if (PQputCopyData(connection_, message, sizeof message) <= 0 || PQflush(connection_) != 0)
    return Failure("replying");
  return arrow::Status::OK();
}

arrow::Status WalsenderClient::End(std::chrono::milliseconds limit) {
  const auto deadline = Clock::now() + limit;
  if (PQputCopyEnd(connection_, nullptr) <= 0 || PQflush(connection_) != 0)
    return Failure("ending the stream");
  for (bool copying = true;;) {
    char* buffer = nullptr;
    const int size = copying ? PQgetCopyData(connection_, &buffer, 1) : 0;
    PQfreemem(buffer);
    if (size > 0) continue;
    if (size < 0) copying = false;
    if (!copying && PQisBusy(connection_) == 0) {
      PGresult* result = PQgetResult(connection_);
      if (result == nullptr) return arrow::Status::OK();
      const bool failed = PQresultStatus(result) == PGRES_FATAL_ERROR;
      PQclear(result);
      if (failed) return Failure("ending the stream");
      continue;
    }
    ARROW_ASSIGN_OR_RAISE(const bool more, Wait(deadline));
    if (!more) return arrow::Status::IOError("the server did not end the stream in time");
  }
}

}  // namespace arrowcdc::test
