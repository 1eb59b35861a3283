// The one place that knows how the server's list is written: one literal a name, or the server takes all of
// them for one.
#include "src/postgres/setup/plugin_permission.h"

#include <algorithm>
#include <cctype>

#include "src/postgres/client/quoting.h"

namespace arrowcdc::postgres {
namespace {

// Names as they were meant: those that stand in one literal are several.
std::vector<std::string> MeantNames(const std::vector<std::string>& names) {
  std::vector<std::string> meant;
  for (const std::string& name : names) {
    for (const std::string& part : ParseListSetting(name)) {
      if (std::find(meant.begin(), meant.end(), part) == meant.end()) meant.push_back(part);
    }
  }
  return meant;
}

// Run by a superuser, who sees the setting: what is set for the role, else what the server has.
arrow::Result<std::string> ComputedSql(const std::string& plugin, const std::string& role) {
  ARROW_ASSIGN_OR_RAISE(const std::string name, QuoteLiteral(plugin));
  ARROW_ASSIGN_OR_RAISE(const std::string literal, QuoteLiteral(role));
  const std::string body =
      "DECLARE names text;\n"
      "BEGIN\n"
      "  SELECT pg_catalog.string_agg(pg_catalog.quote_literal(pg_catalog.btrim(name, ' \"')), ', ') INTO "
      "names\n"
      "    FROM "
      "pg_catalog.unnest(pg_catalog.string_to_array(pg_catalog.current_setting('output_plugin_libraries'), "
      "',')) AS name\n"
      "    WHERE pg_catalog.btrim(name, ' \"') NOT IN ('', " +
      name +
      ");\n"
      "  EXECUTE pg_catalog.format('ALTER ROLE %I SET output_plugin_libraries = %s', " +
      literal +
      ",\n"
      "    pg_catalog.concat_ws(', ', names, pg_catalog.quote_literal(" +
      name +
      ")));\n"
      "END";
  ARROW_ASSIGN_OR_RAISE(const std::string quoted_body, QuoteLiteral(body));
  return "DO " + quoted_body;
}

}  // namespace

bool AllowsPlugin(const PluginPermission& permission, const std::string& plugin) {
  return permission.allowed.has_value() && std::find(permission.allowed->begin(), permission.allowed->end(),
                                                     plugin) != permission.allowed->end();
}

std::string NamesInOneLiteral(const PluginPermission& permission, const std::string& plugin) {
  if (!permission.allowed.has_value() || AllowsPlugin(permission, plugin)) return "";
  for (const std::string& name : *permission.allowed) {
    const auto parts = ParseListSetting(name);
    if (parts.size() > 1 && std::find(parts.begin(), parts.end(), plugin) != parts.end()) return name;
  }
  return "";
}

arrow::Result<std::string> AllowPluginSql(const PluginPermission& permission, const std::string& plugin,
                                          const std::string& role, const std::string& database) {
  if (!permission.allowed.has_value()) return ComputedSql(plugin, role);
  std::vector<std::string> names = MeantNames(*permission.allowed);
  if (std::find(names.begin(), names.end(), plugin) == names.end()) names.push_back(plugin);
  ARROW_ASSIGN_OR_RAISE(std::string sql, QuoteIdentifier(role));
  sql = "ALTER ROLE " + sql;
  if (permission.in_database) {
    ARROW_ASSIGN_OR_RAISE(const std::string identifier, QuoteIdentifier(database));
    sql += " IN DATABASE " + identifier;
  }
  ARROW_ASSIGN_OR_RAISE(const std::string list, QuoteLiterals(names));
  return sql + " SET output_plugin_libraries = " + list;
}

std::vector<std::string> ParseListSetting(const std::string& text) {
  std::vector<std::string> names;
  std::string name;
  bool quoted = false;
  const auto finish = [&] {
    while (!name.empty() && std::isspace(static_cast<unsigned char>(name.back()))) name.pop_back();
    if (!name.empty()) names.push_back(name);
    name.clear();
  };
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"' && quoted && i + 1 < text.size() && text[i + 1] == '"') {
      name += text[++i];
    } else if (c == '"') {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      finish();
    } else if (quoted || !name.empty() || !std::isspace(static_cast<unsigned char>(c))) {
      name += c;
    }
  }
  finish();
  return names;
}

}  // namespace arrowcdc::postgres
