// Publications: which ones a stream uses, and what they publish.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "arrowcdc/change_batch.h"
#include "arrowcdc/postgres.h"
#include "src/postgres/client/connection.h"

namespace arrowcdc::postgres {

struct PublicationInfo {
  std::string name;
  std::string owner;
  bool owned = true;  // the role may do what the owner may
  bool all_tables = false;
  bool insert = true;
  bool update = true;
  bool remove = true;
  bool truncate = true;
  bool via_root = false;
  std::set<std::string> schemas;  // FOR TABLES IN SCHEMA
  std::string comment;
  std::set<TableName> tables;                     // listed one by one
  std::vector<TableName> row_filtered;            // of these, those with a WHERE
  std::map<TableName, std::string> column_lists;  // of these, those with a column list: its columns
  bool generated_columns = false;                 // publishes stored generated columns (18 and later)
};

// Setup made it, by the first words of its comment.
bool IsMadeBySetup(const PublicationInfo& publication);

// The name, and the name of the publication for tables without a usable replica identity.
std::string PublicationName(const PostgresOptions& options);
std::string InsertOnlyPublicationName(const PostgresOptions& options);

// Those of `names` that exist, in that order.
arrow::Result<std::vector<PublicationInfo>> ReadPublications(Connection& connection,
                                                             const std::vector<std::string>& names);
// The error kPublicationMissing, which names those that there are; or the connection's.
arrow::Status PublicationMissing(Connection& connection, const std::string& name);
// The publications to stream: all that are named; without names the default ones that exist.
// Errors: kPublicationMissing.
arrow::Result<std::vector<PublicationInfo>> ReadStreamPublications(Connection& connection,
                                                                   const PostgresOptions& options);

}  // namespace arrowcdc::postgres
