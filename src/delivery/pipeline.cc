// A sink that drives a change stream: rows to the sink, what is durable back to the source. One thread.
#include "arrowcdc/pipeline.h"

#include <algorithm>
#include <functional>
#include <future>
#include <set>
#include <string>
#include <utility>

#include "arrowcdc/error.h"
#include "arrowcdc/messages_table.h"
#include "src/delivery/background_copy.h"
#include "src/delivery/change_stream.h"
#include "src/delivery/copied_tables.h"
#include "src/delivery/copy_notices.h"
#include "src/delivery/idle_memory.h"
#include "src/delivery/sink_memory.h"
#include "src/delivery/snapshot_copy.h"
#include "src/delivery/stream_counts.h"
#include "src/delivery/unrepresentable_values.h"

namespace arrowcdc {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kTickInterval{250};
constexpr milliseconds kProgressInterval{1000};
// How often a position that moved without rows is stored; each time costs the sink an fsync.
constexpr milliseconds kIdleStoreInterval{1000};
// How often the publications are looked at for tables that were added, of which no change came yet.
constexpr std::chrono::seconds kLookInterval{30};
// How often the sink is looked at for tables that somebody wants copied anew.
constexpr std::chrono::seconds kRequestInterval{5};
// How long the first change of an added table waits for the point of its copy, which may have it.
constexpr std::chrono::seconds kPointWait{10};

class Pipeline : private StreamDriver, private BackgroundCopy::Listener {
 public:
  Pipeline(Source& source, Sink& sink, const PipelineOptions& options, const TablePatterns* patterns,
           PipelineObserver& observer, const StopToken& stop)
      : source_(source),
        sink_(sink),
        observer_(observer),
        moves_slot_(sink.keeps_data() || options.ack_on_write),
        snapshot_(options.snapshot),
        snapshot_connections_(options.snapshot_connections),
        retry_max_(options.retry_max),
        stop_(stop),
        stream_(source, StreamOptionsOf(options), patterns, stop, *this) {
    add_backoff_.NoteStarted();  // what fails is tried again as long as the stream goes on
  }

  arrow::Result<PipelineStats> Run() {
    arrow::Status streamed = stream_.Open();
    if (streamed.ok()) streamed = stream_.Run();
    if (streamed.ok()) streamed = FinishAdding();
    if (streamed.ok()) TellOfThoseNotCopied();
    if (!streamed.ok()) stats_.connected = false;
    beside_.reset();
    // Also after an error what was accepted is worth keeping, unless it was the sink that failed.
    arrow::Status closed = sink_opened_ ? sink_.Close() : arrow::Status::OK();
    if (closed.ok()) closed = Acknowledge();
    const arrow::Status stopped = source_.Stop();
    UpdateStats();
    observer_.OnProgress(stats_);
    ARROW_RETURN_NOT_OK(streamed);
    ARROW_RETURN_NOT_OK(closed);
    (void)stopped;  // a connection that is gone is no harm: everything is stored
    return stats_;
  }

 private:
  ChangeStreamOptions StreamOptionsOf(const PipelineOptions& options) const {
    return {.until = options.until,
            .keeps_data = sink_.keeps_data(),
            .moves_slot = moves_slot_,
            .accept_tables = options.accept_tables,
            .accept_plugin = options.accept_plugin,
            .accept_gap = options.accept_gap,
            .on_unpublished = options.on_unpublished,
            .retry_max = options.retry_max};
  }

  // --- what the stream says ---

  arrow::Result<SinkState> Open(const SourceInfo& info) override {
    // Once: what follows may fail, and be tried again.
    if (!sink_opened_) {
      ARROW_ASSIGN_OR_RAISE(state_, sink_.Open(info.stream));
      sink_opened_ = true;
    }
    resumed_ = state_.position.has_value();
    if (resumed_) epoch_ = state_.position->epoch;
    next_look_ = Clock::now() + kLookInterval;
    ARROW_RETURN_NOT_OK(DecideOnSnapshot(state_, info));
    ARROW_RETURN_NOT_OK(CheckIsThere(state_));
    return state_;
  }

  arrow::Status Begin(const SourceInfo& info, const SinkState& state) override {
    for (const SourceNotice& notice : memory_.Restore(state, info.stream)) observer_.OnNotice(notice);
    return arrow::Status::OK();
  }

  bool CopiesFirst() const override { return copy_due_; }
  bool CopiesAllAgain() override {
    if (snapshot_ != SnapshotMode::kWhenNeeded) return false;
    copy_due_ = true;
    std::vector<TableName> noted = only_.value_or(std::vector<TableName>());
    std::erase_if(noted, [this](const TableName& table) { return Comes(table); });
    only_ = coming_;
    only_->insert(only_->end(), noted.begin(), noted.end());  // until they come
    return true;
  }
  const std::vector<CopiedTable>& Copied() const override { return copied_.all(); }

