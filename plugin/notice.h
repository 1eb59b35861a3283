// What the client should know of relations and publications besides rows: notice frames (docs/wire.md). Each
// is sent once a session and state of what it is about, and costs nothing while entries stay as they are.
// Decides nothing about what is published.
#pragma once

#include "plugin/relation_cache.h"

namespace arrowcdc::plugin {

struct Session;

// What a client was told of a publication last.
struct PublicationTold {
  Oid oid;
  PublicationActions actions;
  bool all_tables;
  bool via_root;
};

// A client hears of notices within a transaction in progress when that has committed, or not at all. So what
// it was told in one counts for that transaction alone until then: between its blocks what the others go by
// is in the caches, and this is kept here; within them it is the other way round.
struct ToldInProgress {
  MemoryContext context;
  PublicationTold* publications;  // null before the first time
  Buffer relations;               // RelationTold with its relation, of those that something was told of
  uint64_t cache_restarts;        // RelationCache::restarts: with the cache it is forgotten what was told
  bool begun;                     // there was a block
};

struct Notices {
  PublicationTold* publications;  // in the order of Publications::list; null before the first time
  uint64_t publications_reads;    // Publications::reads when they were looked at
  ToldInProgress* in_progress;    // of the transaction whose block it is; null: of none
};

// Begin and end of a block, and the commit of the transaction.
void EnterTold(Session* session, ToldInProgress* told);
void LeaveTold(Session* session);
void KeepTold(Session* session, const ToldInProgress& told);

// The entry was built anew, with this membership. Sends what is new of it, and of the publications.
void TellMembership(Session* session, RelationEntry* entry, Relation relation, const Membership& membership);

// A change is not sent although its relation could be published. Sends what is open, and then that; cheap
// where it was told before.
void TellPassedOverSlow(Session* session, RelationEntry* entry, Relation relation, uint8_t operation);
inline void TellPassedOver(Session* session, RelationEntry* entry, Relation relation, uint8_t operation) {
  if ((entry->told.passed_over & operation) != operation)
    TellPassedOverSlow(session, entry, relation, operation);
}

}  // namespace arrowcdc::plugin
