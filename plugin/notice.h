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

struct Notices {
  PublicationTold* publications;  // in the order of Publications::list; null before the first time
  uint64_t publications_reads;    // Publications::reads when they were looked at
};

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
