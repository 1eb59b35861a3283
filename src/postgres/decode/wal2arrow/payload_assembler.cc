// Continuation frames -> one payload.
#include "src/postgres/decode/wal2arrow/payload_assembler.h"

#include <cstring>
#include <utility>

#include "src/postgres/decode/wal2arrow/frame_fault.h"
#include "src/postgres/decode/wal2arrow/ipc_message.h"

namespace arrowcdc {

using format::Frame;
using format::FrameHeader;
using format::FrameKind;

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

  constexpr int64_t kAlignment = 64;
  auto total = static_cast<int64_t>(frame.header.payload_bytes);
  int64_t body = BodyOffset(frame.payload, static_cast<int64_t>(frame.payload_bytes));
  int64_t shift = (kAlignment - body % kAlignment) % kAlignment;
  ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> block,
                        arrow::AllocateBuffer(total + shift, kAlignment, pool_));
  payload_ = arrow::SliceMutableBuffer(block, shift, total);
  filled_bytes_ = 0;
  Append(frame);
  return arrow::Status::OK();
}

arrow::Result<bool> PayloadAssembler::Add(const Frame& frame) {
  if (frame.header.kind != static_cast<uint8_t>(FrameKind::kContinuation)) {
    return FrameFault(frame.header, "another frame between the parts of a payload",
                      offsetof(FrameHeader, kind));
  }
  uint64_t missing = static_cast<uint64_t>(payload_->size() - filled_bytes_);
  bool last = (frame.header.flags & format::kFlagMore) == 0;
  if (last ? frame.payload_bytes != missing : frame.payload_bytes >= missing) {
    return FrameFault(frame.header, {"part that does not fit the payload announced",
                                     offsetof(FrameHeader, payload_bytes), frame.payload_bytes});
  }
  Append(frame);
  return last;
}

void PayloadAssembler::Append(const Frame& frame) {
  if (frame.payload_bytes == 0) return;
  memcpy(payload_->mutable_data() + filled_bytes_, frame.payload, frame.payload_bytes);
  filled_bytes_ += static_cast<int64_t>(frame.payload_bytes);
}

std::shared_ptr<arrow::Buffer> PayloadAssembler::TakePayload() { return std::exchange(payload_, nullptr); }

}  // namespace arrowcdc
