// The queries. What a release lacks is not asked for; what the role may not see comes as null.
#include "src/postgres/setup/health.h"

#include <algorithm>
#include <poll.h>

#include "arrowcdc/error.h"
#include "src/postgres/client/quoting.h"
#include "src/postgres/setup/catalog.h"

namespace arrowcdc::postgres {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kVersionWithFailover = 170000;

constexpr char kSettingsQuery[] =
    "SELECT name, setting FROM pg_settings WHERE name IN ('max_slot_wal_keep_size', "
    "'idle_replication_slot_timeout', 'wal_sender_timeout', 'logical_decoding_work_mem', "
    "'synchronized_standby_slots')";

constexpr char kRoleQuery[] = "SELECT current_user, pg_has_role('pg_read_all_stats', 'USAGE')";

// Of any database: a slot waits for all of them.
constexpr char kTransactionQuery[] =
    "SELECT 'pid ' || pid || coalesce(' (' || nullif(application_name, '') || ')', '') || ', ' || "
    "coalesce(state, 'no state'), extract(epoch FROM now() - xact_start)::bigint, "
    "'SELECT pg_terminate_backend(' || pid || ')' FROM pg_stat_activity "
    "WHERE backend_xid IS NOT NULL AND xact_start < now() - interval '5 min' AND pid <> pg_backend_pid() "
    "UNION ALL SELECT 'prepared transaction ' || quote_literal(gid) || ' in database ' || database, "
    "extract(epoch FROM now() - prepared)::bigint, 'ROLLBACK PREPARED ' || quote_literal(gid) "
    "FROM pg_prepared_xacts WHERE prepared < now() - interval '5 min' ORDER BY 2 DESC LIMIT 20";

// A logical walsender is active for a slot of its own; what else streams is a standby, or takes a backup.
constexpr char kStandbyQuery[] =
    "SELECT count(*) FROM pg_stat_replication AS r WHERE state = 'streaming' AND NOT EXISTS "
    "(SELECT FROM pg_replication_slots AS s WHERE s.active_pid = r.pid AND s.slot_type = 'logical')";

// Of a partitioned table the leaves have the values; their names are those of the catalog.
constexpr char kTableQuery[] =
    "SELECT n.nspname, c.relname, row_security_active(c.oid), c.relreplident = 'f', "
    "CASE WHEN c.reltoastrelid = 0 THEN 0 ELSE pg_relation_size(c.reltoastrelid) END "
    "FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace "
    "WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p' AND n.nspname NOT IN ('pg_catalog', "
    "'information_schema', 'pg_toast') ORDER BY 1, 2";

constexpr char kWalEndQuery[] =
    "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END";

arrow::Result<uint64_t> ReadLsn(Connection& connection) {
  ARROW_ASSIGN_OR_RAISE(const QueryResult rows, connection.Query(kWalEndQuery));
  return rows.rows() == 0 || rows.IsNull(0, 0) ? arrow::Result<uint64_t>(0) : rows.Lsn(0, 0);
}

arrow::Status ReadTransactions(Connection& connection, Health* health) {
  ARROW_ASSIGN_OR_RAISE(const QueryResult rows, connection.Query(kTransactionQuery));
  for (int row = 0; row < rows.rows(); ++row) {
    ARROW_ASSIGN_OR_RAISE(const int64_t age, rows.Int(row, 1));
    health->transactions.push_back({rows.Text(row, 0), std::chrono::seconds(age), rows.Text(row, 2)});
  }
  return arrow::Status::OK();
}

arrow::Status ReadOfSlot(Connection& connection, const std::string& slot, Health* health) {
  ARROW_ASSIGN_OR_RAISE(health->slot, ReadSlot(connection, slot));
  if (!health->slot.has_value()) return arrow::Status::OK();
  ARROW_ASSIGN_OR_RAISE(const std::string quoted, QuoteLiteral(slot));
  const bool has_failover = health->version_num >= kVersionWithFailover;
  ARROW_ASSIGN_OR_RAISE(
      const QueryResult rows,
      connection.Query(std::string("SELECT ") + (has_failover ? "s.failover" : "false") +
                       ", t.spill_txns, t.spill_bytes, coalesce(nullif(r.sync_state, 'async'), ''), "
                       "s.active AND r.sync_state IS NULL FROM pg_replication_slots AS s LEFT JOIN "
                       "pg_stat_replication_slots AS t ON "
                       "t.slot_name = s.slot_name LEFT JOIN pg_stat_replication AS r ON r.pid = s.active_pid "
                       "WHERE s.slot_name = " +
                       quoted));
  if (rows.rows() == 0) return arrow::Status::OK();
  health->failover = rows.Bool(0, 0);
  if (!rows.IsNull(0, 1)) {
    SpillCounts spills;
    ARROW_ASSIGN_OR_RAISE(spills.spilled_transactions, rows.Int(0, 1));
    ARROW_ASSIGN_OR_RAISE(spills.spilled_bytes, rows.Int(0, 2));
    health->spills = spills;
  }
  health->sync_state = rows.Text(0, 3);
  health->sync_state_hidden = rows.Bool(0, 4);
  return arrow::Status::OK();
}

arrow::Status ReadTableHealth(Connection& connection, const TablePatterns& patterns, Health* health) {
  ARROW_ASSIGN_OR_RAISE(const QueryResult rows, connection.Query(kTableQuery));
  for (int row = 0; row < rows.rows(); ++row) {
    TableHealth table;
    table.name = {rows.Text(row, 0), rows.Text(row, 1)};
    if (!patterns.Matches(table.name)) continue;
    table.row_security = rows.Bool(row, 2);
    table.full_identity = rows.Bool(row, 3);
    ARROW_ASSIGN_OR_RAISE(table.toast_bytes, rows.Int(row, 4));
    health->tables.push_back(std::move(table));
  }
  return arrow::Status::OK();
}

// Of the session, which then has it loaded.
arrow::Result<PluginVersion> ReadPluginVersion(Connection& connection, bool superuser) {
  PluginVersion version;
  const arrow::Status loaded =
      superuser ? connection.Query("LOAD 'wal2arrow'").status() : TryPlugin(connection, kPluginName);
  const ErrorDetail* const detail = GetErrorDetail(loaded);
  if (detail != nullptr &&
      (detail->kind() == ErrorKind::kConnection || detail->kind() == ErrorKind::kInterrupted))
    return loaded;
  version.loaded = loaded.ok();
  ARROW_ASSIGN_OR_RAISE(const QueryResult said,
                        connection.Query("SELECT current_setting('wal2arrow.version', true)"));
  version.text = said.Text(0, 0);
  return version;
}

}  // namespace