  arrow::Result<Prepared> Prepare(const Position& start) override {
    const bool only = snapshot_ == SnapshotMode::kOnly;
    if (copy_due_ && stream_.in_part()) {
      stream_.PrepareAgain();  // where the group that came in part has ended
    } else if (copy_due_) {
      const arrow::Status copied = CopyRows(start);
      ARROW_RETURN_NOT_OK(stream_.started() ? GiveUpWhereItMust(copied) : copied);
      copy_due_ = false;
      GiveBackFreedMemory();
      if (!only) return Prepared::kConnectAgain;
    }
    return only ? Prepared::kNoStream : Prepared::kNothingToDo;
  }

  void Started(const SourceInfo& info, const Position& start) override {
    stats_.connected = true;
    coming_ = info.published.coming;
    counts_.KnowsAtFirst(coming_);
    observer_.OnConnected(info, start, resumed_ && !behind_gap_);
  }

  void Retrying(const arrow::Status& status, milliseconds wait) override {
    stats_.connected = false;
    observer_.OnRetry(status, wait);
    UpdateStats();
    observer_.OnProgress(stats_);
  }

  // The sink's age limits hold while the server is away.
  arrow::Status TickWhileAway() override {
    if (!sink_opened_) return arrow::Status::OK();
    ARROW_RETURN_NOT_OK(ServeCopy());
    TellProgress(Clock::now());
    return sink_.Tick();
  }

  void EndsAt(const LogEnd& end) override { observer_.OnEnd(end); }
  bool MayEndAt(const Position&) const override { return true; }  // Run closes the sink, and acknowledges
  void Tell(const SourceNotice& notice) override { observer_.OnNotice(notice); }
  void BeginsBehindAGap() override { behind_gap_ = true; }

  arrow::Status Take(ChangeBatch batch) override {
    if (batch.table != MessagesTable()) counts_.NoteTable(batch.table->name, observer_);
    ARROW_RETURN_NOT_OK(TakeOfLaterTable(&batch));
    if (batch.rows == nullptr) return arrow::Status::OK();
    counts_.Take(batch, observer_);
    if (const auto notice = memory_.Check(batch.table)) observer_.OnNotice(*notice);
    ARROW_RETURN_NOT_OK(unrepresentable_.Count(batch));
    TellOfUnrepresentable();
    return sink_.Write(batch);
  }

  arrow::Status Advance(const Position& position) override {
    ARROW_RETURN_NOT_OK(sink_.Advance(position));
    counts_.Advance(position);
    // Rows may become durable by themselves. Without a position of their epoch a server that never had them
    // would be taken for theirs at the next start.
    if (epoch_ == position.epoch) return arrow::Status::OK();
    epoch_ = position.epoch;
    // Where rows are to be copied for what is lacking, it is stored with that and not before.
    return copy_due_ ? arrow::Status::OK() : sink_.Flush();
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
    if (beside_ != nullptr) ARROW_RETURN_NOT_OK(ServeCopy());
    if (now - last_tick_ >= kTickInterval) {
      last_tick_ = now;
      ARROW_RETURN_NOT_OK(Tick());
      ARROW_RETURN_NOT_OK(AddTables(now));
    }
    if (TellProgress(now) && stream_.ends_at_a_position()) source_.RequestKeepalive();
    return arrow::Status::OK();
  }

  // What copies beside the stream waits for this thread.
  bool wants_turns() const override { return beside_ != nullptr; }

  bool TellProgress(Clock::time_point now) {
    idle_memory_.Look(stats_.rows, now);
    if (now - last_progress_ < kProgressInterval) return false;
    last_progress_ = now;
    UpdateStats();
    observer_.OnProgress(stats_);
    return true;
  }

  // --- rows that were there before ---

