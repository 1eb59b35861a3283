#include "src/mysql/setup/checks.h"

#include <algorithm>
#include <utility>

#include "arrowcdc/error.h"
#include "arrowcdc/table_patterns.h"
#include "src/mysql/snapshot/snapshot_point.h"
#include "src/patterns/idle_patterns.h"
#include "src/patterns/nearest_name.h"

namespace arrowcdc::mysql {
namespace {

bool IsPermission(const arrow::Status& status) {
  const ErrorDetail* const detail = GetErrorDetail(status);
  return detail != nullptr && detail->kind() == ErrorKind::kPermission;
}

// REPLICATION SLAVE, and not REPLICATION SLAVE ADMIN, on all databases.
arrow::Result<bool> IsGranted(Connection* connection, const std::string& privilege) {
  ARROW_ASSIGN_OR_RAISE(const Rows rows, connection->Query("SHOW GRANTS"));
  for (const auto& row : rows) {
    const std::string grant = row.empty() ? "" : row[0].value_or("");
    if (grant.find(" ON *.* ") == std::string::npos) continue;
    if (grant.find("ALL PRIVILEGES") != std::string::npos) return true;
    if (grant.find(privilege + ",") != std::string::npos) return true;
    if (grant.find(privilege + " ON ") != std::string::npos) return true;
  }
  return false;
}

// MySQL lets whoever may read the log show its events; MariaDB asks another right for that.
arrow::Result<bool> MayReadLog(Connection* connection) {
  if (connection->flavor() == Flavor::kMariadb) return IsGranted(connection, "REPLICATION SLAVE");
  const arrow::Status shown = connection->Query("SHOW BINLOG EVENTS LIMIT 1").status();
  if (IsPermission(shown)) return false;
  const ErrorDetail* const detail = GetErrorDetail(shown);
  if (!shown.ok() && detail != nullptr && detail->kind() == ErrorKind::kConnection) return shown;
  return true;
}

// MySQL shows where its log ends between two transactions, or stops them for a moment.
arrow::Status InspectCopy(Connection* connection, Inspected* inspected) {
  if (connection->flavor() == Flavor::kMariadb) return arrow::Status::OK();
  const arrow::Status shown = connection->Query("SELECT local FROM performance_schema.log_status").status();
  inspected->may_see_log_status = !IsPermission(shown);  // what else is wrong is said by the copy
  return IsGranted(connection, "RELOAD").Value(&inspected->may_lock);
}

const char* MonitorOf(Flavor flavor) {
  return flavor == Flavor::kMariadb ? "BINLOG MONITOR" : "REPLICATION CLIENT";
}

// Of the databases that patterns name without any special character.
std::string GrantSelect(const std::vector<std::string>& patterns, const std::string& account) {
  std::vector<std::string> statements;
  for (const std::string& pattern : patterns) {
    std::string database = pattern.substr(0, pattern.find('.'));
    if (database.find_first_of("*?[](){}|+\"\\`") != std::string::npos) continue;
    for (size_t i = 0; (i = database.find_first_of("_%", i)) != std::string::npos; i += 2)
      database.insert(i, 1, '\\');  // else it stands for any character
    const std::string sql = "GRANT SELECT ON `" + database + "`.* TO " + account;
    if (std::find(statements.begin(), statements.end(), sql) == statements.end()) statements.push_back(sql);
  }
  std::string sql;
  for (const std::string& statement : statements) sql += (sql.empty() ? "" : ";\n") + statement;
  return sql;
}

std::string Quoted(const TableName& table) { return QuoteName(table.schema) + "." + QuoteName(table.table); }

// From where it is on: it moves a step at a time.
std::string TurnGtidsOn(const std::string& mode) {
  constexpr std::string_view kSteps[] = {"OFF", "OFF_PERMISSIVE", "ON_PERMISSIVE", "ON"};
  const auto* const at = std::find(std::begin(kSteps), std::end(kSteps), mode);
  if (at == std::end(kSteps)) return "";
  std::string sql = "SET PERSIST enforce_gtid_consistency = ON";
  for (const auto* step = at + 1; step != std::end(kSteps); ++step)
    sql += "; SET PERSIST gtid_mode = " + std::string(*step);
  return sql;
}

class Judgement {
 public:
  explicit Judgement(const Inspected& inspected) : inspected_(inspected), state_(inspected.state) {}

