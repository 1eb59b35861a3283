// Sink: takes change batches and says when they are durable.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/result.h>

#include "arrowcdc/change_batch.h"
#include "arrowcdc/position.h"
#include "arrowcdc/stop_token.h"

namespace arrowcdc {

// What a sink found in its storage when it was opened.
struct SinkState {
  std::optional<Position> position;            // everything up to here is durable; none: it has no rows yet
  std::map<TableName, RowPosition> last_rows;  // last durable row per table; may be beyond `position`
  std::optional<StreamIdentity> stream;        // as it was stored; none: the storage is new
  std::map<TableName, uint32_t>
      table_ids;  // TableSchema::table_id of the tables that it has rows of, as far as it knows
};

// One sink. Threads: all calls come from one thread. Blocking: calls may block on storage; the source slows
// down meanwhile. Errors: a failed call leaves what is durable intact; after it only Close may be called.
class Sink {
 public:
  virtual ~Sink() = default;

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

  // Last position that is durable and stored (for sinks that keep nothing: that was handed on), or none.
  // None before Open has succeeded: what a killed process left may not be stable. Never goes backwards.
  virtual std::optional<Position> durable() const = 0;

  // True when rows were accepted that are not durable yet.
  virtual bool has_pending_rows() const = 0;

  // Flush, then release files. Idempotent.
  virtual arrow::Status Close() = 0;
};

struct SinkOptions {
  int64_t roll_bytes = 128 << 20;  // of a file, as written
  int64_t roll_rows = 10'000'000;
  std::chrono::milliseconds roll_age{30'000};  // of the oldest row that is not durable
  // Ends the wait for a reader of standard output that does not read: kInterrupted. Null: nothing does.
  std::shared_ptr<StopToken> stop;
};

// "parquet:DIR", "ipc:FILE", "ipc:-", "console", "console:ndjson", "console:table".
// DIR and FILE are local paths or file:///PATH; other URLs and a leading '~' are refused.
// Errors: kInvalidOption with the list of forms, never with what follows the scheme: that may be secret. Does
// not touch the storage before Open.
arrow::Result<std::unique_ptr<Sink>> MakeSink(std::string_view uri, const SinkOptions& options);

}  // namespace arrowcdc
