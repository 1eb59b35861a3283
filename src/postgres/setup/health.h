// How a slot fares on its server, and what may hurt it: read once, judged without a connection.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "arrowcdc/postgres.h"
#include "arrowcdc/table_patterns.h"
#include "src/postgres/client/connection.h"
#include "src/postgres/setup/provider.h"
#include "src/postgres/setup/slot.h"

namespace arrowcdc::postgres {

// That has been open for long.
struct OpenTransaction {
  std::string what;  // for people: "pid 12 (psql), idle in transaction"
  std::chrono::seconds age{0};
  std::string end;  // SQL that ends it
};

struct SpillCounts {
  int64_t spilled_transactions = 0;
  int64_t spilled_bytes = 0;
};

struct TableHealth {
  TableName name;
  bool row_security = false;  // hides rows from the role
  bool full_identity = false;
  int64_t toast_bytes = 0;  // of values that are stored out of line
};

// What the library in the server says of itself, once a session has loaded it.
struct PluginVersion {
  bool loaded = false;  // false: the role could not, or the server has none
  std::string text;     // empty: it is older than what tells
};

struct Health {
  int version_num = 0;
  std::string client_version;
  std::optional<PluginVersion> wal2arrow;  // none: the slot is not one of it
  Provider provider = Provider::kNone;
  std::string role;
  bool sees_others = false;                     // what other sessions do
  std::map<std::string, std::string> settings;  // in the units of pg_settings; those that there are
  std::optional<SlotInfo> slot;
  bool failover = false;  // its flag (17 and later)
  uint64_t retained_bytes = 0;
  std::optional<double> wal_bytes_per_s;
  std::vector<OpenTransaction> transactions;
  std::optional<SpillCounts> spills;
  std::string sync_state;           // of whoever streams the slot; empty: no commit waits for it
  bool sync_state_hidden = false;   // from the role
  int standbys = 0;                 // that are connected, as far as the role sees
  std::vector<TableHealth> tables;  // that match and can be captured
};

// Waits for `between` in between, to see how fast WAL is written. Errors: the connection's.
arrow::Result<Health> ReadHealth(Connection& connection, const std::string& slot,
                                 const TablePatterns& patterns, std::chrono::milliseconds between,
                                 const StopToken* stop);

// The findings of it, those without anything to do as well.
std::vector<Finding> JudgeHealth(const Health& health);

// What a plan has found and would do.
std::vector<Finding> FindingsOf(const SetupPlan& plan);

}  // namespace arrowcdc::postgres
