// Setup, teardown, status and tables on real servers with the real plugin.
#include "arrowcdc/admin.h"

#include <gtest/gtest.h>

#include "src/postgres/connection.h"
#include "src/postgres/server_fixture.h"
#include "src/postgres/slot.h"
#include "tests/support/assert_ok.h"

namespace arrowcdc::postgres {
namespace {

using test::PrivateServer;
using test::PrivateServerOptions;

// A database of its own in a server that the tests here share.
class AdminServer : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    PrivateServerOptions options;
    options.settings = {
        {"log_statement", "all"}, {"max_replication_slots", "20"}, {"max_prepared_transactions", "5"}};
    server_ = PrivateServer::Create(options).ValueOrDie();
  }
  static void TearDownTestSuite() { server_.reset(); }

  void SetUp() override {
    static int count = 0;
    name_ = "admin_" + std::to_string(++count);
    ARROWCDC_ASSERT_OK(server_->Connect().ValueOrDie()->Exec("CREATE DATABASE " + name_));
    sql_ = server_->Connect(name_).ValueOrDie();
    ARROWCDC_ASSERT_OK(sql_->Exec(
        "CREATE TABLE users (id int PRIMARY KEY, name text); CREATE TABLE orders (id int PRIMARY KEY)"));
    source_.conninfo = server_->conninfo(name_);
    source_.slot = name_;
    source_.tables = {"public.*"};
  }

  // A role that may stream, and owns all tables of the database.
  void UseOrdinaryRole() {
    ARROWCDC_ASSERT_OK(sql_->Exec("CREATE ROLE role_" + name_ + " LOGIN REPLICATION"));
    ARROWCDC_ASSERT_OK(sql_->Exec("GRANT CREATE ON DATABASE " + name_ + " TO role_" + name_));
    ARROWCDC_ASSERT_OK(sql_->Exec("ALTER TABLE users OWNER TO role_" + name_ +
                                  "; ALTER TABLE orders OWNER TO role_" + name_));
    source_.conninfo += " user=role_" + name_;
  }

  arrow::Result<SetupPlan> SetUpAll(const SetupOptions& options = {}) {
    ARROW_ASSIGN_OR_RAISE(SetupPlan plan, PlanSetup(source_, options));
    ARROW_RETURN_NOT_OK(ApplySetup(source_, plan, nullptr));
    return plan;
  }

  std::string Reason(const std::string& table) {
    for (const TableStatus& status : ListTables(source_).ValueOrDie()) {
      if (status.name.table == table) return status.reason;
    }
    return "not listed";
  }

  static std::unique_ptr<PrivateServer> server_;
  std::string name_;
  std::unique_ptr<test::SqlConnection> sql_;
  SourceOptions source_;
};

std::unique_ptr<PrivateServer> AdminServer::server_;

TEST_F(AdminServer, TwiceIsOnceAndTeardownLeavesNothing) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SetupPlan first, SetUpAll());
  EXPECT_EQ(first.steps.size(), 3u);
  EXPECT_EQ(first.tables, (std::vector<TableName>{{"public", "orders"}, {"public", "users"}}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SetupPlan second, PlanSetup(source_, {}));
  EXPECT_TRUE(second.steps.empty());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SlotStatus status, GetSlotStatus(source_));
  EXPECT_TRUE(status.exists);
  EXPECT_EQ(status.plugin, "wal2arrow");
  EXPECT_EQ(status.database, name_);
  EXPECT_FALSE(status.active);
  EXPECT_GT(status.confirmed_flush, 0u);
  EXPECT_GE(status.current_lsn, status.confirmed_flush);
  EXPECT_EQ(status.retained_bytes, status.current_lsn - status.restart_lsn);
  EXPECT_EQ(status.wal_status, "reserved");
  EXPECT_EQ(status.publications, std::vector<std::string>{name_});

  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SetupPlan teardown, PlanTeardown(source_));
  ARROWCDC_ASSERT_OK(ApplySetup(source_, teardown, nullptr));
  EXPECT_EQ(sql_->Scalar("SELECT count(*) FROM pg_publication").ValueOrDie(), "0");
  EXPECT_FALSE(GetSlotStatus(source_)->exists);
  EXPECT_TRUE(PlanTeardown(source_)->steps.empty());
}

