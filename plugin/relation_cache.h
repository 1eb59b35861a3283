// What is known of each relation that rows come from: whether and as what it is published, and how its
// attributes map to the columns of the published table. Rebuilt when the catalog changes; bounded.
#pragma once

#include "plugin/attribute_step.h"
#include "plugin/published_table.h"
#include "plugin/session.h"

namespace arrowcdc::plugin {

// A relation that rows are published under. Kept for the life of the cache: its address may be remembered.
struct PublishedRelation {
  Oid relid;
  uint64_t generation;   // counts changes of the relation
  PublishedTable* open;  // the version of it that has an open batch, or null
};

// What a client was told of a relation last.
struct RelationTold {
  uint64_t names;       // fingerprint of the relation's and its ancestors' names; 0: nothing yet
  Oid published_as;     // invalid: nothing is sent
  uint8_t published;    // format::Operations
  uint8_t passed_over;  // operations, of which a row was not sent
};

struct RelationEntry {
  Oid relid;
  bool fresh;
  bool published;  // anything of it at all
  uint64_t epoch;
  uint64_t generation;  // of `target` when this was built
  PublishedRelation* target;
  PublicationActions actions;
  bool via_ancestor;
  PublishedTable* table;
  TupleDesc tupdesc;     // of this relation, not of the published one
  AttributeStep* steps;  // one an attribute
  bool in_order;         // fields come in the order of the attributes
  Bitmapset* absent;     // fields that the relation has no attribute for
  MemoryContext context;
  RelationTold told;  // outlives a rebuild of the rest
};

void InitRelationCache(Session* session);

// Between changes: starts the cache anew when it has grown too large. Entries and tables got before are gone.
void RestartRelationCache(Session* session);
inline void BoundRelationCache(Session* session) {
  if (session->cache_full) RestartRelationCache(session);
}

inline bool IsFresh(const Session* session, const RelationEntry* entry) {
  return entry->fresh && entry->epoch == session->epoch &&
         (entry->target == nullptr || entry->generation == entry->target->generation);
}

// The entry of the relation, built anew where the catalog has changed. Errors: see publication.h.
RelationEntry* FindRelationEntry(Session* session, Relation relation);
inline RelationEntry* GetRelationEntry(Session* session, Relation relation) {
  RelationEntry* const last = session->last_entry;
  if (last != nullptr && last->relid == RelationGetRelid(relation) && IsFresh(session, last)) return last;
  return FindRelationEntry(session, relation);
}

// The relation (InvalidOid: every relation) has changed. Touches marks only.
void MarkRelationStale(Session* session, Oid relid);

}  // namespace arrowcdc::plugin
