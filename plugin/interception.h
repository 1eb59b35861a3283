// What is known while the walsender's calls are intercepted. One of it is static (walsender.cc), as the
// functions in PqCommMethods get no argument of ours.
#pragma once

#include "plugin/rate.h"
#include "plugin/session.h"

extern "C" {
#include "access/xlog_internal.h"
#include "access/xlogreader.h"
#include "libpq/libpq.h"
}

namespace arrowcdc::plugin {

struct Interception {
  Session* session;  // null: not attached
  LogicalDecodingContext* decoding;

  // The server's.
  const PQcommMethods* methods;
  XLogPageReadCB page_read;
  LogicalOutputPluginWriterWrite write;
  LogicalOutputPluginWriterUpdateProgress update_progress;
  // Those with ours among them.
  PQcommMethods wrapped_methods;

  XLogRecPtr flushed;         // at least so much can be read without waiting
  XLogRecPtr keepalive_end;   // highest walEnd that left unchanged
  XLogRecPtr counted_record;  // the last one in Counters::records
  CommitRate rate;
  TimestampTz woken;   // the walsender went on, after it had waited for WAL
  TimestampTz told;    // the client got its last message
  bool asks;           // the last keepalive asked for an answer: when it stops the walsender waits for that
  int depth;           // inside a call from which nothing may be decoded
  int waiting_bytes;   // messages of the group that is being sent, in the server's buffer
  bool writing;        // a frame of ours is on its way, perhaps one of several of a group
  bool page_was_read;  // the walsender has begun to read by itself
  bool ended;          // CopyDone was sent
  bool on_standby;     // as the walsender saw it last, before it was told to start
};

}  // namespace arrowcdc::plugin
