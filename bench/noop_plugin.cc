// An output plugin that builds nothing: it counts rows and writes one message per commit. What a walsender
// costs by itself. Message: rows of the session so far, then the commit's time in microseconds since 2000,
// both 8 bytes big-endian.
extern "C" {
#include "postgres.h"

#include "fmgr.h"
#include "libpq/pqformat.h"
#include "replication/logical.h"
#include "replication/output_plugin.h"
#include "replication/reorderbuffer.h"

PG_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_output_plugin_init(OutputPluginCallbacks* callbacks);
}

namespace {

uint64* RowsOf(LogicalDecodingContext* ctx) { return static_cast<uint64*>(ctx->output_plugin_private); }

void Startup(LogicalDecodingContext* ctx, OutputPluginOptions* options, bool /*is_init*/) {
  options->output_type = OUTPUT_PLUGIN_BINARY_OUTPUT;
  ctx->output_plugin_private = MemoryContextAllocZero(ctx->context, sizeof(uint64));
}

void Begin(LogicalDecodingContext*, ReorderBufferTXN*) {}

void Change(LogicalDecodingContext* ctx, ReorderBufferTXN*, Relation, ReorderBufferChange*) {
  ++*RowsOf(ctx);
}

void Commit(LogicalDecodingContext* ctx, ReorderBufferTXN* txn, XLogRecPtr) {
  OutputPluginPrepareWrite(ctx, true);
  pq_sendint64(ctx->out, *RowsOf(ctx));
  pq_sendint64(ctx->out, static_cast<uint64>(txn->xact_time.commit_time));
  OutputPluginWrite(ctx, true);
}

}  // namespace

void _PG_output_plugin_init(OutputPluginCallbacks* callbacks) {
  callbacks->startup_cb = Startup;
  callbacks->begin_cb = Begin;
  callbacks->change_cb = Change;
  callbacks->commit_cb = Commit;
}
