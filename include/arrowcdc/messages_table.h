// Logical messages: what pg_logical_emit_message writes, as rows of a table of their own.
#pragma once

#include <memory>

#include "arrowcdc/change_batch.h"

namespace arrowcdc {

// pg_catalog._arrowcdc_messages: no table of a user has this name. Its columns: prefix (utf8), content
// (binary), transactional (bool). _op is insert, and there is no replica identity. Readers of it come with
// the first message, or from the start where ReaderSetOptions::tables has its name. Patterns are no matter:
// it comes where PostgresOptions::messages asks for it.
const std::shared_ptr<const TableSchema>& MessagesTable();

}  // namespace arrowcdc
