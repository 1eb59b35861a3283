// Catalog queries. All names in them resolve in pg_catalog: the connection has an empty search path.
#include "src/postgres/setup/catalog.h"

#include <algorithm>
#include <utility>

#include "arrowcdc/error.h"
#include "src/change/table_schema.h"
#include "src/change/utf8_text.h"
#include "src/postgres/client/quoting.h"
#include "src/postgres/setup/slot.h"

namespace arrowcdc::postgres {
namespace {

constexpr char kNameColumns[] =
    "SELECT c.oid, n.nspname, c.relname, c.relkind, c.relpersistence, c.relispartition, h.inhparent";

// The identity rules are those of RelationGetIndexList: valid and immediate, and no temporal key (an
// exclusion constraint).
constexpr char kIdentityColumns[] =
    ", c.relreplident, pg_has_role(c.relowner, 'USAGE'), "
    "EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = c.oid AND i.indisprimary AND i.indisvalid AND "
    "i.indimmediate AND NOT i.indisexclusion), "
    "EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = c.oid AND i.indisprimary AND NOT i.indimmediate), "
    "EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = c.oid AND i.indisreplident AND i.indisvalid AND "
    "i.indimmediate), has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE')";

constexpr char kTableSource[] =
    " FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace "
    "LEFT JOIN pg_inherits AS h ON h.inhrelid = c.oid AND c.relispartition "
    "WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema', "
    "'pg_toast') "
    "AND n.nspname NOT LIKE 'pg\\_toast\\_temp\\_%' ORDER BY n.nspname, c.relname";

// Generated columns, and those of the identities of partitions and their parents.
constexpr char kColumnQuery[] =
    "SELECT x.attrelid, x.attname, x.in_identity, x.attgenerated <> '' FROM ("
    "SELECT a.attrelid, a.attname, a.attgenerated, c.relispartition OR c.relkind = 'p' AS of_partition, "
    "coalesce(a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1]), false) AS in_identity "
    "FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid "
    "LEFT JOIN pg_index AS i ON i.indrelid = c.oid AND i.indisvalid AND i.indimmediate AND "
    "((c.relreplident = 'd' AND i.indisprimary AND NOT i.indisexclusion) OR (c.relreplident = 'i' AND "
    "i.indisreplident)) "
    "WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p') AND c.oid >= 16384) AS x "
    "WHERE x.attgenerated <> '' OR (x.of_partition AND x.in_identity) ORDER BY x.attrelid, x.attname";

constexpr char kServerQuery[] =
    "SELECT current_setting('server_version'), current_database(), pg_is_in_recovery(), "
    "current_setting('wal_level'), "
    "current_setting('max_replication_slots'), (SELECT count(*) FROM pg_replication_slots), "
    "current_setting('max_wal_senders'), "
    "(SELECT count(*) FROM pg_stat_get_wal_senders()), r.rolname, r.rolsuper, "
    "has_database_privilege(current_database(), 'CREATE'), s.system_identifier FROM pg_roles AS r, "
    "pg_control_system() AS s WHERE r.rolname = current_user";

// pg_settings has no row where the server lacks the setting or the role may not see it: to ask for its value
// would be an error in the server's log. What ALTER ROLE and ALTER DATABASE have set everybody may see; the
// first row is in force.
constexpr char kPermissionQuery[] =
    "SELECT 0 AS place, setting, false AS in_database FROM pg_settings WHERE name = "
    "'output_plugin_libraries' "
    "UNION ALL SELECT CASE WHEN d.setrole <> 0 THEN 1 ELSE 3 END + CASE WHEN d.setdatabase <> 0 THEN 0 ELSE "
    "1 "
    "END, substr(o.setting, length('output_plugin_libraries=') + 1), d.setrole <> 0 AND d.setdatabase <> 0 "
    "FROM pg_db_role_setting AS d CROSS JOIN LATERAL unnest(d.setconfig) AS o(setting) "
    "WHERE o.setting LIKE 'output\\_plugin\\_libraries=%' "
    "AND d.setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = current_user)) "
    "AND d.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database())) ORDER BY 1";

char CharAt(const QueryResult& rows, int row, int column) {
  const std::string text = rows.Text(row, column);
  return text.empty() ? '\0' : text[0];
}

// Of the columns kNameColumns.
arrow::Result<TableInfo> NamesAt(const QueryResult& rows, int row) {
  TableInfo table;
  ARROW_ASSIGN_OR_RAISE(const int64_t oid, rows.Int(row, 0));
  table.oid = static_cast<uint32_t>(oid);
  table.name = {rows.Text(row, 1), rows.Text(row, 2)};
  table.kind = CharAt(rows, row, 3);
  table.persistence = CharAt(rows, row, 4);
  table.is_partition = rows.Bool(row, 5);
  if (!rows.IsNull(row, 6)) {
    ARROW_ASSIGN_OR_RAISE(const int64_t parent, rows.Int(row, 6));
    table.parent = static_cast<uint32_t>(parent);
  }
  return table;
}

arrow::Result<PluginPermission> ReadPluginPermission(Connection& connection) {
  ARROW_ASSIGN_OR_RAISE(const QueryResult rows, connection.Query(kPermissionQuery));
  PluginPermission permission;
  if (rows.rows() > 0) permission.allowed = ParseListSetting(rows.Text(0, 1));
  for (int row = 0; row < rows.rows(); ++row) permission.in_database |= rows.Bool(row, 2);
  return permission;
}

arrow::Result<Provider> ReadProvider(Connection& connection) {
  ARROW_ASSIGN_OR_RAISE(const std::string settings, QuoteLiterals(ProviderSettings()));
  ARROW_ASSIGN_OR_RAISE(const std::string roles, QuoteLiterals(ProviderRoles()));
  ARROW_ASSIGN_OR_RAISE(
      const QueryResult signs,
      connection.Query("SELECT 's', name FROM pg_settings WHERE name LIKE '%.%' "
                       "UNION ALL SELECT 's', name FROM unnest(ARRAY[" +
                       settings +
                       "]::text[]) AS name WHERE current_setting(name, true) IS NOT NULL "
                       "UNION ALL SELECT 'r', rolname FROM pg_roles WHERE rolname IN (" +
                       roles +
                       ") UNION ALL SELECT 'a', proname FROM pg_proc WHERE proname = 'aurora_version'"));
  std::set<std::string> found_settings;
  std::set<std::string> found_roles;
  bool aurora = false;
  for (int row = 0; row < signs.rows(); ++row) {
    const std::string kind = signs.Text(row, 0);
    if (kind == "a") aurora = true;
    if (kind != "a") (kind == "s" ? found_settings : found_roles).insert(signs.Text(row, 1));
  }
  return FindProvider(found_settings, found_roles, aurora);
}

// Into the tables, which `places` finds by oid.
arrow::Status ReadColumns(Connection& connection, const std::unordered_map<uint32_t, size_t>& places,
                          std::vector<TableInfo>* tables) {
  ARROW_ASSIGN_OR_RAISE(const QueryResult rows, connection.Query(kColumnQuery));
  for (int row = 0; row < rows.rows(); ++row) {
    ARROW_ASSIGN_OR_RAISE(const int64_t oid, rows.Int(row, 0));
    const auto found = places.find(static_cast<uint32_t>(oid));
    if (found == places.end()) continue;
    TableInfo& table = (*tables)[found->second];
    const bool in_identity = rows.Bool(row, 2);
    if (in_identity && (table.is_partition || table.kind == 'p'))
      table.identity_columns.insert(rows.Text(row, 1));
    if (!rows.Bool(row, 3)) continue;
    if (in_identity) {
      table.generated_key = true;
    } else {
      table.generated.push_back(rows.Text(row, 1));
    }
  }
  return arrow::Status::OK();
}

}  // namespace

std::string NamesOf(const std::vector<const TableInfo*>& tables, size_t names_max) {
  std::string names;
  for (size_t i = 0; i < std::min(tables.size(), names_max); ++i)
    names += (i == 0 ? "" : ", ") + ToString(tables[i]->name);
  if (tables.size() > names_max) names += " and " + std::to_string(tables.size() - names_max) + " more";
  return names;
}

arrow::Result<ReplicaIdentity> IdentityAt(const QueryResult& rows, int row, int column) {
  const std::string letter = rows.Text(row, column);
  const auto identity = ParseReplicaIdentity(letter);
  if (identity.has_value()) return *identity;
  return MakeError(ErrorKind::kInternal, "a table has the replica identity '" + letter + "'", "server",
                   "this arrowcdc does not know it: please report it");
}

std::string RowsObstacle(const TableInfo& table) {
  switch (table.kind) {
    case 'v':
      return "a view";
    case 'm':
      return "a materialized view";
    case 'f':
      return "a foreign table";
    default:
      break;
  }
  if (table.persistence == 'u') return "an unlogged table";
  if (table.persistence == 't') return "a temporary table";
  return "";
}

bool HasUtf8Name(const TableInfo& table) { return IsUtf8(table.name.schema) && IsUtf8(table.name.table); }

std::string CaptureObstacle(const TableInfo& table) {
  if (!HasUtf8Name(table)) return "a table whose name is not valid UTF-8";
  return RowsObstacle(table);
}

std::vector<TableName> CapturableNames(const TableCatalog& catalog) {
  std::vector<TableName> names;
  for (const TableInfo& table : catalog.tables()) {
    if (CaptureObstacle(table).empty()) names.push_back(table.name);
  }
  return names;
}

TableCatalog::TableCatalog(std::vector<TableInfo> tables, bool names_only)
    : tables_(std::move(tables)), names_only_(names_only) {
  places_.reserve(tables_.size());
  for (size_t i = 0; i < tables_.size(); ++i) {
    places_[tables_[i].oid] = i;
    if (tables_[i].parent != 0) partitions_[tables_[i].parent].push_back(i);
  }
}

const TableInfo* TableCatalog::Find(uint32_t oid) const {
  const auto found = places_.find(oid);
  return found == places_.end() ? nullptr : &tables_[found->second];
}

std::vector<const TableInfo*> TableCatalog::Ancestors(const TableInfo& table) const {
  std::vector<const TableInfo*> ancestors;
  const TableInfo* parent = Find(table.parent);
  // The catalog is read without a lock: a circle cannot be, and would not end.
  while (parent != nullptr && ancestors.size() < tables_.size()) {
    ancestors.push_back(parent);
    parent = Find(parent->parent);
  }
  return ancestors;
}

std::vector<const TableInfo*> TableCatalog::Leaves(const TableInfo& table) const {
  if (table.kind != 'p') return {&table};
  std::vector<const TableInfo*> leaves;
  std::vector<const TableInfo*> partitioned = {&table};
  for (size_t i = 0; i < partitioned.size() && i < tables_.size(); ++i) {
    const auto found = partitions_.find(partitioned[i]->oid);
    if (found == partitions_.end()) continue;
    for (const size_t place : found->second) {
      const TableInfo& partition = tables_[place];
      (partition.kind == 'p' ? partitioned : leaves).push_back(&partition);
    }
  }
  return leaves;
}

std::string TableCatalog::IdentityProblem(const TableInfo& table) const {
  if (table.kind == 'p') {
    // The server looks at the partition that holds the row.
    for (const TableInfo* leaf : Leaves(table)) {
      // What is not captured is not asked for an identity.
      const std::string problem = RowsObstacle(*leaf).empty() ? IdentityProblem(*leaf) : "";
      if (!problem.empty()) return "its partition " + ToString(leaf->name) + ": " + problem;
    }
    return "";
  }
  switch (table.replica_identity) {
    case ReplicaIdentity::kFull:
      return "";
    case ReplicaIdentity::kNothing:
      return "its replica identity is NOTHING";
    case ReplicaIdentity::kIndex:
      return table.identity_index ? "" : "the index of its replica identity was dropped";
    case ReplicaIdentity::kDefault:
      break;
  }
  if (table.primary_key) return "";
  return table.deferrable_key ? "its primary key is deferrable" : "it has no primary key";
}

std::vector<const TableInfo*> TableCatalog::WeakerLeaves(const TableInfo& table) const {
  std::vector<const TableInfo*> weaker;
  if (table.kind != 'p' || table.replica_identity == ReplicaIdentity::kNothing) return weaker;
  for (const TableInfo* leaf : Leaves(table)) {
    if (!RowsObstacle(*leaf).empty() || leaf->replica_identity == ReplicaIdentity::kFull) continue;
    const auto& has = leaf->identity_columns;
    const auto& wanted = table.identity_columns;
    if (table.replica_identity == ReplicaIdentity::kFull ||
        !std::includes(has.begin(), has.end(), wanted.begin(), wanted.end()))
      weaker.push_back(leaf);
  }
  return weaker;
}

std::vector<const TableInfo*> TableCatalog::SilentLeaves(const TableInfo& table) const {
  std::vector<const TableInfo*> silent;
  if (table.kind != 'p') return silent;
  for (const TableInfo* leaf : Leaves(table)) {
    if (!RowsObstacle(*leaf).empty()) silent.push_back(leaf);
  }
  return silent;
}

bool TableCatalog::IsPublished(const TableInfo& table, const PublicationInfo& publication) const {
  const auto listed = [&publication](const TableInfo& one) {
    return publication.tables.contains(one.name) || publication.schemas.contains(one.name.schema);
  };
  if (!CaptureObstacle(table).empty()) return false;
  if (publication.all_tables || listed(table)) return true;
  const auto ancestors = Ancestors(table);
  return std::any_of(ancestors.begin(), ancestors.end(),
                     [&](const TableInfo* ancestor) { return listed(*ancestor); });
}

arrow::Result<TableCatalog> ReadTableNames(Connection& connection) {
  ARROW_ASSIGN_OR_RAISE(const QueryResult rows, connection.Query(std::string(kNameColumns) + kTableSource));
  std::vector<TableInfo> tables;
  tables.reserve(static_cast<size_t>(rows.rows()));
  for (int row = 0; row < rows.rows(); ++row) {
    ARROW_ASSIGN_OR_RAISE(TableInfo table, NamesAt(rows, row));
    tables.push_back(std::move(table));
  }
  return TableCatalog(std::move(tables), true);
}

arrow::Result<TableCatalog> ReadTables(Connection& connection) {
  ARROW_ASSIGN_OR_RAISE(const QueryResult rows,
                        connection.Query(std::string(kNameColumns) + kIdentityColumns + kTableSource));
  std::vector<TableInfo> tables;
  tables.reserve(static_cast<size_t>(rows.rows()));
  for (int row = 0; row < rows.rows(); ++row) {
    ARROW_ASSIGN_OR_RAISE(TableInfo table, NamesAt(rows, row));
    ARROW_ASSIGN_OR_RAISE(table.replica_identity, IdentityAt(rows, row, 7));
    table.owned = rows.Bool(row, 8);
    table.primary_key = rows.Bool(row, 9);
    table.deferrable_key = rows.Bool(row, 10);
    table.identity_index = rows.Bool(row, 11);
    table.readable = rows.Bool(row, 12);
    tables.push_back(std::move(table));
  }
  std::unordered_map<uint32_t, size_t> places;
  for (size_t i = 0; i < tables.size(); ++i) places[tables[i].oid] = i;
  ARROW_RETURN_NOT_OK(ReadColumns(connection, places, &tables));
  return TableCatalog(std::move(tables));
}

arrow::Result<ServerInfo> ReadServer(Connection& connection) {
  ARROW_ASSIGN_OR_RAISE(const QueryResult rows, connection.Query(kServerQuery));
  if (rows.rows() != 1)
    return MakeError(ErrorKind::kInternal, "the server does not describe its own role", "server", "");
  ServerInfo server;
  server.version_num = connection.server_version();
  server.version = rows.Text(0, 0).substr(0, rows.Text(0, 0).find(' '));
  server.database = rows.Text(0, 1);
  server.in_recovery = rows.Bool(0, 2);
  server.wal_level = rows.Text(0, 3);
  ARROW_ASSIGN_OR_RAISE(server.slots_max, rows.Int(0, 4));
  ARROW_ASSIGN_OR_RAISE(server.slots_used, rows.Int(0, 5));
  ARROW_ASSIGN_OR_RAISE(server.senders_max, rows.Int(0, 6));
  ARROW_ASSIGN_OR_RAISE(server.senders_used, rows.Int(0, 7));
  server.role.name = rows.Text(0, 8);
  server.role.superuser = rows.Bool(0, 9);
  server.role.create_in_database = rows.Bool(0, 10);
  server.system = rows.Text(0, 11);
  ARROW_ASSIGN_OR_RAISE(server.slots, ReadSlotNames(connection));
  ARROW_ASSIGN_OR_RAISE(server.plugins, ReadPluginPermission(connection));
  ARROW_ASSIGN_OR_RAISE(server.provider, ReadProvider(connection));
  return server;
}

}  // namespace arrowcdc::postgres
