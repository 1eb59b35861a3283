// Setup and teardown decided from made-up servers: every finding gives its step, its warning or its refusal.
#include "src/postgres/setup_plan.h"

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
  server.allowed_plugins = {{"pgoutput", "wal2arrow"}};
  server.role = {"cdc", false, true, true};
  inspected.catalog = TableCatalog({Table(1, "customers"), Table(2, "orders")});
  return inspected;
}

PublicationInfo Publication(const std::string& name, const std::vector<std::string>& tables) {
  PublicationInfo publication;
  publication.name = name;
  publication.comment = kMadeBySetup;
  publication.via_root = true;
  for (const std::string& table : tables) publication.tables.insert({"public", table});
  return publication;
}

SlotInfo Slot() {
  SlotInfo slot;
  slot.name = "cdc";
  slot.plugin = "wal2arrow";
  slot.database = "shop";
  return slot;
}

// As Fresh, after a setup of both tables.
Inspection AfterSetup() {
  Inspection inspected = Fresh();
  inspected.slot = Slot();
  inspected.publications = {Publication("cdc", {"customers", "orders"})};
  return inspected;
}

SourceOptions Source() {
  SourceOptions source;
  source.slot = "cdc";
  return source;
}

arrow::Result<SetupPlan> Plan(const Inspection& inspected,
                              const std::vector<std::string>& patterns = {"public.*"},
                              const SetupOptions& options = {}, const SourceOptions& source = Source()) {
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

ErrorKind Refused(const arrow::Result<SetupPlan>& plan) {
  EXPECT_FALSE(plan.ok());
  const ErrorDetail* detail = GetErrorDetail(plan.status());
  EXPECT_NE(detail, nullptr) << plan.status().ToString();
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
    "pg_catalog.current_setting('is_superuser') = 'on'; ";

TEST(SetupPlan, FreshServer) {
  const auto plan = Plan(Fresh());
  const std::vector<std::string> expected = {
      "CREATE PUBLICATION \"cdc\" FOR TABLE ONLY \"public\".\"customers\", ONLY \"public\".\"orders\" WITH "
      "(publish_via_partition_root = "
      "true); COMMENT ON PUBLICATION \"cdc\" IS 'made by arrowcdc setup'",
      kAllowInSession + "SELECT pg_catalog.pg_create_logical_replication_slot('cdc', 'wal2arrow')",
      "DO 'BEGIN IF EXISTS (SELECT FROM pg_catalog.pg_publication WHERE pubname = ''cdc'' AND "
      "pg_catalog.pg_has_role(pubowner, ''USAGE'')) THEN EXECUTE format(''COMMENT ON PUBLICATION %s IS %L'', "
      "''\"cdc\"'', coalesce((SELECT ''made by arrowcdc "
      "setup; slot cdc begins at '' || "
      "confirmed_flush_lsn FROM pg_catalog.pg_replication_slots WHERE slot_name = ''cdc''), ''made by "
      "arrowcdc setup'')); END IF; END'"};
  EXPECT_EQ(Sql(plan), expected);
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
  EXPECT_TRUE(Plan(inspected).ok());
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
  inspected.server.role.replication = false;
  EXPECT_EQ(Refused(Plan(inspected)), ErrorKind::kPermission);
}

TEST(SetupPlan, PluginAllowance) {
  Inspection inspected = Fresh();
  inspected.server.allowed_plugins = {{"pgoutput", "my 'plugin'"}};
  EXPECT_EQ(Refused(Plan(inspected)), ErrorKind::kPluginNotAllowed);
  const std::string sql =
      "ALTER ROLE \"cdc\" SET output_plugin_libraries = 'pgoutput', 'my ''plugin''', 'wal2arrow'";
  EXPECT_NE(GetErrorDetail(Plan(inspected).status())->remedy().find(sql), std::string::npos);
  inspected.server.role.superuser = true;
  EXPECT_EQ(Sql(Plan(inspected)).at(0), sql);
  inspected.server.allowed_plugins = std::nullopt;
  EXPECT_EQ(Sql(Plan(inspected)).size(), 3u);
}

TEST(SetupPlan, ListSettings) {
  EXPECT_EQ(ParseListSetting("pgoutput, test_decoding"),
            (std::vector<std::string>{"pgoutput", "test_decoding"}));
  EXPECT_EQ(ParseListSetting(" \"a, \"\"b\"\"\" ,c "), (std::vector<std::string>{"a, \"b\"", "c"}));
  EXPECT_TRUE(ParseListSetting("").empty());
  EXPECT_TRUE(ParseListSetting(" , ").empty());
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
        GetErrorDetail(plan.status())->remedy().find("ALTER TABLE \"public\".\"customers\" ADD PRIMARY KEY"),
        std::string::npos);
    EXPECT_NE(GetErrorDetail(plan.status())->remedy().find("REPLICA IDENTITY"), std::string::npos);
    EXPECT_NE(plan.status().message().find("public.customers"), std::string::npos);
    return plan.status().message();
  };
  Edit(&inspected, [](auto& tables) { tables[0].primary_key = false; });
  EXPECT_NE(problem().find("no primary key"), std::string::npos);
  Edit(&inspected, [](auto& tables) { tables[0].deferrable_key = true; });
  EXPECT_NE(problem().find("deferrable"), std::string::npos);
  Edit(&inspected, [](auto& tables) { tables[0].replica_identity = 'n'; });
  EXPECT_NE(problem().find("NOTHING"), std::string::npos);
  Edit(&inspected, [](auto& tables) { tables[0].replica_identity = 'i'; });
  EXPECT_NE(problem().find("dropped"), std::string::npos);
  Edit(&inspected, [](auto& tables) { tables[0].identity_index = true; });
  EXPECT_TRUE(Plan(inspected).ok());
  Edit(&inspected, [](auto& tables) { tables[0].replica_identity = 'f'; });
  Edit(&inspected, [](auto& tables) { tables[0].identity_index = false; });
  EXPECT_TRUE(Plan(inspected).ok());
}

