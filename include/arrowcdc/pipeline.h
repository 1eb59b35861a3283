// Pipeline: source -> sink with acknowledgement of what is durable, skipping of rows the sink already has,
// reconnects.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include <arrow/status.h>

#include "arrowcdc/sink.h"
#include "arrowcdc/snapshot.h"
#include "arrowcdc/source.h"
#include "arrowcdc/stop_token.h"
#include "arrowcdc/table_patterns.h"

namespace arrowcdc {

struct PipelineOptions {
  // Stop when everything up to here is delivered: a position as the source reads it, or "now", the end of the
  // source's log at the start.
  std::optional<std::string> until;
  bool accept_tables = false;  // begin with a slot that was set up for other tables
  bool accept_gap = false;     // start although the sink lacks changes that the slot has passed
  bool accept_plugin = false;  // go on with a sink whose rows another output plugin decoded
  OnUnpublished on_unpublished = OnUnpublished::kGoOn;
  // kAuto: initial where the sink keeps data and nobody has read the slot, else never. Initial: into a sink
  // that has none and has not begun without.
  SnapshotMode snapshot = SnapshotMode::kNever;
  int64_t snapshot_connections = 0;  // sessions that copy at the same time; 0: as many as cores, up to 4
  bool ack_on_write = false;         // sinks that keep nothing: acknowledge what was handed on
  // Give up after failing for so long; 0: at once. None: before anything was streamed after 60 s (10 s for an
  // active slot), later never.
  std::optional<std::chrono::milliseconds> retry_max;
};

// Of one table, as it was handed to the sink.
struct TableCounts {
  uint64_t rows = 0;
  uint64_t bytes = 0;  // of the Arrow buffers
  uint64_t batches = 0;
};

// Batches by the time from the commit of their oldest row, by the server's clock, until they were durable; in
// a sink that keeps nothing, until they were handed on.
struct LatencyHistogram {
  static constexpr std::array<double, 14> kBounds = {0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1,
                                                     2.5,  5,     10,   30,  60,   300, 1800};  // seconds
  std::array<uint64_t, kBounds.size() + 1> counts{};  // up to each bound and above the one before; above all
  double sum = 0;                                     // seconds
};

struct PipelineStats {
  static constexpr size_t kTablesMax = 1000;  // that are counted one by one

  uint64_t rows = 0;                               // handed to the sink
  uint64_t rows_skipped = 0;                       // already durable in the sink
  uint64_t rows_unmatched = 0;                     // of tables outside the patterns
  std::map<TableName, uint64_t> unmatched_tables;  // the same by table; of the first 1,000
  uint64_t tables_unpublished = 0;                 // asked for, and known not to come: each was told once
  uint64_t unrepresentable = 0;                    // values without an Arrow form
  uint64_t reconnects = 0;
  std::optional<Position> delivered;  // last safe position handed to the sink
  std::optional<Position> durable;    // last acknowledged
  uint64_t server_lsn = 0;
  uint64_t received_bytes = 0;
  int64_t queue_bytes = 0;  // received, and not decoded yet
  bool connected = false;
  std::map<TableName, TableCounts> tables;  // of the first kTablesMax
  TableCounts other_tables;                 // of the others together
  uint64_t schema_changes = 0;
  LatencyHistogram commit_to_durable;
  // Everything that committed before it is durable, as far as is known: the commit of the oldest row that is
  // not, or the moment when all was. None: all is.
  std::optional<std::chrono::system_clock::time_point> behind_since;
};

struct SnapshotProgress {
  struct Table {
    TableName name;
    uint64_t rows = 0;           // copied
    int64_t rows_expected = -1;  // as the source estimates them; -1: it does not
    int64_t bytes = 0;           // in the source
    int parts_done = 0;
    int parts_kept = 0;  // of them: copied before, by a copy that was interrupted
    int part_count = 0;
    bool complete = false;
  };
  Position point;
  uint64_t copy = 0;  // which of this process: from MySQL two copies may have one point
  std::chrono::steady_clock::time_point begun{};
  std::vector<Table> tables;  // those that are copied in this process
  SnapshotHold hold;
};

// Called from the pipeline's thread.
struct PipelineObserver {
  virtual ~PipelineObserver() = default;
  // resumed: the sink goes on where it stood, else it is new, or the stream begins behind a gap.
  virtual void OnConnected(const SourceInfo&, const Position& /*start*/, bool /*resumed*/) {}
  virtual void OnEnd(const LogEnd&) {}           // where until "now" stops
  virtual void OnNotice(const SourceNotice&) {}  // once each; what makes rows stay away at every connect
  // About once a second, and when the connection is lost. Not while the sink holds the pipeline up.
  virtual void OnProgress(const PipelineStats&) {}
  virtual void OnSnapshot(const SnapshotProgress&) {
  }  // about once a second while rows are copied, and at the end
  // A table has come that was not there when the stream connected first: its rows begin to come.
  virtual void OnTableAppeared(const TableName&) {}
  // Rows of a table begin to come with other columns; what is other, for people.
  virtual void OnSchemaChange(const TableName&, const std::string& /*change*/) {}
  virtual void OnRetry(const arrow::Status&, std::chrono::milliseconds /*wait*/) {}
  virtual void OnUnrepresentable(const TableName&, const std::string& /*column*/) {}  // once a column
};

// Runs until an end condition, `stop` being stopped, or an error that a retry cannot mend. Stops cleanly:
// what was accepted is flushed and acknowledged. patterns: tables that are let through; null: all. A
// retryable error is followed by a new connection after OnRetry.
arrow::Result<PipelineStats> RunPipeline(Source& source, Sink& sink, const PipelineOptions& options,
                                         const TablePatterns* patterns, PipelineObserver& observer,
                                         const StopToken& stop);

}  // namespace arrowcdc