  arrow::Status DecideOnSnapshot(const SinkState& state, const SourceInfo& info) {
    for (const auto& [table, row] : state.last_rows) {
      stale_.insert(table);
      counts_.Knows(table);
      const auto id = state.table_ids.find(table);
      if (id != state.table_ids.end()) known_ids_.insert(id->second);
    }
    for (const auto& [table, id] : state.table_ids) {
      if (sink_.copies_beside_stream()) break;  // others do not tell their last rows
      stale_.insert(table);
      known_ids_.insert(id);
    }
    std::vector<TableName> lost;
    if (state.snapshot.has_value()) ARROW_RETURN_NOT_OK(TakeCopied(*state.snapshot, &lost));
    coming_ = info.published.coming;
    keeps_whole_ = state.snapshot.has_value() && snapshot_ != SnapshotMode::kNever;
    const bool under_way = state.snapshot.has_value() && !state.snapshot->complete;
    const bool first = under_way && !state.snapshot->only.has_value();
    if (snapshot_ == SnapshotMode::kNever && first) return copy_notices::NotComplete();
    if (under_way && !first) {
      only_ = state.snapshot->only;
      to_note_ = true;  // by this process
      // Tables that were added and have gone before they were copied.
      std::erase_if(*only_, [this](const TableName& table) { return !Comes(table) && !copied_.Has(table); });
      if (snapshot_ == SnapshotMode::kNever) TellOfThoseNotComing();
    }
    if (snapshot_ == SnapshotMode::kNever) return TellOfRequests();
    const bool asked = snapshot_ != SnapshotMode::kAuto;
    if (!asked && !sink_.keeps_data()) return arrow::Status::OK();
    std::vector<SourceTable> tables;
    if (keeps_whole_ && !first) {
      // Asked before anything is noted: it may fail, and all this be done again.
      ARROW_ASSIGN_OR_RAISE(tables, source_.Tables());
      if (!only_.has_value()) only_.emplace();
      FollowRenames(tables);
      TellOfThoseNotComing();
      ARROW_RETURN_NOT_OK(FindThoseLeftOut(state, tables, &lost));
      for (const TableName& table : lost) {
        if (!IsNamed(table)) only_->push_back(table);
      }
      // Before the sink stores the patterns of now.
      to_note_ = to_note_ || !lost.empty();
      if (!lost.empty()) ARROW_RETURN_NOT_OK(NoteInSink());
      ARROW_RETURN_NOT_OK(TakeRequests());
    }
    // Stopped between the last table and the end.
    if (under_way && only_.has_value() && only_->empty()) ARROW_RETURN_NOT_OK(sink_.EndSnapshot());
    if (first) {
      copy_due_ = true;
    } else if (keeps_whole_) {
      NoteAddedTables(tables);
      copy_due_ = !adds_beside() && AnyToCopy();
    } else if (!state.position.has_value()) {
      // Nobody asked for it: a slot that another sink has read Resume refuses.
      copy_due_ = keeps_whole_ = asked || info.fresh;
    } else if (asked) {
      observer_.OnNotice(copy_notices::NotFromTheStart());
    }
    return arrow::Status::OK();
  }

  // Before changes follow rows that are there no more.
  arrow::Status CheckIsThere(const SinkState& state) {
    ARROW_ASSIGN_OR_RAISE(const SnapshotRequests requests, sink_.ReadRequests());
    const auto is_missed = [&](const TableName& table) {
      return Comes(table) && !IsNamed(table) && std::ranges::count(requests.tables, table) == 0;
    };
    for (const TableName& table : state.gone) {
      if (is_missed(table)) return copy_notices::IsGone(table, sink_.location(), state.snapshot.has_value());
    }
    for (const TableName& table : state.emptied) {
      if (is_missed(table)) observer_.OnNotice(copy_notices::HasNoFiles(table));
    }
    return arrow::Status::OK();
  }

  // `lost`: those whose point the server has never come to, since it took over without the end of the log.
  arrow::Status TakeCopied(const SnapshotState& snapshot, std::vector<TableName>* lost) {
    for (const CopiedTable& table : snapshot.copied) {
      stale_.insert(table.name);
      known_ids_.insert(table.table_id);
    }
    const auto there = [this](const Position& point) { return source_.HasInHistory(point); };
    ARROW_ASSIGN_OR_RAISE(*lost, copied_.Restore(snapshot.copied, there));
    for (const TableName& table : *lost) observer_.OnNotice(copy_notices::PointIsLost(table));
    return arrow::Status::OK();
  }

  // What is noted under a name that the table does not have any more.
  void FollowRenames(const std::vector<SourceTable>& tables) {
    copied_.Look(tables);
    for (const TableName& table : std::exchange(*only_, {})) {
      const TableName now = copied_.NameNow(table);
      to_note_ = to_note_ || now != table;
      if (!IsNamed(now)) only_->push_back(now);
    }
  }

  arrow::Status FindThoseLeftOut(const SinkState& state, const std::vector<SourceTable>& tables,
                                 std::vector<TableName>* lost) {
    if (!state.stream.has_value()) return arrow::Status::OK();
    ARROW_ASSIGN_OR_RAISE(const auto left_out, copied_.FindLeftOut(state.stream->patterns, tables));
    for (const TableName& table : left_out) {
      if (!Comes(table)) continue;
      lost->push_back(table);
      observer_.OnNotice(copy_notices::WasLeftOut(table));
    }
    return arrow::Status::OK();
  }

