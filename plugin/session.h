// What one decoding session knows. Lives in a child context of the decoding context and dies with it; the
// only static that points here is cleared by a reset callback (cache_invalidation.cc).
#pragma once

#include "format/byte_buffer.h"
#include "format/frame.h"
#include "plugin/column.h"
#include "plugin/options.h"
#include "plugin/pg.h"

namespace arrowcdc::plugin {

struct Compressor;
struct RelationEntry;
struct PublishedTable;
struct PublicationTold;

enum class TextMode : uint8_t {
  kUtf8,     // the database is UTF8: values are valid as they are
  kVerify,   // SQL_ASCII: bytes without a meaning; what is not UTF-8 has no Arrow form
  kConvert,  // converted to UTF-8
};

struct Transaction {
  uint64_t commit_lsn;
  int64_t commit_ts;  // microseconds since 1970-01-01 UTC
  TransactionId xid;
  uint64_t number;  // in this session, from 1
  bool touched;     // something of it is published
};

// The group that is being made: see docs/wire.md, and group.h for when it ends.
struct Group {
  bool sent;             // frames of it are on their way
  bool marked;           // one of them said DIRTY, and all that follow until its last one do
  uint64_t sent_bytes;   // of their rows
  uint64_t whole_lsn;    // end LSN of the last transaction that is in it as a whole; 0: none yet
  uint32_t whole_count;  // such transactions
  uint32_t whole_max;    // so many may be in it: doubles with every group of the session
  TimestampTz since;     // when it was held back first
};

struct Counters {
  uint64_t transactions;
  uint64_t records;  // of the WAL; counted where the walsender's calls are intercepted
  uint64_t drained;
};

struct Session {
  LogicalDecodingContext* decoding;
  Options options;

  MemoryContext context;     // this struct
  MemoryContext change_cxt;  // one change; reset after each
  MemoryContext cache_cxt;   // relations, tables, schemas; bounded
  MemoryContext publications_cxt;

  // Publications and caches, see publication.h and relation_cache.h.
  List* publications;
  bool publications_valid;
  PublicationTold*
      publications_told;  // in the order of options.publication_names; null before the first time
  HTAB* entries;          // RelationEntry by relation
  HTAB* published;        // PublishedRelation by the relation rows are published as
  HTAB* tables;           // PublishedTable by fingerprint
  HTAB* weakened;         // see replica_identity.h; kept when the others start anew
  uint64_t epoch;         // entries built in an earlier one are stale
  uint8_t* watched;       // bits of the catalog rows (types, schemas, ancestors) that entries depend on
  RelationEntry* last_entry;
  bool cache_full;       // it starts anew before the next change
  uint64_t cache_bytes;  // memory of entries and tables, without their batches

  // Frames.
  bool hello_sent;
  uint32_t sequence;
  uint64_t safe_lsn;     // of the frames that are written now
  uint64_t reached_lsn;  // safe_lsn of the last group that is on its way whole
  format::ByteBuffer header;
  format::ByteBuffer metadata;
  Compressor* compressor;  // null: bodies go as they are

  // Open batches, in the order in which they were opened.
  PublishedTable* open_first;
  PublishedTable* open_last;
  uint64_t open_bytes;
  int64_t open_columns;
  uint64_t kept_bytes;  // memory that idle tables keep
  uint64_t row_bytes;   // variable-length bytes of the row being appended

  Transaction transaction;
  Group group;
  Counters counters;
  bool more_follows;     // the message that is written now is not the last one of a group that is being sent
  bool in_walsender;     // its calls are intercepted: walsender.h
  uint64_t record_lsn;   // WAL record of the last change
  uint32_t record_rows;  // rows of it so far
  uint32_t skipped_changes;

  // Text.
  TextMode text_mode;
  int encoding;
  bool conversion_ready;
  FmgrInfo conversion;
  Buffer scratch;

  int money_digits;    // -1: not asked yet
  int guc_nest_level;  // 0: settings were made for the whole backend

  // Aligned copies of short varlenas: [0] arrays, [1] their elements and everything else.
  alignas(8) uint8_t aligned[2][136];

  // The old row of an update, where the new one refers to it.
  Datum old_values[MaxTupleAttributeNumber];
  bool old_nulls[MaxTupleAttributeNumber];
};

}  // namespace arrowcdc::plugin
