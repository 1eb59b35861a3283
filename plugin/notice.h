// What the client should know of relations and publications besides rows: notice frames (docs/wire.md). Each
// is sent once a session and state of what it is about, and costs nothing while entries stay as they are.
#pragma once

#include "plugin/publication.h"
#include "plugin/relation_cache.h"
#include "plugin/session.h"

namespace arrowcdc::plugin {

// What a client was told of a publication last.
struct PublicationTold {
  Oid oid;
  PublicationActions actions;
  bool all_tables;
  bool via_root;
  bool changed;  // and has to be told again
};

// Publications were read: remembers which of them are not what they were.
void NotePublications(Session* session);

// The entry was built anew, with this membership. Sends what is new of it, and of the publications.
void TellMembership(Session* session, RelationEntry* entry, Relation relation, const Membership& membership);

// A change is not sent although its relation could be published. Cheap where it was told before.
void TellPassedOverSlow(Session* session, RelationEntry* entry, Relation relation, uint8_t operation);
inline void TellPassedOver(Session* session, RelationEntry* entry, Relation relation, uint8_t operation) {
  if ((entry->told.passed_over & operation) != operation)
    TellPassedOverSlow(session, entry, relation, operation);
}

uint8_t OperationsOf(const PublicationActions& actions);

}  // namespace arrowcdc::plugin
