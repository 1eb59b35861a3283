// What a publication keeps back, table by table. Everything that setup, tables, stream and readers say of it
// comes from here. Pure.
#pragma once

#include <string>
#include <vector>

#include "src/postgres/setup/catalog.h"
#include "src/postgres/setup/publication.h"

namespace arrowcdc::postgres {

// What of a table's changes does not come, or comes otherwise than one would think: column lists, generated
// columns, partitions. `publications`: those that publish it or will.
std::vector<std::string> TableLimits(const TableCatalog& catalog, const TableInfo& table,
                                     const std::vector<PublicationInfo>& publications, bool via_root);

// The same as one text, with the operations that none of the publications that publish it publishes; empty:
// everything comes.
std::string LimitsText(const TableCatalog& catalog, const TableInfo& table,
                       const std::vector<PublicationInfo>& publications);

}  // namespace arrowcdc::postgres
