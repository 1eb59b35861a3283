// Server, role, plugin and slot; teardown. The publications are in publication_plan.cc, the list of tables in
// table_list.cc.
#include "src/postgres/setup_plan.h"

#include <algorithm>

#include "arrowcdc/error.h"
#include "arrowcdc/position.h"
#include "src/postgres/quoting.h"

namespace arrowcdc::postgres {
namespace {

std::string Quoted(const std::string& name) { return "\"" + name + "\""; }

arrow::Status CheckSettings(const Inspection& inspected, SetupPlan* plan) {
  const ServerInfo& server = inspected.server;
  if (server.version_num < 150000) {
    return MakeError(ErrorKind::kUnsupported,
                     "the server is PostgreSQL " + server.version + ", older than 15", "server",
                     "upgrade it");
  }
  if (server.in_recovery) {
    return MakeError(ErrorKind::kUnsupported, "the server is a standby", "server", "connect to the primary");
  }
  plan->checks.push_back("PostgreSQL " + server.version + ", database " + Quoted(server.database) +
                         ", role " + Quoted(server.role.name));
  if (server.wal_level != "logical") {
    return MakeError(ErrorKind::kServerSetting, "wal_level is " + server.wal_level, "setting wal_level",
                     "a superuser must run ALTER SYSTEM SET wal_level = 'logical', then restart the server");
  }
  plan->checks.push_back("wal_level is logical");
  if (!inspected.slot.has_value() && server.slots_used >= server.slots_max) {
    return MakeError(
        ErrorKind::kServerSetting, "all " + std::to_string(server.slots_max) + " replication slots are taken",
        "setting max_replication_slots",
        "drop slots that nobody uses (pg_replication_slots), or raise it and restart the server");
  }
  plan->checks.push_back(std::to_string(server.slots_used) + " of " + std::to_string(server.slots_max) +
                         " replication slots are taken");
  if (server.senders_max == 0) {
    return MakeError(ErrorKind::kServerSetting, "max_wal_senders is 0", "setting max_wal_senders",
                     "raise it and restart the server");
  }
  if (server.senders_used >= server.senders_max && !(inspected.slot.has_value() && inspected.slot->active)) {
    plan->warnings.push_back("all " + std::to_string(server.senders_max) +
                             " WAL senders are taken now: streaming needs one (max_wal_senders)");
  } else {
    plan->checks.push_back(std::to_string(server.senders_used) + " of " + std::to_string(server.senders_max) +
                           " WAL senders are taken");
  }
  return arrow::Status::OK();
}

arrow::Status CheckRole(const ServerInfo& server, SetupPlan* plan) {
  if (!server.role.superuser && !server.role.replication) {
    ARROW_ASSIGN_OR_RAISE(const std::string role, QuoteIdentifier(server.role.name));
    return MakeError(ErrorKind::kPermission, "the role may not use replication",
                     "role " + Quoted(server.role.name),
                     "a superuser must run: ALTER ROLE " + role + " REPLICATION");
  }
  plan->checks.push_back("the role may use replication");
  return arrow::Status::OK();
}

// Least privilege: the role, not the whole server, is allowed the plugin.
arrow::Status PlanPluginAllowance(const ServerInfo& server, SetupPlan* plan) {
  if (!server.allowed_plugins.has_value()) return arrow::Status::OK();  // the slot will tell
  const std::vector<std::string>& allowed = *server.allowed_plugins;
  if (std::find(allowed.begin(), allowed.end(), kPluginName) != allowed.end()) {
    plan->checks.push_back("output_plugin_libraries allows wal2arrow");
    return arrow::Status::OK();
  }
  ARROW_ASSIGN_OR_RAISE(std::string sql, QuoteIdentifier(server.role.name));
  sql = "ALTER ROLE " + sql + " SET output_plugin_libraries = ";
  for (const std::string& name : allowed) {
    ARROW_ASSIGN_OR_RAISE(const std::string literal, QuoteLiteral(name));
    sql += literal + ", ";
  }
  sql += "'" + std::string(kPluginName) + "'";
  if (!server.role.superuser) {
    return MakeError(ErrorKind::kPluginNotAllowed,
                     "output_plugin_libraries does not allow wal2arrow to this role", "plugin wal2arrow",
                     "a superuser must run, and the role connect anew: " + sql);
  }
  plan->steps.push_back({"allow the plugin wal2arrow to role " + Quoted(server.role.name), sql});
  return arrow::Status::OK();
}

arrow::Status CheckExistingSlot(const Inspection& inspected, SetupPlan* plan) {
  if (!inspected.slot.has_value()) return arrow::Status::OK();
  ARROW_RETURN_NOT_OK(CheckSlotFits(*inspected.slot, inspected.server.database));
  plan->checks.push_back("slot " + Quoted(inspected.slot->name) + " exists, at " +
                         FormatLsn(inspected.slot->confirmed_flush));
  return arrow::Status::OK();
}

arrow::Status PlanSlot(const Inspection& inspected, const SourceOptions& source,
                       const std::optional<std::string>& note_in, SetupPlan* plan) {
  if (inspected.slot.has_value()) return arrow::Status::OK();
  ARROW_ASSIGN_OR_RAISE(const std::string sql, CreateSlotSql(source.slot, inspected.server.version_num));
  plan->steps.push_back({"create slot " + Quoted(source.slot) + " with the plugin wal2arrow", sql});
  for (const PublicationInfo& publication : inspected.publications) {
    if (note_in != publication.name || publication.owned) continue;
    plan->warnings.push_back("role " + Quoted(inspected.server.role.name) + " does not own publication " +
                             Quoted(publication.name) +
                             ": where the slot begins cannot be noted there, and once changes were decoded "
                             "stream cannot tell a slot that "
                             "fed another sink from one that did not. An administrator who runs the SQL of "
                             "--print-sql gets the note");
  }
  if (!note_in.has_value()) return arrow::Status::OK();
  ARROW_ASSIGN_OR_RAISE(const std::string note, NoteSlotStartSql(*note_in, source.slot));
  plan->steps.push_back({"note in publication " + Quoted(*note_in) + " where the slot begins", note});
  return arrow::Status::OK();
}

}  // namespace

arrow::Result<std::string> CreateSlotSql(const std::string& slot, int server_version) {
  ARROW_RETURN_NOT_OK(CheckSlotName(slot));
  ARROW_ASSIGN_OR_RAISE(const std::string literal, QuoteLiteral(slot));
  // From 17 on standbys can hold a copy of the slot, so that it survives a failover.
  const std::string failover = server_version >= 170000 ? ", failover => true" : "";
  // An administrator who runs it is not the role that is allowed the plugin, and an ALTER ROLE just before is
  // not in force yet. pg_settings has no row where the server lacks the setting or the role may not even see
  // it.
  const std::string allow =
      "SELECT pg_catalog.set_config(name, pg_catalog.concat_ws(', ', nullif(setting, ''), 'wal2arrow'), "
      "false) FROM "
      "pg_catalog.pg_settings WHERE name = 'output_plugin_libraries' AND "
      "pg_catalog.current_setting('is_superuser') = "
      "'on'; ";
  return allow + "SELECT pg_catalog.pg_create_logical_replication_slot(" + literal + ", 'wal2arrow'" +
         failover + ")";
}

arrow::Status PlanServer(const Inspection& inspected, const SourceOptions& source, SetupPlan* plan) {
  ARROW_RETURN_NOT_OK(CheckSlotName(source.slot));
  ARROW_RETURN_NOT_OK(CheckSettings(inspected, plan));
  ARROW_RETURN_NOT_OK(CheckRole(inspected.server, plan));
  ARROW_RETURN_NOT_OK(PlanPluginAllowance(inspected.server, plan));
  return CheckExistingSlot(inspected, plan);
}

arrow::Result<SetupPlan> MakeSetupPlan(const Inspection& inspected, const SourceOptions& source,
                                       const SetupOptions& options, const TablePatterns& patterns) {
  SetupPlan plan;
  ARROW_RETURN_NOT_OK(PlanServer(inspected, source, &plan));
  ARROW_ASSIGN_OR_RAISE(const auto note_in, PlanPublications(inspected, source, options, patterns, &plan));
  ARROW_RETURN_NOT_OK(PlanSlot(inspected, source, note_in, &plan));
  return plan;
}

arrow::Result<SetupPlan> MakeTeardownPlan(const Inspection& inspected, const SourceOptions& source) {
  SetupPlan plan;
  ARROW_RETURN_NOT_OK(CheckSlotName(source.slot));
  if (inspected.slot.has_value()) {
    SlotInfo slot = *inspected.slot;
    slot.invalidation.clear();  // also a lost slot is dropped
    ARROW_RETURN_NOT_OK(CheckSlotFits(slot, inspected.server.database));
    ARROW_RETURN_NOT_OK(CheckSlotFree(slot));
    ARROW_ASSIGN_OR_RAISE(const std::string literal, QuoteLiteral(slot.name));
    plan.steps.push_back(
        {"drop slot " + Quoted(slot.name), "SELECT pg_catalog.pg_drop_replication_slot(" + literal + ")"});
  } else {
    plan.checks.push_back("there is no slot " + Quoted(source.slot));
  }
  for (const PublicationInfo& publication : inspected.publications) {
    if (!IsMadeBySetup(publication)) {
      plan.warnings.push_back("publication " + Quoted(publication.name) + " stays: setup did not make it");
      continue;
    }
    ARROW_ASSIGN_OR_RAISE(const std::string identifier, QuoteIdentifier(publication.name));
    plan.steps.push_back({"drop publication " + Quoted(publication.name), "DROP PUBLICATION " + identifier});
    if (publication.owned || !plan.blocked.ok()) continue;
    plan.blocked =
        MakeError(ErrorKind::kPermission,
                  "the role does not own publication " + Quoted(publication.name) + "; nothing was changed",
                  "role " + Quoted(inspected.server.role.name),
                  "let its owner " + Quoted(publication.owner) +
                      ", or an administrator, run what 'arrowcdc teardown --print-sql' prints");
  }
  return plan;
}

}  // namespace arrowcdc::postgres
