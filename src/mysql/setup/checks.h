// What of a server's settings, rights and tables is in the way of a stream: a pure function over what was
// inspected.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "arrowcdc/mysql.h"
#include "src/mysql/setup/server_state.h"

namespace arrowcdc::mysql {

struct Inspected {
  ServerState state;
  std::string account;               // 'user'@'host' as the server knows it
  bool may_read_log = false;         // REPLICATION SLAVE
  bool may_see_status = false;       // REPLICATION CLIENT, MariaDB: BINLOG MONITOR
  std::optional<LogStatus> log;      // none: it may not be seen, or there is none
  bool is_replica = false;           // of another server, as far as that may be seen
  bool filters = false;              // binlog_do_db or binlog_ignore_db
  std::vector<CatalogTable> tables;  // those that match
  std::vector<Cascade> cascades;     // of those
};

// Tries what only trying tells. `wanted`: by name.
arrow::Result<Inspected> Inspect(Connection* connection, const std::function<bool(const TableName&)>& wanted);

MysqlChecks Judge(const Inspected& inspected, bool accept_cascades);

}  // namespace arrowcdc::mysql
