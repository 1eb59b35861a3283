// What is to be said of a server and a slot. Pure: every case can be tested.
#include <algorithm>
#include <charconv>
#include <functional>

#include "arrowcdc/error.h"
#include "src/postgres/client/quoting.h"
#include "src/postgres/setup/health.h"

namespace arrowcdc::postgres {
namespace {

using enum FindingLevel;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr int64_t kMiB = 1 << 20;
constexpr int64_t kGiB = 1 << 30;
constexpr size_t kNamesMax = 10;
constexpr int kVersionWithFailover = 170000;

std::string Quoted(const std::string& name) { return "\"" + name + "\""; }

// None: there is no such setting, or it is no number.
std::optional<int64_t> NumberOf(const Health& health, const char* setting) {
  const auto found = health.settings.find(setting);
  if (found == health.settings.end()) return std::nullopt;
  int64_t number = 0;
  const std::string& text = found->second;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() ? std::optional(number) : std::nullopt;
}

std::string SizeText(int64_t bytes) {
  if (bytes >= kGiB) return std::to_string(bytes / kGiB) + " GiB";
  if (bytes >= kMiB) return std::to_string(bytes / kMiB) + " MiB";
  return std::to_string(bytes) + " bytes";
}

std::string TimeText(seconds time) {
  if (time >= hours(48)) return std::to_string(time / hours(24)) + " days";
  if (time >= hours(2)) return std::to_string(time / hours(1)) + " hours";
  if (time >= minutes(2)) return std::to_string(time / minutes(1)) + " minutes";
  return std::to_string(time.count()) + " seconds";
}

// How a setting is changed: by SQL, or at a service its own way.
void ChangeSetting(const Health& health, const char* setting, const std::string& value, const char* why,
                   Finding* finding) {
  const std::string there = RaiseSetting(health.provider, setting).text;
  if (!there.empty()) {
    finding->remedy = std::string(why) + ": " + there;
    return;
  }
  finding->remedy = why;
  finding->sql = std::string("ALTER SYSTEM SET ") + setting + " = '" + value + "'; SELECT pg_reload_conf()";
}

Finding SlotState(const Health& health) {
  const SlotInfo& slot = *health.slot;
  Finding finding{.check = "slot_state", .object = "slot " + Quoted(slot.name)};
  finding.text = "wal_status is " + slot.wal_status + ", the server keeps " +
                 SizeText(static_cast<int64_t>(health.retained_bytes)) + " of WAL for it";
  if (slot.wal_status == "unreserved") {
    finding.level = kProblem;
    finding.kind = ErrorKind::kSlotInvalidated;
    finding.text += ": it is over the limit, and lost with the next checkpoint";
    ChangeSetting(health, "max_slot_wal_keep_size", "-1",
                  "start the stream at once, and raise max_slot_wal_keep_size until it has caught up",
                  &finding);
  } else if (slot.wal_status == "extended" || (!slot.active && health.retained_bytes > kGiB)) {
    finding.level = kWarning;
    finding.text += slot.active ? "" : ", and nobody streams it";
    finding.remedy = slot.active ? "see whether the stream keeps up (arrowcdc status --watch 5s)"
                                 : "start the stream, or drop the slot with 'arrowcdc teardown'";
  }
  return finding;
}

// What only a role that sees other sessions can tell.
void AskForSight(const Health& health, Finding* finding) {
  finding->level = kUnknown;
  finding->remedy = "let an administrator allow it";
  if (const auto role = QuoteIdentifier(health.role); role.ok())
    finding->sql = "GRANT pg_read_all_stats TO " + *role;
}

// What of WAL a slot may hold back.
Finding Retention(const Health& health) {
  Finding finding{.check = "wal_retention", .object = "setting max_slot_wal_keep_size"};
  const auto megabytes = NumberOf(health, "max_slot_wal_keep_size");
  if (!megabytes.has_value() || *megabytes < 0) {
    finding.level = kWarning;
    finding.text = "there is no limit: a client that is away for long fills the server's disk";
    ChangeSetting(health, "max_slot_wal_keep_size", "100GB",
                  "set it to what the disk can spare; a slot that goes over it is lost, and its tables are "
                  "copied anew",
                  &finding);
    return finding;
  }
  const int64_t limit = *megabytes * kMiB;
  const bool known = health.slot.has_value() && health.slot->safe_wal_bytes.has_value();
  // The server counts in whole segments, up to one beyond the limit.
  const int64_t left = std::clamp<int64_t>(known ? *health.slot->safe_wal_bytes : limit, 0, limit);
  finding.text = "a slot may keep " + SizeText(limit);
  if (known) finding.text += ", and " + SizeText(left) + " of it are left";
  const double rate = health.wal_bytes_per_s.value_or(0);
  bool short_time = limit < kGiB;
  if (rate > 0) {
    const seconds time(static_cast<int64_t>(std::min(static_cast<double>(left) / rate, 1e9)));
    short_time = short_time || time < hours(12);
    finding.text += ": enough for " + TimeText(time) + " at the " + SizeText(static_cast<int64_t>(rate)) +
                    " a second that the server writes now";
  }
  if (!short_time) return finding;
  finding.level = kWarning;
  // Never less than there is.
  const int64_t raised = std::max<int64_t>(100, 2 * ((limit + kGiB - 1) / kGiB));
  ChangeSetting(health, "max_slot_wal_keep_size", std::to_string(raised) + "GB",
                "set it to what the disk can spare: a client that is away for longer loses the slot",
                &finding);
  return finding;
}

std::optional<Finding> IdleTimeout(const Health& health) {
  const auto timeout = NumberOf(health, "idle_replication_slot_timeout");  // seconds, 18 and later
  if (!timeout.has_value()) return std::nullopt;
  Finding finding{.check = "slot_idle_timeout", .object = "setting idle_replication_slot_timeout"};
  finding.text = "slots that nobody streams are kept";
  if (*timeout == 0) return finding;
  finding.level = kWarning;
  finding.text = "a slot that nobody streams for " + TimeText(seconds(*timeout)) + " is lost";
  ChangeSetting(health, "idle_replication_slot_timeout", "0",
                "switch it off, or see to it that the stream is never away for so long", &finding);
  return finding;
}

Finding Failover(const Health& health) {
  Finding finding{.check = "failover",
                  .object = health.slot.has_value() ? "slot " + Quoted(health.slot->name) : "server"};
  if (health.standbys == 0) {
    finding.text = health.sees_others ? "no standby is connected"
                                      : "whether standbys are connected cannot be seen by the role";
    if (!health.sees_others) AskForSight(health, &finding);
    return finding;
  }
  const std::string standbys = std::to_string(health.standbys) + " standby(s) connected";
  if (health.version_num < kVersionWithFailover) {
    finding.level = kNote;
    finding.text = standbys + ": before PostgreSQL 17 a standby has no copy of the slot";
    finding.remedy = "after a failover run setup on the new primary, and stream with --snapshot when-needed";
    return finding;
  }
  if (!health.slot.has_value()) {
    finding.text = standbys + "; setup makes the slot with failover";
    return finding;
  }
  if (!health.failover) {
    finding.level = kWarning;
    finding.text = standbys + ", and the slot has no failover: it is gone when one of them is promoted";
    finding.remedy =
        "while nobody streams it, over a replication connection (psql \"replication=database "
        "...\"): ALTER_REPLICATION_SLOT " +
        health.slot->name + " (FAILOVER true)";
    return finding;
  }
  const auto waits = health.settings.find("synchronized_standby_slots");
  if (waits == health.settings.end() || waits->second.empty()) {
    finding.level = kNote;
    finding.text = standbys +
                   ", and the stream may be ahead of them: changes that a promoted one lacks are in "
                   "the sink, then";
    finding.remedy =
        "name their physical slots in synchronized_standby_slots; the standbys need "
        "sync_replication_slots = on and hot_standby_feedback = on";
    return finding;
  }
  finding.text = standbys + ", and the slot has failover; the standbys need sync_replication_slots = on";
  return finding;
}

std::vector<Finding> Transactions(const Health& health) {
  std::vector<Finding> findings;
  for (const OpenTransaction& open : health.transactions) {
    findings.push_back(
        {.level = kWarning,
         .check = "transactions",
         .text = "open for " + TimeText(open.age) +
                 ": WAL from its begin on is kept, a new slot waits for it, and so does a copy",
         .object = open.what,
         .remedy = "let it end, or end it: " + open.end});
  }
  if (!health.sees_others) {
    findings.push_back({.check = "transactions",
                        .text = "what sessions of other roles do cannot be seen",
                        .object = "role " + Quoted(health.role)});
    AskForSight(health, &findings.back());
  } else if (findings.empty()) {
    findings.push_back({.check = "transactions", .text = "none has been open for more than 5 minutes"});
  }
  return findings;
}

std::optional<Finding> Spills(const Health& health) {
  if (!health.spills.has_value()) return std::nullopt;
  Finding finding{.check = "spills", .object = "setting logical_decoding_work_mem"};
  if (health.spills->spilled_bytes == 0) {
    finding.text = "decoding has written no transaction to the server's disk";
    return finding;
  }
  finding.level = kNote;
  finding.text = "decoding has written " + std::to_string(health.spills->spilled_transactions) +
                 " transactions, " + SizeText(health.spills->spilled_bytes) + ", to the server's disk";
  const int64_t raised =
      std::max<int64_t>(256, 2 * NumberOf(health, "logical_decoding_work_mem").value_or(0) / 1024);
  ChangeSetting(health, "logical_decoding_work_mem", std::to_string(raised) + "MB",
                "raise it; a stream with --streaming on takes large transactions in pieces instead",
                &finding);
  return finding;
}

std::optional<Finding> Synchronous(const Health& health) {
  if (health.sync_state_hidden) {
    Finding finding{.check = "synchronous_commit",
                    .text = "whether commits wait for the stream cannot be seen by the role",
                    .object = "setting synchronous_standby_names"};
    AskForSight(health, &finding);
    return finding;
  }
  if (health.sync_state.empty()) return std::nullopt;
  return Finding{.level = kWarning,
                 .check = "synchronous_commit",
                 .text = "the server takes the stream for a synchronous standby (" + health.sync_state +
                         "): commits wait until their changes are in complete files",
                 .object = "setting synchronous_standby_names",
                 .remedy =
                     "name the standbys that are meant: '*' and the stream's application_name count it "
                     "among them"};
}

std::optional<Finding> Versions(const Health& health) {
  if (!health.wal2arrow.has_value()) return std::nullopt;
  const PluginVersion& plugin = *health.wal2arrow;
  Finding finding{.check = "plugin_version", .object = "plugin wal2arrow"};
  if (!plugin.loaded && plugin.text.empty()) {
    finding.level = kUnknown;
    finding.text = "the role could not load it, which alone tells its version";
    finding.remedy = "let a superuser ask for it, where it is installed";
    finding.sql = "LOAD 'wal2arrow'; SHOW wal2arrow.version";
  } else if (plugin.text.empty()) {
    finding.level = kWarning;
    finding.text =
        "it is older than this client, " + health.client_version + ", and does not tell its version";
  } else if (plugin.text == health.client_version) {
    finding.text = "its version is " + plugin.text + ", as this client's";
  } else {
    finding.level = kWarning;
    finding.text = "its version is " + plugin.text + ", this client's " + health.client_version;
  }
  if (finding.level == kWarning)
    finding.remedy = "install the same version of both: what only one of them knows is not used";
  return finding;
}

// One finding for all of them.
void AddTables(const Health& health, const std::function<bool(const TableHealth&)>& is_one, Finding finding,
               std::vector<Finding>* findings) {
  size_t count = 0;
  std::string names;
  for (const TableHealth& table : health.tables) {
    if (!is_one(table) || ++count > kNamesMax) continue;
    names += (names.empty() ? "" : ", ") + ToString(table.name);
  }
  if (count == 0) return;
  if (count > kNamesMax) names += " and " + std::to_string(count - kNamesMax) + " more";
  finding.object = "table(s) " + names;
  findings->push_back(std::move(finding));
}

void Tables(const Health& health, std::vector<Finding>* findings) {
  Finding security{.level = kWarning,
                   .check = "row_security",
                   .text =
                       "row security hides rows from the role: changes come all the same, but rows that "
                       "are there before cannot be copied",
                   .remedy = "let an administrator allow it"};
  if (const auto role = QuoteIdentifier(health.role); role.ok())
    security.sql = "ALTER ROLE " + *role + " BYPASSRLS";
  AddTables(
      health, [](const TableHealth& table) { return table.row_security; }, security, findings);
  AddTables(
      health, [](const TableHealth& table) { return table.toast_bytes > 0 && !table.full_identity; },
      {.level = kNote,
       .check = "toast",
       .text =
           "values are stored out of line: an update that leaves one as it was comes without it, and names "
           "its column in _unchanged",
       .remedy = "where a reader needs whole rows: ALTER TABLE ... REPLICA IDENTITY FULL, which costs WAL"},
      findings);
}

}  // namespace

std::vector<Finding> JudgeHealth(const Health& health) {
  std::vector<Finding> findings;
  const auto add = [&](std::optional<Finding> finding) {
    if (finding.has_value()) findings.push_back(*std::move(finding));
  };
  // A lost one is among what setup finds.
  if (health.slot.has_value() && health.slot->invalidation.empty() && !health.slot->being_made)
    add(SlotState(health));
  add(Retention(health));
  add(IdleTimeout(health));
  add(Failover(health));
  for (Finding& finding : Transactions(health)) findings.push_back(std::move(finding));
  add(Spills(health));
  add(Synchronous(health));
  add(Versions(health));
  Tables(health, &findings);
  return findings;
}

std::vector<Finding> FindingsOf(const SetupPlan& plan) {
  std::vector<Finding> findings;
  for (const std::string& check : plan.checks) findings.push_back({.check = "setup", .text = check});
  for (const std::string& warning : plan.warnings)
    findings.push_back({.level = kWarning, .check = "setup", .text = warning});
  for (const SetupObstacle& obstacle : plan.obstacles) {
    const ErrorDetail* const detail = GetErrorDetail(obstacle.status);
    Finding finding{
        .level = kProblem, .check = "setup", .text = obstacle.status.message(), .sql = obstacle.sql};
    if (detail != nullptr) {
      finding.object = detail->object();
      finding.remedy = detail->remedy();
      finding.kind = detail->kind();
      finding.check = ErrorKindName(detail->kind());
    }
    findings.push_back(std::move(finding));
  }
  for (const SetupStep& step : plan.steps) {
    if (step.kind == SetupStepKind::kNote) continue;  // it goes with another
    findings.push_back({.level = kWarning,
                        .check = "setup",
                        .text = "not done yet: " + step.what,
                        .remedy = "run 'arrowcdc setup' with the same options",
                        .sql = step.sql});
  }
  return findings;
}

}  // namespace arrowcdc::postgres
