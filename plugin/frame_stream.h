// Sends one frame whose header is ready in session->header: the payload comes piece by piece and goes
// straight into the server's output buffer, split into continuation frames where the message would become too
// large.
#pragma once

#include "plugin/session.h"

namespace arrowcdc::plugin {

class FrameStream {
 public:
  FrameStream(Session* session, uint64_t payload_bytes);

  void Write(const void* bytes, size_t size);
  void WriteZeros(size_t size);
  // All of the payload has been written.
  void End();

 private:
  void BeginMessage();
  void SendMessage();
  void Put(const void* bytes, size_t size);

  Session* session_;
  uint64_t left_;              // of the payload, not yet put into a message
  size_t message_left_;        // room for payload in the message that is open
  bool group_end_;             // the frame ends its group
  bool last_message_;          // of the group
  XLogRecPtr write_location_;  // the server's, while a message has another one
};

}  // namespace arrowcdc::plugin
