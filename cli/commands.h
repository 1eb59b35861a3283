// The subcommands. Each takes the options, talks to people, and returns the process's exit code.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "cli/exit_code.h"
#include "src/options/options.h"

namespace arrowcdc::cli {

ExitCode RunSetup(const Options& options);
ExitCode RunAddTables(const Options& options);
ExitCode RunTeardown(const Options& options);
ExitCode RunDoctor(const Options& options);
ExitCode RunStatus(const Options& options);
ExitCode RunTables(const Options& options);

// options.source.stop must be set.
ExitCode RunStream(const Options& options);
ExitCode RunTail(const Options& options);

// of_file: names of the options that the file has set.
ExitCode RunConfig(const Options& options, const std::set<std::string_view>& of_file);

// Prints the query for the current rows of a table of a parquet:DIR sink.
ExitCode RunSql(const Options& options);
ExitCode RunResnapshot(const Options& options);

// Standard output has taken all that was printed, else kFailure and a log line.
ExitCode FinishOutput(ExitCode code);

// The options that name the source, as they were given but without what may be secret: "--slot s" for a
// message that suggests a command.
std::string SuggestOptions(const PostgresOptions& source);

}  // namespace arrowcdc::cli
