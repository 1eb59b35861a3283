// pg_replication_slots has grown columns with the versions; what one lacks is derived or empty.
#include "src/postgres/setup/slot.h"

#include "arrowcdc/error.h"
#include "arrowcdc/position.h"
#include "src/postgres/client/quoting.h"

namespace arrowcdc::postgres {
namespace {

std::string SlotObject(const SlotInfo& slot) { return "slot \"" + slot.name + "\""; }

bool HasPlugin(const SlotInfo& slot, OutputPlugin plugin) {
  return (plugin != OutputPlugin::kPgoutput && slot.plugin == kPluginName) ||
         (plugin != OutputPlugin::kWal2arrow && slot.plugin == kPgoutputName);
}

// Why the slot is lost, or an empty text.
std::string InvalidationExpression(int server_version) {
  const std::string before_17 =
      "CASE WHEN s.wal_status = 'lost' OR (s.plugin IS NOT NULL AND s.restart_lsn IS NULL) THEN "
      "'wal_removed' ELSE '' END";
  return server_version >= 170000 ? "coalesce(s.invalidation_reason, " + before_17 + ")" : before_17;
}

std::string SlotQuery(int server_version, const std::string& quoted_name) {
  return "SELECT s.plugin, s.database, s.active, s.active_pid, a.application_name, s.confirmed_flush_lsn, "
         "s.restart_lsn, "
         "s.wal_status, s.safe_wal_size, " +
         InvalidationExpression(server_version) + ", " + (server_version >= 170000 ? "s.synced" : "false") +
         ", coalesce(t.total_txns, 0), s.two_phase, a.usename FROM pg_replication_slots AS s "
         "LEFT JOIN pg_stat_activity AS a ON a.pid = s.active_pid "
         "LEFT JOIN pg_stat_replication_slots AS t ON t.slot_name = s.slot_name "
         "WHERE s.slot_name = " +
         quoted_name;
}

// Sessions that a new slot may be waiting for.
std::string OpenTransactions(Connection& connection) {
  const auto rows = connection.Query(
      "SELECT 'pid ' || pid || coalesce(' (' || nullif(application_name, '') || ')', '') || ', ' || "
      "coalesce(state, 'no state') "
      "FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid() "
      "UNION ALL SELECT 'prepared transaction ' || quote_literal(gid) FROM pg_prepared_xacts ORDER BY 1 "
      "LIMIT 10");
  std::string list;
  if (!rows.ok()) return list;
  for (int row = 0; row < rows->rows(); ++row) list += (row == 0 ? "" : "; ") + rows->Text(row, 0);
  return list;
}

// Status of `sql` and of what is done with its result, under a statement timeout.
arrow::Status QueryWithin(Connection& connection, const std::string& sql, const ErrorContext& context,
                          std::chrono::milliseconds timeout,
                          const std::function<arrow::Status(const QueryResult&)>& made = nullptr) {
  // Waiting for a transaction to end is waiting for a lock, too: one limit for both.
  const std::string limit = std::to_string(timeout.count());
  ARROW_RETURN_NOT_OK(connection.Query("SET statement_timeout = " + limit));
  ARROW_RETURN_NOT_OK(connection.Query("SET lock_timeout = " + limit));
  const auto result = connection.Query(sql, context);
  arrow::Status status = result.status();
  if (status.ok() && made != nullptr) status = made(*result);
  if (PQstatus(connection.raw()) == CONNECTION_OK) {
    ARROW_RETURN_NOT_OK(connection.Query("SET statement_timeout = 0"));
    ARROW_RETURN_NOT_OK(connection.Query("SET lock_timeout = '10s'"));
  }
  return status;
}

bool TimedOut(const arrow::Status& status) {
  const ErrorDetail* detail = GetErrorDetail(status);
  return detail != nullptr && (detail->sqlstate() == "57014" || detail->sqlstate() == "55P03");
}

}  // namespace
}  // namespace arrowcdc::postgres

const char* arrowcdc::OutputPluginName(OutputPlugin plugin) {
  switch (plugin) {
    case OutputPlugin::kAuto:
      return "auto";
    case OutputPlugin::kWal2arrow:
      return postgres::kPluginName;
    case OutputPlugin::kPgoutput:
      return postgres::kPgoutputName;
  }
  return "";
}

