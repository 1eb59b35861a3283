// Setup on servers that lack something: settings, plugin, permissions, an encoding.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "arrowcdc/postgres.h"
#include "src/postgres/setup/slot.h"
#include "src/postgres/testing/server_fixture.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/error_detail.h"

namespace arrowcdc::postgres {
namespace {

using test::DetailOf;
using test::KindOf;
using test::kNoLibraries;
using test::PrivateServer;
using test::PrivateServerOptions;

// Why nothing would be changed.
arrow::Status SetupStatus(const PostgresOptions& source) {
  ARROW_ASSIGN_OR_RAISE(const SetupPlan plan, PlanSetup(source, {}));
  return CheckObstacles(plan);
}

// Servers that lack something.
struct Lacking {
  std::unique_ptr<PrivateServer> server;
  std::unique_ptr<test::SqlConnection> sql;
  PostgresOptions source;

  explicit Lacking(PrivateServerOptions options) {
    server = PrivateServer::Create(std::move(options)).ValueOrDie();
    sql = server->Connect().ValueOrDie();
    EXPECT_TRUE(sql->Exec("CREATE ROLE cdc LOGIN REPLICATION; CREATE TABLE t (id int PRIMARY KEY); ALTER "
                          "TABLE t OWNER TO cdc; "
                          "GRANT CREATE ON DATABASE postgres TO cdc")
                    .ok());
    source.conninfo = server->conninfo();
    source.slot = "cdc";
  }
  PostgresOptions AsRole() const {
    PostgresOptions role = source;
    role.conninfo += " user=cdc";
    return role;
  }
};

TEST(AdminLacking, Plugin) {
  PrivateServerOptions options;
  options.libraries = {};
  options.settings = {{"dynamic_library_path", kNoLibraries}};
  Lacking lacking(options);
  lacking.source.plugin = OutputPlugin::kWal2arrow;
  for (const PostgresOptions& source : {lacking.source, lacking.AsRole()}) {
    const arrow::Status status = SetupStatus(source);
    EXPECT_EQ(KindOf(status), ErrorKind::kPluginMissing) << status.ToString();
    EXPECT_NE(DetailOf(status).remedy().find("managed services"), std::string::npos);
  }
}

// Nothing but a role that may use replication, and owns its tables.
TEST(AdminLacking, PluginIsNotNeededForPgoutput) {
  PrivateServerOptions options;
  options.libraries = {};
  const Lacking lacking(options);
  // A path with nothing but pgoutput: whoever has installed wal2arrow has it beside that.
  const std::filesystem::path libraries = lacking.server->directory() / "libraries";
  std::filesystem::create_directory(libraries);
  ARROWCDC_ASSERT_OK_AND_ASSIGN(
      const std::string installed,
      lacking.sql->Scalar("SELECT setting FROM pg_config WHERE name = 'PKGLIBDIR'"));
  std::filesystem::create_symlink(installed + "/pgoutput.so", libraries / "pgoutput.so");
  ARROWCDC_ASSERT_OK(
      lacking.sql->Exec("ALTER DATABASE postgres SET dynamic_library_path = '" + libraries.string() + "'"));
  PostgresOptions role = lacking.AsRole();
  role.plugin = OutputPlugin::kPgoutput;
  ARROWCDC_EXPECT_OK(SetupStatus(role));
  role.plugin = PostgresOptions().plugin;
  ASSERT_EQ(role.plugin, OutputPlugin::kAuto);
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SetupPlan plan, PlanSetup(role, {}));
  EXPECT_TRUE(std::any_of(plan.checks.begin(), plan.checks.end(), [](const std::string& check) {
    return check.find("plugin pgoutput, without wal2arrow") == 0;
  }));
  EXPECT_TRUE(std::any_of(plan.warnings.begin(), plan.warnings.end(), [](const std::string& warning) {
    return warning.find("to use wal2arrow") == 0 && warning.find("install-plugin") != std::string::npos;
  }));
  ARROWCDC_ASSERT_OK(ApplySetup(role, plan, nullptr));
  EXPECT_EQ(GetSlotStatus(role)->plugin, "pgoutput");
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SetupPlan again, PlanSetup(role, {}));
  EXPECT_TRUE(again.steps.empty());
  EXPECT_TRUE(again.obstacles.empty());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto source, MakePostgresSource(role));
  ARROWCDC_ASSERT_OK(source->Connect());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const Position start, source->Resume({}));
  ARROWCDC_ASSERT_OK(source->Start(start));
  ARROWCDC_ASSERT_OK(lacking.sql->Exec("INSERT INTO t VALUES (7)"));
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  bool came = false;
  while (!came && std::chrono::steady_clock::now() < deadline) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto event, source->Next(std::chrono::milliseconds(100)));
    came = event.has_value() && std::holds_alternative<ChangeBatch>(*event);
  }
  EXPECT_TRUE(came);
  ARROWCDC_ASSERT_OK(source->Stop());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SetupPlan teardown, PlanTeardown(role));
  ARROWCDC_ASSERT_OK(ApplySetup(role, teardown, nullptr));
}

