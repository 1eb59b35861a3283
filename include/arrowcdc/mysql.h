// MySQL and MariaDB as a source, and what an administrator does with one. Changes are read from the binary
// log, from a server or from its files.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/result.h>

#include "arrowcdc/administration.h"
#include "arrowcdc/change_batch.h"
#include "arrowcdc/source.h"
#include "arrowcdc/stop_token.h"
#include "arrowcdc/unrepresentable.h"

namespace arrowcdc {

// Where a stream begins of which nothing is stored.
enum class MysqlStart {
  kNow,       // behind what is committed at that time; of files: with the first of them
  kEarliest,  // with the oldest binary log that is there
};

struct MysqlOptions {
  // mysql://[user[:password]@]host[:port]/[?name=value&...] or mariadb://..., which mean the same: the server
  // says what it is. Each part percent-encoded. Names: ssl-mode (disabled, preferred, required,
  // verify-identity), ssl-ca, ssl-cert, ssl-key, socket, option-file, read-timeout (seconds without a sign of
  // life after which the stream's connection is lost, 15). What is not given comes from the [client] group of
  // the option file (~/.my.cnf), the password before that from MYSQL_PWD.
  // binlog:DIR reads the files of a directory, in the order of their numbers, to the end.
  std::string url;
  std::vector<std::string> tables;      // patterns over database.table, docs/patterns.md
  MysqlStart start = MysqlStart::kNow;  // of who has nothing stored
  // Between the socket and the reader of events, in memory; more than 8 MiB are not used. Beyond, where none
  // is taken for a while, it goes to disk.
  int64_t buffer_bytes_max = 64 << 20;
  std::string spool_directory;  // empty: the directory for temporary files
  int64_t spool_bytes_max = 0;  // of one file there; 0: the disk is the bound
  Unrepresentable unrepresentable = Unrepresentable::kNull;
  // Changes that foreign keys make in other tables (CASCADE, SET NULL) are not in the binary log. False:
  // captured tables with such a key are refused.
  bool accept_cascades = false;
  int64_t snapshot_part_bytes = 128 << 20;  // of a table, read at a time
  int64_t snapshot_connections = 0;         // as PipelineOptions::snapshot_connections, which it must be
  // Ends what waits for the server. Its error is kInterrupted. Null: nothing does.
  std::shared_ptr<StopToken> stop;
};

// Whether the text is one that MysqlOptions::url takes, by its scheme.
bool IsMysqlUrl(const std::string& text);

// Position::order of "binlog.000012:4567", a place in the log as its server calls it. Errors: kInvalidOption.
arrow::Result<uint64_t> ParseBinlogPosition(std::string_view text);
// A position of this source, which may be a stored one, in that form.
std::string FormatBinlogPosition(const Position& position);

// Connects at Source::Connect. Errors: kInvalidOption.
arrow::Result<std::unique_ptr<Source>> MakeMysqlSource(const MysqlOptions& options);

// --- administration ---

// What the server was found to be, as far as a stream needs it.
struct MysqlChecks {
  std::vector<std::string> checks;  // what was inspected and found right, for people
  std::vector<std::string> warnings;
  std::vector<SetupObstacle> obstacles;  // all of them, each with the SQL that helps
  std::vector<Finding> findings;         // all of this, as ExamineMysql has it
  // What lets the account copy rows that are there; empty: it may. Without it a stream that copies nothing
  // can begin.
  std::vector<std::string> grants_to_copy;
  std::vector<TableName> not_copied;  // tables whose rows that are there cannot be copied
};
// Inspects settings and rights, and tries what only trying tells. Changes nothing. Errors: no connection, a
// pattern that cannot be; everything else is an obstacle.
arrow::Result<MysqlChecks> CheckMysql(const MysqlOptions& source);
// OK, or an error of the first obstacle's kind that names all of them.
arrow::Status CheckObstacles(const MysqlChecks& checks);
// What removes the obstacles, and lets the account copy rows that are there, as the mysql client can run it.
// Empty: there is nothing to run, or SQL alone does not help.
std::string AdministratorSql(const MysqlChecks& checks);

// Everything that is in the way of a stream or hurts it later: what CheckMysql inspects and tries, and how
// long the log lasts, transactions that hold a stream back, connections, the release. Changes nothing. Takes
// a second longer than what it asks, to see how fast the log is written. Errors: as CheckMysql.
arrow::Result<std::vector<Finding>> ExamineMysql(const MysqlOptions& source);

// All tables that could be captured, matching or not.
arrow::Result<std::vector<TableStatus>> ListMysqlTables(const MysqlOptions& source);

struct MysqlStatus {
  std::string kind;            // "mysql" or "mariadb"
  std::string server_version;  // as the server says it
  std::string server_uuid;     // MariaDB has none
  std::string gtid_mode;       // "ON", "OFF", ...; MariaDB: "domain"
  std::string gtid_executed;   // MariaDB: gtid_binlog_pos
  std::string first_file;      // the oldest that the server still has
  std::string file;            // that is written now
  uint64_t offset = 0;         // its end
  uint64_t log_bytes = 0;      // of all files
  // After which the server removes files by itself; none: it does not.
  std::optional<int64_t> retention_seconds;
  // Clients that stream from it now; none: the role may not see them.
  std::optional<int> streams;
};
arrow::Result<MysqlStatus> GetMysqlStatus(const MysqlOptions& source);

}  // namespace arrowcdc