  bool Comes(const TableName& table) const { return std::ranges::count(coming_, table) > 0; }

  // They stay noted.
  void TellOfThoseNotComing() {
    for (const TableName& table : *only_) {
      if (Comes(table) && snapshot_ != SnapshotMode::kNever) continue;
      observer_.OnNotice(copy_notices::Waits(table, Comes(table)));
    }
  }

  // That came since the copy, under new names or known ones: whether all rows of theirs came as changes
  // nobody knows.
  void NoteAddedTables(const std::vector<SourceTable>& tables) {
    for (const SourceTable& table : tables) {
      not_there_.erase(table.name);
      NoteAddedTable(table.name, table.table_id);
    }
  }

  void NoteAddedTable(const TableName& name, uint32_t table_id) {
    if (copied_.Has(table_id) || !Comes(name) || IsNamed(name)) return;
    if (!only_.has_value()) only_.emplace();
    only_->push_back(name);
    added_.insert(name);
    to_note_ = true;
  }

  bool IsNamed(const TableName& table) const { return only_ && std::ranges::count(*only_, table) > 0; }

  bool AnyNamed() const { return only_.has_value() && !only_->empty(); }

  bool AnyToCopy() const {
    return only_.has_value() && std::any_of(only_->begin(), only_->end(), [this](const auto& table) {
             return Comes(table) && !given_up_.contains(table);
           });
  }

  void TellOfLaterTable(const TableSchema& table) {
    if (!told_of_later_.insert(table.table_id).second) return;
    observer_.OnNotice(copy_notices::CameLater(table.name, adds_beside()));
  }

  bool IsToBeCopied(const TableName& name, uint32_t table_id) const {
    return only_.has_value() ? IsNamed(name) && !given_up_.contains(name) : !copied_.Has(table_id);
  }

  // --- tables that are added, beside the stream ---

  bool adds_beside() const {
    return keeps_whole_ && sink_.copies_beside_stream() && snapshot_ != SnapshotMode::kOnly;
  }

  // A change of a table that was never copied, or is being copied: what the copy will have is left out.
  // Until it is complete the sink has noted that the table is to be copied, so that nothing is lost with what
  // was left out.
  arrow::Status TakeOfLaterTable(ChangeBatch* batch) {
    const TableSchema& table = *batch->table;
    if (!keeps_whole_ || table.name == MessagesTable()->name) return arrow::Status::OK();
    const bool copied = copied_.Has(table.table_id);
    if (copying_.contains(table.table_id) || (copied && !IsNamed(table.name))) return arrow::Status::OK();
    if (!copied) TellOfLaterTable(table);
    if (!adds_beside()) stale_.insert(table.name);
    if (not_there_.contains(table.name)) {  // until the source lists it
      stale_ids_.insert(table.table_id);
      return arrow::Status::OK();
    }
    if (!Comes(table.name)) coming_.push_back(table.name);
    NoteAddedTable(table.name, table.table_id);
    if (!adds_beside()) return CopyAtTheEndOfTheGroup();
    ARROW_RETURN_NOT_OK(NoteInSink());
    ARROW_RETURN_NOT_OK(BeginAdding(Clock::now()));
    while (AwaitsPoint(table.name)) {
      ARROW_RETURN_NOT_OK(ServeCopy(kTickInterval));
      ARROW_RETURN_NOT_OK(sink_.Tick());
    }
    ARROW_ASSIGN_OR_RAISE(batch->rows, stream_.DropCopied(*batch));
    if (batch->rows != nullptr && !copying_.contains(table.table_id)) stale_ids_.insert(table.table_id);
    return arrow::Status::OK();
  }

  // Where it cannot be done beside the stream.
  arrow::Status CopyAtTheEndOfTheGroup() {
    copy_due_ = AnyToCopy();
    if (copy_due_) stream_.PrepareAgain();
    return arrow::Status::OK();
  }

  // A table that cannot be copied does not end a stream that goes on.
  arrow::Status GiveUpWhereItMust(const arrow::Status& copied) {
    const ErrorDetail* const detail = GetErrorDetail(copied);
    if (copied.ok() || detail == nullptr || detail->retryable() || stop_.stopped() || !only_.has_value() ||
        detail->kind() == ErrorKind::kSink || detail->kind() == ErrorKind::kInternal)
      return copied;
    given_up_.insert(only_->begin(), only_->end());
    why_given_up_ = copied;
    observer_.OnNotice(copy_notices::Failed("added tables", copied));
    to_note_ = true;
    return NoteInSink();  // what came of them does not count
  }

