// Which source the options name: host, port and the rest, written as a connection string; one of MySQL.
#include <string_view>
#include <utility>

#include "arrowcdc/error.h"
#include "src/options/options.h"

namespace arrowcdc {
namespace {

std::string Quoted(std::string_view value) {
  std::string quoted = "'";
  for (const char c : value) {
    if (c == '\\' || c == '\'') quoted += '\\';
    quoted += c;
  }
  return quoted + "'";
}

}  // namespace

arrow::Result<PostgresOptions> SourceOf(const Options& options) {
  const PackageOptions& package = options.package;
  const std::optional<std::string> port =
      package.port.has_value() ? std::optional(std::to_string(*package.port)) : std::nullopt;
  // By the names of the arguments, which an error gives the first of.
  const std::pair<const char*, const std::optional<std::string>&> parts[] = {
      {"dbname", package.database}, {"host", package.host}, {"password", package.password}, {"port", port},
      {"user", package.user},
  };
  std::string conninfo;
  for (const auto& [key, value] : parts) {
    if (!value.has_value()) continue;
    if (!options.source.conninfo.empty()) {
      const std::string name = key == parts[0].first ? "database" : key;
      return MakeError(ErrorKind::kInvalidOption, "a connection string and single parameters were given",
                       "argument " + name, "put everything into `source`");
    }
    conninfo += (conninfo.empty() ? "" : " ") + std::string(key) + "=" + Quoted(*value);
  }
  PostgresOptions source = options.source;
  if (!conninfo.empty()) source.conninfo = std::move(conninfo);
  return source;
}

bool IsMysql(const Options& options) { return IsMysqlUrl(options.source.conninfo); }

MysqlOptions MysqlSourceOf(const Options& options) {
  MysqlOptions source = options.mysql;
  source.url = options.source.conninfo;
  source.tables = options.source.tables;
  source.buffer_bytes_max = options.source.buffer_bytes_max;
  source.spool_directory = options.source.spool_directory;
  source.spool_bytes_max = options.source.spool_bytes_max;
  source.unrepresentable = options.source.unrepresentable;
  source.snapshot_connections = options.pipeline.snapshot_connections;
  source.stop = options.source.stop;
  return source;
}

}  // namespace arrowcdc
