// Keepalives.
#include "plugin/keepalive.h"

#include "plugin/walsender.h"

extern "C" {
#include "port/pg_bswap.h"
}

namespace arrowcdc::plugin {

namespace {

void PutPosition(char* to, uint64_t value) {
  const uint64_t swapped = pg_hton64(value);
  memcpy(to, &swapped, sizeof(swapped));
}

uint64_t GetPosition(const char* from) {
  uint64_t value;
  memcpy(&value, from, sizeof(value));
  return pg_ntoh64(value);
}

// A progress frame that says that whole transactions are held back, in front of a keepalive: as the walsender
// would send it, but without a flush, since this may be called from within one. Never between the frames of a
// group, nor before the session has begun for the client, which then knows no position to acknowledge.
void PutDirtyMark(Interception* state) {
  constexpr uint32_t kFrameBytes = format::kFixedHeaderBytes;
  Group* const group = &state->session->group;
  FrameStream* const stream = &state->session->frames.stream;
  if (group->marked || state->writing || !stream->begun) return;
  group->marked = true;
  format::FrameDraft frame = BeginFrame(stream, format::FrameKind::kProgress, format::kFlagTxnIncomplete);
  frame.sequence = stream->sequence++;
  char message[format::kXLogDataHeaderBytes + kFrameBytes] = {'w'};
  PutPosition(message + format::kDataStartAt, group->reached_lsn);
  PutPosition(message + format::kWalEndAt, group->reached_lsn);
  StampSendTime(message);
  // It has neither sections nor payload.
  format::WriteFrameHeader(frame, reinterpret_cast<uint8_t*>(message + format::kXLogDataHeaderBytes));
  state->methods->putmessage_noblock('d', message, sizeof(message));
}

}  // namespace

void StampSendTime(char* xlog_data) {
  PutPosition(xlog_data + format::kSendTimeAt, static_cast<uint64_t>(GetCurrentTimestamp()));
}

// The walsender speaks of what it has decoded. Whoever acknowledges that must not lose what is held back.
void CheckKeepalive(Interception* state, char* keepalive) {
  const Group& group = state->session->group;
  const uint64_t end = GetPosition(keepalive + format::kKeepaliveWalEndAt);
  if (!HoldsBack(group) || kUnsafe) {
    if (end > state->keepalive_end) state->keepalive_end = end;
    return;
  }
  PutDirtyMark(state);
  const XLogRecPtr told = Max(group.reached_lsn, state->keepalive_end);
  PutPosition(keepalive + format::kKeepaliveWalEndAt, Min(end, told));
}

}  // namespace arrowcdc::plugin