  // Not for long, and once: rows that are delivered meanwhile are void when the copy has them.
  bool AwaitsPoint(const TableName& table) const {
    return beside_ != nullptr && !beside_->has_point() && !add_failed_ && !stop_.stopped() &&
           Clock::now() < add_begun_ + kPointWait && Wants(table);
  }
  bool Wants(const TableName& table) const { return std::ranges::count(wanted_, table) > 0; }

  arrow::Status AddTables(Clock::time_point now) {
    if (!keeps_whole_ || snapshot_ == SnapshotMode::kOnly) return arrow::Status::OK();
    if (now >= next_request_look_) {
      next_request_look_ = now + kRequestInterval;
      ARROW_RETURN_NOT_OK(TakeRequests());
    }
    ARROW_RETURN_NOT_OK(LookForTables(now));
    return adds_beside() ? BeginAdding(now) : CopyAtTheEndOfTheGroup();
  }

  // Of those that --snapshot never leaves as they are.
  arrow::Status TellOfRequests() {
    ARROW_ASSIGN_OR_RAISE(const SnapshotRequests requests, sink_.ReadRequests());
    for (const TableName& table : requests.tables)
      observer_.OnNotice(copy_notices::Waits(table, /*comes=*/true));
    return arrow::Status::OK();
  }

  // Tables that are to be copied anew, as somebody asked. Those of a copy that has its point wait.
  arrow::Status TakeRequests() {
    ARROW_ASSIGN_OR_RAISE(SnapshotRequests requests, sink_.ReadRequests());
    for (const arrow::Status& unread : requests.unread) {
      // Nothing to end a stream for.
      const ErrorDetail* const detail = GetErrorDetail(unread);
      if (detail == nullptr || !told_of_requests_.insert(detail->object()).second) continue;
      observer_.OnNotice({true, unread.message() + ": " + detail->remedy(), detail->object()});
    }
    std::vector<TableName>& requested = requests.tables;
    if (beside_ != nullptr && beside_->has_point()) {
      std::erase_if(requested, [this](const TableName& table) { return Wants(copied_.NameNow(table)); });
    }
    ARROW_RETURN_NOT_OK(Withdraw(requests.withdrawn));
    if (requested.empty()) return arrow::Status::OK();
    if (!only_.has_value()) only_.emplace();
    for (const TableName& asked : requested) {
      const TableName table = copied_.NameNow(asked);
      if (!IsNamed(table)) only_->push_back(table);
      stale_.insert(table);
      added_.erase(table);
      given_up_.erase(table);
      observer_.OnNotice(copy_notices::WasAskedFor(table, Comes(table)));
      if (!Comes(table)) next_look_ = {};  // it may be new
    }
    to_note_ = true;
    ARROW_RETURN_NOT_OK(NoteInSink());
    return sink_.EndSnapshotRequests(requested);
  }

  // Tables that are not to be copied anew after all. What is being copied is completed.
  arrow::Status Withdraw(const std::vector<TableName>& tables) {
    if (tables.empty()) return arrow::Status::OK();
    for (const TableName& asked : tables) {
      const TableName table = copied_.NameNow(asked);
      const bool waits = IsNamed(table) && (beside_ == nullptr || !Wants(table));
      if (waits) std::erase(*only_, table);
      observer_.OnNotice(copy_notices::Withdrawn(table, waits));
    }
    to_note_ = AnyNamed();
    ARROW_RETURN_NOT_OK(to_note_ ? NoteInSink() : sink_.EndSnapshot());
    return sink_.EndSnapshotRequests(tables);
  }

  arrow::Status LookForTables(Clock::time_point now) {
    if (!look_.valid() && now >= next_look_)
      look_ = std::async(std::launch::async, [this] { return source_.Tables(); });
    if (!look_.valid() || look_.wait_for(milliseconds(0)) != std::future_status::ready)
      return arrow::Status::OK();
    next_look_ = now + kLookInterval;
    const auto tables = look_.get();
    if (!tables.ok()) return arrow::Status::OK();  // a server that is away is told of by the stream
    for (const SourceTable& table : *tables) {
      if (!stream_.Matches(table.name) || Comes(table.name)) continue;
      coming_.push_back(table.name);
      counts_.NoteTable(table.name, observer_);
    }
    if (only_.has_value()) FollowRenames(*tables);
    NoteAddedTables(*tables);
    return arrow::Status::OK();
  }

