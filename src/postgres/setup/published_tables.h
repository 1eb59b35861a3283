// The tables of publications with their columns and keys, as far as a start must know them before any row.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <arrow/result.h>

#include "arrowcdc/source.h"
#include "src/postgres/client/connection.h"

namespace arrowcdc::postgres {

// Joins as i the index of the replica identity of c, by the rules of RelationGetIndexList.
inline constexpr char kIdentityIndex[] =
    "LEFT JOIN pg_index AS i ON i.indrelid = c.oid AND i.indisvalid AND i.indimmediate AND "
    "((c.relreplident = 'd' AND i.indisprimary AND NOT i.indisexclusion) OR (c.relreplident = 'i' AND "
    "i.indisreplident)) ";

// By schema and name. A partition whose rows go by the name of a published ancestor is left out.
arrow::Result<std::vector<SourceTable>> ReadPublishedTables(Connection& connection,
                                                            const std::vector<std::string>& publications);

// Types of the columns that are published, each once, with their modifiers.
arrow::Result<std::vector<std::pair<uint32_t, int32_t>>> ReadPublishedTypes(
    Connection& connection, const std::vector<std::string>& publications);

// Of tables whose updates or deletes are published, those with a stored generated column in the key.
arrow::Result<std::vector<TableName>> ReadGeneratedKeys(Connection& connection,
                                                        const std::vector<std::string>& publications);

}  // namespace arrowcdc::postgres
