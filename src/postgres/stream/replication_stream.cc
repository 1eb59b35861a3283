// libpq is used non-blocking: wait on socket and eventfd, read what there is, write what is due.
#include "src/postgres/stream/replication_stream.h"

#include <endian.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "arrowcdc/error.h"
#include "format/replication_message.h"
#include "pgtype/datetime.h"
#include "src/postgres/stream/copy_buffer.h"

namespace arrowcdc::postgres {
namespace {

using std::chrono::milliseconds;

constexpr int kXLogDataHeaderBytes = format::kXLogDataHeaderBytes;
constexpr int kKeepaliveBytes = format::kKeepaliveBytes;
constexpr size_t kRunMessageBytesMax = 4096;  // larger ones are not copied
constexpr int kRunWaitMs = 1;
constexpr int kWaitsBeforeGathering = 8;
constexpr int64_t kGatheredBytes = 8 << 10;  // that come in a turn without any gathering
constexpr std::chrono::microseconds kGathering{200};
constexpr milliseconds kRunAgeMax{20};  // whoever waits for it, or has a status to send, waits no longer
// Between messages that the thread reads, before the reader wants the turn; and what comes to a reader that
// never has to wait, before it leaves the turn to the thread.
constexpr milliseconds kPause{1};
constexpr int64_t kUnwaitedBytesMax = 256 << 10;
constexpr std::chrono::microseconds kNoWait{10};
constexpr milliseconds kAwayMax{100};
constexpr int kStatusBytes = 34;  // 'r', write, flush, apply, time, replyRequested

uint64_t ReadUint64(const char* from) {
  uint64_t value;
  std::memcpy(&value, from, sizeof value);
  return be64toh(value);
}

void WriteUint64(uint64_t value, char* to) {
  value = htobe64(value);
  std::memcpy(to, &value, sizeof value);
}

int64_t ServerTimeNow() {
  timeval now;
  gettimeofday(&now, nullptr);
  return now.tv_sec * int64_t{1'000'000} + now.tv_usec - pgtype::kEpochUs;
}

milliseconds StatusInterval(const StreamOptions& options) {
  milliseconds interval = std::max(options.status_interval, milliseconds(10));
  if (options.wal_sender_timeout.count() > 0) interval = std::min(interval, options.wal_sender_timeout / 3);
  return std::max(interval, milliseconds(1));
}

}  // namespace

arrow::Result<std::unique_ptr<ReplicationStream>> ReplicationStream::Start(
    std::unique_ptr<Connection> connection, const std::string& command, const ErrorContext& context,
    const StreamOptions& options) {
  ARROW_RETURN_NOT_OK(connection->StartCopy(command, context));
  PGconn* raw = connection->raw();
  if (PQsetnonblocking(raw, 1) != 0) return ErrorFromConnection(raw, context);
  const int wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (wake_fd < 0)
    return MakeError(ErrorKind::kInternal, "could not make an eventfd", "process",
                     "raise the limit of open files");
  std::unique_ptr<ReplicationStream> stream(
      new ReplicationStream(std::move(connection), context, options, wake_fd));
  PQsetNoticeReceiver(
      raw,
      [](void* self, const PGresult* notice) { static_cast<ReplicationStream*>(self)->TakeNotice(notice); },
      stream.get());
  stream->thread_ = std::thread([raw_stream = stream.get()] { raw_stream->Run(); });
  return stream;
}

ReplicationStream::ReplicationStream(std::unique_ptr<Connection> connection, const ErrorContext& context,
                                     const StreamOptions& options, int wake_fd)
    : connection_(std::move(connection)),
      context_(context),
      options_(options),
      status_interval_(StatusInterval(options)),
      silence_max_(options.wal_sender_timeout.count() > 0 ? options.wal_sender_timeout : options.silence_max),
      away_max_(std::clamp(status_interval_ / 3, milliseconds(1), kAwayMax)),
      wake_fd_(wake_fd),
      queue_(options.buffer_bytes_max),
      left_(Clock::now()),
      last_status_(Clock::now()),
      last_byte_(Clock::now()) {}

ReplicationStream::~ReplicationStream() {
  Stop();
  close(wake_fd_);
}

arrow::Result<std::optional<StreamMessage>> ReplicationStream::Next(milliseconds timeout) {
  const auto deadline = Clock::now() + timeout;
  ARROW_ASSIGN_OR_RAISE(auto message, Pop(milliseconds(0)));
  if (message.has_value()) return message;
  if (!TakeTurn(Clock::time_point::min())) {
    ARROW_ASSIGN_OR_RAISE(message, Pop(std::min(timeout, kPause)));
    if (message.has_value() || timeout <= kPause || !TakeTurn(deadline)) return message;
  }
  LeaveTurn(ReadUntil(deadline));
  return Pop(milliseconds(0));
}

arrow::Result<std::optional<StreamMessage>> ReplicationStream::Pop(milliseconds timeout) {
  bool freed_room = false;
  auto message = queue_.Pop(timeout, &freed_room);
  if (freed_room) Wake();
  return message;
}

// Asks the thread for its turn and waits until `deadline`; one that has passed asks nobody.
bool ReplicationStream::TakeTurn(Clock::time_point deadline) {
  std::unique_lock lock(turn_mutex_);
  if (turn_ == Turn::kThread && deadline > Clock::now()) {
    wanted_ = true;
    Wake();
    turn_changes_.wait_until(lock, deadline, [this] { return turn_ != Turn::kThread; });
  }
  if (turn_ == Turn::kThread || over_) return false;
  turn_ = Turn::kReader;
  return true;
}

// `status`: of what was done in it.
void ReplicationStream::LeaveTurn(arrow::Status status) {
  const std::lock_guard lock(turn_mutex_);
  const bool falls_behind = unwaited_bytes_ > kUnwaitedBytesMax;
  turn_ = falls_behind ? Turn::kThread : Turn::kNobody;
  left_ = Clock::now();
  // What was acknowledged since the last status went out has woken nobody who could send another.
  if (status.ok() && !falls_behind) status = SendDueStatus();
  if (!status.ok()) End(std::move(status));
  if (!falls_behind) return;
  unwaited_bytes_ = 0;
  turn_changes_.notify_all();
}

// Until there is a message.
arrow::Status ReplicationStream::ReadUntil(Clock::time_point deadline) {
  while (queue_.bytes() == 0) {
    const auto before = Clock::now();
    // Where the thread has paused there is room again.
    if (drained_ && !paused_) ARROW_RETURN_NOT_OK(Wait(deadline));
    const auto after = Clock::now();
    const uint64_t received = received_bytes_;
    ARROW_RETURN_NOT_OK(Receive());
    ARROW_RETURN_NOT_OK(SendDueStatus());
    ARROW_RETURN_NOT_OK(CheckAlive());
    if (after - before > kNoWait) unwaited_bytes_ = 0;
    unwaited_bytes_ += static_cast<int64_t>(received_bytes_ - received);
    if (after >= deadline) break;
  }
  return arrow::Status::OK();
}

// Under turn_mutex_.
void ReplicationStream::End(arrow::Status status) {
  over_ = true;
  queue_.Close(std::move(status));
  turn_changes_.notify_all();
}

void ReplicationStream::Acknowledge(uint64_t lsn) {
  uint64_t current = acknowledged_.load();
  while (lsn > current && !acknowledged_.compare_exchange_weak(current, lsn)) {
  }
  if (lsn > current) SendOrWake();
}

void ReplicationStream::RequestKeepalive() {
  keepalive_wanted_ = true;
  SendOrWake();
}

// A status that is due, by whoever has the turn, or else at once.
void ReplicationStream::SendOrWake() {
  const std::lock_guard lock(turn_mutex_);
  if (over_ || stopping_) return;
  if (turn_ != Turn::kNobody) return Wake();
  arrow::Status status = SendDueStatus();
  if (!status.ok()) End(std::move(status));
}

void ReplicationStream::Stop() {
  {
    const std::lock_guard lock(turn_mutex_);
    stopping_ = true;
  }
  turn_changes_.notify_all();
  Wake();
  if (thread_.joinable()) thread_.join();
  connection_.reset();
}

StreamStats ReplicationStream::stats() const { return {received_bytes_, server_lsn_, queue_.bytes()}; }

void ReplicationStream::Wake() {
  const uint64_t one = 1;
  // It fails only when the counter is full, and then the thread is awake.
  [[maybe_unused]] const ssize_t written = write(wake_fd_, &one, sizeof one);
}

void ReplicationStream::Run() {
  std::unique_lock lock(turn_mutex_);
  while (!stopping_ && !over_) {
    if (turn_ != Turn::kThread) {
      turn_changes_.wait_for(lock, away_max_,
                             [this] { return turn_ == Turn::kThread || stopping_ || over_; });
      if (turn_ == Turn::kNobody && Clock::now() - left_ >= away_max_) turn_ = Turn::kThread;
      continue;
    }
    lock.unlock();
    arrow::Status status = ReadUntilWanted();
    lock.lock();
    if (!status.ok()) End(std::move(status));
    turn_ = Turn::kNobody;
    left_ = Clock::now();
    wanted_ = false;
    turn_changes_.notify_all();
  }
  if (over_) return;
  turn_ = Turn::kThread;
  lock.unlock();
  FinishInOrder();
  queue_.Close(
      MakeError(ErrorKind::kConnection, "the stream was stopped", "slot \"" + context_.slot + "\"", ""));
}

arrow::Status ReplicationStream::ReadUntilWanted() {
  while (!stopping_ && !wanted_) {
    ARROW_RETURN_NOT_OK(Receive());
    ARROW_RETURN_NOT_OK(SendDueStatus());
    ARROW_RETURN_NOT_OK(CheckAlive());
    ARROW_RETURN_NOT_OK(Wait(Clock::time_point::max()));
  }
  return arrow::Status::OK();
}

arrow::Status ReplicationStream::Receive() {
  const arrow::Status status = ReceiveSome();
  HandOnRun();
  queue_.Wake();
  return status;
}

// The rest of a transaction, unless the server is slow, or reading goes on since long. The server sends each
// row by itself: so that it need not wake this thread for each, those of a transaction that goes on are let
// gather.
bool ReplicationStream::IsMoreDue(Clock::time_point begun) {
  if (Clock::now() - begun >= kRunAgeMax) return false;
  if (++waits_within_ > kWaitsBeforeGathering && turn_bytes_ < kGatheredBytes)
    std::this_thread::sleep_for(kGathering);
  turn_bytes_ = 0;
  pollfd entry{PQsocket(connection_->raw()), POLLIN, 0};
  return poll(&entry, 1, kRunWaitMs) > 0;
}

void ReplicationStream::AddToRun(uint64_t lsn, std::string_view message) {
  run_.Add(lsn, message);
  run_ends_ = options_.kinds_within.find(message[0]) == std::string::npos;
  if (run_ends_) waits_within_ = 0;
  if (run_.full()) HandOnRun();
}

void ReplicationStream::HandOnRun() {
  if (!run_.empty()) queue_.Add({.data = run_.Take(), .is_run = true});
  run_ends_ = false;
}

// Moves messages to the queue until there is no more, or no room.
arrow::Status ReplicationStream::ReceiveSome() {
  PGconn* raw = connection_->raw();
  int reads_left = ReadsAfterWait(raw);
  const auto begun = Clock::now();
  const bool was_paused = paused_;
  paused_ = false;
  drained_ = false;
  // Silence while nothing was read is not the server's.
  if (was_paused) last_byte_ = Clock::now();
  while (!stopping_) {
    if (run_.empty() && !queue_.HasRoom()) {
      paused_ = true;
      return arrow::Status::OK();
    }
    char* buffer = nullptr;
    const int bytes = PQgetCopyData(raw, &buffer, 1);
    if (!warning_.ok()) {  // libpq tells of notices in their place: this message stands behind it
      PQfreemem(buffer);
      return warning_;
    }
    if (bytes > 0) {
      ARROW_RETURN_NOT_OK(TakeMessage(buffer, bytes));
      if (reply_due_) ARROW_RETURN_NOT_OK(SendStatus(false));
    } else if (bytes == -1) {
      return EndOfCopy();
    } else if (bytes == 0 && reads_left-- == 0) {
      drained_ = true;
      if (run_.empty() || run_ends_ || !IsMoreDue(begun)) return arrow::Status::OK();
      reads_left = ReadsAfterWait(raw);
    } else if (bytes < 0 || PQconsumeInput(raw) == 0) {
      return ConnectionError();
    }
  }
  return arrow::Status::OK();
}

// Owns `buffer`.
arrow::Status ReplicationStream::TakeMessage(char* buffer, int bytes) {
  std::unique_ptr<char, decltype(&PQfreemem)> owner(buffer, PQfreemem);
  last_byte_ = Clock::now();
  reply_requested_ = false;
  received_bytes_ += bytes;
  turn_bytes_ += bytes;
  if (buffer[0] == 'k') {
    HandOnRun();
    return TakeKeepalive(buffer, bytes);
  }
  if (buffer[0] != 'w' || static_cast<size_t>(bytes) < format::kXLogDataHeaderBytes) {
    return MakeError(ErrorKind::kProtocol,
                     "the server sent a replication message of kind " +
                         std::to_string(static_cast<unsigned char>(buffer[0])) + " and " +
                         std::to_string(bytes) + " bytes",
                     "slot \"" + context_.slot + "\"",
                     "this version does not know it: check versions of server and client");
  }
  const uint64_t wal_end = ReadUint64(buffer + format::kWalEndAt);
  const uint64_t data_start = ReadUint64(buffer + format::kDataStartAt);
  received_lsn_ = std::max({received_lsn_, data_start, wal_end});
  server_lsn_ = std::max(server_lsn_.load(), wal_end);
  const std::string_view message(buffer + kXLogDataHeaderBytes,
                                 static_cast<size_t>(bytes - kXLogDataHeaderBytes));
  if (!options_.kinds_within.empty() && !message.empty() && message.size() <= kRunMessageBytesMax) {
    AddToRun(data_start, message);
  } else {
    HandOnRun();
    queue_.Add({std::make_shared<CopyBuffer>(owner.release(), bytes), 0, false});
  }
  return arrow::Status::OK();
}

arrow::Status ReplicationStream::TakeKeepalive(const char* buffer, int bytes) {
  if (bytes < kKeepaliveBytes) {
    return MakeError(ErrorKind::kProtocol,
                     "the server sent a keepalive of " + std::to_string(bytes) + " bytes",
                     "slot \"" + context_.slot + "\"", "");
  }
  StreamMessage message;
  message.wal_end = ReadUint64(buffer + format::kKeepaliveWalEndAt);
  message.reply_requested = buffer[format::kKeepaliveReplyAt] != 0;
  received_lsn_ = std::max(received_lsn_, message.wal_end);
  server_lsn_ = std::max(server_lsn_.load(), message.wal_end);
  reply_due_ = reply_due_ || message.reply_requested;
  if (message.reply_requested) NotePing();
  queue_.Add(std::move(message));
  return arrow::Status::OK();
}

// Notices of no consequence are not shown.
void ReplicationStream::TakeNotice(const PGresult* notice) {
  const char* const sqlstate = PQresultErrorField(notice, PG_DIAG_SQLSTATE);
  if (options_.fatal_warning.empty() || sqlstate == nullptr || options_.fatal_warning != sqlstate) return;
  const char* const text = PQresultErrorField(notice, PG_DIAG_MESSAGE_PRIMARY);
  std::string names;
  for (const std::string& name : context_.publications) names += (names.empty() ? "" : ", ") + name;
  warning_ = MakeError(
      ErrorKind::kPublicationMissing,
      "the server passes a publication over, and what it would send: " +
          std::string(text == nullptr ? "" : text),
      "publication " + names,
      "the slot has come to a change that was made while there was no such publication; what came before it "
      "was "
      "delivered. Run 'arrowcdc setup' with the same options: it tells which publication still covers the "
      "tables, or from where on the slot can be read again and what is lost",
      sqlstate);
}

// A walsender that is to stop asks anew with every answer, until all that it sent is flushed.
void ReplicationStream::NotePing() {
  const auto now = Clock::now();
  const uint64_t acknowledged = acknowledged_;
  if (now - last_ping_ > kShutdownPatience || acknowledged != pinged_acknowledged_) pinged_since_ = now;
  last_ping_ = now;
  pinged_acknowledged_ = acknowledged;
}

// The server ended the stream: with an error, or in order because it is being shut down.
arrow::Status ReplicationStream::EndOfCopy() {
  const QueryResult result(PQgetResult(connection_->raw()));
  const ExecStatusType status = PQresultStatus(result.raw());
  if (status == PGRES_COMMAND_OK || status == PGRES_COPY_IN || status == PGRES_COPY_OUT) {
    return MakeError(ErrorKind::kConnection, "the server ended the stream: it is shutting down",
                     "server " + context_.server, "it will be tried again", "", true);
  }
  return ErrorFromResult(result.raw(), connection_->raw(), context_);
}

// The last words of the server, if they have arrived, say more than the closed socket. Rows among them come
// again later.
arrow::Status ReplicationStream::ConnectionError() {
  PGconn* raw = connection_->raw();
  bool more = true;
  while (more) {
    char* buffer = nullptr;
    const int bytes = PQgetCopyData(raw, &buffer, 1);
    if (bytes == -1) return EndOfCopy();
    if (bytes > 0) PQfreemem(buffer);
    pollfd entry{PQsocket(raw), POLLIN, 0};
    more = bytes > 0 || (bytes == 0 && poll(&entry, 1, 0) > 0 && PQconsumeInput(raw) == 1);
  }
  return ErrorFromConnection(raw, context_);
}

arrow::Status ReplicationStream::SendDueStatus() {
  const bool wanted = keepalive_wanted_.exchange(false);
  const bool due = Clock::now() - last_status_ >= status_interval_;
  if (wanted || due || reply_due_ || acknowledged_ > sent_acknowledged_) return SendStatus(wanted);
  return arrow::Status::OK();
}

arrow::Status ReplicationStream::SendStatus(bool request_reply) {
  const uint64_t acknowledged = acknowledged_;
  // Without a flush position the slot stays where it is and the write position is enough for the server to
  // stop.
  const bool in_the_way =
      reply_due_ && acknowledged == pinged_acknowledged_ && Clock::now() - pinged_since_ >= kShutdownPatience;
  const uint64_t flushed = in_the_way ? 0 : acknowledged;
  char message[kStatusBytes];
  message[0] = 'r';
  WriteUint64(std::max(received_lsn_, acknowledged), message + 1);
  WriteUint64(flushed, message + 9);
  WriteUint64(flushed, message + 17);
  WriteUint64(static_cast<uint64_t>(ServerTimeNow()), message + 25);
  message[33] = request_reply ? 1 : 0;
  const int queued = PQputCopyData(connection_->raw(), message, sizeof message);
  if (queued < 0 || PQflush(connection_->raw()) < 0) return ConnectionError();
  if (queued == 0) {  // libpq's buffer is full: stays due
    if (request_reply) keepalive_wanted_ = true;
    return arrow::Status::OK();
  }
  sent_acknowledged_ = acknowledged;
  reply_due_ = false;
  last_status_ = Clock::now();
  return arrow::Status::OK();
}

// A peer that vanished without a word: asked for a sign at half of the time, given up at the end of it.
arrow::Status ReplicationStream::CheckAlive() {
  if (paused_) return arrow::Status::OK();
  const auto silence = Clock::now() - last_byte_;
  if (reply_requested_ && silence >= silence_max_) {
    return MakeError(ErrorKind::kConnection,
                     "nothing came from the server for " + std::to_string(silence_max_.count()) + " ms" +
                         (options_.wal_sender_timeout.count() > 0 ? " (wal_sender_timeout)" : "") +
                         ", although it was asked for a sign",
                     "server " + context_.server, "check the network", "", true);
  }
  if (!reply_requested_ && silence >= silence_max_ / 2) {
    reply_requested_ = true;
    return SendStatus(true);
  }
  return arrow::Status::OK();
}

arrow::Status ReplicationStream::Wait(Clock::time_point latest) {
  PGconn* raw = connection_->raw();
  const int flushed = PQflush(raw);
  if (flushed < 0) return ConnectionError();
  if (!paused_ && queue_.HasRoom() == false) paused_ = true;
  pollfd entries[2] = {{PQsocket(raw), 0, 0}, {wake_fd_, POLLIN, 0}};
  if (!paused_) entries[0].events |= POLLIN;
  if (flushed > 0) entries[0].events |= POLLOUT;
  auto until = std::min(latest, last_status_ + status_interval_);
  if (!paused_) until = std::min(until, last_byte_ + (reply_requested_ ? silence_max_ : silence_max_ / 2));
  const auto left = std::chrono::ceil<milliseconds>(until - Clock::now()).count();
  // A closed socket would wake us again and again while nothing is read: then the eventfd and the clock are
  // enough.
  if (entries[0].events == 0) entries[0].fd = -1;
  if (poll(entries, 2, static_cast<int>(std::clamp<int64_t>(left, 0, 60'000))) < 0 && errno != EINTR) {
    return MakeError(ErrorKind::kInternal, "poll failed", "process", "");
  }
  if ((entries[0].revents & POLLIN) != 0) {
    last_byte_ = Clock::now();
    reply_requested_ = false;
  }
  if ((entries[1].revents & POLLIN) != 0) {
    uint64_t count;
    [[maybe_unused]] const ssize_t drained = read(wake_fd_, &count, sizeof count);
  }
  return arrow::Status::OK();
}

// Until the server has confirmed the end (the slot is free then), has hung up, or time is over.
void ReplicationStream::FinishInOrder() {
  PGconn* raw = connection_->raw();
  const auto deadline = Clock::now() + kStopLimit;
  auto silent_until = Clock::now() + kStopSilence;
  if (!SendStatus(false).ok() || PQputCopyEnd(raw, nullptr) < 0) return;
  bool copy_ended = false;
  while (Clock::now() < std::min(deadline, silent_until)) {
    char* buffer = nullptr;
    const int bytes = copy_ended ? 0 : PQgetCopyData(raw, &buffer, 1);
    if (bytes > 0) {
      PQfreemem(buffer);
      silent_until = Clock::now() + kStopSilence;
      continue;
    }
    if (bytes == -2) return;
    copy_ended = copy_ended || bytes == -1;
    if (copy_ended && PQisBusy(raw) == 0) return;
    const auto left =
        std::chrono::ceil<milliseconds>(std::min(deadline, silent_until) - Clock::now()).count();
    const int unsent = PQflush(raw);
    pollfd entry{PQsocket(raw), static_cast<short>(unsent > 0 ? POLLIN | POLLOUT : POLLIN), 0};
    if (unsent < 0 || (poll(&entry, 1, static_cast<int>(std::max<int64_t>(left, 0))) < 0 && errno != EINTR))
      return;
    if (PQconsumeInput(raw) == 0) return;
  }
}

}  // namespace arrowcdc::postgres
