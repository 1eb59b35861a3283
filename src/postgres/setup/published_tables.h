// The tables of publications with their columns and keys, as far as a start must know them before any row.
#pragma once

#include <string>
#include <vector>

#include <arrow/result.h>

#include "arrowcdc/source.h"
#include "src/postgres/client/connection.h"

namespace arrowcdc::postgres {

// By schema and name. A partition whose rows go by the name of a published ancestor is left out.
arrow::Result<std::vector<SourceTable>> ReadPublishedTables(Connection& connection,
                                                            const std::vector<std::string>& publications);

}  // namespace arrowcdc::postgres
