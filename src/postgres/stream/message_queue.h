// Replication messages that have been read and not yet been taken, in order, bounded in bytes.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>

#include <arrow/buffer.h>
#include <arrow/result.h>

namespace arrowcdc::postgres {

struct StreamMessage {
  std::shared_ptr<arrow::Buffer> data;  // a whole XLogData message, 'w' included; null: a keepalive
  uint64_t wal_end = 0;                 // of a keepalive
  bool reply_requested = false;
  bool is_run = false;  // data: of several messages what the plugin wrote (message_run.h)
};

// Threads: one producer at a time, one consumer; they may be the same.
class MessageQueue {
 public:
  explicit MessageQueue(int64_t bytes_max) : bytes_max_(bytes_max) {}

  // True when another message may be pushed. One that is larger than the bound is let in alone.
  bool HasRoom() const;
  // A keepalive right behind a keepalive replaces it. Never blocks, never refuses: ask HasRoom first.
  void Push(StreamMessage message);
  // The same of one behind which more may come at once: a consumer that waits is woken for all of them by
  // Wake, by Push, or when there are kUntoldBytesMax.
  void Add(StreamMessage message);
  void Wake();
  // Nothing comes after what is queued; `reason` is told once that has been popped.
  void Close(arrow::Status reason);

  // Next message; nullopt when `timeout` has passed. Errors: the reason of Close.
  // `freed_room`: popping made room where there was none, so the producer wants to be woken.
  arrow::Result<std::optional<StreamMessage>> Pop(std::chrono::milliseconds timeout, bool* freed_room);

  int64_t bytes() const;

 private:
  static constexpr int64_t kUntoldBytesMax = 64 << 10;

  static int64_t Cost(const StreamMessage& message);
  bool HasRoomLocked() const { return bytes_ < bytes_max_; }

  const int64_t bytes_max_;
  mutable std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<StreamMessage> messages_;
  int64_t bytes_ = 0;
  int64_t untold_bytes_ = 0;  // that were added since a consumer that waits was woken
  bool closed_ = false;
  arrow::Status reason_;
};

}  // namespace arrowcdc::postgres
