// See console_sink.h.
#include "src/sink/console_sink.h"

namespace arrowcdc {
namespace {

constexpr size_t kTextBytesMax = 64 << 10;

}  // namespace

ConsoleSink::~ConsoleSink() { (void)out_->Abort(); }

arrow::Status ConsoleSink::Remember(arrow::Status status) {
  status = StorageError("write", "standard output", status);
  if (!status.ok() && failure_.ok()) failure_ = status;
  return status;
}

arrow::Result<SinkState> ConsoleSink::Open(const StreamIdentity&) { return SinkState{}; }

arrow::Status ConsoleSink::Write(const ChangeBatch& batch) {
  ARROW_RETURN_NOT_OK(failure_);
  if (batch.rows->num_rows() == 0) return arrow::Status::OK();
  ARROW_RETURN_NOT_OK(format_(batch, &text_));
  pending_ = true;
  return text_.size() >= kTextBytesMax ? WriteText() : arrow::Status::OK();
}

arrow::Status ConsoleSink::WriteText() {
  const auto status = out_->Write(text_.data(), static_cast<int64_t>(text_.size()));
  text_.clear();
  return Remember(status);
}

arrow::Status ConsoleSink::Flush() {
  ARROW_RETURN_NOT_OK(failure_);
  if (!pending_) return arrow::Status::OK();
  ARROW_RETURN_NOT_OK(WriteText());
  ARROW_RETURN_NOT_OK(Remember(out_->Flush()));
  pending_ = false;
  return arrow::Status::OK();
}

arrow::Status ConsoleSink::Advance(const Position& position) {
  ARROW_RETURN_NOT_OK(Flush());
  handed_on_ = position;
  return arrow::Status::OK();
}

arrow::Status ConsoleSink::Close() { return failure_.ok() ? Flush() : arrow::Status::OK(); }

}  // namespace arrowcdc
