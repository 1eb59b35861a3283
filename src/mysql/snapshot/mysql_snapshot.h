// A snapshot of tables of MySQL or MariaDB: parts by ranges of the primary key, read by as many connections
// as see the same point.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "arrowcdc/mysql.h"
#include "arrowcdc/snapshot.h"
#include "src/mysql/client/url.h"
#include "src/mysql/decode/flavor.h"

namespace arrowcdc::mysql {

// Where in the log a snapshot is.
struct LogPoint {
  Flavor flavor = Flavor::kMysql;
  std::string server;  // whose files, as ServerState::server has it
  std::string file;
  uint64_t offset = 0;
  std::string gtids;  // executed before it: MySQL's set, MariaDB's list
};

// Takes a point, and reads the catalog there. position_of: a point as the source's position. Blocking: on
// queries. Errors: kPermission where the role may neither read performance_schema.log_status (BACKUP_ADMIN)
// nor lock tables for a moment (RELOAD); kBusy, retryable, where the point could not be had; those of
// ReadCopyTables.
arrow::Result<std::unique_ptr<Snapshot>> TakeSnapshot(
    const MysqlOptions& options, const Url& url, const std::vector<TableName>& tables,
    const std::function<arrow::Result<Position>(const LogPoint&)>& position_of);

}  // namespace arrowcdc::mysql