TEST(AdminLacking, PluginAllowance) {
  PrivateServerOptions options;
  options.allow_plugin = false;
  Lacking lacking(options);
  lacking.source.plugin = OutputPlugin::kWal2arrow;
  if (lacking.sql->Query("SHOW output_plugin_libraries").status().ok() == false)
    GTEST_SKIP() << "this server allows every plugin";
  const arrow::Status refused = SetupStatus(lacking.AsRole());
  EXPECT_EQ(KindOf(refused), ErrorKind::kPluginNotAllowed) << refused.ToString();
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SetupPlan lacks, PlanSetup(lacking.AsRole(), {}));
  ASSERT_EQ(lacks.obstacles.size(), 1u);
  EXPECT_NE(DetailOf(refused).remedy().find(lacks.obstacles[0].sql), std::string::npos);
  // A superuser gets the step, and the slot is made in a new session, in which it is in force.
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SetupPlan plan, PlanSetup(lacking.source, {}));
  EXPECT_EQ(plan.steps[0].sql,
            "ALTER ROLE \"postgres\" SET output_plugin_libraries = 'pgoutput', 'test_decoding', 'wal2arrow'");
  ARROWCDC_ASSERT_OK(ApplySetup(lacking.source, plan, nullptr));
  EXPECT_TRUE(PlanSetup(lacking.source, {})->steps.empty());
  // The remedy helps the other role as it stands.
  ARROWCDC_ASSERT_OK(lacking.sql->Exec(lacks.obstacles[0].sql));
  PostgresOptions role = lacking.AsRole();
  role.slot = "cdc2";
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SetupPlan printed, PlanSetup(role, {}));
  // An administrator whom nothing allows the plugin runs what was printed for the role.
  ARROWCDC_ASSERT_OK(lacking.sql->Exec("ALTER ROLE postgres RESET output_plugin_libraries"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto administrator, lacking.server->Connect());
  EXPECT_FALSE(administrator->Query("SELECT pg_create_logical_replication_slot('probe', 'wal2arrow')").ok());
  for (const SetupStep& step : printed.steps) ARROWCDC_EXPECT_OK(administrator->Exec(step.sql));
  EXPECT_TRUE(PlanSetup(role, {})->steps.empty());
}

