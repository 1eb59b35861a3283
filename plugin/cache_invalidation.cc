// Relcache and syscache callbacks.
#include "plugin/cache_invalidation.h"

#include "plugin/relation_cache.h"

namespace arrowcdc::plugin {

namespace {

// A filter over hashes of catalog rows: creating an unrelated type (every temporary table does) costs
// nothing.
constexpr uint32_t kWatchedBits = 1 << 16;

struct Live {
  CatalogMarks* marks;  // null: no session
  RelationCache* relations;
};
Live live;

uint32_t HashRow(int cache, uint32 hash) {
  return (hash ^ (static_cast<uint32_t>(cache) * 0x9E3779B9u)) % kWatchedBits;
}

uint32_t HashRelation(Oid relid) { return HashRow(RELOID, relid * 0x85EBCA6Bu); }

void Watch(CatalogMarks* marks, uint32_t bit) {
  marks->watched[bit / 8] = static_cast<uint8_t>(marks->watched[bit / 8] | (1u << (bit % 8)));
}

bool IsWatched(const CatalogMarks* marks, uint32_t bit) {
  return (marks->watched[bit / 8] & (1u << (bit % 8))) != 0;
}

extern "C" {

void OnRelationChanged(Datum, Oid relation) {
  if (live.marks == nullptr) return;
  if (IsWatched(live.marks, HashRelation(relation))) ++live.marks->epoch;
  if (!MarkRelationStale(live.relations, relation)) ++live.marks->epoch;
}

void OnPublicationChanged(Datum, int, uint32) {
  if (live.marks == nullptr) return;
  live.marks->publications = Freshness::kStale;
  ++live.marks->epoch;
}

void OnMembershipChanged(Datum, int, uint32) {
  if (live.marks != nullptr) ++live.marks->epoch;
}

void OnWatchedChanged(Datum, int cache, uint32 hash) {
  if (live.marks == nullptr) return;
  if (hash == 0 || IsWatched(live.marks, HashRow(cache, hash))) ++live.marks->epoch;
}

}  // extern "C"

}  // namespace

void RegisterCacheCallbacks() {
  static bool registered = false;
  if (registered) return;
  registered = true;
  CacheRegisterRelcacheCallback(OnRelationChanged, static_cast<Datum>(0));
  CacheRegisterSyscacheCallback(PUBLICATIONOID, OnPublicationChanged, static_cast<Datum>(0));
  CacheRegisterSyscacheCallback(PUBLICATIONRELMAP, OnMembershipChanged, static_cast<Datum>(0));
  CacheRegisterSyscacheCallback(PUBLICATIONNAMESPACEMAP, OnMembershipChanged, static_cast<Datum>(0));
  CacheRegisterSyscacheCallback(NAMESPACEOID, OnWatchedChanged, static_cast<Datum>(0));
  CacheRegisterSyscacheCallback(TYPEOID, OnWatchedChanged, static_cast<Datum>(0));
}

void InitMarks(CatalogMarks* marks, MemoryContext context) {
  marks->watched = static_cast<uint8_t*>(MemoryContextAllocZero(context, kWatchedBits / 8));
}

void AttachMarks(CatalogMarks* marks, RelationCache* relations) { live = Live{marks, relations}; }

void DetachMarks(const CatalogMarks* marks) {
  if (live.marks == marks) live = Live{};
}

void WatchCatalogRow(CatalogMarks* marks, int cache, Oid oid) {
  Watch(marks, HashRow(cache, GetSysCacheHashValue1(cache, ObjectIdGetDatum(oid))));
}

void WatchRelation(CatalogMarks* marks, Oid relid) { Watch(marks, HashRelation(relid)); }

}  // namespace arrowcdc::plugin
