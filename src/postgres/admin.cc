// The I/O of setup, teardown, status and tables: reads what planning needs, runs what it decided.
#include "arrowcdc/admin.h"

#include <algorithm>
#include <utility>

#include "arrowcdc/error.h"
#include "arrowcdc/position.h"
#include "arrowcdc/table_patterns.h"
#include "src/postgres/catalog.h"
#include "src/postgres/connection.h"
#include "src/postgres/publication.h"
#include "src/postgres/quoting.h"
#include "src/postgres/setup_plan.h"
#include "src/postgres/slot.h"
#include "src/postgres/wal_end.h"

namespace arrowcdc {
namespace {

using postgres::Connection;
using postgres::ConnectionMode;
using postgres::ErrorContext;
using postgres::Inspection;
using postgres::QueryResult;

constexpr std::chrono::seconds kSlotTimeout(30);

arrow::Result<Inspection> Inspect(Connection& connection, const SourceOptions& source) {
  ARROW_RETURN_NOT_OK(postgres::CheckSlotName(source.slot));
  Inspection inspected;
  ARROW_ASSIGN_OR_RAISE(inspected.server, postgres::ReadServer(connection));
  ARROW_ASSIGN_OR_RAISE(inspected.catalog, postgres::ReadTables(connection));
  ARROW_ASSIGN_OR_RAISE(inspected.slot, postgres::ReadSlot(connection, source.slot));
  std::vector<std::string> names = {postgres::PublicationName(source),
                                    postgres::InsertOnlyPublicationName(source)};
  for (size_t i = 2; i < source.publications.size(); ++i) names.push_back(source.publications[i]);
  ARROW_ASSIGN_OR_RAISE(inspected.publications, postgres::ReadPublications(connection, names));
  return inspected;
}

// Before anything is changed: is the library there, does it fit the server, is it allowed?
arrow::Status CheckPlugin(Connection& connection, const Inspection& inspected, SetupPlan* plan) {
  if (inspected.server.role.superuser) {
    ARROW_RETURN_NOT_OK(
        connection.Query("LOAD 'wal2arrow'", connection.MakeContext(ErrorContext::Action::kCreateSlot)));
  } else if (!inspected.slot.has_value()) {
    ARROW_RETURN_NOT_OK(postgres::TryPlugin(connection));
  } else {
    return arrow::Status::OK();
  }
  plan->checks.push_back("the plugin wal2arrow is installed and fits the server");
  return arrow::Status::OK();
}

// A pattern that matches nothing is most likely misspelt.
arrow::Status WarnOfIdlePatterns(const Inspection& inspected, const SourceOptions& source, SetupPlan* plan) {
  for (const std::string& text : source.tables) {
    if (text.starts_with('!')) continue;
    ARROW_ASSIGN_OR_RAISE(const TablePatterns pattern, TablePatterns::Parse({text}));
    const auto& tables = inspected.catalog.tables;
    if (std::none_of(tables.begin(), tables.end(),
                     [&](const auto& table) { return pattern.Matches(table.name); })) {
      plan->warnings.push_back("pattern " + text + " matches no table");
    }
  }
  return arrow::Status::OK();
}

bool StartsWith(const std::string& text, const char* prefix) { return text.rfind(prefix, 0) == 0; }

ErrorContext::Action ActionOf(const std::string& sql) {
  if (sql.find("pg_create_logical_replication_slot") != std::string::npos)
    return ErrorContext::Action::kCreateSlot;
  if (sql.find("pg_drop_replication_slot") != std::string::npos) return ErrorContext::Action::kDropSlot;
  if (sql.find(" PUBLICATION ") != std::string::npos) return ErrorContext::Action::kPublication;
  return ErrorContext::Action::kQuery;
}

arrow::Status RunStep(Connection& connection, const SourceOptions& source, const SetupStep& step) {
  ErrorContext context = connection.MakeContext(ActionOf(step.sql));
  context.slot = source.slot;
  context.publications = {postgres::PublicationName(source)};
  if (context.action == ErrorContext::Action::kCreateSlot && StartsWith(step.sql, "SELECT")) {
    return postgres::CreateSlot(connection, step.sql, context, kSlotTimeout);
  }
  return connection.Query(step.sql, context).status();
}

arrow::Result<std::unique_ptr<Connection>> Open(const SourceOptions& source) {
  return Connection::Open(source.conninfo, ConnectionMode::kSql, source.stop);
}

}  // namespace

arrow::Result<SetupPlan> PlanSetup(const SourceOptions& source, const SetupOptions& options) {
  ARROW_ASSIGN_OR_RAISE(const TablePatterns patterns, TablePatterns::Parse(source.tables));
  ARROW_ASSIGN_OR_RAISE(const auto connection, Open(source));
  ARROW_ASSIGN_OR_RAISE(const Inspection inspected, Inspect(*connection, source));
  ARROW_ASSIGN_OR_RAISE(SetupPlan plan, postgres::MakeSetupPlan(inspected, source, options, patterns));
  ARROW_RETURN_NOT_OK(CheckPlugin(*connection, inspected, &plan));
  ARROW_RETURN_NOT_OK(WarnOfIdlePatterns(inspected, source, &plan));
  return plan;
}

arrow::Status ApplySetup(const SourceOptions& source, const SetupPlan& plan,
                         const std::function<void(const SetupStep&)>& on_step) {
  ARROW_RETURN_NOT_OK(plan.blocked);
  std::unique_ptr<Connection> connection;
  for (const SetupStep& step : plan.steps) {
    if (on_step) on_step(step);
    if (step.sql.empty()) continue;
    if (connection == nullptr) {
      ARROW_ASSIGN_OR_RAISE(connection, Open(source));
    }
    ARROW_RETURN_NOT_OK(RunStep(*connection, source, step));
    // A role's setting is in force from the next session on.
    if (StartsWith(step.sql, "ALTER ROLE")) connection.reset();
  }
  return arrow::Status::OK();
}

arrow::Result<SetupPlan> PlanTeardown(const SourceOptions& source) {
  ARROW_ASSIGN_OR_RAISE(const auto connection, Open(source));
  ARROW_ASSIGN_OR_RAISE(const Inspection inspected, Inspect(*connection, source));
  return postgres::MakeTeardownPlan(inspected, source);
}

arrow::Result<SlotStatus> GetSlotStatus(const SourceOptions& source) {
  ARROW_RETURN_NOT_OK(postgres::CheckSlotName(source.slot));
  ARROW_ASSIGN_OR_RAISE(const auto connection, Open(source));
  ARROW_ASSIGN_OR_RAISE(const auto slot, postgres::ReadSlot(*connection, source.slot));
  ARROW_ASSIGN_OR_RAISE(const QueryResult now,
                        connection->Query("SELECT CASE WHEN pg_is_in_recovery() THEN "
                                          "pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END"));
  SlotStatus status;
  if (!now.IsNull(0, 0)) {
    ARROW_ASSIGN_OR_RAISE(status.current_lsn, now.Lsn(0, 0));
  }
  std::vector<std::string> names = source.publications;
  if (names.empty()) names = {postgres::PublicationName(source), postgres::InsertOnlyPublicationName(source)};
  ARROW_ASSIGN_OR_RAISE(const auto publications, postgres::ReadPublications(*connection, names));
  for (const auto& publication : publications) status.publications.push_back(publication.name);
  if (!slot.has_value()) return status;
  status.exists = true;
  status.plugin = slot->plugin;
  status.database = slot->database;
  status.active = slot->active;
  status.active_pid = slot->active_pid;
  status.confirmed_flush = slot->confirmed_flush;
  status.restart_lsn = slot->restart_lsn;
  const bool holds_wal = slot->restart_lsn > 0 && slot->restart_lsn < status.current_lsn;
  status.retained_bytes = holds_wal ? status.current_lsn - slot->restart_lsn : 0;
  status.safe_wal_bytes = slot->safe_wal_bytes;
  status.wal_status = slot->wal_status;
  return status;
}

arrow::Result<WalEnd> GetWalEnd(const SourceOptions& source) {
  ARROW_ASSIGN_OR_RAISE(const auto connection, Open(source));
  return postgres::ReadWalEnd(*connection);
}

arrow::Result<std::string> GetSyncState(const SourceOptions& source) {
  ARROW_ASSIGN_OR_RAISE(const std::string slot, postgres::QuoteLiteral(source.slot));
  ARROW_ASSIGN_OR_RAISE(const auto connection, Open(source));
  ARROW_ASSIGN_OR_RAISE(
      const QueryResult rows,
      connection->Query(
          "SELECT r.sync_state FROM pg_catalog.pg_replication_slots AS s "
          "JOIN pg_catalog.pg_stat_replication AS r ON r.pid = s.active_pid WHERE s.slot_name = " +
          slot));
  return rows.rows() == 0 ? std::string() : rows.Text(0, 0);
}

arrow::Result<std::vector<TableStatus>> ListTables(const SourceOptions& source) {
  ARROW_ASSIGN_OR_RAISE(const TablePatterns patterns, TablePatterns::Parse(source.tables));
  ARROW_ASSIGN_OR_RAISE(const auto connection, Open(source));
  ARROW_ASSIGN_OR_RAISE(const Inspection inspected, Inspect(*connection, source));
  for (const std::string& name : source.publications) {
    const auto& found = inspected.publications;
    if (std::any_of(found.begin(), found.end(),
                    [&](const auto& publication) { return publication.name == name; }))
      continue;
    return MakeError(ErrorKind::kPublicationMissing, "there is no publication of this name in this database",
                     "publication \"" + name + "\"",
                     "correct --publication, or run 'arrowcdc setup' with it");
  }
  return postgres::MakeTableList(inspected, patterns);
}

}  // namespace arrowcdc
