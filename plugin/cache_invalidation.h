// What tells a session that the catalog has changed. The callbacks stay registered for the life of the
// backend and only mark the live session's caches as stale.
#pragma once

#include "plugin/session.h"

namespace arrowcdc::plugin {

// Once a backend, at load.
void RegisterCacheCallbacks();

// Makes `session` the one the callbacks mark, until DetachSession or the end of its decoding context.
void AttachSession(Session* session);
void DetachSession(Session* session);

// Entries depend on this row of a catalog (TYPEOID or NAMESPACEOID): a change of it makes all of them stale.
void WatchCatalogRow(Session* session, int cache, Oid oid);

// Entries depend on this relation, which is not their own: an ancestor, whose schema and parent decide what
// its partitions are published as.
void WatchRelation(Session* session, Oid relid);

}  // namespace arrowcdc::plugin
