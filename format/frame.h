// The frame every CopyData payload of wal2arrow is: numbers and fixed layouts, shared by the plugin
// (which writes frames) and the client (which reads them). docs/wire.md is the normative text.
// Depends on nothing; all integers on the wire are little-endian and unaligned.
#pragma once

#include <cstdint>

#include "format/replication_message.h"

namespace arrowcdc::format {

inline constexpr uint8_t kMagic0 = 'W';
inline constexpr uint8_t kMagic1 = 'A';
inline constexpr uint8_t kLayoutVersion = 1;
inline constexpr uint16_t kProtocolVersion = 1;

// SQLSTATE of the error that ends a session whose transaction in progress cannot be gone on with: a client
// asks for it once it has committed (docs/wire.md, "Transactions in progress").
inline constexpr char kCatalogLost[] = "W2A01";

// The body of the Arrow message starts at a multiple of this, counted from the start of libpq's buffer.
inline constexpr uint32_t kBodyAlignment = 64;
// Sections begin and end at a multiple of this, counted from the start of the frame.
inline constexpr uint32_t kSectionAlignment = 8;
// Buffers inside the body start at a multiple of this, counted from the start of the body.
inline constexpr uint32_t kBufferAlignment = 16;
// A frame, its 25 bytes in front included, stays below PostgreSQL's limit of 0x3fffffff for one message.
inline constexpr uint64_t kFrameBytesMax = 512ull << 20;

enum class FrameKind : uint8_t {
  kHello = 1,
  kSchema = 2,
  kBatch = 3,
  kTruncate = 4,
  kMessage = 5,
  kProgress = 6,
  kContinuation = 7,
  kStreamStart = 8,
  kStreamStop = 9,
  kStreamAbort = 10,
  kStreamCommit = 11,
  kPrepare = 12,
  kCommitPrepared = 13,
  kRollbackPrepared = 14,
  kNotice = 15,
};

enum FrameFlags : uint16_t {
  kFlagOptional = 1 << 0,       // a reader that does not know the kind skips the frame
  kFlagGroupEnd = 1 << 1,       // last frame of a flush group; safe_lsn is in force
  kFlagTxnIncomplete = 1 << 2,  // the transaction these rows belong to goes on in later frames
  kFlagDirty = 1 << 3,          // from here on the server may hold committed rows back
  kFlagMore = 1 << 4,           // the payload goes on in continuation frames
  kFlagInProgress = 1 << 5,     // of a transaction that has not committed: the frame belongs to no group
};

// Fixed part of the header. On the wire field by field, without padding, kFixedHeaderBytes long.
struct FrameHeader {
  uint8_t magic[2];
  uint8_t layout_version;
  uint8_t kind;            // FrameKind
  uint16_t flags;          // FrameFlags
  uint16_t fixed_bytes;    // length of this fixed part; a reader skips what is beyond what it knows
  uint32_t header_bytes;   // from the frame's first byte to the payload: fixed part, sections, padding
  uint32_t sequence;       // number of the frame in this replication session, from 0
  uint64_t safe_lsn;       // end (not start) of the commit record of the last transaction delivered whole
  uint64_t payload_bytes;  // length of the payload, continuation frames included
};
inline constexpr uint16_t kFixedHeaderBytes = 32;
static_assert(sizeof(FrameHeader) == kFixedHeaderBytes);

// Sections follow the fixed part: tag, flags, length of the data, data, zero bytes up to a multiple of 8.
enum class SectionTag : uint16_t {
  kEnd = 0,  // the rest of the header is padding
  kHello = 1,
  kOptions = 2,
  kPluginVersion = 3,
  kTable = 4,
  kBatch = 5,
  kTransactions = 6,
  kUnchanged = 7,
  kUnrepresentable = 8,
  kTruncate = 9,
  kNotice = 10,
  kNames = 11,
  kStream = 12,
  kMessage = 13,
};
enum SectionFlags : uint16_t {
  kSectionRequired = 1 << 0,  // a reader that does not know the tag must refuse the frame
};
struct SectionHeader {
  uint16_t tag;
  uint16_t flags;
  uint32_t bytes;
};
static_assert(sizeof(SectionHeader) == 8);

struct HelloSection {
  uint16_t protocol_version;
  uint16_t reserved;
  uint32_t server_version_num;
  uint64_t system_identifier;
};
static_assert(sizeof(HelloSection) == 16);

// Followed by schema_name_bytes of the schema's name and table_name_bytes of the table's, both UTF-8.
struct TableSection {
  uint64_t fingerprint;  // FNV-1a, 64 bit, over the payload (the encapsulated Arrow schema message)
  uint32_t relation_oid;
  uint8_t replica_identity;  // 'd' default, 'f' full, 'i' index, 'n' nothing
  uint8_t reserved[3];
  uint16_t schema_name_bytes;
  uint16_t table_name_bytes;
  uint32_t reserved2;
};
static_assert(sizeof(TableSection) == 24);

struct BatchSection {
  uint64_t fingerprint;
  uint32_t relation_oid;
  uint32_t rows;
};
static_assert(sizeof(BatchSection) == 16);

// One entry a transaction, in commit order; the sum of `rows` is the batch's row count.
struct TransactionEntry {
  uint64_t commit_lsn;  // start of the commit record
  int64_t commit_ts;    // microseconds since 1970-01-01 UTC
  uint32_t xid;
  uint32_t rows;
};
static_assert(sizeof(TransactionEntry) == 24);

// One entry of the unchanged and unrepresentable sections, sorted by (row, field).
struct CellEntry {
  uint32_t row;
  uint16_t field;  // index among the table's columns
  uint16_t reserved;
};
static_assert(sizeof(CellEntry) == 8);

// Followed by `tables` entries of TruncateEntry.
struct TruncateSection {
  uint64_t lsn;  // start of the WAL record
  uint8_t cascade;
  uint8_t restart_identity;
  uint16_t reserved;
  uint32_t tables;
};
static_assert(sizeof(TruncateSection) == 16);
struct TruncateEntry {
  uint64_t fingerprint;  // announced by an earlier schema frame of this session
  uint32_t relation_oid;
  uint16_t ord;  // place in this list: the _ord of the table's truncate row
  uint16_t reserved;
};
static_assert(sizeof(TruncateEntry) == 16);

// Of the frames that tell of a transaction in progress: kStreamStart, kStreamAbort and kStreamCommit.
struct StreamSection {
  uint32_t xid;         // the transaction
  uint32_t subxid;      // of kStreamAbort: what has aborted, the transaction itself or a part of it; else 0
  uint64_t commit_lsn;  // of kStreamCommit: start of the commit record; else 0
  int64_t commit_ts;    // of kStreamCommit: microseconds since 1970-01-01 UTC; else 0
};
static_assert(sizeof(StreamSection) == 24);

// Followed by prefix_bytes of the prefix, UTF-8; the content is the payload.
struct MessageSection {
  uint64_t end_lsn;       // end of the WAL record, as pg_logical_emit_message has returned it
  uint8_t transactional;  // 0: it comes when it was written, whatever becomes of the transaction
  uint8_t no_prefix;      // 1: the prefix is longer than this section can say, and left out
  uint16_t prefix_bytes;
  uint32_t reserved;
};
static_assert(sizeof(MessageSection) == 16);

enum class NoticeWhat : uint8_t {
  kPassedOver = 1,   // a row of the relation is not sent
  kMembership = 2,   // the relation's rows come as `published_as` says from here on
  kPublication = 3,  // a publication was changed, or dropped and made again
};
enum Operations : uint8_t {
  kOperationInsert = 1 << 0,
  kOperationUpdate = 1 << 1,
  kOperationDelete = 1 << 2,
  kOperationTruncate = 1 << 3,
};
struct NoticeSection {
  uint64_t commit_lsn;    // start of the commit record of the transaction that is being decoded
  uint32_t relation_oid;  // 0 where the notice is about a publication
  uint8_t what;           // NoticeWhat
  uint8_t operation;      // of kPassedOver: the operation, one of Operations
  uint8_t published;      // Operations that are sent
  uint8_t reserved;
  uint32_t published_as;  // oid of the relation whose name the rows come under; 0: none are sent
  uint32_t reserved2;
};
static_assert(sizeof(NoticeSection) == 24);

// Entries of the names section: the relation's (or the publication's, without a schema), then those of its
// ancestors from the parent to the root. Each is followed by both names, UTF-8, and the next entry at once.
struct NameEntry {
  uint32_t oid;
  uint16_t schema_name_bytes;
  uint16_t table_name_bytes;
};
static_assert(sizeof(NameEntry) == 8);

// Codes of the _op column.
enum class Op : int8_t {
  kInsert = 0,
  kUpdateBefore = 1,
  kUpdateAfter = 2,
  kDelete = 3,
  kSnapshot = 4,
  kTruncate = 5,
};

// FNV-1a, 64 bit (Fowler, Noll, Vo; offset basis 0xcbf29ce484222325, prime 0x100000001b3).
inline uint64_t Fingerprint(const void* data, uint64_t bytes) {
  const auto* p = static_cast<const uint8_t*>(data);
  uint64_t hash = 0xcbf29ce484222325ull;
  for (uint64_t i = 0; i < bytes; ++i) {
    hash = (hash ^ p[i]) * 0x100000001b3ull;
  }
  return hash;
}

}  // namespace arrowcdc::format
