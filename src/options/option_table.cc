// The table itself: a row an option. To add one: a field with its default in the struct that uses it, a row
// here, the argument in python/arrowcdc/_config.py where the package has it; then `make reference`.
#include <algorithm>
#include <cctype>
#include <string>

#include "arrowcdc/error.h"
#include "arrowcdc/position.h"
#include "src/options/option_field.h"

namespace arrowcdc {
namespace {

// In the order of their enumerations.
constexpr std::string_view kAck[] = {"on-durable", "on-write"};
constexpr std::string_view kOnUnpublished[] = {"go-on", "stop"};
constexpr std::string_view kCompression[] = {"auto", "none", "lz4", "zstd"};
constexpr std::string_view kLog[] = {"auto", "text", "json"};
constexpr std::string_view kPlugin[] = {"auto", "wal2arrow", "pgoutput"};
constexpr std::string_view kSnapshot[] = {"none"};
constexpr std::string_view kCommit[] = {"by-hand", "on-next"};

struct CompressionField : WordField<kCompression, &Options::source, &PostgresOptions::compression> {
  static arrow::Status Set(const OptionValue& value, Options& options) {
    return ParseWireCompression(std::get<std::string>(value)).Value(&options.source.compression);
  }
};

// Its words are read whatever their case.
struct LogField : WordField<kLog, &Options::command, &CommandOptions::log> {
  static arrow::Status Set(const OptionValue& value, Options& options) {
    std::string word = std::get<std::string>(value);
    std::transform(word.begin(), word.end(), word.begin(), [](unsigned char c) { return std::tolower(c); });
    return WordField::Set(word, options);
  }
};

struct ViaLeavesField {
  static OptionValue Get(const Options& options) { return !options.setup.via_partition_root; }
  static arrow::Status Set(const OptionValue& value, Options& options) {
    options.setup.via_partition_root = !std::get<bool>(value);
    return arrow::Status::OK();
  }
};

using PipelineUntil = Field<&Options::pipeline, &PipelineOptions::until>;
using ReadersUntil = Field<&Options::readers, &ReaderSetOptions::until>;

// The source reads it, once it is connected: what it could not read is refused before.
struct UntilField : PipelineUntil {
  static arrow::Status Set(const OptionValue& value, Options& options) {
    const auto& text = std::get<std::string>(value);
    const arrow::Status read = text == "now" ? arrow::Status::OK() : ParseLsn(text).status();
    if (read.ok()) return PipelineUntil::Set(value, options);
    return MakeError(ErrorKind::kInvalidOption, read.message(), "until",
                     "give 'now' or an LSN as in 16/B374D848");
  }
};

constexpr Command kCommands[] = {
    {kSetup, "setup", "inspect the server, show what is missing, and make publication and slot", ""},
    {kStream, "stream", "stream changes into a sink",
     "A stream stops cleanly on Ctrl-C: what was received is stored and acknowledged. A second Ctrl-C does "
     "not wait."},
    {kStatus, "status", "show the slot and what WAL the server keeps for it", ""},
    {kTables, "tables", "show which tables match, which are published, and why not", ""},
    {kTeardown, "teardown", "drop the slot and the publications that setup made", ""},
    {kSql, "sql", "print a DuckDB query for the current rows of a table of --sink parquet:DIR",
     "Example: arrowcdc sql changes public.orders | duckdb\n"
     "The query honours changed keys, deletes, TRUNCATE, values that updates left alone, and columns that "
     "were added, dropped, renamed or given another type. docs/sinks.md says what else there is to know."},
};

using enum OptionType;

constexpr Option kOptions[] = {
    {.section = "source",
     .name = "host",
     .python = "host",
     .type = kText,
     .field = Fills<Field<&Options::package, &PackageOptions::host>>(),
     .help = "of the server; what is missing comes from libpq's variables (PGHOST, ...), service and pgpass "
             "files"},
    {.section = "source",
     .name = "port",
     .python = "port",
     .type = kCount,
     .field = Fills<Field<&Options::package, &PackageOptions::port>>(),
     .help = "of the server"},
    {.section = "source",
     .name = "database",
     .python = "database",
     .type = kText,
     .field = Fills<Field<&Options::package, &PackageOptions::database>>(),
     .help = "to connect to"},
    {.section = "source",
     .name = "user",
     .python = "user",
     .type = kText,
     .field = Fills<Field<&Options::package, &PackageOptions::user>>(),
     .help = "role to connect as"},
    {.section = "source",
     .name = "password",
     .python = "password",
     .type = kText,
     .field = Fills<Field<&Options::package, &PackageOptions::password>>(),
     .help = "of the role; better in ~/.pgpass or PGPASSWORD",
     .secret = true},
    {.section = "source",
     .name = "source",
     .python = "source",
     .commands = kEveryWithSource,
     .type = kText,
     .field = Fills<Field<&Options::source, &PostgresOptions::conninfo>>(),
     .help = "libpq connection string or URI; what is missing comes from PG* variables, service and pgpass "
             "files",
     .secret = true},
    {.section = "source",
     .name = "slot",
     .python = "slot",
     .commands = kEveryWithSource,
     .type = kText,
     .field = Fills<Field<&Options::source, &PostgresOptions::slot>>(),
     .help = "replication slot, for one program and the same tables each time; setup gives its publication "
             "the same name"},
    {.section = "source",
     .name = "publication",
     .python = "publications",
     .commands = kEveryWithSource,
     .type = kList,
     .field = Fills<Field<&Options::source, &PostgresOptions::publications>>(),
     .help = "publications to read (default: the slot's name, with SLOT_insert_only where setup made it)"},
    {.section = "source",
     .name = "tables",
     .python = "tables",
     .commands = kEveryWithSource,
     .type = kList,
     .field = Fills<Field<&Options::source, &PostgresOptions::tables>>(),
     .help = "table patterns, as in 'public.*' 'public.user_[0-9]+' '!public.audit_*' (default: every "
             "table); grammar: docs/patterns.md"},
    {.section = "source",
     .name = "plugin",
     .python = "plugin",
     .commands = kEveryWithSource,
     .type = kChoice,
     .field = Fills<WordField<kPlugin, &Options::source, &PostgresOptions::plugin>>(),
     .help = "output plugin of the slot: wal2arrow, which must be installed on the server, pgoutput, which "
             "every server has, or auto (the slot's; for a new one wal2arrow where it is there and allowed)",
     .words = kPlugin},
    {.section = "source",
     .name = "snapshot",
     .python = "snapshot",
     .type = kChoice,
     .field = Fills<WordField<kSnapshot, &Options::package, &PackageOptions::snapshot>>(),
     .help = "none: rows that were there before the slot are not read",
     .words = kSnapshot},
    {.section = "setup",
     .name = "insert-only",
     .python = "insert_only",
     .commands = kSetup,
     .type = kFlag,
     .field = Fills<Field<&Options::setup, &SetupOptions::insert_only>>(),
     .help = "publish only inserts and truncates of tables without a usable replica identity"},
    {.section = "setup",
     .name = "partitions-as-tables",
     .commands = kSetup,
     .type = kFlag,
     .field = Fills<ViaLeavesField>(),
     .help = "publish each partition under its own name instead of the partitioned table's"},
    {.section = "setup",
     .name = "setup",
     .python = "setup",
     .type = kFlag,
     .field = Fills<Field<&Options::package, &PackageOptions::setup>>(),
     .help = "make publication and slot where they are missing; False changes nothing on the server and "
             "reads what is published"},
    {.section = "sink",
     .name = "sink",
     .commands = kStream,
     .type = kText,
     .field = Fills<Field<&Options::sink_uri>>(),
     .help = "parquet:DIR, ipc:FILE, ipc:- (standard output), console, console:ndjson or console:table; DIR "
             "and FILE are local paths (or file:///PATH), and ./ in front makes a path of what looks like a "
             "URL",
     .required = true},
    {.section = "",
     .name = "until",
     .python = "until",
     .commands = kStream,
     .type = kPosition,
     .field = Fills<UntilField, ReadersUntil>(),
     .help = "stop when everything up to here is delivered: 'now' (the end of the server's WAL at the start) "
             "or an LSN as in 16/B374D848",
     .python_help = "stop when everything up to here is delivered: 'now' (the end of the server's WAL at the "
                    "start), an LSN as in '16/B374D848', or that as an int"},
    {.section = "",
     .name = "for",
     .commands = kStream,
     .type = kDuration,
     .field = Fills<Field<&Options::command, &CommandOptions::duration>>(),
     .help = "stop after this time, as in 90s, 5min, 2h",
     .minimum = 1},
    {.section = "pipeline",
     .name = "ack",
     .commands = kStream,
     .type = kChoice,
     .field = Fills<WordField<kAck, &Options::pipeline, &PipelineOptions::ack_on_write>>(),
     .help = "what is acknowledged to the server: on-durable, or on-write for sinks that keep nothing",
     .words = kAck},
    {.section = "",
     .name = "accept-tables",
     .python = "accept_tables",
     .commands = kStream,
     .type = kFlag,
     .field = Fills<Field<&Options::pipeline, &PipelineOptions::accept_tables>,
                    Field<&Options::readers, &ReaderSetOptions::accept_tables>>(),
     .help = "begin although the slot was set up for other tables: nobody else reads it"},
    {.section = "",
     .name = "accept-gap",
     .commands = kStream,
     .type = kFlag,
     .field = Fills<Field<&Options::pipeline, &PipelineOptions::accept_gap>>(),
     .help = "start although the slot has passed changes that the sink never got: they stay lost"},
    {.section = "pipeline",
     .name = "on-unpublished",
     .python = "on_unpublished",
     .commands = kStream,
     .type = kChoice,
     .field = Fills<WordField<kOnUnpublished, &Options::pipeline, &PipelineOptions::on_unpublished>,
                    WordField<kOnUnpublished, &Options::readers, &ReaderSetOptions::on_unpublished>>(),
     .help = "where tables that were asked for are not published any more: go-on says and counts it, stop "
             "ends the stream (exit code 5) once everything that the slot holds is delivered",
     .python_help = "where tables that were asked for are not published any more: go-on says and counts it, "
                    "stop ends the readers with a SlotError once everything that the slot holds was read and "
                    "committed",
     .words = kOnUnpublished},
    {.section = "sink",
     .name = "roll-bytes",
     .commands = kStream,
     .type = kSize,
     .field = Fills<Field<&Options::sink, &SinkOptions::roll_bytes>>(),
     .help = "close a file at this size",
     .minimum = 1},
    {.section = "sink",
     .name = "roll-rows",
     .commands = kStream,
     .type = kCount,
     .field = Fills<Field<&Options::sink, &SinkOptions::roll_rows>>(),
     .help = "close a file at this many rows",
     .minimum = 1},
    {.section = "sink",
     .name = "roll-age",
     .commands = kStream,
     .type = kDuration,
     .field = Fills<Field<&Options::sink, &SinkOptions::roll_age>>(),
     .help = "close files, and acknowledge, when their oldest row is this old: the longest time a change "
             "waits",
     .minimum = 1},
    {.section = "source",
     .name = "buffer",
     .python = "buffer_bytes_max",
     .commands = kStream,
     .type = kSize,
     .field = Fills<Field<&Options::source, &PostgresOptions::buffer_bytes_max>>(),
     .help = "memory between the socket and the sink or the readers; when it is full the server waits",
     .minimum = 1},
    {.section = "source",
     .name = "compression",
     .python = "compression",
     .commands = kStream,
     .type = kChoice,
     .field = Fills<CompressionField>(),
     .help = "of batches on their way: none, lz4, zstd, or auto (lz4, and none on unix sockets and loopback "
             "addresses)",
     .words = kCompression},
    {.section = "log",
     .name = "progress",
     .commands = kStream,
     .type = kDuration,
     .field = Fills<Field<&Options::command, &CommandOptions::progress_interval>>(),
     .help = "time between progress logs where there is no terminal",
     .minimum = 0},
    {.section = "pipeline",
     .name = "retry-for",
     .python = "retry_max",
     .commands = kStream,
     .type = kDuration,
     .field = Fills<Field<&Options::pipeline, &PipelineOptions::retry_max>,
                    Field<&Options::readers, &ReaderSetOptions::retry_max>>(),
     .help = "give up when the server is away, or the slot in use, for so long (default: at the start 60s, "
             "or 10s for a slot in use; after the first connection never); 0s: at once",
     .python_help = "give up when the server is away, or the slot in use, for so long (default: at the start "
                    "60, or 10 for a slot in use; after the first connection never); 0: at once",
     .minimum = 0},
    {.section = "pipeline",
     .name = "stop-timeout",
     .commands = kStream,
     .type = kDuration,
     .field = Fills<Field<&Options::command, &CommandOptions::stop_timeout>>(),
     .help = "after Ctrl-C, SIGTERM, SIGHUP or --for: time to complete files; what is not complete then is "
             "dropped and comes again",
     .minimum = 0},
    {.section = "readers",
     .name = "commit",
     .python = "commit",
     .type = kChoice,
     .field = Fills<WordField<kCommit, &Options::package, &PackageOptions::commit>>(),
     .help = "on-next: a batch is dealt with when the next one is asked for; by-hand: when commit() is "
             "called",
     .words = kCommit},
    {.section = "readers",
     .name = "partitions",
     .python = "partitions",
     .type = kCount,
     .field = Fills<Field<&Options::readers, &ReaderSetOptions::partitions>>(),
     .help = "readers for each table; rows go to them by the hash of their key",
     .minimum = 1,
     .maximum = kPartitionsMax},
    {.section = "readers",
     .name = "reader-bytes-max",
     .python = "reader_bytes_max",
     .type = kSize,
     .field = Fills<Field<&Options::readers, &ReaderSetOptions::reader_bytes_max>>(),
     .help = "bytes that wait in one reader before the stream waits for it",
     .minimum = 1},
    {.section = "readers",
     .name = "unread-limit",
     .python = "unread_limit",
     .type = kDuration,
     .field = Fills<Field<&Options::readers, &ReaderSetOptions::unread_limit>>(),
     .help = "time until a full reader that was never read is ended, while another waits for rows",
     .minimum = 0},
    {.section = "readers",
     .name = "slow-limit",
     .python = "slow_limit",
     .type = kDuration,
     .field = Fills<Field<&Options::readers, &ReaderSetOptions::slow_limit>>(),
     .help = "the same for a reader that was read before; 0: never",
     .minimum = 0},
    {.section = "",
     .name = "yes",
     .commands = kSetup | kTeardown,
     .type = kFlag,
     .field = Fills<Field<&Options::command, &CommandOptions::yes>>(),
     .help = "do not ask",
     .letter = 'y'},
    {.section = "",
     .name = "print-sql",
     .commands = kSetup | kTeardown,
     .type = kFlag,
     .field = Fills<Field<&Options::command, &CommandOptions::print_sql>>(),
     .help = "print the exact SQL and change nothing"},
    {.section = "",
     .name = "DIR",
     .commands = kSql,
     .type = kText,
     .field = Fills<Field<&Options::command, &CommandOptions::directory>>(),
     .help = "the directory of the sink",
     .required = true,
     .positional = true},
    {.section = "",
     .name = "TABLE",
     .commands = kSql,
     .type = kText,
     .field = Fills<Field<&Options::command, &CommandOptions::table>>(),
     .help = "schema.table; where a name holds a dot, in double quotes: 'public.\"Order.Items\"'",
     .required = true,
     .positional = true},
    {.section = "log",
     .name = "log",
     .commands = kProgram,
     .type = kChoice,
     .field = Fills<LogField>(),
     .help = "log form on standard error: auto (text on a terminal, else json), text, json",
     .words = kLog},
    {.section = "log",
     .name = "verbose",
     .commands = kProgram,
     .type = kFlag,
     .field = Fills<Field<&Options::command, &CommandOptions::verbose>>(),
     .help = "log more"},
};

}  // namespace

std::span<const Command> Commands() { return kCommands; }

std::span<const Option> OptionTable() { return kOptions; }

Options DefaultsOf(Door door) {
  Options options;
  // A list of none and this one mean the same; a slot's note has what it was set up with.
  if (door == Door::kPython) options.source.tables = {"*.*"};
  return options;
}

}  // namespace arrowcdc
