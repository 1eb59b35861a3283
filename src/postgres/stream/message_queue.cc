// The bound counts what lies in the queue; a message that has been popped is the reader's.
#include "src/postgres/stream/message_queue.h"

#include <algorithm>
#include <utility>

namespace arrowcdc::postgres {

int64_t MessageQueue::Cost(const StreamMessage& message) {
  return static_cast<int64_t>(sizeof(StreamMessage)) + (message.data == nullptr ? 0 : message.data->size());
}

bool MessageQueue::HasRoom() const {
  const std::lock_guard lock(mutex_);
  return HasRoomLocked();
}

void MessageQueue::Push(StreamMessage message) {
  Add(std::move(message));
  Wake();
}

void MessageQueue::Add(StreamMessage message) {
  {
    const std::lock_guard lock(mutex_);
    if (message.data == nullptr && !messages_.empty() && messages_.back().data == nullptr) {
      StreamMessage& last = messages_.back();
      last.wal_end = std::max(last.wal_end, message.wal_end);
      last.reply_requested = last.reply_requested || message.reply_requested;
      return;
    }
    const int64_t cost = Cost(message);
    bytes_ += cost;
    untold_bytes_ += cost;
    messages_.push_back(std::move(message));
    if (untold_bytes_ < kUntoldBytesMax) return;
  }
  Wake();
}

void MessageQueue::Wake() {
  {
    const std::lock_guard lock(mutex_);
    if (untold_bytes_ == 0) return;
    untold_bytes_ = 0;
  }
  arrived_.notify_one();
}

void MessageQueue::Close(arrow::Status reason) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    closed_ = true;
    reason_ = std::move(reason);
  }
  arrived_.notify_one();
}

arrow::Result<std::optional<StreamMessage>> MessageQueue::Pop(std::chrono::milliseconds timeout,
                                                              bool* freed_room) {
  std::unique_lock lock(mutex_);
  *freed_room = false;
  if (timeout.count() > 0) arrived_.wait_for(lock, timeout, [this] { return !messages_.empty() || closed_; });
  if (messages_.empty()) {
    if (closed_) return reason_;
    return std::nullopt;
  }
  const bool had_room = HasRoomLocked();
  StreamMessage message = std::move(messages_.front());
  messages_.pop_front();
  bytes_ -= Cost(message);
  *freed_room = !had_room && HasRoomLocked();
  return message;
}

int64_t MessageQueue::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

}  // namespace arrowcdc::postgres
