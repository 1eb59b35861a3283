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

// A query of what the publications send of tables, oid and attnum: what pg_publication_tables names, without
// generated columns before 18 (there it names those that are sent), and the stored ones of the key where it
// has no column list. names: quoted.
std::string PublishedColumns(const std::string& names);

// By schema and name. A partition whose rows go by the name of a published ancestor is left out.
arrow::Result<std::vector<SourceTable>> ReadPublishedTables(Connection& connection,
                                                            const std::vector<std::string>& publications);

// Types of the columns that are published, each once, with their modifiers.
arrow::Result<std::vector<std::pair<uint32_t, int32_t>>> ReadPublishedTypes(
    Connection& connection, const std::vector<std::string>& publications);

// Of tables whose updates or deletes are published, those with a stored generated column in the key.
arrow::Result<std::vector<TableName>> ReadGeneratedKeys(Connection& connection,
                                                        const std::vector<std::string>& publications);

// From this version on pgoutput sends stored generated columns, where a publication says so.
inline constexpr int kPublishesGenerated = 180000;
// The error before that: kUnsupported.
arrow::Status RefuseGeneratedKeys(const std::vector<TableName>& tables);

}  // namespace arrowcdc::postgres
