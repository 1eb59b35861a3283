// Options: all that can be set, whichever door it comes by, as one value. A default one holds the defaults:
// they stand in the initialisers of these structs and of those of the library, and nowhere else.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "arrowcdc/mysql.h"
#include "arrowcdc/pipeline.h"
#include "arrowcdc/postgres.h"
#include "arrowcdc/readers.h"
#include "arrowcdc/sink.h"
#include "arrowcdc/snapshot.h"
#include "arrowcdc/source.h"

namespace arrowcdc {

enum class LogFormat { kAuto, kText, kJson };

enum class ConfigAction { kCheck };

// What the command alone has.
struct CommandOptions {
  SnapshotMode snapshot = SnapshotMode::kAuto;          // in the place of PipelineOptions::snapshot
  std::optional<std::chrono::milliseconds> duration;    // stop after this time
  std::chrono::milliseconds stop_timeout{20'000};       // to complete what the sink has, after a stop
  std::chrono::milliseconds progress_interval{10'000};  // of log lines; a terminal's line moves every second
  std::string config;                                   // a file of options
  ConfigAction config_action = ConfigAction::kCheck;    // of `config`
  std::string password_command;                         // prints the password; empty: there is none
  bool yes = false;
  bool print_sql = false;
  bool withdraw = false;
  std::string directory;  // of `sql`
  std::string table;
  bool json = false;                               // the result as JSON
  std::optional<std::chrono::milliseconds> watch;  // `status`: again and again
  std::optional<std::string> http;                 // where to listen, see ParseListenAddress
  std::vector<std::string> http_hosts;
  LogFormat log = LogFormat::kAuto;
  bool verbose = false;
};

// What the Python package alone has.
struct PackageOptions {
  // In the place of PostgresOptions::conninfo: see SourceOf.
  std::optional<std::string> host;
  std::optional<int64_t> port;
  std::optional<std::string> database;
  std::optional<std::string> user;
  std::optional<std::string> password;
  SnapshotMode snapshot = SnapshotMode::kAuto;  // in the place of ReaderSetOptions::snapshot
  bool setup = true;                            // publication and slot are made where they are missing
  CommitMode commit = CommitMode::kOnNext;
};

struct Options {
  PostgresOptions source;  // what sources have in common stands here, whatever the database is
  MysqlOptions mysql;      // what MySQL alone has
  SetupOptions setup;
  std::string sink_uri;
  SinkOptions sink;
  PipelineOptions pipeline;
  ReaderSetOptions readers;
  CommandOptions command;
  PackageOptions package;
};

// The source with the address of PackageOptions as its connection string. Errors: kInvalidOption where both
// are given.
arrow::Result<PostgresOptions> SourceOf(const Options& options);

// Whether the address is one of MySQL, MariaDB or of binary log files.
bool IsMysql(const Options& options);
// With what stands in `source`; for IsMysql.
MysqlOptions MysqlSourceOf(const Options& options);

}  // namespace arrowcdc
