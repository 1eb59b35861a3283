// Publication membership, read at the point of the WAL that is being decoded.
#include "plugin/publication.h"

#include "format/frame.h"
#include "plugin/replica_identity.h"

extern "C" {
#include "utils/builtins.h"
}

namespace arrowcdc::plugin {

namespace {

void ReadPublications(Publications* publications, CatalogMarks* marks) {
  MemoryContextReset(publications->context);
  const MemoryContext previous = MemoryContextSwitchTo(publications->context);
  publications->list = NIL;
  BeginToMake(&marks->publications);
  ListCell* cell;
  foreach (cell, publications->names) {
    const char* const name = static_cast<const char*>(lfirst(cell));
    Publication* const publication = GetPublicationByName(name, true);
    if (publication == nullptr) {
      ereport(
          ERROR,
          (errcode(ERRCODE_UNDEFINED_OBJECT),
           errmsg("publication \"%s\" does not exist at this point of the WAL", name),
           errdetail(
               "Decoding has reached a change that was made before the publication was created, or after it "
               "was dropped."),
           errhint(
               "Name a publication that has been there all the time, if one covers the tables. Otherwise the "
               "changes up to where the publication exists can only be passed over, with "
               "pg_replication_slot_advance().")));
    }
    publications->list = lappend(publications->list, publication);
  }
  MemoryContextSwitchTo(previous);
  ++publications->reads;
  EndMaking(&marks->publications);
}

// The topmost ancestor through which this publication publishes a partition, or InvalidOid.
Oid FindPublishedAncestor(const Publication* publication, List* ancestors, int* level) {
  if (publication->alltables) {
    *level = list_length(ancestors);
    return llast_oid(ancestors);
  }
  return GetTopMostAncestorInPublication(publication->oid, ancestors, level);
}

void AddActions(PublicationActions* to, const PublicationActions& from) {
  to->pubinsert |= from.pubinsert;
  to->pubupdate |= from.pubupdate;
  to->pubdelete |= from.pubdelete;
  to->pubtruncate |= from.pubtruncate;
}

bool IsStored(const Form_pg_attribute attribute) {
#if PG_VERSION_NUM >= 180000
  return attribute->attgenerated == ATTRIBUTE_GENERATED_STORED;
#else
  return attribute->attgenerated != '\0';  // there are no others
#endif
}

// Generated columns that are part of the key. Their values are in the WAL, and in what an old row carries:
// without them nobody could tell which row was changed.
Bitmapset* FindGeneratedKeyColumns(Relation relation) {
  const TupleConstr* const constraints = RelationGetDescr(relation)->constr;
  if (constraints == nullptr || !constraints->has_generated_stored) return nullptr;
  const ReplicaIdentity identity = GetReplicaIdentity(relation);
  Bitmapset* columns = nullptr;
  for (int i = 0; i < identity.key_count; ++i) {
    const Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(relation), identity.key[i] - 1);
    if (IsStored(attribute)) columns = bms_add_member(columns, attribute->attnum);
  }
  return columns;
}

// The columns that a publication sends without a list, or with `listed`.
Bitmapset* FindSentColumns(Relation relation, bool stored_ones, const Bitmapset* generated_key,
                           const Bitmapset* listed) {
  const TupleDesc tupdesc = RelationGetDescr(relation);
  Bitmapset* columns = nullptr;
  for (int i = 0; i < tupdesc->natts; ++i) {
    const Form_pg_attribute attribute = TupleDescAttr(tupdesc, i);
    if (attribute->attisdropped || (listed != nullptr && !bms_is_member(attribute->attnum, listed))) continue;
    const bool in_wal = attribute->attgenerated == '\0' || (stored_ones && IsStored(attribute));
    if (in_wal || bms_is_member(attribute->attnum, generated_key)) {
      columns = bms_add_member(columns, attribute->attnum);
    }
  }
  return columns;
}

// publish_generated_columns came with 18.
bool SendsStoredColumns(const Publication* publication) {
#if PG_VERSION_NUM >= 180000
  return publication->pubgencols_type == PUBLISH_GENCOLS_STORED;
#else
  (void)publication;
  return false;
#endif
}

void RefuseDifference(const Publications& all, Relation relation, const Publication* first,
                      const Publication* second) {
  const char* const schema = get_namespace_name(RelationGetNamespace(relation));
  ereport(ERROR,
          (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
           errmsg("publications \"%s\" and \"%s\" send different columns of table \"%s.%s\" at this point of "
                  "the WAL",
                  first->name, second->name, schema, RelationGetRelationName(relation)),
           // Nothing that is changed now makes readable what was written before.
           errhint("The changes from here on were written with these column lists, and stay so. If another "
                   "publication has had the table without all along, stream with that one. Else make them "
                   "equal, start the stream again (it ends here again once all earlier changes are "
                   "delivered), run SELECT pg_replication_slot_advance('%s', pg_current_wal_lsn()), and go "
                   "on with arrowcdc stream --accept-gap: changes of all tables between here and that "
                   "position are lost. Or begin with a new slot and an empty sink.",
                   all.slot_name)));
}

Bitmapset* FindColumns(Relation published, const Publication* publication, const Bitmapset* generated_key) {
  const bool stored_ones = SendsStoredColumns(publication);
  // Without a row the table is published with its schema or with all, which have neither filter nor list.
  const HeapTuple tuple =
      publication->alltables
          ? nullptr
          : SearchSysCache2(PUBLICATIONRELMAP, ObjectIdGetDatum(RelationGetRelid(published)),
                            ObjectIdGetDatum(publication->oid));
  if (!HeapTupleIsValid(tuple)) return FindSentColumns(published, stored_ones, generated_key, nullptr);
  bool no_list = true;
  const Datum list = SysCacheGetAttr(PUBLICATIONRELMAP, tuple, Anum_pg_publication_rel_prattrs, &no_list);
  const Bitmapset* const listed =
      no_list ? nullptr : pub_collist_to_bitmapset(nullptr, list, CurrentMemoryContext);
  // From 18 on a list may name stored columns; before, no list can, and none is in `listed`.
  Bitmapset* const columns = FindSentColumns(published, stored_ones || !no_list, generated_key, listed);
  ReleaseSysCache(tuple);
  return columns;
}

// The WHERE of the table in this publication, in the current context; null: all rows pass, as where it is
// published with its schema or with all tables, whatever is listed besides.
char* ReadFilter(Relation published, const Publication* publication) {
  const Oid schema = RelationGetNamespace(published);
  if (publication->alltables || SearchSysCacheExists(PUBLICATIONNAMESPACEMAP, ObjectIdGetDatum(schema),
                                                     ObjectIdGetDatum(publication->oid), 0, 0)) {
    return nullptr;
  }
  const HeapTuple tuple = SearchSysCache2(PUBLICATIONRELMAP, ObjectIdGetDatum(RelationGetRelid(published)),
                                          ObjectIdGetDatum(publication->oid));
  if (!HeapTupleIsValid(tuple)) return nullptr;
  bool no_filter = true;
  const Datum filter = SysCacheGetAttr(PUBLICATIONRELMAP, tuple, Anum_pg_publication_rel_prqual, &no_filter);
  char* const where = no_filter ? nullptr : TextDatumGetCString(filter);
  ReleaseSysCache(tuple);
  return where;
}

}  // namespace

