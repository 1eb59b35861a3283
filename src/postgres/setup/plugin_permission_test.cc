// The SQL that allows the plugin takes nothing away.
#include "src/postgres/setup/plugin_permission.h"

#include <gtest/gtest.h>

namespace arrowcdc::postgres {
namespace {

using Names = std::vector<std::string>;

TEST(PluginPermission, ListSettings) {
  EXPECT_EQ(ParseListSetting("pgoutput, test_decoding"), (Names{"pgoutput", "test_decoding"}));
  EXPECT_EQ(ParseListSetting(" \"a, \"\"b\"\"\" ,c "), (Names{"a, \"b\"", "c"}));
  EXPECT_TRUE(ParseListSetting("").empty());
  EXPECT_TRUE(ParseListSetting(" , ").empty());
}

TEST(PluginPermission, KeepsWhatWasAllowed) {
  EXPECT_EQ(*AllowPluginSql({Names{"pgoutput", "my 'plugin'"}, false}, "wal2arrow", "cdc", "shop"),
            "ALTER ROLE \"cdc\" SET output_plugin_libraries = 'pgoutput', 'my ''plugin''', 'wal2arrow'");
  EXPECT_EQ(*AllowPluginSql({Names{}, false}, "wal2arrow", "a\"b", "shop"),
            "ALTER ROLE \"a\"\"b\" SET output_plugin_libraries = 'wal2arrow'");
  // What is set for one database wins over what is set for the role.
  EXPECT_EQ(*AllowPluginSql({Names{"pgoutput"}, true}, "wal2arrow", "cdc", "Shop"),
            "ALTER ROLE \"cdc\" IN DATABASE \"Shop\" SET output_plugin_libraries = 'pgoutput', 'wal2arrow'");
  // Not known here: the server works it out.
  EXPECT_EQ(AllowPluginSql({std::nullopt, false}, "wal2arrow", "cdc", "shop")->rfind("DO ", 0), 0u);
}

TEST(PluginPermission, SeveralNamesInOneLiteral) {
  const PluginPermission one{Names{"pgoutput, wal2arrow"}, false};
  EXPECT_FALSE(AllowsPlugin(one, "wal2arrow"));
  EXPECT_EQ(NamesInOneLiteral(one, "wal2arrow"), "pgoutput, wal2arrow");
  EXPECT_EQ(*AllowPluginSql(one, "wal2arrow", "cdc", "shop"),
            "ALTER ROLE \"cdc\" SET output_plugin_libraries = 'pgoutput', 'wal2arrow'");
  EXPECT_EQ(NamesInOneLiteral({Names{"pgoutput, decoderbufs"}, false}, "wal2arrow"), "");
  EXPECT_EQ(NamesInOneLiteral({Names{"pgoutput", "wal2arrow"}, false}, "wal2arrow"), "");
  EXPECT_TRUE(AllowsPlugin({Names{"pgoutput", "wal2arrow"}, false}, "wal2arrow"));
}

}  // namespace
}  // namespace arrowcdc::postgres
