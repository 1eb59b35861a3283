#include "src/delivery/copied_tables.h"

#include <gtest/gtest.h>

#include "src/change/testing/change_batches.h"
#include "src/delivery/testing/fake_snapshot.h"

namespace arrowcdc::test {
namespace {

SourceTable Published(const std::string& name, uint32_t id) {
  SourceTable table;
  table.name = {"public", name};
  table.table_id = id;
  return table;
}

TEST(CopiedTables, NamesOfThenAndNow) {
  CopiedTables tables;
  tables.Add({{"public", "a"}, 1, {1, 100}});
  tables.Add({{"public", "b"}, 2, {1, 100}});
  tables.Add({{"public", "gone"}, 3, {1, 100}});
  EXPECT_TRUE(tables.Has(1) && tables.Has(TableName{"public", "a"}));
  EXPECT_FALSE(tables.Has(4) || tables.Has(TableName{"public", "c"}));
  // a is called c, and a new table has its name; b is called d.
  tables.Look({Published("c", 1), Published("d", 2), Published("a", 9)});
  EXPECT_EQ(tables.NameNow({"public", "a"}), (TableName{"public", "a"}));
  EXPECT_EQ(tables.NameNow({"public", "b"}), (TableName{"public", "d"}));
  EXPECT_EQ(tables.NameNow({"public", "gone"}), (TableName{"public", "gone"}));
  EXPECT_EQ(tables.NameThen(2, {"public", "d"}), (TableName{"public", "b"}));
  EXPECT_EQ(tables.NameThen(9, {"public", "a"}), (TableName{"public", "a"}));
  tables.Add({{"public", "d"}, 2, {1, 200}});
  EXPECT_EQ(tables.NameThen(2, {"public", "d"}), (TableName{"public", "d"}));
}

// Each as it was copied last; those of a point that the log does not have are gone.
TEST(CopiedTables, ComeBackAsFarAsTheirPointIsInTheLog) {
  CopiedTables tables;
  tables.Add({{"public", "old"}, 7, {1, 50}});
  const auto until_200 = [](const Position& point) { return point.order <= 200; };
  const auto lost = tables.Restore({{{"public", "a"}, 1, {1, 100}},
                                    {{"public", "b"}, 2, {1, 100}},
                                    {{"public", "b"}, 2, {1, 300}},
                                    {{"public", "c"}, 3, {1, 100}, {{1, 250}}}},
                                   until_200);
  EXPECT_EQ(lost.ValueOrDie(), (std::vector<TableName>{{"public", "b"}, {"public", "c"}}));
  EXPECT_TRUE(tables.Has(1));
  EXPECT_FALSE(tables.Has(2) || tables.Has(3) || tables.Has(7));
  // Rows of those are there, and new ones must be ordered behind them.
  const auto may_be_copied_at = [&](uint32_t table_id, uint64_t order) {
    test::FakeSnapshot snapshot({2, order});
    snapshot.Add(test::MakeTable({"public", "any"}, {arrow::field("id", arrow::int64())}, 1, table_id),
                 {{{1}}});
    return tables.CheckIsLater(snapshot).ok();
  };
  EXPECT_FALSE(may_be_copied_at(2, 299) || may_be_copied_at(2, 300));
  EXPECT_FALSE(may_be_copied_at(3, 250));
  EXPECT_TRUE(may_be_copied_at(2, 301) && may_be_copied_at(3, 251) && may_be_copied_at(1, 90));
}

TEST(CopiedTables, LeftOutByPatternsOfBefore) {
  CopiedTables tables;
  tables.Add({{"public", "a"}, 1, {1, 100}});
  tables.Add({{"public", "b"}, 2, {1, 100}});
  tables.Add({{"public", "c"}, 3, {1, 100}});
  // b was copied under a name that they match, c has one that they do not.
  const auto left_out = tables.FindLeftOut(
      {"public.*", "!public.renamed", "!public.c"},
      {Published("a", 1), Published("renamed", 2), Published("c", 3), Published("new", 4)});
  EXPECT_EQ(left_out.ValueOrDie(), (std::vector<TableName>{{"public", "renamed"}, {"public", "c"}}));
  EXPECT_TRUE(tables.FindLeftOut({}, {Published("c", 3)}).ValueOrDie().empty());
}

}  // namespace
}  // namespace arrowcdc::test
