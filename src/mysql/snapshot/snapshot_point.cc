// Between two looks at an equal place in the log nothing was written there. Once all that stands before it is
// committed, transactions that begin in between see all of that, each of them the same. MariaDB tells of each
// such transaction where it is.
#include "src/mysql/snapshot/snapshot_point.h"

#include <charconv>
#include <chrono>
#include <optional>
#include <utility>

#include "arrowcdc/error.h"
#include "src/mysql/setup/server_state.h"

namespace arrowcdc::mysql {
namespace {

// Where others commit without a pause, a lock does it.
constexpr int kTriesMax = 200;
constexpr std::chrono::seconds kCommitsWait{10};

using Connections = std::vector<std::unique_ptr<Connection>>;

// What MySQL has in its log and has not committed yet.
enum class Commits {
  kWaitedFor,  // by log_status
  kShown,      // by their GTIDs
  kNotShown,   // gtid_mode is not ON
};

arrow::Result<LogPoint> PointIn(const Rows& rows, const std::string& server) {
  LogPoint point;
  const bool whole =
      rows.size() == 1 && rows[0].size() >= 2 && rows[0][0].has_value() && rows[0][1].has_value();
  if (whole) {
    const std::string& offset = *rows[0][1];
    const auto [end, error] = std::from_chars(offset.data(), offset.data() + offset.size(), point.offset);
    if (error == std::errc() && end == offset.data() + offset.size()) {
      point.file = *rows[0][0];
      point.gtids = rows[0].back().value_or("");
      std::erase(point.gtids, '\n');
      return point;
    }
  }
  return MakeError(ErrorKind::kServerSetting, "the server has no binary log", "server " + server,
                   "start it with log_bin");
}

arrow::Result<LogPoint> ReadExactEnd(Connection& connection) {
  ARROW_ASSIGN_OR_RAISE(const Rows rows,
                        connection.Query("SELECT local->>'$.binary_log_file', "
                                         "local->>'$.binary_log_position', local->>'$.gtid_executed' FROM "
                                         "performance_schema.log_status"));
  return PointIn(rows, connection.server());
}

// While nobody can commit.
arrow::Result<LogPoint> ReadEnd(Connection& connection) {
  const bool is_mysql = connection.flavor() == Flavor::kMysql;
  auto rows = connection.Query(is_mysql ? "SHOW BINARY LOG STATUS" : "SHOW MASTER STATUS");
  if (!rows.ok() && is_mysql) rows = connection.Query("SHOW MASTER STATUS");  // before 8.2
  ARROW_RETURN_NOT_OK(rows.status());
  return PointIn(*rows, connection.server());
}

arrow::Status Begin(const Connections& connections) {
  for (const auto& connection : connections)
    ARROW_RETURN_NOT_OK(connection->Query("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY").status());
  return arrow::Status::OK();
}

arrow::Status Rollback(const Connections& connections) {
  for (const auto& connection : connections) ARROW_RETURN_NOT_OK(connection->Query("ROLLBACK").status());
  return arrow::Status::OK();
}

// What is in the log is not there for others before its engine has committed it, and that may last: a replica
// is to acknowledge it, or the disk is slow. Until then its session owns its GTID.
arrow::Result<bool> IsCommitting(Connection& look) {
  ARROW_ASSIGN_OR_RAISE(const std::string owned, look.QueryValue("SELECT @@GLOBAL.gtid_owned"));
  return !owned.empty();
}

// nullopt: somebody committed meanwhile, each time, or was about to, as `why` says.
arrow::Result<std::optional<LogPoint>> BeginBetweenEqual(Connection& look, const Connections& connections,
                                                         bool looks_at_commits, std::string* why) {
  const auto deadline = std::chrono::steady_clock::now() + kCommitsWait;
  ARROW_ASSIGN_OR_RAISE(LogPoint before, ReadExactEnd(look));
  for (int i = 0; i < kTriesMax && std::chrono::steady_clock::now() < deadline;) {
    ARROW_ASSIGN_OR_RAISE(const bool is_committing,
                          looks_at_commits ? IsCommitting(look) : arrow::Result<bool>(false));
    *why = is_committing ? "a commit that is in the log does not come to its end"
                         : "others commit without a pause";
    if (is_committing) {
      ARROW_RETURN_NOT_OK(look.Query("DO SLEEP(0.002)").status());
      ARROW_ASSIGN_OR_RAISE(before, ReadExactEnd(look));
      continue;
    }
    ARROW_RETURN_NOT_OK(Begin(connections));
    ARROW_ASSIGN_OR_RAISE(LogPoint after, ReadExactEnd(look));
    if (after.file == before.file && after.offset == before.offset) return after;
    ARROW_RETURN_NOT_OK(Rollback(connections));
    before = std::move(after);
    ++i;
  }
  return std::optional<LogPoint>();
}

// "binlog_snapshot_file" and the others of a transaction that has begun.
arrow::Result<LogPoint> ReadSnapshotStatus(Connection& connection) {
  ARROW_ASSIGN_OR_RAISE(
      const Rows status,
      connection.Query("SELECT (SELECT variable_value FROM information_schema.session_status "
                       "WHERE variable_name = 'BINLOG_SNAPSHOT_FILE'), (SELECT "
                       "variable_value FROM information_schema.session_status WHERE "
                       "variable_name = 'BINLOG_SNAPSHOT_POSITION'), ''"));
  return PointIn(status, connection.server());
}

arrow::Result<std::optional<LogPoint>> BeginUntilEqual(const Connections& connections) {
  for (int i = 0; i < kTriesMax; ++i) {
    ARROW_RETURN_NOT_OK(Begin(connections));
    std::optional<LogPoint> common;
    bool equal = true;
    for (const auto& connection : connections) {
      ARROW_ASSIGN_OR_RAISE(LogPoint own, ReadSnapshotStatus(*connection));
      if (common.has_value()) equal &= own.file == common->file && own.offset == common->offset;
      common = std::move(own);
    }
    if (equal) return common;
    ARROW_RETURN_NOT_OK(Rollback(connections));
  }
  return std::optional<LogPoint>();
}

bool HasCode(const arrow::Status& status, const char* code) {
  return status.message().find(std::string("(error ") + code + ")") != std::string::npos;
}

arrow::Result<LogPoint> BeginUnderLock(Connection& look, const Connections& connections) {
  ARROW_RETURN_NOT_OK(look.Query("SET SESSION lock_wait_timeout = 5").status());
  const arrow::Status locked = look.Query("FLUSH TABLES WITH READ LOCK").status();
  if (HasCode(locked, "1205")) {
    return MakeError(ErrorKind::kBusy, "tables could not be locked for a moment: statements of others last",
                     "server " + look.server(), "end them, or wait: it will be tried again",
                     GetErrorDetail(locked)->sqlstate(), /*retryable=*/true);
  }
  ARROW_RETURN_NOT_OK(locked);
  const arrow::Status begun = Begin(connections);
  arrow::Result<LogPoint> point = begun.ok() ? ReadEnd(look) : arrow::Result<LogPoint>(begun);
  ARROW_RETURN_NOT_OK(look.Query("UNLOCK TABLES").status());
  return point;
}

bool IsDenied(const arrow::Status& status) {
  const ErrorDetail* const detail = GetErrorDetail(status);
  return detail != nullptr && detail->kind() == ErrorKind::kPermission;
}

// Why no point can be had without a lock, and the rights that would do.
struct NoPoint {
  std::string why;
  std::string grants;  // instead of RELOAD; empty: there are none
};

arrow::Result<std::optional<LogPoint>> BeginWithoutLock(Connection& look, const Connections& connections,
                                                        Commits commits, NoPoint* none) {
  if (look.flavor() == Flavor::kMariadb) {
    none->why = "others commit without a pause";
    return BeginUntilEqual(connections);
  }
  if (commits == Commits::kNotShown) {
    none->why = "without GTIDs (gtid_mode) nothing tells who is about to commit";
    return std::optional<LogPoint>();
  }
  auto begun = BeginBetweenEqual(look, connections, commits == Commits::kShown, &none->why);
  if (!IsDenied(begun.status())) return begun;
  const bool may_select = HasCode(begun.status(), "1227");  // BACKUP_ADMIN alone is lacking
  none->why = may_select ? "the account lacks BACKUP_ADMIN"
                         : "the account may not read performance_schema.log_status";
  none->grants = may_select ? "BACKUP_ADMIN ON *.*"
                            : "BACKUP_ADMIN ON *.*, and SELECT ON performance_schema.log_status,";
  return std::optional<LogPoint>();
}

arrow::Result<LogPoint> BeginAll(Connection& look, const Connections& connections, Commits commits) {
  NoPoint none;
  ARROW_ASSIGN_OR_RAISE(auto begun, BeginWithoutLock(look, connections, commits, &none));
  if (begun.has_value()) return *std::move(begun);
  const auto locked = BeginUnderLock(look, connections);
  if (locked.ok() || !IsDenied(locked.status())) return locked;
  return MakeError(
      ErrorKind::kPermission,
      none.why +
          ", and it may not lock tables for a moment (RELOAD), so no point of the log can be had "
          "for the rows",
      "server " + look.server(),
      "GRANT " + (none.grants.empty() ? "RELOAD ON *.* to it" : none.grants + " to it (or RELOAD ON *.*)") +
          "; or leave out the rows that are there before (--snapshot never)");
}

// A copy may take hours, and whoever takes the rows may be slow.
arrow::Result<std::unique_ptr<Connection>> OpenReader(const Url& url,
                                                      const std::shared_ptr<StopToken>& stop) {
  ARROW_ASSIGN_OR_RAISE(auto connection, Connection::Open(url, stop));
  for (const char* const sql :
       {"SET SESSION net_write_timeout = 86400, wait_timeout = 86400, lock_wait_timeout = 10",
        "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ"})
    ARROW_RETURN_NOT_OK(connection->Query(sql).status());
  // A session that might write into the log keeps tables until its end there (LetGoOfTables). Without the
  // right to it they are kept.
  if (connection->flavor() == Flavor::kMariadb) (void)connection->Query("SET SESSION sql_log_bin = 0");
  return connection;
}

}  // namespace

bool WaitsForCommits(const std::string& version) {
  unsigned major = 0;
  unsigned minor = 0;
  const char* const end = version.data() + version.size();
  const auto [dot, error] = std::from_chars(version.data(), end, major);
  if (error != std::errc() || dot == end) return false;
  std::from_chars(dot + 1, end, minor);
  return major > 9 || (major == 9 && minor >= 7);
}

arrow::Result<SnapshotPoint> TakePoint(const Url& url, const std::shared_ptr<StopToken>& stop,
                                       int connections, bool waits_for_commits) {
  SnapshotPoint point;
  for (int i = 0; i < connections; ++i) {
    ARROW_ASSIGN_OR_RAISE(auto connection, OpenReader(url, stop));
    point.connections.push_back(std::move(connection));
  }
  ARROW_ASSIGN_OR_RAISE(const auto look, Connection::Open(url, stop));
  ARROW_ASSIGN_OR_RAISE(const ServerState state, ReadServerState(look.get()));
  ARROW_ASSIGN_OR_RAISE(point.place, BeginAll(*look, point.connections,
                                              waits_for_commits        ? Commits::kWaitedFor
                                              : state.only_committed() ? Commits::kShown
                                                                       : Commits::kNotShown));
  for (const auto& connection : point.connections)
    ARROW_RETURN_NOT_OK(connection->Query("SAVEPOINT nothing_read").status());
  point.place.flavor = state.flavor;
  point.place.server = state.server();
  if (look->flavor() == Flavor::kMariadb) {
    ARROW_ASSIGN_OR_RAISE(point.place.gtids,
                          look->QueryValue("SELECT BINLOG_GTID_POS(" + QuoteText(point.place.file) + ", " +
                                           std::to_string(point.place.offset) + ")"));
  }
  ARROW_ASSIGN_OR_RAISE(const std::string now,
                        look->QueryValue("SELECT CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS UNSIGNED)"));
  std::from_chars(now.data(), now.data() + now.size(), point.taken_at);
  return point;
}

arrow::Status LetGoOfTables(Connection& connection) {
  return connection.Query("ROLLBACK TO SAVEPOINT nothing_read").status();
}

}  // namespace arrowcdc::mysql
