// Setup and teardown decided from made-up servers: every finding gives its step, its warning or its refusal.
#include "src/postgres/setup/setup_plan.h"

#include <algorithm>
#include <ctime>
#include <limits>

#include <gtest/gtest.h>

#include "arrowcdc/error.h"

namespace arrowcdc::postgres {
namespace {

TableInfo Table(uint32_t oid, const std::string& name, char kind = 'r') {
  TableInfo table;
  table.oid = oid;
  table.name = {"public", name};
  table.kind = kind;
  table.primary_key = kind == 'r' || kind == 'p';
  return table;
}

TableInfo WithoutKey(uint32_t oid, const std::string& name) {
  TableInfo table = Table(oid, name);
  table.primary_key = false;
  return table;
}

// As if the catalog had been read with this difference.
template <typename Change>
void Edit(Inspection* inspected, Change change) {
  std::vector<TableInfo> tables = inspected->catalog.tables();
  change(tables);
  inspected->catalog = TableCatalog(std::move(tables));
}

void Add(Inspection* inspected, const TableInfo& table) {
  Edit(inspected, [&](auto& tables) { tables.push_back(table); });
}

// A server on which nothing is wrong and nothing is set up.
Inspection Fresh() {
  Inspection inspected;
  ServerInfo& server = inspected.server;
  server.version_num = 150020;
  server.version = "15.20";
  server.database = "shop";
  server.wal_level = "logical";
  server.slots_max = 10;
  server.slots_used = 1;
  server.senders_max = 10;
  server.system = "77";
  server.plugins.allowed = {{"pgoutput", "wal2arrow"}};
  server.role = {"cdc", false, true};
  inspected.catalog = TableCatalog({Table(1, "customers"), Table(2, "orders")});
  return inspected;
}

std::string Comment(const std::string& entries) {
  return "made by arrowcdc setup {\"slots\": [" + entries + "]}";
}

PublicationInfo Publication(const std::string& name, const std::vector<std::string>& tables) {
  PublicationInfo publication;
  publication.name = name;
  publication.comment = Comment(R"({"slot": "cdc", "system": "77", "lsn": "0/100"})");
  publication.via_root = true;
  for (const std::string& table : tables) publication.tables.insert({"public", table});
  return publication;
}

SlotInfo Slot() {
  SlotInfo slot;
  slot.name = "cdc";
  slot.plugin = "wal2arrow";
  slot.database = "shop";
  slot.confirmed_flush = 0x200;
  return slot;
}

// As Fresh, after a setup of both tables.
Inspection AfterSetup() {
  Inspection inspected = Fresh();
  inspected.slot = Slot();
  inspected.server.slots = {"cdc"};
  inspected.publications = {Publication("cdc", {"customers", "orders"})};
  return inspected;
}

PostgresOptions Source() {
  PostgresOptions source;
  source.slot = "cdc";
  source.plugin = OutputPlugin::kWal2arrow;
  return source;
}

arrow::Result<SetupPlan> Plan(const Inspection& inspected,
                              const std::vector<std::string>& patterns = {"public.*"},
                              const SetupOptions& options = {}, const PostgresOptions& source = Source()) {
  return MakeSetupPlan(inspected, source, options, TablePatterns::Parse(patterns).ValueOrDie());
}

std::vector<std::string> Sql(const arrow::Result<SetupPlan>& plan) {
  std::vector<std::string> sql;
  EXPECT_TRUE(plan.ok()) << plan.status().ToString();
  if (plan.ok()) {
    for (const SetupStep& step : plan->steps) sql.push_back(step.sql);
  }
  return sql;
}

// Why nothing would be changed.
arrow::Status Obstacle(const arrow::Result<SetupPlan>& plan) {
  return plan.ok() ? CheckObstacles(*plan) : plan.status();
}

ErrorKind Refused(const arrow::Result<SetupPlan>& plan) {
  const arrow::Status status = Obstacle(plan);
  EXPECT_FALSE(status.ok());
  const ErrorDetail* detail = GetErrorDetail(status);
  EXPECT_NE(detail, nullptr) << status.ToString();
  if (detail == nullptr) return ErrorKind::kInternal;
  EXPECT_FALSE(detail->object().empty());
  EXPECT_FALSE(detail->remedy().empty());
  return detail->kind();
}

bool Warns(const arrow::Result<SetupPlan>& plan, const std::string& text) {
  for (const std::string& warning : plan.ValueOrDie().warnings) {
    if (warning.find(text) != std::string::npos) return true;
  }
  return false;
}

// In front of the slot's creation: whoever runs the SQL as a superuser is allowed the plugin in this session.
const std::string kAllowInSession =
    "SELECT pg_catalog.set_config(name, pg_catalog.concat_ws(', ', nullif(setting, ''), 'wal2arrow'), false) "
    "FROM "
    "pg_catalog.pg_settings WHERE name = 'output_plugin_libraries' AND "
    "pg_catalog.current_setting('is_superuser') = 'on' AND NOT 'wal2arrow' = ANY "
    "(pg_catalog.regexp_split_to_array(pg_catalog.regexp_replace(pg_catalog.replace(setting, "
    "'\"wal2arrow\"', 'wal2arrow'), '\"[^\"]*\"', '', 'g'), ' *, *')); ";

TEST(SetupPlan, FreshServer) {
  const auto plan = Plan(Fresh());
  const std::vector<std::string> expected = {
      "CREATE PUBLICATION \"cdc\" FOR TABLE ONLY \"public\".\"customers\", ONLY \"public\".\"orders\" WITH "
      "(publish_via_partition_root = "
      "true); COMMENT ON PUBLICATION \"cdc\" IS 'made by arrowcdc setup'",
      kAllowInSession + "SELECT pg_catalog.pg_create_logical_replication_slot('cdc', 'wal2arrow')"};
  auto sql = Sql(plan);
  ASSERT_EQ(sql.size(), 3u);
  // The note is written by the server, and tested there.
  EXPECT_EQ(sql[2].rfind("DO ", 0), 0u);
  EXPECT_EQ(plan->steps[2].kind, SetupStepKind::kNote);
  sql.pop_back();
  EXPECT_EQ(sql, expected);
  EXPECT_EQ(plan->tables, (std::vector<TableName>{{"public", "customers"}, {"public", "orders"}}));
  EXPECT_TRUE(plan->warnings.empty());
  EXPECT_FALSE(plan->checks.empty());
}

TEST(SetupPlan, SecondRunChangesNothing) {
  const auto plan = Plan(AfterSetup());
  EXPECT_TRUE(Sql(plan).empty());
  EXPECT_EQ(plan->tables.size(), 2u);
}

TEST(SetupPlan, FailoverSlotFrom17On) {
  EXPECT_EQ(*CreateSlotSql("s", 170000),
            kAllowInSession +
                "SELECT pg_catalog.pg_create_logical_replication_slot('s', 'wal2arrow', failover => true)");
  EXPECT_EQ(*CreateSlotSql("s", 170000, OutputPlugin::kPgoutput),
            "SELECT pg_catalog.pg_create_logical_replication_slot('s', 'pgoutput', failover => true)");
  EXPECT_FALSE(CreateSlotSql("s'; DROP", 170000).ok());
}

TEST(SetupPlan, ServerThatCannot) {
  Inspection inspected = Fresh();
  inspected.server.wal_level = "replica";
  EXPECT_EQ(Refused(Plan(inspected)), ErrorKind::kServerSetting);
  inspected = Fresh();
  inspected.server.slots_used = 10;
  EXPECT_EQ(Refused(Plan(inspected)), ErrorKind::kServerSetting);
  inspected = AfterSetup();
  inspected.server.slots_used = 10;  // one of them is ours
  EXPECT_TRUE(Obstacle(Plan(inspected)).ok());
  inspected = Fresh();
  inspected.server.senders_max = 0;
  EXPECT_EQ(Refused(Plan(inspected)), ErrorKind::kServerSetting);
  inspected = Fresh();
  inspected.server.senders_used = 10;
  EXPECT_TRUE(Warns(Plan(inspected), "max_wal_senders"));
  inspected = Fresh();
  inspected.server.in_recovery = true;
  EXPECT_EQ(Refused(Plan(inspected)), ErrorKind::kUnsupported);
  inspected = Fresh();
  inspected.server.version_num = 140012;
  EXPECT_EQ(Refused(Plan(inspected)), ErrorKind::kUnsupported);
  inspected = Fresh();
  inspected.server.role.replication = MakeError(ErrorKind::kPermission, "no", "role", "");
  EXPECT_EQ(Refused(Plan(inspected)), ErrorKind::kPermission);
}

TEST(SetupPlan, AllObstaclesAtOnceWithOneBlockOfSql) {
  Inspection inspected = Fresh();
  inspected.server.wal_level = "replica";
  inspected.server.role.replication = MakeError(ErrorKind::kPermission, "no", "role", "");
  inspected.server.role.create_in_database = false;
  inspected.server.plugins.allowed = {{"pgoutput"}};
  Edit(&inspected, [](auto& tables) { tables[0].owned = false; });
  const auto plan = Plan(inspected);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->obstacles.size(), 4u);
  const std::string message = Obstacle(plan).message();
  EXPECT_EQ(message.rfind("4 things are in the way: (1) ", 0), 0u) << message;
  EXPECT_EQ(GetErrorDetail(Obstacle(plan))->object(), "setting wal_level");
  EXPECT_EQ(message.find("nothing was changed"), std::string::npos) << "tables and doctor say it, too";
  for (const char* part : {"wal_level is replica", "may not use replication", "does not allow wal2arrow",
                           "does not own public.customers"}) {
    EXPECT_NE(message.find(part), std::string::npos) << part;
  }
  EXPECT_EQ(Refused(plan), ErrorKind::kServerSetting);
  const std::string block = AdministratorSql(*plan);
  for (const char* part :
       {"\nALTER SYSTEM SET wal_level = 'logical';\n", "\nALTER ROLE \"cdc\" REPLICATION;\n",
        "\nALTER ROLE \"cdc\" SET output_plugin_libraries = 'pgoutput', 'wal2arrow';\n",
        "\nCREATE PUBLICATION \"cdc\" FOR TABLE"}) {
    EXPECT_NE(block.find(part), std::string::npos) << part << "\n" << block;
  }
  // The slot needs the restart.
  EXPECT_EQ(block.find("pg_create_logical_replication_slot"), std::string::npos) << block;
  EXPECT_NE(block.find("-- restart the server"), std::string::npos) << block;
  // What nobody's SQL decides for the owner: no half of a setup is printed.
  Edit(&inspected, [](auto& tables) { tables[1] = WithoutKey(2, "orders"); });
  const std::string rest = AdministratorSql(*Plan(inspected));
  EXPECT_NE(rest.find("ALTER ROLE"), std::string::npos);
  EXPECT_EQ(rest.find("CREATE PUBLICATION"), std::string::npos);
}

TEST(SetupPlan, NamesDoNotBreakOutOfTheCommentsOfThePrintedSql) {
  Inspection inspected = Fresh();
  inspected.catalog = TableCatalog({Table(1, "a\nDROP TABLE users; --\r\n")});
  const std::string block = AdministratorSql(*Plan(inspected));
  EXPECT_EQ(block.find("\nDROP"), block.find("\nDROP TABLE users; --\r\n\" WITH")) << block;
  EXPECT_EQ(block.find("-- create publication"), 0u);
  EXPECT_NE(block.substr(0, block.find('\n')).find("a DROP TABLE users"), std::string::npos) << block;
}

TEST(SetupPlan, NoTableMatches) {
  const auto plan = Plan(Fresh(), {"public.order", "!public.x"}, {}, [] {
    PostgresOptions source = Source();
    source.tables = {"public.order", "!public.x"};
    return source;
  }());
  EXPECT_EQ(Refused(plan), ErrorKind::kInvalidOption);
  EXPECT_EQ(Obstacle(plan).message(), "0 of 2 tables match; nearest: public.orders");
}

TEST(SetupPlan, SlotThatIsBeingMade) {
  Inspection inspected = AfterSetup();
  inspected.slot->being_made = true;
  inspected.slot->active = true;
  inspected.slot->active_pid = 4711;
  inspected.slot->waits_for = "pid 12, idle in transaction";
  EXPECT_EQ(Refused(Plan(inspected)), ErrorKind::kBusy);
  EXPECT_NE(Obstacle(Plan(inspected)).message().find("4711"), std::string::npos);
  EXPECT_NE(Obstacle(Plan(inspected)).message().find("pid 12, idle in transaction"), std::string::npos);
  EXPECT_EQ(Refused(MakeTeardownPlan(inspected, Source())), ErrorKind::kBusy);
}

TEST(SetupPlan, SlotThatWasSetUpForOtherTables) {
  Inspection inspected = AfterSetup();
  inspected.publications[0].comment =
      Comment(R"({"slot": "cdc", "system": "77", "lsn": "0/100", "tables": ["public.customers"]})");
  PostgresOptions source = Source();
  source.tables = {"public.*"};
  // Asked for by somebody: done, said and noted.
  const auto asked = Plan(inspected, {"public.*"}, {}, source);
  EXPECT_TRUE(Warns(asked, "the slot was set up for public.customers, not for public.*"));
  EXPECT_EQ(Sql(asked).size(), 1u);
  EXPECT_EQ(asked->steps.at(0).kind, SetupStepKind::kNote);
  // By a program on its way: refused before anything changes.
  const auto refused = Plan(inspected, {"public.*"}, {.accept_tables = false}, source);
  EXPECT_EQ(Refused(refused), ErrorKind::kPositionGap);
  EXPECT_TRUE(Sql(refused).empty());
  source.tables = {"public.customers"};
  EXPECT_TRUE(Obstacle(Plan(inspected, {"public.customers"}, {.accept_tables = false}, source)).ok());
  // A note of another cluster, or from a later point, says nothing.
  source.tables = {"public.*"};
  inspected.server.system = "78";
  EXPECT_TRUE(Obstacle(Plan(inspected, {"public.*"}, {.accept_tables = false}, source)).ok());
  inspected.server.system = "77";
  inspected.slot->confirmed_flush = 0xff;
  EXPECT_TRUE(Obstacle(Plan(inspected, {"public.*"}, {.accept_tables = false}, source)).ok());
}

TEST(SetupPlan, TablesThatAreAdded) {
  const auto add = [](const std::string& before, PostgresOptions source, Inspection inspected) {
    inspected.publications[0].comment =
        Comment(R"({"slot": "cdc", "system": "77", "tables": [")" + before + "\"]}");
    source.tables = {"public.orders"};
    return Plan(inspected, source.tables, {.add_tables = true}, source);
  };
  EXPECT_EQ(add("public.customers", Source(), AfterSetup())->patterns.size(), 2u);
  EXPECT_TRUE(add("!public.audit", Source(), AfterSetup())->patterns.empty());  // all others
  EXPECT_EQ(Refused(add("!public.orders", Source(), AfterSetup())), ErrorKind::kInvalidOption);
}

