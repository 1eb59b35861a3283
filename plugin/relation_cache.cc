// Relations to published tables.
#include "plugin/relation_cache.h"

#include "plugin/replica_identity.h"
#include "plugin/session.h"

namespace arrowcdc::plugin {

namespace {

// Beyond these the cache starts anew: what is still in use is built again when its next row comes.
constexpr long kEntriesMax = 16384;
constexpr long kTablesMax = 8192;
constexpr uint64_t kCacheBytesMax = 128 << 20;  // a table of 1,600 columns takes two MiB

HTAB* NewTable(MemoryContext context, const char* name, Size key_bytes, Size entry_bytes) {
  HASHCTL control{};
  control.keysize = key_bytes;
  control.entrysize = entry_bytes;
  control.hcxt = context;
  return hash_create(name, 128, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

PublishedRelation* GetPublishedRelation(RelationCache* cache, Oid relid) {
  bool found = false;
  auto* target = static_cast<PublishedRelation*>(hash_search(cache->published, &relid, HASH_ENTER, &found));
  if (!found) {
    target->generation = 0;
    target->open = nullptr;
  }
  return target;
}

// The attribute of the relation that the rows come from, by name for a partition; -1: it has none.
int FindAttribute(const RelationEntry* entry, TupleDesc published, int16 attnum) {
  if (!entry->via_ancestor) return attnum - 1;
  const char* const name = NameStr(TupleDescAttr(published, attnum - 1)->attname);
  for (int i = 0; i < entry->tupdesc->natts; ++i) {
    const Form_pg_attribute attribute = TupleDescAttr(entry->tupdesc, i);
    if (!attribute->attisdropped && strcmp(NameStr(attribute->attname), name) == 0) return i;
  }
  return -1;
}

// Columns of the published table to attributes of the relation.
void PlanSteps(TextMode text_mode, RelationEntry* entry, TupleDesc published) {
  PublishedTable* const table = entry->table;
  const int natts = entry->tupdesc->natts;
  entry->steps = static_cast<AttributeStep*>(
      MemoryContextAllocZero(entry->context, sizeof(AttributeStep) * static_cast<size_t>(Max(natts, 1))));
  for (int i = 0; i < natts; ++i) entry->steps[i] = PlanAttribute(text_mode, entry->tupdesc, i, nullptr, -1);
  entry->in_order = true;
  int last = -1;
  for (int32_t field = 0; field < table->column_count; ++field) {
    const int index = FindAttribute(entry, published, table->attnums[field]);
    if (index < 0) {
      entry->absent = bms_add_member(entry->absent, field);
      continue;
    }
    entry->steps[index] = PlanAttribute(text_mode, entry->tupdesc, index, table, field);
    entry->in_order = entry->in_order && index > last;
    last = index;
  }
}

void BuildPublished(Session* session, RelationEntry* entry, Relation relation, const Membership& membership) {
  Relation published = relation;
  entry->via_ancestor = membership.publish_as != RelationGetRelid(relation);
  if (entry->via_ancestor) {
    published = RelationIdGetRelation(membership.publish_as);
    if (!RelationIsValid(published)) {
      elog(ERROR, "wal2arrow could not open relation %u, the ancestor of partition \"%s\"",
           membership.publish_as, RelationGetRelationName(relation));
    }
  }
  entry->target = GetPublishedRelation(&session->relations, membership.publish_as);
  entry->generation = entry->target->generation;
  WatchCatalogRow(&session->marks, NAMESPACEOID, RelationGetNamespace(published));

  Bitmapset* const columns = FindPublishedColumns(session->publications, published, membership.publications);
  const bool has_old_rows = membership.actions.pubupdate || membership.actions.pubdelete;
  if (entry->via_ancestor && has_old_rows &&
      WeakenIdentity(&session->weakened, &session->marks, published, columns, relation)) {
    // The entries of the other partitions have a version of the table that says too much.
    ++entry->target->generation;
    ++entry->generation;
  }
  entry->table = GetPublishedTable(session, published, columns, entry->target);
  const FilterTexts filters = FindRowFilters(published, membership.publications);
  const MemoryContext previous = MemoryContextSwitchTo(entry->context);
  entry->tupdesc = CreateTupleDescCopyConstr(RelationGetDescr(relation));
  PlanSteps(session->values.text.mode, entry, RelationGetDescr(published));
  entry->filters = BuildRowFilters(filters, relation, published, entry->tupdesc);
  MemoryContextSwitchTo(previous);
  entry->operations = GetOperations(membership.actions);
  if (published != relation) RelationClose(published);
}

// False: nothing of the relation could be published, and there is no membership.
bool BuildEntry(Session* session, RelationEntry* entry, Relation relation, Membership* membership) {
  RelationCache* const cache = &session->relations;
  cache->bytes -= entry->bytes;
  if (entry->context != nullptr) MemoryContextDelete(entry->context);
  const RelationEntry before = *entry;
  *entry = RelationEntry{};
  entry->relid = before.relid;
  entry->told = before.told;
  entry->told_in_block = before.told_in_block;
  entry->filter_raised = before.filter_raised;
  BeginToMake(&entry->freshness);
  entry->epoch = session->marks.epoch;
  if (!is_publishable_relation(relation)) return false;

  const MemoryContext previous = MemoryContextSwitchTo(session->change_cxt);
  WatchCatalogRow(&session->marks, NAMESPACEOID, RelationGetNamespace(relation));
  *membership = FindMembership(&session->publications, &session->marks, relation);
  if (GetOperations(membership->actions) != 0) {
    entry->context = AllocSetContextCreate(cache->context, "wal2arrow relation", ALLOCSET_SMALL_SIZES);
    BuildPublished(session, entry, relation, *membership);
    entry->bytes = MemoryContextMemAllocated(entry->context, false);
    cache->bytes += entry->bytes;
  }
  MemoryContextSwitchTo(previous);
  return true;
}

}  // namespace

void InitRelationCache(RelationCache* cache, MemoryContext context) {
  *cache = RelationCache{};
  cache->context = context;
  cache->entries = NewTable(context, "wal2arrow relations", sizeof(Oid), sizeof(RelationEntry));
  cache->published =
      NewTable(context, "wal2arrow published relations", sizeof(Oid), sizeof(PublishedRelation));
  cache->tables = NewTable(context, "wal2arrow tables", sizeof(uint64_t), sizeof(PublishedTable));
}

void RestartRelationCache(RelationCache* cache) {
  const MemoryContext context = cache->context;
  const uint64_t restarts = cache->restarts + 1;
  // First, as callbacks may come in between.
  *cache = RelationCache{};
  MemoryContextReset(context);
  InitRelationCache(cache, context);
  cache->restarts = restarts;
}

RelationLookup FindRelationEntry(Session* session, Relation relation) {
  RelationCache* const cache = &session->relations;
  const Oid relid = RelationGetRelid(relation);
  bool found = false;
  auto* entry = static_cast<RelationEntry*>(hash_search(cache->entries, &relid, HASH_ENTER, &found));
  if (!found) {
    *entry = RelationEntry{};
    entry->relid = relid;
  }
  RelationLookup lookup{};
  lookup.entry = entry;
  if (!IsFresh(session->marks, entry)) {
    lookup.rebuilt = BuildEntry(session, entry, relation, &lookup.membership);
    // The relation may have the name of another since it was renamed or created.
    lookup.flush_first = entry->operations != 0 && HasOpenNamesake(session->open, entry->table);
    cache->full = hash_get_num_entries(cache->entries) >= kEntriesMax ||
                  hash_get_num_entries(cache->tables) >= kTablesMax || cache->bytes >= kCacheBytesMax;
  }
  cache->last = entry;
  return lookup;
}

bool MarkRelationStale(RelationCache* cache, Oid relid) {
  if (!OidIsValid(relid) || cache->entries == nullptr || cache->published == nullptr) return false;
  auto* entry = static_cast<RelationEntry*>(hash_search(cache->entries, &relid, HASH_FIND, nullptr));
  if (entry != nullptr) entry->freshness = Freshness::kStale;
  auto* target = static_cast<PublishedRelation*>(hash_search(cache->published, &relid, HASH_FIND, nullptr));
  if (target != nullptr) ++target->generation;
  return true;
}

}  // namespace arrowcdc::plugin
