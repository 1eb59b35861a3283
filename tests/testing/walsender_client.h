// A replication connection in a test's own hands: every message and keepalive is seen, and nothing is
// answered unless told.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include <arrow/result.h>
#include <libpq-fe.h>

namespace arrowcdc::test {

struct WalsenderMessage {
  bool keepalive = false;
  uint64_t wal_end = 0;  // as a client reads it that knows nothing of the plugin
  bool reply_requested = false;
  std::string frame;  // of a data message
};

// Threads: one at a time. The connection is cut when the object goes, unless End came first.
class WalsenderClient {
 public:
  static arrow::Result<std::unique_ptr<WalsenderClient>> Start(
      const std::string& conninfo, const std::string& slot,
      const std::map<std::string, std::string>& options);
  ~WalsenderClient();
  WalsenderClient(const WalsenderClient&) = delete;
  WalsenderClient& operator=(const WalsenderClient&) = delete;

  // nullopt: nothing came in time. Errors: the server's, or the end of the stream.
  arrow::Result<std::optional<WalsenderMessage>> Next(std::chrono::milliseconds limit);
  // Everything up to `lsn` is written, flushed and applied (0: nothing yet).
  arrow::Status Reply(uint64_t lsn, bool request_reply = false);
  // CopyDone, and the rest of what the server had sent; returns when the server has let go of the slot.
  arrow::Status End(std::chrono::milliseconds limit = std::chrono::seconds(30));

  int backend_pid() const { return PQbackendPID(connection_); }

 private:
  explicit WalsenderClient(PGconn* connection) : connection_(connection) {}
  arrow::Status Failure(const char* what) const;
  // Reads what there is; false: nothing came in time.
  arrow::Result<bool> Wait(std::chrono::steady_clock::time_point deadline);

  PGconn* connection_;
};

}  // namespace arrowcdc::test