arrow::Result<Health> ReadHealth(Connection& connection, const std::string& slot,
                                 const TablePatterns& patterns, std::chrono::milliseconds between,
                                 const StopToken* stop) {
  Health health;
  health.version_num = connection.server_version();
  const auto begin = Clock::now();
  ARROW_ASSIGN_OR_RAISE(const uint64_t first, ReadLsn(connection));
  ARROW_ASSIGN_OR_RAISE(const ServerInfo server, ReadServer(connection));
  health.provider = server.provider;
  ARROW_ASSIGN_OR_RAISE(const QueryResult role, connection.Query(kRoleQuery));
  health.role = role.Text(0, 0);
  health.sees_others = role.Bool(0, 1);
  ARROW_ASSIGN_OR_RAISE(const QueryResult settings, connection.Query(kSettingsQuery));
  for (int row = 0; row < settings.rows(); ++row)
    health.settings[settings.Text(row, 0)] = settings.Text(row, 1);
  ARROW_RETURN_NOT_OK(ReadTransactions(connection, &health));
  ARROW_ASSIGN_OR_RAISE(const QueryResult standbys, connection.Query(kStandbyQuery));
  ARROW_ASSIGN_OR_RAISE(const int64_t count, standbys.Int(0, 0));
  health.standbys = static_cast<int>(count);
  ARROW_RETURN_NOT_OK(ReadTableHealth(connection, patterns, &health));
  (void)WaitFor(-1, POLLIN, stop, begin + between);
  ARROW_RETURN_NOT_OK(ReadOfSlot(connection, slot, &health));
  ARROW_ASSIGN_OR_RAISE(const uint64_t last, ReadLsn(connection));
  health.client_version = ARROWCDC_VERSION;
  if (!health.slot.has_value() || health.slot->plugin == kPluginName) {
    ARROW_ASSIGN_OR_RAISE(health.wal2arrow, ReadPluginVersion(connection, server.role.superuser));
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  if (last >= first && seconds > 0) health.wal_bytes_per_s = static_cast<double>(last - first) / seconds;
  if (health.slot.has_value() && health.slot->restart_lsn > 0 && last > health.slot->restart_lsn)
    health.retained_bytes = last - health.slot->restart_lsn;
  return health;
}

}  // namespace arrowcdc::postgres