TEST_F(AdminServer, WhatIsPrintedIsWhatRuns) {
  std::vector<std::string> announced;
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SetupPlan plan, PlanSetup(source_, {}));
  const size_t before = server_->Log().size();
  ARROWCDC_ASSERT_OK(
      ApplySetup(source_, plan, [&](const SetupStep& step) { announced.push_back(step.sql); }));
  const std::string log = server_->Log().substr(before);
  std::vector<std::string> run;
  for (size_t at = log.find("statement: "); at != std::string::npos; at = log.find("statement: ", at + 1)) {
    const std::string statement = log.substr(at + 11, log.find('\n', at) - at - 11);
    // Settings of our own session.
    if (statement.rfind("SET statement_timeout", 0) == 0 || statement.rfind("SET lock_timeout", 0) == 0)
      continue;
    run.push_back(statement);
  }
  std::vector<std::string> printed;
  for (const SetupStep& step : plan.steps) printed.push_back(step.sql);
  EXPECT_EQ(run, printed);
  EXPECT_EQ(announced, printed);
}

TEST_F(AdminServer, PrintedSqlRunsAsItIs) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SetupPlan plan, PlanSetup(source_, {}));
  for (const SetupStep& step : plan.steps) ARROWCDC_ASSERT_OK(sql_->Exec(step.sql));
  EXPECT_TRUE(PlanSetup(source_, {})->steps.empty());
}

TEST_F(AdminServer, OrdinaryRole) {
  UseOrdinaryRole();
  ARROWCDC_ASSERT_OK(SetUpAll());
  EXPECT_TRUE(PlanSetup(source_, {})->steps.empty());
  EXPECT_TRUE(GetSlotStatus(source_)->exists);
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SetupPlan teardown, PlanTeardown(source_));
  ARROWCDC_ASSERT_OK(ApplySetup(source_, teardown, nullptr));
}

TEST_F(AdminServer, RoleThatDoesNotOwnTheTables) {
  UseOrdinaryRole();
  ARROWCDC_ASSERT_OK(sql_->Exec("ALTER TABLE users OWNER TO postgres"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SetupPlan plan, PlanSetup(source_, {}));
  std::vector<std::string> run;
  const arrow::Status status =
      ApplySetup(source_, plan, [&](const SetupStep& step) { run.push_back(step.sql); });
  EXPECT_EQ(KindOf(status), ErrorKind::kPermission) << status.ToString();
  EXPECT_NE(status.message().find("does not own public.users"), std::string::npos) << status.ToString();
  EXPECT_TRUE(run.empty());
  EXPECT_FALSE(GetSlotStatus(source_)->exists);
  // An administrator runs all of it, and nothing is left to do or to guess.
  for (const SetupStep& step : plan.steps) ARROWCDC_ASSERT_OK(sql_->Exec(step.sql));
  EXPECT_TRUE(PlanSetup(source_, {})->steps.empty());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto source, MakePostgresSource(source_));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SourceInfo info, source->Connect());
  EXPECT_TRUE(info.slot_start_known);
  EXPECT_FALSE(info.slot_used);
}

TEST_F(AdminServer, AdministratorMakesThePublicationAndTheRoleTheSlot) {
  UseOrdinaryRole();
  ARROWCDC_ASSERT_OK(sql_->Exec("ALTER TABLE users OWNER TO postgres"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SetupPlan plan, PlanSetup(source_, {}));
  ARROWCDC_ASSERT_OK(sql_->Exec(plan.steps[0].sql));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SetupPlan rest, PlanSetup(source_, {}));
  ASSERT_EQ(rest.warnings.size(), 1u);
  EXPECT_NE(rest.warnings[0].find("cannot be noted"), std::string::npos) << rest.warnings[0];
  ARROWCDC_ASSERT_OK(ApplySetup(source_, rest, nullptr));
  EXPECT_TRUE(PlanSetup(source_, {})->steps.empty());
  // Nothing was decoded, so nobody can have acknowledged anything.
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto source, MakePostgresSource(source_));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SourceInfo info, source->Connect());
  EXPECT_FALSE(info.slot_start_known);
  EXPECT_FALSE(info.slot_used);
  ARROWCDC_ASSERT_OK(source->Stop());
  // The publication is not the role's to drop: the slot stays as well.
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SetupPlan teardown, PlanTeardown(source_));
  const arrow::Status refused = ApplySetup(source_, teardown, nullptr);
  EXPECT_EQ(KindOf(refused), ErrorKind::kPermission) << refused.ToString();
  EXPECT_NE(GetErrorDetail(refused)->remedy().find("teardown --print-sql"), std::string::npos);
  EXPECT_TRUE(GetSlotStatus(source_)->exists);
}

