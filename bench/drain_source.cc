#include "bench/drain_source.h"

#include <chrono>
#include <utility>

#include "arrowcdc/process_memory.h"
#include "arrowcdc/change_rows.h"
#include "arrowcdc/pipeline.h"
#include "arrowcdc/postgres.h"
#include "arrowcdc/readers.h"
#include "bench/stopwatch.h"

namespace arrowcdc::bench {
namespace {

PostgresOptions OptionsOf(const DrainTask& task) {
  PostgresOptions options = task.contender->source;
  options.conninfo = task.conninfo;
  options.slot = task.slot;
  options.publications = {kPublication};
  return options;
}

// Rows, not counting the old side of updates.
int64_t CountChanges(const ChangeRows& rows) {
  int64_t changes = 0;
  for (int64_t row = 0; row < rows.num_rows(); ++row) changes += rows.op(row) != Op::kUpdateBefore;
  return changes;
}

// One latency for each transaction of the batch.
void KeepLatencies(const ChangeRows& rows, DrainResult* result) {
  const int64_t now = NowMicroseconds();
  for (int64_t row = 0; row < rows.num_rows(); ++row) {
    if (row > 0 && rows.commit_lsn(row) == rows.commit_lsn(row - 1)) continue;
    if (const auto time = rows.commit_ts(row)) result->latencies_us.push_back(now - *time);
  }
}

// Counts what the pipeline hands on, and stops it behind the last row that is expected; `stop` null: it ends
// by itself. Everything else is the sink's.
class CountingSink : public Sink {
 public:
  CountingSink(std::unique_ptr<Sink> sink, int64_t expected, StopToken* stop)
      : sink_(std::move(sink)), expected_(expected), stop_(stop) {}
  bool keeps_data() const override { return sink_->keeps_data(); }
  arrow::Result<SinkState> Open(const StreamIdentity& stream) override { return sink_->Open(stream); }
  arrow::Status Write(const ChangeBatch& batch) override {
    ARROW_ASSIGN_OR_RAISE(const auto rows, ChangeRows::Make(*batch.table, *batch.rows));
    changes_ += CountChanges(rows);
    ++batches_;
    return sink_->Write(batch);
  }
  arrow::Status Advance(const Position& position) override {
    if (stop_ != nullptr && changes_ >= expected_) stop_->Stop();
    return sink_->Advance(position);
  }
  arrow::Status Flush() override { return sink_->Flush(); }
  arrow::Status Tick() override { return sink_->Tick(); }
  std::optional<Position> durable() const override { return sink_->durable(); }
  bool has_pending_rows() const override { return sink_->has_pending_rows(); }
  arrow::Status Close() override { return sink_->Close(); }

  int64_t changes() const { return changes_; }
  int64_t batches() const { return batches_; }

