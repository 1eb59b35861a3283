// One function a message.
#include "src/postgres/decode/pgoutput/messages.h"

#include <cstring>

#include "src/change/utf8_text.h"

namespace arrowcdc::pgoutput {
namespace {

constexpr int kColumnsMax = 1664;  // PostgreSQL's own limit
constexpr uint8_t kKeyFlag = 1;
constexpr uint8_t kCascadeFlag = 1;
constexpr uint8_t kRestartFlag = 2;
constexpr uint8_t kTransactionalFlag = 1;
constexpr int64_t kCellBytesMin = 1;

bool ReadName(BinaryCursor* cursor, std::string* name) {
  std::string_view text;
  if (!ReadString(cursor, &text)) return false;
  *name = NameToUtf8(text);
  return true;
}

bool ReadColumn(BinaryCursor* cursor, RelationMessage::Column* column) {
  uint8_t flags;
  if (!cursor->Read(&flags)) return false;
  column->key = (flags & kKeyFlag) != 0;
  return ReadName(cursor, &column->name) && cursor->Read(&column->type) && cursor->Read(&column->typmod);
}

bool ReadCell(BinaryCursor* cursor, TupleCell* cell) {
  const BinaryCursor before = *cursor;
  char kind;
  if (!cursor->Read(&kind)) return false;
  cell->kind = static_cast<CellKind>(kind);
  switch (cell->kind) {
    case CellKind::kNull:
    case CellKind::kUnchanged:
      return true;
    case CellKind::kText:
    case CellKind::kBinary: {
      bool is_null = false;
      if (cursor->ReadValue(&cell->bytes, &is_null) && !is_null) return true;
      break;
    }
  }
  *cursor = before;
  return false;
}

}  // namespace

bool ReadString(BinaryCursor* cursor, std::string_view* text) {
  const void* const end = memchr(cursor->at(), 0, static_cast<size_t>(cursor->left()));
  if (end == nullptr) return false;
  std::string_view terminator;
  return cursor->ReadBytes(static_cast<const char*>(end) - cursor->at(), text) &&
         cursor->ReadBytes(1, &terminator);
}

bool ReadBegin(BinaryCursor* cursor, BeginMessage* message) {
  return cursor->Read(&message->commit_lsn) && cursor->Read(&message->commit_ts) &&
         cursor->Read(&message->xid);
}

bool ReadCommit(BinaryCursor* cursor, CommitMessage* message) {
  uint8_t flags;
  return cursor->Read(&flags) && flags == 0 && cursor->Read(&message->commit_lsn) &&
         cursor->Read(&message->end_lsn) && cursor->Read(&message->commit_ts);
}

bool ReadStreamStart(BinaryCursor* cursor, StreamStartMessage* message) {
  uint8_t first_segment;
  return cursor->Read(&message->xid) && message->xid != 0 && cursor->Read(&first_segment);
}

bool ReadStreamCommit(BinaryCursor* cursor, StreamCommitMessage* message) {
  return cursor->Read(&message->xid) && ReadCommit(cursor, &message->commit);
}

bool ReadStreamAbort(BinaryCursor* cursor, StreamAbortMessage* message) {
  if (!cursor->Read(&message->xid) || !cursor->Read(&message->subxid)) return false;
  // In protocol 4 where streaming is parallel: where and when.
  constexpr int64_t kPlaceAndTime = 2 * sizeof(int64_t);
  std::string_view place_and_time;
  return cursor->left() != kPlaceAndTime || cursor->ReadBytes(kPlaceAndTime, &place_and_time);
}

bool ReadRelation(BinaryCursor* cursor, RelationMessage* message) {
  int16_t columns;
  if (!cursor->Read(&message->oid) || !ReadName(cursor, &message->schema) ||
      !ReadName(cursor, &message->name) || !cursor->Read(&message->replica_identity) ||
      !cursor->Read(&columns) || columns < 0 || columns > kColumnsMax) {
    return false;
  }
  if (message->schema.empty()) message->schema = "pg_catalog";  // is sent so
  message->columns.clear();
  for (int i = 0; i < columns; ++i) {
    if (!ReadColumn(cursor, &message->columns.emplace_back())) return false;
  }
  return true;
}

bool ReadTuple(BinaryCursor* cursor, Tuple* tuple) {
  int16_t cells;
  if (!cursor->Read(&cells) || cells < 0 || cells * kCellBytesMin > cursor->left()) return false;
  tuple->resize(static_cast<size_t>(cells));
  for (TupleCell& cell : *tuple) {
    if (!ReadCell(cursor, &cell)) return false;
  }
  return true;
}

bool ReadTruncate(BinaryCursor* cursor, TruncateMessage* message) {
  int32_t count;
  uint8_t flags;
  if (!cursor->Read(&count) || !cursor->Read(&flags)) return false;
  if (count < 1 || count > cursor->left() / static_cast<int64_t>(sizeof(uint32_t))) return false;
  message->cascade = (flags & kCascadeFlag) != 0;
  message->restart_identity = (flags & kRestartFlag) != 0;
  message->relations.resize(static_cast<size_t>(count));
  for (uint32_t& relation : message->relations) cursor->Read(&relation);
  return true;
}

bool ReadLogicalMessage(BinaryCursor* cursor, EmittedMessage* message) {
  uint8_t flags;
  int32_t length;
  if (!cursor->Read(&flags) || flags > kTransactionalFlag) return false;
  message->transactional = flags == kTransactionalFlag;
  return cursor->Read(&message->end_lsn) && ReadString(cursor, &message->prefix) && cursor->Read(&length) &&
         cursor->ReadBytes(length, &message->content);
}

bool SkipOrigin(BinaryCursor* cursor) {
  uint64_t lsn;
  std::string_view name;
  return cursor->Read(&lsn) && ReadString(cursor, &name);
}

bool SkipType(BinaryCursor* cursor) {
  uint32_t oid;
  std::string_view schema;
  std::string_view name;
  return cursor->Read(&oid) && ReadString(cursor, &schema) && ReadString(cursor, &name);
}

}  // namespace arrowcdc::pgoutput
