// Setup, teardown, status and tables on real servers with the real plugin.
#include "arrowcdc/postgres.h"

#include <arrow/api.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>
#include <variant>

#include "src/postgres/client/connection.h"
#include "src/postgres/testing/server_fixture.h"
#include "src/postgres/setup/slot.h"
#include "src/postgres/setup/slot_note.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/error_detail.h"
#include "tests/testing/wait.h"

namespace arrowcdc::postgres {
namespace {

using test::DetailOf;
using test::KindOf;
using test::PrivateServer;
using test::PrivateServerOptions;

// Why nothing would be changed.
arrow::Status SetupStatus(const PostgresOptions& source) {
  ARROW_ASSIGN_OR_RAISE(const SetupPlan plan, PlanSetup(source, {}));
  return CheckObstacles(plan);
}

// The comment of the database's only publication.
std::string CommentIn(test::SqlConnection& sql) {
  return sql.Scalar("SELECT obj_description(oid, 'pg_publication') FROM pg_publication").ValueOrDie();
}

std::vector<SlotNote> NotesIn(test::SqlConnection& sql) { return ParseNotes(CommentIn(sql)); }

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

  static inline std::unique_ptr<PrivateServer> server_;
  std::string name_;
  std::unique_ptr<test::SqlConnection> sql_;
  PostgresOptions source_;
};

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
    // Further lines of a statement begin with a tab.
    size_t end = log.find('\n', at);
    while (log.compare(end, 2, "\n\t") == 0) end = log.find('\n', end + 1);
    std::string statement = log.substr(at + 11, end - at - 11);
    for (size_t tab = statement.find("\n\t"); tab != std::string::npos; tab = statement.find("\n\t", tab))
      statement.erase(tab + 1, 1);
    // Settings of our own session.
    if (statement.rfind("SET statement_timeout", 0) == 0 || statement.rfind("SET lock_timeout", 0) == 0 ||
        statement == "SHOW search_path")
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
  ARROWCDC_ASSERT_OK(source->Connect());
  ARROWCDC_ASSERT_OK(source->Resume({.have = ResumeRequest::Have::kNothingYet}));
  ASSERT_EQ(NotesIn(*sql_).size(), 1u);
  EXPECT_TRUE(NotesIn(*sql_)[0].begins.has_value());
}

TEST_F(AdminServer, AdministratorMakesThePublicationAndTheRoleTheSlot) {
  UseOrdinaryRole();
  ARROWCDC_ASSERT_OK(sql_->Exec("ALTER TABLE users OWNER TO postgres"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SetupPlan plan, PlanSetup(source_, {}));
  ARROWCDC_ASSERT_OK(sql_->Exec(plan.steps[0].sql));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SetupPlan rest, PlanSetup(source_, {}));
  ASSERT_EQ(rest.warnings.size(), 2u);
  EXPECT_NE(rest.warnings[0].find("may not read the rows that are there of 1 table: public.users"),
            std::string::npos)
      << rest.warnings[0];
  EXPECT_NE(rest.warnings[1].find("cannot be noted"), std::string::npos) << rest.warnings[1];
  ARROWCDC_ASSERT_OK(ApplySetup(source_, rest, nullptr));
  EXPECT_TRUE(PlanSetup(source_, {})->steps.empty());
  // Nothing was decoded, so nobody can have acknowledged anything.
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto source, MakePostgresSource(source_));
  ARROWCDC_ASSERT_OK(source->Connect());
  ARROWCDC_ASSERT_OK(source->Resume({.have = ResumeRequest::Have::kNothingYet}));
  EXPECT_TRUE(NotesIn(*sql_).empty());
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
  EXPECT_EQ(KindOf(SetupStatus(source_)), ErrorKind::kPermission);
}

