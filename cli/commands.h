// The subcommands. Each takes parsed options, talks to people, and returns the process's exit code.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "arrowcdc/postgres.h"
#include "arrowcdc/pipeline.h"
#include "arrowcdc/sink.h"
#include "cli/exit_code.h"

namespace arrowcdc::cli {

struct SetupCommand {
  PostgresOptions source;
  SetupOptions setup;
  bool yes = false;
  bool print_sql = false;
};
ExitCode RunSetup(const SetupCommand& command);

struct TeardownCommand {
  PostgresOptions source;
  bool yes = false;
  bool print_sql = false;
};
ExitCode RunTeardown(const TeardownCommand& command);

ExitCode RunStatus(const PostgresOptions& source);
ExitCode RunTables(const PostgresOptions& source);

struct StreamCommand {
  PostgresOptions source;
  std::string sink;
  SinkOptions sink_options;
  PipelineOptions pipeline;
  std::optional<std::chrono::milliseconds> duration;    // stop after this time
  std::chrono::milliseconds stop_timeout{20'000};       // to complete what the sink has, after a stop
  std::chrono::milliseconds progress_interval{10'000};  // of log lines; a terminal's line moves every second
};
// source.stop must be set.
ExitCode RunStream(const StreamCommand& command);

// Prints the query for the current rows of a table of a parquet:DIR sink.
ExitCode RunSql(const std::string& directory, const std::string& table);

// Standard output has taken all that was printed, else kFailure and a log line.
ExitCode FinishOutput(ExitCode code);

// The options that name the source, as they were given but without what may be secret: "--slot s" for a
// message that suggests a command.
std::string SuggestedOptions(const PostgresOptions& source);

}  // namespace arrowcdc::cli
