// Which relations are published, as what, and with which columns: the rules of the server's own pgoutput.
#pragma once

#include "plugin/session.h"

namespace arrowcdc::plugin {

struct Membership {
  PublicationActions actions;
  Oid publish_as;      // the relation itself, or the ancestor its rows are published as
  List* publications;  // of Publication*: those that publish it as publish_as
  List* ancestors;     // of a partition: oids from its parent to the root
};

// Memory of the result: the current context. Errors: a publication that does not exist at this point of the
// WAL.
Membership FindMembership(Session* session, Relation relation);

// Attribute numbers of `published` that its publications send: what they list, or all columns with those
// generated ones that are part of the key. Errors: a row filter, and column lists that differ, each with the
// names of table and publication and the way out.
Bitmapset* PublishedColumns(const Session* session, Relation published, List* publications);

}  // namespace arrowcdc::plugin
