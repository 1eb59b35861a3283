#include "src/delivery/change_stream.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "arrowcdc/change_rows.h"
#include "arrowcdc/error.h"
#include "arrowcdc/messages_table.h"

namespace arrowcdc {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kPollInterval{100};
constexpr milliseconds kShortPollInterval{5};
constexpr milliseconds kAwayInterval{250};

// By a superuser with allow_system_table_mods alone.
arrow::Status NameIsTaken(const TableName& name) {
  return MakeError(ErrorKind::kUnsupported, "its name is that under which logical messages come",
                   "table " + ToString(name), "leave it out of the publication, or rename it");
}

// A sink that has rows keeps to who decoded them, where both are known.
arrow::Status CheckSamePlugin(const StreamIdentity& stored, const StreamIdentity& now) {
  if (stored.plugin.empty() || now.plugin.empty() || stored.plugin == now.plugin) return arrow::Status::OK();
  return MakeError(ErrorKind::kSlotMismatch,
                   "the sink's rows came by the plugin " + stored.plugin + ", and the slot is one of " +
                       now.plugin + ": types of some columns and the numbers of fields are others",
                   "slot \"" + now.slot + "\"",
                   "capture into a new sink, or set up a slot of the plugin " + stored.plugin +
                       "; --accept-plugin goes on here, where readers of the files can do with both "
                       "(docs/managed.md)");
}

}  // namespace

arrow::Status NotDelivered(const std::string& who, const Position& durable,
                           const std::optional<Position>& delivered) {
  return MakeError(ErrorKind::kInternal,
                   "the " + who + " would acknowledge " + FormatLsn(durable.order) +
                       ", but only what lies before " + FormatLsn(delivered.value_or(Position{}).order) +
                       " was delivered there",
                   who, "this is a defect in arrowcdc: please report it; nothing was acknowledged");
}

ChangeStream::ChangeStream(Source& source, const ChangeStreamOptions& options, const TablePatterns* patterns,
                           const StopToken& stop, StreamDriver& driver)
    : source_(source),
      options_(options),
      stop_(stop),
      driver_(driver),
      backoff_(options.retry_max),
      repeated_(patterns),
      watch_(patterns, options.on_unpublished),
      last_(
          MakeError(ErrorKind::kConnection, "stopped before the stream began", "stream", "start it again")) {}

arrow::Status ChangeStream::Open() {
  while (!Finished()) {
    arrow::Status status = Connect();
    if (status.ok()) return status;
    // Whoever stops an attempt to connect knows why it ended.
    if (IsInterrupted(status)) {
      if (begun_) last_ = status;  // rows were being copied
      break;
    }
    ARROW_RETURN_NOT_OK(WaitAfter(status, false));
  }
  // Who is stopped before anything could be streamed has not done what was asked.
  return started_ || Reached() || no_stream_ ? arrow::Status::OK() : last_;
}

arrow::Status ChangeStream::OpenAgain(const arrow::Status& why) {
  no_stream_ = false;
  if (!why.ok()) ARROW_RETURN_NOT_OK(WaitAfter(why, false));
  return Open();
}

arrow::Status ChangeStream::Run() {
  while (true) {
    const std::optional<Position> began_at = delivered_;
    arrow::Status status = Receive();
    if (status.ok()) return status;
    ARROW_RETURN_NOT_OK(WaitAfter(status, delivered_ > began_at));
    ARROW_RETURN_NOT_OK(Open());
  }
}

bool ChangeStream::Reached() const { return until_.has_value() && !group_open_ && delivered_ >= until_; }

bool ChangeStream::IsInterrupted(const arrow::Status& status) const {
  const ErrorDetail* detail = GetErrorDetail(status);
  return stop_.stopped() && detail != nullptr && detail->kind() == ErrorKind::kInterrupted;
}

// --- connecting ---

