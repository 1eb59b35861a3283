// Notice frames.
#include "plugin/notice.h"

#include "format/frame_writer.h"
#include "plugin/batch_writer.h"
#include "plugin/byte_buffer_pg.h"
#include "plugin/text.h"

namespace arrowcdc::plugin {

namespace {

using format::NoticeSection;
using format::NoticeWhat;

void AppendName(Session* session, format::ByteBuffer* names, Oid relid, const char* schema,
                const char* table) {
  const char* const schema_utf8 = NameToUtf8(session, schema == nullptr ? "" : schema);
  const char* const table_utf8 = NameToUtf8(session, table);
  const format::NameEntry entry{relid, static_cast<uint16_t>(strlen(schema_utf8)),
                                static_cast<uint16_t>(strlen(table_utf8))};
  format::AppendValue(names, entry);
  format::Append(names, schema_utf8, entry.schema_name_bytes);
  format::Append(names, table_utf8, entry.table_name_bytes);
}

void AppendRelation(Session* session, format::ByteBuffer* names, Relation relation) {
  AppendName(session, names, RelationGetRelid(relation), get_namespace_name(RelationGetNamespace(relation)),
             RelationGetRelationName(relation));
}

// The relation's name and those of its ancestors, from its parent to the root.
format::ByteBuffer NamesOf(Session* session, Relation relation, List* ancestors) {
  format::ByteBuffer names = NewByteBuffer(session->change_cxt);
  AppendRelation(session, &names, relation);
  ListCell* cell;
  foreach (cell, ancestors) {
    const Relation ancestor = RelationIdGetRelation(lfirst_oid(cell));
    if (!RelationIsValid(ancestor)) continue;
    AppendRelation(session, &names, ancestor);
    RelationClose(ancestor);
  }
  return names;
}

void TellPublications(Session* session) {
  for (int i = 0; i < list_length(session->publications); ++i) {
    PublicationTold* const told = &session->publications_told[i];
    if (!told->changed) continue;
    told->changed = false;
    NoticeSection section{};
    section.commit_lsn = session->transaction.commit_lsn;
    section.what = static_cast<uint8_t>(NoticeWhat::kPublication);
    section.published = OperationsOf(told->actions);
    format::ByteBuffer names = NewByteBuffer(session->change_cxt);
    AppendName(session, &names, told->oid, "",
               static_cast<const Publication*>(list_nth(session->publications, i))->name);
    SendNotice(session, section, names);
  }
}

}  // namespace

uint8_t OperationsOf(const PublicationActions& actions) {
  return static_cast<uint8_t>((actions.pubinsert ? format::kOperationInsert : 0) |
                              (actions.pubupdate ? format::kOperationUpdate : 0) |
                              (actions.pubdelete ? format::kOperationDelete : 0) |
                              (actions.pubtruncate ? format::kOperationTruncate : 0));
}

void NotePublications(Session* session) {
  const int count = list_length(session->publications);
  const bool first = session->publications_told == nullptr;
  if (first) {
    session->publications_told = static_cast<PublicationTold*>(MemoryContextAllocZero(
        session->context, sizeof(PublicationTold) * static_cast<size_t>(Max(count, 1))));
  }
  for (int i = 0; i < count; ++i) {
    const auto* const now = static_cast<const Publication*>(list_nth(session->publications, i));
    PublicationTold* const told = &session->publications_told[i];
    const bool same = told->oid == now->oid && told->all_tables == now->alltables &&
                      told->via_root == now->pubviaroot &&
                      OperationsOf(told->actions) == OperationsOf(now->pubactions);
    *told = PublicationTold{now->oid, now->pubactions, now->alltables, now->pubviaroot,
                            told->changed || (!first && !same)};
  }
}

void TellMembership(Session* session, RelationEntry* entry, Relation relation, const Membership& membership) {
  TellPublications(session);
  const uint8_t operations = OperationsOf(membership.actions);
  format::ByteBuffer names = NamesOf(session, relation, membership.ancestors);
  RelationTold* const told = &entry->told;
  const uint64_t names_now = format::Fingerprint(names.data, names.size);
  const Oid as = operations == 0 ? InvalidOid : membership.publish_as;
  const bool first = told->names == 0;
  if (!first && told->names == names_now && told->published_as == as && told->published == operations) return;
  *told = RelationTold{names_now, as, operations, 0};
  // Of a relation that is no partition there is nothing to say before it changes. What is not published is
  // told with the first row.
  if (operations == 0 || (first && membership.ancestors == NIL)) return;
  NoticeSection section{};
  section.commit_lsn = session->transaction.commit_lsn;
  section.relation_oid = RelationGetRelid(relation);
  section.what = static_cast<uint8_t>(NoticeWhat::kMembership);
  section.published = operations;
  section.published_as = as;
  SendNotice(session, section, names);
}

void TellPassedOverSlow(Session* session, RelationEntry* entry, Relation relation, uint8_t operation) {
  entry->told.passed_over |= operation;
  if (!is_publishable_relation(relation)) return;
  const MemoryContext previous = MemoryContextSwitchTo(session->change_cxt);
  const Oid relid = RelationGetRelid(relation);
  NoticeSection section{};
  section.commit_lsn = session->transaction.commit_lsn;
  section.relation_oid = relid;
  section.what = static_cast<uint8_t>(NoticeWhat::kPassedOver);
  section.operation = operation;
  section.published = entry->told.published;
  section.published_as = entry->told.published_as;
  List* const ancestors = relation->rd_rel->relispartition ? get_partition_ancestors(relid) : NIL;
  // Whether rows of it came before decides what the client makes of this: none may be overtaken.
  FlushOpenBatches(session);
  SendNotice(session, section, NamesOf(session, relation, ancestors));
  MemoryContextSwitchTo(previous);
}

}  // namespace arrowcdc::plugin
