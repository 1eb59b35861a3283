// A sink as the driver of a change stream: rows to the sink, what became durable back to the source. One
// thread.
#include "arrowcdc/pipeline.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "arrowcdc/change_rows.h"
#include "arrowcdc/error.h"
#include "src/change/table_schema.h"
#include "src/delivery/change_stream.h"
#include "src/delivery/sink_memory.h"

namespace arrowcdc {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kTickInterval{250};
constexpr milliseconds kProgressInterval{1000};
// How often a position that moved without rows is stored; each time costs the sink an fsync.
constexpr milliseconds kIdleStoreInterval{1000};

class Pipeline : private StreamDriver {
 public:
  Pipeline(Source& source, Sink& sink, const PipelineOptions& options, const TablePatterns* patterns,
           PipelineObserver& observer, const StopToken& stop)
      : source_(source),
        sink_(sink),
        observer_(observer),
        moves_slot_(sink.keeps_data() || options.ack_on_write),
        stream_(source, StreamOptionsOf(options), patterns, stop, *this) {}

  arrow::Result<PipelineStats> Run() {
    arrow::Status streamed = stream_.Open();
    if (streamed.ok()) streamed = stream_.Run();
    if (!streamed.ok()) stats_.connected = false;
    // Also after an error what was accepted is worth keeping, unless it was the sink that failed.
    arrow::Status closed = sink_opened_ ? sink_.Close() : arrow::Status::OK();
    if (closed.ok()) closed = Acknowledge();
    const arrow::Status stopped = source_.Stop();
    UpdateStats();
    observer_.OnProgress(stats_);
    ARROW_RETURN_NOT_OK(streamed);
    ARROW_RETURN_NOT_OK(closed);
    // The connection may be gone at the end without harm: everything is stored, the server hears of it next
    // time.
    (void)stopped;
    return stats_;
  }

 private:
  ChangeStreamOptions StreamOptionsOf(const PipelineOptions& options) const {
    return {.until = options.until,
            .keeps_data = sink_.keeps_data(),
            .moves_slot = moves_slot_,
            .accept_tables = options.accept_tables,
            .accept_gap = options.accept_gap,
            .on_unpublished = options.on_unpublished,
            .retry_max = options.retry_max};
  }

  // --- what the stream says ---

  arrow::Result<SinkState> Open(const SourceInfo& info) override {
    ARROW_ASSIGN_OR_RAISE(SinkState state, sink_.Open(info.stream));
    sink_opened_ = true;
    resumed_ = state.position.has_value();
    if (resumed_) epoch_ = state.position->epoch;
    return state;
  }

  arrow::Status Begin(const SourceInfo& info, const SinkState& state) override {
    for (const SourceNotice& notice : memory_.Restore(state, info.stream)) observer_.OnNotice(notice);
    return arrow::Status::OK();
  }

  void Started(const SourceInfo& info, const Position& start) override {
    stats_.connected = true;
    observer_.OnConnected(info, start, resumed_);
  }

  void Retrying(const arrow::Status& status, milliseconds wait) override {
    stats_.connected = false;
    observer_.OnRetry(status, wait);
  }

  // The sink's age limits hold while the server is away.
  arrow::Status TickWhileAway() override { return sink_opened_ ? sink_.Tick() : arrow::Status::OK(); }

  void EndsAt(const LogEnd& end) override { observer_.OnEnd(end); }
  bool MayEndAt(const Position&) const override {
    return true;
  }  // Run closes the sink, and acknowledges what it has
  void Tell(const SourceNotice& notice) override { observer_.OnNotice(notice); }

  arrow::Status Take(ChangeBatch batch) override {
    stats_.rows += static_cast<uint64_t>(batch.rows->num_rows());
    if (const auto notice = memory_.Check(batch.table)) observer_.OnNotice(*notice);
    ARROW_RETURN_NOT_OK(CountUnrepresentable(batch));
    WarnOfWeakenedIdentity(*batch.table);
    return sink_.Write(batch);
  }

  arrow::Status Advance(const Position& position) override {
    ARROW_RETURN_NOT_OK(sink_.Advance(position));
    // Rows may become durable by themselves. Without a position of their epoch a server that never had them
    // would be taken for theirs at the next start.
    if (epoch_ == position.epoch) return arrow::Status::OK();
    epoch_ = position.epoch;
    return sink_.Flush();
  }

  arrow::Status EndGroup() override { return Acknowledge(); }

  arrow::Status Keepalive(bool reply_requested) override {
    const bool idle_store_due =
        !sink_.has_pending_rows() && Clock::now() - last_idle_store_ >= kIdleStoreInterval;
    if (reply_requested || idle_store_due) {
      last_idle_store_ = Clock::now();
      ARROW_RETURN_NOT_OK(sink_.Flush());
    }
    return Acknowledge();
  }

