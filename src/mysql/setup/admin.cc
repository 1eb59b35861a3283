// What administrators ask for, each on a connection of its own.
#include <algorithm>
#include <cstdlib>
#include <optional>
#include <utility>

#include "arrowcdc/error.h"
#include "arrowcdc/mysql.h"
#include "arrowcdc/table_patterns.h"
#include "src/mysql/client/connection.h"
#include "src/mysql/client/url.h"
#include "src/mysql/setup/checks.h"
#include "src/mysql/setup/health.h"
#include "src/mysql/setup/server_state.h"

namespace arrowcdc {
namespace {

arrow::Result<std::unique_ptr<mysql::Connection>> OpenServer(const MysqlOptions& source) {
  ARROW_ASSIGN_OR_RAISE(const mysql::Url url, mysql::ParseUrl(source.url));
  if (url.files()) {
    return MakeError(ErrorKind::kInvalidOption, "files have nothing to set up and nobody to ask",
                     "option source", "name a server: mysql://USER@HOST:PORT/");
  }
  return mysql::Connection::Open(url, source.stop);
}

arrow::Result<std::optional<TablePatterns>> ParsePatterns(const MysqlOptions& source) {
  if (source.tables.empty()) return std::optional<TablePatterns>();
  ARROW_ASSIGN_OR_RAISE(TablePatterns patterns, TablePatterns::Parse(source.tables));
  return std::optional<TablePatterns>(std::move(patterns));
}

}  // namespace

arrow::Result<MysqlChecks> CheckMysql(const MysqlOptions& source) {
  ARROW_RETURN_NOT_OK(ParsePatterns(source).status());
  ARROW_ASSIGN_OR_RAISE(const auto connection, OpenServer(source));
  ARROW_ASSIGN_OR_RAISE(const mysql::Inspected inspected, mysql::Inspect(connection.get(), source.tables));
  return mysql::Judge(inspected, source.accept_cascades, /*before=*/true);
}

arrow::Result<std::vector<Finding>> ExamineMysql(const MysqlOptions& source) {
  constexpr std::chrono::seconds kBetween(1);
  ARROW_RETURN_NOT_OK(ParsePatterns(source).status());
  ARROW_ASSIGN_OR_RAISE(const auto connection, OpenServer(source));
  ARROW_ASSIGN_OR_RAISE(const mysql::Inspected inspected, mysql::Inspect(connection.get(), source.tables));
  std::vector<Finding> findings = mysql::Judge(inspected, source.accept_cascades, /*before=*/true).findings;
  ARROW_ASSIGN_OR_RAISE(const mysql::Health health,
                        mysql::ReadHealth(connection.get(), inspected.state, kBetween, source.stop.get()));
  for (Finding& finding : mysql::JudgeHealth(health, inspected)) findings.push_back(std::move(finding));
  return findings;
}

arrow::Status CheckObstacles(const MysqlChecks& checks) {
  if (checks.obstacles.empty()) return arrow::Status::OK();
  const arrow::Status& first = checks.obstacles[0].status;
  const ErrorDetail* const detail = GetErrorDetail(first);
  if (checks.obstacles.size() == 1 || detail == nullptr) return first;
  std::string text = std::to_string(checks.obstacles.size()) + " things are in the way:";
  std::string remedies;
  for (size_t i = 0; i < checks.obstacles.size(); ++i) {
    const arrow::Status& status = checks.obstacles[i].status;
    const ErrorDetail* const one = GetErrorDetail(status);
    const std::string number = " (" + std::to_string(i + 1) + ") ";
    text += number + (one != nullptr ? one->object() + ": " : "") + status.message();
    if (one != nullptr) remedies += number + one->remedy();
  }
  return MakeError(detail->kind(), text, detail->object(), remedies.substr(1));
}

std::string AdministratorSql(const MysqlChecks& checks) {
  std::string sql;
  for (const SetupObstacle& obstacle : checks.obstacles) {
    if (obstacle.sql.empty()) return "";
    sql += obstacle.sql + ";\n";
  }
  for (const std::string& grant : checks.grants_to_copy) sql += grant + ";\n";
  return sql;
}

namespace {

// What of the server's settings and of the table is in the way of its changes.
void AddObstacles(const mysql::ServerState& state, const mysql::CatalogTable& table,
                  std::vector<std::string>* obstacles) {
  if (!state.IsOn("log_bin")) obstacles->push_back("the server writes no binary log");
  for (const auto& [name, wanted] :
       {std::pair("binlog_format", "ROW"), std::pair("binlog_row_metadata", "FULL")}) {
    if (state.Variable(name) != wanted) obstacles->push_back(std::string(name) + " is not " + wanted);
  }
  if (state.flavor != mysql::Flavor::kMariadb) return;
  for (const SourceTable::Column& column : table.table.columns) {
    if (mysql::IsHiddenType(column.type))
      obstacles->push_back("column " + column.name + " is of the type " + column.type);
  }
}

}  // namespace

arrow::Result<std::vector<TableStatus>> ListMysqlTables(const MysqlOptions& source) {
  ARROW_ASSIGN_OR_RAISE(const auto patterns, ParsePatterns(source));
  ARROW_ASSIGN_OR_RAISE(const auto connection, OpenServer(source));
  ARROW_ASSIGN_OR_RAISE(const mysql::ServerState state, mysql::ReadServerState(connection.get()));
  ARROW_ASSIGN_OR_RAISE(const auto catalog, mysql::ReadCatalog(connection.get()));
  std::vector<TableName> not_shown;
  ARROW_ASSIGN_OR_RAISE(const auto cascades,
                        mysql::ReadCascades(connection.get(), state, catalog, &not_shown));
  std::vector<TableStatus> tables;
  for (const mysql::CatalogTable& table : catalog) {
    TableStatus status;
    status.name = table.table.name;
    TablePatterns::Match match{true, "no patterns: all tables"};
    if (patterns.has_value()) match = patterns->Explain(status.name);
    status.matches = match.matches;
    status.replica_identity = table.table.replica_identity;
    status.usable_identity = true;  // the server logs old rows of a table without a key, too
    status.reason = match.reason;
    std::vector<std::string> obstacles;
    std::vector<std::string> limits;
    AddObstacles(state, table, &obstacles);
    if (std::find(not_shown.begin(), not_shown.end(), status.name) != not_shown.end())
      (source.accept_cascades ? limits : obstacles).push_back("the account may not read it as a whole");
    for (const mysql::Cascade& cascade : cascades) {
      if (cascade.child != status.name) continue;
      const std::string text =
          "what " + cascade.constraint + " changes by " + cascade.rule + " does not come";
      (source.accept_cascades ? limits : obstacles).push_back(text);
    }
    status.published = status.matches && obstacles.empty();
    limits.insert(limits.begin(), obstacles.begin(), obstacles.end());
    for (const std::string& limit : limits) status.limits += (status.limits.empty() ? "" : "; ") + limit;
    tables.push_back(std::move(status));
  }
  return tables;
}

arrow::Result<MysqlStatus> GetMysqlStatus(const MysqlOptions& source) {
  ARROW_ASSIGN_OR_RAISE(const auto connection, OpenServer(source));
  ARROW_ASSIGN_OR_RAISE(const mysql::ServerState state, mysql::ReadServerState(connection.get()));
  ARROW_ASSIGN_OR_RAISE(const auto files, mysql::ReadLogFiles(connection.get()));
  ARROW_ASSIGN_OR_RAISE(const mysql::LogStatus log, mysql::ReadLogStatus(connection.get()));
  MysqlStatus status;
  const bool mysql = state.flavor == mysql::Flavor::kMysql;
  status.kind = mysql ? "mysql" : "mariadb";
  status.server_version = state.version;
  status.server_uuid = state.Variable("server_uuid");
  status.gtid_mode = mysql ? state.Variable("gtid_mode") : "domain";
  status.gtid_executed = log.executed.ToString();
  status.first_file = files.front().name;
  status.file = log.file;
  status.offset = log.offset;
  for (const mysql::LogFile& file : files) status.log_bytes += file.bytes;
  if (state.retention_seconds() > 0) status.retention_seconds = state.retention_seconds();
  auto dumps = connection->QueryValue(
      "SELECT COUNT(*) FROM information_schema.processlist WHERE command LIKE 'Binlog Dump%'");
  const auto sees_all = connection->Query("SHOW GRANTS");
  bool may_see = false;
  for (const auto& row : sees_all.ok() ? *sees_all : mysql::Rows()) {
    const std::string grant = row.empty() ? "" : row[0].value_or("");
    may_see |=
        grant.find(" ON *.* ") != std::string::npos &&
        (grant.find("PROCESS") != std::string::npos || grant.find("ALL PRIVILEGES") != std::string::npos);
  }
  if (dumps.ok() && may_see) status.streams = std::atoi(dumps->c_str());
  return status;
}

}  // namespace arrowcdc