arrow::Status ChangeStream::Connect() {
  ARROW_ASSIGN_OR_RAISE(const SourceInfo info, source_.Connect());
  ARROW_RETURN_NOT_OK(MoveEnds());
  // A copy may come first, and take hours.
  if (ends_at_a_text()) ARROW_RETURN_NOT_OK(source_.ParsePosition(*options_.until).status());
  if (!state_.has_value()) {
    ARROW_ASSIGN_OR_RAISE(state_, driver_.Open(info));
    for (const auto& [table, row] : state_->last_rows) {
      if (table == MessagesTable()->name) continue;  // no publication has it
      const auto id = state_->table_ids.find(table);
      watch_.Knows(table, id == state_->table_ids.end() ? 0 : id->second);
    }
    told_ = state_->position;
  }
  // Who keeps nothing and was given nothing has nothing to go on from.
  const bool goes_on = begun_ && (started_ || options_.keeps_data);
  ARROW_RETURN_NOT_OK(goes_on ? GoOn(info) : BeginAnew(info));
  prepare_again_ = false;
  ARROW_ASSIGN_OR_RAISE(const auto prepared, driver_.Prepare(*delivered_));
  if (prepared == StreamDriver::Prepared::kConnectAgain) return Connect();
  no_stream_ = prepared == StreamDriver::Prepared::kNoStream;
  if (no_stream_) return arrow::Status::OK();
  for (const CopiedTable& table : driver_.Copied()) NotePoint(table);
  ARROW_RETURN_NOT_OK(FindEnd(info));
  const arrow::Status started = source_.Start(*delivered_);
  TakeNews();
  ARROW_RETURN_NOT_OK(started);
  started_ = true;
  backoff_.NoteStarted();
  repeated_.BeginSession();
  group_open_ = false;
  dirty_ = false;
  driver_.Started(info, *delivered_);
  // A slot keeps the place of a stream that has had no rows. Without one only the target can.
  return info.stream.slot.empty() ? TellStart() : arrow::Status::OK();
}

arrow::Status ChangeStream::BeginAnew(const SourceInfo& info) {
  ARROW_RETURN_NOT_OK(CheckPublished(info));
  if (state_->stream.has_value() && !options_.accept_plugin)
    ARROW_RETURN_NOT_OK(CheckSamePlugin(*state_->stream, info.stream));
  // Whoever moves the slot on and has not read it before.
  const bool begins = !state_->position.has_value() && options_.moves_slot;
  if (begins && !options_.accept_tables) ARROW_RETURN_NOT_OK(info.other_tables);
  const bool copies = !state_->position.has_value() && driver_.CopiesFirst();
  ResumeRequest request{.accept_gap = copies};
  if (options_.keeps_data) {
    using Have = ResumeRequest::Have;
    request.have = state_->position.has_value() ? Have::kStored : Have::kNothingYet;
    request.position = state_->position.value_or(Position{});
    request.in_part = state_->position.has_value() && HasRowsBehind(*state_->position);
  }
  auto resumed = source_.Resume(request);
  const ErrorDetail* const detail = GetErrorDetail(resumed.status());
  const bool gap = detail != nullptr && detail->kind() == ErrorKind::kPositionGap;
  if (gap && !request.accept_gap && (options_.accept_gap || driver_.CopiesAllAgain())) {
    const SourceNotice notice{
        false,
        (options_.accept_gap ? "changes are lacking, as was accepted: "
                             : "all rows are copied anew, since changes are lacking: ") +
            resumed.status().message(),
        detail->object(), options_.accept_gap ? NoticeKind::kGapAccepted : NoticeKind::kOther};
    request.accept_gap = true;
    request.copies_all = !options_.accept_gap;
    resumed = source_.Resume(request);
    if (resumed.ok()) {
      driver_.Tell(notice);
      driver_.BeginsBehindAGap();
    }
  }
  ARROW_ASSIGN_OR_RAISE(const Position start, resumed);
  repeated_.Restore(state_->last_rows);
  ARROW_RETURN_NOT_OK(driver_.Begin(info, *state_));
  begun_ = true;
  // Before Start, which may fail and be tried again as a reconnect.
  return StartAt(start);
}

