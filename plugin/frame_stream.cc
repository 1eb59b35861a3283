// Frames into the server's output buffer.
#include "plugin/frame_stream.h"

#include "format/frame_writer.h"
#include "plugin/group.h"

extern "C" {
#include "lib/stringinfo.h"
}

namespace arrowcdc::plugin {

namespace {

// The output buffer keeps what it has grown to; beyond this it is given back after the message.
constexpr int kOutputBytesKept = 4 << 20;
constexpr size_t kHeaderRoom = 64;

void ShrinkOutput(LogicalDecodingContext* decoding) {
  if (decoding->out->maxlen <= kOutputBytesKept) return;
  const MemoryContext previous = MemoryContextSwitchTo(decoding->context);
  pfree(decoding->out->data);
  initStringInfo(decoding->out);
  MemoryContextSwitchTo(previous);
}

}  // namespace

FrameStream::FrameStream(Session* session, uint64_t payload_bytes)
    : session_(session),
      left_(payload_bytes),
      message_left_(0),
      last_message_(false),
      write_location_(InvalidXLogRecPtr) {
  uint16_t flags;
  memcpy(&flags, session->header.data + offsetof(format::FrameHeader, flags), sizeof(flags));
  group_end_ = (flags & format::kFlagGroupEnd) != 0;
  BeginMessage();
}

void FrameStream::BeginMessage() {
  format::ByteBuffer* const header = &session_->header;
  const uint64_t room = format::kFrameBytesMax - format::kXLogDataHeaderBytes - header->size;
  message_left_ = static_cast<size_t>(left_ < room ? left_ : room);
  if (left_ > room) {
    uint16_t flags;
    memcpy(&flags, header->data + offsetof(format::FrameHeader, flags), sizeof(flags));
    flags |= format::kFlagMore;
    memcpy(header->data + offsetof(format::FrameHeader, flags), &flags, sizeof(flags));
  }
  last_message_ = group_end_ && left_ <= room;
  // Clients that know nothing of groups acknowledge the position of any message, so only the last one of a
  // group may carry its safe_lsn. All others say again how far the client was before.
  LogicalDecodingContext* const decoding = session_->decoding;
  write_location_ = decoding->write_location;
  decoding->write_location = last_message_ ? session_->safe_lsn : session_->reached_lsn;
  OutputPluginPrepareWrite(decoding, true);
  enlargeStringInfo(session_->decoding->out, static_cast<int>(header->size + message_left_));
  Put(header->data, header->size);
}

void FrameStream::SendMessage() {
  // The message is in the output buffer before the server can say anything else: from here on the group has
  // been told.
  if (last_message_) GroupIsSent(session_);
  OutputPluginWrite(session_->decoding, true);
  session_->decoding->write_location = write_location_;
  ShrinkOutput(session_->decoding);
}

void FrameStream::Put(const void* bytes, size_t size) {
  StringInfo out = session_->decoding->out;
  if (size > 0) memcpy(out->data + out->len, bytes, size);
  out->len += static_cast<int>(size);
  out->data[out->len] = '\0';
}

void FrameStream::Write(const void* bytes, size_t size) {
  const char* p = static_cast<const char*>(bytes);
  while (size > 0) {
    if (message_left_ == 0) {
      SendMessage();
      const uint64_t room = format::kFrameBytesMax - format::kXLogDataHeaderBytes - kHeaderRoom;
      session_->header.size = 0;
      format::FrameWriter frame(&session_->header, format::FrameKind::kContinuation, 0, session_->sequence++,
                                session_->safe_lsn);
      frame.Finish(0, left_ < room ? left_ : room);
      // The length in the header and the room that BeginMessage finds must be the same.
      format::AppendZeros(&session_->header, kHeaderRoom - session_->header.size);
      const uint32_t header_bytes = kHeaderRoom;
      memcpy(session_->header.data + offsetof(format::FrameHeader, header_bytes), &header_bytes,
             sizeof(header_bytes));
      BeginMessage();
    }
    const size_t part = size < message_left_ ? size : message_left_;
    Put(p, part);
    p += part;
    size -= part;
    left_ -= part;
    message_left_ -= part;
  }
}

void FrameStream::WriteZeros(size_t size) {
  static constexpr char kZeros[format::kBodyAlignment] = {};
  while (size > 0) {
    const size_t part = size < sizeof(kZeros) ? size : sizeof(kZeros);
    Write(kZeros, part);
    size -= part;
  }
}

void FrameStream::End() { SendMessage(); }

}  // namespace arrowcdc::plugin