  // What is not noted is begun by the next process as if it had never been.
  arrow::Status NoteInSink() {
    if (!std::exchange(to_note_, false)) return arrow::Status::OK();
    ARROW_RETURN_NOT_OK(sink_.BeginSnapshot(only_).status());
    // For a start that is tried again.
    if (!state_.snapshot.has_value()) state_.snapshot.emplace();
    state_.snapshot->complete = false;
    state_.snapshot->only = only_;
    return arrow::Status::OK();
  }

  arrow::Status BeginAdding(Clock::time_point now) {
    if (beside_ != nullptr || now < next_add_ || !AnyToCopy()) return arrow::Status::OK();
    ARROW_RETURN_NOT_OK(NoteInSink());
    // Changes have come since the parts of a copy before: all of it anew.
    ARROW_RETURN_NOT_OK(sink_.KeepParts({}));
    wanted_ = *only_;
    std::erase_if(wanted_, [this](const auto& table) { return given_up_.contains(table) || !Comes(table); });
    if (one_by_one_) wanted_ = {wanted_[turns_++ % wanted_.size()]};
    add_begun_ = now;
    const auto wanted = [tables = wanted_](const TableName& name, uint32_t) {
      return std::ranges::count(tables, name) > 0;
    };
    const auto take = [this, wanted, copied = copied_]() -> arrow::Result<std::unique_ptr<Snapshot>> {
      ARROW_ASSIGN_OR_RAISE(auto snapshot, source_.BeginSnapshot(wanted, {}));
      ARROW_RETURN_NOT_OK(copied.CheckIsLater(*snapshot));
      return snapshot;
    };
    Listener& listener = *this;
    beside_ = std::make_unique<BackgroundCopy>(take, copy_target_, listener, snapshot_connections_);
    return arrow::Status::OK();
  }

  std::set<TableName> OnPoint(const Snapshot& snapshot) override {
    std::set<TableName> stale;
    adding_.clear();
    for (const SnapshotTable& table : snapshot.tables()) {
      const CopiedTable point = {table.name, table.table_id, snapshot.point()};
      // One that was copied: under its name a change has come of a table that is gone.
      if (stale_.contains(table.name) || known_ids_.contains(table.table_id) ||
          stale_ids_.contains(table.table_id) || copied_.Has(table.table_id))
        stale.insert(table.name);
      adding_.push_back(point);
      copying_.insert(table.table_id);
      stream_.NotePoint(point);
    }
    return stale;
  }

  void OnCopied(const SnapshotProgress& progress) override {
    TellOfUnrepresentable();
    if (!progress.tables.empty()) observer_.OnSnapshot(progress);
    for (size_t i = 0; i < progress.tables.size(); ++i) {
      if (!progress.tables[i].complete || !copying_.contains(adding_[i].table_id)) continue;
      NoteCopied(adding_[i]);
      copying_.erase(adding_[i].table_id);
    }
  }

  void OnNoticeOf(const SourceNotice& notice) override { observer_.OnNotice(notice); }

  void NoteCopied(const CopiedTable& table) {
    copied_.Add(table);
    stale_.erase(table.name);
    stale_ids_.erase(table.table_id);
    if (only_.has_value()) std::erase(*only_, table.name);
  }

  arrow::Status ServeCopy(milliseconds timeout = milliseconds(0)) {
    if (beside_ == nullptr) return arrow::Status::OK();
    ARROW_RETURN_NOT_OK(beside_->Serve(timeout));
    return beside_->ended() ? EndAdding() : arrow::Status::OK();
  }

  arrow::Status EndAdding() {
    const arrow::Status status = std::exchange(beside_, nullptr)->status();
    GiveBackFreedMemory();
    TellOfUnrepresentable();
    // Of those that are not complete the sink has changes behind their point.
    for (const CopiedTable& table : adding_) {
      if (copying_.erase(table.table_id) > 0) stale_ids_.insert(table.table_id);
    }
    adding_.clear();
    const bool failed_before = std::exchange(add_failed_, !status.ok());
    if (status.ok()) ARROW_RETURN_NOT_OK(EndSnapshotOf(wanted_));
    std::erase_if(wanted_, [this](const TableName& table) { return !IsNamed(table); });
    if (status.ok()) {
      add_backoff_.Reset();
      // They are not published any more.
      for (const TableName& table : wanted_) {
        std::erase(coming_, table);
        observer_.OnNotice(copy_notices::IsNotListed(table));
      }
    }
    if (status.ok() || stop_.stopped()) return arrow::Status::OK();
    const ErrorDetail* const detail = GetErrorDetail(status);
    if (detail == nullptr || detail->kind() == ErrorKind::kSink || detail->kind() == ErrorKind::kInternal)
      return status;
    // What is in the way of one table is not in the way of the others.
    const bool together = wanted_.size() > 1;
    if (!detail->retryable() && together) {
      one_by_one_ = true;
      return arrow::Status::OK();
    }
    if (!detail->retryable()) {
      given_up_.insert(wanted_.begin(), wanted_.end());
      why_given_up_ = status;
    }
    next_add_ = Clock::now() + add_backoff_.Next(detail->kind()).value_or(milliseconds(0));
    why_not_added_ = status;
    if (failed_before && detail->retryable()) return arrow::Status::OK();  // the same again, as a rule
    const std::string tables = ToString(wanted_.front()) + (together ? " and others" : "");
    observer_.OnNotice(copy_notices::Failed(tables, status));
    return arrow::Status::OK();
  }

