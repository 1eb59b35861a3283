#include "bench/drain_snapshot.h"

#include <limits>
#include <memory>
#include <utility>

#include "arrowcdc/process_memory.h"
#include "arrowcdc/pipeline.h"
#include "arrowcdc/postgres.h"
#include "bench/stopwatch.h"
#include "tests/testing/sql_connection.h"

namespace arrowcdc::bench {
namespace {

class DropPart : public SnapshotPartWriter {
 public:
  arrow::Status Write(const ChangeBatch&) override { return arrow::Status::OK(); }
  arrow::Status Finish() override { return arrow::Status::OK(); }
};

// As one that keeps what it gets.
class DropSink : public Sink {
 public:
  bool keeps_data() const override { return true; }
  arrow::Result<SinkState> Open(const StreamIdentity&) override { return SinkState{}; }
  arrow::Status Write(const ChangeBatch&) override { return arrow::Status::OK(); }
  arrow::Status Advance(const Position& position) override {
    position_ = position;
    return arrow::Status::OK();
  }
  arrow::Status Flush() override { return arrow::Status::OK(); }
  arrow::Status Tick() override { return arrow::Status::OK(); }
  int snapshot_writers_max() const override { return std::numeric_limits<int>::max(); }
  arrow::Result<std::unique_ptr<SnapshotPartWriter>> BeginPart(const SnapshotPart&) override {
    return std::make_unique<DropPart>();
  }
  std::optional<Position> durable() const override { return position_; }
  bool has_pending_rows() const override { return false; }
  arrow::Status Close() override { return arrow::Status::OK(); }

 private:
  std::optional<Position> position_;
};

struct RowObserver : PipelineObserver {
  void OnSnapshot(const SnapshotProgress& progress) override {
    rows = 0;
    for (const auto& table : progress.tables) rows += static_cast<int64_t>(table.rows);
  }
  int64_t rows = 0;
};

}  // namespace

arrow::Result<DrainResult> DrainSnapshot(const DrainTask& task, const Started& started,
                                         const std::function<void(const DrainResult&)>& hold) {
  ARROW_ASSIGN_OR_RAISE(auto sql, test::SqlConnection::Connect(task.conninfo));
  ARROW_RETURN_NOT_OK(
      sql->Query("SELECT pg_create_logical_replication_slot('" + task.slot + "', 'wal2arrow')").status());
  started(sql->backend_pid());
  PostgresOptions from;
  from.conninfo = task.conninfo;
  from.slot = task.slot;
  from.publications = {kPublication};
  from.tables = {"public." + task.table->name};
  ARROW_ASSIGN_OR_RAISE(auto source, MakePostgresSource(from));
  KeepFreedMemory();  // as the command does
  std::unique_ptr<Sink> sink = std::make_unique<DropSink>();
  if (task.contender->reader == Reader::kSnapshotParquet) {
    ARROW_ASSIGN_OR_RAISE(sink, MakeSink("parquet:" + task.sink_directory, SinkOptions{}));
  }
  ARROW_ASSIGN_OR_RAISE(const auto patterns, TablePatterns::Parse(from.tables));
  PipelineOptions options;
  options.snapshot = SnapshotMode::kOnly;
  options.snapshot_connections = task.contender->connections;
  RowObserver observer;
  const StopToken stop;
  DrainResult result;
  const Stopwatch stopwatch;
  ARROW_RETURN_NOT_OK(RunPipeline(*source, *sink, options, &patterns, observer, stop).status());
  stopwatch.Stop(&result);
  result.rows = observer.rows;
  ARROW_RETURN_NOT_OK(sql->Query("SELECT pg_drop_replication_slot('" + task.slot + "')").status());
  hold(result);
  return result;
}

}  // namespace arrowcdc::bench
