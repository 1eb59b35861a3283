// Which output plugins a role may load (output_plugin_libraries), and the SQL that adds one to them. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <arrow/result.h>

namespace arrowcdc::postgres {

struct PluginPermission {
  // What the role may load now; none: the server has no such setting, or the role may not see it.
  std::optional<std::vector<std::string>> allowed;
  // It is set for the role in this database (ALTER ROLE ... IN DATABASE), which wins over the role's own.
  bool in_database = false;
};

bool AllowsPlugin(const PluginPermission& permission, const std::string& plugin);

// Several names in one literal, 'pgoutput, wal2arrow', which the server takes for one name: that text, or an
// empty one where none such holds the plugin's, or it is allowed all the same.
std::string NamesInOneLiteral(const PluginPermission& permission, const std::string& plugin);

// SQL for a superuser that lets `role` load the plugin as well as all that it may load now, in force with its
// next session. Where that is not known the server works it out when the SQL runs.
arrow::Result<std::string> AllowPluginSql(const PluginPermission& permission, const std::string& plugin,
                                          const std::string& role, const std::string& database);

// Names of a list setting as SHOW prints it: pgoutput, "my plugin".
std::vector<std::string> ParseListSetting(const std::string& text);

}  // namespace arrowcdc::postgres