TEST(SetupPlan, SlotWithoutANoteGetsOneWhereItCanBeWritten) {
  Inspection inspected = AfterSetup();
  const auto steps = [&](const std::string& comment, bool owned) {
    inspected.publications[0].comment = comment;
    inspected.publications[0].owned = owned;
    const auto plan = Plan(inspected);
    std::string kinds;
    for (const SetupStep& step : plan->steps) kinds += step.kind == SetupStepKind::kNote ? "n" : "?";
    return kinds;
  };
  EXPECT_EQ(steps(kMadeBySetup, true), "n");
  EXPECT_EQ(steps(Comment(R"({"slot": "other", "system": "77"})"), true), "n");
  EXPECT_EQ(steps(Comment(R"({"slot": "cdc", "system": "77", "lsn": "9/0"})"), true), "n");  // restored
  EXPECT_EQ(steps(Comment(R"({"slot": "cdc", "system": "77", "lsn": "0/100"})"), true), "");
  EXPECT_EQ(steps(Comment(R"({"slot": "cdc", "system": "77"})"), true), "");
  EXPECT_EQ(steps("made by arrowcdc setup {", true), "");
  EXPECT_EQ(steps("mine", true), "");
  EXPECT_EQ(steps(kMadeBySetup, false), "");
}

TEST(SetupPlan, PublicationsOfOthersAreNotChanged) {
  Inspection inspected = Fresh();
  inspected.publications = {Publication("cdc", {"customers"})};
  inspected.publications[0].comment = "mine";
  const auto lacking = Plan(inspected);
  EXPECT_EQ(Refused(lacking), ErrorKind::kPublicationMissing);
  EXPECT_NE(Obstacle(lacking).message().find("does not publish public.orders"), std::string::npos);
  EXPECT_NE(GetErrorDetail(Obstacle(lacking))
                ->remedy()
                .find("ALTER PUBLICATION \"cdc\" ADD TABLE ONLY \"public\".\"orders\""),
            std::string::npos);
  for (const SetupStep& step : lacking->steps) EXPECT_NE(step.kind, SetupStepKind::kAlterPublication);
}