TEST_F(AdminServer, RoleWithoutReplication) {
  UseOrdinaryRole();
  ARROWCDC_ASSERT_OK(sql_->Exec("ALTER ROLE role_" + name_ + " NOREPLICATION"));
  EXPECT_EQ(KindOf(PlanSetup(source_, {}).status()), ErrorKind::kPermission);
}

TEST_F(AdminServer, RefusedIdentityLeavesTheTableAlone) {
  ARROWCDC_ASSERT_OK(
      sql_->Exec("CREATE TABLE log (line text); CREATE TABLE later (id int PRIMARY KEY DEFERRABLE)"));
  const arrow::Status status = PlanSetup(source_, {}).status();
  EXPECT_EQ(KindOf(status), ErrorKind::kReplicaIdentity);
  EXPECT_NE(status.message().find("public.log (it has no primary key)"), std::string::npos);
  EXPECT_NE(status.message().find("public.later (its primary key is deferrable)"), std::string::npos);
  ARROWCDC_ASSERT_OK(SetUpAll({.insert_only = true}));
  // The application can still do what it could.
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO log VALUES ('a'); UPDATE log SET line = 'b'; DELETE FROM log"));
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO later VALUES (1); UPDATE later SET id = 2; DELETE FROM later"));
  EXPECT_TRUE(PlanSetup(source_, {.insert_only = true})->steps.empty());
  EXPECT_EQ(GetSlotStatus(source_)->publications, (std::vector<std::string>{name_, name_ + "_insert_only"}));
}

TEST_F(AdminServer, EveryAcceptedIdentityIsAcceptedByTheServer) {
  ARROWCDC_ASSERT_OK(
      sql_->Exec("CREATE TABLE by_full (a int); ALTER TABLE by_full REPLICA IDENTITY FULL; "
                 "CREATE TABLE by_index (a int NOT NULL UNIQUE); ALTER TABLE by_index REPLICA IDENTITY USING "
                 "INDEX by_index_a_key"));
  ARROWCDC_ASSERT_OK(SetUpAll());
  for (const char* table : {"by_full", "by_index"}) {
    const std::string name = table;
    ARROWCDC_EXPECT_OK(sql_->Exec("INSERT INTO " + name + " VALUES (1); UPDATE " + name +
                                  " SET a = 2; DELETE FROM " + name));
  }
  ARROWCDC_ASSERT_OK(sql_->Exec("ALTER TABLE by_index DROP CONSTRAINT by_index_a_key"));
  EXPECT_EQ(KindOf(PlanSetup(source_, {}).status()), ErrorKind::kReplicaIdentity);
  EXPECT_NE(Reason("by_index").find("index of its replica identity was dropped"), std::string::npos);
}

TEST_F(AdminServer, StrangeNames) {
  const std::vector<std::string> names = {"Upper",  "with.dot",    "qu\"ote",    "a'; DROP TABLE users; --",
                                          "sp ace", "line\nbreak", "\U0001F600", "back\\slash",
                                          "%s %I"};
  for (const std::string& name : names) {
    std::string quoted = "\"";
    for (const char c : name) quoted += c == '"' ? "\"\"" : std::string(1, c);
    ARROWCDC_ASSERT_OK(sql_->Exec("CREATE TABLE " + quoted + "\" (id int PRIMARY KEY)"));
  }
  source_.publications = {"Pub \"with\" 'every%s'thing\\"};
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SetupPlan plan, SetUpAll());
  EXPECT_EQ(plan.tables.size(), names.size() + 2);
  EXPECT_TRUE(PlanSetup(source_, {})->steps.empty());
  for (const std::string& name : names) {
    EXPECT_EQ(sql_->Query("SELECT FROM pg_publication_tables WHERE tablename = $1", {name})->size(), 1u)
        << name;
    EXPECT_EQ(Reason(name), "matched by public.*");
  }
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SetupPlan teardown, PlanTeardown(source_));
  EXPECT_EQ(teardown.steps.size(), 2u);
  ARROWCDC_ASSERT_OK(ApplySetup(source_, teardown, nullptr));
}

