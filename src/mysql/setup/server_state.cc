#include "src/mysql/setup/server_state.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "arrowcdc/error.h"
#include "src/mysql/decode/table_id.h"

namespace arrowcdc::mysql {
namespace {

constexpr char kVariables[] =
    "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('server_uuid', 'server_id', 'gtid_mode', "
    "'gtid_domain_id', 'gtid_binlog_state', 'gtid_purged', 'log_bin', 'binlog_format', "
    "'binlog_row_metadata', 'binlog_row_image', 'binlog_row_value_options', 'binlog_checksum', "
    "'binlog_expire_logs_seconds', 'expire_logs_days', 'log_replica_updates', 'log_slave_updates', "
    "'sync_binlog', 'innodb_flush_log_at_trx_commit', 'innodb_native_foreign_keys', 'encrypt_binlog', "
    "'lower_case_table_names', 'max_binlog_size', "
    "'max_binlog_total_size', 'binlog_space_limit', 'max_connections', 'binlog_cache_size')";

constexpr std::array<std::string_view, 4> kOwnSchemas = {"mysql", "sys", "information_schema",
                                                         "performance_schema"};

// ('mysql', ...)
std::string OwnSchemasSql() {
  std::string sql;
  for (const std::string_view schema : kOwnSchemas) sql += (sql.empty() ? "(" : ", ") + QuoteText(schema);
  return sql + ")";
}

// Sequences are tables in the log. SYSTEM VERSIONED are MariaDB's tables that keep their history.
constexpr char kTableTypes[] = "('BASE TABLE', 'SYSTEM VERSIONED', 'SEQUENCE')";

uint64_t ToNumber(const std::optional<std::string>& text) {
  uint64_t number = 0;
  if (text.has_value()) std::from_chars(text->data(), text->data() + text->size(), number);
  return number;
}

arrow::Status Unexpected(const char* what) {
  return MakeError(ErrorKind::kProtocol, std::string("the server's answer to ") + what + " is another one",
                   "server", "the server's version is not supported");
}

arrow::Status NoLog() {
  return MakeError(ErrorKind::kServerSetting, "the server writes no binary log", "setting log_bin",
                   "set log_bin in the server's configuration and restart it");
}

// In Arrow one number, time, text or byte string.
bool IsPlain(const std::string& type) { return type != "vector"; }

}  // namespace

std::string SetGlobal(Flavor flavor, const std::string& name, const std::string& value) {
  return std::string("SET ") + (flavor == Flavor::kMysql ? "PERSIST " : "GLOBAL ") + name + " = " + value;
}

std::string ServerState::Variable(const std::string& name) const {
  const auto found = variables.find(name);
  return found == variables.end() ? std::string() : found->second;
}

bool ServerState::IsOn(const std::string& name) const {
  const std::string value = Variable(name);
  return value == "ON" || value == "1" || value == "YES";
}

std::string ServerState::server() const {
  return Variable(flavor == Flavor::kMysql ? "server_uuid" : "server_id");
}

int64_t ServerState::retention_seconds() const {
  const int64_t seconds = std::strtoll(Variable("binlog_expire_logs_seconds").c_str(), nullptr, 10);
  if (seconds > 0) return seconds;
  // MariaDB before 10.6 has nothing else; MySQL 8 goes by it where the other is 0.
  return std::llround(std::strtod(Variable("expire_logs_days").c_str(), nullptr) * 86'400);
}

bool ServerState::logs_cascades() const { return Variable("innodb_native_foreign_keys") == "OFF"; }

bool IsOwnSchema(std::string_view schema) {
  return std::find(kOwnSchemas.begin(), kOwnSchemas.end(), schema) != kOwnSchemas.end();
}

// A server of MariaDB has no identity of its own that a replica would not share or a restart not change; what
// the log has is compared in any case before a stream goes on.
std::string ServerState::source_id() const {
  return flavor == Flavor::kMysql ? Variable("server_uuid") : "domain " + Variable("gtid_domain_id");
}

arrow::Result<ServerState> ReadServerState(Connection* connection) {
  ServerState state;
  state.flavor = connection->flavor();
  state.version = connection->server_version();
  ARROW_ASSIGN_OR_RAISE(const Rows rows, connection->Query(kVariables));
  for (const auto& row : rows) {
    if (row.size() != 2) return Unexpected("SHOW GLOBAL VARIABLES");
    state.variables[row[0].value_or("")] = row[1].value_or("");
  }
  if (state.server().empty()) return Unexpected("SHOW GLOBAL VARIABLES");
  return state;
}

arrow::Result<std::vector<LogFile>> ReadLogFiles(Connection* connection) {
  ARROW_ASSIGN_OR_RAISE(const Rows rows, connection->Query("SHOW BINARY LOGS"));
  std::vector<LogFile> files;
  for (const auto& row : rows) {
    if (row.size() < 2) return Unexpected("SHOW BINARY LOGS");
    files.push_back({row[0].value_or(""), ToNumber(row[1])});
  }
  if (files.empty()) return NoLog();
  return files;
}

arrow::Result<LogStatus> ReadLogStatus(Connection* connection) {
  const bool mariadb = connection->flavor() == Flavor::kMariadb;
  auto rows = connection->Query(mariadb ? "SHOW MASTER STATUS" : "SHOW BINARY LOG STATUS");
  // Before MySQL 8.2 the words were others.
  const ErrorDetail* const detail = GetErrorDetail(rows.status());
  if (!mariadb && detail != nullptr && detail->kind() == ErrorKind::kUnsupported)
    rows = connection->Query("SHOW MASTER STATUS");
  ARROW_RETURN_NOT_OK(rows.status());
  if (rows->empty()) return NoLog();
  const auto& row = (*rows)[0];
  if (row.size() < 4) return Unexpected("SHOW BINARY LOG STATUS");
  LogStatus status;
  status.file = row[0].value_or("");
  status.offset = ToNumber(row[1]);
  status.filters = !row[2].value_or("").empty() || !row[3].value_or("").empty();
  std::string gtids = row.size() > 4 ? row[4].value_or("") : "";
  if (mariadb) {
    ARROW_ASSIGN_OR_RAISE(gtids, connection->QueryValue("SELECT BINLOG_GTID_POS(" + QuoteText(status.file) +
                                                        ", " + std::to_string(status.offset) + ")"));
  }
  ARROW_ASSIGN_OR_RAISE(status.executed, GtidState::Parse(connection->flavor(), gtids));
  return status;
}

arrow::Result<std::vector<CatalogTable>> ReadCatalog(Connection* connection) {
  ARROW_ASSIGN_OR_RAISE(
      const Rows rows,
      connection->Query(std::string("SELECT t.table_schema, t.table_name, t.engine, c.column_name, "
                                    "c.data_type, c.column_type, k.ordinal_position, "
                                    "c.generation_expression, t.table_type "
                                    "FROM information_schema.tables t "
                                    "JOIN information_schema.columns c ON c.table_schema = t.table_schema "
                                    "AND c.table_name = t.table_name "
                                    "LEFT JOIN information_schema.key_column_usage k "
                                    "ON k.table_schema = c.table_schema AND k.table_name = c.table_name "
                                    "AND k.column_name = c.column_name AND k.constraint_name = 'PRIMARY' "
                                    "WHERE t.table_type IN ") +
                        kTableTypes + " AND t.table_schema NOT IN " + OwnSchemasSql() +
                        " ORDER BY t.table_schema, t.table_name, c.ordinal_position"));
  std::vector<CatalogTable> tables;
  for (const auto& row : rows) {
    if (row.size() != 9) return Unexpected("a query of information_schema");
    const TableName name{row[0].value_or(""), row[1].value_or("")};
    if (tables.empty() || tables.back().table.name != name) {
      tables.push_back({{name, ReplicaIdentity::kFull, {}, TableIdOf(name)},
                        row[2].value_or(""),
                        {},
                        row[8].value_or("") == "SYSTEM VERSIONED"});
    }
    if (!row[7].value_or("").empty()) tables.back().generated.insert(row[3].value_or(""));
    SourceTable& table = tables.back().table;
    const int key_place = static_cast<int>(ToNumber(row[6]));
    if (key_place > 0) table.replica_identity = ReplicaIdentity::kDefault;
    table.columns.push_back(
        {row[3].value_or(""), row[5].value_or(""), IsPlain(row[4].value_or("")), key_place});
  }
  return tables;
}

namespace {

// `name`, with doubled backticks inside. Cuts it off `text`.
std::optional<std::string> TakeQuoted(std::string_view* text) {
  if (!text->starts_with('`')) return std::nullopt;
  std::string name;
  for (size_t i = 1; i < text->size(); ++i) {
    if ((*text)[i] == '`') {
      if (i + 1 == text->size() || (*text)[i + 1] != '`') {
        text->remove_prefix(i + 1);
        return name;
      }
      ++i;
    }
    name += (*text)[i];
  }
  return std::nullopt;
}

// A line of SHOW CREATE TABLE: CONSTRAINT `name` FOREIGN KEY (`a`) REFERENCES [`schema`.]`table` (`b`) ON ...
std::optional<Cascade> ReadForeignKey(std::string_view line, const TableName& child) {
  constexpr std::string_view kBegin = "  CONSTRAINT ";
  constexpr std::string_view kKey = " FOREIGN KEY (";
  constexpr std::string_view kReferences = ") REFERENCES ";
  if (!line.starts_with(kBegin)) return std::nullopt;
  line.remove_prefix(kBegin.size());
  const auto name = TakeQuoted(&line);
  if (!name.has_value() || !line.starts_with(kKey)) return std::nullopt;
  line.remove_prefix(kKey.size());
  while (TakeQuoted(&line).has_value() && line.starts_with(", ")) line.remove_prefix(2);
  if (!line.starts_with(kReferences)) return std::nullopt;
  line.remove_prefix(kReferences.size());
  Cascade cascade{child, *name, {child.schema, TakeQuoted(&line).value_or("")}, ""};
  if (line.starts_with('.')) {
    line.remove_prefix(1);
    cascade.parent = {cascade.parent.table, TakeQuoted(&line).value_or("")};
  }
  if (!line.starts_with(" (")) return std::nullopt;
  line.remove_prefix(2);
  while (TakeQuoted(&line).has_value() && line.starts_with(", ")) line.remove_prefix(2);
  for (const std::string_view on : {"ON DELETE ", "ON UPDATE "}) {
    const size_t at = line.find(on);
    if (at == std::string_view::npos) continue;
    for (const std::string_view rule : {"CASCADE", "SET NULL", "SET DEFAULT"}) {
      if (!line.substr(at + on.size()).starts_with(rule)) continue;
      cascade.rule += (cascade.rule.empty() ? "" : " ") + std::string(on) + std::string(rule);
    }
  }
  return cascade.rule.empty() ? std::nullopt : std::optional(cascade);
}

}  // namespace

// By SHOW CREATE TABLE: information_schema has no foreign keys for roles that may only read, and does not say
// so.
arrow::Result<std::vector<Cascade>> ReadCascades(Connection* connection, const ServerState& state,
                                                 const std::vector<CatalogTable>& tables,
                                                 std::vector<TableName>* not_shown) {
  std::vector<Cascade> cascades;
  if (state.logs_cascades()) return cascades;
  for (const CatalogTable& table : tables) {
    const TableName& name = table.table.name;
    const auto rows =
        connection->Query("SHOW CREATE TABLE " + QuoteName(name.schema) + "." + QuoteName(name.table));
    const auto failed = [&](unsigned code) {
      return GetErrorDetail(rows.status()) != nullptr &&
             rows.status().message().find("(error " + std::to_string(code) + ")") != std::string::npos;
    };
    constexpr unsigned kNoSuchTable = 1146;
    constexpr unsigned kTableAccessDenied = 1142;
    if (failed(kNoSuchTable)) continue;  // dropped meanwhile
    if (failed(kTableAccessDenied)) {
      not_shown->push_back(name);
      continue;
    }
    ARROW_RETURN_NOT_OK(rows.status());
    if (rows->size() != 1 || (*rows)[0].size() < 2) return Unexpected("SHOW CREATE TABLE");
    const std::string text = (*rows)[0][1].value_or("");
    std::string_view left(text);
    while (!left.empty()) {
      const size_t end = left.find('\n');
      if (auto cascade = ReadForeignKey(left.substr(0, end), name)) cascades.push_back(*std::move(cascade));
      left.remove_prefix(end == std::string_view::npos ? left.size() : end + 1);
    }
  }
  return cascades;
}

bool IsHiddenType(const std::string& type) { return type == "uuid" || type == "inet4" || type == "inet6"; }

bool MayHideType(const TableMap& map) {
  return std::any_of(map.columns.begin(), map.columns.end(), [](const MapColumn& column) {
    return column.type == FieldType::kString && column.collation == kBinaryCollation &&
           (column.length == 4 || column.length == 16);
  });
}

arrow::Status RefuseHiddenType(const TableName& table, const std::string& column, const std::string& type) {
  const std::string other = type == "uuid" ? "CHAR(36)" : "VARCHAR(39)";
  return MakeError(
      ErrorKind::kUnsupported,
      "the column is of the type " + type +
          ", which the binary log does not tell from bytes, nor in which order they are",
      "column " + column + " of table " + ToString(table),
      "ALTER TABLE ... MODIFY it to " + other + ", or leave the table out of the tables to capture");
}

arrow::Status CheckHiddenTypes(Connection* connection, const TableName& table) {
  ARROW_ASSIGN_OR_RAISE(
      const Rows rows,
      connection->Query(
          "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = " +
          QuoteText(table.schema) + " AND table_name = " + QuoteText(table.table)));
  for (const auto& row : rows) {
    if (row.size() == 2 && IsHiddenType(row[1].value_or("")))
      return RefuseHiddenType(table, row[0].value_or(""), *row[1]);
  }
  return arrow::Status::OK();
}

arrow::Result<std::optional<std::set<std::string>>> ReadGeneratedColumns(Connection* connection,
                                                                         const TableName& table) {
  ARROW_ASSIGN_OR_RAISE(
      const Rows rows,
      connection->Query(
          "SELECT column_name, generation_expression FROM information_schema.columns WHERE table_schema = " +
          QuoteText(table.schema) + " AND table_name = " + QuoteText(table.table)));
  if (rows.empty()) return std::nullopt;
  std::set<std::string> names;
  for (const auto& row : rows) {
    if (row.size() == 2 && !row[1].value_or("").empty()) names.insert(row[0].value_or(""));
  }
  return names;
}

arrow::Result<bool> IsTransactional(Connection* connection, const TableName& table) {
  ARROW_ASSIGN_OR_RAISE(
      const Rows rows,
      connection->Query("SELECT e.transactions FROM information_schema.tables t "
                        "JOIN information_schema.engines e ON e.engine = t.engine WHERE t.table_schema = " +
                        QuoteText(table.schema) + " AND t.table_name = " + QuoteText(table.table)));
  return rows.size() == 1 && rows[0].size() == 1 && rows[0][0] == "YES";
}

}  // namespace arrowcdc::mysql
