// Publication membership, read at the point of the WAL that is being decoded.
#include "plugin/publication.h"

#include "plugin/notice.h"

namespace arrowcdc::plugin {

namespace {

void LoadPublications(Session* session) {
  MemoryContextReset(session->publications_cxt);
  const MemoryContext previous = MemoryContextSwitchTo(session->publications_cxt);
  session->publications = NIL;
  // Set first: a change that arrives while reading makes it stale again.
  session->publications_valid = true;
  ListCell* cell;
  foreach (cell, session->options.publication_names) {
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
    session->publications = lappend(session->publications, publication);
  }
  MemoryContextSwitchTo(previous);
  NotePublications(session);
}

// The topmost ancestor through which this publication publishes a partition, or InvalidOid.
Oid PublishedAncestor(const Publication* publication, List* ancestors, int* level) {
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

// All columns a publication sends of a table for which it has no column list.
Bitmapset* AllColumns(Relation relation, const Publication* publication) {
  const TupleDesc tupdesc = RelationGetDescr(relation);
  Bitmapset* columns = nullptr;
  for (int i = 0; i < tupdesc->natts; ++i) {
    const Form_pg_attribute attribute = TupleDescAttr(tupdesc, i);
    if (attribute->attisdropped) continue;
    if (attribute->attgenerated != '\0') {
#if PG_VERSION_NUM >= 180000
      if (attribute->attgenerated != ATTRIBUTE_GENERATED_STORED ||
          publication->pubgencols_type != PUBLISH_GENCOLS_STORED) {
        continue;
      }
#else
      continue;
#endif
    }
    columns = bms_add_member(columns, attribute->attnum);
  }
  (void)publication;
  return columns;
}

// Of a column list: columns that exist and have a value in the WAL.
Bitmapset* ListedColumns(Relation relation, Bitmapset* listed) {
  const TupleDesc tupdesc = RelationGetDescr(relation);
  Bitmapset* columns = nullptr;
  for (int i = 0; i < tupdesc->natts; ++i) {
    const Form_pg_attribute attribute = TupleDescAttr(tupdesc, i);
    if (attribute->attisdropped || !bms_is_member(attribute->attnum, listed)) continue;
#if PG_VERSION_NUM >= 180000
    if (attribute->attgenerated != '\0' && attribute->attgenerated != ATTRIBUTE_GENERATED_STORED) continue;
#else
    if (attribute->attgenerated != '\0') continue;
#endif
    columns = bms_add_member(columns, attribute->attnum);
  }
  return columns;
}

void RefuseRowFilter(Relation relation, const Publication* publication) {
  ereport(ERROR,
          (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
           errmsg("publication \"%s\" has a row filter on table \"%s.%s\", which wal2arrow does not support",
                  publication->name, get_namespace_name(RelationGetNamespace(relation)),
                  RelationGetRelationName(relation)),
           errhint("Use a publication without a WHERE clause on this table, committed before the slot is "
                   "created.")));
}

Bitmapset* ColumnsOf(Relation published, const Publication* publication) {
  if (publication->alltables) return AllColumns(published, publication);
  const HeapTuple tuple = SearchSysCache2(PUBLICATIONRELMAP, ObjectIdGetDatum(RelationGetRelid(published)),
                                          ObjectIdGetDatum(publication->oid));
  // Without a row the table is published with its schema, which has neither filter nor list.
  if (!HeapTupleIsValid(tuple)) return AllColumns(published, publication);
  bool no_filter = true;
  SysCacheGetAttr(PUBLICATIONRELMAP, tuple, Anum_pg_publication_rel_prqual, &no_filter);
  if (!no_filter) RefuseRowFilter(published, publication);
  bool no_list = true;
  const Datum list = SysCacheGetAttr(PUBLICATIONRELMAP, tuple, Anum_pg_publication_rel_prattrs, &no_list);
  Bitmapset* const columns =
      no_list ? AllColumns(published, publication)
              : ListedColumns(published, pub_collist_to_bitmapset(nullptr, list, CurrentMemoryContext));
  ReleaseSysCache(tuple);
  return columns;
}

}  // namespace

Membership FindMembership(Session* session, Relation relation) {
  if (!session->publications_valid) LoadPublications(session);

  const Oid relid = RelationGetRelid(relation);
  const bool is_partition = relation->rd_rel->relispartition;
  const bool is_partitioned = relation->rd_rel->relkind == RELKIND_PARTITIONED_TABLE;
  List* const direct = GetRelationPublications(relid);
  List* const by_schema = GetSchemaPublications(RelationGetNamespace(relation));
  List* const ancestors = is_partition ? get_partition_ancestors(relid) : NIL;

  Membership membership{};
  membership.publish_as = relid;
  membership.ancestors = ancestors;
  int membership_level = 0;
  ListCell* cell;
  foreach (cell, session->publications) {
    Publication* const publication = static_cast<Publication*>(lfirst(cell));
    bool publish = publication->alltables || list_member_oid(direct, publication->oid) ||
                   list_member_oid(by_schema, publication->oid);
    Oid publish_as = relid;
    int level = 0;
    if (ancestors != NIL) {
      int ancestor_level = 0;
      const Oid ancestor = PublishedAncestor(publication, ancestors, &ancestor_level);
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

Bitmapset* PublishedColumns(Session*, Relation published, List* publications) {
  Bitmapset* columns = nullptr;
  const Publication* first = nullptr;
  ListCell* cell;
  foreach (cell, publications) {
    const Publication* const publication = static_cast<const Publication*>(lfirst(cell));
    Bitmapset* const sent = ColumnsOf(published, publication);
    if (first == nullptr) {
      first = publication;
      columns = sent;
    } else if (!bms_equal(columns, sent)) {
      ereport(ERROR,
              (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
               errmsg("publications \"%s\" and \"%s\" send different columns of table \"%s.%s\"", first->name,
                      publication->name, get_namespace_name(RelationGetNamespace(published)),
                      RelationGetRelationName(published)),
               errhint("Use one of them, or give both the same column list before the slot is created.")));
    }
  }
  return columns;
}

}  // namespace arrowcdc::plugin
