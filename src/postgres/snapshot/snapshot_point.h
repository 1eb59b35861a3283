// A consistent point of the WAL and the rows as they were there: a snapshot that other sessions can import.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "arrowcdc/stop_token.h"
#include "src/postgres/client/connection.h"
#include "src/postgres/snapshot/slot_watch.h"

namespace arrowcdc::postgres {

// One thread at a time. While it lives its session holds the server's horizon (xmin) back.
class SnapshotPoint {
 public:
  // Makes a temporary slot of `plugin`, which gives the point, imports what it exports and lets the slot go.
  // Blocking: until the transactions that are open have ended, at most `patience`. Errors: kBusy, retryable,
  // with the sessions that it waited for, or where too many subtransactions are in progress; those of making
  // a slot; kConnection where another server answers than that of `system` and `timeline`.
  static arrow::Result<std::unique_ptr<SnapshotPoint>> Take(const std::string& conninfo,
                                                            std::shared_ptr<StopToken> stop,
                                                            const std::string& system, int64_t timeline,
                                                            const std::string& plugin,
                                                            std::chrono::milliseconds patience);

  // A transaction in the snapshot that reads and does not write.
  Connection& connection() { return *connection_; }

  uint64_t lsn() const { return lsn_; }              // what committed before it is in the snapshot
  int64_t commit_ts() const { return taken_at_; }    // when that was, microseconds since 1970-01-01 UTC
  const std::string& name() const { return name_; }  // for SET TRANSACTION SNAPSHOT
  const std::string& seen() const { return seen_; }  // as pg_current_snapshot says it

  // Keeps the session from looking idle, and looks at the slot. Errors: the snapshot is gone; kSlotMissing,
  // kSlotInvalidated.
  arrow::Result<SnapshotHold> KeepAlive(const std::string& slot);
  std::vector<SourceNotice> TakeNotices() { return watch_.TakeNotices(); }

 private:
  SnapshotPoint() = default;

  std::unique_ptr<Connection> connection_;
  uint64_t lsn_ = 0;
  int64_t taken_at_ = 0;
  std::string name_;
  std::string seen_;
  std::chrono::steady_clock::time_point held_since_;
  SlotWatch watch_;
};

// Begins a transaction of `connection` in the snapshot of that name.
arrow::Status BeginInSnapshot(Connection& connection, const std::string& name);

// Settings of a session that copies: no time limits, values as the readers take them.
arrow::Status PrepareForCopy(Connection& connection);

}  // namespace arrowcdc::postgres