// What a role may load is set in four places; what is added to is the one in force.
TEST(AdminLacking, PluginAllowanceKeepsWhatTheRoleHad) {
  PrivateServerOptions options;
  options.allow_plugin = false;
  Lacking lacking(options);
  lacking.source.plugin = OutputPlugin::kWal2arrow;
  if (!lacking.sql->Query("SHOW output_plugin_libraries").ok())
    GTEST_SKIP() << "this server allows every plugin";
  const auto sql_for = [&] { return PlanSetup(lacking.AsRole(), {}).ValueOrDie().obstacles.at(0).sql; };
  const std::string all = "ALTER DATABASE postgres SET output_plugin_libraries = 'pgoutput', 'decoderbufs'";
  ARROWCDC_ASSERT_OK(lacking.sql->Exec(all));
  EXPECT_EQ(sql_for(),
            "ALTER ROLE \"cdc\" SET output_plugin_libraries = 'pgoutput', 'decoderbufs', 'wal2arrow'");
  ARROWCDC_ASSERT_OK(lacking.sql->Exec("ALTER ROLE cdc SET output_plugin_libraries = 'pgoutput, wal2arrow'"));
  EXPECT_NE(SetupStatus(lacking.AsRole()).message().find("as one name"), std::string::npos);
  const std::string mended = "ALTER ROLE \"cdc\" SET output_plugin_libraries = 'pgoutput', 'wal2arrow'";
  EXPECT_EQ(sql_for(), mended);
  // Whoever wrote that meant wal2arrow to be used. pgoutput is not allowed, either.
  for (const OutputPlugin plugin : {OutputPlugin::kAuto, OutputPlugin::kPgoutput, OutputPlugin::kWal2arrow}) {
    lacking.source.plugin = plugin;
    EXPECT_NE(SetupStatus(lacking.AsRole()).message().find("as one name"), std::string::npos);
    EXPECT_EQ(sql_for(), mended) << OutputPluginName(plugin);
    EXPECT_EQ(PlanSetup(lacking.AsRole(), {})->plugin,
              plugin == OutputPlugin::kPgoutput ? OutputPlugin::kPgoutput : OutputPlugin::kWal2arrow);
  }
  ARROWCDC_ASSERT_OK(
      lacking.sql->Exec("ALTER ROLE cdc IN DATABASE postgres SET output_plugin_libraries = 'test_decoding'"));
  EXPECT_EQ(sql_for(),
            "ALTER ROLE \"cdc\" IN DATABASE \"postgres\" SET output_plugin_libraries = "
            "'test_decoding', 'wal2arrow'");
  ARROWCDC_ASSERT_OK(lacking.sql->Exec(sql_for()));
  ARROWCDC_EXPECT_OK(SetupStatus(lacking.AsRole()));
  // Where nothing is set for it the server's own list is kept, which the role may not see.
  ARROWCDC_ASSERT_OK(
      lacking.sql->Exec("ALTER ROLE cdc IN DATABASE postgres RESET ALL; ALTER ROLE cdc RESET ALL; "
                        "ALTER DATABASE postgres RESET ALL"));
  ARROWCDC_ASSERT_OK(lacking.server->Connect().ValueOrDie()->Exec(sql_for()));
  EXPECT_EQ(
      lacking.sql->Scalar("SELECT setconfig::text FROM pg_db_role_setting WHERE setrole = 'cdc'::regrole")
          .ValueOrDie(),
      "{\"output_plugin_libraries=pgoutput, test_decoding, wal2arrow\"}");
  ARROWCDC_EXPECT_OK(SetupStatus(lacking.AsRole()));
}

// An administrator's session is allowed the plugin, once.
TEST(AdminLacking, PluginAllowanceOfTheSessionThatMakesTheSlot) {
  Lacking lacking({});
  if (!lacking.sql->Query("SHOW output_plugin_libraries").ok())
    GTEST_SKIP() << "this server allows every plugin";
  const auto after = [&](const std::string& setting) {
    EXPECT_TRUE(lacking.sql->Exec("SET output_plugin_libraries = " + setting).ok());
    EXPECT_TRUE(lacking.sql->Query(kAllowPluginHere).ok());
    return lacking.sql->Scalar("SHOW output_plugin_libraries").ValueOr("?");
  };
  EXPECT_EQ(after("'pgoutput', 'wal2arrow', 'x'"), "pgoutput, wal2arrow, x");
  EXPECT_EQ(after("'a b', 'wal2arrow'"), "\"a b\", wal2arrow");
  EXPECT_EQ(after("'pgoutput'"), "pgoutput, wal2arrow");
  EXPECT_EQ(after("'pgoutput, wal2arrow, x'"), "\"pgoutput, wal2arrow, x\", wal2arrow");
}

