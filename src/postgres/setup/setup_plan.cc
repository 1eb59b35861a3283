// Server, role, plugin and slot; teardown; what comes of a plan. The publications are in publication_plan.cc,
// the list of tables in table_list.cc.
#include "src/postgres/setup/setup_plan.h"

#include <algorithm>

#include "arrowcdc/error.h"
#include "arrowcdc/position.h"
#include "src/postgres/client/quoting.h"
#include "src/postgres/setup/old_release.h"

namespace arrowcdc::postgres {
namespace {

std::string Quoted(const std::string& name) { return "\"" + name + "\""; }

void CheckSettings(const Inspection& inspected, SetupPlan* plan) {
  const ServerInfo& server = inspected.server;
  if (server.wal_level == "logical") {
    plan->checks.push_back("wal_level is logical");
  } else {
    const ProviderRemedy there = RaiseWalLevel(server.provider);
    const bool ours = there.text.empty();
    plan->obstacles.push_back(
        {MakeError(
             ErrorKind::kServerSetting, "wal_level is " + server.wal_level, "setting wal_level",
             ours ? "a superuser must run ALTER SYSTEM SET wal_level = 'logical', then restart the server"
                  : there.text),
         ours ? "ALTER SYSTEM SET wal_level = 'logical'" : "", ours});
  }
  if (!inspected.slot.has_value() && server.slots_used >= server.slots_max) {
    const std::string there = RaiseSetting(server.provider, "max_replication_slots").text;
    plan->obstacles.push_back({MakeError(
        ErrorKind::kServerSetting, "all " + std::to_string(server.slots_max) + " replication slots are taken",
        "setting max_replication_slots",
        "drop slots that nobody uses (pg_replication_slots), or " +
            (there.empty() ? std::string("raise it and restart the server") : there))});
  } else {
    plan->checks.push_back(std::to_string(server.slots_used) + " of " + std::to_string(server.slots_max) +
                           " replication slots are taken");
  }
  if (server.senders_max == 0) {
    const std::string there = RaiseSetting(server.provider, "max_wal_senders").text;
    const bool ours = there.empty();
    plan->obstacles.push_back(
        {MakeError(ErrorKind::kServerSetting, "max_wal_senders is 0", "setting max_wal_senders",
                   ours ? "raise it and restart the server" : there),
         ours ? "ALTER SYSTEM SET max_wal_senders = 10" : "", ours});
  } else if (server.senders_used >= server.senders_max &&
             !(inspected.slot.has_value() && inspected.slot->active)) {
    plan->warnings.push_back("all " + std::to_string(server.senders_max) +
                             " WAL senders are taken now: streaming needs one (max_wal_senders)");
  } else {
    plan->checks.push_back(std::to_string(server.senders_used) + " of " + std::to_string(server.senders_max) +
                           " WAL senders are taken");
  }
}

// By what the server did, not by the role's attributes: services have rights of their own for it.
arrow::Status CheckRole(const ServerInfo& server, SetupPlan* plan) {
  // Who adds tables need not be the role that streams.
  if (plan->options.add_tables) return arrow::Status::OK();
  const arrow::Status& tried = server.role.replication;
  const ErrorDetail* const detail = GetErrorDetail(tried);
  if (tried.ok() || detail == nullptr) {
    plan->checks.push_back("the role may use replication");
    return arrow::Status::OK();
  }
  const bool senders_taken = detail->kind() == ErrorKind::kServerSetting;
  if (senders_taken) return arrow::Status::OK();  // told with the settings
  if (detail->kind() != ErrorKind::kPermission) {
    plan->obstacles.push_back({tried});
    return arrow::Status::OK();
  }
  ARROW_ASSIGN_OR_RAISE(const std::string role, QuoteIdentifier(server.role.name));
  ProviderRemedy remedy = AllowReplication(server.provider, role);
  if (remedy.text.empty()) {
    remedy.sql = "ALTER ROLE " + role + " REPLICATION";
    remedy.text = "a superuser must run: " + remedy.sql;
  }
  plan->obstacles.push_back({MakeError(ErrorKind::kPermission, "the role may not use replication",
                                       "role " + Quoted(server.role.name), remedy.text),
                             remedy.sql});
  return arrow::Status::OK();
}

// Least privilege: the role, not the whole server, is allowed the plugin.
arrow::Status PlanPlugin(const ServerInfo& server, const std::string& plugin, SetupPlan* plan) {
  if (!server.plugins.allowed.has_value()) return arrow::Status::OK();  // the slot will tell
  if (AllowsPlugin(server.plugins, plugin)) {
    plan->checks.push_back("output_plugin_libraries allows " + plugin);
    return arrow::Status::OK();
  }
  if (plan->options.add_tables) return arrow::Status::OK();
  ARROW_ASSIGN_OR_RAISE(SetupObstacle obstacle, PluginNotAllowed(server, plugin));
  if (!server.role.superuser) {
    plan->obstacles.push_back(std::move(obstacle));
    return arrow::Status::OK();
  }
  plan->steps.push_back({SetupStepKind::kAllowPlugin,
                         "allow the plugin " + plugin + " to role " + Quoted(server.role.name) + ", since " +
                             obstacle.status.message(),
                         obstacle.sql});
  return arrow::Status::OK();
}

void CheckExistingSlot(const Inspection& inspected, OutputPlugin plugin, SetupPlan* plan) {
  if (!inspected.slot.has_value()) return;
  arrow::Status fits = CheckSlotFits(*inspected.slot, inspected.server.database, plugin);
  if (!fits.ok()) {
    plan->obstacles.push_back({std::move(fits)});
    return;
  }
  plan->checks.push_back("slot " + Quoted(inspected.slot->name) + " exists, at " +
                         FormatLsn(inspected.slot->confirmed_flush));
}

arrow::Status PlanNotes(const std::vector<std::string>& publications, const PostgresOptions& source,
                        NoteChange change, const std::string& what, SetupPlan* plan) {
  for (const std::string& publication : publications) {
    ARROW_ASSIGN_OR_RAISE(const std::string sql,
                          NoteSql(publication, source.slot, change, source.tables, publications));
    plan->steps.push_back(
        {SetupStepKind::kNote, "note in publication " + Quoted(publication) + " " + what, sql});
  }
  return arrow::Status::OK();
}

arrow::Status PlanNewSlot(const Inspection& inspected, const PostgresOptions& source,
                          const std::vector<std::string>& note_in, SetupPlan* plan) {
  ARROW_ASSIGN_OR_RAISE(const std::string sql,
                        CreateSlotSql(source.slot, inspected.server.version_num, source.plugin));
  plan->steps.push_back(
      {SetupStepKind::kCreateSlot,
       "create slot " + Quoted(source.slot) + " with the plugin " + OutputPluginName(source.plugin), sql});
  for (const PublicationInfo& publication : inspected.publications) {
    if (publication.owned || std::find(note_in.begin(), note_in.end(), publication.name) == note_in.end())
      continue;
    plan->warnings.push_back("role " + Quoted(inspected.server.role.name) + " does not own publication " +
                             Quoted(publication.name) +
                             ": where the slot begins cannot be noted there, and once changes were decoded "
                             "stream cannot tell a slot that "
                             "fed another sink from one that did not. An administrator who runs the SQL of "
                             "--print-sql gets the note");
  }
  return PlanNotes(note_in, source, NoteChange::kSlotMade, "where the slot begins", plan);
}

// A setup that was cut short, or somebody by hand, has left a slot without a note: whoever takes down another
// slot must know that this one reads the publication as well.
arrow::Status PlanNotesOnSeenSlot(const Inspection& inspected, const PostgresOptions& source,
                                  const std::vector<std::string>& note_in, SetupPlan* plan) {
  if (!CheckSlotFits(*inspected.slot, inspected.server.database, source.plugin).ok())
    return arrow::Status::OK();
  std::vector<std::string> without;
  for (const std::string& name : note_in) {
    const auto found =
        std::find_if(inspected.publications.begin(), inspected.publications.end(),
                     [&](const PublicationInfo& publication) { return publication.name == name; });
    const bool made_now = found == inspected.publications.end();
    if (made_now || (found->owned && !HasUnknownNote(found->comment))) without.push_back(name);
  }
  return PlanNotes(without, source, NoteChange::kTables, "that the slot reads it", plan);
}

// Patterns of before, and those of more tables behind them. A pattern that leaves tables out wins wherever it
// stands, and a list of such alone means all others.
arrow::Status PlanAddedTables(const std::vector<std::string>& before, PostgresOptions source,
                              const std::vector<std::string>& note_in, SetupPlan* plan) {
  ARROW_ASSIGN_OR_RAISE(const TablePatterns old, TablePatterns::Parse(before));
  bool more = false;
  for (const TableName& table : plan->tables) {
    const TablePatterns::Match match = old.Explain(table);
    more = more || !match.matches;
    if (!match.excluded) continue;
    plan->obstacles.push_back({MakeError(
        ErrorKind::kInvalidOption, "the slot was set up without it: " + match.reason,
        "table " + ToString(table),
        "run 'arrowcdc setup' with all patterns that are meant, and start the stream with the same")});
  }
  if (!more) return arrow::Status::OK();
  source.tables.insert(source.tables.end(), before.begin(), before.end());
  source.tables = NormalPatterns(source.tables);
  plan->patterns = source.tables;
  return PlanNotes(note_in, source, NoteChange::kTables, "which tables the slot is for", plan);
}

// A slot that is there was set up for certain tables: somebody may read it for these.
arrow::Status PlanExistingSlot(const Inspection& inspected, const PostgresOptions& source,
                               const std::vector<std::string>& note_in, SetupPlan* plan) {
  const auto note = NoteOnSlot(inspected);
  if (!note.has_value()) return PlanNotesOnSeenSlot(inspected, source, note_in, plan);
  if (!note->tables.has_value()) return arrow::Status::OK();
  const auto before = NormalPatterns(*note->tables);
  const auto now = NormalPatterns(source.tables);
  if (before == now) return arrow::Status::OK();
  // Whoever reads all tables has these.
  if (plan->options.add_tables)
    return before.empty() ? arrow::Status::OK() : PlanAddedTables(before, source, note_in, plan);
  if (!plan->options.accept_tables) {
    plan->obstacles.push_back({OtherTables(source.slot, before, now)});
    return arrow::Status::OK();
  }
  plan->warnings.push_back(
      OtherTablesText(before, now) +
      ": a program that reads it gets other tables than before, and what it passes over is "
      "gone. Where that is not meant, give another --slot");
  return PlanNotes(note_in, source, NoteChange::kTables, "which tables the slot is for", plan);
}

// A subscription's slot has the plugin pgoutput, too.
arrow::Status CheckSlotIsOurs(const Inspection& inspected, OutputPlugin plugin) {
  if (plugin != OutputPlugin::kAuto || inspected.slot->plugin != kPgoutputName ||
      NoteOnSlot(inspected).has_value())
    return arrow::Status::OK();
  return MakeError(ErrorKind::kSlotMismatch,
                   "nothing tells that setup made the slot: it may be a subscription's",
                   "slot " + Quoted(inspected.slot->name),
                   "where it is none's, give --plugin pgoutput; nothing was dropped");
}

}  // namespace

arrow::Result<SetupObstacle> PluginNotAllowed(const ServerInfo& server, const std::string& plugin) {
  ARROW_ASSIGN_OR_RAISE(const std::string sql,
                        AllowPluginSql(server.plugins, plugin, server.role.name, server.database));
  const std::string one_name = NamesInOneLiteral(server.plugins, plugin);
  return SetupObstacle{
      MakeError(ErrorKind::kPluginNotAllowed,
                one_name.empty()
                    ? "output_plugin_libraries does not allow " + plugin + " to this role"
                    : "output_plugin_libraries holds '" + one_name +
                          "' as one name, so that it allows none of them: each needs a literal of its own",
                "plugin " + plugin, "a superuser must run, and the role connect anew: " + sql),
      sql};
}

std::optional<SlotNote> NoteOnSlot(const Inspection& inspected) {
  if (!inspected.slot.has_value()) return std::nullopt;
  for (const PublicationInfo& publication : inspected.publications) {
    auto note = FindNote(ParseNotes(publication.comment), inspected.slot->name, inspected.server.system,
                         inspected.slot->confirmed_flush);
    if (note.has_value()) return note;
  }
  return std::nullopt;
}

std::vector<std::string> OtherReaders(const Inspection& inspected, const PublicationInfo& publication,
                                      const std::string& slot) {
  std::vector<std::string> readers;
  for (const SlotNote& note : ParseNotes(publication.comment)) {
    if (note.system == inspected.server.system && note.slot != slot &&
        inspected.server.slots.contains(note.slot))
      readers.push_back(note.slot);
  }
  return readers;
}

arrow::Result<std::string> CreateSlotSql(const std::string& slot, int server_version, OutputPlugin plugin) {
  ARROW_RETURN_NOT_OK(CheckSlotName(slot));
  ARROW_ASSIGN_OR_RAISE(const std::string literal, QuoteLiteral(slot));
  // From 17 on standbys can hold a copy of the slot, so that it survives a failover.
  const std::string failover = server_version >= 170000 ? ", failover => true" : "";
  if (plugin == OutputPlugin::kPgoutput)
    return "SELECT pg_catalog.pg_create_logical_replication_slot(" + literal + ", 'pgoutput'" + failover +
           ")";
  // An administrator who runs it is not the role that is allowed the plugin, and an ALTER ROLE just before is
  // not in force yet.
  return std::string(kAllowPluginHere) + "; SELECT pg_catalog.pg_create_logical_replication_slot(" + literal +
         ", 'wal2arrow'" + failover + ")";
}

arrow::Status PlanServer(const Inspection& inspected, const PostgresOptions& source, SetupPlan* plan) {
  ARROW_RETURN_NOT_OK(CheckSlotName(source.slot));
  const ServerInfo& server = inspected.server;
  if (server.version_num < 150000) {
    return MakeError(ErrorKind::kUnsupported,
                     "the server is PostgreSQL " + server.version + ", older than 15", "server",
                     "upgrade it");
  }
  if (server.in_recovery) {
    return MakeError(ErrorKind::kUnsupported, "the server is a standby", "server", "connect to the primary");
  }
  plan->checks.push_back(
      "PostgreSQL " + server.version + ", database " + Quoted(server.database) + ", role " +
      Quoted(server.role.name) +
      (server.provider == Provider::kNone ? "" : std::string(", on ") + ProviderName(server.provider)));
  if (const auto warning = WarnOfRelease(server.version_num)) plan->warnings.push_back(*warning);
  CheckSettings(inspected, plan);
  ARROW_RETURN_NOT_OK(CheckRole(server, plan));
  ARROW_RETURN_NOT_OK(
      PlanPlugin(server, source.plugin == OutputPlugin::kPgoutput ? kPgoutputName : kPluginName, plan));
  CheckExistingSlot(inspected, source.plugin, plan);
  return arrow::Status::OK();
}

arrow::Result<SetupPlan> MakeSetupPlan(const Inspection& inspected, const PostgresOptions& source,
                                       const SetupOptions& options, const TablePatterns& patterns) {
  SetupPlan plan;
  plan.options = options;
  ARROW_RETURN_NOT_OK(PlanServer(inspected, source, &plan));
  ARROW_ASSIGN_OR_RAISE(const auto note_in, PlanPublications(inspected, source, patterns, &plan));
  if (inspected.slot.has_value()) {
    ARROW_RETURN_NOT_OK(PlanExistingSlot(inspected, source, note_in, &plan));
  } else if (options.add_tables) {
    plan.obstacles.push_back({SlotMissing(source.slot, inspected.server.slots)});
  } else {
    ARROW_RETURN_NOT_OK(PlanNewSlot(inspected, source, note_in, &plan));
  }
  return plan;
}

arrow::Result<SetupPlan> MakeTeardownPlan(const Inspection& inspected, const PostgresOptions& source) {
  SetupPlan plan;
  plan.teardown = true;
  ARROW_RETURN_NOT_OK(CheckSlotName(source.slot));
  if (inspected.slot.has_value()) {
    SlotInfo slot = *inspected.slot;
    slot.invalidation.clear();  // also a lost slot is dropped
    ARROW_RETURN_NOT_OK(CheckSlotFits(slot, inspected.server.database, source.plugin));
    ARROW_RETURN_NOT_OK(CheckSlotIsOurs(inspected, source.plugin));
    ARROW_RETURN_NOT_OK(CheckSlotFree(slot));
    ARROW_ASSIGN_OR_RAISE(const std::string literal, QuoteLiteral(slot.name));
    plan.steps.push_back({SetupStepKind::kDropSlot, "drop slot " + Quoted(slot.name),
                          "SELECT pg_catalog.pg_drop_replication_slot(" + literal + ")"});
  } else {
    plan.checks.push_back("there is no slot " + Quoted(source.slot));
  }
  for (const PublicationInfo& publication : inspected.publications) {
    if (!IsMadeBySetup(publication)) {
      plan.warnings.push_back("publication " + Quoted(publication.name) + " stays: setup did not make it");
      continue;
    }
    const auto readers = OtherReaders(inspected, publication, source.slot);
    if (!readers.empty()) {
      plan.warnings.push_back("publication " + Quoted(publication.name) + " stays: " + "slot " +
                              Quoted(readers[0]) + (readers.size() > 1 ? " and others read" : " reads") +
                              " it as well");
      const auto notes = ParseNotes(publication.comment);
      if (std::any_of(notes.begin(), notes.end(),
                      [&](const auto& note) { return note.slot == source.slot; })) {
        ARROW_RETURN_NOT_OK(
            PlanNotes({publication.name}, source, NoteChange::kSlotGone, "that the slot is gone", &plan));
      }
      continue;
    }
    ARROW_ASSIGN_OR_RAISE(const std::string identifier, QuoteIdentifier(publication.name));
    plan.steps.push_back({SetupStepKind::kDropPublication, "drop publication " + Quoted(publication.name),
                          "DROP PUBLICATION " + identifier});
    if (publication.owned) continue;
    plan.obstacles.push_back(
        {MakeError(ErrorKind::kPermission, "the role does not own publication " + Quoted(publication.name),
                   "role " + Quoted(inspected.server.role.name),
                   "let its owner " + Quoted(publication.owner) +
                       ", or an administrator, run what 'arrowcdc teardown --print-sql' prints"),
         "", false, true});
  }
  return plan;
}

}  // namespace arrowcdc::postgres

