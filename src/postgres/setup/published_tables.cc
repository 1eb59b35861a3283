// One query over pg_publication_tables and the catalog.
#include "src/postgres/setup/published_tables.h"

#include <algorithm>
#include <utility>

#include "arrowcdc/error.h"
#include "pgtype/type_table.h"
#include "src/change/table_schema.h"
#include "src/postgres/client/quoting.h"
#include "src/postgres/setup/catalog.h"

namespace arrowcdc::postgres {
namespace {

// pgtype::TypeFacts of a row of pg_type.
std::string SelectTypeFacts(const std::string& type) {
  return type + ".oid, " + type + ".typtype, " + type + ".typlen, " + type + ".typelem <> 0 AND " + type +
         ".typsubscript = 'array_subscript_handler'::regproc, " + type +
         ".typoutput = ANY (ARRAY(SELECT o.oid FROM pg_proc AS o JOIN pg_language AS l ON l.oid = o.prolang "
         "WHERE l.lanname = 'internal' AND o.prosrc = 'textout'))";
}

arrow::Result<pgtype::TypeFacts> ReadTypeFacts(const QueryResult& rows, int row, int column) {
  ARROW_ASSIGN_OR_RAISE(const int64_t oid, rows.Int(row, column));
  ARROW_ASSIGN_OR_RAISE(const int64_t length, rows.Int(row, column + 2));
  return pgtype::TypeFacts{static_cast<uint32_t>(oid), rows.Text(row, column + 1)[0],
                           static_cast<int16_t>(length), rows.Bool(row, column + 3),
                           rows.Bool(row, column + 4)};
}

// SourceTable::Column::plain of a type whose facts begin at `column`.
arrow::Result<bool> IsPlain(const QueryResult& rows, int row, int column) {
  ARROW_ASSIGN_OR_RAISE(const pgtype::TypeFacts type, ReadTypeFacts(rows, row, column));
  switch (pgtype::ChooseForm(pgtype::ChooseKind(type), -1, {}, 0).type) {
    case format::ArrowTypeId::kStruct:
    case format::ArrowTypeId::kList:
    case format::ArrowTypeId::kFixedSizeList:
    case format::ArrowTypeId::kMap:
    case format::ArrowTypeId::kMonthDayNano:
      return false;
    default:
      return true;
  }
}

std::string TablesQuery(const std::string& names) {
  return "WITH RECURSIVE published AS (" + PublishedColumns(names) +
         "), "
         "roots AS (SELECT p.oid FROM (SELECT DISTINCT oid FROM published) AS p WHERE NOT EXISTS (SELECT "
         "FROM "
         "pg_partition_ancestors(p.oid) AS x JOIN published AS q ON q.oid = x.relid WHERE x.relid <> "
         "p.oid)), "
         "base AS (SELECT oid AS type, oid AS base FROM pg_type WHERE typtype <> 'd' UNION ALL SELECT d.oid, "
         "b.base FROM base AS b JOIN pg_type AS d ON d.typtype = 'd' AND d.typbasetype = b.type) "
         "SELECT n.nspname, c.relname, c.relreplident, a.attname, format_type(a.atttypid, a.atttypmod), "
         "coalesce(array_position((i.indkey::int2[])[0:i.indnkeyatts - 1], a.attnum), 0), "
         "coalesce(i.indnkeyatts, 0), " +
         SelectTypeFacts("t") +
         ", c.oid FROM roots AS r JOIN published AS p USING (oid) JOIN pg_class AS c USING (oid) "
         "JOIN pg_namespace AS n ON n.oid = c.relnamespace "
         "JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = p.attnum "
         "JOIN base AS tb ON tb.type = a.atttypid JOIN pg_type AS t ON t.oid = tb.base " +
         kIdentityIndex + "ORDER BY n.nspname, c.relname, a.attnum";
}

// Part of a key is no key.
void DropPartialKey(SourceTable* table, int64_t key_columns) {
  const auto in_key = [](const SourceTable::Column& column) { return column.key_place > 0; };
  if (std::count_if(table->columns.begin(), table->columns.end(), in_key) == key_columns) return;
  for (SourceTable::Column& column : table->columns) column.key_place = 0;
}

}  // namespace

std::string PublishedColumns(const std::string& names) {
  return "SELECT DISTINCT c.oid, a.attnum FROM pg_publication_tables AS p "
         "JOIN pg_namespace AS n ON n.nspname = p.schemaname "
         "JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = p.tablename " +
         std::string(kIdentityIndex) +
         "JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND "
         "((a.attname = ANY (p.attnames) AND (a.attgenerated = '' OR "
         "current_setting('server_version_num')::int >= 180000)) OR "
         "(a.attgenerated = 's' AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1]) AND NOT EXISTS "
         "(SELECT FROM pg_publication_rel AS l JOIN pg_publication AS b ON b.oid = l.prpubid WHERE "
         "b.pubname = p.pubname AND l.prrelid = c.oid AND l.prattrs IS NOT NULL))) "
         "WHERE p.pubname IN (" +
         names + ")";
}

arrow::Result<std::vector<SourceTable>> ReadPublishedTables(Connection& connection,
                                                            const std::vector<std::string>& publications) {
  ARROW_ASSIGN_OR_RAISE(const std::string names, QuoteLiterals(publications));
  ARROW_ASSIGN_OR_RAISE(const QueryResult rows, connection.Query(TablesQuery(names)));
  std::vector<SourceTable> tables;
  for (int row = 0; row < rows.rows(); ++row) {
    TableName name{rows.Text(row, 0), rows.Text(row, 1)};
    if (tables.empty() || tables.back().name != name) {
      SourceTable& table = tables.emplace_back();
      table.name = std::move(name);
      ARROW_ASSIGN_OR_RAISE(table.replica_identity, IdentityAt(rows, row, 2));
      ARROW_ASSIGN_OR_RAISE(const int64_t oid, rows.Int(row, rows.columns() - 1));
      table.table_id = static_cast<uint32_t>(oid);
    }
    SourceTable::Column& column = tables.back().columns.emplace_back();
    column.name = rows.Text(row, 3);
    column.type = rows.Text(row, 4);
    ARROW_ASSIGN_OR_RAISE(const int64_t place, rows.Int(row, 5));
    ARROW_ASSIGN_OR_RAISE(column.plain, IsPlain(rows, row, 7));
    column.key_place = static_cast<int>(place);
    const bool last = row + 1 == rows.rows() || rows.Text(row + 1, 0) != tables.back().name.schema ||
                      rows.Text(row + 1, 1) != tables.back().name.table;
    if (!last) continue;
    ARROW_ASSIGN_OR_RAISE(const int64_t key_columns, rows.Int(row, 6));
    DropPartialKey(&tables.back(), key_columns);
  }
  return tables;
}

arrow::Result<std::vector<std::pair<uint32_t, int32_t>>> ReadPublishedTypes(
    Connection& connection, const std::vector<std::string>& publications) {
  ARROW_ASSIGN_OR_RAISE(const std::string names, QuoteLiterals(publications));
  ARROW_ASSIGN_OR_RAISE(
      const QueryResult rows,
      connection.Query("SELECT DISTINCT a.atttypid, a.atttypmod FROM (" + PublishedColumns(names) +
                       ") AS p JOIN pg_attribute AS a ON a.attrelid = p.oid AND a.attnum = p.attnum"));
  std::vector<std::pair<uint32_t, int32_t>> types;
  for (int row = 0; row < rows.rows(); ++row) {
    ARROW_ASSIGN_OR_RAISE(const int64_t type, rows.Int(row, 0));
    ARROW_ASSIGN_OR_RAISE(const int64_t typmod, rows.Int(row, 1));
    types.emplace_back(static_cast<uint32_t>(type), static_cast<int32_t>(typmod));
  }
  return types;
}

arrow::Result<std::vector<TableName>> ReadGeneratedKeys(Connection& connection,
                                                        const std::vector<std::string>& publications) {
  ARROW_ASSIGN_OR_RAISE(const std::string names, QuoteLiterals(publications));
  ARROW_ASSIGN_OR_RAISE(
      const QueryResult rows,
      connection.Query("SELECT DISTINCT n.nspname, c.relname FROM pg_publication_tables AS p "
                       "JOIN pg_publication AS b ON b.pubname = p.pubname AND (b.pubupdate OR b.pubdelete) "
                       "JOIN pg_namespace AS n ON n.nspname = p.schemaname "
                       "JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = p.tablename " +
                       std::string(kIdentityIndex) +
                       "JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attgenerated = 's' AND "
                       "a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1]) "
                       "WHERE p.pubname IN (" +
                       names + ") ORDER BY 1, 2"));
  std::vector<TableName> tables;
  for (int row = 0; row < rows.rows(); ++row) tables.push_back({rows.Text(row, 0), rows.Text(row, 1)});
  return tables;
}

arrow::Status RefuseGeneratedKeys(const std::vector<TableName>& tables) {
  return MakeError(
      ErrorKind::kUnsupported,
      "the key has a generated column, which pgoutput does not send before PostgreSQL 18: deletes "
      "and updates would not tell their row",
      "table " + FirstNames(tables),
      "ALTER TABLE ... REPLICA IDENTITY FULL, or use the plugin wal2arrow, or publish inserts only "
      "(--insert-only, insert_only=True in Python)");
}

}  // namespace arrowcdc::postgres
