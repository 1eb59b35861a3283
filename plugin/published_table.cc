// Versions of published tables and their Arrow schemas.
#include "plugin/published_table.h"

#include "plugin/appenders.h"
#include "plugin/byte_buffer_pg.h"
#include "plugin/replica_identity.h"
#include "plugin/session.h"
#include "plugin/text.h"
#include "plugin/type_map.h"

namespace arrowcdc::plugin {

namespace {

using format::ArrowTypeId;
using format::Field;
using format::KeyValue;

constexpr int32_t kFieldMetadataMax = 8;

// Place in the key, from 1; 0: not part of it.
int FindKeyPlace(const ReplicaIdentity& identity, int16 attnum) {
  for (int i = 0; i < identity.key_count; ++i) {
    if (identity.key[i] == attnum) return i + 1;
  }
  return 0;
}

char* GetTypeName(TextConversion* text, Oid type) {
  const HeapTuple tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
  if (!HeapTupleIsValid(tuple)) return pstrdup("unknown");
  char* const name = ConvertName(text, NameStr(reinterpret_cast<Form_pg_type>(GETSTRUCT(tuple))->typname));
  ReleaseSysCache(tuple);
  return name;
}

const char* GetSchemaName(Relation published) {
  const char* const name = get_namespace_name(RelationGetNamespace(published));
  return name == nullptr ? "" : name;
}

void FillField(const Column* column, const char* name, Field* field);

Field* MakeChildFields(const Column* column) {
  auto* fields = static_cast<Field*>(palloc0(sizeof(Field) * static_cast<size_t>(column->children_count)));
  for (int32_t i = 0; i < column->children_count; ++i) {
    FillField(&column->children[i], column->children[i].name, &fields[i]);
  }
  return fields;
}

void FillField(const Column* column, const char* name, Field* field) {
  *field = Field{};
  field->name = name;
  field->type = column->type;
  field->utc = column->utc;
  field->byte_width = column->width;
  field->list_size = column->list_size;
  field->required = column->required;
  field->precision = column->precision;
  field->scale = column->scale;
  if (column->children_count > 0) {
    field->children = MakeChildFields(column);
    field->children_count = column->children_count;
  }
  auto* metadata = static_cast<KeyValue*>(palloc(sizeof(KeyValue) * kFieldMetadataMax));
  int32_t count = 0;
  // Two versions of a row type that differ in this only are read differently.
  if (column->attnum != 0) metadata[count++] = KeyValue{"arrowcdc:attnum", psprintf("%d", column->attnum)};
  if (column->extension != nullptr) {
    metadata[count++] = KeyValue{"ARROW:extension:name", column->extension};
    metadata[count++] = KeyValue{"ARROW:extension:metadata", column->extension_metadata};
  }
  field->metadata = metadata;
  field->metadata_count = count;
}

void AddColumnMetadata(TextConversion* text, const Form_pg_attribute attribute, const TableIdentity& identity,
                       Field* field) {
  auto* metadata = static_cast<KeyValue*>(palloc(sizeof(KeyValue) * kFieldMetadataMax));
  int32_t count = 0;
  metadata[count++] = KeyValue{"ADBC:postgresql:typname", GetTypeName(text, attribute->atttypid)};
  metadata[count++] = KeyValue{"arrowcdc:typoid", psprintf("%u", attribute->atttypid)};
  metadata[count++] = KeyValue{"arrowcdc:typmod", psprintf("%d", attribute->atttypmod)};
  metadata[count++] = KeyValue{"PARQUET:field_id", psprintf("%d", attribute->attnum)};
  const int place = FindKeyPlace(identity.announced, attribute->attnum);
  if (place > 0) metadata[count++] = KeyValue{"arrowcdc:key", psprintf("%d", place)};
  const int own_place = identity.weakened_by == nullptr ? 0 : FindKeyPlace(identity.own, attribute->attnum);
  if (own_place > 0) metadata[count++] = KeyValue{"arrowcdc:own_key", psprintf("%d", own_place)};
  for (int32_t i = 0; i < field->metadata_count; ++i) metadata[count++] = field->metadata[i];
  field->metadata = metadata;
  field->metadata_count = count;
}

// `name` with as many further underscores as make it differ from those of all fields.
char* FindFreeName(const char* name, const Field* fields, int32_t count) {
  char* candidate = pstrdup(name);
  for (int32_t i = 0; i < count; ++i) {
    if (strcmp(fields[i].name, candidate) != 0) continue;
    candidate = psprintf("_%s", candidate);
    i = -1;
  }
  return candidate;
}

struct MetadataColumn {
  const char* name;
  const char* role;
  ArrowTypeId type;
  int32_t width;
};
constexpr MetadataColumn kMetadata[kMetadataColumns] = {
    {"_op", "op", ArrowTypeId::kInt8, 1},
    {"_lsn", "lsn", ArrowTypeId::kUint64, 8},
    {"_ord", "ord", ArrowTypeId::kUint16, 2},
};

void PlanMetadataColumn(const MetadataColumn& metadata, Column* column) {
  column->layout = Layout::kFixed;
  column->type = metadata.type;
  column->width = metadata.width;
}

// Columns and their fields. Everything that stays is in table->context, the fields in the current one.
Field* PlanTable(Session* session, Relation published, const Bitmapset* columns,
                 const TableIdentity& identity, PublishedTable* table) {
  TextConversion* const text = &session->values.text;
  const TupleDesc tupdesc = RelationGetDescr(published);
  const int32_t count = bms_num_members(columns);
  const size_t all = static_cast<size_t>(count + kMetadataColumns);
  table->column_count = count;
  table->columns = static_cast<Column*>(MemoryContextAllocZero(table->context, sizeof(Column) * all));
  table->attnums = static_cast<int16*>(MemoryContextAllocZero(table->context, sizeof(int16) * all));
  table->column_names = static_cast<char**>(MemoryContextAllocZero(table->context, sizeof(char*) * all));
  auto* fields = static_cast<Field*>(palloc0(sizeof(Field) * all));

  int32_t place = 0;
  for (int i = 0; i < tupdesc->natts && place < count; ++i) {
    const Form_pg_attribute attribute = TupleDescAttr(tupdesc, i);
    if (!bms_is_member(attribute->attnum, columns)) continue;
    Column* const column = &table->columns[place];
    column->context = table->context;
    PlanColumn(&session->types, attribute->atttypid, attribute->atttypmod, table->context, column);
    char* const name = ConvertName(text, NameStr(attribute->attname));
    FillField(column, name, &fields[place]);
    AddColumnMetadata(text, attribute, identity, &fields[place]);
    table->attnums[place] = attribute->attnum;
    table->column_names[place] = MemoryContextStrdup(table->context, NameStr(attribute->attname));
    ++place;
  }
  for (int32_t i = 0; i < kMetadataColumns; ++i) {
    Column* const column = &table->columns[count + i];
    column->context = table->context;
    PlanMetadataColumn(kMetadata[i], column);
    FillField(column, FindFreeName(kMetadata[i].name, fields, count + i), &fields[count + i]);
    auto* role = static_cast<KeyValue*>(palloc(sizeof(KeyValue)));
    *role = KeyValue{"arrowcdc:role", kMetadata[i].role};
    fields[count + i].metadata = role;
    fields[count + i].metadata_count = 1;
  }
  for (size_t i = 0; i < all; ++i) {
    table->node_count += CountNodes(&table->columns[i]);
    table->buffer_count += CountBuffers(&table->columns[i]);
    table->row_bytes_fixed += CountFixedBytes(&table->columns[i]);
  }
  return fields;
}

void WriteSchema(PublishedTable* table, const TableIdentity& identity, const Field* fields) {
  const char announced[2] = {identity.announced.kind, '\0'};
  const char own[2] = {identity.own.kind, '\0'};
  const KeyValue metadata[] = {
      {"arrowcdc:schema", table->schema_name},        {"arrowcdc:table", table->table_name},
      {"arrowcdc:oid", psprintf("%u", table->relid)}, {"arrowcdc:replica_identity", announced},
      {"arrowcdc:own_replica_identity", own},         {"arrowcdc:identity_weakened", identity.weakened_by},
  };
  constexpr int32_t kOfWeakened = 2;  // the last ones
  const int32_t count = lengthof(metadata) - (identity.weakened_by == nullptr ? kOfWeakened : 0);
  format::ByteBuffer message = NewByteBuffer(table->context);
  format::WriteSchemaMessage(fields, CountColumns(table), metadata, count, &message);
  table->schema_message = message.data;
  table->schema_bytes = message.size;
  table->fingerprint = format::Fingerprint(message.data, message.size);
}

void AllocateScratch(PublishedTable* table) {
  table->nodes = static_cast<format::FieldNode*>(
      MemoryContextAlloc(table->context, sizeof(format::FieldNode) * static_cast<size_t>(table->node_count)));
  table->refs = static_cast<format::BufferRef*>(MemoryContextAlloc(
      table->context, sizeof(format::BufferRef) * static_cast<size_t>(table->buffer_count)));
  table->buffers = static_cast<const Buffer**>(
      MemoryContextAlloc(table->context, sizeof(const Buffer*) * static_cast<size_t>(table->buffer_count)));
}

// The fingerprint is no secret: names can be searched for that give two schemas the same one. Rows of one
// table must not be written into columns of the other.
void RefuseForgery(const PublishedTable* table, const PublishedTable& planned) {
  if (table->schema_bytes == planned.schema_bytes &&
      memcmp(table->schema_message, planned.schema_message, planned.schema_bytes) == 0) {
    return;
  }
  ereport(ERROR, (errcode(ERRCODE_DUPLICATE_OBJECT),
                  errmsg("tables \"%s\" and \"%s\" have schemas of the same fingerprint", table->message_name,
                         planned.message_name),
                  errhint("Rename a column of one of them, then drop the slot and create it anew.")));
}

}  // namespace

PublishedTable* GetPublishedTable(Session* session, Relation published, const Bitmapset* columns,
                                  PublishedRelation* target) {
  RelationCache* const cache = &session->relations;
  TextConversion* const text = &session->values.text;
  PublishedTable planned{};
  planned.relid = RelationGetRelid(published);
  const TableIdentity identity = GetTableIdentity(session->weakened, text, published, columns);
  planned.replica_identity = identity.announced.kind;
  planned.target = target;
  // The cache's once it is whole: an ERROR on the way need not end the session.
  planned.context = AllocSetContextCreate(session->change_cxt, "wal2arrow table", ALLOCSET_SMALL_SIZES);
  const char* const schema_name = GetSchemaName(published);
  planned.message_name = MemoryContextStrdup(
      planned.context, psprintf("%s.%s", schema_name, RelationGetRelationName(published)));
  planned.schema_name = MemoryContextStrdup(planned.context, ConvertName(text, schema_name));
  planned.table_name =
      MemoryContextStrdup(planned.context, ConvertName(text, RelationGetRelationName(published)));
  const Field* const fields = PlanTable(session, published, columns, identity, &planned);
  WriteSchema(&planned, identity, fields);

  bool found = false;
  auto* table =
      static_cast<PublishedTable*>(hash_search(cache->tables, &planned.fingerprint, HASH_ENTER, &found));
  if (found) {
    RefuseForgery(table, planned);
    MemoryContextDelete(planned.context);
    return table;
  }
  MemoryContextSetParent(planned.context, cache->context);
  *table = planned;
  AllocateScratch(table);
  cache->bytes += MemoryContextMemAllocated(table->context, false);
  return table;
}

}  // namespace arrowcdc::plugin
