// Frames into the server's output buffer, as messages: numbers them, gives each message the position that a
// client may take from it, and splits a payload that would make one too large. Knows nothing of what a frame
// is about, and decides nothing about when one is sent.
#pragma once

#include "format/frame_writer.h"
#include "plugin/group.h"

namespace arrowcdc::plugin {

struct FrameStream {
  LogicalDecodingContext* decoding;
  Group* group;
  uint32_t sequence;  // of the next frame
  bool begun;         // the hello frame was sent
  bool more_follows;  // the message that is written now is not the last one of a group that is being sent
};

// A frame that is to be sent, and what the group says about it. The caller fills in the rest; its number it
// gets when it is written.
format::FrameDraft BeginFrame(FrameStream* stream, format::FrameKind kind, uint16_t flags);

// A frame without payload, or with one piece of it.
void SendFrame(FrameStream* stream, const format::FrameDraft& frame, const void* payload = nullptr);

// A frame whose payload comes piece by piece: all of payload_bytes, then End.
class PayloadWriter {
 public:
  PayloadWriter(FrameStream* stream, const format::FrameDraft& frame);

  void Write(const void* bytes, size_t size);
  void WriteZeros(size_t size);
  void End();

 private:
  void BeginMessage(format::FrameDraft frame);
  void BeginContinuation();
  void SendMessage();
  void Put(const void* bytes, size_t size);

  FrameStream* stream_;
  uint64_t left_;              // of the payload, not yet put into a message
  size_t message_left_;        // room for payload in the message that is open
  bool group_end_;             // the frame ends its group
  bool last_message_;          // of the group
  XLogRecPtr write_location_;  // the server's, while a message has another one
};

}  // namespace arrowcdc::plugin
