// The command line of arrowcdc: options in, one subcommand out. Thin: everything else is in the library.
#include <algorithm>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "arrowcdc/error.h"
#include "cli/commands.h"
#include "cli/descriptors.h"
#include "cli/duration.h"
#include "cli/logging.h"
#include "cli/process_title.h"
#include "cli/stop.h"
#include "cli/usage.h"

namespace arrowcdc::cli {
namespace {

constexpr const char* kDescription =
    "Row changes of PostgreSQL as Apache Arrow record batches.\n\n"
    "First use:\n"
    "  arrowcdc setup  --source \"host=db dbname=shop user=cdc\" --tables 'public.*'\n"
    "  arrowcdc stream --source \"host=db dbname=shop user=cdc\" --tables 'public.*' --sink parquet:changes\n"
    "  arrowcdc teardown --source \"host=db dbname=shop user=cdc\"     (when you are done: the slot keeps "
    "WAL)\n";

// Options as text, before they are checked. One struct for all subcommands: each registers what it takes.
struct Texts {
  std::string until;
  std::string duration;
  std::string stop_timeout = "20s";
  std::string ack = "on-durable";
  std::string on_unpublished = "go-on";
  std::string roll_bytes = "128MiB";
  std::string roll_age = "30s";
  std::string buffer = "64MiB";
  std::string compression = "auto";
  std::string progress = "10s";
  std::string retry_for;
};

void AddSourceOptions(CLI::App& app, PostgresOptions& source) {
  app.add_option(
      "--source", source.conninfo,
      "libpq connection string or URI; what is missing comes from PG* variables, service and pgpass files");
  app.add_option("--slot", source.slot, "replication slot")->capture_default_str();
  app.add_option(
      "--publication", source.publications,
      "publications to read (default: the slot's name, with SLOT_insert_only where setup made it)");
  app.add_option(
      "--tables", source.tables,
      "table patterns, as in 'public.*' 'public.user_[0-9]+' '!public.audit_*' (default: every table); "
      "grammar: docs/patterns.md");
}

// The value, or an error that names the option and not only what was wrong with its value.
template <typename T>
arrow::Result<T> Named(const char* option, arrow::Result<T> value) {
  if (value.ok()) return value;
  const ErrorDetail* detail = GetErrorDetail(value.status());
  return MakeError(ErrorKind::kInvalidOption, std::string(option) + ": " + value.status().message(),
                   std::string("option ") + option, detail == nullptr ? "" : detail->remedy());
}

arrow::Status ReadAmounts(const Texts& texts, StreamCommand& command) {
  ARROW_ASSIGN_OR_RAISE(command.sink_options.roll_bytes, Named("--roll-bytes", ParseSize(texts.roll_bytes)));
  ARROW_ASSIGN_OR_RAISE(command.sink_options.roll_age, Named("--roll-age", ParseDuration(texts.roll_age)));
  ARROW_ASSIGN_OR_RAISE(command.source.buffer_bytes_max, Named("--buffer", ParseSize(texts.buffer)));
  ARROW_ASSIGN_OR_RAISE(command.progress_interval, Named("--progress", ParseDuration(texts.progress)));
  ARROW_ASSIGN_OR_RAISE(command.stop_timeout, Named("--stop-timeout", ParseDuration(texts.stop_timeout)));
  if (!texts.retry_for.empty()) {
    ARROW_ASSIGN_OR_RAISE(command.pipeline.retry_max, Named("--retry-for", ParseDuration(texts.retry_for)));
  }
  if (!texts.duration.empty()) {
    ARROW_ASSIGN_OR_RAISE(command.duration, Named("--for", ParseDuration(texts.duration)));
  }
  return arrow::Status::OK();
}

arrow::Status ReadStreamTexts(const Texts& texts, StreamCommand& command) {
  ARROW_RETURN_NOT_OK(ReadAmounts(texts, command));
  ARROW_ASSIGN_OR_RAISE(command.source.compression,
                        Named("--compression", ParseWireCompression(texts.compression)));
  command.pipeline.ack_on_write = texts.ack == "on-write";
  command.pipeline.on_unpublished =
      texts.on_unpublished == "stop" ? OnUnpublished::kStop : OnUnpublished::kGoOn;
  if (texts.until == "now") {
    command.pipeline.until_now = true;
  } else if (!texts.until.empty()) {
    const auto lsn = ParseLsn(texts.until);
    if (!lsn.ok()) {
      return MakeError(ErrorKind::kInvalidOption, "--until: " + lsn.status().message(), "option --until",
                       "give 'now' or an LSN as in 16/B374D848");
    }
    command.pipeline.until_lsn = *lsn;
  }
  return arrow::Status::OK();
}

std::string WithRemedy(const arrow::Status& status) {
  const ErrorDetail* detail = GetErrorDetail(status);
  return status.message() + (detail != nullptr && !detail->remedy().empty() ? ": " + detail->remedy() : "");
}

ExitCode ReportUsage(const std::string& message) {
  std::fprintf(stderr, "arrowcdc: %s\nRun with --help for more information.\n", message.c_str());
  return kUsage;
}

void AddStreamOptions(CLI::App& app, StreamCommand& command, Texts& texts) {
  AddSourceOptions(app, command.source);
  app.add_option(
         "--sink", command.sink,
         "parquet:DIR, ipc:FILE, ipc:- (standard output), console, console:ndjson or console:table; DIR "
         "and FILE are local paths (or file:///PATH), and ./ in front makes a path of what looks like a "
         "URL")
      ->required();
  app.add_option("--until", texts.until,
                 "stop when everything up to here is delivered: 'now' or an LSN as in 16/B374D848");
  app.add_option("--for", texts.duration, "stop after this time, as in 90s, 5min, 2h");
  app.add_option("--ack", texts.ack,
                 "what is acknowledged to the server: on-durable, or on-write for sinks that keep nothing")
      ->check(CLI::IsMember({"on-durable", "on-write"}).description(""))
      ->type_name("on-durable|on-write")
      ->capture_default_str();
  app.add_flag("--accept-tables", command.pipeline.accept_tables,
               "begin although the slot was set up for other tables: nobody else reads it");
  app.add_flag("--accept-gap", command.pipeline.accept_gap,
               "start although the slot has passed changes that the sink never got: they stay lost");
  app.add_option(
         "--on-unpublished", texts.on_unpublished,
         "where tables that --tables asks for are not published any more: go-on says and counts it, stop "
         "ends with exit code 5 once everything that the slot holds is delivered")
      ->check(CLI::IsMember({"go-on", "stop"}).description(""))
      ->type_name("go-on|stop")
      ->capture_default_str();
  app.add_option("--roll-bytes", texts.roll_bytes, "close a file at this size")->capture_default_str();
  app.add_option("--roll-rows", command.sink_options.roll_rows, "close a file at this many rows")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option(
         "--roll-age", texts.roll_age,
         "close files, and acknowledge, when their oldest row is this old: the longest time a change waits")
      ->capture_default_str();
  app.add_option("--buffer", texts.buffer, "memory between socket and sink; when it is full the server waits")
      ->capture_default_str();
  app.add_option("--compression", texts.compression,
                 "of batches on their way: none, lz4, zstd, or auto (lz4, and none on unix sockets and "
                 "loopback addresses)")
      ->capture_default_str();
  app.add_option("--progress", texts.progress, "time between progress logs where there is no terminal")
      ->capture_default_str();
  app.add_option("--retry-for", texts.retry_for,
                 "give up when the server is away, or the slot in use, for so long (default: at the start "
                 "60s, or 10s for a slot "
                 "in use; after the first connection never); 0s: at once");
  app.add_option(
         "--stop-timeout", texts.stop_timeout,
         "after Ctrl-C, SIGTERM, SIGHUP or --for: time to complete files; what is not complete then is "
         "dropped and comes again")
      ->capture_default_str();
  app.footer(
      "A stream stops cleanly on Ctrl-C: what was received is stored and acknowledged. A second Ctrl-C does "
      "not wait.");
}

struct LogOptions {
  LogFormat format = LogFormat::kAuto;
  bool verbose = false;
};

void AddLogOptions(CLI::App& app, LogOptions& log) {
  static const std::map<std::string, LogFormat> kFormats = {
      {"auto", LogFormat::kAuto}, {"text", LogFormat::kText}, {"json", LogFormat::kJson}};
  app.add_option("--log", log.format,
                 "log form on standard error: auto (text on a terminal, else json), text, json")
      ->transform(CLI::CheckedTransformer(kFormats, CLI::ignore_case).description(""))
      ->type_name("auto|text|json");
  app.add_flag("--verbose", log.verbose, "log more");
}

// setup, teardown, status and tables have nothing to complete.
constexpr std::chrono::milliseconds kStopTimeout{1000};

// NOLINTNEXTLINE(readability-function-size): a list of options
ExitCode Main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
  HidePasswords(argc, argv);
  SetUpLogging(LogFormat::kAuto, false);
  CLI::App app{kDescription, "arrowcdc"};
  app.set_version_flag("--version", std::string("arrowcdc ") + ARROWCDC_VERSION);
  app.require_subcommand(1);
  app.fallthrough();
  app.footer(kExitCodeHelp);
  LogOptions log;
  AddLogOptions(app, log);

