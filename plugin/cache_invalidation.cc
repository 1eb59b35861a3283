// Relcache and syscache callbacks.
#include "plugin/cache_invalidation.h"

#include "plugin/publication.h"
#include "plugin/relation_cache.h"
#include "plugin/walsender.h"

namespace arrowcdc::plugin {

namespace {

// A filter over hashes of catalog rows: creating an unrelated type (every temporary table does) costs
// nothing.
constexpr uint32_t kWatchedBits = 1 << 16;

Session* live_session = nullptr;

uint32_t WatchedBit(int cache, uint32 hash) {
  return (hash ^ (static_cast<uint32_t>(cache) * 0x9E3779B9u)) % kWatchedBits;
}

uint32_t RelationBit(Oid relid) { return WatchedBit(RELOID, relid * 0x85EBCA6Bu); }

void Watch(Session* session, uint32_t bit) {
  session->watched[bit / 8] = static_cast<uint8_t>(session->watched[bit / 8] | (1u << (bit % 8)));
}

bool IsWatched(const Session* session, uint32_t bit) {
  return (session->watched[bit / 8] & (1u << (bit % 8))) != 0;
}

extern "C" {

void OnRelationChanged(Datum, Oid relation) {
  if (live_session == nullptr) return;
  if (IsWatched(live_session, RelationBit(relation))) ++live_session->epoch;
  MarkRelationStale(live_session, relation);
}

void OnPublicationChanged(Datum, int, uint32) {
  if (live_session == nullptr) return;
  live_session->publications_valid = false;
  ++live_session->epoch;
}

void OnMembershipChanged(Datum, int, uint32) {
  if (live_session != nullptr) ++live_session->epoch;
}

void OnWatchedChanged(Datum, int cache, uint32 hash) {
  if (live_session == nullptr) return;
  if (hash == 0 || IsWatched(live_session, WatchedBit(cache, hash))) ++live_session->epoch;
}

void OnDecodingContextReset(void* session) {
  // An ERROR led here, perhaps late and when the next session has begun: only this session's own traces are
  // removed.
  if (live_session != session) return;
  DetachFromWalsender();
  DetachSession(static_cast<Session*>(session));
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

void AttachSession(Session* session) {
  session->watched = static_cast<uint8_t*>(MemoryContextAllocZero(session->context, kWatchedBits / 8));
  auto* callback = static_cast<MemoryContextCallback*>(
      MemoryContextAllocZero(session->decoding->context, sizeof(MemoryContextCallback)));
  callback->func = OnDecodingContextReset;
  callback->arg = session;
  MemoryContextRegisterResetCallback(session->decoding->context, callback);
  live_session = session;
}

void DetachSession(Session* session) {
  if (live_session == session) live_session = nullptr;
}

void WatchCatalogRow(Session* session, int cache, Oid oid) {
  Watch(session, WatchedBit(cache, GetSysCacheHashValue1(cache, ObjectIdGetDatum(oid))));
}

void WatchRelation(Session* session, Oid relid) { Watch(session, RelationBit(relid)); }

}  // namespace arrowcdc::plugin
