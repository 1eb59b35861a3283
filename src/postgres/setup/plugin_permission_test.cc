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
  EXPECT_EQ(*AllowPluginSql({Names{"pgoutput", "my 'plugin'"}, false}, "cdc", "shop"),
            "ALTER ROLE \"cdc\" SET output_plugin_libraries = 'pgoutput', 'my ''plugin''', 'wal2arrow'");
  EXPECT_EQ(*AllowPluginSql({Names{}, false}, "a\"b", "shop"),
            "ALTER ROLE \"a\"\"b\" SET output_plugin_libraries = 'wal2arrow'");
  // What is set for one database wins over what is set for the role.
  EXPECT_EQ(*AllowPluginSql({Names{"pgoutput"}, true}, "cdc", "Shop"),
            "ALTER ROLE \"cdc\" IN DATABASE \"Shop\" SET output_plugin_libraries = 'pgoutput', 'wal2arrow'");
  // Not known here: the server works it out.
  EXPECT_EQ(AllowPluginSql({std::nullopt, false}, "cdc", "shop")->rfind("DO ", 0), 0u);
}

TEST(PluginPermission, SeveralNamesInOneLiteral) {
  const PluginPermission one{Names{"pgoutput, wal2arrow"}, false};
  EXPECT_FALSE(AllowsPlugin(one));
  EXPECT_EQ(NamesInOneLiteral(one), "pgoutput, wal2arrow");
  EXPECT_EQ(*AllowPluginSql(one, "cdc", "shop"),
            "ALTER ROLE \"cdc\" SET output_plugin_libraries = 'pgoutput', 'wal2arrow'");
  EXPECT_EQ(NamesInOneLiteral({Names{"pgoutput, decoderbufs"}, false}), "");
  EXPECT_EQ(NamesInOneLiteral({Names{"pgoutput", "wal2arrow"}, false}), "");
  EXPECT_TRUE(AllowsPlugin({Names{"pgoutput", "wal2arrow"}, false}));
}

}  // namespace
}  // namespace arrowcdc::postgres
