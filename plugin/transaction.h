// The transaction that is being decoded, and where among the rows of its WAL records a row stands. What of it
// was sent is the group's (group.h).
#pragma once

#include "plugin/pg.h"

namespace arrowcdc::plugin {

struct Transaction {
  uint64_t commit_lsn;          // 0 while it is in progress
  int64_t commit_ts;            // microseconds since 1970-01-01 UTC; 0 while it is in progress
  TransactionId xid;            // while it is in progress that of the part which the rows are of
  uint64_t number;              // in this session, from 1; each stretch of rows of one part has its own
  bool touched;                 // something of it is published
  uint64_t record_lsn;          // WAL record of the last change
  uint32_t record_rows;         // rows of it that were added so far
  uint32_t unreported_changes;  // since the client was told that it goes on
};

}  // namespace arrowcdc::plugin
