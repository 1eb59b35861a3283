// The walsender's calls, intercepted.
#include "plugin/walsender.h"

#include "plugin/batch_writer.h"
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

// Majors with which the tests passed: servers 15.18, 15.20, 16.15, 17.11 and 18.6. What is relied on here of
// the walsender's loop, its messages and the WAL reader is the same in all of them.
constexpr bool kTestedServer = PG_VERSION_NUM >= 150000 && PG_VERSION_NUM < 190000;

// A turn of the drain loop ends after one of these: the walsender reads the client's replies between turns.
constexpr int kTurnMs = 10;
constexpr uint32_t kRecordsBetweenChecks = 64;

// Where commits come faster than this, waking for each of them costs more than decoding it: the walsender
// rests before it waits for more, and finds several.
constexpr int64_t kRestRate = 2000;  // transactions a second
constexpr long kRestUs = 2000;
constexpr int64_t kRateWindowUs = 20'000;

// walEnd, sendTime and the request for a reply behind the kind.
constexpr size_t kKeepaliveBytes = 1 + 8 + 8 + 1;

constexpr int kSendTimeAt = 1 + 8 + 8;  // in XLogData

// So much may wait in the server's buffer for the end of its group.
constexpr int kWaitingBytesMax = 64 << 10;

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
  TimestampTz window_begin;   // transactions are counted from here on, to see how fast they come
  uint64_t window_number;     // of the last transaction before it
  bool busy;                  // they came faster than kRestRate in the window before
  int depth;                  // inside a call from which nothing may be decoded
  int waiting_bytes;          // messages of the group that is being sent, in the server's buffer
  bool writing;               // a frame of ours is on its way, perhaps one of several of a group
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

// A small message to which the rest of its group is added at once: one system call for all of them is enough.
bool MayWait(const StringInfoData* message) {
  if (state.session == nullptr || !state.session->more_follows ||
      message->len > kWaitingBytesMax - state.waiting_bytes) {
    state.waiting_bytes = 0;
    return false;
  }
  state.waiting_bytes += message->len;
  return true;
}

// What the server does with a message, but for the flush and for looking whether the client is still there.
void PutWithoutFlush(StringInfoData* message) {
  const uint64_t now = pg_hton64(static_cast<uint64_t>(GetCurrentTimestamp()));
  memcpy(message->data + kSendTimeAt, &now, sizeof(now));
  state.methods->putmessage_noblock('d', message->data, static_cast<size_t>(message->len));
}

// Looks at how fast commits come, once a window.
void WatchRate() {
  const TimestampTz now = GetCurrentTimestamp();
  const int64_t passed = now - state.window_begin;
  if (passed < kRateWindowUs) return;
  const auto transactions = static_cast<int64_t>(state.session->transaction.number - state.window_number);
  state.busy = transactions * 1'000'000 > passed * kRestRate;
  state.window_begin = now;
  state.window_number = state.session->transaction.number;
}

bool MayRest() {
  const Session* const session = state.session;
  return state.busy && session->options.batching && BatchingAllowed() && !OthersWait(session) && !state.ended;
}

// In front of a keepalive, as the walsender would send it, but without a flush: this may be called from
// within one.
void PutDirtyMark() {
  constexpr size_t kFrameBytesMax = 64;
  char message[format::kXLogDataHeaderBytes + kFrameBytesMax] = {'w'};
  Session* const session = state.session;
  if (session->group.marked || state.writing || !WriteDirtyMark(session)) return;
  const uint64_t position = pg_hton64(session->reached_lsn);
  const uint64_t now = pg_hton64(static_cast<uint64_t>(GetCurrentTimestamp()));
  memcpy(message + 1, &position, sizeof(position));
  memcpy(message + 9, &position, sizeof(position));
  memcpy(message + 17, &now, sizeof(now));
  const size_t frame_bytes = Min(session->header.size, kFrameBytesMax);
  memcpy(message + format::kXLogDataHeaderBytes, session->header.data, frame_bytes);
  state.methods->putmessage_noblock('d', message, format::kXLogDataHeaderBytes + frame_bytes);
}

// The walsender speaks of what it has decoded. Whoever acknowledges that must not lose what is held back.
void CheckKeepalive(char* keepalive) {
  uint64_t end;
  memcpy(&end, keepalive + 1, sizeof(end));
  end = pg_ntoh64(end);
  if (state.session->group.whole_lsn == 0 || kUnsafe) {
    if (end > state.keepalive_end) state.keepalive_end = end;
    return;
  }
  PutDirtyMark();
  const XLogRecPtr told = Max(state.session->reached_lsn, state.keepalive_end);
  end = pg_hton64(Min(end, told));
  memcpy(keepalive + 1, &end, sizeof(end));
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
  WatchRate();
  if (CanBeRead(page + static_cast<XLogRecPtr>(wanted)) && !IsFailoverSlotThatWaits(state.decoding->slot)) {
    FlushHeldBackIfOld(state.session);
  } else if (may_wait) {
    FlushHeldBack(state.session);
    // Signals end the rest. What was committed meanwhile is there when the server's function looks.
    if (MayRest()) pg_usleep(kRestUs);
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
  if (MayWait(decoding->out)) {
    PutWithoutFlush(decoding->out);
    return;
  }
  ++state.depth;
  state.writing = true;
  state.write(decoding, lsn, xid, last_write);
  state.writing = false;
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
    memcpy(keepalive, data, size);
    data = keepalive;
    CheckKeepalive(keepalive);
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
  // More is about to come, or the next page_read will say that it is not.
  if (state.busy) return false;
  return !CanBeRead(session->decoding->reader->EndRecPtr + 1);
}

bool StreamHasEnded() { return state.ended; }

bool OthersWait(const Session* session) {
  if (static_cast<volatile WalSnd*>(MyWalSnd)->sync_standby_priority > 0) return true;
  return IsFailoverSlotThatWaits(session->decoding->slot);
}

}  // namespace arrowcdc::plugin
