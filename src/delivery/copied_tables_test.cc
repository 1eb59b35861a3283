#include "src/delivery/copied_tables.h"

#include <gtest/gtest.h>

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
  tables.Clear();
  EXPECT_FALSE(tables.Has(1));
  EXPECT_TRUE(tables.all().empty());
}

}  // namespace
}  // namespace arrowcdc::test
