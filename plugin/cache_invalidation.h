// What tells a session that the catalog has changed. The callbacks stay registered for the life of the
// backend and only mark the live session's caches as stale: they may run at any time and must not raise.
#pragma once

#include "plugin/pg.h"

namespace arrowcdc::plugin {

struct RelationCache;

// Of what is made from the catalog. It counts from the end of its making on, and not at all where a change
// came or an ERROR went through meanwhile: within a transaction in progress the session outlives that.
enum class Freshness : uint8_t { kStale, kBeingMade, kFresh };

inline void BeginToMake(Freshness* freshness) { *freshness = Freshness::kBeingMade; }
inline void EndMaking(Freshness* freshness) {
  if (*freshness == Freshness::kBeingMade) *freshness = Freshness::kFresh;
}

struct CatalogMarks {
  uint64_t epoch;          // entries built in an earlier one are stale
  uint8_t* watched;        // bits of the catalog rows (types, schemas, ancestors) that entries depend on
  Freshness publications;  // as they were read last
};

// Once a backend, at load.
void RegisterCacheCallbacks();

void InitMarks(CatalogMarks* marks, MemoryContext context);

// Makes these the ones that the callbacks mark, until they are detached. Detaching touches no memory of the
// session, which may be gone, and does nothing where others are attached.
void AttachMarks(CatalogMarks* marks, RelationCache* relations);
void DetachMarks(const CatalogMarks* marks);

// Entries depend on this row of a catalog (TYPEOID or NAMESPACEOID): a change of it makes all of them stale.
void WatchCatalogRow(CatalogMarks* marks, int cache, Oid oid);

// Entries depend on this relation, which is not their own: an ancestor, whose schema and parent decide what
// its partitions are published as.
void WatchRelation(CatalogMarks* marks, Oid relid);

}  // namespace arrowcdc::plugin
