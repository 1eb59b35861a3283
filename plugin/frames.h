// What each kind of frame says (docs/wire.md): tables, batches and notices to headers and payloads. Sends
// what it is given, at once and whole; when, and what else must go first, is decided in flush.h and
// changes.h.
#pragma once

#include "format/byte_buffer.h"
#include "plugin/compression.h"
#include "plugin/frame_stream.h"
#include "plugin/published_table.h"
#include "plugin/text.h"
#include "plugin/transaction.h"

namespace arrowcdc::plugin {

struct Frames {
  FrameStream stream;
  const Options* options;
  TextConversion* text;
  Compressor* compressor;        // null: bodies go as they are
  format::ByteBuffer section;    // scratch: a section in parts
  format::ByteBuffer metadata;   // scratch: in front of a body
  const char* options_in_force;  // what hello says; null: not described yet

  // The block of a transaction in progress that rows are of now (stream_block.h).
  TransactionId block_xid;  // the transaction's; invalid: no block
  bool block_begun;         // its stream start was sent
};

// The hello frame goes before the first of any kind, and a block's stream start before the first that is of
// it.

// What hello says. Inside a transaction only: it may need the catalog. A later frame then does not.
void PrepareHello(Frames* frames);

// Flag of a frame in the middle of the transaction whose rows are being sent.
inline uint16_t MiddleFlag(const Frames& frames) {
  return TransactionIdIsValid(frames.block_xid) ? format::kFlagInProgress : format::kFlagTxnIncomplete;
}

// The table's schema, unless it was sent before.
void SendSchema(Frames* frames, PublishedTable* table);

// The table's batch, which is sealed and whose schema was sent.
void SendBatch(Frames* frames, PublishedTable* table, uint16_t flags);

void SendProgress(Frames* frames, uint16_t flags);

// The end of the block, where it was begun.
void SendStreamStop(Frames* frames);

// What became of a transaction in progress, or of a part of it.
void SendStreamAbort(Frames* frames, TransactionId xid, TransactionId subxid);
void SendStreamCommit(Frames* frames, TransactionId xid, uint64_t commit_lsn, int64_t commit_ts);

// It belongs to no group, and stands in front of what is open. names: format::NameEntry and what follows
// each.
void SendNotice(Frames* frames, const format::NoticeSection& notice, const format::ByteBuffer& names);

// `tables`, whose schemas were sent, have places in the list in this order.
struct Truncate {
  PublishedTable* const* tables;
  uint32_t count;
  uint64_t lsn;  // of the WAL record
  bool cascade;
  bool restart_identity;
};
void SendTruncate(Frames* frames, const Truncate& truncate, const Transaction& transaction);

// What pg_logical_emit_message has written.
struct Message {
  uint64_t end_lsn;  // of the WAL record
  bool transactional;
  const char* prefix;  // in the database's encoding
  const char* content;
  size_t content_bytes;
};
// transaction: that of a transactional one. Inside a transaction of the server: prefix and hello may need the
// catalog.
void SendMessage(Frames* frames, const Message& message, const Transaction* transaction, uint16_t flags);

}  // namespace arrowcdc::plugin
