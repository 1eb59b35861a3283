// See ipc_streams.h.
#include "src/sink/ipc_streams.h"

#include <algorithm>

namespace arrowcdc {
namespace {

constexpr int64_t kBufferedBytesMax = 1 << 20;
constexpr int64_t kBufferedRowsMax = 8192;

}  // namespace

arrow::Status IpcStreams::Write(const ChangeBatch& batch) {
  const TableSchema& table = *batch.table;
  if (table_ != nullptr && (table_->name != table.name || table_->fingerprint != table.fingerprint)) {
    ARROW_RETURN_NOT_OK(EndStream());
  }
  table_ = batch.table;
  rows_after_mark_ = true;
  ARROW_RETURN_NOT_OK(buffer_.Add(batch.rows));
  if (buffer_.bytes() >= kBufferedBytesMax || buffer_.rows() >= kBufferedRowsMax) return WriteBuffered();
  return arrow::Status::OK();
}

void IpcStreams::SetMark() {
  rows_before_mark_ = buffer_.rows();
  rows_after_mark_ = false;
  if (buffer_.rows() == 0) {
    mark_ = {out_->Tell().ValueOr(0), writer_ != nullptr};
    rows_before_mark_.reset();
  }
}

arrow::Status IpcStreams::MarkHere() {
  ARROW_ASSIGN_OR_RAISE(mark_.bytes, out_->Tell());
  mark_.stream_open = true;
  rows_before_mark_.reset();
  return arrow::Status::OK();
}

arrow::Status IpcStreams::WriteBuffered() {
  if (buffer_.rows() == 0) return arrow::Status::OK();
  if (writer_ == nullptr) {
    ARROW_ASSIGN_OR_RAISE(writer_, arrow::ipc::MakeStreamWriter(out_, table_->schema));
  }
  ARROW_ASSIGN_OR_RAISE(const auto batches, buffer_.Take());
  for (const auto& rows : batches) {
    ARROW_RETURN_NOT_OK(WriteRows(rows));
  }
  return arrow::Status::OK();
}

// The mark lies between two batches on the output.
arrow::Status IpcStreams::WriteRows(const std::shared_ptr<arrow::RecordBatch>& rows) {
  const int64_t before = std::min(rows_before_mark_.value_or(0), rows->num_rows());
  if (before > 0) {
    ARROW_RETURN_NOT_OK(writer_->WriteRecordBatch(*rows->Slice(0, before)));
    *rows_before_mark_ -= before;
    if (*rows_before_mark_ == 0) ARROW_RETURN_NOT_OK(MarkHere());
  }
  if (before == rows->num_rows()) return arrow::Status::OK();
  return writer_->WriteRecordBatch(*rows->Slice(before));
}

arrow::Status IpcStreams::EndStream() {
  ARROW_RETURN_NOT_OK(WriteBuffered());
  if (writer_ == nullptr) return arrow::Status::OK();
  ARROW_RETURN_NOT_OK(writer_->Close());
  writer_.reset();
  table_.reset();
  if (!rows_after_mark_) SetMark();
  return arrow::Status::OK();
}

int64_t IpcStreams::bytes() const { return out_->Tell().ValueOr(0) + buffer_.bytes(); }

}  // namespace arrowcdc