  void Good(const std::string& text) {
    checks.checks.push_back(text);
    checks.findings.push_back({.level = FindingLevel::kOk, .check = check_, .text = text});
  }
  void Warn(const std::string& text, const std::string& sql = "") {
    checks.warnings.push_back(text);
    checks.findings.push_back({.level = FindingLevel::kWarning, .check = check_, .text = text, .sql = sql});
  }
  void Bad(ErrorKind kind, const std::string& what, const std::string& object, const std::string& remedy,
           const std::string& sql, bool restart = false) {
    checks.findings.push_back({.level = FindingLevel::kProblem,
                               .check = check_,
                               .text = what,
                               .object = object,
                               .remedy = remedy,
                               .sql = sql,
                               .kind = kind});
    SetupObstacle obstacle;
    obstacle.status = MakeError(kind, what, object, remedy);
    obstacle.sql = sql;
    obstacle.restart = restart;
    checks.obstacles.push_back(std::move(obstacle));
  }

  void Setting(const std::string& name, const std::string& wanted, const std::string& why) {
    const std::string value = state_.Variable(name);
    if (value == wanted) return Good("setting " + name + ": " + value);
    if (value.empty()) {
      return Bad(ErrorKind::kUnsupported, "the server does not have the setting: " + why, "setting " + name,
                 "use MySQL 8.0.1 or MariaDB 10.5 or later", "");
    }
    const bool mysql = state_.flavor == Flavor::kMysql;
    const std::string sql = SetGlobal(state_.flavor, name, wanted);
    Bad(ErrorKind::kServerSetting, "it is " + value + ": " + why, "setting " + name,
        sql + (mysql ? "" : ", and set it in the server's configuration, too") +
            "; sessions that are open keep what they have",
        sql);
  }

  void Log() {
    check_ = "binlog";
    // What else lacks is said at once: one restart is enough.
    if (state_.IsOn("log_bin")) {
      Good("the server writes a binary log");
    } else {
      Bad(ErrorKind::kServerSetting, "the server writes no binary log", "setting log_bin",
          "set log_bin in the server's configuration and restart it", "", true);
    }
    Setting("binlog_format", "ROW", "statements are logged by their text, and not the rows they change");
    Setting("binlog_row_metadata", "FULL", "the log does not have the names and types of columns");
    if (state_.Variable("binlog_row_image") != "FULL") {
      Warn("binlog_row_image is " + state_.Variable("binlog_row_image") +
               ": columns that a change did not need are missing from it; they are named in _unchanged" +
               (state_.flavor == Flavor::kMariadb
                    ? ". MariaDB leaves out generated columns that did change, which come as null and are "
                      "named in _unrepresentable, and columns that REPLACE has set to their defaults"
                    : ""),
           SetGlobal(state_.flavor, "binlog_row_image", "FULL"));
      if (state_.Variable("binlog_row_value_options").find("PARTIAL_JSON") != std::string::npos) {
        Warn(
            "binlog_row_value_options is PARTIAL_JSON without full row images: a change of a document "
            "of which only the difference is logged ends the stream",
            SetGlobal(state_.flavor, "binlog_row_value_options", "''"));
      }
    }
    const std::string lasting =
        state_.Variable("sync_binlog") == "1" && state_.Variable("innodb_flush_log_at_trx_commit") == "1"
            ? ""
            : "sync_binlog and innodb_flush_log_at_trx_commit are not both 1: a crash "
              "of the server's machine may take back transactions that were delivered";
    if (!lasting.empty()) {
      Warn(lasting, SetGlobal(state_.flavor, "sync_binlog", "1") + "; " +
                        SetGlobal(state_.flavor, "innodb_flush_log_at_trx_commit", "1"));
    }
    if (inspected_.log.has_value() && inspected_.log->filters)
      Warn("binlog_do_db or binlog_ignore_db is set: changes of some databases are not logged");
    const bool logs_replicated = state_.IsOn("log_replica_updates") || state_.IsOn("log_slave_updates");
    if (inspected_.is_replica && !logs_replicated) {
      Bad(ErrorKind::kServerSetting, "the server is a replica and does not log what it replicates",
          "setting log_replica_updates", "set log_replica_updates (log_slave_updates) and restart the server",
          "", true);
    }
  }

