// Publications: which ones a stream uses, and the note that setup leaves on those it made.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "arrowcdc/change_batch.h"
#include "arrowcdc/source.h"
#include "src/postgres/connection.h"

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
  std::set<TableName> tables;           // listed one by one
  std::vector<TableName> row_filtered;  // of these, those with a WHERE
};

// What setup writes into COMMENT ON PUBLICATION. Teardown drops only publications that carry it.
inline constexpr char kMadeBySetup[] = "made by arrowcdc setup";
bool IsMadeBySetup(const PublicationInfo& publication);
// SQL that notes where a new slot begins, so that a later start can tell whether the slot has been used. Run
// by a role that does not own the publication it does nothing: the slot is usable all the same.
arrow::Result<std::string> NoteSlotStartSql(const std::string& publication, const std::string& slot);
// The LSN so noted; nullopt where there is no note on this slot.
std::optional<uint64_t> NotedSlotStart(const PublicationInfo& publication, const std::string& slot);

// The name, and the name of the publication for tables without a usable replica identity.
std::string PublicationName(const SourceOptions& options);
std::string InsertOnlyPublicationName(const SourceOptions& options);

// Those of `names` that exist, in that order.
arrow::Result<std::vector<PublicationInfo>> ReadPublications(Connection& connection,
                                                             const std::vector<std::string>& names);
// Errors: kUnsupported where one has a WHERE on a table; by table.
arrow::Status CheckRowFilters(const std::vector<PublicationInfo>& publications);
// The publications to stream: all that are named; without names the default ones that exist.
// Errors: kPublicationMissing, kUnsupported for row filters, by table.
arrow::Result<std::vector<PublicationInfo>> ReadStreamPublications(Connection& connection,
                                                                   const SourceOptions& options);

}  // namespace arrowcdc::postgres