TEST_F(AdminServer, RefusedIdentityLeavesTheTableAlone) {
  ARROWCDC_ASSERT_OK(
      sql_->Exec("CREATE TABLE log (line text); CREATE TABLE later (id int PRIMARY KEY DEFERRABLE)"));
  const arrow::Status status = SetupStatus(source_);
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

TEST_F(AdminServer, APublicationThatIsNotNamedIsNotRead) {
  ARROWCDC_ASSERT_OK(sql_->Exec("CREATE TABLE log (line text)"));
  ARROWCDC_ASSERT_OK(SetUpAll({.insert_only = true}));
  const auto published = [&] {
    for (const TableStatus& status : ListTables(source_).ValueOrDie()) {
      if (status.name.table == "log") return status.published;
    }
    return false;
  };
  EXPECT_TRUE(published());
  source_.publications = {name_};
  EXPECT_FALSE(published());
  source_.publications = {name_, name_ + "_insert_only"};
  EXPECT_TRUE(published());
  // The slots of a server are few.
  ARROWCDC_ASSERT_OK(ApplySetup(source_, PlanTeardown(source_).ValueOrDie(), nullptr));
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
  EXPECT_EQ(KindOf(SetupStatus(source_)), ErrorKind::kReplicaIdentity);
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
  EXPECT_EQ(KindOf(SetupStatus(source_)), ErrorKind::kSlotMismatch);
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

TEST_F(AdminServer, NoteTellsSlotServerBeginningAndTables) {
  source_.tables = {"public.users", "public.ord\"ers's\""};
  ARROWCDC_ASSERT_OK(SetUpAll());
  const auto notes = NotesIn(*sql_);
  ASSERT_EQ(notes.size(), 1u);
  EXPECT_EQ(notes[0].slot, name_);
  EXPECT_EQ(notes[0].system, sql_->Scalar("SELECT system_identifier FROM pg_control_system()").ValueOrDie());
  EXPECT_EQ(notes[0].begins, GetSlotStatus(source_)->confirmed_flush);
  EXPECT_EQ(notes[0].tables, (std::vector<std::string>{"public.ord\"ers's\"", "public.users"}));
  // Set up for other tables: said, and noted; where the slot began is kept.
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO users VALUES (1)"));
  ARROWCDC_ASSERT_OK(
      sql_->Query("SELECT pg_replication_slot_advance('" + name_ + "', pg_current_wal_lsn())"));
  source_.tables = {"public.*"};
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SetupPlan refused, PlanSetup(source_, {.accept_tables = false}));
  EXPECT_EQ(KindOf(CheckObstacles(refused)), ErrorKind::kPositionGap);
  EXPECT_EQ(KindOf(ApplySetup(source_, refused, nullptr)), ErrorKind::kPositionGap);
  EXPECT_EQ(sql_->Scalar("SELECT count(*) FROM pg_publication_tables").ValueOrDie(), "1");
  ARROWCDC_ASSERT_OK(SetUpAll());
  EXPECT_EQ(sql_->Scalar("SELECT count(*) FROM pg_publication_tables").ValueOrDie(), "2");
  const auto later = NotesIn(*sql_);
  ASSERT_EQ(later.size(), 1u);
  EXPECT_EQ(later[0].begins, notes[0].begins);
  EXPECT_EQ(later[0].tables, std::vector<std::string>{"public.*"});
  EXPECT_TRUE(PlanSetup(source_, {})->steps.empty());
}

TEST_F(AdminServer, SourceSaysThatTheSlotIsForOtherTables) {
  ARROWCDC_ASSERT_OK(SetUpAll());
  const auto other_tables = [this](const std::vector<std::string>& tables) {
    source_.tables = tables;
    const auto source = MakePostgresSource(source_).ValueOrDie();
    const auto info = source->Connect();
    EXPECT_TRUE(info.ok()) << info.status();
    ARROWCDC_EXPECT_OK(source->Stop());
    return info.ok() ? info->other_tables : info.status();
  };
  ARROWCDC_EXPECT_OK(other_tables({"public.*"}));
  ARROWCDC_EXPECT_OK(other_tables({}));  // everything that is published passes nothing over
  EXPECT_EQ(KindOf(other_tables({"public.users"})), ErrorKind::kPositionGap);
  // A note that came with a copy of another cluster says nothing.
  ARROWCDC_ASSERT_OK(sql_->Exec("COMMENT ON PUBLICATION " + name_ +
                                " IS 'made by arrowcdc setup {\"slots\": "
                                "[{\"slot\": \"" +
                                name_ +
                                "\", \"system\": \"1\", \"lsn\": \"0/1\", \"tables\": "
                                "[\"a.b\"]}]}'"));
  ARROWCDC_EXPECT_OK(other_tables({"public.users"}));
}

TEST_F(AdminServer, NotesOfTwoSlotsAndTeardownOfOne) {
  ARROWCDC_ASSERT_OK(SetUpAll());
  PostgresOptions second = source_;
  second.slot = name_ + "_b";
  second.publications = {name_};
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SetupPlan plan, PlanSetup(second, {}));
  ARROWCDC_ASSERT_OK(ApplySetup(second, plan, nullptr));
  EXPECT_EQ(NotesIn(*sql_).size(), 2u);
  // The publication feeds the other slot as well.
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SetupPlan first_down, PlanTeardown(source_));
  EXPECT_EQ(first_down.warnings.size(), 1u);
  ARROWCDC_ASSERT_OK(ApplySetup(source_, first_down, nullptr));
  EXPECT_EQ(sql_->Scalar("SELECT count(*) FROM pg_publication_tables").ValueOrDie(), "2");
  ASSERT_EQ(NotesIn(*sql_).size(), 1u);
  EXPECT_EQ(NotesIn(*sql_)[0].slot, second.slot);
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SetupPlan second_down, PlanTeardown(second));
  ARROWCDC_ASSERT_OK(ApplySetup(second, second_down, nullptr));
  EXPECT_EQ(sql_->Scalar("SELECT count(*) FROM pg_publication").ValueOrDie(), "0");
}

