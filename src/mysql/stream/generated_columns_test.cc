#include "src/mysql/stream/generated_columns.h"

#include <string>

#include <gtest/gtest.h>

namespace arrowcdc::mysql {
namespace {

using Names = GeneratedColumns::Names;

TEST(GeneratedColumns, AreAskedAgainBehindWhatAltersTheTable) {
  GeneratedColumns columns;
  EXPECT_EQ(columns.Find({"d", "t"}), std::nullopt);
  columns.Set({"d", "t"}, {"a"});
  columns.Set({"d", "u"}, {"b"});
  columns.Set({"e", "t"}, {"c"});
  EXPECT_EQ(columns.Find({"d", "t"}), (Names{"a"}));
  columns.Alter({"d", "t"});
  EXPECT_EQ(columns.Find({"d", "t"}), std::nullopt);
  EXPECT_EQ(columns.Find({"d", "u"}), (Names{"b"}));
  columns.Alter({"d", ""});  // DROP DATABASE
  EXPECT_EQ(columns.Find({"d", "u"}), std::nullopt);
  EXPECT_EQ(columns.Find({"e", "t"}), (Names{"c"}));
}

TEST(GeneratedColumns, ThoseOfBeforeCountWhereTheTableIsGone) {
  GeneratedColumns columns;
  columns.Set({"d", "t"}, {"a"});
  columns.Alter({"d", "t"});
  EXPECT_EQ(columns.Take({"d", "t"}, std::nullopt, columns.alterations()), (Names{"a"}));
  EXPECT_EQ(columns.Find({"d", "t"}), (Names{"a"}));
  const uint64_t before = columns.alterations();
  columns.Alter({"d", "t"});  // while the catalog is asked
  EXPECT_EQ(columns.Take({"d", "t"}, Names{"b"}, before), (Names{"b"}));
  EXPECT_EQ(columns.Find({"d", "t"}), std::nullopt);
}

// A table that gets another name each day.
TEST(GeneratedColumns, TheyDoNotGrowWithNamesThatAreGone) {
  GeneratedColumns columns;
  columns.Set({"d", "stays"}, {"a"});
  for (size_t i = 0; i < 3 * GeneratedColumns::kTablesMax; ++i) {
    const TableName name = {"d", "of_day_" + std::to_string(i)};
    columns.Take(name, Names{"c"}, columns.alterations());
    columns.Alter(name);
    ASSERT_LE(columns.tables(), GeneratedColumns::kTablesMax);
  }
  EXPECT_EQ(columns.Find({"d", "stays"}), (Names{"a"}));
}

}  // namespace
}  // namespace arrowcdc::mysql