  // At an end that was asked for. Errors: of a copy that fails for longer than a stream may before it begins.
  arrow::Status FinishAdding() {
    Backoff patience(retry_max_);
    while (!stop_.stopped() && adds_beside() && (beside_ != nullptr || AnyToCopy())) {
      ARROW_RETURN_NOT_OK(BeginAdding(Clock::now()));
      if (beside_ == nullptr) stop_.Wait(kTickInterval);
      const bool was_running = beside_ != nullptr;
      const size_t copied = copied_.all().size();
      ARROW_RETURN_NOT_OK(ServeCopy(kTickInterval));
      if (copied_.all().size() > copied) patience.Reset();
      const bool failed = was_running && beside_ == nullptr && add_failed_;
      if (failed && !patience.Next(ErrorKind::kConnection).has_value()) return why_not_added_;
      ARROW_RETURN_NOT_OK(sink_.Tick());
      TellProgress(Clock::now());
    }
    if (stop_.stopped() && stream_.Reached() && adds_beside() && AnyToCopy())
      return copy_notices::StoppedWhileAdding();
    return stop_.stopped() ? arrow::Status::OK() : why_given_up_;
  }

  void TellOfThoseNotCopied() {
    if (!keeps_whole_ || !AnyToCopy()) return;
    std::vector<TableName> left = *only_;
    std::erase_if(left, [this](const auto& table) { return given_up_.contains(table) || !Comes(table); });
    observer_.OnNotice(copy_notices::NotCopiedYet(left));
  }

  // When a copy of these tables has come to its end. Those that nobody named and that it did not meet do not
  // come any more.
  arrow::Status EndSnapshotOf(const std::vector<TableName>& tables) {
    for (const TableName& table : tables) {
      if (!added_.contains(table) || given_up_.contains(table) || std::erase(*only_, table) == 0) continue;
      if (not_there_.insert(table).second) observer_.OnNotice(copy_notices::NotThere(table));
    }
    return AnyNamed() ? arrow::Status::OK() : sink_.EndSnapshot();
  }

  arrow::Status CopyRows(const Position& start) {
    ARROW_RETURN_NOT_OK(sink_.Advance(start));
    ARROW_ASSIGN_OR_RAISE(std::vector<SnapshotPart> parts, sink_.BeginSnapshot(only_));
    const auto is_stale = [this](const SnapshotPart& part) {
      return stale_.contains(part.table) || known_ids_.contains(part.table_id);
    };
    DropThoseThatVoidNothing(is_stale, &parts);
    const auto wanted = std::bind_front(&Pipeline::IsToBeCopied, this);
    ARROW_ASSIGN_OR_RAISE(const auto snapshot, source_.BeginSnapshot(wanted, parts));
    ARROW_RETURN_NOT_OK(copied_.CheckIsLater(*snapshot));
    std::set<TableName> kept;
    for (const SnapshotTable& table : snapshot->tables()) {
      if (known_ids_.contains(table.table_id)) stale_.insert(table.name);  // under another name
      if (table.parts_kept > 0) kept.insert(table.name);
    }
    ARROW_RETURN_NOT_OK(sink_.KeepParts(kept));
    SnapshotProgress last;
    const arrow::Status copied = CopySnapshot(
        *snapshot, copy_target_, stale_, snapshot_connections_, stop_,
        [&](const auto& progress) {
          last = progress;
          TellOfUnrepresentable();
          observer_.OnSnapshot(progress);
        },
        [this](const SourceNotice& notice) { observer_.OnNotice(notice); });
    for (size_t i = 0; i < last.tables.size(); ++i) {
      const SnapshotTable& table = snapshot->tables()[i];
      if (last.tables[i].rows > 0 && !sink_.keeps_data()) stale_.insert(table.name);  // passed on
      if (last.tables[i].complete) NoteCopied({table.name, table.table_id, table.point});
    }
    ARROW_RETURN_NOT_OK(copied);
    return EndSnapshotOf(only_.value_or(std::vector<TableName>{}));
  }

