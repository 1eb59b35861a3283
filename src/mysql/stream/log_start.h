// Where in a server's log a stream begins, so that the next transaction follows what there is: a pure
// function over what was asked of the server, and the request for the dump that follows from it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "arrowcdc/mysql.h"
#include "arrowcdc/position.h"
#include "src/mysql/setup/server_state.h"
#include "src/mysql/stream/log_place.h"

namespace arrowcdc::mysql {

// The server's log now.
struct LogStanding {
  Flavor flavor = Flavor::kMysql;
  std::string server;  // as ServerState::server
  bool only_committed = false;
  std::vector<LogFile> files;
  LogStatus status;
  GtidSet purged;                           // MySQL
  std::vector<MariadbGtid> binlog_state{};  // MariaDB: the last of each domain and server
  GtidState removed{Flavor::kMariadb};      // MariaDB: in front of the oldest file, by domain
};
arrow::Result<LogStanding> ReadStanding(Connection* connection, const ServerState& state);

struct LogStart {
  LogToken token;  // of where it begins
  LogPlace place;  // in the epoch of what is stored
  // By its GTIDs; false: by file and offset.
  bool by_gtids = true;
  // That comes first, is compared and dropped. None: nothing is there to compare.
  std::optional<LastTransaction> expected;
};

// Nothing is there.
arrow::Result<LogStart> ChooseFirstStart(const LogStanding& now, MysqlStart start);
// Errors: kPositionGap where changes are lacking in between, or the server's history is another one.
// accept_gap: changes that the server has removed may lack.
arrow::Result<LogStart> ChooseNextStart(const LogStanding& now, const Position& stored, bool accept_gap);

// Whether all tables may be copied anew behind what is stored. Errors: kPositionGap where the server has
// nothing of what was delivered, and is another one.
arrow::Status CheckMayCopyAnew(const LogStanding& now, const Position& stored);
// Whether the server has all that was committed before the position.
arrow::Result<bool> HasAllBefore(const LogStanding& now, const Position& position);

// Asks for the dump. Blocking.
arrow::Status BeginDumpAt(Connection* connection, const LogStanding& now, const LogStart& start);

}  // namespace arrowcdc::mysql
