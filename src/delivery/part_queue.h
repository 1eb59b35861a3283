// Between a thread that reads a part of a snapshot and the writer: the next batches are read while one is
// written.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "arrowcdc/snapshot.h"

namespace arrowcdc {

// Threads: the calls come from one; Write of the writer is called by the queue's own, begun with the second
// batch. Memory: kBatchesMax batches besides the one that is written.
class PartQueue {
 public:
  static constexpr size_t kBatchesMax = 2;

  // `writer` outlives it, and is not used meanwhile.
  explicit PartQueue(SnapshotPartWriter* writer) : writer_(*writer) {}
  // What was not written is dropped. Blocking: until the batch that is being written is.
  ~PartQueue();
  PartQueue(const PartQueue&) = delete;
  PartQueue& operator=(const PartQueue&) = delete;

  // Blocking: while the queue is full. Errors: of the writer, for an earlier batch.
  arrow::Status Push(ChangeBatch batch);
  // Waits until all are written. Errors: of the writer.
  arrow::Status Finish();

 private:
  void Run();
  void Join();

  SnapshotPartWriter& writer_;
  bool any_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
  // Under the mutex:
  std::deque<ChangeBatch> batches_;
  bool ended_ = false;
  arrow::Status status_;
  std::thread thread_;
};

}  // namespace arrowcdc
