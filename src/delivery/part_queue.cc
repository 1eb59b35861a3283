#include "src/delivery/part_queue.h"

#include <utility>

namespace arrowcdc {

PartQueue::~PartQueue() {
  {
    const std::lock_guard lock(mutex_);
    batches_.clear();
  }
  Join();
}

void PartQueue::Join() {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

// Most tables are one batch, for which a thread is not worth while.
arrow::Status PartQueue::Push(ChangeBatch batch) {
  if (!std::exchange(any_, true)) return writer_.Write(batch);
  if (!thread_.joinable()) thread_ = std::thread([this] { Run(); });
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return batches_.size() < kBatchesMax || !status_.ok(); });
  ARROW_RETURN_NOT_OK(status_);
  batches_.push_back(std::move(batch));
  changed_.notify_all();
  return arrow::Status::OK();
}

arrow::Status PartQueue::Finish() {
  Join();
  return status_;
}

void PartQueue::Run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return !batches_.empty() || ended_; });
    if (batches_.empty()) return;
    const ChangeBatch batch = std::move(batches_.front());
    batches_.pop_front();
    changed_.notify_all();
    lock.unlock();
    arrow::Status written = writer_.Write(batch);
    lock.lock();
    if (written.ok()) continue;
    status_ = std::move(written);
    batches_.clear();
    changed_.notify_all();
    return;
  }
}

}  // namespace arrowcdc
