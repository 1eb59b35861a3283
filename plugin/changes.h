// Decoded changes to rows in open batches, and messages to frames. The one place between a lookup and the
// client: what a relation's entry, a batch that is to be opened, or one that has become full asks for is sent
// from here.
#pragma once

#include "plugin/session.h"

namespace arrowcdc::plugin {

// An INSERT, UPDATE or DELETE.
void WriteChange(Session* session, Relation relation, const ReorderBufferChange* change);

// A TRUNCATE of `count` relations.
void WriteTruncate(Session* session, Relation* relations, int count, const ReorderBufferChange* change);

// A logical message, where the client wants them. One that is not transactional may come outside of any
// transaction.
void WriteMessage(Session* session, const Message& message);

}  // namespace arrowcdc::plugin