TEST(SetupPlan, PublicationThatAnotherSlotReads) {
  Inspection inspected = AfterSetup();
  inspected.server.slots = {"cdc", "other"};
  inspected.publications = {Publication("cdc", {"customers"})};
  inspected.publications[0].comment =
      Comment(R"({"slot": "cdc", "system": "77", "lsn": "0/100"}, {"slot": "other", "system": "77"})");
  EXPECT_TRUE(Warns(Plan(inspected), "read through slot \"other\" as well"));
  inspected.server.slots = {"cdc"};  // it is gone
  EXPECT_FALSE(Warns(Plan(inspected), "as well"));
}

TEST(SetupPlan, ExistingSlotThatDoesNotFit) {
  Inspection inspected = AfterSetup();
  inspected.slot->plugin = "pgoutput";
  EXPECT_EQ(Refused(Plan(inspected)), ErrorKind::kSlotMismatch);
  inspected = AfterSetup();
  inspected.slot->database = "other";
  EXPECT_EQ(Refused(Plan(inspected)), ErrorKind::kSlotMismatch);
  inspected = AfterSetup();
  inspected.slot->invalidation = "wal_removed";
  EXPECT_EQ(Refused(Plan(inspected)), ErrorKind::kSlotInvalidated);
}

TEST(SetupPlan, NewTableIsAddedWithAWarning) {
  Inspection inspected = AfterSetup();
  Add(&inspected, Table(3, "Events"));
  const auto plan = Plan(inspected);
  EXPECT_EQ(Sql(plan),
            (std::vector<std::string>{"ALTER PUBLICATION \"cdc\" ADD TABLE ONLY \"public\".\"Events\""}));
  EXPECT_TRUE(Warns(plan, "before this setup are not included"));
}