bool ChangeStream::HasRowsBehind(const Position& position) const {
  const auto& rows = state_->last_rows;
  const auto& copied = driver_.Copied();
  return std::any_of(rows.begin(), rows.end(),
                     [&](const auto& row) { return !source_.Covers(position, row.second); }) ||
         std::any_of(copied.begin(), copied.end(), [&](const auto& table) { return table.point > position; });
}

// What was delivered in this process need not come again: rows are skipped one by one in any case.
arrow::Status ChangeStream::GoOn(const SourceInfo& info) {
  if (started_) ++reconnects_;
  ARROW_ASSIGN_OR_RAISE(const Position start, source_.Resume({ResumeRequest::Have::kDelivered, *delivered_}));
  ARROW_RETURN_NOT_OK(CheckPublished(info));
  return StartAt(start);
}

// A driver that has a position is told of another start at once: a gap that was accepted is not asked about
// again, and the position of an epoch is there before rows of that epoch are. One that has none is told by
// TellStart: until then it is as new as it was, whatever this start comes to. Behind rows of a group that
// came in part the start is no boundary; then the next one tells the epoch.
arrow::Status ChangeStream::StartAt(const Position& start) {
  delivered_ = start;
  if (!told_.has_value() || *told_ == start || rows_since_) return arrow::Status::OK();
  told_ = start;
  return driver_.Advance(start);
}

// To a driver that has no position, so that the next process goes on from there.
arrow::Status ChangeStream::TellStart() {
  if (!options_.keeps_data || told_.has_value()) return arrow::Status::OK();
  told_ = delivered_;
  return driver_.Advance(*delivered_);
}

// The connection may break here: whoever connects again asks again.
arrow::Status ChangeStream::FindEnd(const SourceInfo& info) {
  if (!options_.until.has_value() || until_.has_value()) return arrow::Status::OK();
  if (ends_at_a_text()) {
    ARROW_ASSIGN_OR_RAISE(until_, source_.ParsePosition(*options_.until));
    ARROW_ASSIGN_OR_RAISE(const Position log_end, source_.Rebase(info.end));
    if (*until_ > log_end) {
      driver_.Tell({false,
                    "the log of the source ends at " + source_.FormatPosition(log_end) +
                        ": the stream waits until it has come to " + source_.FormatPosition(*until_),
                    "option until"});
    }
    return arrow::Status::OK();
  }
  ARROW_ASSIGN_OR_RAISE(const LogEnd end, source_.CurrentEnd());
  until_ = end.position;
  driver_.EndsAt(end);
  return arrow::Status::OK();
}

// Before a position of this connection counts as delivered: one of a later epoch is behind any end of an
// earlier one.
arrow::Status ChangeStream::MoveEnds() {
  if (until_.has_value()) {
    ARROW_ASSIGN_OR_RAISE(until_, source_.Rebase(*until_));
  }
  if (watch_.end().has_value()) {
    ARROW_ASSIGN_OR_RAISE(const Position end, source_.Rebase(watch_.end()->position));
    watch_.MoveEnd(end);
  }
  return arrow::Status::OK();
}

arrow::Status ChangeStream::CheckPublished(const SourceInfo& info) {
  arrow::Status published = watch_.Connected(info, !started_, !state_->position.has_value());
  TellNotices();
  return published;
}

void ChangeStream::TellNotices() {
  for (const SourceNotice& notice : watch_.TakeNotices()) driver_.Tell(notice);
  driver_.Counted();
}

void ChangeStream::TakeNews() {
  const SourceNews news = source_.TakeNews();
  for (const SourceNotice& notice : news.notices) driver_.Tell(notice);
  if (news.unmatched.empty()) return;
  for (const auto& [table, rows] : news.unmatched) {
    repeated_.CountUnmatched(rows);
    watch_.PassedOver(table, rows);
  }
  TellNotices();
}

