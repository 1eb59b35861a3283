// What is found in what state of a server.
#include <algorithm>

#include <gtest/gtest.h>

#include "arrowcdc/error.h"
#include "src/postgres/setup/health.h"

namespace arrowcdc::postgres {
namespace {

using enum FindingLevel;
using std::chrono::hours;

// Nothing is to be said of it.
Health Healthy() {
  Health health;
  health.version_num = 170006;
  health.role = "cdc";
  health.sees_others = true;
  health.settings = {{"max_slot_wal_keep_size", "102400"}, {"logical_decoding_work_mem", "65536"}};
  health.slot.emplace();
  health.slot->name = "shop";
  health.slot->active = true;
  health.slot->wal_status = "reserved";
  health.slot->safe_wal_bytes = int64_t{100} << 30;
  health.wal_bytes_per_s = 1 << 20;
  health.spills.emplace();
  return health;
}

std::vector<Finding> Of(const Health& health, const std::string& check) {
  std::vector<Finding> findings = JudgeHealth(health);
  std::erase_if(findings, [&](const Finding& finding) { return finding.check != check; });
  return findings;
}

Finding TheOne(const Health& health, const std::string& check) {
  const auto findings = Of(health, check);
  EXPECT_EQ(findings.size(), 1u) << check;
  return findings.empty() ? Finding() : findings[0];
}

TEST(Findings, AHealthySlotHasNone) {
  for (const Finding& finding : JudgeHealth(Healthy()))
    EXPECT_EQ(finding.level, kOk) << finding.check << ": " << finding.text;
}

TEST(Findings, VersionsOfClientAndPluginAreCompared) {
  Health health = Healthy();
  EXPECT_TRUE(Of(health, "plugin_version").empty()) << "a slot of pgoutput";
  health.client_version = "1.2.3";
  health.wal2arrow = {true, "1.2.3"};
  EXPECT_EQ(TheOne(health, "plugin_version").level, kOk);
  health.wal2arrow = {true, "1.2.0"};
  const Finding other = TheOne(health, "plugin_version");
  EXPECT_EQ(other.level, kWarning);
  EXPECT_NE(other.text.find("1.2.0"), std::string::npos) << other.text;
  EXPECT_NE(other.text.find("1.2.3"), std::string::npos) << other.text;
  health.wal2arrow = {true, ""};
  EXPECT_EQ(TheOne(health, "plugin_version").level, kWarning) << "one that does not tell is older";
  health.wal2arrow = {false, ""};
  EXPECT_EQ(TheOne(health, "plugin_version").level, kUnknown);
}

TEST(Findings, WhatTheRoleMayNotSeeIsUnknown) {
  Health health = Healthy();
  health.sees_others = false;
  health.sync_state_hidden = true;
  // Each with the SQL that would answer it.
  for (const char* check : {"failover", "transactions", "synchronous_commit"}) {
    EXPECT_EQ(TheOne(health, check).level, kUnknown) << check;
    EXPECT_EQ(TheOne(health, check).sql, "GRANT pg_read_all_stats TO \"cdc\"") << check;
  }
  health.wal2arrow = {false, ""};
  EXPECT_EQ(TheOne(health, "plugin_version").sql, "LOAD 'wal2arrow'; SHOW wal2arrow.version");
}

TEST(Findings, ASlotOverItsLimitIsAProblem) {
  Health health = Healthy();
  health.slot->wal_status = "extended";
  EXPECT_EQ(TheOne(health, "slot_state").level, kWarning);
  health.slot->wal_status = "unreserved";
  const Finding finding = TheOne(health, "slot_state");
  EXPECT_EQ(finding.level, kProblem);
  EXPECT_EQ(finding.kind, ErrorKind::kSlotInvalidated);
  EXPECT_EQ(finding.sql, "ALTER SYSTEM SET max_slot_wal_keep_size = '-1'; SELECT pg_reload_conf()");
}

TEST(Findings, ASlotThatNobodyReadsAndThatKeepsMuchIsWarnedOf) {
  Health health = Healthy();
  health.slot->active = false;
  health.retained_bytes = 1 << 20;
  EXPECT_EQ(TheOne(health, "slot_state").level, kOk);
  health.retained_bytes = uint64_t{5} << 30;
  EXPECT_EQ(TheOne(health, "slot_state").level, kWarning);
  EXPECT_NE(TheOne(health, "slot_state").text.find("5 GiB"), std::string::npos);
}

TEST(Findings, RetentionIsJudgedByTimeAndSize) {
  Health health = Healthy();
  health.settings["max_slot_wal_keep_size"] = "-1";
  EXPECT_EQ(TheOne(health, "wal_retention").level, kWarning);
  EXPECT_NE(TheOne(health, "wal_retention").text.find("fills the server's disk"), std::string::npos);
  health = Healthy();
  health.slot->safe_wal_bytes = int64_t{7200} << 20;  // 2 h at 1 MiB a second
  const Finding finding = TheOne(health, "wal_retention");
  EXPECT_EQ(finding.level, kWarning);
  EXPECT_NE(finding.text.find("enough for 2 hours"), std::string::npos) << finding.text;
  // A limit that is lowered loses the slot at once.
  health.settings["max_slot_wal_keep_size"] = "307200";  // MB
  EXPECT_EQ(TheOne(health, "wal_retention").sql,
            "ALTER SYSTEM SET max_slot_wal_keep_size = '600GB'; SELECT pg_reload_conf()");
  health.wal_bytes_per_s = 0;  // nothing is written
  EXPECT_EQ(TheOne(health, "wal_retention").level, kOk);
  health.settings["max_slot_wal_keep_size"] = "100";  // MB
  EXPECT_EQ(TheOne(health, "wal_retention").level, kWarning);
  EXPECT_NE(TheOne(health, "wal_retention").text.find("100 MiB of it are left"), std::string::npos)
      << "no more than there may be";
}

TEST(Findings, AServiceChangesSettingsItsOwnWay) {
  Health health = Healthy();
  health.settings["max_slot_wal_keep_size"] = "-1";
  health.provider = Provider::kRds;
  const Finding finding = TheOne(health, "wal_retention");
  EXPECT_EQ(finding.sql, "");
  EXPECT_NE(finding.remedy.find("parameter group"), std::string::npos) << finding.remedy;
}

TEST(Findings, AnIdleTimeoutLosesTheSlot) {
  Health health = Healthy();
  EXPECT_TRUE(Of(health, "slot_idle_timeout").empty()) << "before 18 there is none";
  health.settings["idle_replication_slot_timeout"] = "0";
  EXPECT_EQ(TheOne(health, "slot_idle_timeout").level, kOk);
  health.settings["idle_replication_slot_timeout"] = "172800";
  EXPECT_EQ(TheOne(health, "slot_idle_timeout").level, kWarning);
  EXPECT_NE(TheOne(health, "slot_idle_timeout").text.find("2 days"), std::string::npos);
}

TEST(Findings, FailoverNeedsTheFlagAndWaitingStandbys) {
  Health health = Healthy();
  EXPECT_EQ(TheOne(health, "failover").level, kOk);
  health.standbys = 1;
  EXPECT_EQ(TheOne(health, "failover").level, kWarning);
  EXPECT_NE(TheOne(health, "failover").remedy.find("ALTER_REPLICATION_SLOT shop (FAILOVER true)"),
            std::string::npos);
  health.failover = true;
  EXPECT_EQ(TheOne(health, "failover").level, kNote);
  health.settings["synchronized_standby_slots"] = "standby";
  EXPECT_EQ(TheOne(health, "failover").level, kOk);
  health.version_num = 160010;
  EXPECT_EQ(TheOne(health, "failover").level, kNote);
}

TEST(Findings, OpenTransactionsAreNamedOrUnknown) {
  Health health = Healthy();
  health.transactions = {{"pid 12 (psql), idle in transaction", hours(3), "SELECT pg_terminate_backend(12)"}};
  const Finding finding = TheOne(health, "transactions");
  EXPECT_EQ(finding.level, kWarning);
  EXPECT_EQ(finding.object, "pid 12 (psql), idle in transaction");
  EXPECT_NE(finding.text.find("3 hours"), std::string::npos);
  EXPECT_EQ(finding.sql, "") << "what destroys is not in a block that is run as it is";
  health.transactions.clear();
  health.sees_others = false;
  EXPECT_EQ(TheOne(health, "transactions").level, kUnknown);
  EXPECT_EQ(TheOne(health, "transactions").sql, "GRANT pg_read_all_stats TO \"cdc\"");
}

TEST(Findings, SpillsAndSynchronousCommits) {
  Health health = Healthy();
  health.spills = SpillCounts{3, int64_t{3} << 30};
  EXPECT_EQ(TheOne(health, "spills").level, kNote);
  EXPECT_NE(TheOne(health, "spills").text.find("3 transactions, 3 GiB"), std::string::npos);
  EXPECT_NE(TheOne(health, "spills").sql.find("work_mem = '256MB'"), std::string::npos);
  health.settings["logical_decoding_work_mem"] = "1048576";  // kB
  EXPECT_NE(TheOne(health, "spills").sql.find("work_mem = '2048MB'"), std::string::npos);
  health.sync_state = "sync";
  EXPECT_EQ(TheOne(health, "synchronous_commit").level, kWarning);
}

TEST(Findings, TablesAreNamedTogether) {
  Health health = Healthy();
  for (int i = 0; i < 12; ++i)
    health.tables.push_back({{"public", "t" + std::to_string(i)}, false, false, 8192});
  health.tables.push_back({{"public", "full"}, false, true, 8192});
  health.tables.push_back({{"public", "secret"}, true, false, 0});
  const Finding toast = TheOne(health, "toast");
  EXPECT_EQ(toast.level, kNote);
  EXPECT_NE(toast.object.find("public.t0, "), std::string::npos);
  EXPECT_NE(toast.object.find("and 2 more"), std::string::npos) << toast.object;
  const Finding security = TheOne(health, "row_security");
  EXPECT_EQ(security.object, "table(s) public.secret");
  EXPECT_EQ(security.sql, "ALTER ROLE \"cdc\" BYPASSRLS");
}

TEST(Findings, APlanIsTold) {
  SetupPlan plan;
  plan.checks = {"wal_level is logical"};
  plan.warnings = {"a pattern matches nothing"};
  plan.obstacles.push_back(
      {MakeError(ErrorKind::kReplicaIdentity, "it has no primary key", "table public.t", "add one"), "SQL"});
  plan.steps.push_back({SetupStepKind::kCreateSlot, "create slot \"s\"", "SELECT 1"});
  const auto findings = FindingsOf(plan);
  ASSERT_EQ(findings.size(), 4u);
  EXPECT_EQ(findings[0].level, kOk);
  EXPECT_EQ(findings[1].level, kWarning);
  EXPECT_EQ(findings[2].level, kProblem);
  EXPECT_EQ(findings[2].check, "replica_identity");
  EXPECT_EQ(findings[2].object, "table public.t");
  EXPECT_EQ(findings[2].sql, "SQL");
  EXPECT_EQ(findings[3].text, "not done yet: create slot \"s\"");
}

}  // namespace
}  // namespace arrowcdc::postgres