TEST(SetupPlan, PublicationYoungerThanTheSlotIsRefused) {
  Inspection inspected = AfterSetup();
  inspected.publications.clear();
  EXPECT_EQ(Refused(Plan(inspected)), ErrorKind::kPublicationMissing);
  inspected = AfterSetup();
  Add(&inspected, WithoutKey(3, "log"));
  EXPECT_EQ(Refused(Plan(inspected, {"public.*"}, {.insert_only = true})), ErrorKind::kPublicationMissing);
}

TEST(SetupPlan, ForeignPublicationIsUsedButNotNoted) {
  Inspection inspected = Fresh();
  inspected.publications = {Publication("cdc", {"customers", "orders"})};
  inspected.publications[0].comment = "mine";
  EXPECT_EQ(Sql(Plan(inspected)).size(), 1u);
  inspected.publications[0].update = false;
  EXPECT_TRUE(Warns(Plan(inspected), "does not publish update"));
}

TEST(SetupPlan, PublicationsOfAllTablesAndOfSchemasCover) {
  Inspection inspected = AfterSetup();
  inspected.publications = {Publication("cdc", {})};
  inspected.publications[0].all_tables = true;
  EXPECT_TRUE(Sql(Plan(inspected)).empty());
  inspected.publications[0].all_tables = false;
  inspected.publications[0].schemas = {"public"};
  EXPECT_TRUE(Sql(Plan(inspected)).empty());
}

TEST(SetupPlan, UnusableIdentitiesAreRefusedByName) {
  Inspection inspected = Fresh();
  const auto problem = [&] {
    const auto plan = Plan(inspected);
    EXPECT_EQ(Refused(plan), ErrorKind::kReplicaIdentity);
    EXPECT_NE(
        GetErrorDetail(Obstacle(plan))->remedy().find("ALTER TABLE \"public\".\"customers\" ADD PRIMARY KEY"),
        std::string::npos);
    EXPECT_NE(GetErrorDetail(Obstacle(plan))->remedy().find("REPLICA IDENTITY"), std::string::npos);
    EXPECT_NE(Obstacle(plan).message().find("public.customers"), std::string::npos);
    return Obstacle(plan).message();
  };
  Edit(&inspected, [](auto& tables) { tables[0].primary_key = false; });
  EXPECT_NE(problem().find("no primary key"), std::string::npos);
  Edit(&inspected, [](auto& tables) { tables[0].deferrable_key = true; });
  EXPECT_NE(problem().find("deferrable"), std::string::npos);
  Edit(&inspected, [](auto& tables) { tables[0].replica_identity = ReplicaIdentity::kNothing; });
  EXPECT_NE(problem().find("NOTHING"), std::string::npos);
  Edit(&inspected, [](auto& tables) { tables[0].replica_identity = ReplicaIdentity::kIndex; });
  EXPECT_NE(problem().find("dropped"), std::string::npos);
  Edit(&inspected, [](auto& tables) { tables[0].identity_index = true; });
  EXPECT_TRUE(Obstacle(Plan(inspected)).ok());
  Edit(&inspected, [](auto& tables) { tables[0].replica_identity = ReplicaIdentity::kFull; });
  Edit(&inspected, [](auto& tables) { tables[0].identity_index = false; });
  EXPECT_TRUE(Obstacle(Plan(inspected)).ok());
}

