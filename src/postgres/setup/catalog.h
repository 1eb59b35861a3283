// What the server's catalog says about tables, settings and the role: read once, judged elsewhere.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include <arrow/result.h>

#include "arrowcdc/change_batch.h"
#include "src/postgres/client/connection.h"
#include "src/postgres/setup/plugin_permission.h"
#include "src/postgres/setup/provider.h"
#include "src/postgres/setup/publication.h"

namespace arrowcdc::postgres {

struct TableInfo {
  uint32_t oid = 0;
  TableName name;
  char kind = 'r';         // pg_class.relkind: r table, p partitioned, v view, m materialized view, f foreign
  char persistence = 'p';  // p permanent, u unlogged, t temporary
  bool is_partition = false;
  uint32_t parent = 0;  // the partitioned table that it is a partition of
  ReplicaIdentity replica_identity = ReplicaIdentity::kDefault;
  bool owned = true;         // the role may do what the owner may
  bool readable = true;      // the role may read its rows
  bool primary_key = false;  // valid and not deferrable
  bool deferrable_key = false;
  bool identity_index = false;  // of REPLICA IDENTITY USING INDEX, still there
  // Columns of the index of its replica identity; filled for partitions and partitioned tables.
  std::set<std::string> identity_columns;
  std::vector<std::string> generated;  // generated columns outside of that index, stored or virtual
  bool generated_key = false;          // a stored one is in that index
};

// For one text: at most names_max names, and how many more there are.
std::string NamesOf(const std::vector<const TableInfo*>& tables, size_t names_max);

// pg_class.relreplident in a column of a query. Errors: kInternal, a letter that no server is known to have.
arrow::Result<ReplicaIdentity> IdentityAt(const QueryResult& rows, int row, int column);

// No pattern matches another one.
bool HasUtf8Name(const TableInfo& table);

// Why no changes of it can come, for people ("a view"); empty: they can.
std::string RowsObstacle(const TableInfo& table);
// The same, and where they cannot come under its own name, which no pattern matches.
std::string CaptureObstacle(const TableInfo& table);

class TableCatalog;
// Of the tables that changes can come of.
std::vector<TableName> CapturableNames(const TableCatalog& catalog);

// Indexed by oid: what is asked of it costs no more than what it answers.
class TableCatalog {
 public:
  TableCatalog() = default;
  // By schema and name. names_only: nothing is known of owners, identities and columns.
  explicit TableCatalog(std::vector<TableInfo> tables, bool names_only = false);

  bool names_only() const { return names_only_; }

  const std::vector<TableInfo>& tables() const { return tables_; }
  // Null: there is none.
  const TableInfo* Find(uint32_t oid) const;
  // From the nearest to the topmost.
  std::vector<const TableInfo*> Ancestors(const TableInfo& table) const;
  // Partitions that hold rows, at any depth; the table itself where it is not partitioned.
  std::vector<const TableInfo*> Leaves(const TableInfo& table) const;
  // Why UPDATE and DELETE of it would be refused once it is published, for people; empty: they would not.
  std::string IdentityProblem(const TableInfo& table) const;
  // Partitions whose changes identify their rows by less than the table itself would: those that differ from
  // it by a replica identity of their own.
  std::vector<const TableInfo*> WeakerLeaves(const TableInfo& table) const;
  // Partitions of which no changes can come: unlogged, foreign and temporary ones.
  std::vector<const TableInfo*> SilentLeaves(const TableInfo& table) const;
  // True when the publication publishes it: by name, by schema, as one of all, or through an ancestor.
  bool IsPublished(const TableInfo& table, const PublicationInfo& publication) const;

 private:
  std::vector<TableInfo> tables_;
  bool names_only_ = false;
  std::unordered_map<uint32_t, size_t> places_;                   // oid -> place in tables_
  std::unordered_map<uint32_t, std::vector<size_t>> partitions_;  // oid of a partitioned table -> places
};

// Tables, views and foreign tables outside the system's schemas.
arrow::Result<TableCatalog> ReadTables(Connection& connection);
// The same without what is known of owners, identities and columns, for a look that is soon over.
arrow::Result<TableCatalog> ReadTableNames(Connection& connection);

struct RoleInfo {
  std::string name;
  bool superuser = false;
  bool create_in_database = false;
  arrow::Status replication{};  // of a replication connection, where one was tried
};

struct ServerInfo {
  int version_num = 0;
  std::string version;  // "15.20"
  std::string database;
  bool in_recovery = false;
  std::string wal_level;
  int64_t slots_max = 0;
  int64_t slots_used = 0;
  int64_t senders_max = 0;
  int64_t senders_used = 0;
  std::string system;           // its identifier
  std::set<std::string> slots;  // as ReadSlotNames has them
  PluginPermission plugins;
  Provider provider = Provider::kNone;
  RoleInfo role;
};

arrow::Result<ServerInfo> ReadServer(Connection& connection);

}  // namespace arrowcdc::postgres
