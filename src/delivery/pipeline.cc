// The wiring: events from the source, rows to the sink, what became durable back to the source. One thread.
#include "arrowcdc/pipeline.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <variant>

#include <arrow/array.h>

#include "arrowcdc/error.h"
#include "src/change/table_schema.h"
#include "src/delivery/backoff.h"
#include "src/delivery/publication_watch.h"
#include "src/delivery/repeated_rows.h"
#include "src/delivery/sink_memory.h"
#include "src/delivery/start_position.h"

namespace arrowcdc {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kPollInterval{100};
constexpr milliseconds kTickInterval{250};
constexpr milliseconds kProgressInterval{1000};
// How often a position that moved without rows is stored; each time costs the sink an fsync.
constexpr milliseconds kIdleStoreInterval{1000};

class Pipeline {
 public:
  Pipeline(Source& source, Sink& sink, const PipelineOptions& options, const TablePatterns* patterns,
           PipelineObserver& observer, const StopToken& stop)
      : source_(source),
        sink_(sink),
        options_(options),
        observer_(observer),
        stop_(stop),
        repeated_(patterns),
        watch_(patterns, options.on_unpublished) {}

  arrow::Result<PipelineStats> Run() {
    const arrow::Status streamed = Stream();
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
  arrow::Status Stream() {
    Backoff backoff(options_.retry_max);
    arrow::Status last =
        MakeError(ErrorKind::kConnection, "stopped before the stream began", "stream", "start it again");
    while (!Finished()) {
      arrow::Status status = ConnectAndStart();
      // Whoever stops an attempt to connect knows why it ended.
      if (!status.ok() && IsInterrupted(status)) break;
      const uint64_t began_at = stats_.delivered_lsn;
      if (status.ok()) {
        streamed_ = true;
        backoff.NoteStarted();
        status = Pump(backoff);
        if (status.ok()) return status;
      }
      stats_.connected = false;
      const ErrorDetail* detail = GetErrorDetail(status);
      last = status;
      if (!IsWorthAnotherSession(detail, stats_.delivered_lsn > began_at)) return status;
      const auto wait = backoff.Next(detail->kind());
      if (!wait.has_value()) return status;
      observer_.OnRetry(status, *wait);
      ARROW_RETURN_NOT_OK(WaitWithTicks(*wait));
    }
    // Who is stopped before anything could be streamed has not done what was asked.
    return streamed_ || Reached() ? arrow::Status::OK() : last;
  }

  arrow::Status ConnectAndStart() {
    ARROW_ASSIGN_OR_RAISE(SourceInfo info, source_.Connect());
    if (!sink_opened_) {
      ARROW_ASSIGN_OR_RAISE(SinkState state, sink_.Open(info.stream));
      sink_opened_ = true;
      resumed_ = state.position.has_value();
      for (const auto& [table, row] : state.last_rows) watch_.Knows(table);
      ARROW_RETURN_NOT_OK(CheckPublished(info));
      // Whoever moves the slot on and has not read it before.
      const bool begins = !state.position.has_value() && (sink_.keeps_data() || options_.ack_on_write);
      if (begins && !options_.accept_tables) ARROW_RETURN_NOT_OK(info.other_tables);
      ARROW_ASSIGN_OR_RAISE(
          start_lsn_, ChooseStart(info, state, sink_.keeps_data(), options_.accept_gap, TimelineEnds()));
      // Before Start, which may fail and be tried again as a reconnect.
      stats_.delivered_lsn = start_lsn_;
      repeated_.Restore(std::move(state.last_rows));
      for (const SourceNotice& notice : memory_.Restore(std::move(state), info.stream))
        observer_.OnNotice(notice);
      stream_ = info.stream;
      if (options_.until_lsn.has_value()) until_ = options_.until_lsn;
      // A gap that was accepted once is not asked about again.
      if (state.position.has_value() && state.position->order < start_lsn_)
        ARROW_RETURN_NOT_OK(Advance(start_lsn_));
    } else {
      ++stats_.reconnects;
      ARROW_RETURN_NOT_OK(CheckReconnect(stream_, info, stats_.delivered_lsn, TimelineEnds()));
      ARROW_RETURN_NOT_OK(CheckPublished(info));
      stream_ = info.stream;
      // What was handed to the sink in this process need not come again: rows are skipped one by one in any
      // case.
      start_lsn_ = std::max(start_lsn_, stats_.delivered_lsn);
    }
    // The connection may break here: whoever connects again asks again.
    if (options_.until_now && !until_.has_value()) {
      ARROW_ASSIGN_OR_RAISE(const WalEnd end, source_.CurrentEnd());
      until_ = end.lsn;
      observer_.OnEnd(end);
    }
    ARROW_RETURN_NOT_OK(source_.Start(start_lsn_));
    repeated_.BeginSession();
    group_open_ = false;
    dirty_ = false;
    stats_.connected = true;
    stats_.delivered_lsn = std::max(stats_.delivered_lsn, start_lsn_);
    observer_.OnConnected(info, start_lsn_, resumed_);
    return arrow::Status::OK();
  }

  bool IsInterrupted(const arrow::Status& status) const {
    const ErrorDetail* detail = GetErrorDetail(status);
    return stop_.stopped() && detail != nullptr && detail->kind() == ErrorKind::kInterrupted;
  }

  arrow::Status CheckPublished(const SourceInfo& info) {
    const arrow::Status published = watch_.Connected(info, !streamed_, !resumed_);
    Tell();
    return published;
  }

  TimelineEnd TimelineEnds() {
    return [this](uint32_t timeline) { return source_.TimelineEnd(timeline); };
  }

  arrow::Status Pump(Backoff& backoff) {
    while (true) {
      ARROW_RETURN_NOT_OK(CheckEnd());
      if (Finished()) return arrow::Status::OK();
      ARROW_ASSIGN_OR_RAISE(std::optional<Event> event, source_.Next(kPollInterval));
      if (event.has_value()) {
        backoff.Reset();
        ARROW_RETURN_NOT_OK(std::visit([this](auto& e) { return Handle(e); }, *event));
      }
      ARROW_RETURN_NOT_OK(Housekeeping());
    }
  }

  // Run closes the sink then, and acknowledges what it has.
  arrow::Status CheckEnd() const {
    if (!watch_.end().has_value()) return arrow::Status::OK();
    const bool delivered = !group_open_ && stats_.delivered_lsn >= watch_.end()->position;
    return delivered || Reached() ? watch_.end()->why : arrow::Status::OK();
  }

  void Tell() {
    for (const SourceNotice& notice : watch_.TakeNotices()) observer_.OnNotice(notice);
  }

  arrow::Status Handle(const NoticeEvent& event) {
    const arrow::Status fits = watch_.Noticed(event);
    Tell();
    return fits;
  }

  arrow::Status Handle(ChangeBatch& batch) {
    if (!repeated_.Matches(batch.table->name)) {
      watch_.PassedOver(batch.table->name, static_cast<uint64_t>(batch.rows->num_rows()));
      Tell();
    }
    ARROW_ASSIGN_OR_RAISE(auto rows, repeated_.Filter(*batch.table, std::move(batch.rows)));
    if (rows != nullptr) {
      watch_.Knows(batch.table->name);
      stats_.rows += static_cast<uint64_t>(rows->num_rows());
      batch.rows = std::move(rows);
      if (const auto notice = memory_.Check(batch.table)) observer_.OnNotice(*notice);
      CountUnrepresentable(batch);
      WarnOfWeakenedIdentity(*batch.table);
      ARROW_RETURN_NOT_OK(sink_.Write(batch));
    }
    return Group(batch.group);
  }

  arrow::Status Handle(const TruncateEvent& event) {
    for (size_t i = 0; i < event.tables.size(); ++i) {
      ARROW_ASSIGN_OR_RAISE(auto row, TruncateRow(event, static_cast<int>(i)));
      ChangeBatch batch{event.tables[i], std::move(row), event.group};
      batch.group.group_end = false;  // the group ends after the last of them
      ARROW_RETURN_NOT_OK(Handle(batch));
    }
    return Group(event.group);
  }

  arrow::Status Handle(const ProgressEvent& event) { return Group(event.group); }

  arrow::Status Handle(const KeepaliveEvent& event) {
    if (!group_open_ && !dirty_ && event.order > stats_.delivered_lsn)
      ARROW_RETURN_NOT_OK(Advance(event.order));
    const bool idle_store_due =
        !sink_.has_pending_rows() && Clock::now() - last_idle_store_ >= kIdleStoreInterval;
    if (event.reply_requested || idle_store_due) {
      last_idle_store_ = Clock::now();
      ARROW_RETURN_NOT_OK(sink_.Flush());
    }
    return Acknowledge();
  }

  arrow::Status Group(const GroupState& group) {
    dirty_ = group.dirty;
    group_open_ = !group.group_end;
    if (!group.group_end) return arrow::Status::OK();
    if (group.safe > stats_.delivered_lsn) ARROW_RETURN_NOT_OK(Advance(group.safe));
    return Acknowledge();
  }

  arrow::Status Advance(uint64_t order) {
    stats_.delivered_lsn = order;
    return sink_.Advance(Position{stream_.source, stream_.timeline, order, ""});
  }

  arrow::Status Housekeeping() {
    const auto now = Clock::now();
    if (now - last_tick_ >= kTickInterval) {
      last_tick_ = now;
      ARROW_RETURN_NOT_OK(Tick());
    }
    if (now - last_progress_ >= kProgressInterval) {
      last_progress_ = now;
      UpdateStats();
      observer_.OnProgress(stats_);
      // An idle server tells its position only when it is asked.
      if (until_.has_value() || watch_.end().has_value()) source_.RequestKeepalive();
    }
    return arrow::Status::OK();
  }

  arrow::Status Tick() {
    ARROW_RETURN_NOT_OK(sink_.Tick());
    // The last keepalive before silence may have come within the interval: it is stored here.
    const auto now = Clock::now();
    const std::optional<Position> durable = sink_.durable();
    const bool behind = !durable.has_value() || durable->order < stats_.delivered_lsn;
    if (behind && !group_open_ && !sink_.has_pending_rows() && now - last_idle_store_ >= kIdleStoreInterval) {
      last_idle_store_ = now;
      ARROW_RETURN_NOT_OK(sink_.Flush());
    }
    return Acknowledge();
  }

  arrow::Status Acknowledge() {
    if (!sink_.keeps_data() && !options_.ack_on_write) return arrow::Status::OK();
    const std::optional<Position> durable = sink_.durable();
    if (!durable.has_value() || durable->order <= stats_.durable_lsn) return arrow::Status::OK();
    if (durable->order > stats_.delivered_lsn) {
      return MakeError(ErrorKind::kInternal,
                       "the sink reports " + FormatLsn(durable->order) + " as durable, but only " +
                           FormatLsn(stats_.delivered_lsn) + " was delivered to it",
                       "sink", "this is a defect in arrowcdc: please report it; nothing was acknowledged");
    }
    stats_.durable_lsn = durable->order;
    source_.Acknowledge(durable->order);
    return arrow::Status::OK();
  }

  bool Finished() const { return stop_.stopped() || Reached(); }

  bool Reached() const {
    return until_.has_value() && sink_opened_ && !group_open_ && stats_.delivered_lsn >= *until_;
  }

  // The sink's age limits hold while the server is away.
  arrow::Status WaitWithTicks(milliseconds wait) {
    const auto deadline = Clock::now() + wait;
    while (!Finished() && Clock::now() < deadline) {
      if (sink_opened_) ARROW_RETURN_NOT_OK(sink_.Tick());
      stop_.Wait(std::min(kTickInterval, std::chrono::duration_cast<milliseconds>(deadline - Clock::now())));
    }
    return arrow::Status::OK();
  }

  void CountUnrepresentable(const ChangeBatch& batch) {
    const int index = batch.table->column_count + static_cast<int>(MetadataColumn::kUnrepresentable);
    const auto& lists = static_cast<const arrow::ListArray&>(*batch.rows->column(index));
    if (lists.null_count() == lists.length()) return;
    const auto& names = static_cast<const arrow::StringArray&>(*lists.values());
    for (int64_t row = 0; row < lists.length(); ++row) {
      if (lists.IsNull(row)) continue;
      for (int64_t i = lists.value_offset(row); i < lists.value_offset(row + 1); ++i) {
        ++stats_.unrepresentable;
        const std::string column = names.GetString(i);
        if (reported_columns_.emplace(batch.table->name, column).second) {
          observer_.OnUnrepresentable(batch.table->name, column);
        }
      }
    }
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
    stats_.rows_skipped = repeated_.rows_skipped();
    stats_.rows_unmatched = repeated_.rows_unmatched();
    stats_.unmatched_tables = watch_.unmatched();
    stats_.tables_unpublished = watch_.tables_unpublished();
  }

  Source& source_;
  Sink& sink_;
  const PipelineOptions& options_;
  PipelineObserver& observer_;
  const StopToken& stop_;
  RepeatedRows repeated_;
  SinkMemory memory_;
  PublicationWatch watch_;

  bool sink_opened_ = false;
  bool streamed_ = false;  // a stream was started once
  bool resumed_ = false;   // the sink had a position of its own
  StreamIdentity stream_;
  uint64_t start_lsn_ = 0;
  std::optional<uint64_t> until_;
  bool group_open_ = false;  // frames of a group came, its end did not
  bool dirty_ = false;
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