TEST(SetupPlan, InsertOnly) {
  Inspection inspected = Fresh();
  Edit(&inspected, [](auto& tables) { tables[1] = WithoutKey(2, "orders"); });
  const auto sql = Sql(Plan(inspected, {"public.*"}, {.insert_only = true}));
  ASSERT_EQ(sql.size(), 5u);  // two publications, the slot, a note in each
  EXPECT_EQ(sql[0],
            "CREATE PUBLICATION \"cdc\" FOR TABLE ONLY \"public\".\"customers\" WITH "
            "(publish_via_partition_root = true); COMMENT ON "
            "PUBLICATION \"cdc\" IS 'made by arrowcdc setup'");
  EXPECT_EQ(sql[1],
            "CREATE PUBLICATION \"cdc_insert_only\" FOR TABLE ONLY \"public\".\"orders\" WITH (publish = "
            "'insert, truncate', "
            "publish_via_partition_root = true); COMMENT ON PUBLICATION \"cdc_insert_only\" IS 'made by "
            "arrowcdc setup'");
  // Opted in before: also without the flag.
  inspected.slot = Slot();
  inspected.publications = {Publication("cdc", {"customers"}), Publication("cdc_insert_only", {"orders"})};
  EXPECT_TRUE(Sql(Plan(inspected)).empty());
  // With a key since: left as it is, but said.
  Edit(&inspected, [](auto& tables) { tables[1].primary_key = true; });
  EXPECT_TRUE(Warns(Plan(inspected), "only inserts and truncates are published of public.orders"));
}

// A stream with the same --publication would pass over the tables of the second one.
TEST(SetupPlan, InsertOnlyWithOneNamedPublicationIsRefused) {
  Inspection inspected = Fresh();
  Edit(&inspected, [](auto& tables) { tables[1] = WithoutKey(2, "orders"); });
  PostgresOptions source = Source();
  source.publications = {"a"};
  EXPECT_EQ(Refused(Plan(inspected, {"public.*"}, {.insert_only = true}, source)), ErrorKind::kInvalidOption);
  source.publications = {"a", "b"};
  EXPECT_EQ(Sql(Plan(inspected, {"public.*"}, {.insert_only = true}, source)).size(), 5u);
  // Without tables that need it, the option changes nothing.
  source.publications = {"a"};
  EXPECT_EQ(Sql(Plan(Fresh(), {"public.*"}, {.insert_only = true}, source)).size(), 3u);
}

TEST(SetupPlan, InsertOnlyAloneCarriesTheNote) {
  Inspection inspected = Fresh();
  inspected.catalog = TableCatalog({WithoutKey(2, "orders")});
  const auto sql = Sql(Plan(inspected, {"public.*"}, {.insert_only = true}));
  ASSERT_EQ(sql.size(), 3u);
  EXPECT_NE(sql[2].find("pubname = ''cdc_insert_only''"), std::string::npos);
}

TEST(SetupPlan, LostIdentityInAPublicationIsAnErrorEvenWithInsertOnly) {
  Inspection inspected = AfterSetup();
  Edit(&inspected, [](auto& tables) { tables[1] = WithoutKey(2, "orders"); });
  EXPECT_EQ(Refused(Plan(inspected, {"public.*"}, {.insert_only = true})), ErrorKind::kReplicaIdentity);
}

Inspection Partitioned() {
  Inspection inspected = Fresh();
  TableInfo leaf = Table(11, "events_1");
  leaf.is_partition = true;
  leaf.parent = 10;
  inspected.catalog = TableCatalog({Table(10, "events", 'p'), leaf});
  return inspected;
}

TEST(SetupPlan, RootStandsForItsPartitions) {
  EXPECT_NE(Sql(Plan(Partitioned()))
                .at(0)
                .find("FOR TABLE ONLY \"public\".\"events\" WITH (publish_via_partition_root = true)"),
            std::string::npos);
  EXPECT_NE(
      Sql(Plan(Partitioned(), {"public.events_?"})).at(0).find("FOR TABLE ONLY \"public\".\"events_1\" WITH"),
      std::string::npos);
  EXPECT_TRUE(
      Warns(Plan(Partitioned(), {"public.*", "!public.*_1"}), "changes of partition public.events_1"));
  Inspection inspected = Partitioned();
  Edit(&inspected, [](auto& tables) { tables[1].replica_identity = ReplicaIdentity::kNothing; });
  const auto plan = Plan(inspected);
  EXPECT_EQ(Refused(plan), ErrorKind::kReplicaIdentity);
  EXPECT_NE(Obstacle(plan).message().find("its partition public.events_1"), std::string::npos);
}