  void Retention() {
    check_ = "log_retention";
    if (!state_.IsOn("log_bin")) return;
    const int64_t seconds = state_.retention_seconds();
    if (seconds == 0) return Good("the server removes no files of its log by itself");
    constexpr int64_t kDay = 86'400;
    const std::string text = "the server removes files of its log after " + std::to_string(seconds) + " s";
    if (seconds >= kDay) return Good(text);
    const bool by_seconds = !state_.Variable("binlog_expire_logs_seconds").empty();
    Warn(text + ": a stream that stands still for longer cannot go on",
         by_seconds ? SetGlobal(state_.flavor, "binlog_expire_logs_seconds", std::to_string(7 * kDay))
                    : SetGlobal(state_.flavor, "expire_logs_days", "7"));
  }

  void Gtids() {
    check_ = "gtids";
    if (!state_.IsOn("log_bin")) return;
    if (state_.flavor == Flavor::kMariadb || state_.only_committed()) return Good("transactions have GTIDs");
    Warn("gtid_mode is " + state_.Variable("gtid_mode") +
             ": a stream goes on by file and offset, on this server alone, and rows wait for their commit",
         TurnGtidsOn(state_.Variable("gtid_mode")));
  }

  void Rights() {
    check_ = "rights";
    const std::string account = QuoteAccount(inspected_.account);
    std::string lacking;
    if (!inspected_.may_read_log) lacking = "REPLICATION SLAVE";
    if (!inspected_.may_see_status)
      lacking += std::string(lacking.empty() ? "" : ", ") + MonitorOf(state_.flavor);
    if (lacking.empty()) return Good("the account may read the binary log");
    const std::string sql = "GRANT " + lacking + " ON *.* TO " + account;
    Bad(ErrorKind::kPermission, "it lacks " + lacking, "account " + account, sql, sql);
  }

  // A start with a pattern that matches nothing, and the copy that comes first, would fail.
  void BeforeAStream() {
    check_ = "tables";
    const std::string account = QuoteAccount(inspected_.account);
    if (inspected_.tables.empty()) {
      const std::string sql = inspected_.may_select_all ? "" : GrantSelect(inspected_.idle_patterns, account);
      Bad(ErrorKind::kPublicationMissing,
          "no table that the account can see " +
              std::string(inspected_.idle_patterns.empty() ? "is there" : "matches") +
              Nearest(inspected_.idle_patterns),
          "option --tables",
          "look at 'arrowcdc tables': small and capital letters differ, and an account sees the tables that "
          "it has a right on" +
              (sql.empty() ? "" : ": " + sql),
          sql);
    }
    for (const CatalogTable& table : inspected_.tables) {
      if (table.is_versioned) {
        checks.not_copied.push_back(table.table.name);
        Warn("table " + ToString(table.table.name) +
             " is system-versioned: its rows that are there are not copied, and a stream that would copy "
             "them is refused (leave it out, or pass --snapshot never)");
      }
      if (table.engine == "InnoDB") continue;
      checks.not_copied.push_back(table.table.name);
      Warn("table " + ToString(table.table.name) + " is of the engine " + table.engine +
               ": its rows that are there cannot be copied, and a stream that would copy them is refused "
               "(leave "
               "it out, or pass --snapshot never)",
           "ALTER TABLE " + Quoted(table.table.name) + " ENGINE = InnoDB");
    }
    RightsToCopy(account);
  }

