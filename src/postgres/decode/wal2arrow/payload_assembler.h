// Puts the parts of a payload together that came in continuation frames, its Arrow body aligned again.
#pragma once

#include <memory>
#include <vector>

#include <arrow/buffer.h>
#include <arrow/memory_pool.h>
#include <arrow/result.h>

#include "format/frame_reader.h"

namespace arrowcdc {

class PayloadAssembler {
 public:
  PayloadAssembler(arrow::MemoryPool* pool, int64_t payload_bytes_max);

  // Between the first part and the last.
  bool active() const { return block_ != nullptr; }

  // First part: keeps a copy of the frame's header. Not while active.
  arrow::Status Start(const format::Frame& frame);

  // A further frame; it must be a continuation. True: the payload is whole, take it.
  arrow::Result<bool> Add(const format::Frame& frame);

  // The first frame, whose sections point into this object until the next Start, and the payload. Afterwards
  // not active.
  const format::Frame& frame() const { return frame_; }
  std::shared_ptr<arrow::Buffer> TakePayload();

 private:
  arrow::Status Append(const format::Frame& frame);

  arrow::MemoryPool* pool_;
  int64_t payload_bytes_max_;
  std::vector<uint8_t> header_;
  format::Frame frame_ = {};
  // Grows with what has come, whatever length was announced. Null unless active.
  std::shared_ptr<arrow::ResizableBuffer> block_;
  int64_t shift_ = 0;  // where the payload begins in it
  int64_t total_bytes_ = 0;
  int64_t filled_bytes_ = 0;
};

}  // namespace arrowcdc
