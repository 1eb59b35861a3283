// config check: a file of options is read, and what of it can be looked at without a server is.
#include <cstdio>

#include "arrowcdc/sink.h"
#include "arrowcdc/table_patterns.h"
#include "cli/commands.h"
#include "cli/logging.h"
#include "src/options/option.h"

namespace arrowcdc::cli {
namespace {

arrow::Status Check(const Options& options) {
  if (IsMysql(options)) {
    ARROW_RETURN_NOT_OK(MakeMysqlSource(MysqlSourceOf(options)));
  } else {
    ARROW_RETURN_NOT_OK(MakePostgresSource(options.source));
  }
  ARROW_RETURN_NOT_OK(TablePatterns::Parse(options.source.tables));
  return options.sink_uri.empty() ? arrow::Status::OK() : MakeSink(options.sink_uri, options.sink).status();
}

}  // namespace

ExitCode RunConfig(const Options& options, const std::set<std::string_view>& of_file) {
  if (const arrow::Status checked = Check(options); !checked.ok()) {
    LogError(spdlog::level::err, options.command.config, checked);
    return ExitCodeOf(checked);
  }
  for (const Option& option : OptionTable()) {
    if (*option.section == '\0' || !of_file.contains(option.name)) continue;
    const std::string value = option.secret ? "(not shown)" : FormatValue(option, option.field.get(options));
    std::printf("%s.%s: %s\n", option.section, option.name, value.c_str());
  }
  std::printf("%s is in order\n", options.command.config.c_str());
  return kOk;
}

}  // namespace arrowcdc::cli
