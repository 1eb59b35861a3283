// One version of a published table: its columns, its Arrow schema and the batch that is being filled. Made
// from the catalog; sends nothing.
#pragma once

#include "format/frame.h"
#include "plugin/column.h"

namespace arrowcdc::plugin {

struct PublishedTable;
struct Session;

// A relation that rows are published under. Kept for the life of the cache: its address may be remembered.
struct PublishedRelation {
  Oid relid;
  uint64_t generation;   // counts changes of the relation
  PublishedTable* open;  // the version of it that has an open batch, or null
};

// What open_batches.h keeps of a table. Its rows lie in the table's columns.
struct Batch {
  uint32_t rows;  // 0: not open
  uint64_t bytes;
  Buffer transactions;     // TransactionEntry; until the batch is sealed `rows` is the place of its first row
  uint64_t transaction;    // number of the last one in it
  Buffer unchanged;        // CellEntry
  Buffer unrepresentable;  // CellEntry
  uint64_t kept_bytes;     // memory kept while it is not open
  PublishedTable* previous;
  PublishedTable* next;
};

struct PublishedTable {
  uint64_t fingerprint;  // of schema_message; the key
  Oid relid;
  char replica_identity;  // as it is announced: replica_identity.h
  bool schema_sent;
  char* schema_name;  // UTF-8
  char* table_name;
  uint8_t* schema_message;
  size_t schema_bytes;
  PublishedRelation* target;
  MemoryContext context;

  int32_t column_count;  // the table's own
  Column* columns;       // these, then _op, _lsn, _ord
  char** column_names;   // of the table's own, in the database's encoding, for messages
  char* message_name;    // "schema.table", likewise
  int16* attnums;        // of the table's own
  int32_t node_count;
  int32_t buffer_count;
  format::FieldNode* nodes;  // scratch for the writer
  format::BufferRef* refs;
  const Buffer** buffers;
  uint64_t row_bytes_fixed;  // a row's bytes without variable-length data

  Batch batch;
};

inline constexpr int32_t kMetadataColumns = 3;
inline int32_t CountColumns(const PublishedTable* table) { return table->column_count + kMetadataColumns; }
inline Column* GetOpColumn(PublishedTable* table) { return &table->columns[table->column_count]; }
inline Column* GetLsnColumn(PublishedTable* table) { return &table->columns[table->column_count + 1]; }
inline Column* GetOrdColumn(PublishedTable* table) { return &table->columns[table->column_count + 2]; }

// The version of `published` with these columns (attribute numbers) as the catalog has it now; made where it
// is new. Scratch memory comes from the current context.
PublishedTable* GetPublishedTable(Session* session, Relation published, const Bitmapset* columns,
                                  PublishedRelation* target);

}  // namespace arrowcdc::plugin