namespace arrowcdc {
namespace {

// A line of its own, whatever names stand in it: what follows a line break would be run.
std::string CommentLine(const std::string& text) {
  std::string line = "-- ";
  for (const char c : text) line += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
  return line + "\n";
}

}  // namespace

arrow::Status CheckObstacles(const SetupPlan& plan) {
  if (plan.obstacles.empty()) return arrow::Status::OK();
  if (plan.obstacles.size() == 1) return plan.obstacles[0].status;
  std::string message = std::to_string(plan.obstacles.size()) + " things are in the way:";
  std::string remedy;
  for (size_t i = 0; i < plan.obstacles.size(); ++i) {
    const arrow::Status& status = plan.obstacles[i].status;
    const ErrorDetail* detail = GetErrorDetail(status);
    const std::string number = " (" + std::to_string(i + 1) + ") ";
    message += number + (detail == nullptr ? "" : detail->object() + ": ") + status.message();
    if (detail != nullptr) remedy += number + detail->remedy();
  }
  const ErrorDetail* first = GetErrorDetail(plan.obstacles[0].status);
  return MakeError(first == nullptr ? ErrorKind::kInternal : first->kind(), message,
                   first == nullptr ? "" : first->object(), remedy.empty() ? "" : remedy.substr(1));
}

std::string AdministratorSql(const SetupPlan& plan) {
  std::string sql;
  bool restart = false;
  bool steps_help = true;
  for (const SetupObstacle& obstacle : plan.obstacles) {
    restart = restart || obstacle.restart;
    steps_help = steps_help && (obstacle.by_administrator || !obstacle.sql.empty());
    if (!obstacle.sql.empty()) sql += CommentLine(obstacle.status.message()) + obstacle.sql + ";\n\n";
  }
  if (restart)
    sql +=
        "-- restart the server, then run 'arrowcdc setup --print-sql' again for what needs that: the "
        "slot\n\n";
  if (!steps_help) return sql;
  for (const SetupStep& step : plan.steps) {
    const bool later = step.kind == SetupStepKind::kCreateSlot || step.kind == SetupStepKind::kNote;
    if (restart && later) continue;
    sql += CommentLine(step.what) + step.sql + ";\n\n";
  }
  for (const SetupStep& grant : plan.grants) sql += CommentLine(grant.what) + grant.sql + ";\n\n";
  return sql;
}

}  // namespace arrowcdc
