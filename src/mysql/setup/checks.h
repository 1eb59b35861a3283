// What of a server's settings, rights and tables is in the way of a stream: a pure function over what was
// inspected.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "arrowcdc/mysql.h"
#include "src/mysql/setup/server_state.h"

namespace arrowcdc::mysql {

// 'user'@'host', each part quoted.
std::string QuoteAccount(const std::string& account);

struct Inspected {
  ServerState state;
  std::string account;           // 'user'@'host' as the server knows it
  bool may_read_log = false;     // REPLICATION SLAVE
  bool may_see_status = false;   // REPLICATION CLIENT, MariaDB: BINLOG MONITOR
  std::optional<LogStatus> log;  // none: it may not be seen, or there is none
  bool is_replica = false;       // of another server, as far as that may be seen
  // MySQL: by either a point of the log can be had for rows that are there.
  bool may_see_log_status = true;          // BACKUP_ADMIN, and SELECT on performance_schema.log_status
  bool may_lock = true;                    // RELOAD
  bool may_select_all = false;             // SELECT on *.*, as far as the account's own grants tell
  std::vector<std::string> idle_patterns;  // which match no table that the account can see
  std::vector<TableName> names;            // of all tables that it can see
  std::vector<CatalogTable> tables;        // those that match
  std::vector<Cascade> cascades;           // of those
  std::vector<TableName> not_shown;        // those whose foreign keys the account may not see
};

// Tries what only trying tells. patterns: none for all tables.
arrow::Result<Inspected> Inspect(Connection* connection, const std::vector<std::string>& patterns);

// before: nothing streams yet, so that tables, and the rights to copy their rows, are looked at too.
MysqlChecks Judge(const Inspected& inspected, bool accept_cascades, bool before);

}  // namespace arrowcdc::mysql
