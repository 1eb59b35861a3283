// A point of the log and transactions that see the rows as they were there.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "arrowcdc/stop_token.h"
#include "src/mysql/client/connection.h"
#include "src/mysql/snapshot/mysql_snapshot.h"

namespace arrowcdc::mysql {

struct SnapshotPoint {
  LogPoint place;
  int64_t taken_at = 0;  // microseconds since 1970-01-01 UTC, by the server's clock
  // Each in a transaction that reads: all see the same rows.
  std::vector<std::unique_ptr<Connection>> connections;
};

// Lets go of the tables that a transaction of a point has read: as long as it holds them, DDL of them waits,
// and with it all others who want them. What it sees stays the same. MariaDB does so for roles with BINLOG
// ADMIN alone.
arrow::Status LetGoOfTables(Connection& connection);

// Whether log_status of that MySQL answers only when all that stands in the log is committed: seen of 9.7;
// nothing is known of earlier ones.
bool WaitsForCommits(const std::string& version);

// waits_for_commits: as above. Errors: as TakeSnapshot. Blocking: on queries; where log_status may not be
// read, or does not do, FLUSH TABLES WITH READ LOCK holds commits up while the transactions begin.
arrow::Result<SnapshotPoint> TakePoint(const Url& url, const std::shared_ptr<StopToken>& stop,
                                       int connections, bool waits_for_commits);

}  // namespace arrowcdc::mysql
