// A reader: the side of the shared stream that the user holds.
#include "arrowcdc/error.h"
#include "src/delivery/readers/shared_stream.h"

namespace arrowcdc {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

Reader::Reader(std::shared_ptr<SharedStream> stream, TableName table, int partition)
    : stream_(std::move(stream)),
      table_(std::move(table)),
      partition_(partition),
      waiting_(std::make_unique<Waiting>()) {}

Reader::~Reader() = default;

std::string Reader::ToString() const {
  std::string text = "reader of table " + arrowcdc::ToString(table_);
  if (stream_->partitions > 1)
    text += ", partition " + std::to_string(partition_) + " of " + std::to_string(stream_->partitions);
  return text;
}

arrow::Result<ReadResult> Reader::Next(milliseconds timeout, const std::optional<std::string>& until) {
  const auto now = Clock::now();
  const auto deadline = now + timeout;
  std::unique_lock lock(stream_->mutex);
  waiting_->last_read = now;
  const bool can_commit = !stream_->stopped && stream_->end.ok();
  if (stream_->commit == CommitMode::kOnNext && can_commit) {
    ARROW_RETURN_NOT_OK(stream_->Commit(*this));
  }
  while (true) {
    std::optional<Position> end;
    if (until.has_value()) {
      ARROW_ASSIGN_OR_RAISE(end, stream_->source->ParsePosition(*until));
    }
    ARROW_ASSIGN_OR_RAISE(auto taken, stream_->Take(*this, end));
    if (taken.has_value()) return *std::move(taken);
    if (Clock::now() >= deadline) return ReadResult{};
    waiting_->in_next = true;
    waiting_->arrived.wait_until(lock, deadline);
    waiting_->in_next = false;
    waiting_->last_read = Clock::now();
  }
}

arrow::Status Reader::Commit() {
  const std::lock_guard lock(stream_->mutex);
  return stream_->Commit(*this);
}

void Reader::Close() {
  const std::lock_guard lock(stream_->mutex);
  stream_->Close(*this);
}

void Reader::Abandon() {
  const std::lock_guard lock(stream_->mutex);
  stream_->Abandon(*this, MakeError(ErrorKind::kInvalidOption, "the reader was abandoned", ToString(),
                                    "open the readers again: what was not committed comes once more"));
}

void Reader::SetNotify(std::function<void()> notify) {
  const std::lock_guard lock(stream_->mutex);
  waiting_->notify = std::move(notify);
}

ReaderStats Reader::stats() const {
  const std::lock_guard lock(stream_->mutex);
  ReaderStats stats = waiting_->stats;
  stats.waiting_bytes = waiting_->bytes + waiting_->held_bytes;
  stats.uncommitted_batches = waiting_->uncommitted.size();
  return stats;
}

}  // namespace arrowcdc
