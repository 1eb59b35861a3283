// What of a server hurts a stream later: read by several questions, judged by a pure function.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "arrowcdc/administration.h"
#include "arrowcdc/stop_token.h"
#include "src/mysql/client/connection.h"
#include "src/mysql/setup/checks.h"

namespace arrowcdc::mysql {

struct Health {
  // From the oldest on; none: the account may not see them, or there is no log.
  std::optional<std::vector<LogFile>> files;
  std::optional<double> bytes_per_s;  // that are written to the log now

  struct Prepared {
    std::string xid;  // as XA COMMIT takes it
  };
  std::optional<std::vector<Prepared>> prepared;  // none: the account may not see them

  struct Transaction {
    uint64_t thread = 0;
    uint64_t seconds = 0;  // that it has been open
    uint64_t rows = 0;     // that it has changed
  };
  std::optional<std::vector<Transaction>> open;  // that have changed rows and last; none: not to be seen

  uint64_t connections = 0;     // that are open
  uint64_t cached = 0;          // transactions since the server's start
  uint64_t cached_on_disk = 0;  // of them: that did not fit into binlog_cache_size
};

// between: how long to look at the log, to see how fast it is written.
arrow::Result<Health> ReadHealth(Connection* connection, const ServerState& state,
                                 std::chrono::milliseconds between, const StopToken* stop);

std::vector<Finding> JudgeHealth(const Health& health, const Inspected& inspected);

// What is known of a release, "8.0.38" or "10.5.29-MariaDB-log". nullopt: nothing against it.
std::optional<std::string> WarnOfRelease(Flavor flavor, const std::string& version);

}  // namespace arrowcdc::mysql
