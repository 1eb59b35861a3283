// The type table: which Arrow column a PostgreSQL type becomes, and which function fills it.
#pragma once

#include "plugin/session.h"

namespace arrowcdc::plugin {

// Fills in what *column is (type, appender, children), empty. Domains are resolved to their base type with
// their modifier; the types looked at are watched for changes. Memory comes from `context`. Never fails: what
// has no place in the table becomes utf8 by its output function.
void PlanColumn(Session* session, Oid type, int32 typmod, MemoryContext context, Column* column);

}  // namespace arrowcdc::plugin