uint8_t GetOperations(const PublicationActions& actions) {
  return static_cast<uint8_t>((actions.pubinsert ? format::kOperationInsert : 0) |
                              (actions.pubupdate ? format::kOperationUpdate : 0) |
                              (actions.pubdelete ? format::kOperationDelete : 0) |
                              (actions.pubtruncate ? format::kOperationTruncate : 0));
}

Membership FindMembership(Publications* publications, CatalogMarks* marks, Relation relation) {
  if (marks->publications != Freshness::kFresh) ReadPublications(publications, marks);

  const Oid relid = RelationGetRelid(relation);
  const bool is_partition = relation->rd_rel->relispartition;
  const bool is_partitioned = relation->rd_rel->relkind == RELKIND_PARTITIONED_TABLE;
  List* const direct = GetRelationPublications(relid);
  List* const by_schema = GetSchemaPublications(RelationGetNamespace(relation));
  List* const ancestors = is_partition ? get_partition_ancestors(relid) : NIL;
  ListCell* cell;
  foreach (cell, ancestors) WatchRelation(marks, lfirst_oid(cell));

  Membership membership{};
  membership.publish_as = relid;
  membership.ancestors = ancestors;
  int membership_level = 0;
  foreach (cell, publications->list) {
    Publication* const publication = static_cast<Publication*>(lfirst(cell));
    bool publish = publication->alltables || list_member_oid(direct, publication->oid) ||
                   list_member_oid(by_schema, publication->oid);
    Oid publish_as = relid;
    int level = 0;
    if (ancestors != NIL) {
      int ancestor_level = 0;
      const Oid ancestor = FindPublishedAncestor(publication, ancestors, &ancestor_level);
      if (OidIsValid(ancestor)) {
        publish = true;
        if (publication->pubviaroot) {
          publish_as = ancestor;
          level = ancestor_level;
        }
      }
    }
    // A partitioned table has no rows of its own: its partitions stand for it, unless they go by its name.
    if (!publish || (is_partitioned && !publication->pubviaroot)) continue;

    AddActions(&membership.actions, publication->pubactions);
    if (level < membership_level) continue;  // another publication publishes it under a higher ancestor
    if (level > membership_level) {
      membership.publish_as = publish_as;
      membership_level = level;
      membership.publications = NIL;
    }
    membership.publications = lappend(membership.publications, publication);
  }
  return membership;
}

Bitmapset* FindPublishedColumns(const Publications& all, Relation published, List* publications) {
  const Bitmapset* const generated_key = FindGeneratedKeyColumns(published);
  Bitmapset* columns = nullptr;
  const Publication* first = nullptr;
  ListCell* cell;
  foreach (cell, publications) {
    const Publication* const publication = static_cast<const Publication*>(lfirst(cell));
    Bitmapset* const sent = FindColumns(published, publication, generated_key);
    if (first == nullptr) {
      first = publication;
      columns = sent;
      continue;
    }
    // Whoever lists all columns up to 17 cannot list generated ones: these make no difference.
    if (!bms_equal(bms_difference(columns, generated_key), bms_difference(sent, generated_key))) {
      RefuseDifference(all, published, first, publication);
    }
    columns = bms_union(columns, sent);
  }
  return columns;
}

FilterTexts FindRowFilters(Relation published, List* publications) {
  FilterTexts filters{};
  bool all_rows[kFilteredOperations] = {};
  ListCell* cell;
  foreach (cell, publications) {
    const Publication* const publication = static_cast<const Publication*>(lfirst(cell));
    char* const where = ReadFilter(published, publication);
    const uint8_t operations = GetOperations(publication->pubactions);
    for (int i = 0; i < kFilteredOperations; ++i) {
      if ((operations & (1 << i)) == 0) continue;
      all_rows[i] |= where == nullptr;
      if (where != nullptr) filters.by_operation[i] = lappend(filters.by_operation[i], where);
    }
  }
  for (int i = 0; i < kFilteredOperations; ++i) {
    if (all_rows[i]) filters.by_operation[i] = NIL;
  }
  return filters;
}

}  // namespace arrowcdc::plugin
