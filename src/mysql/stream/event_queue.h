// A thread reads events of a binlog, looks at their checksums, and puts them into a queue bounded in bytes,
// ahead of whoever takes them. When it is full the thread waits, and a server with it, which bears that for
// as long as its net_write_timeout is; so where nobody has taken anything for a while, the rest goes to disk.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "arrowcdc/stop_token.h"
#include "src/mysql/decode/event.h"
#include "src/mysql/stream/packet_reader.h"
#include "src/mysql/stream/record_store.h"

namespace arrowcdc::mysql {

struct QueueStats {
  uint64_t received_bytes = 0;
  int64_t buffered_bytes = 0;
};

// Threads: Next, has_next and ended from one, Stop and stats from any.
class EventQueue {
 public:
  // patience: how long a full queue waits for somebody to take something, before it goes to disk; none: for
  // ever. `stop` (may be null) ends it.
  EventQueue(std::unique_ptr<PacketReader> packets, RecordStoreOptions store,
             std::optional<std::chrono::milliseconds> patience, std::shared_ptr<StopToken> stop);
  ~EventQueue();

  // Lasts until the next call. nullopt: none came within `timeout`. Errors: what ended it, behind all events
  // that came before.
  arrow::Result<std::optional<BinlogEvent>> Next(std::chrono::microseconds timeout);
  // Next has one at hand.
  bool has_next() const { return !left_.empty(); }
  // All that there is was taken, and nothing comes any more.
  bool ended() const;
  // Ends it; idempotent. Next gives an error then.
  void Stop();
  QueueStats stats() const;

 private:
  using Clock = std::chrono::steady_clock;

  void Run();
  arrow::Status Receive();
  arrow::Status Push(const BinlogEvent& event, size_t bytes);
  bool MustWait() const;
  bool MoreComes(EventType type) const;
  void LookAtSilence();

  const std::unique_ptr<PacketReader> packets_;
  const std::optional<std::chrono::milliseconds> patience_;
  const int64_t memory_bytes_max_;
  const std::shared_ptr<StopToken> stop_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  RecordStore store_;
  Clock::time_point taken_at_;
  bool waiting_ = false;  // the taker
  bool ended_ = false;
  arrow::Status why_;
  std::atomic<bool> stopping_ = false;
  std::atomic<uint64_t> received_bytes_ = 0;
  std::atomic<Clock::rep> asked_at_ = 0;     // for a packet that has not come; 0: none is waited for
  std::atomic<int64_t> silent_seconds_ = 0;  // after which it was interrupted

  // The taker's own.
  std::vector<uint8_t> chunk_;
  std::span<const uint8_t> left_;
  std::thread thread_;
};

}  // namespace arrowcdc::mysql