TEST(SetupPlan, PartitionsAsTables) {
  const SetupOptions options{.via_partition_root = false};
  const auto plan = Plan(Partitioned(), {"public.*"}, options);
  EXPECT_NE(Sql(plan).at(0).find(
                "FOR TABLE ONLY \"public\".\"events_1\" WITH (publish_via_partition_root = false)"),
            std::string::npos);
  EXPECT_TRUE(Warns(plan, "is partitioned"));
  Inspection inspected = Partitioned();
  inspected.slot = Slot();
  inspected.publications = {Publication("cdc", {"events"})};
  EXPECT_EQ(Sql(Plan(inspected, {"public.*"}, options)),
            (std::vector<std::string>{"ALTER PUBLICATION \"cdc\" SET (publish_via_partition_root = false)"}));
}

TEST(SetupPlan, WhatCannotBeCaptured) {
  Inspection inspected = Fresh();
  inspected.catalog = TableCatalog({Table(1, "t"), Table(2, "v", 'v'), Table(3, "f", 'f'), Table(4, "u")});
  Edit(&inspected, [](auto& tables) { tables[3].persistence = 'u'; });
  const auto plan = Plan(inspected);
  EXPECT_EQ(plan->tables, (std::vector<TableName>{{"public", "t"}}));
  EXPECT_TRUE(Warns(plan, "public.v, public.f, public.u"));
  EXPECT_EQ(Refused(Plan(inspected, {"public.v"})), ErrorKind::kInvalidOption);
}

TEST(SetupPlan, MissingPermissionsBlockBeforehand) {
  Inspection inspected = Fresh();
  inspected.server.role.create_in_database = false;
  Edit(&inspected, [](auto& tables) { tables[0].owned = false; });
  const auto plan = Plan(inspected);
  EXPECT_EQ(plan->steps.size(), 3u);  // for somebody else to run
  EXPECT_EQ(Refused(plan), ErrorKind::kPermission);
  EXPECT_NE(Obstacle(plan).message().find("GRANT CREATE ON DATABASE"), std::string::npos);
  EXPECT_NE(Obstacle(plan).message().find("does not own public.customers"), std::string::npos);
  EXPECT_NE(GetErrorDetail(Obstacle(plan))->remedy().find("setup --print-sql"), std::string::npos);
  EXPECT_NE(AdministratorSql(*plan).find("pg_create_logical_replication_slot"), std::string::npos);
  inspected.server.role.superuser = true;
  EXPECT_TRUE(Obstacle(Plan(inspected)).ok());
}

TEST(SetupPlan, PublicationOfAnotherOwner) {
  Inspection inspected = Fresh();
  inspected.publications = {Publication("cdc", {"customers", "orders"})};
  inspected.publications[0].owned = false;
  // As it is it will do; only the note cannot be written.
  const auto plan = Plan(inspected);
  EXPECT_TRUE(Obstacle(plan).ok()) << Obstacle(plan);
  EXPECT_TRUE(Warns(plan, "cannot be noted"));
  // A table more is a change of the publication.
  Add(&inspected, Table(3, "Events"));
  EXPECT_EQ(Refused(Plan(inspected)), ErrorKind::kPermission);
  EXPECT_NE(Obstacle(Plan(inspected)).message().find("does not own publication \"cdc\""), std::string::npos);
  inspected.publications[0].owned = true;
  EXPECT_TRUE(Obstacle(Plan(inspected)).ok());
}

TEST(SetupPlan, PartitionsOfWhichNothingComes) {
  Inspection inspected = Partitioned();
  TableInfo unlogged = WithoutKey(12, "events_2");
  unlogged.is_partition = true;
  unlogged.parent = 10;
  unlogged.persistence = 'u';
  TableInfo foreign = Table(13, "events_3", 'f');
  foreign.is_partition = true;
  foreign.parent = 10;
  Add(&inspected, unlogged);
  Add(&inspected, foreign);
  const std::string said =
      "no changes come of its partitions public.events_2 (an unlogged table), public.events_3 (a foreign "
      "table)";
  const auto plan = Plan(inspected, {"public.events"});
  EXPECT_TRUE(Obstacle(plan).ok()) << Obstacle(plan);  // their identities do not matter
  EXPECT_EQ(plan->tables, (std::vector<TableName>{{"public", "events"}}));
  EXPECT_TRUE(Warns(plan, "public.events: " + said));
  inspected.publications = {Publication("cdc", {"events"})};
  const auto list = MakeTableList(inspected, TablePatterns::Parse({"public.events"}).ValueOrDie());
  ASSERT_EQ(list.size(), 4u);
  EXPECT_EQ(list[0].limits, said);
  EXPECT_NE(list[2].reason.find(
                "a partition of public.events, but no changes can be captured of an unlogged table"),
            std::string::npos)
      << list[2].reason;
  EXPECT_FALSE(list[2].published);
}