 private:
  std::unique_ptr<Sink> sink_;
  const int64_t expected_;
  StopToken* const stop_;
  int64_t changes_ = 0;
  int64_t batches_ = 0;
};

struct StartObserver : PipelineObserver {
  explicit StartObserver(const Started& given) : started(given) {}
  void OnConnected(const SourceInfo&, const Position&, bool) override { started(0); }
  const Started& started;
};

}  // namespace

arrow::Result<DrainResult> DrainSource(const DrainTask& task, const Started& started,
                                       const std::function<void(const DrainResult&)>& hold) {
  ARROW_ASSIGN_OR_RAISE(auto source, MakePostgresSource(OptionsOf(task)));
  ARROW_RETURN_NOT_OK(source->Connect());
  DrainResult result;
  const Stopwatch stopwatch;
  // As a sink that is new, so that what is asked for by SQL is: whoever keeps nothing gets the stream.
  ARROW_ASSIGN_OR_RAISE(const Position start,
                        source->Resume({.have = ResumeRequest::Have::kNothingYet, .accept_gap = true}));
  ARROW_RETURN_NOT_OK(source->Start(start));
  started(0);
  bool group_ended = false;
  while (result.rows < task.rows_expected || !group_ended) {
    ARROW_ASSIGN_OR_RAISE(auto event, source->Next(std::chrono::seconds(1)));
    if (!event) continue;
    if (const auto* keepalive = std::get_if<KeepaliveEvent>(&*event)) {
      if (keepalive->reply_requested) source->Acknowledge(keepalive->position);
    }
    if (const auto* progress = std::get_if<ProgressEvent>(&*event)) group_ended = progress->group.group_end;
    const auto* batch = std::get_if<ChangeBatch>(&*event);
    if (batch == nullptr) continue;
    ARROW_ASSIGN_OR_RAISE(const auto rows, ChangeRows::Make(*batch->table, *batch->rows));
    result.rows += CountChanges(rows);
    ++result.frames;
    group_ended = batch->group.group_end;
    if (task.keep_latencies) KeepLatencies(rows, &result);
  }
  stopwatch.Stop(&result);
  result.transactions = task.transactions;
  result.wire_bytes = static_cast<int64_t>(source->stats().received_bytes);
  ARROW_ASSIGN_OR_RAISE(const Position end, source->ParsePosition(FormatLsn(task.end_lsn)));
  source->Acknowledge(end);
  hold(result);
  ARROW_RETURN_NOT_OK(source->Stop());
  return result;
}

arrow::Result<DrainResult> DrainReaders(const DrainTask& task, const Started& started,
                                        const std::function<void(const DrainResult&)>& hold) {
  ARROW_ASSIGN_OR_RAISE(auto source, MakePostgresSource(OptionsOf(task)));
  ReaderSetOptions options;
  const TableName table{"public", task.table->name};
  options.tables = {table};
  DrainResult result;
  const Stopwatch stopwatch;
  ARROW_ASSIGN_OR_RAISE(const auto readers, ReaderSet::Open(std::move(source), std::move(options)));
  started(0);
  const auto reader = readers->reader(table);
  while (result.rows < task.rows_expected) {
    ARROW_ASSIGN_OR_RAISE(const ReadResult read, reader->Next(std::chrono::seconds(1)));
    if (read.state == ReadState::kEnd) return arrow::Status::IOError("the stream ended early");
    if (read.state != ReadState::kBatch) continue;
    ARROW_ASSIGN_OR_RAISE(const auto rows, ChangeRows::Make(*read.table, *read.rows));
    result.rows += CountChanges(rows);
    ++result.frames;
  }
  stopwatch.Stop(&result);
  result.wall_s = kFromServer;
  result.transactions = task.transactions;
  result.wire_bytes = static_cast<int64_t>(readers->stats().received_bytes);
  hold(result);
  ARROW_RETURN_NOT_OK(readers->Stop());
  return result;
}

arrow::Result<DrainResult> DrainPipeline(const DrainTask& task, const Started& started,
                                         const std::function<void(const DrainResult&)>& hold) {
  KeepFreedMemory();  // as the command does
  ARROW_ASSIGN_OR_RAISE(auto sink, MakeSink("parquet:" + task.sink_directory, SinkOptions{}));
  StopToken stop;
  CountingSink counting(std::move(sink), task.rows_expected, task.end_lsn == 0 ? &stop : nullptr);
  ARROW_ASSIGN_OR_RAISE(auto source, MakePostgresSource(OptionsOf(task)));
  PipelineOptions options;
  if (task.end_lsn != 0) options.until = FormatLsn(task.end_lsn);
  StartObserver observer(started);
  DrainResult result;
  const Stopwatch stopwatch;
  ARROW_ASSIGN_OR_RAISE(const PipelineStats stats,
                        RunPipeline(*source, counting, options, nullptr, observer, stop));
  stopwatch.Stop(&result);
  result.wall_s = kFromServer;
  result.rows = counting.changes();
  result.frames = counting.batches();
  result.transactions = task.transactions;
  result.wire_bytes = static_cast<int64_t>(stats.received_bytes);
  hold(result);
  return result;
}

}  // namespace arrowcdc::bench