// A service seen from a role: signs, rights and remedies are its own. What it grants is tried, not looked up.
TEST(AdminLacking, Providers) {
  PrivateServerOptions options;
  options.libraries = {};
  options.settings = {{"wal_level", "replica"}, {"dynamic_library_path", kNoLibraries}};
  const Lacking lacking(options);
  ARROWCDC_ASSERT_OK(lacking.sql->Exec("ALTER ROLE cdc NOREPLICATION"));
  struct Case {
    const char* make;
    const char* undo;
    std::vector<const char*> says;
  };
  const std::string reset = "ALTER DATABASE postgres RESET ALL";
  for (const Case& one :
       {Case{"ALTER DATABASE postgres SET rds.logical_replication = 'off'",
             reset.c_str(),
             {"rds.logical_replication = 1", "GRANT rds_replication TO"}},
        Case{"CREATE ROLE rds_replication",
             "DROP ROLE rds_replication",
             {"parameter group", "reboot the instance"}},
        Case{"CREATE ROLE rds_superuser; CREATE FUNCTION aurora_version() RETURNS text LANGUAGE sql AS "
             "$$SELECT 'x'$$",
             "DROP ROLE rds_superuser; DROP FUNCTION aurora_version",
             {"DB cluster parameter group"}},
        Case{"ALTER DATABASE postgres SET cloudsql.logical_decoding = 'off'",
             reset.c_str(),
             {"cloudsql.logical_decoding of the instance to on", "cloudsqlsuperuser"}},
        Case{"ALTER DATABASE postgres SET alloydb.logical_decoding = 'off'",
             reset.c_str(),
             {"alloydb.logical_decoding"}},
        Case{"ALTER DATABASE postgres SET azure.extensions = ''",
             reset.c_str(),
             {"server parameter wal_level to logical", "azure_pg_admin"}},
        Case{"ALTER DATABASE postgres SET neon.timeline_id = 'x'", reset.c_str(), {"project's settings"}},
        Case{"CREATE ROLE supabase_admin", "DROP ROLE supabase_admin", {"Supabase"}}}) {
    ARROWCDC_ASSERT_OK(lacking.sql->Exec(one.make));
    const arrow::Status status = SetupStatus(lacking.AsRole());
    ASSERT_FALSE(status.ok());
    for (const char* part : one.says) {
      EXPECT_NE(DetailOf(status).remedy().find(part), std::string::npos) << part << "\n"
                                                                         << DetailOf(status).remedy();
    }
    ARROWCDC_ASSERT_OK(lacking.sql->Exec(one.undo));
  }
}