TEST(SetupPlan, PartitionsThatCarryLessThanTheirRoot) {
  Inspection inspected = Partitioned();
  Edit(&inspected, [](auto& tables) {
    tables[0].identity_columns = {"id", "day"};
    tables[1].identity_columns = {"day", "id", "more"};
  });
  const std::string said = "public.events: old rows are identified by ";
  EXPECT_FALSE(Warns(Plan(inspected), said));
  // FULL on the root is not inherited.
  Edit(&inspected, [](auto& tables) { tables[0].replica_identity = ReplicaIdentity::kFull; });
  EXPECT_TRUE(Warns(Plan(inspected), said + "the whole row, but in public.events_1 by (day, id, more)"));
  Edit(&inspected, [](auto& tables) { tables[1].replica_identity = ReplicaIdentity::kFull; });
  EXPECT_FALSE(Warns(Plan(inspected), said));
  // USING INDEX on a leaf.
  Edit(&inspected, [](auto& tables) {
    tables[0].replica_identity = ReplicaIdentity::kDefault;
    tables[1].replica_identity = ReplicaIdentity::kIndex;
    tables[1].identity_index = true;
    tables[1].identity_columns = {"other"};
  });
  EXPECT_TRUE(Warns(Plan(inspected), said + "(day, id), but in public.events_1 by (other)"));
  // As tables of their own each has its own.
  EXPECT_FALSE(Warns(Plan(inspected, {"public.*"}, {.via_partition_root = false}), said));
}

TEST(SetupPlan, ColumnsThatAreNotSent) {
  Inspection inspected = AfterSetup();
  Edit(&inspected, [](auto& tables) { tables[0].generated = {"full_name"}; });
  inspected.publications[0].column_lists[{"public", "orders"}] = "id, state";
  EXPECT_TRUE(Warns(Plan(inspected), "public.customers: its generated columns are not sent: full_name"));
  EXPECT_TRUE(
      Warns(Plan(inspected), "public.orders: publication \"cdc\" publishes only its columns (id, state)"));
  const auto list = MakeTableList(inspected, TablePatterns::Parse({"public.*"}).ValueOrDie());
  EXPECT_EQ(list[0].limits, "its generated columns are not sent: full_name");
  inspected.publications[0].generated_columns = true;
  EXPECT_FALSE(Warns(Plan(inspected), "full_name"));
  inspected.publications[0].remove = inspected.publications[0].truncate = false;
  EXPECT_EQ(MakeTableList(inspected, TablePatterns::Parse({"public.customers"}).ValueOrDie())[0].limits,
            "not published: delete, truncate");
}

TEST(SetupPlan, StrangeNames) {
  Inspection inspected = Fresh();
  inspected.catalog = TableCatalog({Table(1, "a\"b.c'; DROP TABLE x; --\n\U0001F600")});
  PostgresOptions source = Source();
  source.publications = {"My \"pub\""};
  const auto sql = Sql(Plan(inspected, {"public.*"}, {}, source));
  EXPECT_EQ(sql.at(0).find("CREATE PUBLICATION \"My \"\"pub\"\"\" FOR TABLE ONLY \"public\".\"a\"\"b.c'; "
                           "DROP TABLE x; --\n\U0001F600\" WITH"),
            0u);
  source = Source();
  source.slot = "Not-A-Slot";
  EXPECT_EQ(Refused(Plan(inspected, {"public.*"}, {}, source)), ErrorKind::kInvalidOption);
}

TEST(TeardownPlan, DropsWhatSetupMade) {
  Inspection inspected = AfterSetup();
  inspected.publications.push_back(Publication("other", {}));
  inspected.publications.back().comment = "";
  const auto plan = MakeTeardownPlan(inspected, Source());
  EXPECT_EQ(Sql(plan), (std::vector<std::string>{"SELECT pg_catalog.pg_drop_replication_slot('cdc')",
                                                 "DROP PUBLICATION \"cdc\""}));
  EXPECT_TRUE(Warns(plan, "\"other\" stays"));
  EXPECT_TRUE(Sql(MakeTeardownPlan(Fresh(), Source())).empty());
}

TEST(TeardownPlan, PublicationThatAnotherSlotReadsStays) {
  Inspection inspected = AfterSetup();
  inspected.server.slots = {"cdc", "other"};
  inspected.publications[0].comment =
      Comment(R"({"slot": "cdc", "system": "77", "lsn": "0/100"}, {"slot": "other", "system": "77"})");
  const auto plan = MakeTeardownPlan(inspected, Source());
  ASSERT_EQ(plan->steps.size(), 2u);
  EXPECT_EQ(plan->steps[0].kind, SetupStepKind::kDropSlot);
  EXPECT_EQ(plan->steps[1].kind, SetupStepKind::kNote);
  EXPECT_TRUE(Warns(plan, "publication \"cdc\" stays: slot \"other\" reads it as well"));
  // Slots of a cluster that this one was restored from, or that are gone, read nothing here.
  inspected.server.slots = {"cdc"};
  EXPECT_EQ(Sql(MakeTeardownPlan(inspected, Source())).back(), "DROP PUBLICATION \"cdc\"");
  inspected.server.slots = {"cdc", "other"};
  inspected.server.system = "78";
  EXPECT_EQ(Sql(MakeTeardownPlan(inspected, Source())).back(), "DROP PUBLICATION \"cdc\"");
}

TEST(TeardownPlan, PublicationOfAnotherOwnerBlocks) {
  Inspection inspected = AfterSetup();
  EXPECT_TRUE(Obstacle(MakeTeardownPlan(inspected, Source())).ok());
  inspected.publications[0].owned = false;
  inspected.publications[0].owner = "admin";
  const auto plan = MakeTeardownPlan(inspected, Source());
  EXPECT_EQ(Refused(plan), ErrorKind::kPermission);
  EXPECT_NE(GetErrorDetail(Obstacle(plan))->remedy().find("\"admin\""), std::string::npos);
  EXPECT_NE(GetErrorDetail(Obstacle(plan))->remedy().find("teardown --print-sql"), std::string::npos);
}

