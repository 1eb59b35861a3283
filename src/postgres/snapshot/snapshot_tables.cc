// Three queries, whatever the number of tables.
#include "src/postgres/snapshot/snapshot_tables.h"

#include <algorithm>
#include <map>
#include <utility>

#include "arrowcdc/error.h"
#include "src/change/utf8_text.h"
#include "src/postgres/client/quoting.h"
#include "src/postgres/setup/catalog.h"
#include "src/postgres/setup/published_tables.h"

namespace arrowcdc::postgres {
namespace {

// Tables that rows come under the name of. Publications without a filter publish every row of theirs; filters
// of several are ORed. A table is copied whatever operations a publication has, as PostgreSQL's own
// subscriptions do it.
std::string TablesQuery(const std::string& publications) {
  return "WITH published AS MATERIALIZED (SELECT c.oid, bool_and(p.rowfilter IS NOT NULL) AS filtered, "
         "string_agg(DISTINCT '(' || p.rowfilter || ')', ' OR ') AS filter, "
         "bool_or(b.pubinsert) AND bool_or(b.pubupdate) AND bool_or(b.pubdelete) AS whole, "
         "array_agg(b.oid) AS pubs, string_agg(b.oid || '/' || b.xmin, ' ' ORDER BY b.oid) AS versions "
         "FROM pg_publication_tables AS p JOIN pg_publication AS b ON b.pubname = p.pubname "
         "JOIN pg_namespace AS n ON n.nspname = p.schemaname "
         "JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = p.tablename "
         "WHERE p.pubname IN (" +
         publications +
         ") GROUP BY c.oid) SELECT c.oid, n.nspname, c.relname, c.relreplident, "
         "CASE WHEN p.filtered THEN p.filter END, p.whole, concat_ws(' ', c.xmin, p.versions, "
         "(SELECT string_agg(r.oid || '/' || r.xmin, ' ' ORDER BY r.oid) FROM pg_publication_rel AS r WHERE "
         "r.prpubid = ANY (p.pubs) AND r.prrelid = ANY (ARRAY(SELECT x.relid::oid FROM "
         "pg_partition_ancestors(c.oid) AS x) || c.oid)), "
         "(SELECT string_agg(s.oid || '/' || s.xmin, ' ' ORDER BY s.oid) FROM pg_publication_namespace AS s "
         "WHERE s.pnpubid = ANY (p.pubs))) "
         "FROM published AS p JOIN pg_class AS c USING (oid) "
         "JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE NOT EXISTS (SELECT FROM "
         "pg_partition_ancestors(p.oid) AS x JOIN published AS q ON q.oid = x.relid WHERE x.relid <> p.oid) "
         "ORDER BY n.nspname, c.relname";
}

std::string ColumnsQuery(const std::string& publications, const std::string& oids) {
  return "SELECT c.oid, a.attname, a.atttypid, a.atttypmod, a.attnum, "
         "coalesce(array_position((i.indkey::int2[])[0:i.indnkeyatts - 1], a.attnum), 0), "
         "coalesce(i.indnkeyatts, 0), a.attgenerated <> '' FROM (" +
         PublishedColumns(publications) +
         ") AS p JOIN pg_class AS c USING (oid) "
         "JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = p.attnum " +
         kIdentityIndex + "WHERE c.oid IN (" + oids + ") ORDER BY c.oid, a.attnum";
}

// Foreign and unlogged partitions have no changes; what is said of them is said by the check of what is
// published. pg_partition_tree would lock all of them for as long as the snapshot is held.
std::string LeavesQuery(const std::string& oids) {
  return "WITH RECURSIVE tree AS (SELECT oid AS root, oid AS leaf FROM pg_class WHERE oid IN (" + oids +
         ") UNION ALL SELECT t.root, i.inhrelid FROM tree AS t JOIN pg_inherits AS i ON i.inhparent = t.leaf "
         "JOIN pg_class AS p ON p.oid = t.leaf AND p.relkind = 'p') "
         "SELECT t.root, l.oid, n.nspname, l.relname, coalesce(m.amname = 'heap', false), "
         "coalesce(pg_relation_size(l.oid) / current_setting('block_size')::int, 0), "
         "coalesce(pg_table_size(l.oid), 0), "
         // Nobody has counted them yet: by the size, as the planner does where it knows nothing else.
         "CASE WHEN l.reltuples < 0 THEN coalesce(pg_relation_size(l.oid), 0) / (28 + (SELECT "
         "coalesce(sum(CASE WHEN a.attlen > 0 THEN a.attlen ELSE 32 END), 0) FROM pg_attribute AS a "
         "WHERE a.attrelid = l.oid AND a.attnum > 0 AND NOT a.attisdropped)) ELSE l.reltuples::int8 END, "
         "l.relfilenode, "
         // Null of what was dropped since the snapshot: its readers meet that.
         "coalesce(has_table_privilege(l.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE'), true), "
         "row_security_active(l.oid), l.relreplident, l.xmin FROM tree AS t "
         "JOIN pg_class AS l ON l.oid = t.leaf AND l.relkind = 'r' AND l.relpersistence = 'p' "
         "JOIN pg_namespace AS n ON n.oid = l.relnamespace LEFT JOIN pg_am AS m ON m.oid = l.relam "
         "ORDER BY t.root, l.oid";
}

using Places = std::map<int64_t, size_t>;  // oid -> place of the table

arrow::Result<uint32_t> ReadOid(const QueryResult& rows, int row, int column) {
  ARROW_ASSIGN_OR_RAISE(const int64_t number, rows.Int(row, column));
  return static_cast<uint32_t>(number);
}

// Part of a key is no key.
void DropPartialKey(CopyTable* table, int64_t key_columns) {
  const auto in_key = [](const ColumnDescription& column) { return column.key_place > 0; };
  if (std::count_if(table->columns.begin(), table->columns.end(), in_key) == key_columns) return;
  for (ColumnDescription& column : table->columns) column.key_place = 0;
}

arrow::Status ReadColumns(const QueryResult& rows, const Places& places, std::vector<CopyTable>* tables) {
  for (int row = 0; row < rows.rows(); ++row) {
    ARROW_ASSIGN_OR_RAISE(const uint32_t oid, ReadOid(rows, row, 0));
    CopyTable& table = (*tables)[places.at(oid)];
    ColumnDescription& column = table.columns.emplace_back();
    table.sql_names.push_back(rows.Text(row, 1));
    column.attribute.name = NameToUtf8(table.sql_names.back());
    ARROW_ASSIGN_OR_RAISE(column.attribute.type, ReadOid(rows, row, 2));
    ARROW_ASSIGN_OR_RAISE(const int64_t typmod, rows.Int(row, 3));
    ARROW_ASSIGN_OR_RAISE(const int64_t attnum, rows.Int(row, 4));
    ARROW_ASSIGN_OR_RAISE(const int64_t place, rows.Int(row, 5));
    table.generated = table.generated || rows.Bool(row, 7);
    column.attribute.typmod = static_cast<int32_t>(typmod);
    column.attnum = static_cast<int16_t>(attnum);
    column.key_place = static_cast<int>(place);
    const bool last = row + 1 == rows.rows() || rows.Text(row + 1, 0) != rows.Text(row, 0);
    if (!last) continue;
    ARROW_ASSIGN_OR_RAISE(const int64_t key_columns, rows.Int(row, 6));
    DropPartialKey(&table, key_columns);
  }
  return arrow::Status::OK();
}

arrow::Status MayNotRead(const std::string& why, const std::vector<TableName>& tables,
                         const std::string& remedy) {
  constexpr size_t kNamesMax = 20;
  std::string names;
  for (size_t i = 0; i < std::min(tables.size(), kNamesMax); ++i)
    names += (i == 0 ? "" : ", ") + ToString(tables[i]);
  if (tables.size() > kNamesMax) names += " and " + std::to_string(tables.size() - kNamesMax) + " more";
  return MakeError(ErrorKind::kPermission, why + ": " + names,
                   tables.size() == 1 ? "table " + names : "tables",
                   remedy + "; or leave the rows out (--snapshot never, snapshot=\"never\" in Python)");
}

arrow::Status ReadLeaves(const QueryResult& rows, const Places& places, std::vector<CopyTable>* tables) {
  std::vector<TableName> unreadable;
  std::vector<TableName> hidden;
  for (int row = 0; row < rows.rows(); ++row) {
    ARROW_ASSIGN_OR_RAISE(const uint32_t oid, ReadOid(rows, row, 0));
    LeafInfo& leaf = (*tables)[places.at(oid)].leaves.emplace_back();
    ARROW_ASSIGN_OR_RAISE(leaf.oid, ReadOid(rows, row, 1));
    leaf.name = {rows.Text(row, 2), rows.Text(row, 3)};
    leaf.by_block = rows.Bool(row, 4);
    ARROW_ASSIGN_OR_RAISE(leaf.blocks, rows.Int(row, 5));
    ARROW_ASSIGN_OR_RAISE(leaf.bytes, rows.Int(row, 6));
    ARROW_ASSIGN_OR_RAISE(leaf.rows, rows.Int(row, 7));
    ARROW_ASSIGN_OR_RAISE(leaf.file_number, ReadOid(rows, row, 8));
    ARROW_ASSIGN_OR_RAISE(leaf.replica_identity, IdentityAt(rows, row, 11));
    leaf.version = rows.Text(row, 12);
    if (!rows.Bool(row, 9)) unreadable.push_back(leaf.name);
    if (rows.Bool(row, 10)) hidden.push_back(leaf.name);
  }
  if (!unreadable.empty()) {
    return MayNotRead("the role may not read the rows that are there before", unreadable,
                      "let an administrator GRANT SELECT on them, and USAGE on their schemas, to the role");
  }
  if (hidden.empty()) return arrow::Status::OK();
  return MayNotRead("row security may hide rows from the role that are there before", hidden,
                    "let an administrator run ALTER ROLE ... BYPASSRLS for the role");
}

}  // namespace

arrow::Result<std::vector<CopyTable>> ReadCopyTables(Connection& connection,
                                                     const std::vector<std::string>& publications,
                                                     const TablePatterns* patterns,
                                                     const WantedTables& wanted) {
  ARROW_ASSIGN_OR_RAISE(const std::string names, QuoteLiterals(publications));
  ARROW_ASSIGN_OR_RAISE(const QueryResult rows, connection.Query(TablesQuery(names)));
  std::vector<CopyTable> tables;
  Places places;
  std::string oids;
  for (int row = 0; row < rows.rows(); ++row) {
    CopyTable table;
    table.name = {rows.Text(row, 1), rows.Text(row, 2)};
    if (patterns != nullptr && !patterns->Matches(table.name)) continue;
    ARROW_ASSIGN_OR_RAISE(table.oid, ReadOid(rows, row, 0));
    // What is in the way of others is not asked.
    if (!wanted(table.name, table.oid)) continue;
    ARROW_ASSIGN_OR_RAISE(table.replica_identity, IdentityAt(rows, row, 3));
    table.filter = rows.Text(row, 4);
    table.publishes_all = rows.Bool(row, 5);
    table.version = rows.Text(row, 6);
    oids += (oids.empty() ? "" : ", ") + std::to_string(table.oid);
    places.emplace(table.oid, tables.size());
    tables.push_back(std::move(table));
  }
  if (tables.empty()) return tables;
  ARROW_ASSIGN_OR_RAISE(const QueryResult columns, connection.Query(ColumnsQuery(names, oids)));
  ARROW_RETURN_NOT_OK(ReadColumns(columns, places, &tables));
  ARROW_ASSIGN_OR_RAISE(const QueryResult leaves, connection.Query(LeavesQuery(oids)));
  ARROW_RETURN_NOT_OK(ReadLeaves(leaves, places, &tables));
  return tables;
}

}  // namespace arrowcdc::postgres
