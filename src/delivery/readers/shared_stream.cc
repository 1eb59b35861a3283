#include "src/delivery/readers/shared_stream.h"

#include <algorithm>
#include <utility>

#include <arrow/array/data.h>

#include "arrowcdc/error.h"
#include "src/delivery/change_stream.h"

namespace arrowcdc {
namespace {

using State = Reader::Waiting::State;

constexpr size_t kEventsMax = 10'000;
constexpr size_t kNoticesMax = 1'000;
constexpr int64_t kArrayBytes = 400;  // ArrayData, its vectors and control blocks

int64_t ArrayBytes(const arrow::ArrayData& data) {
  int64_t bytes = kArrayBytes;
  for (const auto& buffer : data.buffers) bytes += buffer == nullptr ? 0 : buffer->size();
  for (const auto& child : data.child_data) bytes += ArrayBytes(*child);
  return bytes;  // the dictionary of _op is one for all
}

}  // namespace

int64_t BatchBytes(const arrow::RecordBatch& rows) {
  int64_t bytes = kArrayBytes;
  for (int i = 0; i < rows.num_columns(); ++i) bytes += ArrayBytes(*rows.column_data(i));
  return bytes;
}

bool SharedStream::Reaches(const Position& position, const Position& until) const {
  if (source == nullptr) return position >= until;
  const auto here = source->Rebase(position);
  const auto end = source->Rebase(until);
  // They differ where a new connection moves the epoch on at this moment: the next look tells.
  return here.ok() && end.ok() && here->epoch == end->epoch && *here >= *end;
}

void SharedStream::WantPosition(Reader::Waiting& waiting, const std::optional<Position>& position) {
  position_waiters +=
      static_cast<int>(position.has_value()) - static_cast<int>(waiting.wanted_position.has_value());
  waiting.wanted_position = position;
}

void SharedStream::Signal(Reader::Waiting& waiting) {
  waiting.hungry = false;
  WantPosition(waiting, std::nullopt);
  waiting.arrived.notify_all();
  if (waiting.notify) waiting.notify();
}

arrow::Result<std::optional<ReadResult>> SharedStream::Take(Reader& reader,
                                                            const std::optional<Position>& until) {
  Reader::Waiting& waiting = *reader.waiting_;
  if (waiting.state == State::kClosed) {
    return MakeError(ErrorKind::kInvalidOption, "the reader is closed", reader.ToString(),
                     "open the readers again to read on");
  }
  if (!waiting.queue.empty()) {
    Reader::Waiting::Item& item = waiting.queue.front();
    if (until.has_value() && item.behind.has_value() && Reaches(*item.behind, *until))
      return ReadResult{ReadState::kEnd, nullptr, nullptr};
    ReadResult batch = std::move(item.batch);
    waiting.uncommitted.push_back(item.claim);
    waiting.bytes -= item.bytes;
    bytes -= item.bytes;
    waiting.stats.snapshot_complete = waiting.stats.snapshot_complete || item.ends_copy;
    waiting.queue.pop_front();
    waiting.stats.rows += static_cast<uint64_t>(batch.rows->num_rows());
    ++waiting.stats.batches;
    room.notify_all();
    return batch;
  }
  if (waiting.state == State::kAbandoned) return waiting.end;
  if (until.has_value() && delivered.has_value() && !waiting.holds && Reaches(*delivered, *until))
    return ReadResult{ReadState::kEnd, nullptr, nullptr};
  if (ended) {
    ARROW_RETURN_NOT_OK(end);
    return ReadResult{ReadState::kEnd, nullptr, nullptr};
  }
  if (!waiting.hungry) room.notify_all();  // the pump may stand before another reader that is full
  waiting.hungry = true;
  WantPosition(waiting, until);
  return std::nullopt;
}

arrow::Status SharedStream::Commit(Reader& reader) {
  Reader::Waiting& waiting = *reader.waiting_;
  if (waiting.uncommitted.empty()) return arrow::Status::OK();
  if (stopped || (ended && !end.ok())) {
    return MakeError(ErrorKind::kConnection,
                     "the stream was stopped, so the server cannot be told of the commit", reader.ToString(),
                     "open the readers again: the batches since the last commit come once more");
  }
  for (const uint64_t claim : waiting.uncommitted) claims.Release(claim);
  waiting.uncommitted.clear();
  return Acknowledge();
}

void SharedStream::Drop(Reader::Waiting& waiting) {
  waiting.queue.clear();
  bytes -= std::exchange(waiting.bytes, 0);
  waiting.held.clear();
  held_bytes -= std::exchange(waiting.held_bytes, 0);
  room.notify_all();
}

void SharedStream::Close(Reader& reader) {
  Reader::Waiting& waiting = *reader.waiting_;
  if (waiting.state == State::kClosed) return;
  waiting.state = State::kClosed;
  for (const uint64_t claim : waiting.uncommitted) claims.Release(claim);
  waiting.uncommitted.clear();
  for (const auto& item : waiting.queue) claims.Release(item.claim);
  for (const auto& item : waiting.held) claims.Release(item.claim);
  if (waiting.kept_claim.has_value()) claims.Release(*std::exchange(waiting.kept_claim, std::nullopt));
  Drop(waiting);
  Signal(waiting);
  if (const arrow::Status told = Acknowledge(); !told.ok()) EndStream(told);
}

// One claim is enough to hold the slot: the oldest. Changes that wait behind copied rows have older ones.
void SharedStream::Abandon(Reader& reader, arrow::Status why) {
  Reader::Waiting& waiting = *reader.waiting_;
  if (waiting.state != State::kOpen) return;
  waiting.state = State::kAbandoned;
  waiting.end = std::move(why);
  const auto keep_the_older = [&](uint64_t claim) {
    if (!waiting.kept_claim.has_value()) {
      waiting.kept_claim = claim;
    } else {
      claims.Release(std::max(claim, *waiting.kept_claim));
      waiting.kept_claim = std::min(claim, *waiting.kept_claim);
    }
  };
  for (const uint64_t claim : waiting.uncommitted) keep_the_older(claim);
  waiting.uncommitted.clear();
  for (const auto& item : waiting.queue) keep_the_older(item.claim);
  for (const auto& item : waiting.held) keep_the_older(item.claim);
  Drop(waiting);
  Signal(waiting);
}

bool SharedStream::OwnBytesAreFull(const Reader::Waiting& waiting, int64_t batch_bytes,
                                   int64_t reader_bytes_max) {
  return !waiting.queue.empty() && waiting.bytes + batch_bytes > reader_bytes_max;
}

// A batch that is larger than all bytes there are must pass, too: where nothing else waits. Changes that wait
// have a bound of their own, all of them together: rows that are copied must not wait for them.
bool SharedStream::HasRoom(const Reader& reader, int64_t batch_bytes, GivenRows what) const {
  const Reader::Waiting& waiting = *reader.waiting_;
  if (waiting.state != State::kOpen) return true;
  if (waiting.holds && what == GivenRows::kChanges)
    return held_bytes == 0 || held_bytes + batch_bytes <= reader_bytes_max;
  if (waiting.hungry || bytes == 0) return true;
  return !OwnBytesAreFull(waiting, batch_bytes, reader_bytes_max) && bytes + batch_bytes <= bytes_max;
}

bool SharedStream::StandsInTheWay(const Reader& reader, const Reader& of, int64_t batch_bytes) const {
  const Reader::Waiting& waiting = *reader.waiting_;
  if (waiting.state != State::kOpen || waiting.queue.empty()) return false;
  return &reader == &of || !OwnBytesAreFull(*of.waiting_, batch_bytes, reader_bytes_max);
}

void SharedStream::Put(Reader& reader, ReadResult batch, int64_t batch_bytes, GivenRows what) {
  Reader::Waiting& waiting = *reader.waiting_;
  if (waiting.state == State::kClosed) return;
  if (waiting.state == State::kAbandoned) {
    if (!waiting.kept_claim.has_value()) waiting.kept_claim = claims.Add();
    return;
  }
  const bool copied = what == GivenRows::kCopied;
  if (waiting.holds && !copied) {
    waiting.held.push_back({std::move(batch), batch_bytes, claims.Add(), delivered});
    waiting.held_bytes += batch_bytes;
    held_bytes += batch_bytes;
    return;
  }
  waiting.queue.push_back({std::move(batch), batch_bytes, claims.Add(), copied ? std::nullopt : delivered});
  waiting.bytes += batch_bytes;
  bytes += batch_bytes;
  Signal(waiting);
}

void SharedStream::EndCopy(Reader& reader) {
  Reader::Waiting& waiting = *reader.waiting_;
  if (waiting.queue.empty()) {
    waiting.stats.snapshot_complete = true;
  } else {
    waiting.queue.back().ends_copy = true;
  }
}

arrow::Status SharedStream::Release(Reader& reader, const Filter& filter) {
  Reader::Waiting& waiting = *reader.waiting_;
  waiting.holds = false;
  held_bytes -= std::exchange(waiting.held_bytes, 0);
  for (Reader::Waiting::Item& item : std::exchange(waiting.held, {})) {
    ARROW_ASSIGN_OR_RAISE(item.batch.rows, filter(item.batch));
    if (item.batch.rows == nullptr) {
      claims.Release(item.claim);
      continue;
    }
    waiting.bytes += item.bytes;
    bytes += item.bytes;
    waiting.queue.push_back(std::move(item));
  }
  room.notify_all();
  Signal(waiting);
  return Acknowledge();
}

void SharedStream::SetDelivered(const Position& position) {
  delivered = position;
  for (size_t i = 0; i < readers.size() && position_waiters > 0; ++i) {
    Reader::Waiting& waiting = *readers[i]->waiting_;
    if (waiting.wanted_position.has_value() && delivered >= waiting.wanted_position) Signal(waiting);
  }
}

arrow::Status SharedStream::Advance(const Position& position) {
  SetDelivered(position);
  claims.Advance(position);
  return Acknowledge();
}

arrow::Status SharedStream::Acknowledge() {
  const std::optional<Position>& floor = claims.floor();
  if (stopped || floor <= acknowledged) return arrow::Status::OK();
  if (floor > delivered) return NotDelivered("readers", *floor, delivered);
  acknowledged = floor;
  source->Acknowledge(*floor);
  return arrow::Status::OK();
}

void SharedStream::EndStream(arrow::Status why) {
  if (!ended) end = std::move(why);
  ended = true;
  for (const auto& reader : readers) Signal(*reader->waiting_);
  event_arrived.notify_all();
  room.notify_all();
}

// A set whose events nobody takes must not grow: the oldest go, readers() has all readers in any case.
void SharedStream::PushEvent(ReaderEvent event) {
  if (events.size() >= kEventsMax) events.pop_front();
  events.push_back(std::move(event));
  event_arrived.notify_all();
}

// A server that stays away is the same news again and again.
void SharedStream::PushNotice(SourceNotice notice) {
  if (notices.size() >= kNoticesMax || (!notices.empty() && notices.back().text == notice.text)) return;
  notices.push_back(std::move(notice));
  for (const auto& reader : readers) {
    if (reader->waiting_->notify) reader->waiting_->notify();
  }
}

bool SharedStream::AnyIsHungry(Clock::time_point since) const {
  return std::any_of(readers.begin(), readers.end(), [&](const auto& reader) {
    const Reader::Waiting& waiting = *reader->waiting_;
    return waiting.hungry && (waiting.in_next || waiting.notify || waiting.last_read >= since);
  });
}

}  // namespace arrowcdc
