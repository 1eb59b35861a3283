// Replica identities, and the least that partitions carry.
#include "plugin/replica_identity.h"

namespace arrowcdc::plugin {

namespace {

// Beyond this all are forgotten, and found again with the next rows.
constexpr long kWeakenedMax = 4096;

// Rows of the table's partitions carry no more than this. Kept for the session, so that the table's schema
// does not go back and forth with its partitions.
struct WeakenedTable {
  Oid relid;
  ReplicaIdentity limit;
  NameData partition_schema;
  NameData partition;
};

constexpr ReplicaIdentity kNothing = {REPLICA_IDENTITY_NOTHING, 0, {}};

bool HasColumn(const ReplicaIdentity& identity, int16 attnum) {
  for (int i = 0; i < identity.key_count; ++i) {
    if (identity.key[i] == attnum) return true;
  }
  return false;
}

// Whether `carried` has every column of the key.
bool CarriesKey(const ReplicaIdentity& carried, const ReplicaIdentity& key) {
  if (carried.kind == REPLICA_IDENTITY_FULL) return true;
  for (int i = 0; i < key.key_count; ++i) {
    if (!HasColumn(carried, key.key[i])) return false;
  }
  return true;
}

bool IsPublishedWhole(const ReplicaIdentity& identity, const Bitmapset* columns) {
  for (int i = 0; i < identity.key_count; ++i) {
    if (!bms_is_member(identity.key[i], columns)) return false;
  }
  return true;
}

ReplicaIdentity GetOwnIdentity(Relation published, const Bitmapset* columns) {
  ReplicaIdentity own = GetReplicaIdentity(published);
  if (!IsPublishedWhole(own, columns)) own.key_count = 0;
  return own;
}

ReplicaIdentity LimitIdentity(const ReplicaIdentity& own, const WeakenedTable* weakened,
                              const Bitmapset* columns) {
  if (weakened == nullptr) return own;
  const ReplicaIdentity& limit = weakened->limit;
  if (own.kind != REPLICA_IDENTITY_FULL) return CarriesKey(limit, own) ? own : kNothing;
  return IsPublishedWhole(limit, columns) ? limit : kNothing;
}

const WeakenedTable* FindWeakened(const WeakenedIdentities& weakened, Oid relid) {
  return static_cast<const WeakenedTable*>(hash_search(weakened.tables, &relid, HASH_FIND, nullptr));
}

WeakenedTable* AddWeakened(WeakenedIdentities* weakened, CatalogMarks* marks, Oid relid) {
  if (hash_get_num_entries(weakened->tables) >= kWeakenedMax) {
    hash_destroy(weakened->tables);
    InitIdentities(weakened, weakened->context);
    ++marks->epoch;
  }
  return static_cast<WeakenedTable*>(hash_search(weakened->tables, &relid, HASH_ENTER, nullptr));
}

int16 FindAttribute(Relation relation, const char* name) {
  const TupleDesc tupdesc = RelationGetDescr(relation);
  for (int i = 0; i < tupdesc->natts; ++i) {
    const Form_pg_attribute attribute = TupleDescAttr(tupdesc, i);
    if (!attribute->attisdropped && strcmp(NameStr(attribute->attname), name) == 0) return attribute->attnum;
  }
  return 0;
}

// What old rows of the partition carry, in the attribute numbers of the table: the two match by name.
ReplicaIdentity FindCarried(Relation partition, Relation published, const Bitmapset* columns) {
  ReplicaIdentity carried = GetReplicaIdentity(partition);
  for (int i = 0; i < carried.key_count; ++i) {
    const Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(partition), carried.key[i] - 1);
    carried.key[i] = FindAttribute(published, NameStr(attribute->attname));
  }
  const bool has_key = carried.key_count > 0 && IsPublishedWhole(carried, columns);
  return has_key || carried.kind == REPLICA_IDENTITY_FULL ? carried : kNothing;
}

char* PrintPartition(TextConversion* text, const WeakenedTable* weakened) {
  return psprintf("%s.%s", ConvertName(text, NameStr(weakened->partition_schema)),
                  ConvertName(text, NameStr(weakened->partition)));
}

}  // namespace

ReplicaIdentity GetReplicaIdentity(Relation relation) {
  ReplicaIdentity identity{};
  identity.kind = relation->rd_rel->relreplident;
  if (identity.kind != REPLICA_IDENTITY_DEFAULT && identity.kind != REPLICA_IDENTITY_INDEX) return identity;
  const Oid index_oid = RelationGetReplicaIndex(relation);
  if (!OidIsValid(index_oid)) return identity;
  const Relation index = RelationIdGetRelation(index_oid);
  if (!RelationIsValid(index)) return identity;
  for (int i = 0; i < index->rd_index->indnkeyatts; ++i) {
    const int16 attnum = index->rd_index->indkey.values[i];
    if (attnum >= 1 && attnum <= RelationGetNumberOfAttributes(relation)) {
      identity.key[identity.key_count++] = attnum;
    }
  }
  RelationClose(index);
  return identity;
}

void InitIdentities(WeakenedIdentities* weakened, MemoryContext context) {
  HASHCTL control{};
  control.keysize = sizeof(Oid);
  control.entrysize = sizeof(WeakenedTable);
  control.hcxt = context;
  weakened->context = context;
  weakened->tables =
      hash_create("wal2arrow weakened identities", 16, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

TableIdentity GetTableIdentity(const WeakenedIdentities& weakened, TextConversion* text, Relation published,
                               const Bitmapset* columns) {
  TableIdentity identity{};
  const WeakenedTable* const found = FindWeakened(weakened, RelationGetRelid(published));
  identity.own = GetOwnIdentity(published, columns);
  identity.announced = LimitIdentity(identity.own, found, columns);
  const bool less =
      identity.announced.kind != identity.own.kind || identity.announced.key_count != identity.own.key_count;
  if (less) identity.weakened_by = PrintPartition(text, found);
  return identity;
}

bool WeakenIdentity(WeakenedIdentities* weakened, CatalogMarks* marks, Relation published,
                    const Bitmapset* columns, Relation partition) {
  const Oid relid = RelationGetRelid(published);
  const ReplicaIdentity own = GetOwnIdentity(published, columns);
  const ReplicaIdentity announced = LimitIdentity(own, FindWeakened(*weakened, relid), columns);
  const bool full = announced.kind == REPLICA_IDENTITY_FULL;
  if (!full && announced.key_count == 0) return false;
  const ReplicaIdentity carried = FindCarried(partition, published, columns);
  if (full ? carried.kind == REPLICA_IDENTITY_FULL : CarriesKey(carried, announced)) return false;
  const char* const schema = get_namespace_name(RelationGetNamespace(partition));
  WeakenedTable* const table = AddWeakened(weakened, marks, relid);
  table->limit = full ? carried : kNothing;
  table->partition_schema = NameData{};
  if (schema != nullptr) strncpy(NameStr(table->partition_schema), schema, NAMEDATALEN - 1);
  table->partition = partition->rd_rel->relname;
  return true;
}

}  // namespace arrowcdc::plugin