  SetupCommand setup;
  CLI::App* setup_app =
      app.add_subcommand("setup", "inspect the server, show what is missing, and make publication and slot");
  AddSourceOptions(*setup_app, setup.source);
  bool via_leaves = false;
  setup_app->add_flag("--insert-only", setup.setup.insert_only,
                      "publish only inserts and truncates of tables without a usable replica identity");
  setup_app->add_flag("--partitions-as-tables", via_leaves,
                      "publish each partition under its own name instead of the partitioned table's");
  setup_app->add_flag("--yes,-y", setup.yes, "do not ask");
  setup_app->add_flag("--print-sql", setup.print_sql, "print the exact SQL and change nothing");

  StreamCommand stream;
  Texts texts;
  CLI::App* stream_app = app.add_subcommand("stream", "stream changes into a sink");
  AddStreamOptions(*stream_app, stream, texts);

  PostgresOptions status;
  CLI::App* status_app = app.add_subcommand("status", "show the slot and what WAL the server keeps for it");
  AddSourceOptions(*status_app, status);

  PostgresOptions tables;
  CLI::App* tables_app =
      app.add_subcommand("tables", "show which tables match, which are published, and why not");
  AddSourceOptions(*tables_app, tables);

  TeardownCommand teardown;
  CLI::App* teardown_app =
      app.add_subcommand("teardown", "drop the slot and the publications that setup made");
  AddSourceOptions(*teardown_app, teardown.source);
  teardown_app->add_flag("--yes,-y", teardown.yes, "do not ask");
  teardown_app->add_flag("--print-sql", teardown.print_sql, "print the exact SQL and change nothing");

