// What the old row of a change carries, and what is announced of it for a table that rows of partitions go by
// the name of: at most what every partition seen in this session carries. Sends nothing.
#pragma once

#include "plugin/cache_invalidation.h"
#include "plugin/text.h"

namespace arrowcdc::plugin {

struct ReplicaIdentity {
  char kind;  // 'd', 'f', 'i' or 'n'
  int16 key_count;
  int16 key[INDEX_MAX_KEYS];  // attribute numbers in key order; 'd' and 'i' only
};

// Kept when caches start anew: see WeakenIdentity.
struct WeakenedIdentities {
  MemoryContext context;
  HTAB* tables;
};

struct TableIdentity {
  ReplicaIdentity own;        // as the catalog has it
  ReplicaIdentity announced;  // the same, or less
  const char* weakened_by;    // the partition for which it is less, UTF-8, in the current context; or null
};

// The key of the relation's replica identity; none under FULL and NOTHING, and where it has no index.
ReplicaIdentity GetReplicaIdentity(Relation relation);

void InitIdentities(WeakenedIdentities* weakened, MemoryContext context);

// Of a table whose `columns` (attribute numbers) are published. A key that is not published as a whole is
// none.
TableIdentity GetTableIdentity(const WeakenedIdentities& weakened, TextConversion* text, Relation published,
                               const Bitmapset* columns);

// Rows of `partition` come under the name of `published`: from now on no more is announced of it than they
// carry. True: that is less than before.
bool WeakenIdentity(WeakenedIdentities* weakened, CatalogMarks* marks, Relation published,
                    const Bitmapset* columns, Relation partition);

}  // namespace arrowcdc::plugin