  void RightsToCopy(const std::string& account) {
    check_ = "rights";
    if (inspected_.may_lock) return;
    const std::string what =
        "the account may not copy rows that are there, which a stream into a new sink does first";
    // Nothing tells then who is about to commit.
    if (!WaitsForCommits(state_.version) && !state_.only_committed()) {
      checks.grants_to_copy = {"GRANT RELOAD ON *.* TO " + account};
      return Warn(what + " (" + state_.version + " without gtid_mode: tables are locked for a moment): " +
                      checks.grants_to_copy[0] + "; or pass --snapshot never",
                  checks.grants_to_copy[0]);
    }
    if (inspected_.may_see_log_status) return;
    checks.grants_to_copy = {"GRANT BACKUP_ADMIN ON *.* TO " + account,
                             "GRANT SELECT ON performance_schema.log_status TO " + account};
    const std::string grants = checks.grants_to_copy[0] + "; " + checks.grants_to_copy[1];
    Warn(what + ": " + grants + "; (or RELOAD ON *.*); or pass --snapshot never", grants);
  }

  void Tables(bool accept_cascades) {
    check_ = "tables";
    for (const std::string& pattern : inspected_.idle_patterns) {
      if (inspected_.tables.empty()) break;  // that is an error
      Warn("pattern " + pattern + " matches no table that the account can see" + Nearest({pattern}));
    }
    for (const CatalogTable& table : inspected_.tables) {
      if (table.table.replica_identity == ReplicaIdentity::kFull)
        Warn("table " + ToString(table.table.name) +
             " has no primary key: its rows have no key (ALTER TABLE " + Quoted(table.table.name) +
             " ADD PRIMARY KEY ...)");
      if (!table.generated.empty() && state_.flavor == Flavor::kMariadb && LeavesGeneratedOut())
        Warn("table " + ToString(table.table.name) + " has generated columns, " + *table.generated.begin() +
             (table.generated.size() > 1 ? " and others" : "") +
             ": this release leaves them out of the log of updates, so they come as null then, and are named "
             "in _unrepresentable");
      for (const SourceTable::Column& column : table.table.columns) {
        if (state_.flavor == Flavor::kMariadb && IsHiddenType(column.type))
          Refuse(RefuseHiddenType(table.table.name, column.name, column.type));
      }
    }
    for (const TableName& table : inspected_.not_shown) {
      const std::string text = "the account may not read it as a whole, nor see its foreign keys";
      const std::string sql = "GRANT SELECT ON " + Quoted(table) + " TO " + QuoteAccount(inspected_.account);
      if (accept_cascades) {
        Warn("table " + ToString(table) + ": " + text, sql);
      } else {
        Bad(ErrorKind::kPermission, text, "table " + ToString(table),
            sql + ", or leave the table out of the tables to capture", sql);
      }
    }
    for (const Cascade& cascade : inspected_.cascades) {
      const std::string text = "the foreign key " + cascade.constraint + " to " + ToString(cascade.parent) +
                               " has " + cascade.rule +
                               ", and what that changes in the table is not in the binary log";
      if (accept_cascades) {
        Warn("table " + ToString(cascade.child) + ": " + text);
        continue;
      }
      const std::string table = Quoted(cascade.child);
      Bad(ErrorKind::kUnsupported, text, "table " + ToString(cascade.child),
          "make the foreign key RESTRICT and change the rows in the application, leave the table out, or "
          "take "
          "it as it is with --accept-cascades; to drop the key: ALTER TABLE " +
              table + " DROP FOREIGN KEY " + QuoteName(cascade.constraint),
          "");
    }
  }

  MysqlChecks checks;

