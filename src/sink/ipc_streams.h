// Arrow IPC streams one after the other on one output: each holds the batches of one version of one table. A
// new stream begins where the table or its version changes. Small batches of the same stream are put
// together.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include <arrow/io/interfaces.h>
#include <arrow/ipc/writer.h>
#include <arrow/status.h>

#include "arrowcdc/change_batch.h"
#include "src/sink/row_buffer.h"

namespace arrowcdc {

// What is written where a stream that was cut off ends: the marker that tells a reader that another one
// follows.
inline constexpr std::string_view kEndOfStream{"\xff\xff\xff\xff\0\0\0\0", 8};

class IpcStreams {
 public:
  // A place between two rows.
  struct Mark {
    int64_t bytes = 0;         // written before it
    bool stream_open = false;  // a reader that ends here misses the end of a stream
  };

  // `out` outlives this; `bytes`: what it holds already.
  explicit IpcStreams(arrow::io::OutputStream* out) : out_(out) {}

  arrow::Status Write(const ChangeBatch& batch);

  // Remembers the place after the last row. mark() tells it once the rows before it are written.
  void SetMark();
  const Mark& mark() const { return mark_; }

  // Hands all rows to the output; the stream stays open.
  arrow::Status WriteBuffered();
  // WriteBuffered and the end marker. A mark behind the last row moves behind the marker.
  arrow::Status EndStream();

  // In memory and written.
  int64_t bytes() const;

 private:
  arrow::Status WriteRows(const std::shared_ptr<arrow::RecordBatch>& rows);
  arrow::Status MarkHere();

  arrow::io::OutputStream* const out_;
  std::shared_ptr<const TableSchema> table_;  // of the open stream
  std::shared_ptr<arrow::ipc::RecordBatchWriter> writer_;
  RowBuffer buffer_;
  Mark mark_;
  std::optional<int64_t> rows_before_mark_;  // in the buffer; none: mark_ is known
  bool rows_after_mark_ = false;
};

}  // namespace arrowcdc
