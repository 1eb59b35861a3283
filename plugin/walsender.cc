// The walsender's calls, intercepted.
#include "plugin/walsender.h"

#include "plugin/drain_loop.h"
#include "plugin/flush.h"
#include "plugin/keepalive.h"
#include "plugin/promotion.h"
#include "plugin/settings.h"

extern "C" {
#include "access/xlogrecovery.h"
#include "port/pg_bswap.h"
#include "replication/slot.h"
#include "replication/walsender.h"
#include "replication/walsender_private.h"
#include "utils/wait_event.h"
}

namespace arrowcdc::plugin {

namespace {

// Majors with which the tests passed: servers 15.18, 15.20, 16.15, 17.11 and 18.6. What is relied on here of
// the walsender's loop, its messages and the WAL reader is the same in all of them.
constexpr bool kTestedServer = PG_VERSION_NUM >= 150000 && PG_VERSION_NUM < 190000;

// So much may wait in the server's buffer for the end of its group.
constexpr int kWaitingBytesMax = 64 << 10;

// An ERROR leaves it as it is: Attach sets all of it anew.
Interception state;

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

// A small message to which the rest of its group is added at once: one system call for all of them is enough.
bool MayWait(const StringInfoData* message) {
  if (state.session == nullptr || !state.session->frames.stream.more_follows ||
      message->len > kWaitingBytesMax - state.waiting_bytes) {
    state.waiting_bytes = 0;
    return false;
  }
  state.waiting_bytes += message->len;
  return true;
}

// What the server does with a message, but for the flush and for looking whether the client is still there.
void PutWithoutFlush(StringInfoData* message) {
  StampSendTime(message->data);
  state.methods->putmessage_noblock('d', message->data, static_cast<size_t>(message->len));
}

int64_t MaxDelayUs() { return int64_t{Min(state.session->options.max_delay_ms, MaxDelayMsAllowed())} * 1000; }

// How long a client that asks for a sign may wait for it, microseconds: it gives a silent server up, after
// wal_sender_timeout, and asks after half of that.
int64_t SilenceMaxUs() {
  constexpr int64_t kSilenceMaxUs = 1'000'000;
  return wal_sender_timeout > 0 ? Min(kSilenceMaxUs, int64_t{wal_sender_timeout} * 250) : kSilenceMaxUs;
}

// A keepalive that asks for nothing, of a walsender that goes on at once to WAL that is there already and
// comes to the same point behind it. It wakes a client that would rather wait for more. It may be the sign
// that a client has asked for.
bool MayBeLeftOut(const char* keepalive) {
  if (keepalive[format::kKeepaliveReplyAt] != 0 || state.ended || MaxDelayUs() == 0 ||
      OthersWait(state.session) || GetCurrentTimestamp() - state.told >= SilenceMaxUs())
    return false;
  uint64_t end;
  memcpy(&end, keepalive + format::kKeepaliveWalEndAt, sizeof(end));
  return CanBeRead(pg_ntoh64(end) + 1);
}

// How long the walsender may let what is committed wait, microseconds. Not by the rate of commits: it wakes
// at most once in max_delay, whatever the WAL belongs to, and what comes after a silence does not wait.
long RestUs() {
  const Session* const session = state.session;
  // What it has decoded is sent: who waits for it must not wait for more.
  if (OthersWait(session) || state.ended || state.asks || state.methods->is_send_pending()) return 0;
  int64_t delay_us = MaxDelayUs();
  if (delay_us == 0 && state.rate.busy && session->options.batching && IsBatchingAllowed())
    delay_us = kBusyDelayUs;
  if (delay_us == 0) return 0;
  delay_us = Min(delay_us, SilenceMaxUs());  // it reads no question meanwhile
  const int64_t since = Max(GetCurrentTimestamp() - state.woken, 0);
  return static_cast<long>(Max(delay_us - since, 0));
}

// Signals end it: the latch would, too, and on 15 every commit sets it.
void Rest() {
  const long rest_us = RestUs();
  if (rest_us <= 0) return;
  pgstat_report_wait_start(PG_WAIT_EXTENSION);
  pg_usleep(rest_us);
  pgstat_report_wait_end();
}

extern "C" {

int OnPageRead(XLogReaderState* reader, XLogRecPtr page, int bytes, XLogRecPtr record, char* buffer) {
  // Asked not to wait, the reader may ask for a few bytes more (a long page header) and then ignores the
  // answer.
  constexpr int kMargin = static_cast<int>(SizeOfXLogLongPHD - SizeOfXLogShortPHD);
  const bool may_wait = !reader->nonblocking;
  bool waits = false;
  const int wanted = may_wait || bytes > XLOG_BLCKSZ - kMargin ? bytes : bytes + kMargin;
  ++state.depth;
  WatchRate(&state.rate, state.session->counters.begun);
  if (CanBeRead(page + static_cast<XLogRecPtr>(wanted)) && !IsFailoverSlotThatWaits(state.decoding->slot)) {
    FlushHeldBackIfOld(state.session);
  } else if (may_wait) {
    FlushHeldBack(state.session);
    // What was committed meanwhile is there when the server's function looks.
    Rest();
    waits = true;
  } else {
    --state.depth;
    return XLREAD_WOULDBLOCK;
  }
  const int result = state.page_read(reader, page, bytes, record, buffer);
  if (waits) state.woken = GetCurrentTimestamp();
  EndIfPromoted(state.session, state.on_standby);
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
  CountRecord(&state);
  if (state.session->options.drain && IsDrainAllowed() && !IsFailoverSlotThatWaits(state.decoding->slot))
    DrainRecords(&state);
  --state.depth;
  return state.methods->is_send_pending();
}

void OnPutMessage(char type, const char* data, size_t size) {
  if (type == 'c') state.ended = true;
  char keepalive[format::kKeepaliveBytes];
  if (state.session != nullptr && IsKeepalive(type, data, size)) {
    if (MayBeLeftOut(data)) return;
    state.asks = data[format::kKeepaliveReplyAt] != 0;
    memcpy(keepalive, data, size);
    data = keepalive;
    CheckKeepalive(&state, keepalive);
  }
  if (state.session != nullptr) state.told = GetCurrentTimestamp();
  state.methods->putmessage_noblock(type, data, size);
}

}  // extern "C"

}  // namespace

void AttachToWalsender(Session* session) {
  DetachFromWalsender(state.session);
  const Options& options = session->options;
  const bool wanted = (options.batching && IsBatchingAllowed()) || (options.drain && IsDrainAllowed()) ||
                      options.max_delay_ms > 0 || am_cascading_walsender;
  if (!kTestedServer || !am_walsender || IsTransactionOrTransactionBlock() || !wanted) {
    session->options.batching = session->options.drain = false;
    session->options.max_delay_ms = 0;
    return;
  }
  session->options.batching = options.batching && IsBatchingAllowed();
  session->options.drain = options.drain && IsDrainAllowed();
  session->options.max_delay_ms = Min(options.max_delay_ms, MaxDelayMsAllowed());
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
  state.wrapped_methods = *state.methods;
  state.wrapped_methods.is_send_pending = OnIsSendPending;
  state.wrapped_methods.putmessage_noblock = OnPutMessage;
  PqCommMethods = &state.wrapped_methods;
  session->in_walsender = true;
}

void DetachFromWalsender(const Session* session) {
  if (session == nullptr || state.session != session) return;
  if (PqCommMethods == &state.wrapped_methods) PqCommMethods = state.methods;
  state.session = nullptr;
}

bool NothingLeftToDecode(const Session* session) {
  // More is about to come, or the next page_read will say that it is not.
  if (state.rate.busy) return false;
  return !CanBeRead(session->decoding->reader->EndRecPtr + 1);
}

bool StreamHasEnded() { return state.ended; }

bool OthersWait(const Session* session) {
  if (static_cast<volatile WalSnd*>(MyWalSnd)->sync_standby_priority > 0) return true;
  return IsFailoverSlotThatWaits(session->decoding->slot);
}

}  // namespace arrowcdc::plugin
