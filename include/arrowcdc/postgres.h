// PostgreSQL as a source, and what an administrator does with one: set up, look, take down, each on a
// short-lived SQL connection of its own.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "arrowcdc/administration.h"
#include "arrowcdc/change_batch.h"
#include "arrowcdc/error.h"
#include "arrowcdc/source.h"
#include "arrowcdc/stop_token.h"
#include "arrowcdc/unrepresentable.h"

namespace arrowcdc {

// How the server compresses batches for their way here. kAuto: LZ4, and nothing where they do not leave the
// machine (a unix socket, a loopback address).
enum class WireCompression { kAuto, kNone, kLz4, kZstd };

// "auto", "none", "lz4" or "zstd". Errors: kInvalidOption.
arrow::Result<WireCompression> ParseWireCompression(const std::string& text);

// Who decodes in the server: wal2arrow, which must be installed there, or PostgreSQL's own pgoutput.
enum class OutputPlugin {
  kAuto,  // that of the slot; for a new one wal2arrow where it is there and allowed, else pgoutput
  kWal2arrow,
  kPgoutput,
};
// "auto", "wal2arrow", "pgoutput".
const char* OutputPluginName(OutputPlugin plugin);

// How what a slot of pgoutput holds is read before the stream is taken (docs/managed.md).
enum class CatchUp {
  kStream,  // by the stream, as the rest
  kSql,     // by SQL functions in chunks, where there is much of it: the server decodes faster so
};

// Of which origin changes are sent.
enum class Origin {
  kAny,
  kNone,  // those that no replication from elsewhere has brought
};

struct PostgresOptions {
  std::string conninfo;  // libpq keywords or URI; PG* variables, service and pgpass as libpq has them
  std::string slot = "arrowcdc";
  // The slot is made when the source connects and gone with that connection, which is the only one: after it
  // Connect is kSlotMissing. For MakeTemporarySetup.
  bool temporary = false;
  std::vector<std::string>
      publications;  // empty: the slot's name, and that name plus "_insert_only" where it exists
  std::vector<std::string> tables;            // patterns, docs/patterns.md
  OutputPlugin plugin = OutputPlugin::kAuto;  // of the slot, which has one for ever
  int64_t buffer_bytes_max = 64 << 20;        // between the socket and the reader of events
  std::chrono::milliseconds status_interval{10'000};
  WireCompression compression = WireCompression::kAuto;
  bool batching =
      true;  // batches across transactions; off: a batch a transaction, as for clients without our contract
  bool drain = true;  // the plugin decodes many WAL records a turn of the walsender's loop
  // How long the plugin may let what is committed wait for more, which costs server and client less; up to a
  // second. None: not at all.
  std::optional<std::chrono::milliseconds> latency;
  // Transactions are sent while they are in progress, and kept in a file of the spool until they commit.
  bool streaming = true;
  std::string spool_directory;   // empty: the directory for temporary files
  int64_t spool_bytes_max = 0;   // over it the server keeps transactions back; 0: the disk is the bound
  std::string numeric = "text";  // of numeric columns without a precision: text, double or decimal(P,S)
  Unrepresentable unrepresentable = Unrepresentable::kNull;
  bool messages = false;  // logical messages come, too
  Origin origin = Origin::kAny;
  CatchUp catch_up = CatchUp::kStream;      // of pgoutput
  int64_t catch_up_messages = 1'000'000;    // that are asked to be stored at once; with a transaction's rest
  int64_t catch_up_bytes_min = 16 << 20;    // of WAL behind the slot, for a chunk to be worth it
  int64_t snapshot_part_bytes = 128 << 20;  // of a table, read at a time; with what its rows have in TOAST
  // Ends what waits for the server: a connection attempt with its name resolution, a query (which is
  // cancelled there). Its error is kInterrupted. Null: nothing does.
  std::shared_ptr<StopToken> stop;
};

// Connects at Source::Connect. Errors: kInvalidOption.
arrow::Result<std::unique_ptr<Source>> MakePostgresSource(const PostgresOptions& options);

// --- administration ---

struct SetupOptions {
  bool insert_only = false;  // tables without a usable replica identity: publish inserts and truncates only
  bool via_partition_root = true;
  // A slot that was set up for other patterns is set up for these from now on; false: that is an obstacle.
  bool accept_tables = true;
  // The patterns come to those that the slot was set up for; without the slot that is an obstacle.
  bool add_tables = false;
};

enum class SetupStepKind {
  kAllowPlugin,
  kCreatePublication,
  kAlterPublication,
  kAllowReading,
  kCreateSlot,
  kNote,
  kDropSlot,
  kDropPublication,
};

struct SetupStep {
  SetupStepKind kind = SetupStepKind::kNote;
  std::string what;  // for people: create publication "arrowcdc" for 3 tables
  std::string sql;   // exact
};

// What setup or teardown found and would do. Steps are in the order in which they must be committed, one by
// one.
struct SetupPlan {
  std::vector<std::string> checks;  // what was inspected and found right, for people
  std::vector<std::string> warnings;
  std::vector<SetupObstacle> obstacles;  // all of them; while there is one nothing is changed
  std::vector<SetupStep> steps;          // empty: nothing to do
  std::vector<SetupStep> grants;      // what another role that streams needs besides: not run by ApplySetup
  std::vector<TableName> tables;      // matched and capturable
  std::vector<std::string> patterns;  // where added tables make them other ones: all that the slot is for
  OutputPlugin plugin = OutputPlugin::kAuto;  // of the slot, there or to be made
  SetupOptions options;
  bool teardown = false;
};

// OK, or an error of the first obstacle's kind that names all of them.
arrow::Status CheckObstacles(const SetupPlan& plan);
// One block of SQL for an administrator, that psql can run as it is: what removes the obstacles, then the
// steps as far as they can be run without a restart, then the grants. Empty: there is nothing to run, or SQL
// alone does not help.
std::string AdministratorSql(const SetupPlan& plan);

// Inspects, and tries what only trying tells: a replication connection, the plugin through a temporary slot,
// the publications in a transaction that is rolled back.
// Errors: no connection, a pattern or name that cannot be, a server that cannot; everything
// else is an obstacle in the plan.
arrow::Result<SetupPlan> PlanSetup(const PostgresOptions& source, const SetupOptions& options);
// Runs the steps in order; on_step is called before each. With an obstacle it changes nothing. Where somebody
// else was quicker it plans anew, a few times. Of a slot whose making was stopped (PostgresOptions::stop)
// nothing stays. Errors: CheckObstacles; of the step that failed; kBusy where others change the same
// (retryable).
arrow::Status ApplySetup(const PostgresOptions& source, const SetupPlan& plan,
                         const std::function<void(const SetupStep&)>& on_step);

// Drops the slot, and the publications that setup made and no other slot reads.
arrow::Result<SetupPlan> PlanTeardown(const PostgresOptions& source);

// What a stream has on the server that leaves nothing behind.
struct TemporarySetup {
  PostgresOptions source;  // to make the Source with
  std::vector<TableName> tables;
  std::vector<std::string> notes;  // for people
  std::shared_ptr<void> in_use;    // while it lives none else takes the publications for left over
};

// Makes publications for the tables of source.tables, by a name of their own, and says by which slot to
// stream them; source.slot and source.publications count for nothing. Tables without a usable identity
// are published with inserts and truncates only, so that no UPDATE of anybody's is refused. First drops what
// others that were killed have left, as far as the role may. Errors: as PlanSetup and ApplySetup.
arrow::Result<TemporarySetup> MakeTemporarySetup(const PostgresOptions& source);
// Drops the publications, once the stream has ended; whatever source.stop says, within half a second
// or so. Errors: of the connection and the server: the next one drops them then.
arrow::Status DropTemporarySetup(const TemporarySetup& setup);

struct SlotStatus {
  bool exists = false;
  std::string plugin;
  std::string database;
  bool active = false;
  std::optional<int> active_pid;
  uint64_t confirmed_flush = 0;
  uint64_t restart_lsn = 0;
  uint64_t current_lsn = 0;
  uint64_t retained_bytes = 0;            // WAL the server keeps because of the slot
  std::optional<int64_t> safe_wal_bytes;  // left before max_slot_wal_keep_size invalidates it
  std::string wal_status;
  std::string invalidation;  // why the slot is lost; empty: it is not
  // How long the last WAL that the client reported as durable had taken, by pg_stat_replication. None: nobody
  // streams, nothing was reported for a while, or the role may not see it.
  std::optional<std::chrono::milliseconds> flush_lag;
  std::vector<std::string> publications;
  arrow::Status usable;  // kSlotMissing, which names the slots that there are; kSlotInvalidated
};
arrow::Result<SlotStatus> GetSlotStatus(const PostgresOptions& source);

// The end of the server's WAL: everything that was committed before it was asked for ends at or before it.
struct WalEnd {
  uint64_t lsn = 0;
  bool flushed = true;  // false: WAL of transactions in progress lies behind it, which nothing has flushed
};
// Now, as Source::CurrentEnd.
arrow::Result<WalEnd> GetWalEnd(const PostgresOptions& source);

// Where commits wait, or may, for the client that streams the slot, as pg_stat_replication tells it:
// potential, sync or quorum. Empty where they do not, where nobody streams, or the role may not see it.
arrow::Result<std::string> GetSyncState(const PostgresOptions& source);

// All tables of the database that could be captured, matching or not.
arrow::Result<std::vector<TableStatus>> ListTables(const PostgresOptions& source);

// Everything that is in the way of a stream or hurts it later: what PlanSetup inspects and tries, and the
// slot's health, limits, open transactions, tables. Changes nothing. Takes a second longer than what it asks,
// to see how fast WAL is written. Errors: as PlanSetup where it cannot look at all.
arrow::Result<std::vector<Finding>> Examine(const PostgresOptions& source, const SetupOptions& options);

}  // namespace arrowcdc