// Each sees the other's slot, and leaves the publication to it.
TEST_F(AdminServer, TeardownsOfTwoSlotsAtTheSameTimeLeaveNothing) {
  ARROWCDC_ASSERT_OK(SetUpAll());
  PostgresOptions second = source_;
  second.slot = name_ + "_b";
  second.publications = {name_};
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SetupPlan plan, PlanSetup(second, {}));
  ARROWCDC_ASSERT_OK(ApplySetup(second, plan, nullptr));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SetupPlan first_down, PlanTeardown(source_));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SetupPlan second_down, PlanTeardown(second));
  ARROWCDC_ASSERT_OK(ApplySetup(source_, first_down, nullptr));
  EXPECT_EQ(sql_->Scalar("SELECT count(*) FROM pg_publication").ValueOrDie(), "1");
  ARROWCDC_ASSERT_OK(ApplySetup(second, second_down, nullptr));
  EXPECT_EQ(sql_->Scalar("SELECT count(*) FROM pg_publication").ValueOrDie(), "0");
}

// A setup that ended between the slot and its note: the next one notes what it can know.
TEST_F(AdminServer, SlotWithoutANoteGetsOne) {
  ARROWCDC_ASSERT_OK(SetUpAll());
  PostgresOptions second = source_;
  second.slot = name_ + "_b";
  second.publications = {name_};
  ARROWCDC_ASSERT_OK_AND_ASSIGN(SetupPlan cut, PlanSetup(second, {}));
  ASSERT_EQ(cut.steps.back().kind, SetupStepKind::kNote);
  cut.steps.pop_back();
  ARROWCDC_ASSERT_OK(ApplySetup(second, cut, nullptr));
  ASSERT_EQ(NotesIn(*sql_).size(), 1u);
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SetupPlan again, PlanSetup(second, {}));
  ASSERT_EQ(again.steps.size(), 1u);
  ARROWCDC_ASSERT_OK(ApplySetup(second, again, nullptr));
  EXPECT_TRUE(PlanSetup(second, {})->steps.empty());
  const auto notes = NotesIn(*sql_);
  ASSERT_EQ(notes.size(), 2u);
  EXPECT_EQ(notes[1].slot, second.slot);
  EXPECT_FALSE(notes[1].begins.has_value());
  EXPECT_EQ(notes[1].tables, second.tables);
  EXPECT_EQ(notes[1].publications, second.publications);
  // What another setup has noted meanwhile stays; what was restored from elsewhere does not.
  const std::string note = NoteSql(name_, second.slot, NoteChange::kTables, {"a.b"}, {name_}).ValueOrDie();
  for (const auto& [lsn, kept] : {std::pair{"0/1", true}, std::pair{"FFFFFFFF/0", false}}) {
    ARROWCDC_ASSERT_OK(sql_->Exec(
        "DO $$BEGIN EXECUTE format('COMMENT ON PUBLICATION " + name_ +
        " IS %L', 'made by arrowcdc setup ' || jsonb_build_object('slots', jsonb_build_array("
        "jsonb_build_object('slot', '" +
        second.slot + "', 'lsn', '" + lsn +
        "', 'publications', '[\"x\"]'::jsonb, 'system', (SELECT system_identifier::text FROM "
        "pg_control_system())), jsonb_build_object('slot', '" +
        name_ + "', 'system', (SELECT system_identifier::text FROM pg_control_system()))))::text); END$$"));
    ARROWCDC_ASSERT_OK(sql_->Exec(note));
    const auto written = NotesIn(*sql_);
    ASSERT_EQ(written.size(), 2u);
    EXPECT_EQ(written[1].begins.has_value(), kept);
    EXPECT_EQ(written[1].publications, std::vector<std::string>{kept ? "x" : name_});
  }
  // So that the first one's end leaves it its publication.
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SetupPlan down, PlanTeardown(source_));
  ARROWCDC_ASSERT_OK(ApplySetup(source_, down, nullptr));
  EXPECT_EQ(sql_->Scalar("SELECT count(*) FROM pg_publication").ValueOrDie(), "1");
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SetupPlan second_down, PlanTeardown(second));
  ARROWCDC_ASSERT_OK(ApplySetup(second, second_down, nullptr));
  EXPECT_EQ(sql_->Scalar("SELECT count(*) FROM pg_publication").ValueOrDie(), "0");
}

