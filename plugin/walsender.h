// What the walsender calls while it sends, intercepted: before it would wait for WAL, what is held back is
// sent (here); a keepalive never speaks of transactions that are held back (keepalive.h); each turn of its
// loop decodes many records instead of one (drain_loop.h); a stream from a standby ends when that is promoted
// (promotion.h). Only in a walsender, and only on servers that were tested.
#pragma once

#include "plugin/pg.h"

namespace arrowcdc::plugin {

struct Session;

// Does nothing inside SQL functions, on a server that was not tested, or on a primary where neither batching
// nor the drain loop is asked for and allowed. The session's options say then that both are off.
void AttachToWalsender(Session* session);
// Touches statics only, so that it may run when the session's memory is gone; nothing where another session
// is attached. Idempotent.
void DetachFromWalsender(const Session* session);

// The record that is decoded now is the last that is flushed.
bool NothingLeftToDecode(const Session* session);

// The stream is over for the client: CopyDone was sent.
bool StreamHasEnded();

// Commits on this server wait for what the client acknowledges (synchronous replication), or the walsender
// for what other servers do (failover slots). Only where a walsender was attached to.
bool OthersWait(const Session* session);

// A build for tests alone, which must see rows lost without the DIRTY mark and without the clamp.
#ifdef WAL2ARROW_UNSAFE_FOR_TESTS
inline constexpr bool kUnsafe = true;
#else
inline constexpr bool kUnsafe = false;
#endif

}  // namespace arrowcdc::plugin
