// The I/O of setup, teardown, status and tables: reads what planning needs, runs what it decided.
#include "arrowcdc/postgres.h"

#include <algorithm>
#include <set>
#include <utility>

#include "arrowcdc/error.h"
#include "arrowcdc/position.h"
#include "arrowcdc/table_patterns.h"
#include "src/postgres/setup/catalog.h"
#include "src/postgres/client/connection.h"
#include "src/postgres/setup/publication.h"
#include "src/postgres/setup/publication_gap.h"
#include "src/postgres/client/quoting.h"
#include "src/postgres/setup/setup_plan.h"
#include "src/postgres/setup/slot.h"
#include "src/postgres/stream/wal_end.h"

namespace arrowcdc {
namespace {

using postgres::Connection;
using postgres::ConnectionMode;
using postgres::ErrorContext;
using postgres::Inspection;
using postgres::QueryResult;

constexpr std::chrono::seconds kSlotTimeout(30);

// Settings, role and plugin: without them making a slot fails for another reason than the plugin.
bool OfServer(const SetupObstacle& obstacle) {
  const ErrorDetail* detail = GetErrorDetail(obstacle.status);
  if (detail == nullptr) return true;
  return detail->kind() == ErrorKind::kServerSetting || detail->kind() == ErrorKind::kPermission ||
         detail->kind() == ErrorKind::kPluginNotAllowed;
}

arrow::Result<Inspection> Inspect(Connection& connection, const PostgresOptions& source) {
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

// Whether the role may stream, and whether what lies between lets it.
arrow::Status TryReplication(Connection& connection, const PostgresOptions& source) {
  ARROW_ASSIGN_OR_RAISE(const postgres::ServerPlace place, connection.ReadPlace());
  ARROW_ASSIGN_OR_RAISE(
      const auto replication,
      Connection::OpenAt(place, source.conninfo, ConnectionMode::kReplication, source.stop));
  return replication->Query("IDENTIFY_SYSTEM").status();
}

bool IsOfConnection(const arrow::Status& status) {
  const ErrorDetail* const detail = GetErrorDetail(status);
  return !status.ok() && (detail == nullptr || detail->kind() == ErrorKind::kConnection ||
                          detail->kind() == ErrorKind::kInterrupted);
}

// What the plan would do to publications, done and undone: what a role may is more than the catalog tells.
arrow::Status TryPublications(Connection& connection, const PostgresOptions& source, SetupPlan* plan) {
  ErrorContext context = connection.MakeContext(ErrorContext::Action::kPublication);
  context.publications = {postgres::PublicationName(source)};
  std::vector<SetupStep> steps = plan->steps;
  std::erase_if(steps, [](const SetupStep& step) {
    return step.kind != SetupStepKind::kCreatePublication && step.kind != SetupStepKind::kAlterPublication;
  });
  if (steps.empty()) return arrow::Status::OK();
  arrow::Status tried = connection.Query("BEGIN; SET LOCAL lock_timeout = '2s'").status();
  for (const SetupStep& step : steps) {
    if (tried.ok()) tried = connection.Query(step.sql, context).status();
  }
  if (IsOfConnection(tried)) return tried;
  ARROW_RETURN_NOT_OK(connection.Query("ROLLBACK"));
  const auto lacks_right = [](const SetupObstacle& obstacle) { return obstacle.by_administrator; };
  if (tried.ok()) {
    std::erase_if(plan->obstacles, lacks_right);
    return arrow::Status::OK();
  }
  if (std::any_of(plan->obstacles.begin(), plan->obstacles.end(), lacks_right)) return arrow::Status::OK();
  const ErrorDetail* const detail = GetErrorDetail(tried);
  if (detail->kind() == ErrorKind::kPermission) plan->obstacles.push_back({tried, "", false, true});
  if (detail->kind() == ErrorKind::kBusy)
    plan->warnings.push_back("whether publications can be made could not be tried: " + tried.message());
  return arrow::Status::OK();
}

// It is not there, not allowed, or does not fit the server.
bool IsOfPlugin(const ErrorDetail& detail) {
  return detail.kind() == ErrorKind::kPluginMissing || detail.kind() == ErrorKind::kPluginNotAllowed ||
         (detail.kind() == ErrorKind::kUnsupported && detail.object() == "plugin wal2arrow");
}

// Is the library there, does it fit the server, is it allowed?
arrow::Status TryWal2arrow(Connection& connection, const Inspection& inspected) {
  if (!inspected.server.role.superuser) return postgres::TryPlugin(connection, postgres::kPluginName);
  return connection.Query("LOAD 'wal2arrow'", connection.MakeContext(ErrorContext::Action::kCreateSlot))
      .status();
}

// Before anything is changed, and only where it can be tried: not before the rest is in order.
arrow::Status CheckPlugin(Connection& connection, const Inspection& inspected, OutputPlugin plugin,
                          SetupPlan* plan) {
  if (plan->options.add_tables) return arrow::Status::OK();
  const bool superuser = inspected.server.role.superuser;
  // Part of the server; of superusers the setting told.
  if (plugin == OutputPlugin::kPgoutput && superuser) return arrow::Status::OK();
  const bool server_in_order = std::all_of(
      plan->obstacles.begin(), plan->obstacles.end(),
      [](const SetupObstacle& obstacle) { return obstacle.by_administrator || !OfServer(obstacle); });
  if (!superuser && !server_in_order) return arrow::Status::OK();
  const bool wal2arrow = plugin != OutputPlugin::kPgoutput;
  const char* const name = wal2arrow ? postgres::kPluginName : postgres::kPgoutputName;
  const arrow::Status loaded =
      wal2arrow ? TryWal2arrow(connection, inspected) : postgres::TryPlugin(connection, name);
  if (loaded.ok()) {
    if (wal2arrow) plan->checks.push_back("the plugin wal2arrow is installed and fits the server");
    return arrow::Status::OK();
  }
  if (IsOfConnection(loaded)) return loaded;
  const ErrorDetail* const detail = GetErrorDetail(loaded);
  // Where there is a slot, what hinders to make one more hinders nothing.
  if ((inspected.slot.has_value() || !wal2arrow) && !IsOfPlugin(*detail)) return arrow::Status::OK();
  SetupObstacle obstacle{loaded};
  if (detail->kind() == ErrorKind::kPluginNotAllowed) {
    ARROW_ASSIGN_OR_RAISE(obstacle, postgres::PluginNotAllowed(inspected.server, name));
  }
  plan->obstacles.push_back(std::move(obstacle));
  return arrow::Status::OK();
}

struct PluginChoice {
  OutputPlugin plugin = OutputPlugin::kWal2arrow;
  std::string why{};   // for people; empty: something else hinders to know, which will be told
  std::string note{};  // what the other one would take
};

// wal2arrow where it is there and allowed.
arrow::Result<PluginChoice> ChoosePlugin(Connection& connection, const Inspection& inspected) {
  if (inspected.slot.has_value()) {
    const bool pgoutput = inspected.slot->plugin == postgres::kPgoutputName;
    return PluginChoice{pgoutput ? OutputPlugin::kPgoutput : OutputPlugin::kWal2arrow,
                        "plugin " + inspected.slot->plugin + ": the slot's", ""};
  }
  const arrow::Status tried = TryWal2arrow(connection, inspected);
  if (tried.ok()) return PluginChoice{.why = "plugin wal2arrow: it is there and allowed"};
  if (IsOfConnection(tried)) return tried;
  const ErrorDetail* const detail = GetErrorDetail(tried);
  // Whoever has written both names into one literal meant it to be allowed.
  const bool meant = detail->kind() == ErrorKind::kPluginNotAllowed &&
                     !postgres::NamesInOneLiteral(inspected.server.plugins, postgres::kPluginName).empty();
  if (meant || !IsOfPlugin(*detail)) return PluginChoice{};
  PluginChoice choice{OutputPlugin::kPgoutput, "plugin pgoutput, without wal2arrow: " + tried.message(), ""};
  // A slot keeps its plugin: whoever wants the other one has to know before.
  if (inspected.server.provider == postgres::Provider::kNone)
    choice.note = "to use wal2arrow, from before the slot is made: " + detail->remedy();
  return choice;
}

// Of a slot that nobody reads at the moment: does it come past everything that it holds?
arrow::Status CheckPublicationAge(Connection& connection, const Inspection& inspected,
                                  const PostgresOptions& source, SetupPlan* plan) {
  const auto& slot = inspected.slot;
  if (!slot.has_value() || slot->active ||
      !postgres::CheckSlotFits(*slot, inspected.server.database, source.plugin).ok() ||
      plan->tables.empty()) {
    return arrow::Status::OK();
  }
  const std::string main = postgres::PublicationName(source);
  std::vector<std::string> names;
  for (const auto& publication : inspected.publications) names.push_back(publication.name);
  if (std::find(names.begin(), names.end(), main) == names.end()) {
    ARROW_ASSIGN_OR_RAISE(const auto survivors,
                          postgres::FindSurvivors(connection, inspected, names, plan->tables,
                                                  plan->options.via_partition_root));
    for (const std::string& survivor : survivors) {
      plan->warnings.push_back(
          "publication \"" + survivor +
          "\" has been there all the time and publishes all of these tables: stream with "
          "--publication " +
          survivor + " and nothing of what the slot holds is lost");
    }
    return arrow::Status::OK();
  }
  ARROW_ASSIGN_OR_RAISE(const auto gap,
                        postgres::FindPublicationGap(connection, inspected, names, plan->tables));
  if (gap.has_value()) plan->obstacles.push_back({postgres::GapError(*gap, main, source.slot)});
  return arrow::Status::OK();
}

ErrorContext::Action ActionOf(SetupStepKind kind) {
  switch (kind) {
    case SetupStepKind::kCreateSlot:
      return ErrorContext::Action::kCreateSlot;
    case SetupStepKind::kDropSlot:
      return ErrorContext::Action::kDropSlot;
    case SetupStepKind::kCreatePublication:
    case SetupStepKind::kAlterPublication:
    case SetupStepKind::kDropPublication:
    case SetupStepKind::kNote:
      return ErrorContext::Action::kPublication;
    case SetupStepKind::kAllowPlugin:
    case SetupStepKind::kAllowReading:
      break;
  }
  return ErrorContext::Action::kQuery;
}

arrow::Status RunStep(Connection& connection, const PostgresOptions& source, const SetupStep& step) {
  ErrorContext context = connection.MakeContext(ActionOf(step.kind));
  context.slot = source.slot;
  context.publications = {postgres::PublicationName(source)};
  if (step.kind == SetupStepKind::kCreateSlot)
    return postgres::CreateSlot(connection, step.sql, context, kSlotTimeout);
  return connection.Query(step.sql, context).status();
}

arrow::Result<std::unique_ptr<Connection>> Open(const PostgresOptions& source) {
  return Connection::Open(source.conninfo, ConnectionMode::kSql, source.stop);
}

arrow::Status RunSteps(const PostgresOptions& source, const SetupPlan& plan,
                       const std::function<void(const SetupStep&)>& on_step) {
  ARROW_RETURN_NOT_OK(CheckObstacles(plan));
  std::unique_ptr<Connection> connection;
  for (const SetupStep& step : plan.steps) {
    if (on_step) on_step(step);
    if (connection == nullptr) {
      ARROW_ASSIGN_OR_RAISE(connection, Open(source));
    }
    ARROW_RETURN_NOT_OK(RunStep(*connection, source, step));
    // A role's setting is in force from the next session on.
    if (step.kind == SetupStepKind::kAllowPlugin) connection.reset();
  }
  return arrow::Status::OK();
}

// Of the walsender `pid`.
arrow::Result<std::optional<std::chrono::milliseconds>> ReadFlushLag(Connection& connection,
                                                                     std::optional<int> pid) {
  if (!pid.has_value()) return std::nullopt;
  ARROW_ASSIGN_OR_RAISE(const QueryResult rows,
                        connection.Query("SELECT (extract(epoch FROM flush_lag) * 1000)::bigint "
                                         "FROM pg_catalog.pg_stat_replication WHERE pid = " +
                                         std::to_string(*pid)));
  if (rows.rows() == 0 || rows.IsNull(0, 0)) return std::nullopt;
  ARROW_ASSIGN_OR_RAISE(const int64_t lag, rows.Int(0, 0));
  return std::chrono::milliseconds(lag);
}

// An object that the plan did not know is there, or one that it knew is gone or in use.
bool ChangedByOthers(const arrow::Status& status) {
  const ErrorDetail* detail = GetErrorDetail(status);
  if (detail == nullptr) return false;
  static const std::set<std::string> kStates = {"42710", "23505", "42704", "55006", "XX000"};
  return kStates.contains(detail->sqlstate());
}

}  // namespace

arrow::Result<SetupPlan> PlanSetup(const PostgresOptions& source, const SetupOptions& options) {
  ARROW_ASSIGN_OR_RAISE(const TablePatterns patterns, TablePatterns::Parse(source.tables));
  ARROW_ASSIGN_OR_RAISE(const auto connection, Open(source));
  ARROW_ASSIGN_OR_RAISE(Inspection inspected, Inspect(*connection, source));
  inspected.server.role.replication = TryReplication(*connection, source);
  if (IsOfConnection(inspected.server.role.replication)) return inspected.server.role.replication;
  PostgresOptions chosen = source;
  PluginChoice choice{.plugin = source.plugin};
  if (source.plugin == OutputPlugin::kAuto) {
    ARROW_ASSIGN_OR_RAISE(choice, ChoosePlugin(*connection, inspected));
    chosen.plugin = choice.plugin;
  }
  ARROW_ASSIGN_OR_RAISE(SetupPlan plan, postgres::MakeSetupPlan(inspected, chosen, options, patterns));
  plan.plugin = chosen.plugin;
  if (!choice.why.empty()) plan.checks.push_back(choice.why);
  if (!choice.note.empty()) plan.warnings.push_back(choice.note);
  ARROW_RETURN_NOT_OK(CheckPlugin(*connection, inspected, chosen.plugin, &plan));
  ARROW_RETURN_NOT_OK(TryPublications(*connection, chosen, &plan));
  ARROW_RETURN_NOT_OK(CheckPublicationAge(*connection, inspected, chosen, &plan));
  return plan;
}

arrow::Status ApplySetup(const PostgresOptions& source, const SetupPlan& plan,
                         const std::function<void(const SetupStep&)>& on_step) {
  constexpr int kPlansMax = 5;
  SetupPlan rest = plan;
  for (int plans = 1;; ++plans) {
    const arrow::Status applied = RunSteps(source, rest, on_step);
    // Of several slots that go at once each may have left the publication to the others.
    const bool left_to_others =
        plan.teardown && std::any_of(rest.steps.begin(), rest.steps.end(),
                                     [](const SetupStep& step) { return step.kind == SetupStepKind::kNote; });
    const bool done = applied.ok() ? !left_to_others : !ChangedByOthers(applied);
    if (done || plans == kPlansMax) return applied;
    // Somebody else was quicker with some of it: what is left.
    ARROW_ASSIGN_OR_RAISE(rest, plan.teardown ? PlanTeardown(source) : PlanSetup(source, plan.options));
  }
}

arrow::Result<SetupPlan> PlanTeardown(const PostgresOptions& source) {
  ARROW_ASSIGN_OR_RAISE(const auto connection, Open(source));
  ARROW_ASSIGN_OR_RAISE(const Inspection inspected, Inspect(*connection, source));
  return postgres::MakeTeardownPlan(inspected, source);
}

arrow::Result<SlotStatus> GetSlotStatus(const PostgresOptions& source) {
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
  if (!slot.has_value()) {
    ARROW_ASSIGN_OR_RAISE(const auto others, postgres::ReadSlotNames(*connection));
    status.usable = postgres::SlotMissing(source.slot, others);
    return status;
  }
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
  status.invalidation = slot->invalidation;
  if (status.wal_status == "lost") {
    status.usable =
        MakeError(ErrorKind::kSlotInvalidated, "the slot is lost: the server has removed WAL that it needed",
                  "slot \"" + source.slot + "\"",
                  "run arrowcdc teardown and setup, then stream with --snapshot when-needed, "
                  "which copies all rows anew, or into a new sink");
  }
  ARROW_ASSIGN_OR_RAISE(status.flush_lag, ReadFlushLag(*connection, slot->active_pid));
  return status;
}

arrow::Result<WalEnd> GetWalEnd(const PostgresOptions& source) {
  ARROW_ASSIGN_OR_RAISE(const auto connection, Open(source));
  return postgres::ReadWalEnd(*connection);
}

arrow::Result<std::string> GetSyncState(const PostgresOptions& source) {
  ARROW_ASSIGN_OR_RAISE(const std::string slot, postgres::QuoteLiteral(source.slot));
  ARROW_ASSIGN_OR_RAISE(const auto connection, Open(source));
  ARROW_ASSIGN_OR_RAISE(const QueryResult rows,
                        connection->Query("SELECT r.sync_state FROM pg_catalog.pg_replication_slots AS s "
                                          "JOIN pg_catalog.pg_stat_replication AS r ON r.pid = s.active_pid "
                                          "WHERE r.sync_state <> 'async' AND s.slot_name = " +
                                          slot));
  return rows.rows() == 0 ? std::string() : rows.Text(0, 0);
}

arrow::Result<std::vector<TableStatus>> ListTables(const PostgresOptions& source) {
  ARROW_ASSIGN_OR_RAISE(const TablePatterns patterns, TablePatterns::Parse(source.tables));
  ARROW_ASSIGN_OR_RAISE(const auto connection, Open(source));
  ARROW_ASSIGN_OR_RAISE(Inspection inspected, Inspect(*connection, source));
  for (const std::string& name : source.publications) {
    const auto& found = inspected.publications;
    if (std::any_of(found.begin(), found.end(),
                    [&](const auto& publication) { return publication.name == name; }))
      continue;
    return postgres::PublicationMissing(*connection, name);
  }
  // What a stream with these options reads.
  const auto& named = source.publications;
  if (!named.empty()) {
    std::erase_if(inspected.publications, [&](const auto& publication) {
      return std::find(named.begin(), named.end(), publication.name) == named.end();
    });
  }
  return postgres::MakeTableList(inspected, patterns);
}

}  // namespace arrowcdc
