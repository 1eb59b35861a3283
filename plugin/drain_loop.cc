// The drain loop.
#include "plugin/drain_loop.h"

#include "plugin/flush.h"
#include "plugin/walsender.h"

extern "C" {
#include "replication/decode.h"
}

namespace arrowcdc::plugin {

namespace {

// A turn ends after one of these: the walsender reads the client's replies between turns.
constexpr int kTurnMs = 10;
constexpr uint32_t kRecordsBetweenChecks = 64;

// A record is processed only when a whole one waits behind it.
bool TwoRecordsWait(XLogReaderState* reader) {
  const DecodedXLogRecord* next = reader->decode_queue_head;
  if (next != nullptr && next == reader->record) next = next->next;
  if (next == nullptr) next = XLogReadAhead(reader, true);
  return next != nullptr && (next->next != nullptr || XLogReadAhead(reader, true) != nullptr);
}

}  // namespace

void CountRecord(Interception* state) {
  const XLogRecPtr record = state->decoding->reader->ReadRecPtr;
  if (record == state->counted_record) return;
  state->counted_record = record;
  ++state->session->counters.records;
}

void DrainRecords(Interception* state) {
  LogicalDecodingContext* const decoding = state->decoding;
  XLogReaderState* const reader = decoding->reader;
  Session* const session = state->session;
  const TimestampTz begin = GetCurrentTimestamp();
  const uint64_t reached_lsn = session->group.reached_lsn;
  for (uint32_t count = 1; TwoRecordsWait(reader) && !state->ended; ++count) {
    char* error = nullptr;
    if (XLogNextRecord(reader, &error) == nullptr) break;  // cannot be: one waits
    LogicalDecodingProcessRecord(decoding, reader);
    CountRecord(state);
    ++session->counters.drained;
    if (state->methods->is_send_pending()) break;
    // Whoever waits for the answer to what was sent waits for the walsender to read it.
    if (session->group.reached_lsn != reached_lsn && OthersWait(session)) break;
    if (count % kRecordsBetweenChecks != 0) continue;
    CHECK_FOR_INTERRUPTS();
    FlushHeldBackIfOld(session);
    if (TimestampDifferenceExceeds(begin, GetCurrentTimestamp(), kTurnMs)) break;
  }
}

}  // namespace arrowcdc::plugin
