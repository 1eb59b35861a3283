// The transaction that is being decoded, and where among the rows of its WAL records a row stands. What of it
// was sent is the group's (group.h).
#pragma once

#include "plugin/pg.h"

namespace arrowcdc::plugin {

struct Transaction {
  uint64_t commit_lsn;
  int64_t commit_ts;  // microseconds since 1970-01-01 UTC
  TransactionId xid;
  uint64_t number;              // in this session, from 1
  bool touched;                 // something of it is published
  uint64_t record_lsn;          // WAL record of the last change
  uint32_t record_rows;         // rows of it so far
  uint32_t unreported_changes;  // since the client was told that it goes on
};

}  // namespace arrowcdc::plugin
