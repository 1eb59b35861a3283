// Publications against patterns, on made-up catalogs: what comes, under which name, and what is refused.
#include "src/postgres/setup/published_check.h"

#include <chrono>

#include <gtest/gtest.h>

#include "arrowcdc/error.h"

namespace arrowcdc::postgres {
namespace {

TableInfo Table(uint32_t oid, const std::string& name, char kind = 'r', uint32_t parent = 0) {
  TableInfo table;
  table.parent = parent;
  table.is_partition = parent != 0;
  table.oid = oid;
  table.name = {"public", name};
  table.kind = kind;
  table.primary_key = true;
  return table;
}

// orders with partitions orders_1 and, below orders_eu, orders_eu_1; lone; empty, without a partition.
std::vector<TableInfo> Orders() {
  return {Table(1, "orders", 'p'),
          Table(2, "orders_1", 'r', 1),
          Table(3, "orders_eu", 'p', 1),
          Table(4, "orders_eu_1", 'r', 3),
          Table(5, "lone"),
          Table(6, "empty", 'p')};
}

PublicationInfo Publication(const std::vector<std::string>& tables, bool via_root) {
  PublicationInfo publication;
  publication.name = "p" + std::to_string(tables.size());
  publication.via_root = via_root;
  for (const std::string& table : tables) publication.tables.insert({"public", table});
  return publication;
}

PublicationInfo AllTables(bool via_root) {
  PublicationInfo publication = Publication({}, via_root);
  publication.all_tables = true;
  return publication;
}

PublicationInfo InSchema(bool via_root) {
  PublicationInfo publication = Publication({}, via_root);
  publication.schemas = {"public"};
  return publication;
}

PublishedJudgement Judge(const std::vector<PublicationInfo>& publications,
                         const std::vector<std::string>& patterns, const TableCatalog& catalog) {
  return JudgePublished(catalog, publications, TablePatterns::Parse(patterns).ValueOrDie(), patterns);
}

std::string Names(const std::vector<TableName>& names) {
  std::string text;
  for (const TableName& name : names) text += (text.empty() ? "" : " ") + name.table;
  return text;
}

struct Case {
  std::string what;
  std::vector<PublicationInfo> publications;
  std::vector<std::string> patterns;
  std::string coming;
  std::string not_coming;
  std::string passed_over;
  std::string misfit;  // what the refusal names; empty: none
};

TEST(PublishedCheck, WhatComesAndWhatIsRefused) {
  const std::vector<Case> cases = {
      {"as setup does",
       {Publication({"orders", "lone"}, true)},
       {"public.orders", "public.lone"},
       "lone orders",
       "",
       "",
       ""},
      {"no patterns, leaves",
       {Publication({"orders", "lone"}, false)},
       {},
       "lone orders_1 orders_eu_1",
       "empty",
       "",
       ""},
      {"root asked, leaves come",
       {Publication({"orders"}, false)},
       {"public.orders"},
       "",
       "",
       "orders_1 orders_eu_1",
       "public.orders"},
      {"root asked, all tables",
       {AllTables(false)},
       {"public.orders", "public.lone"},
       "lone",
       "",
       "orders_1 orders_eu_1",
       "public.orders"},
      {"root asked, schema",
       {InSchema(false)},
       {"public.orders"},
       "",
       "",
       "lone orders_1 orders_eu_1",
       "public.orders"},
      {"all tables by the root", {AllTables(true)}, {"public.orders"}, "orders", "", "lone", ""},
      {"schema by the root", {InSchema(true)}, {"public.*"}, "empty lone orders", "", "", ""},
      {"leaves come and match",
       {AllTables(false)},
       {"public.orders*"},
       "orders_1 orders_eu_1",
       "",
       "lone",
       ""},
      {"one leaf does not match",
       {AllTables(false)},
       {"public.orders", "public.orders_1"},
       "orders_1",
       "",
       "lone orders_eu_1",
       "public.orders"},
      {"leaf asked, root comes",
       {Publication({"orders"}, true)},
       {"public.orders_1"},
       "",
       "",
       "orders",
       "public.orders_1"},
      {"middle asked, root comes",
       {Publication({"orders"}, true)},
       {"public.orders_eu"},
       "",
       "",
       "orders",
       "public.orders_eu"},
      {"middle asked, leaf comes",
       {Publication({"orders"}, false)},
       {"public.orders_eu"},
       "",
       "",
       "orders_1 orders_eu_1",
       "public.orders_eu"},
      {"middle published by itself",
       {Publication({"orders_eu"}, true)},
       {"public.orders_eu"},
       "orders_eu",
       "",
       "",
       ""},
      {"root asked, middle comes",
       {Publication({"orders_eu"}, true)},
       {"public.orders"},
       "",
       "orders_1",
       "orders_eu",
       "public.orders"},
      {"leaves listed one by one",
       {Publication({"orders_1", "orders_eu_1"}, true)},
       {"public.orders"},
       "",
       "",
       "orders_1 orders_eu_1",
       "public.orders"},
      {"two that differ: the higher name counts",
       {Publication({"orders"}, true), Publication({"orders_1", "lone"}, false)},
       {"public.orders", "public.lone"},
       "lone orders",
       "",
       "",
       ""},
      {"two that differ, leaf asked",
       {Publication({"orders"}, true), Publication({"orders_1", "lone"}, false)},
       {"public.orders_1"},
       "",
       "",
       "lone orders",
       "public.orders_1"},
      {"excluded leaf is left to the user",
       {AllTables(false)},
       {"public.orders*", "!public.orders_1"},
       "orders_eu_1",
       "",
       "lone orders_1",
       ""},
      {"excluded root is left to the user",
       {AllTables(true)},
       {"public.*", "!public.orders"},
       "empty lone",
       "",
       "orders",
       ""},
      {"misspelt", {Publication({"lone"}, true)}, {"public.loan"}, "", "", "lone", ""},
      {"not published", {Publication({"lone"}, true)}, {"public.*"}, "lone", "orders empty", "", ""},
      {"nothing", {Publication({}, true)}, {"public.lone"}, "", "lone", "", ""},
  };
  const TableCatalog catalog(Orders());
  for (const Case& one : cases) {
    const PublishedJudgement judged = Judge(one.publications, one.patterns, catalog);
    EXPECT_EQ(Names(judged.state.coming), one.coming) << one.what;
    EXPECT_EQ(Names(judged.state.not_coming), one.not_coming) << one.what;
    EXPECT_EQ(Names(judged.state.passed_over), one.passed_over) << one.what;
    if (one.misfit.empty()) {
      EXPECT_TRUE(judged.fits.ok()) << one.what << judged.fits;
      continue;
    }
    const ErrorDetail* detail = GetErrorDetail(judged.fits);
    ASSERT_NE(detail, nullptr) << one.what;
    EXPECT_EQ(detail->kind(), ErrorKind::kPublicationMismatch) << one.what;
    EXPECT_EQ(detail->object(), "table " + one.misfit) << one.what;
    EXPECT_FALSE(detail->remedy().empty());
  }
}

TEST(PublishedCheck, RemedyNamesThePublication) {
  const TableCatalog catalog(Orders());
  PublicationInfo publication = Publication({"orders"}, false);
  publication.name = "Odd\"Name";
  const PublishedJudgement judged = Judge({publication}, {"public.orders"}, catalog);
  EXPECT_NE(GetErrorDetail(judged.fits)
                ->remedy()
                .find("ALTER PUBLICATION \"Odd\"\"Name\" SET (publish_via_partition_root = true)"),
            std::string::npos)
      << judged.fits;
}

TEST(PublishedCheck, APatternThatMatchesNothingIsMostLikelyMisspelt) {
  const TableCatalog catalog(Orders());
  const PublishedState state =
      Judge({Publication({"lone"}, true)}, {"public.loan", "public.lone"}, catalog).state;
  EXPECT_EQ(state.nearest, "public.lone");
  ASSERT_EQ(state.notices.size(), 1u);
  EXPECT_EQ(state.notices[0].object, "pattern public.loan");
  EXPECT_EQ(state.notices[0].text, "a pattern matches no table of the database; nearest: public.lone");
  EXPECT_EQ(Judge({Publication({"lone"}, true)}, {"public.*"}, catalog).state.nearest, "");
  const PublishedState other = Judge({Publication({"lone"}, true)}, {"zzzzzz.yyyy"}, catalog).state;
  EXPECT_EQ(other.nearest, "");
  ASSERT_EQ(other.notices.size(), 1u);
  EXPECT_EQ(other.notices[0].text, "a pattern matches no table of the database");
}

TEST(PublishedCheck, WhatHasNoRowsIsNotPublished) {
  std::vector<TableInfo> tables = Orders();
  tables[4].persistence = 'u';
  tables.push_back(Table(7, "view", 'v'));
  const TableCatalog catalog(std::move(tables));
  const PublishedJudgement judged = Judge({AllTables(true)}, {"public.lone", "public.view"}, catalog);
  EXPECT_EQ(Names(judged.state.coming), "");
  EXPECT_EQ(Names(judged.state.not_coming), "");
  ASSERT_EQ(judged.state.notices.size(), 1u);
  EXPECT_EQ(judged.state.notices[0].object, "tables public.lone public.view");
  // Publications that send nothing publish nothing.
  PublicationInfo silent = AllTables(true);
  silent.insert = silent.update = silent.remove = silent.truncate = false;
  EXPECT_FALSE(Judge({silent}, {}, TableCatalog(Orders())).state.any);
}

// Of a table under whose name rows come, and of nothing else.
TEST(PublishedCheck, WhatDoesNotComeOfATableIsSaid) {
  std::vector<TableInfo> tables = Orders();
  for (const size_t place : {0u, 1u, 4u, 5u}) tables[place].generated = {"g"};
  const TableCatalog catalog(std::move(tables));
  PublicationInfo publication = Publication({"orders", "lone"}, true);
  publication.column_lists[{"public", "lone"}] = "id, name";
  publication.truncate = publication.remove = false;
  const auto said = [&](const std::vector<std::string>& patterns) {
    std::string text;
    for (const SourceNotice& notice : Judge({publication}, patterns, catalog).state.notices)
      text += notice.object + (notice.error ? ": ! " : ": ") + notice.text + "\n";
    return text;
  };
  EXPECT_EQ(said({"public.orders"}),
            "table public.orders: not everything of it comes: its generated columns are not sent: g; not "
            "published: delete, truncate\n");
  EXPECT_EQ(said({"public.lone"}),
            "table public.lone: not everything of it comes: publication \"p2\" publishes only its columns "
            "(id, name); not published: delete, truncate\n");
  EXPECT_EQ(said({"public.empty"}), "");
  publication.via_root = false;
  publication.remove = publication.truncate = true;
  EXPECT_EQ(said({"public.orders*"}),
            "table public.orders_1: not everything of it comes: its generated columns are not sent: g\n");
}

TEST(PublishedCheck, RowFiltersAreSaid) {
  const TableCatalog catalog(Orders());
  PublicationInfo filtered = Publication({"lone"}, true);
  filtered.row_filtered = {{"public", "lone"}};
  const auto notices = Judge({filtered}, {"public.lone"}, catalog).state.notices;
  ASSERT_EQ(notices.size(), 1u);
  EXPECT_FALSE(notices[0].error);
  EXPECT_EQ(notices[0].text,
            "not everything of it comes: only rows that pass the row filter (WHERE) of \"p1\" come");
  // Another one sends all rows.
  EXPECT_TRUE(Judge({filtered, Publication({"lone"}, true)}, {"public.lone"}, catalog).state.notices.empty());
}

TEST(PublishedCheck, APartitionWhoseNameIsNotUtf8ComesUnderTheNameOfItsRoot) {
  const TableCatalog catalog({Table(1, "orders", 'p'), Table(2, "orders\xe9", 'r', 1)});
  const PublishedJudgement judged = Judge({Publication({"orders"}, true)}, {"public.orders"}, catalog);
  EXPECT_TRUE(judged.fits.ok()) << judged.fits;
  EXPECT_EQ(Names(judged.state.coming), "orders");
  EXPECT_TRUE(judged.state.notices.empty()) << judged.state.notices[0].text;
  ASSERT_NE(judged.tables[1].published_as, nullptr);
  EXPECT_EQ(judged.tables[1].published_as->name.table, "orders");
}

TEST(PublishedCheck, OfManyTablesTheFirstAreNamed) {
  std::vector<TableInfo> tables;
  for (uint32_t table = 1; table <= 13; ++table) {
    tables.push_back(Table(table, "t" + std::to_string(table)));
    tables.back().generated = {"g"};
  }
  const auto notices = Judge({AllTables(true)}, {}, TableCatalog(std::move(tables))).state.notices;
  ASSERT_EQ(notices.size(), 11u);
  EXPECT_EQ(notices[10].object, "3 other tables");
}

TEST(PublishedCheck, OnlyListsOfTablesSayThatSomethingIsGone) {
  EXPECT_TRUE(Judge({Publication({}, true)}, {}, TableCatalog(Orders())).state.lists_tables);
  EXPECT_FALSE(
      Judge({Publication({}, true), AllTables(true)}, {}, TableCatalog(Orders())).state.lists_tables);
  EXPECT_FALSE(Judge({InSchema(true)}, {}, TableCatalog(Orders())).state.lists_tables);
}

// 600 tables of 20 partitions took minutes where partitions are looked for by name or one by one.
TEST(PublishedCheck, IsLinear) {
  std::vector<TableInfo> tables;
  for (uint32_t table = 0; table < 600; ++table) {
    tables.push_back(Table(table * 100 + 1, "t" + std::to_string(table), 'p'));
    for (uint32_t part = 1; part <= 20; ++part) {
      tables.push_back(Table(table * 100 + 1 + part, "t" + std::to_string(table) + "_" + std::to_string(part),
                             'r', table * 100 + 1));
    }
  }
  const TableCatalog catalog(std::move(tables));
  const auto began = std::chrono::steady_clock::now();
  EXPECT_EQ(Judge({AllTables(true)}, {"public.t*"}, catalog).state.coming.size(), 600u);
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(5));
}

}  // namespace
}  // namespace arrowcdc::postgres
