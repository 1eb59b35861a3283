// Which relations are published, as what, and with which columns: the rules of the server's own pgoutput.
// Reads the catalog as it is at the point of the WAL that is being decoded; sends nothing.
#pragma once

#include "plugin/cache_invalidation.h"
#include "plugin/pg.h"

namespace arrowcdc::plugin {

// The session's publications, as they were read last.
struct Publications {
  List* names;            // of char*, as the option has them
  const char* slot_name;  // for hints
  MemoryContext context;  // of `list`
  List* list;             // of Publication*, in the order of `names`
  uint64_t reads;         // how often the list was read
};

struct Membership {
  PublicationActions actions;
  Oid publish_as;      // the relation itself, or the ancestor its rows are published as
  List* publications;  // of Publication*: those that publish it as publish_as
  List* ancestors;     // of a partition: oids from its parent to the root
};

// As format::Operations.
uint8_t GetOperations(const PublicationActions& actions);

// Memory of the result: the current context. Errors: a publication that does not exist at this point of the
// WAL.
Membership FindMembership(Publications* publications, CatalogMarks* marks, Relation relation);

// Attribute numbers of `published` that its publications send: what they list, or all columns with those
// generated ones that are part of the key. Errors: column lists that differ, with the names of table and
// publications and the way out.
Bitmapset* FindPublishedColumns(const Publications& all, Relation published, List* publications);

// Inserts, updates and deletes, by their bit among format::Operations.
inline constexpr int kFilteredOperations = 3;

// Rows pass where one of an operation's filters says so; NIL: all do. As they stand in the catalog (char*).
struct FilterTexts {
  List* by_operation[kFilteredOperations];
};
FilterTexts FindRowFilters(Relation published, List* publications);

}  // namespace arrowcdc::plugin
