// ChangeBatch: rows of one version of one table plus their position; the one value that flows from decoding
// to sinks.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <arrow/buffer.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include "arrowcdc/position.h"

namespace arrowcdc {

struct TableName {
  std::string schema;
  std::string table;
  auto operator<=>(const TableName&) const = default;
};
// "schema.table" with double quotes around what is more than lower-case letters, digits and underscores. For
// people, not for keys.
std::string ToString(const TableName& name);

// Which columns the old side of a change carries.
enum class ReplicaIdentity {
  kDefault,  // the primary key, where there is one
  kIndex,    // the columns of a unique index that was chosen
  kFull,     // all
  kNothing,
};

// Old rows of a partition carry less than the identity of the table whose name they go by: the table's schema
// then says what all of them carry, and this what the table's own identity is.
struct WeakenedIdentity {
  std::string partition;  // "schema.table"
  ReplicaIdentity own_replica_identity = ReplicaIdentity::kDefault;
  std::vector<int> own_key_fields;
};

// The metadata columns stand behind the table's columns, in this order; TableSchema::metadata_field has their
// places.
enum class MetadataColumn : int {
  kOp,               // dictionary<int8, utf8>: the names of Op, indexed by it
  kCommitLsn,        // uint64, start of the commit record
  kLsn,              // uint64, start of the WAL record the row came from
  kOrd,              // uint16, place among the rows of that record
  kXid,              // uint32
  kCommitTs,         // timestamp[us, UTC]
  kUnchanged,        // list<utf8>: names of the table's columns whose value the change did not carry
  kUnrepresentable,  // list<utf8>: names of the table's columns whose value has no Arrow form
};
inline constexpr int kMetadataColumnCount = 8;
// "_op", "_commit_lsn", ...; a table column of that name gets the metadata column further "_" in front.
const char* MetadataColumnName(MetadataColumn column);

// What a row is. An update has a row with the old values in front of that with the new ones where the source
// logged them.
enum class Op : int8_t { kInsert, kUpdateBefore, kUpdateAfter, kDelete, kSnapshot, kTruncate };
inline constexpr int kOpCount = 6;
// As in _op: "insert", "update_before", "update_after", "delete", "snapshot", "truncate".
const char* OpName(Op op);

// One version of one table. Immutable; shared by the batches that use it.
struct TableSchema {
  TableName name;
  uint32_t table_id = 0;  // the source's number of it; another one: it was dropped and made again
  uint64_t fingerprint = 0;
  ReplicaIdentity replica_identity = ReplicaIdentity::kDefault;
  // Full schema of a ChangeBatch: the table's columns, then the metadata columns in the order of
  // MetadataColumn.
  std::shared_ptr<arrow::Schema> schema;
  int column_count = 0;         // the table's own columns
  std::vector<int> key_fields;  // indexes of the replica identity's columns in key order; empty: none or FULL
  std::optional<WeakenedIdentity> weakened;

  // The place of a metadata column in `schema`.
  int metadata_field(MetadataColumn column) const { return column_count + static_cast<int>(column); }
};

// State of the group after an event, see docs/wire.md.
struct GroupState {
  std::optional<Position> safe;  // end of the last transaction delivered whole; none: none was
  bool group_end = false;        // `safe` is in force
  bool txn_incomplete = false;
  bool dirty = false;  // the server may hold committed rows back
};

struct ChangeBatch {
  std::shared_ptr<const TableSchema> table;
  std::shared_ptr<arrow::RecordBatch> rows;  // schema: table->schema; at least one row
  GroupState group;
};

// TRUNCATE of one or more tables, one event.
struct TruncateEvent {
  std::vector<std::shared_ptr<const TableSchema>> tables;  // a table's place in this list is its row's _ord
  bool cascade = false;
  bool restart_identity = false;
  uint64_t commit_lsn = 0;
  uint64_t lsn = 0;
  uint32_t xid = 0;       // 0: of no transaction
  int64_t commit_ts = 0;  // microseconds since 1970-01-01 UTC
  GroupState group;
};

// A frame without rows that moves the group state.
struct ProgressEvent {
  GroupState group;
};

// The source has processed everything before `position`; nothing of it may be acknowledged while the group
// state is dirty or a group is open.
struct KeepaliveEvent {
  Position position;
  bool reply_requested = false;
};

// What the server says of a relation or a publication while it streams. It belongs to no group and stands in
// front of the rows that it is about.
struct NoticeEvent {
  enum class What {
    kPassedOver,   // a row of the relation is not sent: `published` has not the operation
    kMembership,   // from here on its rows come as `published_as`, as far as `published` goes
    kPublication,  // the publication `table.table` was changed, or dropped and made again
  };
  struct Operations {
    bool insert = false;
    bool update = false;
    bool remove = false;
    bool truncate = false;
  };
  What what = What::kPassedOver;
  Operations operation;   // of kPassedOver: the one
  Operations published;   // of the relation, of all publications together
  uint32_t table_id = 0;  // of the relation
  TableName table;
  TableName published_as;            // its own name, or an ancestor's; empty where nothing is published
  std::vector<TableName> ancestors;  // of a partition: from its parent to the root
  Position position;                 // start of the commit of the transaction that was being decoded
};

using Event = std::variant<ChangeBatch, TruncateEvent, ProgressEvent, KeepaliveEvent, NoticeEvent>;

// The truncate event as one row for tables[index]: _op is truncate, the table's columns are null.
arrow::Result<std::shared_ptr<arrow::RecordBatch>> TruncateRow(const TruncateEvent& event, int index);

}  // namespace arrowcdc