 private:
  // Seen with 11.8, under full images too, and not with 10.11.
  bool LeavesGeneratedOut() const { return std::strtol(state_.version.c_str(), nullptr, 10) >= 11; }

  std::string Nearest(const std::vector<std::string>& patterns) const {
    const std::string nearest = NearestPatterns(patterns, inspected_.names);
    return nearest.empty() ? "" : "; nearest: " + nearest;
  }

  void Refuse(const arrow::Status& status) {
    const ErrorDetail* const detail = GetErrorDetail(status);
    Bad(detail->kind(), status.message(), detail->object(), detail->remedy(), "");
  }

  const Inspected& inspected_;
  const ServerState& state_;
  std::string check_;  // Finding::check of what is said
};

}  // namespace

std::string QuoteAccount(const std::string& account) {
  const size_t at = account.rfind('@');
  if (at == std::string::npos) return QuoteText(account);
  return QuoteText(account.substr(0, at)) + "@" + QuoteText(account.substr(at + 1));
}

arrow::Result<Inspected> Inspect(Connection* connection, const std::vector<std::string>& patterns) {
  Inspected inspected;
  ARROW_ASSIGN_OR_RAISE(inspected.state, ReadServerState(connection));
  ARROW_ASSIGN_OR_RAISE(inspected.account, connection->QueryValue("SELECT CURRENT_USER()"));
  if (inspected.state.IsOn("log_bin")) {
    ARROW_ASSIGN_OR_RAISE(inspected.may_read_log, MayReadLog(connection));
    auto log = ReadLogStatus(connection);
    inspected.may_see_status = log.ok();
    if (!log.ok() && !IsPermission(log.status())) return log.status();
    if (log.ok()) inspected.log = *std::move(log);
  } else {
    // Nothing can be tried.
    ARROW_ASSIGN_OR_RAISE(inspected.may_read_log, IsGranted(connection, "REPLICATION SLAVE"));
    ARROW_ASSIGN_OR_RAISE(inspected.may_see_status, IsGranted(connection, MonitorOf(inspected.state.flavor)));
  }
  ARROW_RETURN_NOT_OK(InspectCopy(connection, &inspected));
  ARROW_ASSIGN_OR_RAISE(inspected.may_select_all, IsGranted(connection, "SELECT"));
  if (inspected.log.has_value()) {
    const bool mariadb = inspected.state.flavor == Flavor::kMariadb;
    auto replica = connection->Query(mariadb ? "SHOW ALL SLAVES STATUS" : "SHOW REPLICA STATUS");
    if (!replica.ok()) replica = connection->Query("SHOW SLAVE STATUS");  // MySQL before 8.0.22
    inspected.is_replica = replica.ok() && !replica->empty();
  }
  ARROW_ASSIGN_OR_RAISE(inspected.tables, ReadCatalog(connection));
  if (!patterns.empty()) {
    ARROW_ASSIGN_OR_RAISE(const TablePatterns wanted, TablePatterns::Parse(patterns));
    for (const CatalogTable& table : inspected.tables) inspected.names.push_back(table.table.name);
    ARROW_ASSIGN_OR_RAISE(inspected.idle_patterns, IdlePatterns(patterns, inspected.names));
    std::erase_if(inspected.tables,
                  [&](const CatalogTable& table) { return !wanted.Matches(table.table.name); });
  }
  ARROW_ASSIGN_OR_RAISE(inspected.cascades,
                        ReadCascades(connection, inspected.state, inspected.tables, &inspected.not_shown));
  return inspected;
}

MysqlChecks Judge(const Inspected& inspected, bool accept_cascades, bool before) {
  Judgement judgement(inspected);
  judgement.Log();
  judgement.Retention();
  judgement.Gtids();
  judgement.Rights();
  judgement.Tables(accept_cascades);
  if (before) judgement.BeforeAStream();
  return std::move(judgement.checks);
}

}  // namespace arrowcdc::mysql