// The last slot is gone, its publication is there: notes of later slots find their place.
TEST_F(AdminServer, NoteOfNoSlotTakesTheNextOne) {
  ARROWCDC_ASSERT_OK(SetUpAll());
  ARROWCDC_ASSERT_OK(sql_->Exec("SELECT pg_drop_replication_slot('" + name_ + "')"));
  ARROWCDC_ASSERT_OK(sql_->Exec(NoteSql(name_, name_, NoteChange::kSlotGone, {}).ValueOrDie()));
  EXPECT_EQ(CommentIn(*sql_), "made by arrowcdc setup {\"slots\": []}");
  for (const char* rest : {" {\"slots\": []}", " {\"slots\": null}", "", " "}) {
    ARROWCDC_ASSERT_OK(
        sql_->Exec("COMMENT ON PUBLICATION " + name_ + " IS 'made by arrowcdc setup" + rest + "'"));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const SetupPlan plan, SetUpAll());
    EXPECT_TRUE(plan.warnings.empty()) << plan.warnings[0];
    ASSERT_EQ(NotesIn(*sql_).size(), 1u) << rest;
    ARROWCDC_ASSERT_OK(sql_->Exec("SELECT pg_drop_replication_slot('" + name_ + "')"));
  }
  // Garbage that the server cannot parse for its depth stops nothing either.
  ARROWCDC_ASSERT_OK(sql_->Exec("DO $$BEGIN EXECUTE format('COMMENT ON PUBLICATION " + name_ +
                                " IS %L', 'made by arrowcdc setup ' || repeat('[', 1000000)); END$$"));
  ARROWCDC_ASSERT_OK(SetUpAll());
  ARROWCDC_ASSERT_OK(sql_->Exec("SELECT pg_drop_replication_slot('" + name_ + "')"));
}

