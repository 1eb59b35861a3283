// What one decoding session knows: the sum of what its modules know, each of which says more in its own
// header. Lives in a child context of the decoding context and dies with it; statics that point here are
// cleared by a reset callback (session.cc).
#pragma once

#include "plugin/append_context.h"
#include "plugin/frames.h"
#include "plugin/notice.h"
#include "plugin/open_batches.h"
#include "plugin/options.h"
#include "plugin/publication.h"
#include "plugin/relation_cache.h"
#include "plugin/replica_identity.h"
#include "plugin/settings.h"
#include "plugin/type_map.h"

namespace arrowcdc::plugin {

struct TransactionInProgress;

struct Counters {
  uint64_t begun;         // transactions, published or not
  uint64_t transactions;  // of which something was sent
  uint64_t records;       // of the WAL; counted where the walsender's calls are intercepted
  uint64_t drained;
};

struct Session {
  LogicalDecodingContext* decoding;
  MemoryContext context;     // this struct
  MemoryContext change_cxt;  // one change; reset after each
  Options options;
  AppliedSettings settings;
  bool in_walsender;  // its calls are intercepted: walsender.h

  // The catalog at the point of the WAL that is being decoded.
  CatalogMarks marks;
  Publications publications;
  WeakenedIdentities weakened;
  RelationCache relations;
  TypeMap types;

  // Rows on their way.
  Transaction transaction;
  TransactionInProgress* in_progress;  // whose block it is (stream_block.h); null: of none
  OpenBatches open;
  Group group;
  Frames frames;
  Notices notices;

  Counters counters;
  AppendContext values;
};

// Of what START_REPLICATION or an SQL function gave the decoding context. Errors: wrong options. The session
// is the one that the callbacks of the catalog and the walsender's calls lead to, until it is released or its
// decoding context ends.
Session* NewSession(LogicalDecodingContext* decoding);
void ReleaseSession(Session* session);

}  // namespace arrowcdc::plugin
