// The table itself: a row an option. To add one: a field with its default in the struct that uses it, a row
// here, the argument in python/arrowcdc/_config.py where the package has it; then `make reference`.
#include <algorithm>
#include <cctype>
#include <string>

#include "arrowcdc/error.h"
#include "arrowcdc/position.h"
#include "arrowcdc/secrets.h"
#include "src/options/listen_address.h"
#include "src/options/option_field.h"

namespace arrowcdc {
namespace {

// In the order of their enumerations.
constexpr std::string_view kAck[] = {"on-durable", "on-write"};
constexpr std::string_view kOnUnpublished[] = {"go-on", "stop"};
constexpr std::string_view kCompression[] = {"auto", "none", "lz4", "zstd"};
constexpr std::string_view kUnrepresentable[] = {"null", "text", "error"};
constexpr std::string_view kStreaming[] = {"off", "on"};
constexpr std::string_view kLog[] = {"auto", "text", "json"};
constexpr std::string_view kPlugin[] = {"auto", "wal2arrow", "pgoutput"};
constexpr std::string_view kOrigin[] = {"any", "none"};
constexpr std::string_view kCatchUp[] = {"stream", "sql"};
constexpr std::string_view kSnapshot[] = {"auto", "initial", "never", "only", "when-needed"};
constexpr std::string_view kReadersSnapshot[] = {"auto", "initial", "never", "only"};
constexpr std::string_view kStart[] = {"now", "earliest"};
constexpr std::string_view kConfigAction[] = {"check"};
constexpr std::string_view kParquetEncodings[] = {"default", "modern"};
constexpr std::string_view kCommit[] = {"by-hand", "on-next"};

constexpr std::string_view kSinkForms[] = {"parquet:", "ipc:",           "ipc:-",
                                           "console",  "console:ndjson", "console:table"};

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

using Http = Field<&Options::command, &CommandOptions::http>;

struct HttpField : Http {
  static arrow::Status Set(const OptionValue& value, Options& options) {
    ARROW_RETURN_NOT_OK(ParseListenAddress(std::get<std::string>(value)));
    return Http::Set(value, options);
  }
};

struct ViaLeavesField {
  static OptionValue Get(const Options& options) { return !options.setup.via_partition_root; }
  static arrow::Status Set(const OptionValue& value, Options& options) {
    options.setup.via_partition_root = !std::get<bool>(value);
    return arrow::Status::OK();
  }
};

// A connection string, which may be missing, and patterns.
struct TailArgumentsField {
  static OptionValue Get(const Options&) { return std::vector<std::string>(); }
  static arrow::Status Set(const OptionValue& value, Options& options) {
    auto words = std::get<std::vector<std::string>>(value);
    // An empty one means libpq's defaults.
    const bool is_empty = !words.empty() && words[0].empty() && options.source.conninfo.empty();
    if (is_empty || (!words.empty() && (LooksLikeConninfo(words[0]) || IsMysqlUrl(words[0])))) {
      options.source.conninfo = words[0];
      words.erase(words.begin());
    }
    options.source.tables.insert(options.source.tables.end(), words.begin(), words.end());
    return arrow::Status::OK();
  }
};

using PipelineUntil = Field<&Options::pipeline, &PipelineOptions::until>;
using ReadersUntil = Field<&Options::readers, &ReaderSetOptions::until>;

// FILE.000012:4567, which only a server can say more of.
bool LooksLikeBinlogPosition(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon + 1 == text.size()) return false;
  return text.substr(0, colon).find('.') != std::string_view::npos &&
         text.substr(colon + 1).find_first_not_of("0123456789") == std::string_view::npos;
}

// The source reads it, once it is connected: what it could not read is refused before.
struct UntilField : PipelineUntil {
  static arrow::Status Set(const OptionValue& value, Options& options) {
    const auto& text = std::get<std::string>(value);
    if (text == "now") return PipelineUntil::Set(value, options);
    if (IsMysql(options)) {
      if (LooksLikeBinlogPosition(text) && ParseBinlogPosition(text).ok())
        return PipelineUntil::Set(value, options);
      return MakeError(ErrorKind::kInvalidOption, "this is no place in a binary log", "until",
                       "give 'now' or a place as the server names it, as in binlog.000012:4567");
    }
    const arrow::Status read = ParseLsn(text).status();
    if (read.ok()) return PipelineUntil::Set(value, options);
    return MakeError(ErrorKind::kInvalidOption, read.message(), "until",
                     "give 'now' or an LSN as in 16/B374D848");
  }
};

constexpr Command kCommands[] = {
    {kSetup, "setup", "inspect the server, show what is missing, and make publication and slot", ""},
    {kAddTables, "add-tables", "publish more tables for a slot, whose stream goes on",
     "Example: arrowcdc add-tables public.invoices 'sales.*' --source ... --slot shop\n"
     "A stream into --sink parquet:DIR that began with a copy, and whose --tables match, finds them within a "
     "minute, or with their first change. It copies the rows that they have while it goes on. One that was "
     "given a list of tables has to be started again with the longer one."},
    {kStream, "stream", "stream changes into a sink",
     "A stream stops cleanly on Ctrl-C: what was received is stored and acknowledged. A second Ctrl-C does "
     "not wait."},
    {kTail, "tail", "show changes as they come, without any setup",
     "Example: arrowcdc tail 'host=db dbname=shop user=ana' 'public.*' '!public.audit_*'\n"
     "On a terminal it is a table, in colours unless NO_COLOR is set; in a pipe each row is a JSON object. "
     "It "
     "begins with what commits from now on, and Ctrl-C ends it. In PostgreSQL it makes a temporary slot and "
     "a "
     "publication, for which the role must own the tables, and drops both at the end; the tables are those "
     "that are there at the start. MySQL and MariaDB are only read."},
    {kStatus, "status", "show the slot and what WAL the server keeps for it", ""},
    {kDoctor, "doctor", "show what is in the way of a stream or hurts it later, and what to do",
     "Give it the options of setup and stream. The exit code is that of the first problem, 0 where there is "
     "none: warnings are no problems."},
    {kConfig, "config", "look at a file of options: config check FILE",
     "Every command takes such a file by --config; docs/configuration.md has its form."},
    {kTables, "tables", "show which tables match, which are published, and why not", ""},
    {kTeardown, "teardown", "drop the slot and the publications that setup made", ""},
    {kSql, "sql", "print a DuckDB query for the current rows of a table of --sink parquet:DIR",
     "Example: arrowcdc sql changes public.orders | duckdb\n"
     "The query honours changed keys, deletes, TRUNCATE, values that updates left alone, and columns that "
     "were added, dropped, renamed or given another type. docs/sinks.md says what else there is to know."},
    {kResnapshot, "resnapshot", "have a table copied anew by the stream into --sink parquet:DIR",
     "Example: arrowcdc resnapshot changes public.orders\n"
     "A stream that is running copies the table's rows within seconds, beside the changes; else the "
     "next one does. What the files have of the table from before no longer counts, and stays as it is."},
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
     .commands = kEveryWithSource | kAddTables | kTail,
     .type = kText,
     .field = Fills<Field<&Options::source, &PostgresOptions::conninfo>>(),
     .help =
         "PostgreSQL: libpq connection string or URI; what is missing comes from PG* variables, service "
         "and pgpass files. mysql://user@host:3306/ and mariadb://...: what is missing comes from MYSQL_PWD "
         "and ~/.my.cnf. binlog:DIR: the binary log files of a directory",
     .secret = true},
    {.section = "source",
     .name = "slot",
     .python = "slot",
     .commands = kEveryWithSource | kAddTables,
     .type = kText,
     .field = Fills<Field<&Options::source, &PostgresOptions::slot>>(),
     .help = "replication slot, for one program and the same tables each time; setup gives its publication "
             "the same name",
     .database = Database::kPostgres},
    {.section = "source",
     .name = "publication",
     .python = "publications",
     .commands = kEveryWithSource | kAddTables,
     .type = kList,
     .field = Fills<Field<&Options::source, &PostgresOptions::publications>>(),
     .help = "publications to read (default: the slot's name, with SLOT_insert_only where setup made it)",
     .database = Database::kPostgres},
    {.section = "source",
     .name = "tables",
     .python = "tables",
     .commands = kEveryWithSource | kTail,
     .type = kList,
     .field = Fills<Field<&Options::source, &PostgresOptions::tables>>(),
     .help = "table patterns, as in 'public.*' 'public.user_[0-9]+' '!public.audit_*' (default: every "
             "table); grammar: docs/patterns.md"},
    {.section = "source",
     .name = "start",
     .python = "start",
     .commands = kStream,
     .type = kChoice,
     .field = Fills<WordField<kStart, &Options::mysql, &MysqlOptions::start>>(),
     .help =
         "where a sink that is new, or keeps nothing, begins: now, or with the earliest binary log that is "
         "there",
     .python_help = "where the readers begin: now, or with the earliest binary log that is there",
     .words = kStart,
     .database = Database::kMysql},
    {.section = "source",
     .name = "accept-cascades",
     .python = "accept_cascades",
     .commands = kStream | kSetup | kTables | kTail,
     .type = kFlag,
     .field = Fills<Field<&Options::mysql, &MysqlOptions::accept_cascades>>(),
     .help =
         "capture tables that foreign keys change by CASCADE or SET NULL, although the binary log does not "
         "have those changes",
     .database = Database::kMysql},
    {.section = "source",
     .name = "messages",
     .python = "messages",
     .commands = kStream,
     .type = kFlag,
     .field = Fills<Field<&Options::source, &PostgresOptions::messages>>(),
     .help = "take what pg_logical_emit_message writes, too: as rows of the table "
             "pg_catalog._arrowcdc_messages, whatever the patterns are",
     .python_help = "take what pg_logical_emit_message writes, too: readers['_arrowcdc_messages'] gives it, "
                    "whatever the patterns are",
     .database = Database::kPostgres},
    {.section = "source",
     .name = "plugin",
     .python = "plugin",
     .commands = kEveryWithSource | kAddTables | kTail,
     .type = kChoice,
     .field = Fills<WordField<kPlugin, &Options::source, &PostgresOptions::plugin>>(),
     .help = "output plugin of the slot: wal2arrow, which must be installed on the server, pgoutput, which "
             "every server has, or auto (the slot's; for a new one wal2arrow where it is there and allowed, "
             "else pgoutput)",
     .words = kPlugin,
     .database = Database::kPostgres},
    {.section = "source",
     .name = "catch-up",
     .commands = kStream,
     .type = kChoice,
     .field = Fills<WordField<kCatchUp, &Options::source, &PostgresOptions::catch_up>>(),
     .help =
         "how much that waits in a slot of pgoutput is read, into sinks that keep data: by SQL in chunks, "
         "which takes temporary space and a replication slot more on the server, or by the stream",
     .words = kCatchUp,
     .database = Database::kPostgres},
    {.section = "setup",
     .name = "insert-only",
     .python = "insert_only",
     .commands = kSetup | kAddTables | kDoctor,
     .type = kFlag,
     .field = Fills<Field<&Options::setup, &SetupOptions::insert_only>>(),
     .help = "publish only inserts and truncates of tables without a usable replica identity",
     .database = Database::kPostgres},
    {.section = "setup",
     .name = "partitions-as-tables",
     .commands = kSetup | kDoctor,
     .type = kFlag,
     .field = Fills<ViaLeavesField>(),
     .help = "publish each partition under its own name instead of the partitioned table's",
     .database = Database::kPostgres},
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
     .required = true,
     .forms = kSinkForms},
    {.section = "",
     .name = "until",
     .python = "until",
     .commands = kStream,
     .type = kPosition,
     .field = Fills<UntilField, ReadersUntil>(),
     .help =
         "stop when everything up to here is delivered: 'now' (the end of the server's log at the start), "
         "an LSN as in 16/B374D848, or (MySQL, MariaDB) a place as in binlog.000012:4567",
     .python_help = "stop when everything up to here is delivered: 'now' (the end of the server's log at the "
                    "start), an LSN as in '16/B374D848', that as an int, or (MySQL, MariaDB) a place as in "
                    "'binlog.000012:4567'"},
    {.section = "",
     .name = "for",
     .commands = kStream | kTail,
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
     .help = "begin although the slot was set up for other tables: nobody else reads it",
     .database = Database::kPostgres},
    {.section = "snapshot",
     .name = "snapshot",
     .commands = kStream,
     .type = kChoice,
     .field = Fills<WordField<kSnapshot, &Options::command, &CommandOptions::snapshot>>(),
     .help =
         "rows that were there before the stream: initial (into a new sink they are copied first, later "
         "those of tables that were added), never, only (they are copied, and nothing is streamed), "
         "when-needed (as initial, and all of them again where the slot has passed changes that the sink "
         "never got), or auto (initial for parquet:DIR and ipc:FILE where nobody has read the slot, never "
         "for console and ipc:-)",
     .words = kSnapshot},
    {.section = "snapshot",
     .name = "snapshot-of-readers",
     .python = "snapshot",
     .type = kChoice,
     .field = Fills<WordField<kReadersSnapshot, &Options::package, &PackageOptions::snapshot>>(),
     .help = "rows that were there before: initial (the readers give them first), never, only (they "
             "give nothing else), or auto (initial as long as nothing that came by the slot was ever "
             "committed, else never)",
     .words = kReadersSnapshot},
    {.section = "snapshot",
     .name = "snapshot-connections",
     .python = "snapshot_connections",
     .commands = kStream,
     .type = kCount,
     .field = Fills<Field<&Options::pipeline, &PipelineOptions::snapshot_connections>,
                    Field<&Options::readers, &ReaderSetOptions::snapshot_connections>>(),
     .help = "sessions that copy such rows at the same time (0: as many as this machine has cores, at most "
             "4); 1 is gentle to the server",
     .minimum = 0},
    {.section = "",
     .name = "accept-gap",
     .commands = kStream,
     .type = kFlag,
     .field = Fills<Field<&Options::pipeline, &PipelineOptions::accept_gap>>(),
     .help = "start although the slot has passed changes that the sink never got: they stay lost"},
    {.section = "",
     .name = "accept-plugin",
     .commands = kStream,
     .type = kFlag,
     .field = Fills<Field<&Options::pipeline, &PipelineOptions::accept_plugin>>(),
     .help = "go on with a sink whose rows another output plugin decoded: some columns have other types "
             "from then on",
     .database = Database::kPostgres},
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
     .words = kOnUnpublished,
     .database = Database::kPostgres},
    {.section = "sink",
     .name = "roll-bytes",
     .commands = kStream,
     .type = kSize,
     .field = Fills<Field<&Options::sink, &SinkOptions::roll_bytes>>(),
     .help = "close a file at this size",
     .minimum = 1,
     .sinks = kParquetSink | kIpcFileSink},
    {.section = "sink",
     .name = "roll-rows",
     .commands = kStream,
     .type = kCount,
     .field = Fills<Field<&Options::sink, &SinkOptions::roll_rows>>(),
     .help = "close a file at this many rows",
     .minimum = 1,
     .sinks = kParquetSink},
    {.section = "sink",
     .name = "roll-age",
     .commands = kStream,
     .type = kDuration,
     .field = Fills<Field<&Options::sink, &SinkOptions::roll_age>>(),
     .help = "close files, and acknowledge, when their oldest row is this old: the longest time a change "
             "waits",
     .minimum = 1,
     .sinks = kParquetSink | kIpcFileSink},
    {.section = "sink",
     .name = "parquet-encodings",
     .commands = kStream,
     .type = kChoice,
     .field = Fills<
         WordField<kParquetEncodings, &Options::sink, &SinkOptions::parquet, &ParquetOptions::encodings>>(),
     .help =
         "of Parquet files: default, which every reader reads, or modern, smaller where whole numbers and "
         "times hardly repeat, which DuckDB before 0.10 and older readers of Iceberg do not read",
     .words = kParquetEncodings,
     .sinks = kParquetSink},
    {.section = "sink",
     .name = "parquet-compression-level",
     .commands = kStream,
     .type = kCount,
     .field = Fills<Field<&Options::sink, &SinkOptions::parquet, &ParquetOptions::compression_level>>(),
     .help = "of Zstandard in Parquet files: a higher one makes them smaller and costs more CPU",
     .minimum = 1,
     .maximum = 22,
     .sinks = kParquetSink},
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
     .words = kCompression,
     .database = Database::kPostgres},
    {.section = "source",
     .name = "origin",
     .python = "origin",
     .commands = kStream,
     .type = kChoice,
     .field = Fills<WordField<kOrigin, &Options::source, &PostgresOptions::origin>>(),
     .help = "whose changes come: any, or none for those that no replication has brought to the server from "
             "elsewhere (replication origins)",
     .words = kOrigin,
     .database = Database::kPostgres},
    {.section = "source",
     .name = "numeric",
     .python = "numeric",
     .commands = kStream,
     .type = kText,
     .field = Fills<Field<&Options::source, &PostgresOptions::numeric>>(),
     .help = "what numeric columns without a precision become: text, double or decimal(P,S) (docs/types.md)",
     .database = Database::kPostgres},
    {.section = "source",
     .name = "unrepresentable",
     .python = "unrepresentable",
     .commands = kStream,
     .type = kChoice,
     .field = Fills<WordField<kUnrepresentable, &Options::source, &PostgresOptions::unrepresentable>>(),
     .help = "values that have no Arrow form (docs/types.md): null, which _unrepresentable tells of; text, "
             "where columns whose type has such values are text; or error, which ends the stream there",
     .words = kUnrepresentable},
    {.section = "source",
     .name = "latency",
     .python = "latency",
     .commands = kStream,
     .type = kDuration,
     .field = Fills<Field<&Options::source, &PostgresOptions::latency>>(),
     .help = "how long wal2arrow may let commits wait for more of them, which costs the server less; at most "
             "1s (default: 50ms into parquet:DIR and ipc:FILE, else 0ms)",
     .python_help = "how long wal2arrow may let commits wait for more of them, which costs the server less; "
                    "at most 1 (default: 0)",
     .minimum = 0,
     .maximum = 1000,
     .database = Database::kPostgres},
    {.section = "source",
     .name = "streaming",
     .python = "streaming",
     .commands = kStream,
     .type = kChoice,
     .field = Fills<WordField<kStreaming, &Options::source, &PostgresOptions::streaming>>(),
     .help = "large transactions: on, they are sent while they are in progress and kept in the spool until "
             "they commit, or off, the server keeps them",
     .words = kStreaming,
     .database = Database::kPostgres},
    {.section = "source",
     .name = "spool-dir",
     .python = "spool_directory",
     .commands = kStream,
     .type = kText,
     .field = Fills<Field<&Options::source, &PostgresOptions::spool_directory>>(),
     .help = "directory of the spool, a file without a name (default: $TMPDIR, else /var/tmp)",
     .path = PathKind::kDirectory},
    {.section = "source",
     .name = "spool-max",
     .python = "spool_bytes_max",
     .commands = kStream,
     .type = kSize,
     .field = Fills<Field<&Options::source, &PostgresOptions::spool_bytes_max>>(),
     .help = "disk that transactions in progress may take; above it the server keeps them, as with "
             "streaming off (MySQL: the stream ends); 0: what the disk has",
     .minimum = 0},
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
    {.section = "monitor",
     .name = "http",
     .commands = kStream,
     .type = kText,
     .field = Fills<HttpField>(),
     .help = "listen there for HTTP: PORT (of this machine alone), ADDRESS:PORT or [IPv6]:PORT, port 0 for a "
             "free one; /metrics (Prometheus), /healthz, /readyz, /status.json, and a page for people at /"},
    {.section = "monitor",
     .name = "http-host",
     .commands = kStream,
     .type = kList,
     .field = Fills<Field<&Options::command, &CommandOptions::http_hosts>>(),
     .help = "names by which others reach --http, besides addresses, localhost and this machine's name"},
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
     .commands = kSetup | kAddTables | kTeardown,
     .type = kFlag,
     .field = Fills<Field<&Options::command, &CommandOptions::yes>>(),
     .help = "do not ask",
     .letter = 'y'},
    {.section = "",
     .name = "print-sql",
     .commands = kSetup | kAddTables | kTeardown,
     .type = kFlag,
     .field = Fills<Field<&Options::command, &CommandOptions::print_sql>>(),
     .help = "print the exact SQL and change nothing"},
    {.section = "source",
     .name = "password-command",
     .commands = kEveryWithSource | kAddTables | kTail,
     .type = kText,
     .field = Fills<Field<&Options::command, &CommandOptions::password_command>>(),
     .help =
         "command for /bin/sh that prints the password; run at the start, and again where the server refuses "
         "what it printed; what it prints otherwise goes to standard error"},
    {.section = "",
     .name = "config",
     .commands = kEveryWithSource | kAddTables | kTail,
     .type = kText,
     .field = Fills<Field<&Options::command, &CommandOptions::config>>(),
     .help = "file of options in YAML, which others on the command line win over",
     .path = PathKind::kFile},
    {.section = "",
     .name = "ACTION",
     .commands = kConfig,
     .type = kChoice,
     .field = Fills<WordField<kConfigAction, &Options::command, &CommandOptions::config_action>>(),
     .help = "check: say what is wrong in the file, and which options it sets",
     .words = kConfigAction,
     .required = true,
     .positional = true},
    {.section = "",
     .name = "FILE",
     .commands = kConfig,
     .type = kText,
     .field = Fills<Field<&Options::command, &CommandOptions::config>>(),
     .help = "the file",
     .required = true,
     .positional = true,
     .path = PathKind::kFile},
    {.section = "",
     .name = "json",
     .commands = kStatus | kDoctor,
     .type = kFlag,
     .field = Fills<Field<&Options::command, &CommandOptions::json>>(),
     .help = "print the result as JSON, an object a line"},
    {.section = "",
     .name = "watch",
     .commands = kStatus,
     .type = kDuration,
     .field = Fills<Field<&Options::command, &CommandOptions::watch>>(),
     .help = "look again every so often, as in 5s, and print a line each time, until it is stopped",
     .minimum = 100},
    {.section = "",
     .name = "CONNINFO",
     .commands = kTail,
     .type = kList,
     .field = Fills<TailArgumentsField>(),
     .help = "connection string, as --source takes it, and behind it table patterns, as --tables takes them",
     .positional = true,
     .secret = true},
    {.section = "",
     .name = "DIR",
     .commands = kSql | kResnapshot,
     .type = kText,
     .field = Fills<Field<&Options::command, &CommandOptions::directory>>(),
     .help = "the directory of the sink",
     .required = true,
     .positional = true,
     .path = PathKind::kDirectory},
    {.section = "",
     .name = "TABLE",
     .commands = kSql | kResnapshot,
     .type = kText,
     .field = Fills<Field<&Options::command, &CommandOptions::table>>(),
     .help = "schema.table; where a name holds a dot, in double quotes: 'public.\"Order.Items\"'",
     .required = true,
     .positional = true},
    {.section = "",
     .name = "withdraw",
     .commands = kResnapshot,
     .type = kFlag,
     .field = Fills<Field<&Options::command, &CommandOptions::withdraw>>(),
     .help = "take back the request that the table be copied anew: it was dropped, say"},
    {.section = "",
     .name = "TABLES",
     .commands = kAddTables,
     .type = kList,
     .field = Fills<Field<&Options::source, &PostgresOptions::tables>>(),
     .help = "table patterns, as --tables takes them",
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
