// Notice frames.
#include "plugin/notice.h"

#include "plugin/byte_buffer_pg.h"
#include "plugin/flush.h"

namespace arrowcdc::plugin {

namespace {

using format::NoticeSection;
using format::NoticeWhat;

void AppendName(TextConversion* text, format::ByteBuffer* names, Oid relid, const char* schema,
                const char* table) {
  const char* const schema_utf8 = ConvertName(text, schema == nullptr ? "" : schema);
  const char* const table_utf8 = ConvertName(text, table);
  const format::NameEntry entry{relid, static_cast<uint16_t>(strlen(schema_utf8)),
                                static_cast<uint16_t>(strlen(table_utf8))};
  format::AppendValue(names, entry);
  format::Append(names, schema_utf8, entry.schema_name_bytes);
  format::Append(names, table_utf8, entry.table_name_bytes);
}

void AppendRelation(TextConversion* text, format::ByteBuffer* names, Relation relation) {
  AppendName(text, names, RelationGetRelid(relation), get_namespace_name(RelationGetNamespace(relation)),
             RelationGetRelationName(relation));
}

// The relation's name and those of its ancestors, from its parent to the root.
format::ByteBuffer ListNames(TextConversion* text, MemoryContext context, Relation relation,
                             List* ancestors) {
  format::ByteBuffer names = NewByteBuffer(context);
  AppendRelation(text, &names, relation);
  ListCell* cell;
  foreach (cell, ancestors) {
    const Relation ancestor = RelationIdGetRelation(lfirst_oid(cell));
    if (!RelationIsValid(ancestor)) continue;
    AppendRelation(text, &names, ancestor);
    RelationClose(ancestor);
  }
  return names;
}

bool IsSame(const PublicationTold& told, const Publication& now) {
  return told.oid == now.oid && told.all_tables == now.alltables && told.via_root == now.pubviaroot &&
         GetOperations(told.actions) == GetOperations(now.pubactions);
}

void TellPublication(Session* session, const Publication& publication) {
  NoticeSection section{};
  section.commit_lsn = session->transaction.commit_lsn;
  section.what = static_cast<uint8_t>(NoticeWhat::kPublication);
  section.published = GetOperations(publication.pubactions);
  format::ByteBuffer names = NewByteBuffer(session->change_cxt);
  AppendName(&session->values.text, &names, publication.oid, "", publication.name);
  SendNotice(&session->frames, section, names);
}

// Those that are not what they were, where they were read again. What they are at first is no news.
void TellPublications(Session* session) {
  Notices* const notices = &session->notices;
  if (notices->publications_reads == session->publications.reads) return;
  notices->publications_reads = session->publications.reads;
  const int count = list_length(session->publications.list);
  const bool first = notices->publications == nullptr;
  if (first) {
    notices->publications = static_cast<PublicationTold*>(MemoryContextAllocZero(
        session->context, sizeof(PublicationTold) * static_cast<size_t>(Max(count, 1))));
  }
  for (int i = 0; i < count; ++i) {
    const auto* const now = static_cast<const Publication*>(list_nth(session->publications.list, i));
    PublicationTold* const told = &notices->publications[i];
    const bool same = IsSame(*told, *now);
    *told = PublicationTold{now->oid, now->pubactions, now->alltables, now->pubviaroot};
    if (!first && !same) TellPublication(session, *now);
  }
}

}  // namespace

void TellMembership(Session* session, RelationEntry* entry, Relation relation, const Membership& membership) {
  TellPublications(session);
  const uint8_t operations = GetOperations(membership.actions);
  format::ByteBuffer names =
      ListNames(&session->values.text, session->change_cxt, relation, membership.ancestors);
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
  SendNotice(&session->frames, section, names);
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
  SendNotice(&session->frames, section,
             ListNames(&session->values.text, session->change_cxt, relation, ancestors));
  MemoryContextSwitchTo(previous);
}

}  // namespace arrowcdc::plugin