TEST_F(AdminServer, NoteIsWrittenNowhereElse) {
  ARROWCDC_ASSERT_OK(SetUpAll());
  const std::string note = NoteSql(name_, name_, NoteChange::kTables, {"a.b"}).ValueOrDie();
  for (const char* comment : {"mine", "made by arrowcdc setup; slot s begins at 0/1",
                              "made by arrowcdc setup {\"slots\": 1}", "made by arrowcdc setup {"}) {
    ARROWCDC_ASSERT_OK(sql_->Exec("COMMENT ON PUBLICATION " + name_ + " IS '" + comment + "'"));
    ARROWCDC_ASSERT_OK(sql_->Exec(note));
    EXPECT_EQ(CommentIn(*sql_), comment);
  }
  EXPECT_EQ(PlanSetup(source_, {})->warnings.size(), 1u);  // a note that cannot be read is said
}

TEST_F(AdminServer, NotesWrittenAtTheSameTimeAreBothKept) {
  ARROWCDC_ASSERT_OK(SetUpAll());
  const std::string other = name_ + "_b";
  ARROWCDC_ASSERT_OK(sql_->Query("SELECT pg_create_logical_replication_slot('" + other + "', 'wal2arrow')"));
  const auto first = server_->Connect(name_).ValueOrDie();
  ARROWCDC_ASSERT_OK(first->Exec("BEGIN"));
  ARROWCDC_ASSERT_OK(first->Exec(NoteSql(name_, name_, NoteChange::kTables, {"a.b"}).ValueOrDie()));
  arrow::Status written;
  std::thread second([&] {
    const auto sql = server_->Connect(name_).ValueOrDie();
    written = sql->Exec(NoteSql(name_, other, NoteChange::kSlotMade, {"c.d"}).ValueOrDie());
  });
  const auto waits = [&] {
    return sql_->Scalar("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory'")
               .ValueOrDie() == "1";
  };
  ARROWCDC_EXPECT_OK(test::WaitFor(waits, std::chrono::seconds(20), "the second writer waits"));
  ARROWCDC_EXPECT_OK(first->Exec("COMMIT"));
  second.join();
  ARROWCDC_ASSERT_OK(written);
  const auto notes = NotesIn(*sql_);
  ASSERT_EQ(notes.size(), 2u);
  EXPECT_EQ(notes[0].tables, std::vector<std::string>{"a.b"});
  EXPECT_EQ(notes[1].tables, std::vector<std::string>{"c.d"});
  ARROWCDC_ASSERT_OK(sql_->Query("SELECT pg_drop_replication_slot('" + other + "')"));
}

TEST_F(AdminServer, SetupsAtTheSameTimeBothSucceed) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SetupPlan first, PlanSetup(source_, {}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SetupPlan second, PlanSetup(source_, {}));
  ARROWCDC_ASSERT_OK(ApplySetup(source_, first, nullptr));
  ARROWCDC_EXPECT_OK(ApplySetup(source_, second, nullptr));
  EXPECT_TRUE(PlanSetup(source_, {})->steps.empty());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SetupPlan down, PlanTeardown(source_));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SetupPlan down_again, PlanTeardown(source_));
  ARROWCDC_ASSERT_OK(ApplySetup(source_, down, nullptr));
  ARROWCDC_EXPECT_OK(ApplySetup(source_, down_again, nullptr));
}

TEST_F(AdminServer, HalfMadeSlotIsBusyAndAStoppedSetupLeavesNone) {
  auto holder = server_->Connect(name_).ValueOrDie();
  ARROWCDC_ASSERT_OK(
      holder->Exec("SET application_name = 'the blocker'; BEGIN; INSERT INTO users VALUES (1, 'x')"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SetupPlan plan, PlanSetup(source_, {}));
  PostgresOptions stoppable = source_;
  stoppable.stop = std::make_shared<StopToken>();
  arrow::Status applied;
  std::thread setup([&] { applied = ApplySetup(stoppable, plan, nullptr); });
  const auto half_made = [&] {
    return sql_->Scalar("SELECT count(*) FROM pg_replication_slots WHERE slot_name = '" + name_ +
                        "' AND active")
               .ValueOrDie() == "1";
  };
  ARROWCDC_EXPECT_OK(test::WaitFor(half_made, std::chrono::seconds(20), "a half-made slot"));
  const std::string pid =
      sql_->Scalar("SELECT active_pid FROM pg_replication_slots WHERE slot_name = '" + name_ + "'")
          .ValueOrDie();
  // Whoever looks now is told so: setup, teardown, stream.
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto source, MakePostgresSource(source_));
  for (const arrow::Status& status :
       {SetupStatus(source_), PlanTeardown(source_).status(), source->Connect().status()}) {
    EXPECT_EQ(KindOf(status), ErrorKind::kBusy) << status.ToString();
    EXPECT_TRUE(DetailOf(status).retryable());
    EXPECT_NE(status.message().find("server process " + pid), std::string::npos) << status.message();
    EXPECT_NE(status.message().find("(the blocker)"), std::string::npos) << status.message();
  }
  stoppable.stop->Stop();
  setup.join();
  EXPECT_EQ(KindOf(applied), ErrorKind::kInterrupted) << applied.ToString();
  EXPECT_FALSE(GetSlotStatus(source_)->exists);
  ARROWCDC_ASSERT_OK(holder->Exec("COMMIT"));
  ARROWCDC_ASSERT_OK(SetUpAll());
}

