// What a plan says of the server, the role and what they are run by; whose slot teardown may drop.
#include <gtest/gtest.h>

#include "arrowcdc/error.h"
#include "src/postgres/setup/setup_plan.h"

namespace arrowcdc::postgres {
namespace {

Inspection Fresh() {
  Inspection inspected;
  ServerInfo& server = inspected.server;
  server.version_num = 150020;
  server.version = "15.20";
  server.database = "shop";
  server.wal_level = "logical";
  server.slots_max = 10;
  server.senders_max = 10;
  server.system = "77";
  server.role = {"cdc", false, true};
  return inspected;
}

PostgresOptions Source(OutputPlugin plugin) {
  PostgresOptions source;
  source.slot = "cdc";
  source.plugin = plugin;
  return source;
}

SetupPlan PlanOf(const Inspection& inspected, OutputPlugin plugin = OutputPlugin::kPgoutput) {
  SetupPlan plan;
  const arrow::Status planned = PlanServer(inspected, Source(plugin), &plan);
  EXPECT_TRUE(planned.ok()) << planned.ToString();
  return plan;
}

// As a server answers to a role that may not.
arrow::Status NoReplication() {
  return MakeError(ErrorKind::kPermission, "could not connect: permission denied to start WAL sender",
                   "role \"cdc\"", "ask");
}

TEST(ServerPlan, AnOldReleaseIsWarnedOf) {
  Inspection inspected = Fresh();
  EXPECT_TRUE(PlanOf(inspected).warnings.empty());
  inspected.server.version_num = 150012;
  ASSERT_EQ(PlanOf(inspected).warnings.size(), 1u);
  EXPECT_NE(PlanOf(inspected).warnings[0].find("upgrade it to 15.14"), std::string::npos);
}

// What hinders a replication connection is told as it was met, but for what is told elsewhere. What
// attributes the role has is of no interest.
TEST(ServerPlan, ReplicationIsTried) {
  Inspection inspected = Fresh();
  EXPECT_TRUE(PlanOf(inspected).obstacles.empty());
  inspected.server.role.replication = NoReplication();
  const SetupPlan refused = PlanOf(inspected);
  ASSERT_EQ(refused.obstacles.size(), 1u);
  EXPECT_EQ(refused.obstacles[0].sql, "ALTER ROLE \"cdc\" REPLICATION");
  SetupPlan adds;  // by a role that need not be the one that streams
  adds.options.add_tables = true;
  EXPECT_TRUE(PlanServer(inspected, Source(OutputPlugin::kPgoutput), &adds).ok());
  EXPECT_TRUE(adds.obstacles.empty());
  inspected.server.role.replication =
      MakeError(ErrorKind::kAuthentication, "no pg_hba.conf entry", "role \"cdc\"", "add a line");
  EXPECT_EQ(GetErrorDetail(CheckObstacles(PlanOf(inspected)))->kind(), ErrorKind::kAuthentication);
  inspected.server.role.replication =
      MakeError(ErrorKind::kServerSetting, "too many WAL senders", "server", "", "53300", true);
  EXPECT_TRUE(PlanOf(inspected).obstacles.empty());
}

// An obstacle to a role, a step of a superuser's; nothing where the setting is not known.
TEST(ServerPlan, PluginAllowance) {
  const std::string with_mine =
      "ALTER ROLE \"cdc\" SET output_plugin_libraries = 'pgoutput', 'my ''plugin''', 'wal2arrow'";
  const std::string both = "ALTER ROLE \"cdc\" SET output_plugin_libraries = 'pgoutput', 'wal2arrow'";
  Inspection inspected = Fresh();
  const auto refused = [&](OutputPlugin plugin, const std::string& message, const std::string& sql) {
    inspected.server.role.superuser = false;
    const SetupPlan plan = PlanOf(inspected, plugin);
    ASSERT_EQ(plan.obstacles.size(), 1u);
    const ErrorDetail* const detail = GetErrorDetail(plan.obstacles[0].status);
    EXPECT_EQ(detail->kind(), ErrorKind::kPluginNotAllowed);
    EXPECT_NE(plan.obstacles[0].status.message().find(message), std::string::npos) << message;
    EXPECT_NE(detail->remedy().find(sql), std::string::npos) << detail->remedy();
    EXPECT_EQ(plan.obstacles[0].sql, sql);
    inspected.server.role.superuser = true;
    const SetupPlan own = PlanOf(inspected, plugin);
    ASSERT_EQ(own.steps.size(), 1u);
    EXPECT_EQ(own.steps[0].sql, sql);
    EXPECT_NE(own.steps[0].what.find(message), std::string::npos) << own.steps[0].what;
  };
  inspected.server.plugins.allowed = {{"pgoutput", "my 'plugin'"}};
  refused(OutputPlugin::kWal2arrow, "does not allow wal2arrow", with_mine);
  EXPECT_TRUE(PlanOf(inspected).steps.empty());
  inspected.server.plugins.allowed = {{"pgoutput, wal2arrow"}};
  refused(OutputPlugin::kWal2arrow, "'pgoutput, wal2arrow' as one name", both);
  refused(OutputPlugin::kPgoutput, "'pgoutput, wal2arrow' as one name", both);
  inspected.server.plugins.allowed = {{"wal2arrow"}};
  refused(OutputPlugin::kPgoutput, "does not allow pgoutput",
          "ALTER ROLE \"cdc\" SET output_plugin_libraries = 'wal2arrow', 'pgoutput'");
  inspected.server.plugins.allowed = std::nullopt;
  EXPECT_TRUE(PlanOf(inspected, OutputPlugin::kWal2arrow).steps.empty());
}

// The way to it is the service's own, and nothing of it that SQL cannot do is printed as SQL.
TEST(ServerPlan, ProvidersHaveTheirOwnRemedies) {
  struct Case {
    Provider provider;
    const char* wal_level;
    const char* replication;
    const char* sql;
  };
  const char* const grant = "GRANT rds_replication TO \"cdc\"";
  const char* const alter = "ALTER ROLE \"cdc\" REPLICATION";
  for (const Case& one :
       {Case{Provider::kRds, "rds.logical_replication = 1 in the instance's", "rds_superuser", grant},
        Case{Provider::kAurora, "DB cluster parameter group, then reboot the writer", "rds_replication",
             grant},
        Case{Provider::kCloudSql, "cloudsql.logical_decoding", "cloudsqlsuperuser", alter},
        Case{Provider::kAlloyDb, "alloydb.logical_decoding", "alloydbsuperuser", alter},
        Case{Provider::kAzure, "server parameter wal_level to logical", "azure_pg_admin", alter},
        Case{Provider::kNeon, "in the project's settings", "neon_superuser", alter},
        Case{Provider::kSupabase, "the support of Supabase", "the user postgres", alter}}) {
    Inspection inspected = Fresh();
    inspected.server.provider = one.provider;
    inspected.server.wal_level = "replica";
    inspected.server.role.replication = NoReplication();
    inspected.server.slots_used = 10;
    const SetupPlan plan = PlanOf(inspected);
    ASSERT_EQ(plan.obstacles.size(), 3u);
    EXPECT_NE(plan.checks.at(0).find(std::string("on ") + ProviderName(one.provider)), std::string::npos);
    const std::string remedy = GetErrorDetail(CheckObstacles(plan))->remedy();
    for (const char* part : {one.wal_level, one.replication, one.sql}) {
      EXPECT_NE(remedy.find(part), std::string::npos) << part << "\n" << remedy;
    }
    EXPECT_EQ(remedy.find("ALTER SYSTEM"), std::string::npos) << remedy;
    const std::string block = AdministratorSql(plan);
    EXPECT_EQ(block.find("ALTER SYSTEM"), std::string::npos) << block;
    EXPECT_NE(block.find(std::string("\n") + one.sql + ";\n"), std::string::npos) << block;
  }
}

// An administrator who adds a table need not be the role that streams, which copies the rows that it has.
TEST(ServerPlan, WhoStreamsMustReadWhatIsAdded) {
  Inspection inspected = Fresh();
  TableInfo orders;
  orders.oid = 1;
  orders.name = {"public", "orders"};
  orders.primary_key = true;
  TableInfo log = orders;
  log.oid = 2;
  log.name = {"audit", "Log"};
  inspected.catalog = TableCatalog({orders, log});
  inspected.slot =
      SlotInfo{.name = "cdc", .plugin = "pgoutput", .database = "shop", .confirmed_flush = 0x200};
  PublicationInfo publication;
  publication.name = "cdc";
  publication.comment = "made by arrowcdc setup";
  publication.via_root = true;
  publication.tables = {{"public", "orders"}};
  inspected.publications = {publication};
  std::string printed;
  const auto said = [&](const std::string& role, const std::string& reader, bool superuser,
                        const SetupOptions& options = {.add_tables = true}) -> std::string {
    inspected.server.role = {role, superuser, true};
    inspected.slot->active_role = reader;
    const auto plan = MakeSetupPlan(inspected, Source(OutputPlugin::kPgoutput), options,
                                    TablePatterns::Parse({"*.*"}).ValueOrDie());
    EXPECT_TRUE(plan.ok()) << plan.status();
    std::string text;
    for (const std::string& warning : plan.ok() ? plan->warnings : std::vector<std::string>())
      text += warning.find("needs the right to read") == std::string::npos ? "" : warning;
    printed = plan.ok() ? AdministratorSql(*plan) : "";
    return text;
  };
  const std::string grants =
      "GRANT USAGE ON SCHEMA \"audit\" TO \"cdc\"; GRANT SELECT ON \"audit\".\"Log\" TO \"cdc\"";
  EXPECT_NE(said("postgres", "cdc", true).find("role \"cdc\", which streams"), std::string::npos);
  EXPECT_NE(said("postgres", "cdc", true).find(grants), std::string::npos) << said("postgres", "cdc", true);
  EXPECT_NE(said("owner", "cdc", false).find(grants), std::string::npos);
  // Whoever may grant and runs what is printed has done all.
  EXPECT_NE(printed.find("ADD TABLE ONLY \"audit\".\"Log\";\n"), std::string::npos) << printed;
  EXPECT_NE(printed.find("\n" + grants + ";\n"), std::string::npos) << printed;
  EXPECT_NE(said("postgres", "", true).find(" TO ROLE; GRANT SELECT"), std::string::npos);
  EXPECT_EQ(said("postgres", "postgres", true), "");
  EXPECT_EQ(said("cdc", "", false), "");
  EXPECT_EQ(said("postgres", "cdc", true, {}), "");
  inspected.publications[0].tables.insert({"audit", "Log"});
  EXPECT_EQ(said("postgres", "cdc", true), "");
}

// What is published already may have been published by somebody else. Whoever adds tables decodes nothing.
TEST(ServerPlan, WhatTheRoleMayNotReadIsSaidBeforeItStreams) {
  Inspection inspected = Fresh();
  TableInfo orders;
  orders.oid = 1;
  orders.name = {"public", "orders"};
  orders.primary_key = true;
  orders.readable = false;
  inspected.catalog = TableCatalog({orders});
  inspected.slot =
      SlotInfo{.name = "cdc", .plugin = "wal2arrow", .database = "shop", .confirmed_flush = 0x200};
  PublicationInfo publication;
  publication.name = "cdc";
  publication.comment = "made by arrowcdc setup";
  publication.via_root = true;
  publication.tables = {orders.name};
  inspected.publications = {publication};
  const auto plan = [&](const SetupOptions& options) {
    return MakeSetupPlan(inspected, Source(OutputPlugin::kWal2arrow), options,
                         TablePatterns::Parse({"*.*"}).ValueOrDie());
  };
  const auto warned = [&] {
    const auto made = plan({});
    EXPECT_TRUE(made.ok()) << made.status();
    return made.ok() && std::any_of(made->warnings.begin(), made->warnings.end(), [](const auto& warning) {
             return warning.find("GRANT SELECT ON \"public\".\"orders\" TO \"cdc\"") != std::string::npos;
           });
  };
  EXPECT_TRUE(warned());
  orders.readable = true;
  inspected.catalog = TableCatalog({orders});
  EXPECT_FALSE(warned());
  inspected.server.role = {"postgres", true, true};
  inspected.server.plugins.allowed = std::vector<std::string>{"pgoutput"};
  const auto steps = [&](const SetupOptions& options) {
    const auto made = plan(options);
    EXPECT_TRUE(made.ok()) << made.status();
    return made.ok()
               ? std::count_if(made->steps.begin(), made->steps.end(),
                               [](const SetupStep& step) { return step.kind == SetupStepKind::kAllowPlugin; })
               : -1;
  };
  EXPECT_EQ(steps({}), 1);
  EXPECT_EQ(steps({.add_tables = true}), 0);
}

// A slot of pgoutput may be a subscription's, which nobody means who only gives its name.
TEST(ServerPlan, TeardownOfAPgoutputSlotTakesANoteOrAWord) {
  Inspection inspected = Fresh();
  inspected.slot =
      SlotInfo{.name = "cdc", .plugin = "pgoutput", .database = "shop", .confirmed_flush = 0x200};
  PublicationInfo publication;
  publication.name = "cdc";
  publication.comment =
      R"(made by arrowcdc setup {"slots": [{"slot": "cdc", "system": "77", "lsn": "0/100"}]})";
  inspected.publications = {publication};
  const auto ours = MakeTeardownPlan(inspected, Source(OutputPlugin::kAuto));
  ASSERT_TRUE(ours.ok()) << ours.status();
  EXPECT_EQ(ours->steps.size(), 2u);
  inspected.publications[0].comment = "made by somebody";
  const arrow::Status refused = MakeTeardownPlan(inspected, Source(OutputPlugin::kAuto)).status();
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(GetErrorDetail(refused)->kind(), ErrorKind::kSlotMismatch);
  const auto meant = MakeTeardownPlan(inspected, Source(OutputPlugin::kPgoutput));
  ASSERT_TRUE(meant.ok()) << meant.status();
  EXPECT_EQ(meant->steps.size(), 1u);
}

}  // namespace
}  // namespace arrowcdc::postgres
