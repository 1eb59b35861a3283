// Catalog queries. All names in them resolve in pg_catalog: the connection has an empty search path.
#include "src/postgres/catalog.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include "arrowcdc/error.h"

namespace arrowcdc::postgres {
namespace {

// The identity rules are those of RelationGetIndexList: valid and immediate, and no temporal key (an
// exclusion constraint).
constexpr char kTableQuery[] =
    "SELECT c.oid, n.nspname, c.relname, c.relkind, c.relpersistence, c.relispartition, c.relreplident, "
    "pg_has_role(c.relowner, 'USAGE'), "
    "EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = c.oid AND i.indisprimary AND i.indisvalid AND "
    "i.indimmediate AND NOT i.indisexclusion), "
    "EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = c.oid AND i.indisprimary AND NOT i.indimmediate), "
    "EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = c.oid AND i.indisreplident AND i.indisvalid AND "
    "i.indimmediate), h.inhparent "
    "FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace "
    "LEFT JOIN pg_inherits AS h ON h.inhrelid = c.oid AND c.relispartition "
    "WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema', "
    "'pg_toast') "
    "AND n.nspname NOT LIKE 'pg\\_toast\\_temp\\_%' ORDER BY n.nspname, c.relname";

constexpr char kServerQuery[] =
    "SELECT current_setting('server_version'), current_database(), pg_is_in_recovery(), "
    "current_setting('wal_level'), "
    "current_setting('max_replication_slots'), (SELECT count(*) FROM pg_replication_slots), "
    "current_setting('max_wal_senders'), "
    "(SELECT count(*) FROM pg_stat_get_wal_senders()), r.rolname, r.rolsuper, r.rolreplication, "
    "has_database_privilege(current_database(), 'CREATE') FROM pg_roles AS r WHERE r.rolname = current_user";

char CharAt(const QueryResult& rows, int row, int column) {
  const std::string text = rows.Text(row, column);
  return text.empty() ? '\0' : text[0];
}

arrow::Result<std::optional<std::vector<std::string>>> ReadAllowedPlugins(Connection& connection) {
  const auto rows = connection.Query("SELECT current_setting('output_plugin_libraries', true)");
  if (!rows.ok()) {
    const ErrorDetail* detail = GetErrorDetail(rows.status());
    // Only superusers and pg_read_all_settings may look.
    if (detail != nullptr && detail->sqlstate() == "42501") return std::nullopt;
    return rows.status();
  }
  if (rows->IsNull(0, 0)) return std::nullopt;
  return ParseListSetting(rows->Text(0, 0));
}

}  // namespace

std::string CaptureObstacle(const TableInfo& table) {
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

TableCatalog::TableCatalog(std::vector<TableInfo> tables) : tables_(std::move(tables)) {
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
      const std::string problem = leaf->kind == 'f' ? "" : IdentityProblem(*leaf);
      if (!problem.empty()) return "its partition " + ToString(leaf->name) + ": " + problem;
    }
    return "";
  }
  switch (table.replica_identity) {
    case 'f':
      return "";
    case 'n':
      return "its replica identity is NOTHING";
    case 'i':
      return table.identity_index ? "" : "the index of its replica identity was dropped";
    default:
      if (table.primary_key) return "";
      return table.deferrable_key ? "its primary key is deferrable" : "it has no primary key";
  }
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

arrow::Result<TableCatalog> ReadTables(Connection& connection) {
  ARROW_ASSIGN_OR_RAISE(const QueryResult rows, connection.Query(kTableQuery));
  std::vector<TableInfo> tables;
  tables.reserve(static_cast<size_t>(rows.rows()));
  for (int row = 0; row < rows.rows(); ++row) {
    TableInfo& table = tables.emplace_back();
    ARROW_ASSIGN_OR_RAISE(const int64_t oid, rows.Int(row, 0));
    table.oid = static_cast<uint32_t>(oid);
    table.name = {rows.Text(row, 1), rows.Text(row, 2)};
    table.kind = CharAt(rows, row, 3);
    table.persistence = CharAt(rows, row, 4);
    table.is_partition = rows.Bool(row, 5);
    table.replica_identity = CharAt(rows, row, 6);
    table.owned = rows.Bool(row, 7);
    table.primary_key = rows.Bool(row, 8);
    table.deferrable_key = rows.Bool(row, 9);
    table.identity_index = rows.Bool(row, 10);
    if (!rows.IsNull(row, 11)) {
      ARROW_ASSIGN_OR_RAISE(const int64_t parent, rows.Int(row, 11));
      table.parent = static_cast<uint32_t>(parent);
    }
  }
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
  server.role.replication = rows.Bool(0, 10);
  server.role.create_in_database = rows.Bool(0, 11);
  ARROW_ASSIGN_OR_RAISE(server.allowed_plugins, ReadAllowedPlugins(connection));
  return server;
}

std::vector<std::string> ParseListSetting(const std::string& text) {
  std::vector<std::string> names;
  std::string name;
  bool quoted = false;
  const auto finish = [&] {
    while (!name.empty() && std::isspace(static_cast<unsigned char>(name.back()))) name.pop_back();
    if (!name.empty()) names.push_back(name);
    name.clear();
  };
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"' && quoted && i + 1 < text.size() && text[i + 1] == '"') {
      name += text[++i];
    } else if (c == '"') {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      finish();
    } else if (quoted || !name.empty() || !std::isspace(static_cast<unsigned char>(c))) {
      name += c;
    }
  }
  finish();
  return names;
}

}  // namespace arrowcdc::postgres
