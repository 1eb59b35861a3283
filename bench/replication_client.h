// The transport all plugins share: START_REPLICATION over libpq, one thread, blocking. Answers keepalives,
// acknowledges only when told to.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <arrow/result.h>
#include <libpq-fe.h>

namespace arrowcdc::bench {

class ReplicationClient {
 public:
  static arrow::Result<std::unique_ptr<ReplicationClient>> Connect(const std::string& conninfo);
  ~ReplicationClient();
  ReplicationClient(const ReplicationClient&) = delete;
  ReplicationClient& operator=(const ReplicationClient&) = delete;

  // Streams from the slot's confirmed position.
  arrow::Status Start(const std::string& slot,
                      const std::vector<std::pair<std::string, std::string>>& options);
  // What the plugin wrote, without the XLogData header; valid until the next call. Blocks.
  arrow::Result<std::string_view> Next();
  arrow::Status Acknowledge(uint64_t lsn);

  pid_t server_process() const { return PQbackendPID(connection_); }
  int64_t wire_bytes() const { return wire_bytes_; }
  int64_t messages() const { return messages_; }

 private:
  explicit ReplicationClient(PGconn* connection) : connection_(connection) {}
  arrow::Status Failure(const char* what) const;

  PGconn* connection_;
  char* buffer_ = nullptr;  // libpq's, of the last message
  uint64_t acknowledged_ = 0;
  int64_t wire_bytes_ = 0;
  int64_t messages_ = 0;
};

}  // namespace arrowcdc::bench
