// A dump of a server's binlog: a thread owns the connection and reads into a queue, which goes to disk
// beyond a bound in bytes. The server ends a dump whose client does not read (net_write_timeout), so the
// thread reads on however slow the rest is.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "arrowcdc/stop_token.h"
#include "src/mysql/client/connection.h"
#include "src/mysql/stream/packet_source.h"
#include "src/mysql/stream/record_store.h"

namespace arrowcdc::mysql {

class LivePackets : public PacketSource {
 public:
  // Takes a connection over on which a dump has begun. `stop` (may be null) ends it.
  LivePackets(std::unique_ptr<Connection> connection, const RecordStoreOptions& store,
              std::shared_ptr<StopToken> stop);
  ~LivePackets() override;

  arrow::Result<std::optional<std::span<const uint8_t>>> Next(std::chrono::microseconds timeout) override;
  void Stop() override;
  PacketStats stats() const override;

 private:
  void Run();
  arrow::Status Receive();
  arrow::Status Push(std::span<const uint8_t> packet);

  const std::unique_ptr<Connection> connection_;
  const std::shared_ptr<StopToken> stop_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  RecordStore store_;
  bool ended_ = false;
  arrow::Status why_;
  std::atomic<bool> stopping_ = false;
  std::atomic<uint64_t> received_bytes_ = 0;

  // The reader's own.
  std::vector<uint8_t> chunk_;
  std::span<const uint8_t> left_;
  std::thread thread_;
};

}  // namespace arrowcdc::mysql