  // --- what is durable ---

  arrow::Status Tick() {
    ARROW_RETURN_NOT_OK(sink_.Tick());
    const auto now = Clock::now();
    // The last keepalive before silence may have come within the interval: it is stored here.
    const bool behind = sink_.durable() < stream_.delivered();
    if (behind && !stream_.group_open() && !sink_.has_pending_rows() &&
        now - last_idle_store_ >= kIdleStoreInterval) {
      last_idle_store_ = now;
      ARROW_RETURN_NOT_OK(sink_.Flush());
    }
    return Acknowledge();
  }

  arrow::Status Acknowledge() {
    const std::optional<Position> durable = sink_.durable();
    if (durable.has_value()) counts_.NoteDurable(*durable, std::chrono::system_clock::now());
    if (!moves_slot_) return arrow::Status::OK();
    if (durable <= stats_.durable) return arrow::Status::OK();
    if (durable > stream_.delivered()) return NotDelivered("sink", *durable, stream_.delivered());
    stats_.durable = durable;
    source_.Acknowledge(*durable);
    return arrow::Status::OK();
  }

  void TellOfUnrepresentable() { stats_.unrepresentable += unrepresentable_.Tell(observer_); }

  void UpdateStats() { counts_.Update(source_.stats(), stream_, std::chrono::system_clock::now()); }

  Source& source_;
  Sink& sink_;
  PipelineObserver& observer_;
  const bool moves_slot_;  // it says what may be acknowledged
  const SnapshotMode snapshot_;
  const int64_t snapshot_connections_;
  const std::optional<milliseconds> retry_max_;
  const StopToken& stop_;
  ChangeStream stream_;
  SinkMemory memory_;
  IdleMemory idle_memory_{GiveBackFreedMemory, FreedMemory};

  bool sink_opened_ = false;
  SinkState state_;        // as it was then
  bool copy_due_ = false;  // rows that were there before are to be copied, or the rest of them
  CopiedTables copied_;    // tables whose rows are all in the sink
  std::optional<std::vector<TableName>> only_;  // tables that are to be copied; none: all but those
  std::set<TableName> added_;                   // those of them that nobody named
  std::set<TableName> not_there_;               // that a copy did not meet, or may not
  std::set<TableName> stale_;                   // of which the sink has rows from before they are copied
  std::set<uint32_t> known_ids_;                // theirs
  std::vector<TableName> coming_;               // that are published, and asked for
  bool keeps_whole_ = false;                    // the sink has all rows of the tables that were there
  std::set<uint32_t> told_of_later_;
  bool resumed_ = false;           // the sink had a position of its own
  bool behind_gap_ = false;        // and the stream does not begin there
  std::optional<uint32_t> epoch_;  // of the stored position
  Clock::time_point last_tick_{};
  Clock::time_point last_progress_{};
  Clock::time_point last_idle_store_{};
  UnrepresentableValues unrepresentable_;
  CountingTarget copy_target_{&sink_, &unrepresentable_};
  StreamCounts counts_;
  PipelineStats& stats_ = counts_.stats();

  // Beside the stream:
  bool to_note_ = false;             // the sink does not know all of only_
  std::vector<TableName> wanted_;    // by the copy
  std::vector<CopiedTable> adding_;  // the tables of the copy, in its order, once it has its point
  std::set<uint32_t> copying_;       // those of them that are not complete
  bool add_failed_ = false;          // the last copy
  std::set<uint32_t> stale_ids_;     // of which rows came since that a copy does not take over
  bool one_by_one_ = false;          // one of several cannot be copied
  size_t turns_ = 0;                 // that were taken so
  arrow::Status why_not_added_;      // the last copy that failed
  std::set<TableName> given_up_;     // that no retry will copy
  arrow::Status why_given_up_;
  Clock::time_point add_begun_{};
  Clock::time_point next_add_{};
  Backoff add_backoff_{std::nullopt};
  Clock::time_point next_look_{};
  Clock::time_point next_request_look_{};
  std::set<std::string> told_of_requests_;  // that cannot be read
  std::future<arrow::Result<std::vector<SourceTable>>> look_;
  std::unique_ptr<BackgroundCopy> beside_;
};

}  // namespace

arrow::Result<PipelineStats> RunPipeline(Source& source, Sink& sink, const PipelineOptions& options,
                                         const TablePatterns* patterns, PipelineObserver& observer,
                                         const StopToken& stop) {
  return Pipeline(source, sink, options, patterns, observer, stop).Run();
}

}  // namespace arrowcdc
