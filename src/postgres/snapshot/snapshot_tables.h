// The tables of publications as a snapshot has them: columns, filters, and the relations that hold rows.
#pragma once

#include <string>
#include <vector>

#include <arrow/result.h>

#include "arrowcdc/snapshot.h"
#include "arrowcdc/table_patterns.h"
#include "src/postgres/client/connection.h"
#include "src/postgres/snapshot/snapshot_plan.h"

namespace arrowcdc::postgres {

// Those that match `patterns` (null: all), are `wanted`, and of which changes come, by schema and name. In a
// transaction that has the snapshot. Errors: kPublicationMismatch where publications send different columns;
// kPermission; those of queries.
arrow::Result<std::vector<CopyTable>> ReadCopyTables(Connection& connection,
                                                     const std::vector<std::string>& publications,
                                                     const TablePatterns* patterns,
                                                     const WantedTables& wanted);

}  // namespace arrowcdc::postgres
