// Frames into the server's output buffer.
#include "plugin/frame_stream.h"

extern "C" {
#include "lib/stringinfo.h"
}

namespace arrowcdc::plugin {

namespace {

// The output buffer keeps what it has grown to; beyond this it is given back after the message.
constexpr int kOutputBytesKept = 4 << 20;
constexpr uint32_t kContinuationHeaderBytes = 64;
// Of a message: the server's send buffer keeps what it has grown to. No batch but one with a single large row
// comes near. A little less than a power of two, to which the output buffer grows.
constexpr uint64_t kMessageBytesMax = (32 << 20) - 1024;
static_assert(kMessageBytesMax <= format::kFrameBytesMax);

void ShrinkOutput(LogicalDecodingContext* decoding) {
  if (decoding->out->maxlen <= kOutputBytesKept) return;
  const MemoryContext previous = MemoryContextSwitchTo(decoding->context);
  pfree(decoding->out->data);
  initStringInfo(decoding->out);
  MemoryContextSwitchTo(previous);
}

// Bytes of payload that the message has room for.
uint64_t MeasureRoom(uint32_t header_bytes) {
  return kMessageBytesMax - format::kXLogDataHeaderBytes - header_bytes;
}

}  // namespace

format::FrameDraft BeginFrame(FrameStream* stream, format::FrameKind kind, uint16_t flags) {
  format::FrameDraft frame{};
  frame.kind = kind;
  frame.flags = flags;
  if (stream->group->marked && (flags & format::kFlagGroupEnd) == 0) frame.flags |= format::kFlagDirty;
  frame.safe_lsn = stream->group->safe_lsn;
  return frame;
}

void SendFrame(FrameStream* stream, const format::FrameDraft& frame, const void* payload) {
  PayloadWriter writer(stream, frame);
  writer.Write(payload, frame.payload_bytes);
  writer.End();
}

PayloadWriter::PayloadWriter(FrameStream* stream, const format::FrameDraft& frame)
    : stream_(stream),
      left_(frame.payload_bytes),
      message_left_(0),
      group_end_((frame.flags & format::kFlagGroupEnd) != 0),
      last_message_(false),
      write_location_(InvalidXLogRecPtr) {
  BeginMessage(frame);
}

void PayloadWriter::BeginMessage(format::FrameDraft frame) {
  const uint32_t header_bytes = format::MeasureFrameHeader(frame);
  const uint64_t room = MeasureRoom(header_bytes);
  const bool more = left_ > room;
  if (more) frame.flags |= format::kFlagMore;
  message_left_ = static_cast<size_t>(more ? room : left_);
  last_message_ = group_end_ && !more;
  // Clients that know nothing of groups acknowledge the position of any message, so only the last one of a
  // group may carry its safe_lsn. All others say again how far the client was before.
  LogicalDecodingContext* const decoding = stream_->decoding;
  write_location_ = decoding->write_location;
  decoding->write_location = last_message_ ? stream_->group->safe_lsn : stream_->group->reached_lsn;
  OutputPluginPrepareWrite(decoding, true);
  StringInfo out = decoding->out;
  enlargeStringInfo(out, static_cast<int>(header_bytes + message_left_));
  frame.sequence = stream_->sequence++;
  format::WriteFrameHeader(frame, reinterpret_cast<uint8_t*>(out->data + out->len));
  out->len += static_cast<int>(header_bytes);
  out->data[out->len] = '\0';
}

void PayloadWriter::BeginContinuation() {
  format::FrameDraft frame{};
  frame.kind = format::FrameKind::kContinuation;
  frame.safe_lsn = stream_->group->safe_lsn;
  frame.header_bytes_min = kContinuationHeaderBytes;
  const uint64_t room = MeasureRoom(kContinuationHeaderBytes);
  frame.payload_bytes = left_ < room ? left_ : room;
  BeginMessage(frame);
}

void PayloadWriter::SendMessage() {
  // The message is in the output buffer before the server can say anything else: from here on the group has
  // been told.
  if (last_message_) EndGroup(stream_->group);
  OutputPluginWrite(stream_->decoding, true);
  stream_->decoding->write_location = write_location_;
  ShrinkOutput(stream_->decoding);
}

void PayloadWriter::Put(const void* bytes, size_t size) {
  StringInfo out = stream_->decoding->out;
  if (size > 0) memcpy(out->data + out->len, bytes, size);
  out->len += static_cast<int>(size);
  out->data[out->len] = '\0';
}

void PayloadWriter::Write(const void* bytes, size_t size) {
  const char* p = static_cast<const char*>(bytes);
  while (size > 0) {
    if (message_left_ == 0) {
      SendMessage();
      BeginContinuation();
    }
    const size_t part = size < message_left_ ? size : message_left_;
    Put(p, part);
    p += part;
    size -= part;
    left_ -= part;
    message_left_ -= part;
  }
}

void PayloadWriter::WriteZeros(size_t size) {
  static constexpr char kZeros[format::kBodyAlignment] = {};
  while (size > 0) {
    const size_t part = size < sizeof(kZeros) ? size : sizeof(kZeros);
    Write(kZeros, part);
    size -= part;
  }
}

void PayloadWriter::End() { SendMessage(); }

}  // namespace arrowcdc::plugin
