// A replication slot as the server describes it, and whether it can be streamed.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>

#include <arrow/result.h>

#include "arrowcdc/postgres.h"
#include "src/postgres/client/connection.h"

namespace arrowcdc::postgres {

inline constexpr char kPluginName[] = "wal2arrow";
inline constexpr char kPgoutputName[] = "pgoutput";

struct SlotInfo {
  std::string name;
  std::string plugin;    // empty: a physical slot, or one that has only just begun to be made
  std::string database;  // empty: a physical slot
  bool active = false;
  std::optional<int> active_pid;
  std::string active_application;  // of that pid
  std::string active_role;         // of that pid; empty: not known
  // The session that makes it has not finished: it waits for transactions that were open before, and the slot
  // goes away with it.
  bool being_made = false;
  std::string waits_for;  // of these, for people; empty: not known
  uint64_t confirmed_flush = 0;
  uint64_t restart_lsn = 0;
  std::string wal_status;
  std::optional<int64_t> safe_wal_bytes;
  std::string invalidation;          // empty: usable
  bool two_phase = false;            // PREPARE is decoded when it happens
  bool synced = false;               // a standby's copy of the primary's slot (17 and later)
  int64_t decoded_transactions = 0;  // since the statistics were reset; a crash of the server resets them
};

// nullopt: there is none of this name. The name must have passed CheckSlotName.
arrow::Result<std::optional<SlotInfo>> ReadSlot(Connection& connection, const std::string& name);

// Pure. Errors: kSlotMismatch, kSlotInvalidated; kBusy for one that is being made; retryable.
arrow::Status CheckSlotFits(const SlotInfo& slot, const std::string& database, OutputPlugin plugin);
// Errors: kSlotActive with pid and application; retryable.
arrow::Status CheckSlotFree(const SlotInfo& slot);
// Runs `sql`, which makes the slot `context.slot`, and gives up after `timeout`: a new slot waits for all
// transactions that are open. `made` is called with the result, before any other command: what the slot
// exports is gone with the next one. Where the connection is stopped no half-made slot stays. Errors: typed;
// kBusy after the timeout, with the sessions it waited for.
arrow::Status CreateSlot(Connection& connection, const std::string& sql, const ErrorContext& context,
                         std::chrono::milliseconds timeout,
                         const std::function<arrow::Status(const QueryResult&)>& made = nullptr);

// Of this session, which alone can stream it; transactions of others that are open are waited for, up to half
// a minute. plugin: not kAuto. Errors: as CreateSlot.
arrow::Status CreateTemporarySlot(Connection& connection, const std::string& name, OutputPlugin plugin);

// For a superuser, what allows the plugin to the session; nothing for others. "SELECT ...", without ';'.
extern const char kAllowPluginHere[];

// Loads the plugin through a temporary slot that is gone at once: the only way for an ordinary role to see
// whether it can. Errors: kPluginMissing, kPluginNotAllowed and what else making a slot can meet.
arrow::Status TryPlugin(Connection& connection, const char* plugin);

// The logical slots of the connection's database, but for temporary ones.
arrow::Result<std::set<std::string>> ReadSlotNames(Connection& connection);

// Errors: kSlotMissing, which names the slots that there are.
arrow::Status SlotMissing(const std::string& name, const std::set<std::string>& others);
// As ReadSlot, where there is to be one. Errors: kSlotMissing.
arrow::Result<SlotInfo> FindSlot(Connection& connection, const std::string& name);

}  // namespace arrowcdc::postgres