// OK when it is time for another try, or the stream is finished.
arrow::Status ChangeStream::WaitAfter(const arrow::Status& status, bool delivered) {
  last_ = status;
  const ErrorDetail* detail = GetErrorDetail(status);
  if (detail != nullptr && detail->kind() == ErrorKind::kSink) no_room_at_ = delivered_;
  if (!IsWorthAnotherSession(detail, delivered)) return status;
  // A copy of hours may meet several failures, and get on in between.
  const size_t tables_copied = driver_.Copied().size();
  if (tables_copied > tables_copied_) backoff_.Reset();
  tables_copied_ = tables_copied;
  auto wait = backoff_.Next(detail->kind());
  // Once at each place: no limit in time is meant for what the next session may deliver.
  const bool reads_again =
      started_ && !PassesWithTime(*detail) && std::exchange(read_again_at_, delivered_) != delivered_;
  if (!wait.has_value() && reads_again) wait = milliseconds(0);
  if (!wait.has_value()) return status;
  driver_.Retrying(status, *wait);
  const auto deadline = Clock::now() + *wait;
  while (!Finished() && Clock::now() < deadline) {
    ARROW_RETURN_NOT_OK(driver_.TickWhileAway());
    stop_.Wait(std::min(kAwayInterval, std::chrono::duration_cast<milliseconds>(deadline - Clock::now())));
  }
  return arrow::Status::OK();
}

// --- events ---

arrow::Status ChangeStream::Receive() {
  while (true) {
    ARROW_RETURN_NOT_OK(CheckEnd());
    if (Finished()) return arrow::Status::OK();
    auto next = source_.Next(driver_.wants_turns() ? kShortPollInterval : kPollInterval);
    TakeNews();
    // A source may connect anew within Next.
    if (!next.ok() && IsInterrupted(next.status())) return arrow::Status::OK();
    ARROW_ASSIGN_OR_RAISE(std::optional<Event> event, std::move(next));
    if (event.has_value()) {
      if (delivered_ > no_room_at_) no_room_at_.reset();
      if (!no_room_at_.has_value()) backoff_.Reset();
      ARROW_RETURN_NOT_OK(std::visit([this](auto& e) { return Handle(e); }, *event));
    }
    ARROW_RETURN_NOT_OK(driver_.Housekeeping());
    if (!prepare_again_ || group_open_ || rows_since_ || stop_.stopped()) continue;
    const arrow::Status again = Connect();
    if (!again.ok() && !IsInterrupted(again)) return again;
  }
}

arrow::Status ChangeStream::CheckEnd() const {
  if (!watch_.end().has_value()) return arrow::Status::OK();
  const Position& position = watch_.end()->position;
  const bool delivered = !group_open_ && delivered_ >= position;
  return (delivered || Reached()) && driver_.MayEndAt(position) ? watch_.end()->why : arrow::Status::OK();
}

arrow::Status ChangeStream::Handle(ChangeBatch& batch) {
  const GroupState group = batch.group;
  ARROW_RETURN_NOT_OK(Deliver(std::move(batch)));
  return TakeGroup(group);
}

arrow::Status ChangeStream::Handle(const TruncateEvent& event) {
  GroupState inside = event.group;
  inside.group_end = false;  // the group ends after the last of them
  for (size_t i = 0; i < event.tables.size(); ++i) {
    ARROW_ASSIGN_OR_RAISE(auto row, TruncateRow(event, static_cast<int>(i)));
    ARROW_RETURN_NOT_OK(Deliver({event.tables[i], std::move(row), inside}));
  }
  return TakeGroup(event.group);
}

arrow::Status ChangeStream::Handle(const KeepaliveEvent& event) {
  if (!group_open_ && !dirty_) ARROW_RETURN_NOT_OK(Advance(event.position));
  return driver_.Keepalive(event.reply_requested);
}

