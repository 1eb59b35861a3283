#include "src/delivery/background_copy.h"

#include <utility>

#include "arrowcdc/error.h"
#include "src/delivery/snapshot_copy.h"

namespace arrowcdc {

BackgroundCopy::BackgroundCopy(TakePoint take_point, SnapshotTarget& target, Listener& listener,
                               int64_t connections)
    : target_(target), listener_(listener) {
  thread_ = std::thread([this, take_point = std::move(take_point), connections] {
    const arrow::Status status = Run(take_point, connections);
    const std::lock_guard lock(mutex_);
    status_ = status;
    ended_ = true;
    asked_.notify_all();
  });
}

BackgroundCopy::~BackgroundCopy() {
  stop_.Stop();
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    answered_.notify_all();
  }
  thread_.join();
}

arrow::Status BackgroundCopy::Run(const TakePoint& take_point, int64_t connections) {
  ARROW_ASSIGN_OR_RAISE(const auto snapshot, take_point());
  std::set<TableName> stale;
  ARROW_RETURN_NOT_OK(Ask([&] {
    stale = listener_.OnPoint(*snapshot);
    has_point_ = true;
    return arrow::Status::OK();
  }));
  const auto tell = [this](const std::function<void()>& call) {
    (void)Ask([&] {
      call();
      return arrow::Status::OK();
    });
  };
  return CopySnapshot(
      *snapshot, *this, stale, connections, stop_,
      [&](const SnapshotProgress& progress) { tell([&] { listener_.OnCopied(progress); }); },
      [&](const SourceNotice& notice) { tell([&] { listener_.OnNoticeOf(notice); }); });
}

arrow::Result<std::unique_ptr<SnapshotPartWriter>> BackgroundCopy::BeginPart(const SnapshotPart& part) {
  std::unique_ptr<SnapshotPartWriter> writer;
  ARROW_RETURN_NOT_OK(Ask([&] { return target_.BeginPart(part).Value(&writer); }));
  return writer;
}

arrow::Status BackgroundCopy::CompleteTable(const CopiedTable& table) {
  return Ask([&] { return target_.CompleteTable(table); });
}

arrow::Status BackgroundCopy::Ask(const std::function<arrow::Status()>& call) {
  Request request{call, {}};
  std::unique_lock lock(mutex_);
  if (!closed_) {
    requests_.push_back(&request);
    asked_.notify_all();
  }
  answered_.wait(lock, [&] { return request.done || closed_; });
  if (request.done) return request.answer;
  return MakeError(ErrorKind::kInterrupted, "the stream ended while rows were copied", "snapshot",
                   "start it again: it goes on with the tables that are not complete");
}

arrow::Status BackgroundCopy::Serve(std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  asked_.wait_for(lock, timeout, [this] { return !requests_.empty() || ended_; });
  while (!requests_.empty()) {
    Request& request = *requests_.front();
    requests_.pop_front();
    lock.unlock();
    arrow::Status answer = request.call();
    lock.lock();
    request.answer = answer;
    request.done = true;
    answered_.notify_all();
    ARROW_RETURN_NOT_OK(answer);
  }
  return arrow::Status::OK();
}

bool BackgroundCopy::ended() {
  const std::lock_guard lock(mutex_);
  return ended_;
}

arrow::Status BackgroundCopy::status() {
  const std::lock_guard lock(mutex_);
  return status_;
}

}  // namespace arrowcdc