namespace arrowcdc::postgres {

arrow::Result<std::optional<SlotInfo>> ReadSlot(Connection& connection, const std::string& name) {
  ARROW_ASSIGN_OR_RAISE(const std::string quoted, QuoteLiteral(name));
  ARROW_ASSIGN_OR_RAISE(const QueryResult rows,
                        connection.Query(SlotQuery(connection.server_version(), quoted)));
  if (rows.rows() == 0) return std::nullopt;
  SlotInfo slot;
  slot.name = name;
  slot.plugin = rows.Text(0, 0);
  slot.database = rows.Text(0, 1);
  slot.active = rows.Bool(0, 2);
  if (!rows.IsNull(0, 3)) {
    ARROW_ASSIGN_OR_RAISE(const int64_t pid, rows.Int(0, 3));
    slot.active_pid = static_cast<int>(pid);
  }
  slot.active_application = rows.Text(0, 4);
  if (!rows.IsNull(0, 5)) {
    ARROW_ASSIGN_OR_RAISE(slot.confirmed_flush, rows.Lsn(0, 5));
  }
  if (!rows.IsNull(0, 6)) {
    ARROW_ASSIGN_OR_RAISE(slot.restart_lsn, rows.Lsn(0, 6));
  }
  slot.wal_status = rows.Text(0, 7);
  if (!rows.IsNull(0, 8)) {
    ARROW_ASSIGN_OR_RAISE(slot.safe_wal_bytes, rows.Int(0, 8));
  }
  slot.being_made = !slot.database.empty() && slot.active && rows.IsNull(0, 5);
  if (slot.being_made) slot.waits_for = OpenTransactions(connection);
  slot.invalidation = slot.being_made ? "" : rows.Text(0, 9);
  slot.synced = rows.Bool(0, 10);
  ARROW_ASSIGN_OR_RAISE(slot.decoded_transactions, rows.Int(0, 11));
  slot.two_phase = rows.Bool(0, 12);
  slot.active_role = rows.Text(0, 13);
  return slot;
}

arrow::Status CheckSlotFits(const SlotInfo& slot, const std::string& database, OutputPlugin plugin) {
  if (slot.database.empty()) {
    return MakeError(ErrorKind::kSlotMismatch, "the slot is a physical one", SlotObject(slot),
                     "choose another name with --slot");
  }
  // At first a slot that is being made has none.
  if (!HasPlugin(slot, plugin) && !(slot.being_made && slot.plugin.empty())) {
    const bool known = slot.plugin == kPluginName || slot.plugin == kPgoutputName;
    const std::string wanted = plugin == OutputPlugin::kAuto
                                   ? std::string(kPluginName) + " or " + kPgoutputName
                                   : OutputPluginName(plugin);
    return MakeError(ErrorKind::kSlotMismatch, "the slot uses the plugin " + slot.plugin + ", not " + wanted,
                     SlotObject(slot),
                     "choose another name with --slot" +
                         (known ? ", or, where the slot is no subscription's, give --plugin " + slot.plugin
                                : std::string()) +
                         "; a slot's plugin cannot be changed");
  }
  // Rows would come at PREPARE, when nobody knows whether they will be committed, and no more than a word at
  // COMMIT PREPARED.
  if (slot.two_phase) {
    return MakeError(ErrorKind::kSlotMismatch, "the slot was made with two_phase, which is not supported",
                     SlotObject(slot),
                     "choose another name with --slot: setup makes the slot without it, and prepared "
                     "transactions come whole when they are committed");
  }
  if (slot.database != database) {
    return MakeError(
        ErrorKind::kSlotMismatch,
        "the slot belongs to the database \"" + slot.database + "\", the connection to \"" + database + "\"",
        SlotObject(slot), "connect to that database, or choose another name with --slot");
  }
  if (slot.synced) {
    return MakeError(ErrorKind::kSlotMismatch, "the slot is this standby's copy of the primary's",
                     SlotObject(slot),
                     "connect to the primary; the copy can be used once this server has been promoted");
  }
  if (slot.being_made) {
    const std::string pid = std::to_string(slot.active_pid.value_or(0));
    return MakeError(ErrorKind::kBusy,
                     "server process " + pid +
                         " is still making the slot: it waits for transactions that "
                         "were open before" +
                         (slot.waits_for.empty() ? "" : ": " + slot.waits_for),
                     SlotObject(slot),
                     "wait for these transactions or end them, then run it again; where nobody waits for the "
                     "slot any more: SELECT pg_cancel_backend(" +
                         pid + ")",
                     "", true);
  }
  if (!slot.invalidation.empty()) {
    return MakeError(ErrorKind::kSlotInvalidated,
                     "the server has invalidated the slot (" + slot.invalidation + "): changes after " +
                         FormatLsn(slot.confirmed_flush) + " are gone",
                     SlotObject(slot),
                     "run 'arrowcdc teardown' and 'arrowcdc setup', then stream with --snapshot when-needed, "
                     "which copies all rows anew, or into a new sink; a larger max_slot_wal_keep_size keeps "
                     "it from happening again");
  }
  return arrow::Status::OK();
}

arrow::Status CheckSlotFree(const SlotInfo& slot) {
  if (!slot.active) return arrow::Status::OK();
  const std::string pid = std::to_string(slot.active_pid.value_or(0));
  return MakeError(
      ErrorKind::kSlotActive,
      "the slot is active for PID " + pid +
          (slot.active_application.empty() ? "" : " (application_name \"" + slot.active_application + "\")"),
      SlotObject(slot), "another client reads it: stop that one first, or use a slot of your own", "", true);
}

arrow::Status CreateSlot(Connection& connection, const std::string& sql, const ErrorContext& context,
                         std::chrono::milliseconds timeout,
                         const std::function<arrow::Status(const QueryResult&)>& made) {
  arrow::Status created = QueryWithin(connection, sql, context, timeout, made);
  if (!TimedOut(created)) return created;
  const std::string open = OpenTransactions(connection);
  return MakeError(
      ErrorKind::kBusy,
      "the slot could not be made within " + std::to_string(timeout.count()) +
          " ms: it waits for transactions that were open before" + (open.empty() ? "" : ": " + open),
      "slot \"" + context.slot + "\"",
      "end these transactions (pg_terminate_backend, ROLLBACK PREPARED), then run it again", "57014", true);
}

// pg_settings has no row where the server lacks the setting or the role may not even see it. What stands in
// quotes is another name, also where it holds ours.
constinit const char kAllowPluginHere[] =
    "SELECT pg_catalog.set_config(name, pg_catalog.concat_ws(', ', nullif(setting, ''), 'wal2arrow'), false) "
    "FROM pg_catalog.pg_settings WHERE name = 'output_plugin_libraries' AND "
    "pg_catalog.current_setting('is_superuser') = 'on' AND NOT 'wal2arrow' = ANY "
    "(pg_catalog.regexp_split_to_array(pg_catalog.regexp_replace(pg_catalog.replace(setting, "
    "'\"wal2arrow\"', 'wal2arrow'), '\"[^\"]*\"', '', 'g'), ' *, *'))";

arrow::Status CreateTemporarySlot(Connection& connection, const std::string& name, OutputPlugin plugin) {
  constexpr std::chrono::seconds kPatience(30);
  ARROW_RETURN_NOT_OK(CheckSlotName(name));
  ARROW_ASSIGN_OR_RAISE(const std::string quoted, QuoteReplicationIdentifier(name));
  if (plugin == OutputPlugin::kWal2arrow) ARROW_RETURN_NOT_OK(connection.Query(kAllowPluginHere));
  ErrorContext context = connection.MakeContext(ErrorContext::Action::kCreateSlot);
  context.slot = name;
  return CreateSlot(connection,
                    "CREATE_REPLICATION_SLOT " + quoted + " TEMPORARY LOGICAL " + OutputPluginName(plugin) +
                        " (SNAPSHOT 'nothing')",
                    context, kPatience);
}

arrow::Status TryPlugin(Connection& connection, const char* plugin) {
  ARROW_ASSIGN_OR_RAISE(const std::string name,
                        QuoteLiteral("arrowcdc_try_" + std::to_string(PQbackendPID(connection.raw()))));
  ErrorContext context = connection.MakeContext(ErrorContext::Action::kCreateSlot);
  context.slot = "temporary";
  const arrow::Status created = QueryWithin(
      connection, "SELECT pg_create_logical_replication_slot(" + name + ", '" + plugin + "', true)", context,
      std::chrono::seconds(1));
  // The plugin is loaded before the waiting begins.
  if (TimedOut(created)) return arrow::Status::OK();
  ARROW_RETURN_NOT_OK(created);
  return connection.Query("SELECT pg_drop_replication_slot(" + name + ")").status();
}

arrow::Result<std::set<std::string>> ReadSlotNames(Connection& connection) {
  ARROW_ASSIGN_OR_RAISE(const QueryResult rows,
                        connection.Query("SELECT slot_name FROM pg_replication_slots WHERE slot_type = "
                                         "'logical' AND database = current_database() AND NOT temporary"));
  std::set<std::string> names;
  for (int row = 0; row < rows.rows(); ++row) names.insert(rows.Text(row, 0));
  return names;
}

arrow::Status SlotMissing(const std::string& name, const std::set<std::string>& others) {
  constexpr size_t kNamesMax = 10;
  std::string there;
  size_t count = 0;
  for (const std::string& other : others) {
    if (++count > kNamesMax) break;
    there += (there.empty() ? "" : ", ") + other;
  }
  if (count > kNamesMax) there += " and " + std::to_string(others.size() - kNamesMax) + " more";
  return MakeError(ErrorKind::kSlotMissing,
                   "there is no slot of this name; the database has " + (there.empty() ? "none" : there),
                   "slot \"" + name + "\"", kMakeSlot);
}

arrow::Result<SlotInfo> FindSlot(Connection& connection, const std::string& name) {
  ARROW_ASSIGN_OR_RAISE(auto slot, ReadSlot(connection, name));
  if (slot.has_value()) return *std::move(slot);
  ARROW_ASSIGN_OR_RAISE(const auto others, ReadSlotNames(connection));
  return SlotMissing(name, others);
}

}  // namespace arrowcdc::postgres