TEST_F(AdminServer, PartitionsAndChildren) {
  ARROWCDC_ASSERT_OK(
      sql_->Exec("CREATE TABLE p (a int PRIMARY KEY) PARTITION BY RANGE (a); "
                 "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10) PARTITION BY RANGE (a); "
                 "CREATE TABLE p11 PARTITION OF p1 FOR VALUES FROM (0) TO (5); "
                 "CREATE TABLE parent (a int PRIMARY KEY); CREATE TABLE child () INHERITS (parent)"));
  source_.tables = {"public.(p|p1|p11|parent)"};
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SetupPlan plan, SetUpAll());
  EXPECT_EQ(plan.tables, (std::vector<TableName>{{"public", "p"}, {"public", "parent"}}));
  // A child by inheritance was not asked for, and has no key.
  EXPECT_EQ(sql_->Scalar("SELECT string_agg(tablename, ',' ORDER BY tablename) FROM pg_publication_tables")
                .ValueOrDie(),
            "p,parent");
  EXPECT_NE(Reason("p11").find("its changes come as those of public.p"), std::string::npos);
}

TEST_F(AdminServer, TableMadeLaterIsTold) {
  ARROWCDC_ASSERT_OK(SetUpAll());
  ARROWCDC_ASSERT_OK(
      sql_->Exec("CREATE TABLE later (id int PRIMARY KEY); CREATE VIEW v AS SELECT 1; CREATE UNLOGGED TABLE "
                 "u (id int PRIMARY KEY)"));
  EXPECT_NE(Reason("later").find("run setup again"), std::string::npos);
  EXPECT_NE(Reason("v").find("a view"), std::string::npos);
  EXPECT_NE(Reason("u").find("an unlogged table"), std::string::npos);
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SetupPlan plan, SetUpAll());
  ASSERT_EQ(plan.steps.size(), 1u);
  EXPECT_EQ(plan.steps[0].sql, "ALTER PUBLICATION \"" + name_ + "\" ADD TABLE ONLY \"public\".\"later\"");
  EXPECT_EQ(Reason("later"), "matched by public.*");
}

TEST_F(AdminServer, TeardownKeepsOthersPublications) {
  ARROWCDC_ASSERT_OK(sql_->Exec("CREATE PUBLICATION " + name_ + " FOR TABLE users, orders"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SetupPlan plan, SetUpAll());
  EXPECT_EQ(plan.steps.size(), 1u);
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SetupPlan teardown, PlanTeardown(source_));
  EXPECT_EQ(teardown.steps.size(), 1u);
  EXPECT_EQ(teardown.warnings.size(), 1u);
  ARROWCDC_ASSERT_OK(ApplySetup(source_, teardown, nullptr));
  EXPECT_EQ(sql_->Scalar("SELECT count(*) FROM pg_publication").ValueOrDie(), "1");
}

TEST_F(AdminServer, OthersSlotIsNotTouched) {
  ARROWCDC_ASSERT_OK(
      sql_->Query("SELECT pg_create_logical_replication_slot('" + name_ + "', 'test_decoding')"));
  EXPECT_EQ(KindOf(PlanSetup(source_, {}).status()), ErrorKind::kSlotMismatch);
  EXPECT_EQ(KindOf(PlanTeardown(source_).status()), ErrorKind::kSlotMismatch);
}

