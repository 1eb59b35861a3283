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

size_t MeasurePublicationsTold(const Session& session) {
  return sizeof(PublicationTold) * static_cast<size_t>(list_length(session.publications.names));
}

PublicationTold* NewPublicationsTold(const Session& session, MemoryContext context) {
  return static_cast<PublicationTold*>(MemoryContextAllocZero(context, MeasurePublicationsTold(session)));
}

// Those that are not what they were, where they were read again. What they are at first is no news.
void TellPublications(Session* session) {
  Notices* const notices = &session->notices;
  if (notices->publications_reads == session->publications.reads) return;
  const int count = list_length(session->publications.list);
  const bool first = notices->publications == nullptr;
  if (first) {
    const MemoryContext context =
        notices->in_progress != nullptr ? notices->in_progress->context : session->context;
    notices->publications = NewPublicationsTold(*session, context);
  }
  for (int i = 0; i < count; ++i) {
    const auto* const now = static_cast<const Publication*>(list_nth(session->publications.list, i));
    PublicationTold* const told = &notices->publications[i];
    if (!first && !IsSame(*told, *now)) TellPublication(session, *now);
    *told = PublicationTold{now->oid, now->pubactions, now->alltables, now->pubviaroot};
  }
  notices->publications_reads = session->publications.reads;
}

struct KeptTold {
  Oid relid;
  RelationTold told;
};

uint32_t CountKept(const ToldInProgress& told) {
  return static_cast<uint32_t>(told.relations.size / sizeof(KeptTold));
}

KeptTold* GetKept(const ToldInProgress& told, uint32_t index) {
  return reinterpret_cast<KeptTold*>(told.relations.data) + index;
}

RelationEntry* FindEntry(Session* session, Oid relid) {
  return static_cast<RelationEntry*>(hash_search(session->relations.entries, &relid, HASH_FIND, nullptr));
}

void ForgetWithCache(Session* session, ToldInProgress* told) {
  if (told->cache_restarts == session->relations.restarts) return;
  told->cache_restarts = session->relations.restarts;
  told->relations.size = 0;
}

void Exchange(Session* session, ToldInProgress* told, bool in_block) {
  PublicationTold* const publications = told->publications;
  told->publications = session->notices.publications;
  session->notices.publications = publications;
  session->notices.publications_reads = 0;
  ForgetWithCache(session, told);
  for (uint32_t i = 0; i < CountKept(*told); ++i) {
    KeptTold* const kept = GetKept(*told, i);
    RelationEntry* const entry = FindEntry(session, kept->relid);
    if (entry == nullptr) continue;
    const RelationTold other = entry->told;
    entry->told = kept->told;
    entry->told_in_block = in_block;
    kept->told = other;
  }
}

// What the client was told of the relation, to be changed.
RelationTold* GetTold(Session* session, RelationEntry* entry) {
  ToldInProgress* const in_progress = session->notices.in_progress;
  if (in_progress != nullptr && !entry->told_in_block) {
    ForgetWithCache(session, in_progress);
    const KeptTold kept{entry->relid, entry->told};
    Append(in_progress->context, &in_progress->relations, &kept, sizeof(kept));
    entry->told_in_block = true;
  }
  return &entry->told;
}

}  // namespace

void EnterTold(Session* session, ToldInProgress* told) {
  if (!told->begun && session->notices.publications != nullptr) {
    told->publications = NewPublicationsTold(*session, told->context);
    memcpy(told->publications, session->notices.publications, MeasurePublicationsTold(*session));
  }
  told->begun = true;
  Exchange(session, told, true);
  session->notices.in_progress = told;
}

void LeaveTold(Session* session) {
  Exchange(session, session->notices.in_progress, false);
  session->notices.in_progress = nullptr;
}

void KeepTold(Session* session, const ToldInProgress& told) {
  Notices* const notices = &session->notices;
  if (told.publications != nullptr) {
    if (notices->publications == nullptr)
      notices->publications = NewPublicationsTold(*session, session->context);
    memcpy(notices->publications, told.publications, MeasurePublicationsTold(*session));
    notices->publications_reads = 0;
  }
  if (told.cache_restarts != session->relations.restarts) return;
  for (uint32_t i = 0; i < CountKept(told); ++i) {
    RelationEntry* const entry = FindEntry(session, GetKept(told, i)->relid);
    if (entry != nullptr) entry->told = GetKept(told, i)->told;
  }
}

void TellMembership(Session* session, RelationEntry* entry, Relation relation, const Membership& membership) {
  TellPublications(session);
  const uint8_t operations = GetOperations(membership.actions);
  format::ByteBuffer names =
      ListNames(&session->values.text, session->change_cxt, relation, membership.ancestors);
  const RelationTold& told = entry->told;
  const uint64_t names_now = format::Fingerprint(names.data, names.size);
  const Oid as = operations == 0 ? InvalidOid : membership.publish_as;
  const bool first = told.names == 0;
  if (!first && told.names == names_now && told.published_as == as && told.published == operations) return;
  const RelationTold now{names_now, as, operations, 0};
  // Of a relation that is no partition there is nothing to say before it changes. What is not published is
  // told with the first row.
  if (operations == 0 || (first && membership.ancestors == NIL)) {
    *GetTold(session, entry) = now;
    return;
  }
  NoticeSection section{};
  section.commit_lsn = session->transaction.commit_lsn;
  section.relation_oid = RelationGetRelid(relation);
  section.what = static_cast<uint8_t>(NoticeWhat::kMembership);
  section.published = operations;
  section.published_as = as;
  SendNotice(&session->frames, section, names);
  *GetTold(session, entry) = now;
}

void TellPassedOverSlow(Session* session, RelationEntry* entry, Relation relation, uint8_t operation) {
  if (!is_publishable_relation(relation)) {
    GetTold(session, entry)->passed_over |= operation;
    return;
  }
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
  GetTold(session, entry)->passed_over |= operation;
  MemoryContextSwitchTo(previous);
}

}  // namespace arrowcdc::plugin
