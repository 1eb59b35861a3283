// Continuation frames -> one payload.
#include "src/postgres/decode/wal2arrow/payload_assembler.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "src/postgres/decode/wal2arrow/frame_fault.h"
#include "src/postgres/decode/wal2arrow/ipc_message.h"

namespace arrowcdc {

using format::Frame;
using format::FrameHeader;
using format::FrameKind;

namespace {

constexpr int64_t kAlignment = 64;

}  // namespace

PayloadAssembler::PayloadAssembler(arrow::MemoryPool* pool, int64_t payload_bytes_max)
    : pool_(pool), payload_bytes_max_(payload_bytes_max) {}

arrow::Status PayloadAssembler::Start(const Frame& frame) {
  if (frame.header.payload_bytes > static_cast<uint64_t>(payload_bytes_max_)) {
    return FrameFault(frame.header, {"payload longer than this client takes",
                                     offsetof(FrameHeader, payload_bytes), frame.header.payload_bytes});
  }
  const uint8_t* start = frame.payload - frame.header.header_bytes;
  header_.assign(start, frame.payload);
  frame_ = frame;
  for (auto& section : frame_.sections) {
    if (section.data != nullptr) section.data = header_.data() + section.offset;
  }
  frame_.payload = nullptr;
  frame_.payload_bytes = 0;

  total_bytes_ = static_cast<int64_t>(frame.header.payload_bytes);
  filled_bytes_ = 0;
  const int64_t body = BodyOffset(frame.payload, static_cast<int64_t>(frame.payload_bytes));
  shift_ = (kAlignment - body % kAlignment) % kAlignment;
  ARROW_ASSIGN_OR_RAISE(block_, arrow::AllocateResizableBuffer(0, kAlignment, pool_));
  return Append(frame);
}

arrow::Result<bool> PayloadAssembler::Add(const Frame& frame) {
  if (frame.header.kind != static_cast<uint8_t>(FrameKind::kContinuation)) {
    return FrameFault(frame.header, "another frame between the parts of a payload",
                      offsetof(FrameHeader, kind));
  }
  uint64_t missing = static_cast<uint64_t>(total_bytes_ - filled_bytes_);
  bool last = (frame.header.flags & format::kFlagMore) == 0;
  if (last ? frame.payload_bytes != missing : frame.payload_bytes >= missing) {
    return FrameFault(frame.header, {"part that does not fit the payload announced",
                                     offsetof(FrameHeader, payload_bytes), frame.payload_bytes});
  }
  ARROW_RETURN_NOT_OK(Append(frame));
  return last;
}

arrow::Status PayloadAssembler::Append(const Frame& frame) {
  const auto bytes = static_cast<int64_t>(frame.payload_bytes);
  const int64_t filled = shift_ + filled_bytes_ + bytes;
  if (filled > block_->capacity()) {
    ARROW_RETURN_NOT_OK(block_->Reserve(std::min(2 * filled, shift_ + total_bytes_)));
  }
  ARROW_RETURN_NOT_OK(block_->Resize(filled, /*shrink_to_fit=*/false));
  if (bytes > 0) memcpy(block_->mutable_data() + shift_ + filled_bytes_, frame.payload, frame.payload_bytes);
  filled_bytes_ += bytes;
  return arrow::Status::OK();
}

std::shared_ptr<arrow::Buffer> PayloadAssembler::TakePayload() {
  return arrow::SliceBuffer(std::exchange(block_, nullptr), shift_, filled_bytes_);
}

}  // namespace arrowcdc