// Attributes and ownership as the catalog has them are no obstacle where the server does what is asked.
TEST(AdminLacking, WhatTheServerDoesCounts) {
  const Lacking lacking({});
  const PostgresOptions role = lacking.AsRole();
  ARROWCDC_ASSERT_OK(lacking.sql->Exec("ALTER ROLE cdc NOREPLICATION"));
  const arrow::Status refused = SetupStatus(role);
  EXPECT_EQ(KindOf(refused), ErrorKind::kPermission) << refused.ToString();
  // The lock that a publication takes is held: nobody waits long.
  ARROWCDC_ASSERT_OK(lacking.sql->Exec("ALTER ROLE cdc REPLICATION"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto holder, lacking.server->Connect());
  ARROWCDC_ASSERT_OK(holder->Exec("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SetupPlan plan, PlanSetup(role, {}));
  EXPECT_TRUE(std::any_of(plan.warnings.begin(), plan.warnings.end(), [](const std::string& warning) {
    return warning.find("could not be tried") != std::string::npos;
  }));
  ARROWCDC_ASSERT_OK(holder->Exec("ROLLBACK"));
  ARROWCDC_ASSERT_OK(SetupStatus(role));
  // What was tried is undone.
  EXPECT_EQ(lacking.sql->Scalar("SELECT count(*) FROM pg_publication").ValueOrDie(), "0");
  EXPECT_EQ(lacking.sql->Scalar("SELECT count(*) FROM pg_replication_slots").ValueOrDie(), "0");
}

TEST(AdminLacking, EverythingAtOnce) {
  PrivateServerOptions options;
  options.settings = {{"wal_level", "replica"}};
  const Lacking low(options);
  ARROWCDC_ASSERT_OK(
      low.sql->Exec("ALTER ROLE cdc NOREPLICATION; REVOKE CREATE ON DATABASE postgres FROM cdc; "
                    "CREATE TABLE log (line text); ALTER TABLE log OWNER TO cdc"));
  const std::string message = SetupStatus(low.AsRole()).message();
  for (const char* part : {"wal_level is replica", "may not use replication",
                           "public.log (it has no primary key)", "may not create publications"}) {
    EXPECT_NE(message.find(part), std::string::npos) << part << "\n" << message;
  }
  // The block for the administrator, a restart, and it is set up.
  ARROWCDC_ASSERT_OK(low.sql->Exec("DROP TABLE log; GRANT CREATE ON DATABASE postgres TO cdc"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SetupPlan plan, PlanSetup(low.AsRole(), {}));
  for (const SetupObstacle& obstacle : plan.obstacles) ARROWCDC_ASSERT_OK(low.sql->Exec(obstacle.sql));
  ARROWCDC_ASSERT_OK(low.server->Restart());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SetupPlan rest, PlanSetup(low.AsRole(), {}));
  ARROWCDC_ASSERT_OK(ApplySetup(low.AsRole(), rest, nullptr));
}

TEST(AdminLacking, NameThatIsNotUtf8StopsNothing) {
  PrivateServerOptions options;
  options.encoding = "SQL_ASCII";
  const Lacking odd(options);
  ARROWCDC_ASSERT_OK(odd.sql->Exec("SET client_encoding = 'SQL_ASCII'"));
  ARROWCDC_ASSERT_OK(
      odd.sql->Exec("CREATE TABLE \"caf\xe9\" (id int PRIMARY KEY); CREATE SCHEMA \"sch\xe9ma\"; CREATE "
                    "TABLE \"sch\xe9ma\".x (id int PRIMARY KEY); CREATE TABLE \"caf\xc3\xa9\" (id int "
                    "PRIMARY KEY, \"c\xe9\" int GENERATED ALWAYS AS (1) STORED)"));
  PostgresOptions source = odd.source;
  for (const std::vector<std::string>& tables :
       std::vector<std::vector<std::string>>{{}, {"*.*"}, {"!public.y"}}) {
    source.tables = tables;
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const SetupPlan plan, PlanSetup(source, {}));
    ARROWCDC_ASSERT_OK(CheckObstacles(plan));
    EXPECT_EQ(plan.tables, (std::vector<TableName>{{"public", "caf\xc3\xa9"}, {"public", "t"}}));
    ASSERT_EQ(plan.warnings.size(), 2u);
    const std::string said = plan.warnings[0] + plan.warnings[1];
    EXPECT_NE(said.find("c\\xe9"), std::string::npos) << said;
    EXPECT_NE(said.find("left out: public.\"caf\\xe9\", \"sch\\xe9ma\".x"), std::string::npos) << said;
  }
  source.tables = {"public.caf\xc3\xa9", "public.t"};  // nobody asks for what is left out
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SetupPlan listed_alone, PlanSetup(source, {}));
  EXPECT_EQ(listed_alone.warnings.size(), 1u);
  source.tables = {"!public.y"};
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SetupPlan plan, PlanSetup(source, {}));
  ARROWCDC_ASSERT_OK(ApplySetup(source, plan, nullptr));
  // Published by somebody, it is seen, and no pattern matches it.
  ARROWCDC_ASSERT_OK(odd.sql->Exec("ALTER PUBLICATION cdc ADD TABLE \"caf\xe9\""));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto listed, ListTables(source));
  const auto odd_one = std::find_if(listed.begin(), listed.end(),
                                    [](const TableStatus& table) { return table.name.table == "caf\xe9"; });
  ASSERT_NE(odd_one, listed.end());
  EXPECT_FALSE(odd_one->matches);
  EXPECT_EQ(ToString(odd_one->name), "public.\"caf\\xe9\"");
  EXPECT_NE(odd_one->reason.find("not valid UTF-8"), std::string::npos) << odd_one->reason;
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto stream, MakePostgresSource(source));
  ARROWCDC_ASSERT_OK(stream->Connect().status());
  ARROWCDC_ASSERT_OK(stream->Tables().status());
  ARROWCDC_ASSERT_OK(stream->Stop());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SetupPlan down, PlanTeardown(source));
  ARROWCDC_ASSERT_OK(ApplySetup(source, down, nullptr));
}

TEST(AdminLacking, WalLevelAndSlots) {
  PrivateServerOptions options;
  options.settings = {{"wal_level", "replica"}};
  const Lacking low(options);
  EXPECT_EQ(KindOf(SetupStatus(low.source)), ErrorKind::kServerSetting);
  options.settings = {{"max_replication_slots", "1"}};
  const Lacking few(options);
  ARROWCDC_ASSERT_OK(few.sql->Query("SELECT pg_create_physical_replication_slot('taken')"));
  EXPECT_EQ(KindOf(SetupStatus(few.source)), ErrorKind::kServerSetting);
}

}  // namespace
}  // namespace arrowcdc::postgres
