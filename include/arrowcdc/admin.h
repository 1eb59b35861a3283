// What an administrator does with a source: set up, look, take down. One short-lived SQL connection a call.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "arrowcdc/change_batch.h"
#include "arrowcdc/source.h"

namespace arrowcdc {

struct SetupOptions {
  bool insert_only = false;  // tables without a usable replica identity: publish inserts and truncates only
  bool via_partition_root = true;
};

struct SetupStep {
  std::string what;  // for people: create publication "arrowcdc" for 3 tables
  std::string sql;   // exact; empty where there is nothing to run
};

// What setup found and would do. Steps are in the order in which they must be committed, one by one.
struct SetupPlan {
  std::vector<std::string> checks;  // what was inspected and found right, for people
  std::vector<SetupStep> steps;     // empty: nothing to do
  std::vector<TableName> tables;    // matched and capturable
  std::vector<std::string> warnings;
  arrow::Status blocked;  // why this role cannot run the steps; whoever may can run their SQL
};

// Inspects only. Errors: typed, each with its remedy.
arrow::Result<SetupPlan> PlanSetup(const SourceOptions& source, const SetupOptions& options);
// Runs the steps in order; on_step is called before each. A plan that is blocked changes nothing: its error
// comes back.
arrow::Status ApplySetup(const SourceOptions& source, const SetupPlan& plan,
                         const std::function<void(const SetupStep&)>& on_step);

// Drops the slot and the publications that setup made.
arrow::Result<SetupPlan> PlanTeardown(const SourceOptions& source);

struct SlotStatus {
  bool exists = false;
  std::string plugin;
  std::string database;
  bool active = false;
  std::optional<int> active_pid;
  uint64_t confirmed_flush = 0;
  uint64_t restart_lsn = 0;
  uint64_t current_lsn = 0;
  uint64_t retained_bytes = 0;            // WAL the server keeps because of the slot
  std::optional<int64_t> safe_wal_bytes;  // left before max_slot_wal_keep_size invalidates it
  std::string wal_status;
  std::vector<std::string> publications;
};
arrow::Result<SlotStatus> GetSlotStatus(const SourceOptions& source);

// The end of the server's WAL now, as Source::CurrentEnd.
arrow::Result<WalEnd> GetWalEnd(const SourceOptions& source);

// Of the client that streams the slot, as pg_stat_replication tells it: async, potential, sync or quorum;
// empty where nobody does or the role may not see it.
arrow::Result<std::string> GetSyncState(const SourceOptions& source);

struct TableStatus {
  TableName name;
  bool matches = false;
  bool published = false;
  bool passed_over = false;  // published, but neither it nor a table it is a partition of matches
  char replica_identity = 'd';
  bool usable_identity = false;
  std::string reason;  // the pattern that decided, and what hinders
};
// All tables of the database that could be captured, matching or not.
arrow::Result<std::vector<TableStatus>> ListTables(const SourceOptions& source);

}  // namespace arrowcdc