TEST(SetupPlan, InsertOnly) {
  Inspection inspected = Fresh();
  Edit(&inspected, [](auto& tables) { tables[1] = WithoutKey(2, "orders"); });
  const auto sql = Sql(Plan(inspected, {"public.*"}, {.insert_only = true}));
  ASSERT_EQ(sql.size(), 4u);
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

TEST(SetupPlan, InsertOnlyAloneCarriesTheNote) {
  Inspection inspected = Fresh();
  inspected.catalog = TableCatalog({WithoutKey(2, "orders")});
  const auto sql = Sql(Plan(inspected, {"public.*"}, {.insert_only = true}));
  ASSERT_EQ(sql.size(), 3u);
  EXPECT_NE(sql[2].find("\"cdc_insert_only\""), std::string::npos);
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
  Edit(&inspected, [](auto& tables) { tables[1].replica_identity = 'n'; });
  const auto plan = Plan(inspected);
  EXPECT_EQ(Refused(plan), ErrorKind::kReplicaIdentity);
  EXPECT_NE(plan.status().message().find("its partition public.events_1"), std::string::npos);
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

TEST(SetupPlan, RowFiltersAreRefusedByName) {
  Inspection inspected = AfterSetup();
  inspected.publications[0].row_filtered = {{"public", "orders"}};
  const auto plan = Plan(inspected);
  EXPECT_EQ(Refused(plan), ErrorKind::kUnsupported);
  EXPECT_NE(plan.status().message().find("public.orders"), std::string::npos);
}

TEST(SetupPlan, MissingPermissionsBlockBeforehand) {
  Inspection inspected = Fresh();
  inspected.server.role.create_in_database = false;
  Edit(&inspected, [](auto& tables) { tables[0].owned = false; });
  const auto plan = Plan(inspected);
  EXPECT_EQ(plan->steps.size(), 3u);  // for somebody else to run
  ASSERT_FALSE(plan->blocked.ok());
  EXPECT_EQ(GetErrorDetail(plan->blocked)->kind(), ErrorKind::kPermission);
  EXPECT_NE(plan->blocked.message().find("GRANT CREATE ON DATABASE"), std::string::npos);
  EXPECT_NE(plan->blocked.message().find("does not own public.customers"), std::string::npos);
  EXPECT_NE(GetErrorDetail(plan->blocked)->remedy().find("setup --print-sql"), std::string::npos);
  inspected.server.role.superuser = true;
  EXPECT_TRUE(Plan(inspected)->blocked.ok());
}

TEST(SetupPlan, PublicationOfAnotherOwner) {
  Inspection inspected = Fresh();
  inspected.publications = {Publication("cdc", {"customers", "orders"})};
  inspected.publications[0].owned = false;
  // As it is it will do; only the note cannot be written.
  const auto plan = Plan(inspected);
  EXPECT_TRUE(plan->blocked.ok()) << plan->blocked;
  EXPECT_TRUE(Warns(plan, "cannot be noted"));
  // A table more is a change of the publication.
  Add(&inspected, Table(3, "Events"));
  const auto blocked = Plan(inspected);
  ASSERT_FALSE(blocked->blocked.ok());
  EXPECT_NE(blocked->blocked.message().find("does not own publication \"cdc\""), std::string::npos);
  inspected.publications[0].owned = true;
  EXPECT_TRUE(Plan(inspected)->blocked.ok());
}

TEST(SetupPlan, StrangeNames) {
  Inspection inspected = Fresh();
  inspected.catalog = TableCatalog({Table(1, "a\"b.c'; DROP TABLE x; --\n\U0001F600")});
  SourceOptions source = Source();
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

TEST(TeardownPlan, PublicationOfAnotherOwnerBlocks) {
  Inspection inspected = AfterSetup();
  EXPECT_TRUE(MakeTeardownPlan(inspected, Source())->blocked.ok());
  inspected.publications[0].owned = false;
  inspected.publications[0].owner = "admin";
  const auto plan = MakeTeardownPlan(inspected, Source());
  ASSERT_FALSE(plan->blocked.ok());
  EXPECT_EQ(GetErrorDetail(plan->blocked)->kind(), ErrorKind::kPermission);
  EXPECT_NE(GetErrorDetail(plan->blocked)->remedy().find("\"admin\""), std::string::npos);
  EXPECT_NE(GetErrorDetail(plan->blocked)->remedy().find("teardown --print-sql"), std::string::npos);
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
  const auto list = MakeTableList(inspected, patterns).ValueOrDie();
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
    EXPECT_EQ(MakeTableList(inspected, patterns)->size(), size_t{21} * roots);
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

TEST(SlotNote, RoundTrip) {
  PublicationInfo publication = Publication("cdc", {});
  EXPECT_FALSE(NotedSlotStart(publication, "cdc").has_value());
  publication.comment = "made by arrowcdc setup; slot cdc begins at 1A/B0";
  EXPECT_EQ(NotedSlotStart(publication, "cdc"), 0x1A000000B0u);
  EXPECT_FALSE(NotedSlotStart(publication, "cdc2").has_value());
  EXPECT_FALSE(NotedSlotStart(publication, "cd").has_value());
  publication.comment += " and more";
  EXPECT_FALSE(NotedSlotStart(publication, "cdc").has_value());
}

}  // namespace
}  // namespace arrowcdc::postgres