// Ids of the rows that the stream delivers until it ends or has nothing more.
std::vector<std::string> StreamedIds(const PostgresOptions& options, arrow::Status* ended) {
  std::vector<std::string> ids;
  const auto source = MakePostgresSource(options).ValueOrDie();
  const auto stream = [&]() -> arrow::Status {
    ARROW_ASSIGN_OR_RAISE(const SourceInfo info, source->Connect());
    ARROW_ASSIGN_OR_RAISE(const Position start, source->Resume({}));
    ARROW_RETURN_NOT_OK(source->Start(start));
    while (true) {
      ARROW_ASSIGN_OR_RAISE(const auto event, source->Next(std::chrono::seconds(20)));
      if (!event.has_value()) return arrow::Status::IOError("the stream does not come to the end of the WAL");
      if (const auto* keepalive = std::get_if<KeepaliveEvent>(&*event)) {
        if (keepalive->position >= info.end) return arrow::Status::OK();
        source->RequestKeepalive();
        continue;
      }
      const auto* batch = std::get_if<ChangeBatch>(&*event);
      if (batch == nullptr) continue;
      for (int64_t row = 0; row < batch->rows->num_rows(); ++row)
        ids.push_back(batch->rows->column(0)->GetScalar(row).ValueOrDie()->ToString());
    }
  };
  *ended = stream();
  ARROWCDC_EXPECT_OK(source->Stop());
  // The server's process outlives the connection for a moment.
  const auto is_free = [&] { return !GetSlotStatus(options).ValueOrDie().active; };
  ARROWCDC_EXPECT_OK(test::WaitFor(is_free, std::chrono::seconds(20), "a free slot"));
  return ids;
}

// The remedy is done word for word, and loses what it said and no more.
TEST_F(AdminServer, PublicationThatWasDroppedAndMadeAgain) {
  source_.tables = {"public.orders"};
  ARROWCDC_ASSERT_OK(SetUpAll());
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO orders VALUES (1)"));
  ARROWCDC_ASSERT_OK(sql_->Exec("DROP PUBLICATION " + name_));
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO orders VALUES (2)"));
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO orders VALUES (3)"));
  // The way on while it is missing: the SQL of the remedy.
  const std::string missing = DetailOf(SetupStatus(source_)).remedy();
  const size_t create = missing.find("CREATE PUBLICATION");
  ASSERT_NE(create, std::string::npos) << missing;
  ARROWCDC_ASSERT_OK(sql_->Exec(missing.substr(create)));
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO orders VALUES (4)"));
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO orders VALUES (5)"));

  const arrow::Status gap = SetupStatus(source_);
  EXPECT_EQ(KindOf(gap), ErrorKind::kPublicationMissing) << gap.ToString();
  const std::string remedy = DetailOf(gap).remedy();
  EXPECT_EQ(remedy.find("stream once more"), 0u) << remedy;
  arrow::Status ended;
  EXPECT_EQ(StreamedIds(source_, &ended), std::vector<std::string>{"1"});
  EXPECT_EQ(KindOf(ended), ErrorKind::kPublicationMissing) << ended.ToString();
  EXPECT_NE(DetailOf(ended).remedy().find("'arrowcdc setup'"), std::string::npos);
  const size_t begin = remedy.find("SELECT pg_replication_slot_advance");
  ASSERT_NE(begin, std::string::npos) << remedy;
  ARROWCDC_ASSERT_OK(sql_->Query(remedy.substr(begin, remedy.find(')', begin) + 1 - begin)));
  EXPECT_EQ(StreamedIds(source_, &ended), (std::vector<std::string>{"4", "5"}));
  ARROWCDC_EXPECT_OK(ended);
  ARROWCDC_EXPECT_OK(SetupStatus(source_));
}

