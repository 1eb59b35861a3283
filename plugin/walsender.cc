// The walsender's calls, intercepted.
#include "plugin/walsender.h"

#include "plugin/group.h"
#include "plugin/options.h"
#include "plugin/settings.h"

extern "C" {
#include "access/xlog_internal.h"
#include "access/xlogreader.h"
#include "access/xlogrecovery.h"
#include "libpq/libpq.h"
#include "port/pg_bswap.h"
#include "replication/decode.h"
#include "replication/slot.h"
#include "replication/walsender.h"
#include "replication/walsender_private.h"
}

namespace arrowcdc::plugin {

namespace {

// Majors whose walsender.c was read for this and with which the tests passed: servers 15.18, 17.11 and 18.6.
// Not 16 (16.15): there batching_test's counter-proof lost no rows while draining, so that its proof proves
// nothing.
constexpr bool kTestedServer = (PG_VERSION_NUM >= 150000 && PG_VERSION_NUM < 160000) ||
                               (PG_VERSION_NUM >= 170000 && PG_VERSION_NUM < 190000);

// A turn of the drain loop ends after one of these: the walsender reads the client's replies between turns.
constexpr int kTurnMs = 10;
constexpr uint32_t kRecordsBetweenChecks = 64;

// walEnd, sendTime and the request for a reply behind the kind.
constexpr size_t kKeepaliveBytes = 1 + 8 + 8 + 1;

// Statics, as PqCommMethods' functions get no argument of ours. An ERROR leaves them as they are: Attach sets
// all anew.
struct Interception {
  Session* session;  // null: not attached
  LogicalDecodingContext* decoding;
  const PQcommMethods* methods;  // the server's
  XLogPageReadCB page_read;
  LogicalOutputPluginWriterWrite write;
  LogicalOutputPluginWriterUpdateProgress update_progress;
  XLogRecPtr flushed;         // at least so much can be read without waiting
  XLogRecPtr keepalive_end;   // highest walEnd that left unchanged
  XLogRecPtr counted_record;  // the last one in Counters::records
  int depth;                  // inside a call from which nothing may be decoded
  bool page_was_read;         // the walsender has begun to read by itself
  bool ended;                 // CopyDone was sent
  bool on_standby;            // as the walsender saw it last, before it was told to start
};
Interception state;
PQcommMethods wrapped_methods;

// The walsender waits for other servers below the flush pointer before it sends for this slot.
#if PG_VERSION_NUM >= 170000
bool IsFailoverSlotThatWaits(const ReplicationSlot* slot) {
  return slot->data.failover && synchronized_standby_slots != nullptr &&
         synchronized_standby_slots[0] != '\0';
}
#else
bool IsFailoverSlotThatWaits(const ReplicationSlot*) { return false; }
#endif

bool CanBeRead(XLogRecPtr end) {
  if (end <= state.flushed) return true;
  state.flushed = RecoveryInProgress() ? GetXLogReplayRecPtr(nullptr) : GetFlushRecPtr(nullptr);
  return end <= state.flushed;
}

// A record is processed only when a whole one waits behind it: the last one is left to the walsender, which
// takes its position from the record it processes itself.
bool TwoRecordsWait(XLogReaderState* reader) {
  const DecodedXLogRecord* next = reader->decode_queue_head;
  if (next != nullptr && next == reader->record) next = next->next;
  if (next == nullptr) next = XLogReadAhead(reader, true);
  return next != nullptr && (next->next != nullptr || XLogReadAhead(reader, true) != nullptr);
}

void CountRecord(XLogReaderState* reader) {
  if (reader->ReadRecPtr == state.counted_record) return;
  state.counted_record = reader->ReadRecPtr;
  ++state.session->counters.records;
}

void Drain() {
  LogicalDecodingContext* const decoding = state.decoding;
  XLogReaderState* const reader = decoding->reader;
  Counters* const counters = &state.session->counters;
  const TimestampTz begin = GetCurrentTimestamp();
  const uint64_t reached_lsn = state.session->reached_lsn;
  for (uint32_t count = 1; TwoRecordsWait(reader) && !state.ended; ++count) {
    char* error = nullptr;
    if (XLogNextRecord(reader, &error) == nullptr) break;  // cannot be: one waits
    LogicalDecodingProcessRecord(decoding, reader);
    CountRecord(reader);
    ++counters->drained;
    if (state.methods->is_send_pending()) break;
    // Whoever waits for the answer to what was sent waits for the walsender to read it.
    if (state.session->reached_lsn != reached_lsn && OthersWait(state.session)) break;
    if (count % kRecordsBetweenChecks != 0) continue;
    CHECK_FOR_INTERRUPTS();
    FlushHeldBackIfOld(state.session);
    if (TimestampDifferenceExceeds(begin, GetCurrentTimestamp(), kTurnMs)) break;
  }
}

// The walsender would go on with the new timeline's WAL, and the client take its positions for the old one's:
// they would look as if they had diverged. Before the first record of the new timeline is decoded.
void EndIfPromoted() {
  if (!state.on_standby || RecoveryInProgress()) return;
  FlushHeldBack(state.session);
  ereport(ERROR,
          (errcode(ERRCODE_ADMIN_SHUTDOWN), errmsg("wal2arrow: this server was promoted to a new timeline"),
           errhint("Connect again.")));
}

extern "C" {

int OnPageRead(XLogReaderState* reader, XLogRecPtr page, int bytes, XLogRecPtr record, char* buffer) {
  // Asked not to wait, the reader may ask for a few bytes more (a long page header) and then ignores the
  // answer.
  constexpr int kMargin = static_cast<int>(SizeOfXLogLongPHD - SizeOfXLogShortPHD);
  const bool may_wait = !reader->nonblocking;
  const int wanted = may_wait || bytes > XLOG_BLCKSZ - kMargin ? bytes : bytes + kMargin;
  ++state.depth;
  if (CanBeRead(page + static_cast<XLogRecPtr>(wanted)) && !IsFailoverSlotThatWaits(state.decoding->slot)) {
    FlushHeldBackIfOld(state.session);
  } else if (may_wait) {
    FlushHeldBack(state.session);
  } else {
    --state.depth;
    return XLREAD_WOULDBLOCK;
  }
  const int result = state.page_read(reader, page, bytes, record, buffer);
  EndIfPromoted();
  --state.depth;
  state.page_was_read = true;
  return result;
}

void OnWrite(LogicalDecodingContext* decoding, XLogRecPtr lsn, TransactionId xid, bool last_write) {
  ++state.depth;
  state.write(decoding, lsn, xid, last_write);
  --state.depth;
}

void OnUpdateProgress(LogicalDecodingContext* decoding, XLogRecPtr lsn, TransactionId xid, bool skipped) {
  ++state.depth;
  state.update_progress(decoding, lsn, xid, skipped);
  --state.depth;
}

// The walsender asks this at the top of its loop, before each record.
bool OnIsSendPending() {
  if (state.methods->is_send_pending()) return true;
  if (state.session == nullptr || state.depth > 0 || !state.page_was_read || state.ended) return false;
  ++state.depth;
  CountRecord(state.decoding->reader);
  if (state.session->options.drain && DrainAllowed() && !IsFailoverSlotThatWaits(state.decoding->slot))
    Drain();
  --state.depth;
  return state.methods->is_send_pending();
}

void OnPutMessage(char type, const char* data, size_t size) {
  if (type == 'c') state.ended = true;
  char keepalive[kKeepaliveBytes];
  if (state.session != nullptr && type == 'd' && size == kKeepaliveBytes && data[0] == 'k') {
    uint64_t end;
    memcpy(&end, data + 1, sizeof(end));
    end = pg_ntoh64(end);
    if (state.session->group.whole_lsn == 0 || kUnsafe) {
      if (end > state.keepalive_end) state.keepalive_end = end;
    } else {
      // The walsender speaks of what it has decoded. Whoever acknowledges that must not lose what is held
      // back.
      const XLogRecPtr told = Max(state.session->reached_lsn, state.keepalive_end);
      end = pg_hton64(Min(end, told));
      memcpy(keepalive, data, size);
      memcpy(keepalive + 1, &end, sizeof(end));
      data = keepalive;
    }
  }
  state.methods->putmessage_noblock(type, data, size);
}

}  // extern "C"

}  // namespace

void AttachToWalsender(Session* session) {
  DetachFromWalsender();
  const Options& options = session->options;
  const bool wanted =
      (options.batching && BatchingAllowed()) || (options.drain && DrainAllowed()) || am_cascading_walsender;
  if (!kTestedServer || !am_walsender || IsTransactionOrTransactionBlock() || !wanted) {
    session->options.batching = session->options.drain = false;
    return;
  }
  session->options.batching = options.batching && BatchingAllowed();
  session->options.drain = options.drain && DrainAllowed();
  LogicalDecodingContext* const decoding = session->decoding;
  state = Interception{};
  state.session = session;
  state.decoding = decoding;
  state.on_standby = am_cascading_walsender;
  state.methods = PqCommMethods;
  state.page_read = decoding->reader->routine.page_read;
  state.write = decoding->write;
  state.update_progress = decoding->update_progress;
  decoding->reader->routine.page_read = OnPageRead;
  decoding->write = OnWrite;
  decoding->update_progress = OnUpdateProgress;
  wrapped_methods = *state.methods;
  wrapped_methods.is_send_pending = OnIsSendPending;
  wrapped_methods.putmessage_noblock = OnPutMessage;
  PqCommMethods = &wrapped_methods;
  session->in_walsender = true;
}

void DetachFromWalsender() {
  if (state.session == nullptr) return;
  if (PqCommMethods == &wrapped_methods) PqCommMethods = state.methods;
  state.session = nullptr;
}

bool NothingLeftToDecode(const Session* session) {
  return !CanBeRead(session->decoding->reader->EndRecPtr + 1);
}

bool StreamHasEnded() { return state.ended; }

bool OthersWait(const Session* session) {
  if (static_cast<volatile WalSnd*>(MyWalSnd)->sync_standby_priority > 0) return true;
  return IsFailoverSlotThatWaits(session->decoding->slot);
}

}  // namespace arrowcdc::plugin
