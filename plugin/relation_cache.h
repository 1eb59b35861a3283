// What is known of each relation that rows come from: whether and as what it is published, and how its
// attributes map to the columns of the published table. Rebuilt when the catalog changes; bounded. Never
// sends: what must leave first, the result says.
#pragma once

#include "plugin/attribute_step.h"
#include "plugin/cache_invalidation.h"
#include "plugin/publication.h"
#include "plugin/published_table.h"
#include "plugin/row_filter.h"

namespace arrowcdc::plugin {

struct Session;

// What a client was told of a relation last.
struct RelationTold {
  uint64_t names;       // fingerprint of the relation's and its ancestors' names; 0: nothing yet
  Oid published_as;     // invalid: nothing is sent
  uint8_t published;    // format::Operations
  uint8_t passed_over;  // operations, of which a row was not sent
};

struct RelationEntry {
  Oid relid;
  Freshness freshness;
  uint8_t operations;  // format::Operations that are published; 0: nothing of it
  uint64_t epoch;
  uint64_t generation;  // of `target` when this was built
  PublishedRelation* target;
  bool via_ancestor;
  PublishedTable* table;
  TupleDesc tupdesc;     // of this relation, not of the published one
  AttributeStep* steps;  // one an attribute
  bool in_order;         // fields come in the order of the attributes
  Bitmapset* absent;     // fields that the relation has no attribute for
  RowFilters* filters;   // null: all rows pass
  MemoryContext context;
  uint64_t bytes;  // of `context`, as they are counted in RelationCache::bytes
  // These outlive a rebuild of the rest.
  RelationTold told;
  bool told_in_block;  // `told` is that of the transaction in progress whose block this is (notice.h)
  bool filter_raised;  // and the server's log was told
};

struct RelationCache {
  MemoryContext context;  // everything that is looked up here, batches included
  HTAB* entries;          // RelationEntry by relation
  HTAB* published;        // PublishedRelation by the relation rows are published as
  HTAB* tables;           // PublishedTable by fingerprint
  RelationEntry* last;
  bool full;       // it starts anew before the next change
  uint64_t bytes;  // memory of entries and tables, without their batches
  uint64_t restarts;
};

void InitRelationCache(RelationCache* cache, MemoryContext context);

// Forgets everything. No batch may be open; entries and tables got before are gone.
void RestartRelationCache(RelationCache* cache);

inline bool IsFresh(const CatalogMarks& marks, const RelationEntry* entry) {
  return entry->freshness == Freshness::kFresh && entry->epoch == marks.epoch &&
         (entry->target == nullptr || entry->generation == entry->target->generation);
}

struct RelationLookup {
  RelationEntry* entry;
  bool flush_first;       // open batches must leave before a row of the entry: one of them has its name
  bool rebuilt;           // `membership` was read, and the client may have to hear of it (notice.h)
  Membership membership;  // in the context of the change
};

// The entry of the relation, built anew where the catalog has changed. It counts as fresh when its caller has
// ended the making of it (EndMaking), after all that a rebuild asks for. Errors: see publication.h.
RelationLookup FindRelationEntry(Session* session, Relation relation);

// The relation (InvalidOid: every relation) has changed. Touches marks only. False: nothing here says which
// entries that concerns.
bool MarkRelationStale(RelationCache* cache, Oid relid);

}  // namespace arrowcdc::plugin
