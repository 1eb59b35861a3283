// A record of the store is the event's header as it was read, then its body.
#include "src/mysql/stream/event_queue.h"

#include <algorithm>
#include <cstring>
#include <type_traits>
#include <utility>

#include "arrowcdc/error.h"
#include "src/mysql/decode/row_decoder.h"

namespace arrowcdc::mysql {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLookInterval{100};
constexpr int64_t kWorthWaking = int64_t{256} << 10;

static_assert(std::is_trivially_copyable_v<EventHeader>);

BinlogEvent EventOf(std::span<const uint8_t> record) {
  BinlogEvent event;
  // SAFETY: records are as Push has made them.
  std::memcpy(&event.header, record.data(), sizeof event.header);
  event.body = record.subspan(sizeof event.header);
  return event;
}

}  // namespace

EventQueue::EventQueue(std::unique_ptr<PacketReader> packets, RecordStoreOptions store,
                       std::optional<milliseconds> patience, std::shared_ptr<StopToken> stop)
    : packets_(std::move(packets)),
      patience_(patience),
      memory_bytes_max_(store.memory_bytes_max),
      stop_(std::move(stop)),
      store_(std::move(store)),
      taken_at_(Clock::now()) {
  thread_ = std::thread([this] { Run(); });
}

EventQueue::~EventQueue() {
  Stop();
  if (thread_.joinable()) thread_.join();
}

arrow::Result<std::optional<BinlogEvent>> EventQueue::Next(std::chrono::microseconds timeout) {
  while (true) {
    if (const auto record = ReadRecord(&left_)) return EventOf(*record);
    const auto deadline = Clock::now() + timeout;
    std::unique_lock lock(mutex_);
    while (store_.empty() && (!ended_ || why_.ok())) {
      if (stop_ != nullptr && stop_->stopped()) {
        return MakeError(ErrorKind::kInterrupted, "stopped while streaming", packets_->object(), "");
      }
      if (timeout.count() <= 0) return std::optional<BinlogEvent>();
      LookAtSilence();
      const auto until = std::min(deadline, Clock::now() + kLookInterval);
      waiting_ = true;
      if (changed_.wait_until(lock, until) == std::cv_status::timeout && Clock::now() >= deadline)
        return std::optional<BinlogEvent>();
    }
    waiting_ = false;
    if (store_.empty()) return why_;
    store_.GiveBack(std::exchange(chunk_, {}));
    ARROW_ASSIGN_OR_RAISE(auto chunk, store_.TakeChunk());
    chunk_ = *std::move(chunk);
    left_ = chunk_;
    taken_at_ = Clock::now();
    changed_.notify_all();
  }
}

// By whoever waits for events, since the client library does not see to it under TLS.
void EventQueue::LookAtSilence() {
  const auto max = packets_->silence_max();
  const Clock::rep asked_at = asked_at_;
  if (!max.has_value() || asked_at == 0 || silent_seconds_ != 0) return;
  if (Clock::now() - Clock::time_point(Clock::duration(asked_at)) < *max) return;
  // An event may be large, and the link slow.
  const auto since_bytes = packets_->since_bytes();
  if (since_bytes.has_value() && *since_bytes < *max) return;
  silent_seconds_ = max->count();
  packets_->Interrupt();
}

bool EventQueue::ended() const {
  const std::lock_guard lock(mutex_);
  return left_.empty() && store_.empty() && ended_;
}

void EventQueue::Stop() {
  if (stopping_.exchange(true)) return;
  packets_->Interrupt();
  changed_.notify_all();
}

QueueStats EventQueue::stats() const {
  const std::lock_guard lock(mutex_);
  return {received_bytes_, store_.bytes()};
}

void EventQueue::Run() {
  arrow::Status why = Receive();
  if (!why.ok() && silent_seconds_ != 0) {
    why = MakeError(
        ErrorKind::kConnection,
        "the binary log does not come any more: nothing came for " + std::to_string(silent_seconds_) + " s",
        packets_->object(), "check network and server; it will be tried again", "", true);
  }
  if (stopping_) why = MakeError(ErrorKind::kConnection, "the stream was stopped", packets_->object(), "");
  const std::lock_guard lock(mutex_);
  ended_ = true;
  why_ = std::move(why);
  changed_.notify_all();
}

arrow::Status EventQueue::Receive() {
  EventReader reader;
  while (!stopping_) {
    asked_at_ = Clock::now().time_since_epoch().count();
    ARROW_ASSIGN_OR_RAISE(const auto packet, packets_->Next());
    asked_at_ = 0;
    if (!packet.has_value()) return arrow::Status::OK();
    ARROW_ASSIGN_OR_RAISE(const BinlogEvent event, reader.Read(*packet));
    ARROW_RETURN_NOT_OK(Push(event, packet->size()));
  }
  return arrow::Status::OK();
}

bool EventQueue::MustWait() const {
  if (!store_.has_room()) return true;
  if (store_.memory_bytes() < memory_bytes_max_) return false;
  return !patience_.has_value() || Clock::now() - taken_at_ < *patience_;
}

// Behind an event of this type, and soon.
bool EventQueue::MoreComes(EventType type) const {
  switch (type) {
    case EventType::kGtid:
    case EventType::kGtidTagged:
    case EventType::kAnonymousGtid:
    case EventType::kMariadbGtid:
    case EventType::kRowsQuery:
    case EventType::kAnnotateRows:
    case EventType::kTableMap:
      return true;
    default:
      return RowDecoder::IsRowsEvent(static_cast<uint8_t>(type)) || packets_->has_next();
  }
}

arrow::Status EventQueue::Push(const BinlogEvent& event, size_t bytes) {
  const auto* const header = reinterpret_cast<const uint8_t*>(&event.header);
  std::unique_lock lock(mutex_);
  while (!stopping_ && MustWait()) changed_.wait_for(lock, kLookInterval);
  received_bytes_ += bytes;
  ARROW_RETURN_NOT_OK(store_.Append({{header, sizeof event.header}, event.body}));
  // Who wakes the taker for each event has two threads that wait for one another. A transaction is in the log
  // as a whole, so of one that has begun more is on its way.
  if (!waiting_ || (store_.bytes() < kWorthWaking && MoreComes(event.header.type)))
    return arrow::Status::OK();
  waiting_ = false;
  changed_.notify_all();
  return arrow::Status::OK();
}

}  // namespace arrowcdc::mysql