TEST(TeardownPlan, Refusals) {
  Inspection inspected = AfterSetup();
  inspected.slot->active = true;
  inspected.slot->active_pid = 7;
  EXPECT_EQ(Refused(MakeTeardownPlan(inspected, Source())), ErrorKind::kSlotActive);
  inspected = AfterSetup();
  inspected.slot->plugin = "pgoutput";
  EXPECT_EQ(Refused(MakeTeardownPlan(inspected, Source())), ErrorKind::kSlotMismatch);
  inspected = AfterSetup();
  inspected.slot->invalidation = "wal_removed";
  EXPECT_EQ(Sql(MakeTeardownPlan(inspected, Source())).size(), 2u);
}

TEST(TableList, Reasons) {
  Inspection inspected = AfterSetup();
  Add(&inspected, Table(3, "new"));
  Add(&inspected, WithoutKey(4, "nokey"));
  Add(&inspected, Table(5, "view", 'v'));
  Add(&inspected, Table(6, "hidden", 'v'));
  const auto patterns = TablePatterns::Parse({"public.*", "!public.orders", "!public.hidden"}).ValueOrDie();
  const auto list = MakeTableList(inspected, patterns);
  ASSERT_EQ(list.size(), 5u);
  EXPECT_TRUE(list[0].matches && list[0].published && list[0].usable_identity);
  EXPECT_EQ(list[0].reason, "matched by public.*");
  EXPECT_FALSE(list[1].matches);
  EXPECT_TRUE(list[1].published);
  EXPECT_EQ(list[1].reason, "excluded by !public.orders");
  EXPECT_FALSE(list[2].published);
  EXPECT_NE(list[2].reason.find("run setup again"), std::string::npos);
  EXPECT_FALSE(list[3].usable_identity);
  EXPECT_NE(list[3].reason.find("no primary key"), std::string::npos);
  EXPECT_NE(list[4].reason.find("a view"), std::string::npos);
}

// Roots of 20 partitions each, all published by their roots' names.
Inspection ManyPartitions(uint32_t roots) {
  std::vector<TableInfo> tables;
  PublicationInfo publication = Publication("cdc", {});
  for (uint32_t root = 0; root < roots; ++root) {
    const uint32_t oid = 1000 * (root + 1);
    const std::string name = "t" + std::to_string(root);
    tables.push_back(Table(oid, name, 'p'));
    publication.tables.insert({"public", name});
    for (uint32_t i = 1; i <= 20; ++i) {
      TableInfo leaf = Table(oid + i, name + "_" + std::to_string(i));
      leaf.is_partition = true;
      leaf.parent = oid;
      tables.push_back(leaf);
    }
  }
  Inspection inspected = AfterSetup();
  inspected.publications = {publication};
  inspected.catalog = TableCatalog(std::move(tables));
  return inspected;
}

// Of the processor, the least of some runs: what else the machine does only adds to it.
std::clock_t TimeToPlan(uint32_t roots) {
  const Inspection inspected = ManyPartitions(roots);
  const auto patterns = TablePatterns::Parse({"public.*"}).ValueOrDie();
  auto least = std::numeric_limits<std::clock_t>::max();
  for (int run = 0; run < 5; ++run) {
    const auto start = std::clock();
    EXPECT_TRUE(Sql(MakeSetupPlan(inspected, Source(), {}, patterns)).empty());
    EXPECT_EQ(MakeTableList(inspected, patterns).size(), size_t{21} * roots);
    least = std::min(least, std::clock() - start);
  }
  return least;
}

TEST(TableCatalog, WorkGrowsWithTheTablesAndNotWithTheirSquare) {
  const auto few = TimeToPlan(30);
  const auto many = TimeToPlan(300);
  EXPECT_LT(many, 40 * few) << "ten times the tables";
}

TEST(TableCatalog, TreeOfPartitions) {
  TableInfo middle = Table(2, "m", 'p');
  middle.parent = 1;
  TableInfo deep = Table(3, "deep");
  deep.parent = 2;
  TableInfo leaf = Table(4, "leaf");
  leaf.parent = 1;
  const TableCatalog catalog({Table(1, "root", 'p'), middle, deep, leaf, Table(5, "other")});
  EXPECT_EQ(catalog.Find(4)->name.table, "leaf");
  EXPECT_EQ(catalog.Find(6), nullptr);
  const auto names = [](const std::vector<const TableInfo*>& tables) {
    std::vector<std::string> list;
    for (const TableInfo* table : tables) list.push_back(table->name.table);
    return list;
  };
  EXPECT_EQ(names(catalog.Ancestors(*catalog.Find(3))), (std::vector<std::string>{"m", "root"}));
  EXPECT_TRUE(catalog.Ancestors(*catalog.Find(1)).empty());
  EXPECT_EQ(names(catalog.Leaves(*catalog.Find(1))), (std::vector<std::string>{"leaf", "deep"}));
  EXPECT_EQ(names(catalog.Leaves(*catalog.Find(5))), (std::vector<std::string>{"other"}));
  EXPECT_TRUE(catalog.IsPublished(*catalog.Find(3), Publication("p", {"root"})));
  EXPECT_FALSE(catalog.IsPublished(*catalog.Find(5), Publication("p", {"root"})));
}

}  // namespace
}  // namespace arrowcdc::postgres
