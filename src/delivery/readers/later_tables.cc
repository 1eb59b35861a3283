#include "src/delivery/readers/later_tables.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "arrowcdc/error.h"
#include "arrowcdc/messages_table.h"

namespace arrowcdc {

using std::chrono::milliseconds;

namespace {

constexpr milliseconds kTurn{100};
// How often the publications are looked at for tables that were added, of which no change came yet.
constexpr std::chrono::seconds kLookInterval{30};

}  // namespace

LaterTables::LaterTables(Source& source, ChangeStream& changes, Readers& readers, const StopToken& stop,
                         int64_t connections, std::optional<milliseconds> retry_max)
    : source_(source),
      changes_(changes),
      readers_(readers),
      stop_(stop),
      connections_(connections),
      retry_max_(retry_max) {
  backoff_.NoteStarted();  // what fails is tried again as long as the stream goes on
}

void LaterTables::Begin(const std::set<uint32_t>& known) {
  begun_ = true;
  known_.insert(known.begin(), known.end());
  next_look_ = Clock::now() + kLookInterval;
}

void LaterTables::Meet(const TableSchema& table) {
  if (begun_ && table.name != MessagesTable()->name) Note(table.name, table.table_id);
}

void LaterTables::Note(const TableName& table, uint32_t table_id) {
  if (!known_.insert(table_id).second) return;
  if (copying_.contains(table) || std::find(waiting_.begin(), waiting_.end(), table) != waiting_.end())
    return;
  waiting_.push_back(table);
  readers_.Hold(table);
}

arrow::Status LaterTables::Turn(Clock::time_point now) {
  if (!begun_) return arrow::Status::OK();
  Look(now);
  BeginNext(now);
  return Serve(milliseconds(0));
}

void LaterTables::Look(Clock::time_point now) {
  if (!look_.valid() && now >= next_look_)
    look_ = std::async(std::launch::async, [this] { return source_.Tables(); });
  if (!look_.valid() || look_.wait_for(milliseconds(0)) != std::future_status::ready) return;
  next_look_ = now + kLookInterval;
  const auto tables = look_.get();
  if (!tables.ok()) return;  // a server that is away is told of by the stream
  for (const SourceTable& table : *tables) {
    if (changes_.Matches(table.name)) Note(table.name, table.table_id);
  }
}

// Their changes wait before the point is taken: none may come between it and the moment at which it is known.
void LaterTables::BeginNext(Clock::time_point now) {
  if (beside_ != nullptr || waiting_.empty() || now < next_try_) return;
  const auto end = one_by_one_ ? std::next(waiting_.begin()) : waiting_.end();
  copying_.insert(waiting_.begin(), end);
  waiting_.erase(waiting_.begin(), end);
  for (const TableName& table : copying_) readers_.Hold(table);
  const auto there = std::make_shared<std::set<uint32_t>>();
  there_ = there;
  const auto take = [this, wanted = copying_, there] {
    const auto is_wanted = [&](const TableName& name, uint32_t table_id) {
      there->insert(table_id);
      return wanted.contains(name);
    };
    return source_.BeginSnapshot(is_wanted, {});
  };
  BackgroundCopy::Listener& listener = *this;
  beside_ = std::make_unique<BackgroundCopy>(take, readers_, listener, connections_);
}

std::set<TableName> LaterTables::OnPoint(const Snapshot& snapshot) {
  for (const SnapshotTable& table : snapshot.tables()) {
    known_.insert(table.table_id);
    changes_.NotePoint({table.name, table.table_id, snapshot.point()}, there_);
  }
  return readers_.Begun();
}

void LaterTables::OnCopied(const SnapshotProgress& progress) {
  readers_.SetProgress(progress);
  for (const auto& table : progress.tables) {
    if (table.complete) copying_.erase(table.name);
  }
}

arrow::Status LaterTables::Serve(milliseconds timeout) {
  if (beside_ == nullptr) return arrow::Status::OK();
  ARROW_RETURN_NOT_OK(beside_->Serve(timeout));
  return beside_->ended() ? EndCopy() : arrow::Status::OK();
}

arrow::Status LaterTables::EndCopy() {
  last_ = beside_->status();
  beside_.reset();
  readers_.KeepCompleted();
  const std::set<TableName> left = std::exchange(copying_, {});
  if (!last_.ok()) return stop_.stopped() ? arrow::Status::OK() : NoteFailure(left);
  backoff_.Reset();
  one_by_one_ = one_by_one_ && !waiting_.empty();
  for (const TableName& table : left) ARROW_RETURN_NOT_OK(readers_.Release(table));  // not published any more
  return arrow::Status::OK();
}

arrow::Status LaterTables::NoteFailure(const std::set<TableName>& tables) {
  const ErrorDetail* const detail = GetErrorDetail(last_);
  if (detail == nullptr || detail->kind() == ErrorKind::kInternal) return last_;
  // What is in the way of one table is not in the way of the others.
  const bool again = detail->retryable() || tables.size() > 1;
  for (const TableName& table : tables) {
    if (again) waiting_.push_back(table);
    if (!detail->retryable() && again) continue;
    if (!again || told_.insert(table).second) {
      readers_.Tell({!again,
                     "its rows could not be copied: " + last_.message() +
                         (again ? "; it will be tried again"
                                : "; it gives its changes alone (" + detail->remedy() + ")"),
                     "table " + ToString(table)});
    }
    if (!again) ARROW_RETURN_NOT_OK(readers_.Release(table));
  }
  if (detail->retryable()) {
    next_try_ = Clock::now() + backoff_.Next(detail->kind()).value_or(milliseconds(0));
  } else {
    one_by_one_ = again || !waiting_.empty();
  }
  return arrow::Status::OK();
}

arrow::Status LaterTables::Finish() {
  Backoff patience(retry_max_);
  while (busy() && !stop_.stopped()) {
    BeginNext(Clock::now());
    const bool was_running = beside_ != nullptr;
    if (!was_running) stop_.Wait(kTurn);
    const size_t left = copying_.size() + waiting_.size();
    ARROW_RETURN_NOT_OK(Serve(kTurn));
    if (copying_.size() + waiting_.size() < left) patience.Reset();
    if (!was_running || beside_ != nullptr) continue;
    if (last_.ok()) {
      patience.Reset();
    } else if (busy() && !patience.Next(ErrorKind::kConnection).has_value()) {
      return last_;
    }
  }
  return arrow::Status::OK();
}

}  // namespace arrowcdc
