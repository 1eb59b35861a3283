// Begin and end of a session.
#include "plugin/session.h"

#include "plugin/byte_buffer_pg.h"
#include "plugin/walsender.h"

extern "C" {
#include "replication/slot.h"
}

namespace arrowcdc::plugin {

namespace {

void InitModules(Session* session) {
  const MemoryContext context = session->context;
  const MemoryContext cache = AllocSetContextCreate(context, "wal2arrow cache", ALLOCSET_DEFAULT_SIZES);
  const MemoryContext publications =
      AllocSetContextCreate(context, "wal2arrow publications", ALLOCSET_SMALL_SIZES);
  const ReplicationSlotPersistentData& slot = session->decoding->slot->data;
  session->types = TypeMap{session->options.numeric, session->options.unrepresentable_as_text, -1,
                           &session->marks, &session->values.text};
  InitMarks(&session->marks, context);
  session->publications.names = session->options.publication_names;
  session->publications.slot_name = NameStr(slot.name);
  session->publications.context = publications;
  InitIdentities(&session->weakened, context);
  InitRelationCache(&session->relations, cache);
  InitText(&session->values.text, context);
  session->values.context = context;
  session->values.detoasted = AllocSetContextCreate(context, "wal2arrow detoasted", ALLOCSET_DEFAULT_SIZES);
  session->open.batch_bytes = session->options.batch_bytes;
  InitGroup(&session->group, slot.confirmed_flush);
  session->frames.stream.decoding = session->decoding;
  session->frames.stream.group = &session->group;
  session->frames.options = &session->options;
  session->frames.text = &session->values.text;
  session->frames.compressor = NewCompressor(context, session->options);
  session->frames.section = NewByteBuffer(context);
  session->frames.metadata = NewByteBuffer(context);
}

extern "C" {

// An ERROR led here, perhaps late and when the next session has begun: only this session's own traces are
// removed, and of its memory, which may be gone, nothing is touched.
void OnDecodingContextReset(void* session) {
  DetachFromWalsender(static_cast<Session*>(session));
  DetachMarks(&static_cast<Session*>(session)->marks);
}

}  // extern "C"

}  // namespace

Session* NewSession(LogicalDecodingContext* decoding) {
  const MemoryContext context = AllocSetContextCreate(decoding->context, "wal2arrow", ALLOCSET_DEFAULT_SIZES);
  auto* session = static_cast<Session*>(MemoryContextAllocZero(context, sizeof(Session)));
  session->decoding = decoding;
  session->context = context;
  session->change_cxt = AllocSetContextCreate(context, "wal2arrow change", ALLOCSET_DEFAULT_SIZES);
  const MemoryContext previous = MemoryContextSwitchTo(context);
  session->options = ParseOptions(decoding->output_plugin_options);
  MemoryContextSwitchTo(previous);
  InitModules(session);
  session->settings = ApplySettings();

  auto* callback = static_cast<MemoryContextCallback*>(
      MemoryContextAllocZero(decoding->context, sizeof(MemoryContextCallback)));
  callback->func = OnDecodingContextReset;
  callback->arg = session;
  MemoryContextRegisterResetCallback(decoding->context, callback);
  AttachMarks(&session->marks, &session->relations);
  AttachToWalsender(session);
  return session;
}

void ReleaseSession(Session* session) {
  DetachFromWalsender(session);
  DetachMarks(&session->marks);
  RestoreSettings(&session->settings);
}

}  // namespace arrowcdc::plugin