TEST_F(AdminServer, PublicationThatSurvivesComesFirst) {
  source_.tables = {"public.orders"};
  ARROWCDC_ASSERT_OK(
      sql_->Exec("CREATE PUBLICATION survivor FOR TABLE orders WITH (publish_via_partition_root)"));
  ARROWCDC_ASSERT_OK(sql_->Exec("CREATE PUBLICATION of_another_table FOR TABLE users"));
  ARROWCDC_ASSERT_OK(SetUpAll());
  ARROWCDC_ASSERT_OK(sql_->Exec("DROP PUBLICATION " + name_));
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO orders VALUES (1)"));
  const SetupPlan missing = PlanSetup(source_, {}).ValueOrDie();
  ASSERT_EQ(missing.warnings.size(), 1u);
  EXPECT_EQ(missing.warnings[0].find("publication \"survivor\" has been there all the time"), 0u)
      << missing.warnings[0];
  ARROWCDC_ASSERT_OK(
      sql_->Exec("CREATE PUBLICATION " + name_ + " FOR TABLE orders WITH (publish_via_partition_root)"));
  const std::string remedy = DetailOf(SetupStatus(source_)).remedy();
  EXPECT_EQ(remedy.find("publication \"survivor\" has been there all the time"), 0u) << remedy;
  EXPECT_EQ(remedy.find("of_another_table"), std::string::npos) << remedy;
  EXPECT_NE(remedy.find("and nothing else"), std::string::npos) << remedy;
  source_.publications = {"survivor"};
  arrow::Status ended;
  EXPECT_EQ(StreamedIds(source_, &ended), std::vector<std::string>{"1"});
  ARROWCDC_EXPECT_OK(ended);
}

TEST_F(AdminServer, AlteredPublicationIsNoGap) {
  ARROWCDC_ASSERT_OK(SetUpAll());
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO orders VALUES (1)"));
  ARROWCDC_ASSERT_OK(
      sql_->Exec("ALTER PUBLICATION " + name_ + " SET (publish = 'insert, update, delete, truncate')"));
  ARROWCDC_EXPECT_OK(SetupStatus(source_));
}

TEST_F(AdminServer, PublicationsOfOthersStayAsTheyAre) {
  ARROWCDC_ASSERT_OK(sql_->Exec("CREATE PUBLICATION theirs FOR TABLE users"));
  source_.publications = {"theirs"};
  const arrow::Status lacking = SetupStatus(source_);
  EXPECT_EQ(KindOf(lacking), ErrorKind::kPublicationMissing) << lacking.ToString();
  const std::string add = "ALTER PUBLICATION \"theirs\" ADD TABLE ONLY \"public\".\"orders\"";
  EXPECT_NE(DetailOf(lacking).remedy().find(add), std::string::npos) << DetailOf(lacking).remedy();
  EXPECT_EQ(sql_->Scalar("SELECT count(*) FROM pg_publication_tables").ValueOrDie(), "1");
  // The remedy, word for word.
  ARROWCDC_ASSERT_OK(sql_->Exec(add));
  ARROWCDC_ASSERT_OK(SetUpAll());
  ARROWCDC_ASSERT_OK(
      sql_->Exec("CREATE TABLE p (a int PRIMARY KEY) PARTITION BY RANGE (a); CREATE TABLE p1 "
                 "PARTITION OF p DEFAULT; ALTER PUBLICATION theirs ADD TABLE p"));
  EXPECT_NE(SetupStatus(source_).message().find("publishes partitions under their own names"),
            std::string::npos);
  EXPECT_EQ(sql_->Scalar("SELECT pubviaroot FROM pg_publication").ValueOrDie(), "f");
}

