// The layout of pgoutput's messages, protocols 1 and 2 ("Logical Replication Message Formats" in PostgreSQL's
// manual). Integers are in network order, strings end with NUL. Every read is checked.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "src/postgres/decode/values/binary_cursor.h"

namespace arrowcdc::pgoutput {

struct BeginMessage {
  uint64_t commit_lsn = 0;  // start of the commit record
  int64_t commit_ts = 0;    // microseconds since 2000-01-01 UTC
  uint32_t xid = 0;
};

struct CommitMessage {
  uint64_t commit_lsn = 0;
  uint64_t end_lsn = 0;
  int64_t commit_ts = 0;  // as in BeginMessage
};

// Of protocol 2. What stands between stream start and stream stop has the xid of the transaction, or of the
// part of it, behind its kind.
struct StreamStartMessage {
  uint32_t xid = 0;
};
struct StreamCommitMessage {
  uint32_t xid = 0;
  CommitMessage commit;
};
struct StreamAbortMessage {
  uint32_t xid = 0;
  uint32_t subxid = 0;  // the same: all of it
};

struct RelationMessage {
  struct Column {
    bool key = false;  // part of the replica identity; under FULL all are
    std::string name;
    uint32_t type = 0;
    int32_t typmod = -1;
  };
  uint32_t oid = 0;
  std::string schema;
  std::string name;
  char replica_identity = 0;  // pg_class.relreplident
  std::vector<Column> columns;
};

enum class CellKind : char { kNull = 'n', kUnchanged = 'u', kText = 't', kBinary = 'b' };

struct TupleCell {
  CellKind kind = CellKind::kNull;
  std::string_view bytes;  // of the message
};
using Tuple = std::vector<TupleCell>;

struct TruncateMessage {
  bool cascade = false;
  bool restart_identity = false;
  std::vector<uint32_t> relations;
};

// Of pg_logical_emit_message.
struct EmittedMessage {
  bool transactional = false;
  uint64_t end_lsn = 0;  // of its record
  std::string_view prefix;
  std::string_view content;
};

// False, with the cursor at the place: the message is not laid out so. Names are as docs/types.md has them.
bool ReadString(BinaryCursor* cursor, std::string_view* text);
bool ReadBegin(BinaryCursor* cursor, BeginMessage* message);
bool ReadCommit(BinaryCursor* cursor, CommitMessage* message);
bool ReadStreamStart(BinaryCursor* cursor, StreamStartMessage* message);
bool ReadStreamCommit(BinaryCursor* cursor, StreamCommitMessage* message);
bool ReadStreamAbort(BinaryCursor* cursor, StreamAbortMessage* message);
bool ReadRelation(BinaryCursor* cursor, RelationMessage* message);
bool ReadTuple(BinaryCursor* cursor, Tuple* tuple);
bool ReadTruncate(BinaryCursor* cursor, TruncateMessage* message);
bool ReadLogicalMessage(BinaryCursor* cursor, EmittedMessage* message);
// Of Origin and Type nothing is needed but that they are whole.
bool SkipOrigin(BinaryCursor* cursor);
bool SkipType(BinaryCursor* cursor);

}  // namespace arrowcdc::pgoutput