arrow::Status ChangeStream::Handle(const NoticeEvent& event) {
  // Rows that were passed over before the point of their table are among those that were copied.
  const auto point = points_.find(event.table_id);
  if (event.what == NoticeEvent::What::kPassedOver && point != points_.end() &&
      event.position <= point->second)
    return arrow::Status::OK();
  arrow::Status fits = watch_.Noticed(event);
  TellNotices();
  return fits;
}

void ChangeStream::NotePoint(const CopiedTable& table, TableIds there) {
  points_.insert_or_assign(table.table_id, table.point);
  if (there != nullptr) name_points_.insert_or_assign(table.name, NamePoint{table.point, std::move(there)});
}

const Position* ChangeStream::PointOf(const TableSchema& table) const {
  const auto of_name = name_points_.find(table.name);
  if (of_name != name_points_.end() && !of_name->second.there->contains(table.table_id))
    return &of_name->second.point;
  const auto own = points_.find(table.table_id);
  return own == points_.end() ? nullptr : &own->second;
}

// What committed before the point of its table is among the rows that were copied.
arrow::Result<std::shared_ptr<arrow::RecordBatch>> ChangeStream::DropCopied(const ChangeBatch& batch) const {
  const Position* const point = PointOf(*batch.table);
  if (point == nullptr) return batch.rows;
  ARROW_ASSIGN_OR_RAISE(const ChangeRows changes, ChangeRows::Make(*batch.table, *batch.rows));
  int64_t first = 0;
  while (first < changes.num_rows() && source_.Covers(*point, changes.position(first))) ++first;
  if (first == 0) return batch.rows;
  return first < changes.num_rows() ? batch.rows->Slice(first) : nullptr;
}

arrow::Status ChangeStream::Deliver(ChangeBatch batch) {
  const bool is_messages = batch.table == MessagesTable();
  if (!is_messages && batch.table->name == MessagesTable()->name) return NameIsTaken(batch.table->name);
  const bool matches = repeated_.Matches(batch.table->name);
  if (!matches) watch_.PassedOver(batch.table->name, static_cast<uint64_t>(batch.rows->num_rows()));
  ARROW_ASSIGN_OR_RAISE(batch.rows, repeated_.Filter(*batch.table, std::move(batch.rows)));
  if (!matches) TellNotices();
  if (batch.rows == nullptr) return arrow::Status::OK();
  // Behind the look at what is repeated: rows that were delivered may have been copied since.
  ARROW_ASSIGN_OR_RAISE(batch.rows, DropCopied(batch));
  if (batch.rows == nullptr) return arrow::Status::OK();
  if (!is_messages) watch_.Knows(batch.table->name, batch.table->table_id);
  ARROW_RETURN_NOT_OK(TellStart());
  rows_since_ = true;
  return driver_.Take(std::move(batch));
}

arrow::Status ChangeStream::TakeGroup(const GroupState& group) {
  dirty_ = group.dirty;
  group_open_ = !group.group_end;
  if (!group.group_end) return arrow::Status::OK();
  if (group.safe.has_value()) ARROW_RETURN_NOT_OK(Advance(*group.safe));
  return driver_.EndGroup();
}

// A server that took over without the last of what the one before had sent.
arrow::Status ChangeStream::CheckNoneMissing(const Position& position) const {
  for (const auto& [table, row] : repeated_.behind()) {
    if (source_.Covers(position, row)) return NotRepeated(table);
  }
  return arrow::Status::OK();
}

arrow::Status ChangeStream::Advance(const Position& position) {
  if (delivered_ >= position) return arrow::Status::OK();
  if (!repeated_.caught_up()) return CheckNoneMissing(position);
  delivered_ = told_ = position;
  repeated_.NoteBoundary();
  rows_since_ = false;
  return driver_.Advance(position);
}

}  // namespace arrowcdc
