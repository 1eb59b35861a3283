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
  Compressor* compressor;       // null: bodies go as they are
  format::ByteBuffer section;   // scratch: a section in parts
  format::ByteBuffer metadata;  // scratch: in front of a body
};

// The hello frame goes before the first of any kind.

// The table's schema, unless it was sent before.
void SendSchema(Frames* frames, PublishedTable* table);

// The table's batch, which is sealed and whose schema was sent.
void SendBatch(Frames* frames, PublishedTable* table, uint16_t flags);

void SendProgress(Frames* frames, uint16_t flags);

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

}  // namespace arrowcdc::plugin