  std::string sql_directory;
  std::string sql_table;
  CLI::App* sql_app =
      app.add_subcommand("sql", "print a DuckDB query for the current rows of a table of --sink parquet:DIR");
  sql_app->add_option("DIR", sql_directory, "the directory of the sink")->required();
  sql_app
      ->add_option("TABLE", sql_table,
                   "schema.table; where a name holds a dot, in double quotes: 'public.\"Order.Items\"'")
      ->required();
  sql_app->footer(
      "Example: arrowcdc sql changes public.orders | duckdb\n"
      "The query honours changed keys, deletes, TRUNCATE, values that updates left alone, and columns that "
      "were "
      "added, dropped, renamed or given another type. docs/sinks.md says what else there is to know.");

  if (const auto unknown = FindUnknownSubcommand(app, arguments)) return ReportUsage(*unknown);
  if (const auto misplaced = FindMisplacedConninfo(arguments)) return ReportUsage(*misplaced);
  if (const auto missing = FindMissingValue(app, arguments)) return ReportUsage(*missing);
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() != 0) return ReportUsage(UsageMessage(app, error, arguments));
    (void)app.exit(error);  // --help, --version
    return kOk;
  }
  SetUpLogging(log.format, log.verbose);
  const std::shared_ptr<StopToken> stop = StopOnSignals();
  for (PostgresOptions* source : {&setup.source, &stream.source, &status, &tables, &teardown.source})
    source->stop = stop;
  stream.sink_options.stop = stop;
  if (stream_app->parsed()) {
    const arrow::Status read = ReadStreamTexts(texts, stream);
    return read.ok() ? RunStream(stream) : ReportUsage(WithRemedy(read));
  }
  const StopLimit limit(stop, kStopTimeout, "stopped before it was done");

  if (setup_app->parsed()) {
    setup.setup.via_partition_root = !via_leaves;
    return RunSetup(setup);
  }
  if (status_app->parsed()) return RunStatus(status);
  if (tables_app->parsed()) return RunTables(tables);
  if (sql_app->parsed()) return RunSql(sql_directory, sql_table);
  return RunTeardown(teardown);
}

}  // namespace
}  // namespace arrowcdc::cli

int main(int argc, char** argv) {
  arrowcdc::cli::OpenStandardDescriptors();
  return arrowcdc::cli::FinishOutput(arrowcdc::cli::Main(argc, argv));
}