  arrow::Status Housekeeping() override {
    const auto now = Clock::now();
    if (now - last_tick_ >= kTickInterval) {
      last_tick_ = now;
      ARROW_RETURN_NOT_OK(Tick());
    }
    if (now - last_progress_ >= kProgressInterval) {
      last_progress_ = now;
      UpdateStats();
      observer_.OnProgress(stats_);
      if (stream_.ends_at_a_position()) source_.RequestKeepalive();
    }
    return arrow::Status::OK();
  }

  // --- what is durable ---

  arrow::Status Tick() {
    ARROW_RETURN_NOT_OK(sink_.Tick());
    // The last keepalive before silence may have come within the interval: it is stored here.
    const auto now = Clock::now();
    const std::optional<Position> durable = sink_.durable();
    const bool behind = durable < stream_.delivered();
    if (behind && !stream_.group_open() && !sink_.has_pending_rows() &&
        now - last_idle_store_ >= kIdleStoreInterval) {
      last_idle_store_ = now;
      ARROW_RETURN_NOT_OK(sink_.Flush());
    }
    return Acknowledge();
  }

  arrow::Status Acknowledge() {
    if (!moves_slot_) return arrow::Status::OK();
    const std::optional<Position> durable = sink_.durable();
    if (durable <= stats_.durable) return arrow::Status::OK();
    if (durable > stream_.delivered()) {
      return MakeError(ErrorKind::kInternal,
                       "the sink reports " + FormatLsn(durable->order) + " as durable, but only " +
                           FormatLsn(stream_.delivered().value_or(Position{}).order) + " was delivered to it",
                       "sink", "this is a defect in arrowcdc: please report it; nothing was acknowledged");
    }
    stats_.durable = durable;
    source_.Acknowledge(*durable);
    return arrow::Status::OK();
  }

  arrow::Status CountUnrepresentable(const ChangeBatch& batch) {
    ARROW_ASSIGN_OR_RAISE(const ChangeRows changes, ChangeRows::Make(*batch.table, *batch.rows));
    const NameLists& lists = changes.unrepresentable();
    if (!lists.any()) return arrow::Status::OK();
    for (int64_t row = 0; row < changes.num_rows(); ++row) {
      const int32_t count = lists.count(row);
      for (int32_t i = 0; i < count; ++i) {
        ++stats_.unrepresentable;
        const std::string column(lists.name(row, i));
        if (reported_columns_.emplace(batch.table->name, column).second) {
          observer_.OnUnrepresentable(batch.table->name, column);
        }
      }
    }
    return arrow::Status::OK();
  }

  void WarnOfWeakenedIdentity(const TableSchema& table) {
    if (!table.weakened.has_value() || !weakened_tables_.insert(table.name).second) return;
    observer_.OnNotice(
        {false, WeakenedIdentityText(*table.weakened) + " (" + WeakenedIdentityRemedy(*table.weakened) + ")",
         "table " + ToString(table.name)});
  }

  void UpdateStats() {
    const SourceStats source = source_.stats();
    stats_.server_lsn = std::max(stats_.server_lsn, source.server_lsn);
    stats_.received_bytes = source.received_bytes;
    stats_.delivered = stream_.delivered();
    stats_.reconnects = stream_.reconnects();
    stats_.rows_skipped = stream_.rows_skipped();
    stats_.rows_unmatched = stream_.rows_unmatched();
    stats_.unmatched_tables = stream_.unmatched_tables();
    stats_.tables_unpublished = stream_.tables_unpublished();
  }

  Source& source_;
  Sink& sink_;
  PipelineObserver& observer_;
  const bool moves_slot_;  // it says what may be acknowledged
  ChangeStream stream_;
  SinkMemory memory_;

  bool sink_opened_ = false;
  bool resumed_ = false;           // the sink had a position of its own
  std::optional<uint32_t> epoch_;  // of the stored position
  Clock::time_point last_tick_{};
  Clock::time_point last_progress_{};
  Clock::time_point last_idle_store_{};
  std::set<std::pair<TableName, std::string>> reported_columns_;
  std::set<TableName> weakened_tables_;  // of which somebody was warned
  PipelineStats stats_;
};

}  // namespace

arrow::Result<PipelineStats> RunPipeline(Source& source, Sink& sink, const PipelineOptions& options,
                                         const TablePatterns* patterns, PipelineObserver& observer,
                                         const StopToken& stop) {
  return Pipeline(source, sink, options, patterns, observer, stop).Run();
}

}  // namespace arrowcdc
