#include "src/delivery/change_stream.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "arrowcdc/error.h"

namespace arrowcdc {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kPollInterval{100};
constexpr milliseconds kAwayInterval{250};

}  // namespace

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
    const arrow::Status status = Connect();
    if (status.ok()) return status;
    // Whoever stops an attempt to connect knows why it ended.
    if (IsInterrupted(status)) break;
    ARROW_RETURN_NOT_OK(WaitAfter(status, false));
  }
  // Who is stopped before anything could be streamed has not done what was asked.
  return started_ || Reached() ? arrow::Status::OK() : last_;
}

arrow::Status ChangeStream::Run() {
  while (true) {
    const uint64_t began_at = delivered_;
    const arrow::Status status = Receive();
    if (status.ok()) return status;
    ARROW_RETURN_NOT_OK(WaitAfter(status, delivered_ > began_at));
    ARROW_RETURN_NOT_OK(Open());
  }
}

bool ChangeStream::Reached() const { return until_.has_value() && !group_open_ && delivered_ >= *until_; }

bool ChangeStream::IsInterrupted(const arrow::Status& status) const {
  const ErrorDetail* detail = GetErrorDetail(status);
  return stop_.stopped() && detail != nullptr && detail->kind() == ErrorKind::kInterrupted;
}

TimelineEnd ChangeStream::TimelineEnds() {
  return [this](uint32_t timeline) { return source_.TimelineEnd(timeline); };
}

// --- connecting ---

arrow::Status ChangeStream::Connect() {
  ARROW_ASSIGN_OR_RAISE(const SourceInfo info, source_.Connect());
  if (!state_.has_value()) {
    ARROW_ASSIGN_OR_RAISE(state_, driver_.Open(info));
    for (const auto& [table, row] : state_->last_rows) {
      const auto oid = state_->table_ids.find(table);
      watch_.Knows(table, oid == state_->table_ids.end() ? 0 : oid->second);
    }
  }
  // Who keeps nothing and was given nothing has nothing to go on from.
  const bool goes_on = begun_ && (started_ || options_.keeps_data);
  ARROW_RETURN_NOT_OK(goes_on ? GoOn(info) : BeginAnew(info));
  identity_ = info.stream;
  // The connection may break here: whoever connects again asks again.
  if (options_.until_now && !until_.has_value()) {
    ARROW_ASSIGN_OR_RAISE(const WalEnd end, source_.CurrentEnd());
    until_ = end.lsn;
    driver_.EndsAt(end);
  }
  ARROW_RETURN_NOT_OK(source_.Start(delivered_));
  started_ = true;
  backoff_.NoteStarted();
  repeated_.BeginSession();
  group_open_ = false;
  dirty_ = false;
  driver_.Started(info, delivered_);
  return arrow::Status::OK();
}

arrow::Status ChangeStream::BeginAnew(const SourceInfo& info) {
  ARROW_RETURN_NOT_OK(CheckPublished(info));
  // Whoever moves the slot on and has not read it before.
  const bool begins = !state_->position.has_value() && options_.moves_slot;
  if (begins && !options_.accept_tables) ARROW_RETURN_NOT_OK(info.other_tables);
  ARROW_ASSIGN_OR_RAISE(const uint64_t start,
                        ChooseStart(info, *state_, options_.keeps_data, options_.accept_gap, TimelineEnds()));
  // Before Start, which may fail and be tried again as a reconnect.
  delivered_ = start;
  identity_ = info.stream;
  repeated_.Restore(state_->last_rows);
  if (options_.until_lsn.has_value()) until_ = options_.until_lsn;
  ARROW_RETURN_NOT_OK(driver_.Begin(info, *state_, start));
  begun_ = true;
  // A gap that was accepted once is not asked about again.
  const bool gap = state_->position.has_value() && state_->position->order < start;
  return gap ? driver_.Advance(start) : arrow::Status::OK();
}

// What was delivered in this process need not come again: rows are skipped one by one in any case.
arrow::Status ChangeStream::GoOn(const SourceInfo& info) {
  ++reconnects_;
  ARROW_RETURN_NOT_OK(CheckReconnect(identity_, info, delivered_, TimelineEnds()));
  return CheckPublished(info);
}

arrow::Status ChangeStream::CheckPublished(const SourceInfo& info) {
  const arrow::Status published = watch_.Connected(info, !started_, !state_->position.has_value());
  TellNotices();
  return published;
}

void ChangeStream::TellNotices() {
  for (const SourceNotice& notice : watch_.TakeNotices()) driver_.Tell(notice);
  driver_.Counted();
}

// OK when it is time for another try, or the stream is finished.
arrow::Status ChangeStream::WaitAfter(const arrow::Status& status, bool delivered) {
  last_ = status;
  const ErrorDetail* detail = GetErrorDetail(status);
  if (!IsWorthAnotherSession(detail, delivered)) return status;
  const auto wait = backoff_.Next(detail->kind());
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
    ARROW_ASSIGN_OR_RAISE(std::optional<Event> event, source_.Next(kPollInterval));
    if (event.has_value()) {
      backoff_.Reset();
      ARROW_RETURN_NOT_OK(std::visit([this](auto& e) { return Handle(e); }, *event));
    }
    ARROW_RETURN_NOT_OK(driver_.Housekeeping());
  }
}

arrow::Status ChangeStream::CheckEnd() const {
  if (!watch_.end().has_value()) return arrow::Status::OK();
  const uint64_t position = watch_.end()->position;
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
  if (!group_open_ && !dirty_) ARROW_RETURN_NOT_OK(Advance(event.order));
  return driver_.Keepalive(event.reply_requested);
}

arrow::Status ChangeStream::Handle(const NoticeEvent& event) {
  const arrow::Status fits = watch_.Noticed(event);
  TellNotices();
  return fits;
}

arrow::Status ChangeStream::Deliver(ChangeBatch batch) {
  const bool matches = repeated_.Matches(batch.table->name);
  if (!matches) watch_.PassedOver(batch.table->name, static_cast<uint64_t>(batch.rows->num_rows()));
  ARROW_ASSIGN_OR_RAISE(batch.rows, repeated_.Filter(*batch.table, std::move(batch.rows)));
  if (!matches) TellNotices();
  if (batch.rows == nullptr) return arrow::Status::OK();
  watch_.Knows(batch.table->name, batch.table->table_id);
  return driver_.Take(std::move(batch));
}

arrow::Status ChangeStream::TakeGroup(const GroupState& group) {
  dirty_ = group.dirty;
  group_open_ = !group.group_end;
  if (!group.group_end) return arrow::Status::OK();
  ARROW_RETURN_NOT_OK(Advance(group.safe));
  return driver_.EndGroup();
}

arrow::Status ChangeStream::Advance(uint64_t order) {
  if (order <= delivered_) return arrow::Status::OK();
  delivered_ = order;
  return driver_.Advance(order);
}

}  // namespace arrowcdc
