#include "bench/replication_client.h"

#include <endian.h>

#include <cstring>

#include "format/replication_message.h"

namespace arrowcdc::bench {
namespace {

constexpr int kXLogDataHeaderBytes = format::kXLogDataHeaderBytes;
constexpr int kKeepaliveBytes = format::kKeepaliveBytes;
constexpr int kMessageHeader = 5;  // CopyData's own: 'd' and the length

std::string Quoted(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? "''" : std::string(1, c);
  return quoted + "'";
}

}  // namespace

arrow::Result<std::unique_ptr<ReplicationClient>> ReplicationClient::Connect(const std::string& conninfo) {
  std::unique_ptr<ReplicationClient> self(
      new ReplicationClient(PQconnectdb((conninfo + " replication=database").c_str())));
  if (PQstatus(self->connection_) != CONNECTION_OK) return self->Failure("connecting");
  return self;
}

ReplicationClient::~ReplicationClient() {
  PQfreemem(buffer_);
  PQfinish(connection_);
}

arrow::Status ReplicationClient::Failure(const char* what) const {
  return arrow::Status::IOError(what, ": ", PQerrorMessage(connection_));
}

arrow::Status ReplicationClient::Start(const std::string& slot,
                                       const std::vector<std::pair<std::string, std::string>>& options) {
  std::string command = "START_REPLICATION SLOT \"" + slot + "\" LOGICAL 0/0";
  std::string list;
  for (const auto& [name, value] : options)
    list += (list.empty() ? "\"" : ", \"") + name + "\" " + Quoted(value);
  if (!list.empty()) command += " (" + list + ")";
  PGresult* result = PQexec(connection_, command.c_str());
  const bool streaming = PQresultStatus(result) == PGRES_COPY_BOTH;
  PQclear(result);
  return streaming ? arrow::Status::OK() : Failure("START_REPLICATION");
}

arrow::Result<std::string_view> ReplicationClient::Next() {
  for (;;) {
    PQfreemem(buffer_);
    buffer_ = nullptr;
    const int size = PQgetCopyData(connection_, &buffer_, 0);
    if (size == -1) return arrow::Status::IOError("the server ended the stream");
    if (size < 0) return Failure("reading the stream");
    if (size >= kXLogDataHeaderBytes && buffer_[0] == 'w') {
      wire_bytes_ += size + kMessageHeader;
      ++messages_;
      return std::string_view(buffer_ + kXLogDataHeaderBytes,
                              static_cast<size_t>(size - kXLogDataHeaderBytes));
    }
    if (size < kKeepaliveBytes || buffer_[0] != 'k')
      return arrow::Status::IOError("a message of an unknown kind");
    if (buffer_[format::kKeepaliveReplyAt] != 0) ARROW_RETURN_NOT_OK(Acknowledge(acknowledged_));
  }
}

// Standby status update: written, flushed and applied up to `lsn`.
arrow::Status ReplicationClient::Acknowledge(uint64_t lsn) {
  acknowledged_ = lsn;
  char message[34] = {'r'};
  const uint64_t value = htobe64(lsn);
  for (int i = 0; i < 3; ++i) std::memcpy(message + 1 + 8 * i, &value, sizeof value);
  if (PQputCopyData(connection_, message, sizeof message) <= 0 || PQflush(connection_) != 0)
    return Failure("acknowledging");
  return arrow::Status::OK();
}

}  // namespace arrowcdc::bench
