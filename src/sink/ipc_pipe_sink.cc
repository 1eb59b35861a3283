// See ipc_pipe_sink.h.
#include "src/sink/ipc_pipe_sink.h"

namespace arrowcdc {

IpcPipeSink::~IpcPipeSink() { (void)out_->Abort(); }

arrow::Status IpcPipeSink::Remember(arrow::Status status) {
  status = StorageError("write", "standard output", status);
  if (!status.ok() && failure_.ok()) failure_ = status;
  return status;
}

arrow::Result<SinkState> IpcPipeSink::Open(const StreamIdentity&) { return SinkState{}; }

arrow::Status IpcPipeSink::Write(const ChangeBatch& batch) {
  ARROW_RETURN_NOT_OK(failure_);
  if (batch.rows->num_rows() == 0) return arrow::Status::OK();
  pending_ = true;
  return Remember(streams_.Write(batch));
}

arrow::Status IpcPipeSink::Flush() {
  ARROW_RETURN_NOT_OK(failure_);
  if (!pending_) return arrow::Status::OK();
  // The stream stays open: a reader gets its batches now, and the next batch of the table needs no new
  // schema.
  ARROW_RETURN_NOT_OK(Remember(streams_.WriteBuffered()));
  ARROW_RETURN_NOT_OK(Remember(out_->Flush()));
  pending_ = false;
  return arrow::Status::OK();
}

arrow::Status IpcPipeSink::Advance(const Position& position) {
  ARROW_RETURN_NOT_OK(Flush());
  handed_on_ = position;
  return arrow::Status::OK();
}

arrow::Status IpcPipeSink::Close() {
  if (closed_) return arrow::Status::OK();
  closed_ = true;
  if (!failure_.ok()) return arrow::Status::OK();
  ARROW_RETURN_NOT_OK(Remember(streams_.EndStream()));
  return Remember(out_->Flush());
}

}  // namespace arrowcdc
