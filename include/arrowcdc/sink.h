// Sink: takes change batches and says when they are durable.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/result.h>

#include "arrowcdc/change_batch.h"
#include "arrowcdc/position.h"
#include "arrowcdc/snapshot.h"
#include "arrowcdc/stop_token.h"

namespace arrowcdc {

// A snapshot that has begun.
struct SnapshotState {
  std::vector<CopiedTable> copied;  // tables whose rows are all there; of one that was copied again both
  bool complete = false;            // no others will follow
  // Where it is not for all tables: those that are still to be copied, by name.
  std::optional<std::vector<TableName>> only;
};

// Tables that somebody beside this process asked to be copied anew.
struct SnapshotRequests {
  std::vector<TableName> tables;      // each once
  std::vector<TableName> withdrawn;   // asked for before, and not any more
  std::vector<arrow::Status> unread;  // requests that cannot be read
};

// What a sink found in its storage when it was opened.
struct SinkState {
  std::optional<Position> position;            // everything up to here is durable; none: it has no rows yet
  std::map<TableName, RowPosition> last_rows;  // last durable row per table; may be beyond `position`
  std::optional<StreamIdentity> stream;        // as it was stored; none: the storage is new
  std::map<TableName, uint32_t>
      table_ids;  // TableSchema::table_id of the tables that it has rows of, as far as it knows
  // Of the rows that tables had before their changes: none, where nobody asked for them.
  std::optional<SnapshotState> snapshot;
  // Tables that it has stored rows of, and whose place is gone, and those whose place is empty although rows
  // were copied there: somebody may have moved these away.
  std::vector<TableName> gone;
  std::vector<TableName> emptied;
};

// One sink. Threads: all calls come from one thread. Blocking: calls may block on storage; the source slows
// down meanwhile. Errors: a failed call leaves what is durable intact; after it only Close may be called.
class Sink : public SnapshotTarget {
 public:
  // False: the sink keeps nothing (console, pipes); its rows are never durable by themselves.
  virtual bool keeps_data() const = 0;

  // Absolute path of the directory or file; empty: standard output.
  virtual std::string location() const { return {}; }

  // Reads the storage, removes what a crash left half-written. kPositionGap when the storage belongs to
  // another source or slot, kSink when it is not of a version of the format that this build knows.
  virtual arrow::Result<SinkState> Open(const StreamIdentity& stream) = 0;

  // Accepts rows. The caller has already left out rows at or before SinkState::last_rows.
  virtual arrow::Status Write(const ChangeBatch& batch) = 0;

  // A group boundary: all rows up to `position` were accepted and none after it. Called before the first
  // rows of a new storage and of an epoch, too: then with where the stream begins.
  virtual arrow::Status Advance(const Position& position) = 0;

  // Makes all that was accepted durable and stores the position of the last Advance.
  virtual arrow::Status Flush() = 0;

  // Closes what is over its age; the caller calls it at least once a second.
  virtual arrow::Status Tick() = 0;

  // --- rows that were there before the stream ---
  // What stands here is for sinks that keep nothing.

  int snapshot_writers_max() const override { return 1; }

  // Whether rows of the stream may be written while parts of a snapshot are. Those are written by threads of
  // their own; BeginPart and CompleteTable are called from the one that writes the stream's.
  virtual bool copies_beside_stream() const { return false; }

  // Stores that a snapshot has begun, of all tables or of `only` these, and the position of the last Advance,
  // where the stream begins: whatever becomes of this process, the next one goes on with both. Again where it
  // goes on: `only` is what is stored then. Returns the finished parts of tables that were not completed.
  virtual arrow::Result<std::vector<SnapshotPart>> BeginSnapshot(
      const std::optional<std::vector<TableName>>& /*only*/) {
    return std::vector<SnapshotPart>();
  }
  // Before the first part: of those the ones of these tables count, with what follows. The others are gone,
  // and with them all rows of tables that were not completed.
  virtual arrow::Status KeepParts(const std::set<TableName>& /*tables*/) { return arrow::Status::OK(); }

  arrow::Result<std::unique_ptr<SnapshotPartWriter>> BeginPart(const SnapshotPart& part) override;
  arrow::Status CompleteTable(const CopiedTable& /*table*/) override { return arrow::Status::OK(); }

  // What RequestSnapshot has left. Once the tables are among those of BeginSnapshot EndSnapshotRequests takes
  // the requests away, and what parts there are of the tables.
  virtual arrow::Result<SnapshotRequests> ReadRequests() { return SnapshotRequests(); }
  virtual arrow::Status EndSnapshotRequests(const std::vector<TableName>& /*tables*/) {
    return arrow::Status::OK();
  }

  // No tables follow: stored on return.
  virtual arrow::Status EndSnapshot() { return arrow::Status::OK(); }

  // Last position that is durable and stored (for sinks that keep nothing: that was handed on), or none.
  // None before Open has succeeded: what a killed process left may not be stable. Never goes backwards.
  virtual std::optional<Position> durable() const = 0;

  // True when rows were accepted that are not durable yet.
  virtual bool has_pending_rows() const = 0;

  // Flush, then release files. Idempotent.
  virtual arrow::Status Close() = 0;
};

// A file of changes that is complete: its rows are durable.
struct ClosedFile {
  TableName table;
  std::string path;
  int64_t rows = 0;
  int64_t bytes = 0;
  RowPosition last_row;
};

// How the values of a Parquet file's columns are encoded where they do not come again.
enum class ParquetEncodings {
  kDefault,  // as they are, which every reader reads
  kModern,   // whole numbers, dates and times by their differences
};

struct ParquetOptions {
  ParquetEncodings encodings = ParquetEncodings::kDefault;
  int64_t compression_level = 1;  // of Zstandard, 1 to 22
};

struct SinkOptions {
  int64_t roll_bytes = 128 << 20;  // of a file, as written
  int64_t roll_rows = 10'000'000;
  std::chrono::milliseconds roll_age{30'000};  // of the oldest row that is not durable
  ParquetOptions parquet;
  // Ends the wait for a reader of standard output that does not read: kInterrupted. Null: nothing does.
  std::shared_ptr<StopToken> stop;
  // Of parquet:DIR; called from the thread of the sink. Null: nobody is told.
  std::function<void(const ClosedFile&)> on_file_closed = nullptr;
};

// Leaves in a directory of the Parquet sink the request that a table be copied anew: the stream that writes
// there, or the next one, does so, and what the files have of the table from before no longer counts. `table`
// as CurrentStateQuery takes it. Returns its name. Blocking: on files. Errors: kInvalidOption where it has no
// such table, was begun without a copy, or has not completed its first one; kSink where the request cannot be
// left. withdraw: leaves that it be not, where it was asked for; kInvalidOption where nobody did.
arrow::Result<TableName> RequestSnapshot(const std::string& directory, const std::string& table,
                                         bool withdraw = false);

// "parquet:DIR", "ipc:FILE", "ipc:-", "console", "console:ndjson", "console:table".
// DIR and FILE are local paths or file:///PATH; other URLs and a leading '~' are refused.
// Errors: kInvalidOption with the list of forms, never with what follows the scheme: that may be secret. Does
// not touch the storage before Open.
arrow::Result<std::unique_ptr<Sink>> MakeSink(std::string_view uri, const SinkOptions& options);

}  // namespace arrowcdc
