// A copy of rows that were there before, beside a stream that goes on. It has threads of its own; the target
// belongs to the thread of the stream, which serves it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <thread>

#include <arrow/result.h>

#include "arrowcdc/pipeline.h"
#include "arrowcdc/snapshot.h"
#include "arrowcdc/stop_token.h"

namespace arrowcdc {

// Threads: all calls from one, in which the target and the listener are called, too; writers of parts are
// used by the copy's threads.
class BackgroundCopy : private SnapshotTarget {
 public:
  struct Listener {
    virtual ~Listener() = default;
    // Before the first part. Returns the tables of which the target has rows that will not count any more.
    virtual std::set<TableName> OnPoint(const Snapshot& snapshot) = 0;
    virtual void OnCopied(const SnapshotProgress& progress) = 0;  // about once a second, and at the end
    virtual void OnNoticeOf(const SourceNotice& notice) = 0;      // what the snapshot has to say
  };
  using TakePoint = std::function<arrow::Result<std::unique_ptr<Snapshot>>()>;

  // Begins. `take_point` is called by the copy's thread. connections: as CopySnapshot takes them.
  BackgroundCopy(TakePoint take_point, SnapshotTarget& target, Listener& listener, int64_t connections);
  // Ends it: waits for what its connections are doing.
  ~BackgroundCopy() override;

  // Waits up to `timeout` for something to do, and does all of it. Errors: of the target; the copy ends then.
  arrow::Status Serve(std::chrono::milliseconds timeout);

  bool has_point() const { return has_point_; }
  bool ended();
  // Once it has ended. Errors: as CopySnapshot and Source::BeginSnapshot.
  arrow::Status status();

 private:
  struct Request {
    const std::function<arrow::Status()>& call;
    arrow::Status answer;
    bool done = false;
  };

  int snapshot_writers_max() const override { return target_.snapshot_writers_max(); }
  arrow::Result<std::unique_ptr<SnapshotPartWriter>> BeginPart(const SnapshotPart& part) override;
  arrow::Status CompleteTable(const CopiedTable& table) override;

  arrow::Status Run(const TakePoint& take_point, int64_t connections);
  // In the thread that serves.
  arrow::Status Ask(const std::function<arrow::Status()>& call);

  SnapshotTarget& target_;
  Listener& listener_;
  StopToken stop_;
  bool has_point_ = false;

  std::mutex mutex_;
  std::condition_variable asked_;
  std::condition_variable answered_;
  // Under the mutex:
  std::deque<Request*> requests_;
  bool closed_ = false;  // nobody serves any more
  bool ended_ = false;
  arrow::Status status_;

  std::thread thread_;
};

}  // namespace arrowcdc