TEST_F(AdminServer, PartitionsOfEveryKindAreSaid) {
  ARROWCDC_ASSERT_OK(sql_->Exec(
      "CREATE TABLE p (a int, b text, c text GENERATED ALWAYS AS (upper(b)) STORED, PRIMARY KEY (a)) "
      "PARTITION BY "
      "LIST (a); ALTER TABLE p REPLICA IDENTITY FULL; CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1); "
      "CREATE UNLOGGED TABLE p2 PARTITION OF p FOR VALUES IN (2)"));
  source_.tables = {"public.p"};
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SetupPlan plan, PlanSetup(source_, {}));
  ARROWCDC_ASSERT_OK(CheckObstacles(plan));
  // Two partitions that no pattern names come first.
  ASSERT_EQ(plan.warnings.size(), 5u);
  EXPECT_EQ(plan.warnings[2], "public.p: its generated columns are not sent: c");
  EXPECT_EQ(plan.warnings[3], "public.p: no changes come of its partitions public.p2 (an unlogged table)");
  EXPECT_EQ(
      plan.warnings[4].find("public.p: old rows are identified by the whole row, but in public.p1 by (a): "),
      0u)
      << plan.warnings[4];
}

TEST_F(AdminServer, GeneratedKeysThatPgoutputDoesNotSend) {
  ARROWCDC_ASSERT_OK(
      sql_->Exec("CREATE TABLE odd (id int, twice int GENERATED ALWAYS AS (id * 2) STORED PRIMARY "
                 "KEY); CREATE TABLE fine (LIKE odd INCLUDING ALL);"
                 "ALTER TABLE fine REPLICA IDENTITY FULL"));
  ARROWCDC_ASSERT_OK(SetupStatus(source_));  // wal2arrow sends them
  source_.plugin = OutputPlugin::kPgoutput;
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const std::string version, sql_->Scalar("SHOW server_version_num"));
  if (std::stoi(version) >= 180000) {
    ARROWCDC_ASSERT_OK(SetupStatus(source_));
    return;
  }
  const arrow::Status refused = SetupStatus(source_);
  EXPECT_EQ(KindOf(refused), ErrorKind::kUnsupported) << refused;
  EXPECT_EQ(DetailOf(refused).object(), "table public.odd");
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SetupPlan inserts, PlanSetup(source_, {.insert_only = true}));
  ARROWCDC_ASSERT_OK(ApplySetup(source_, inserts, nullptr));
  EXPECT_EQ(sql_->Scalar("SELECT pubname FROM pg_publication_tables WHERE tablename = 'odd'").ValueOrDie(),
            source_.slot + "_insert_only");
  // Somebody publishes its updates all the same.
  ARROWCDC_ASSERT_OK(sql_->Exec("ALTER PUBLICATION " + source_.slot + " ADD TABLE odd"));
  EXPECT_EQ(KindOf(SetupStatus(source_)), ErrorKind::kUnsupported);
}

TEST_F(AdminServer, NothingIsAskedThatIsAnErrorInTheLog) {
  UseOrdinaryRole();
  const size_t before = server_->Log().size();
  ARROWCDC_ASSERT_OK(SetUpAll());
  ARROWCDC_ASSERT_OK(ListTables(source_).status());
  ARROWCDC_ASSERT_OK(GetSlotStatus(source_).status());
  EXPECT_EQ(server_->Log().substr(before).find("ERROR"), std::string::npos) << server_->Log().substr(before);
}

TEST_F(AdminServer, BadPatternsNeedNoServer) {
  source_.conninfo = "host=/nonexistent";
  source_.tables = {"users"};
  EXPECT_EQ(KindOf(SetupStatus(source_)), ErrorKind::kInvalidOption);
  EXPECT_EQ(KindOf(ListTables(source_).status()), ErrorKind::kInvalidOption);
}

}  // namespace
}  // namespace arrowcdc::postgres