TEST_F(AdminServer, NewSlotSaysWhomItWaitsFor) {
  auto holder = server_->Connect(name_).ValueOrDie();
  ARROWCDC_ASSERT_OK(
      holder->Exec("BEGIN; INSERT INTO users VALUES (1, 'x'); SET application_name = 'the blocker'"));
  auto preparer = server_->Connect(name_).ValueOrDie();
  ARROWCDC_ASSERT_OK(
      preparer->Exec("BEGIN; INSERT INTO users VALUES (2, 'x'); PREPARE TRANSACTION 'gone home'"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto connection,
                                Connection::Open(source_.conninfo, ConnectionMode::kSql));
  ErrorContext context = connection->MakeContext(ErrorContext::Action::kCreateSlot);
  context.slot = name_;
  const arrow::Status status =
      CreateSlot(*connection, "SELECT pg_create_logical_replication_slot('" + name_ + "', 'wal2arrow')",
                 context, std::chrono::milliseconds(200));
  EXPECT_EQ(KindOf(status), ErrorKind::kBusy);
  EXPECT_TRUE(DetailOf(status).retryable());
  EXPECT_NE(status.message().find("pid " + std::to_string(holder->backend_pid()) + " (the blocker)"),
            std::string::npos)
      << status.message();
  EXPECT_NE(status.message().find("'gone home'"), std::string::npos) << status.message();
  EXPECT_FALSE(GetSlotStatus(source_)->exists);
  ARROWCDC_ASSERT_OK(holder->Exec("COMMIT"));
  ARROWCDC_ASSERT_OK(preparer->Exec("ROLLBACK PREPARED 'gone home'"));
}

TEST_F(AdminServer, BadPatternsNeedNoServer) {
  source_.conninfo = "host=/nonexistent";
  source_.tables = {"users"};
  EXPECT_EQ(KindOf(PlanSetup(source_, {}).status()), ErrorKind::kInvalidOption);
  EXPECT_EQ(KindOf(ListTables(source_).status()), ErrorKind::kInvalidOption);
}

// Servers that lack something.
struct Lacking {
  std::unique_ptr<PrivateServer> server;
  std::unique_ptr<test::SqlConnection> sql;
  SourceOptions source;

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
  SourceOptions AsRole() const {
    SourceOptions role = source;
    role.conninfo += " user=cdc";
    return role;
  }
};

TEST(AdminLacking, Plugin) {
  PrivateServerOptions options;
  options.libraries = {};
  options.settings = {{"dynamic_library_path", kNoLibraries}};
  const Lacking lacking(options);
  for (const SourceOptions& source : {lacking.source, lacking.AsRole()}) {
    const arrow::Status status = PlanSetup(source, {}).status();
    EXPECT_EQ(KindOf(status), ErrorKind::kPluginMissing) << status.ToString();
    EXPECT_NE(DetailOf(status).remedy().find("managed services"), std::string::npos);
  }
}

TEST(AdminLacking, PluginAllowance) {
  PrivateServerOptions options;
  options.allow_plugin = false;
  const Lacking lacking(options);
  if (lacking.sql->Query("SHOW output_plugin_libraries").status().ok() == false)
    GTEST_SKIP() << "this server allows every plugin";
  const arrow::Status refused = PlanSetup(lacking.AsRole(), {}).status();
  EXPECT_EQ(KindOf(refused), ErrorKind::kPluginNotAllowed) << refused.ToString();
  EXPECT_NE(DetailOf(refused).remedy().find(AllowPluginSql("cdc")), std::string::npos);
  // A superuser gets the step, and the slot is made in a new session, in which it is in force.
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SetupPlan plan, PlanSetup(lacking.source, {}));
  EXPECT_EQ(plan.steps[0].sql,
            "ALTER ROLE \"postgres\" SET output_plugin_libraries = 'pgoutput', 'test_decoding', 'wal2arrow'");
  ARROWCDC_ASSERT_OK(ApplySetup(lacking.source, plan, nullptr));
  EXPECT_TRUE(PlanSetup(lacking.source, {})->steps.empty());
  // The remedy helps the other role as it stands.
  ARROWCDC_ASSERT_OK(lacking.sql->Exec(AllowPluginSql("cdc")));
  SourceOptions role = lacking.AsRole();
  role.slot = "cdc2";
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SetupPlan printed, PlanSetup(role, {}));
  // An administrator whom nothing allows the plugin runs what was printed for the role.
  ARROWCDC_ASSERT_OK(lacking.sql->Exec("ALTER ROLE postgres RESET output_plugin_libraries"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto administrator, lacking.server->Connect());
  EXPECT_FALSE(administrator->Query("SELECT pg_create_logical_replication_slot('probe', 'wal2arrow')").ok());
  for (const SetupStep& step : printed.steps) ARROWCDC_EXPECT_OK(administrator->Exec(step.sql));
  EXPECT_TRUE(PlanSetup(role, {})->steps.empty());
}

TEST(AdminLacking, WalLevelAndSlots) {
  PrivateServerOptions options;
  options.settings = {{"wal_level", "replica"}};
  const Lacking low(options);
  EXPECT_EQ(KindOf(PlanSetup(low.source, {}).status()), ErrorKind::kServerSetting);
  options.settings = {{"max_replication_slots", "1"}};
  const Lacking few(options);
  ARROWCDC_ASSERT_OK(few.sql->Query("SELECT pg_create_physical_replication_slot('taken')"));
  EXPECT_EQ(KindOf(PlanSetup(few.source, {}).status()), ErrorKind::kServerSetting);
}

}  // namespace
}  // namespace arrowcdc::postgres
