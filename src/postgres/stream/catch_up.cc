// A row of COPY (FORMAT binary) is turned into the walsender's message where it lies: the place of the fields
// in front of the plugin's bytes is larger than the header that stands there in a stream.
#include "src/postgres/stream/catch_up.h"

#include <endian.h>
#include <poll.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "arrowcdc/error.h"
#include "arrowcdc/position.h"
#include "format/replication_message.h"
#include "src/postgres/client/quoting.h"
#include "src/postgres/decode/pgoutput/messages.h"
#include "src/postgres/decode/values/binary_cursor.h"
#include "src/postgres/setup/slot.h"
#include "src/postgres/stream/copy_buffer.h"
#include "src/postgres/stream/plugin_session.h"

namespace arrowcdc::postgres {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// While COPY sends, its session holds a snapshot, and the server keeps old rows for it.
constexpr std::chrono::seconds kHoldMax(60);
// Who stores a chunk has it durable sooner; others are given the stream.
constexpr std::chrono::seconds kAcknowledgeMax(10);

constexpr char kCopySignature[] = "PGCOPY\n\377\r\n";  // and a zero byte
constexpr int kCopyHeaderBytes = 19;

template <typename Value>
void StoreBigEndian(Value value, char* to) {
  value = static_cast<Value>(htobe64(value));
  std::memcpy(to, &value, sizeof value);
}

bool Consume(PGconn* raw) {
  for (int reads = ReadsAfterWait(raw); reads > 0; --reads) {
    if (PQconsumeInput(raw) == 0) return false;
  }
  return true;
}

}  // namespace

struct CatchUp::Standing {
  uint64_t end = 0;  // of the WAL that is flushed, or replayed
  uint64_t confirmed_flush = 0;
  uint64_t restart_lsn = 0;
  bool waits_for_standbys = false;  // the functions would, without an end
};

std::string SqlArguments(const std::string& start_options) {
  std::string arguments;
  for (size_t at = 0; at < start_options.size();) {
    const size_t name_end = start_options.find(' ', at);
    size_t end = name_end + 2;
    // A quote within the value is doubled.
    while (end < start_options.size() && (start_options[end] != '\'' || start_options[end + 1] == '\''))
      end += start_options[end] == '\'' ? 2 : 1;
    if (name_end == std::string::npos || end >= start_options.size()) break;
    arguments += ", '" + start_options.substr(at, name_end - at) + "', " +
                 start_options.substr(name_end + 1, end - name_end);
    at = end + 1 + std::string_view(", ").size();
  }
  return arguments;
}

CatchUp::CatchUp(CatchUpOptions options)
    : options_(std::move(options)), queue_(options_.buffer_bytes_max), position_(options_.start) {
  thread_ = std::thread([this] { Run(); });
}

CatchUp::~CatchUp() { Stop(); }

arrow::Result<std::optional<StreamMessage>> CatchUp::Next(milliseconds timeout) {
  bool freed_room = false;
  auto message = queue_.Pop(timeout, &freed_room);
  if (freed_room) {
    const std::lock_guard lock(mutex_);
    changed_.notify_one();
  }
  return message;
}

void CatchUp::Acknowledge(uint64_t lsn) {
  const std::lock_guard lock(mutex_);
  acknowledged_ = std::max(acknowledged_, lsn);
  changed_.notify_one();
}

void CatchUp::Stop() {
  stop_->Stop();
  {
    const std::lock_guard lock(mutex_);
    changed_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

StreamStats CatchUp::stats() const { return {received_bytes_, server_lsn_, queue_.bytes()}; }

std::optional<uint64_t> CatchUp::handover() const { return done_ ? std::optional(position_) : std::nullopt; }

void CatchUp::Run() {
  arrow::Status broken = ReadChunks();
  if (stop_->stopped() && connection_ != nullptr && connection_->raw() != nullptr) connection_->Cancel();
  connection_.reset();
  done_ = broken.ok();
  queue_.Close(done_ ? MakeError(ErrorKind::kConnection, "the slot's past is read",
                                 "slot \"" + options_.slot + "\"", "")
                     : std::move(broken));
}

// OK: the stream is due. Why is not told: where it is worth telling, the stream meets the same.
arrow::Status CatchUp::ReadChunks() {
  if (!Connect().ok()) return arrow::Status::OK();
  if (options_.start > options_.confirmed_flush && !MoveSlot(options_.start).ok()) return arrow::Status::OK();
  uint64_t previous_start = 0;
  while (!stop_->stopped()) {
    const auto standing = ReadStanding();
    if (!standing.ok() || !IsWorthAChunk(*standing, previous_start)) return arrow::Status::OK();
    previous_start = position_;
    ARROW_ASSIGN_OR_RAISE(const bool whole, ReadChunk(standing->end));
    if (!whole) return arrow::Status::OK();
    queue_.Push({nullptr, position_, true});
    if (!AwaitAcknowledged() || !MoveSlot(position_).ok()) return arrow::Status::OK();
  }
  return arrow::Status::OK();
}

arrow::Status CatchUp::Connect() {
  constexpr int kHasTransactionTimeout = 170000;
  ARROW_ASSIGN_OR_RAISE(connection_,
                        Connection::OpenAt(options_.server, options_.conninfo, ConnectionMode::kSql, stop_));
  ARROW_RETURN_NOT_OK(PreparePgoutput(*connection_));
  ARROW_RETURN_NOT_OK(connection_->Query("SET lock_timeout = 0"));
  if (connection_->server_version() >= kHasTransactionTimeout)
    ARROW_RETURN_NOT_OK(connection_->Query("SET transaction_timeout = 0"));
  PQsetNoticeReceiver(
      connection_->raw(),
      [](void* self, const PGresult* notice) {
        const char* const sqlstate = PQresultErrorField(notice, PG_DIAG_SQLSTATE);
        if (sqlstate != nullptr && std::string_view(sqlstate) == kPublicationSkipped)
          static_cast<CatchUp*>(self)->skips_publication_ = true;
      },
      this);
  return arrow::Status::OK();
}

arrow::Result<CatchUp::Standing> CatchUp::ReadStanding() {
  ARROW_ASSIGN_OR_RAISE(const std::string slot, QuoteLiteral(options_.slot));
  ARROW_ASSIGN_OR_RAISE(
      const QueryResult rows,
      connection_->Query("SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE "
                         "pg_current_wal_flush_lsn() END, confirmed_flush_lsn, restart_lsn, "
                         "coalesce(current_setting('synchronized_standby_slots', true), '') <> '' FROM "
                         "pg_replication_slots WHERE slot_name = " +
                         slot));
  if (rows.rows() != 1) return SlotMissing(options_.slot);
  Standing standing;
  ARROW_ASSIGN_OR_RAISE(standing.end, rows.Lsn(0, 0));
  ARROW_ASSIGN_OR_RAISE(standing.confirmed_flush, rows.Lsn(0, 1));
  ARROW_ASSIGN_OR_RAISE(standing.restart_lsn, rows.Lsn(0, 2));
  standing.waits_for_standbys = rows.Bool(0, 3);
  server_lsn_ = standing.end;
  return standing;
}

// previous_start: of the chunk before; 0: there was none. Where the slot would be read from there again, a
// transaction that is open holds it, and each chunk would take longer than the one before.
bool CatchUp::IsWorthAChunk(const Standing& now, uint64_t previous_start) const {
  if (now.waits_for_standbys || now.confirmed_flush != position_) return false;
  if (previous_start != 0 && (position_ <= previous_start || now.restart_lsn <= previous_start)) return false;
  return now.end > position_ && now.end - position_ >= static_cast<uint64_t>(options_.bytes_min);
}

// False: nothing of it was handed on.
arrow::Result<bool> CatchUp::ReadChunk(uint64_t upto) {
  ARROW_ASSIGN_OR_RAISE(const std::string slot, QuoteLiteral(options_.slot));
  messages_ = 0;
  commit_end_ = 0;
  hold_until_ = Clock::time_point::max();
  // Where the slot stands is looked up behind the decoding, with the first row: it never goes back, so nobody
  // else had moved it before.
  const std::string command =
      "COPY (SELECT (SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE "
      "slot_name = " +
      slot + "), lsn, data FROM pg_logical_slot_peek_binary_changes(" + slot + ", '" + FormatLsn(upto) +
      "', " + std::to_string(options_.messages_max) + SqlArguments(options_.plugin_options) +
      ")) TO STDOUT (FORMAT binary)";
  if (!connection_->StartCopy(command, connection_->MakeContext(ErrorContext::Action::kStream)).ok())
    return false;
  ARROW_ASSIGN_OR_RAISE(const bool whole, ReceiveChunk());
  if (!whole) return false;
  if (messages_ == 0) {
    const auto standing = ReadStanding();
    if (!standing.ok() || standing->confirmed_flush != position_) return false;
  }
  const bool cut = messages_ >= options_.messages_max;
  position_ = cut ? commit_end_ : std::max(upto, commit_end_);
  return true;
}

arrow::Result<bool> CatchUp::ReceiveChunk() {
  PGconn* const raw = connection_->raw();
  while (true) {
    char* buffer = nullptr;
    const int bytes = PQgetCopyData(raw, &buffer, 1);
    if (bytes > 0) {
      const arrow::Result<bool> taken = TakeRow(buffer, bytes);
      if (taken.ok() && *taken && AwaitRoom()) continue;
      connection_->Cancel();
      if (messages_ == 0) return false;
      return Broken(taken.ok() ? arrow::Status::IOError("what it had sent was not taken in time")
                               : taken.status());
    }
    if (bytes == 0) {
      const auto wake = WaitFor(PQsocket(raw), POLLIN, stop_.get(), Clock::time_point::max());
      if (wake == Wake::kReady && Consume(raw)) continue;
      return messages_ == 0 ? arrow::Result<bool>(false) : Broken(arrow::Status::IOError("connection lost"));
    }
    const QueryResult result(PQgetResult(raw));
    const bool complete = bytes == -1 && PQresultStatus(result.raw()) == PGRES_COMMAND_OK;
    while (PGresult* const rest = PQgetResult(raw)) PQclear(rest);
    if (complete && !skips_publication_ && !in_transaction_) return true;
    if (messages_ == 0) return false;
    return Broken(
        ErrorFromResult(result.raw(), raw, connection_->MakeContext(ErrorContext::Action::kStream)));
  }
}

// Owns `buffer`. False: nothing of the chunk may be taken.
arrow::Result<bool> CatchUp::TakeRow(char* buffer, int bytes) {
  std::unique_ptr<char, decltype(&PQfreemem)> owner(buffer, PQfreemem);
  received_bytes_ += static_cast<uint64_t>(bytes);
  BinaryCursor cursor(std::string_view(buffer, static_cast<size_t>(bytes)));
  if (hold_until_ == Clock::time_point::max()) {
    hold_until_ = Clock::now() + kHoldMax;
    std::string_view header;
    if (!cursor.ReadBytes(kCopyHeaderBytes, &header) || !header.starts_with(kCopySignature))
      return arrow::Status::IOError("no binary COPY");
  }
  int16_t fields = 0;
  int32_t length = 0;
  uint64_t confirmed_flush = 0;
  uint64_t lsn = 0;
  if (!cursor.Read(&fields)) return arrow::Status::IOError("a row of COPY is cut");
  if (fields == -1) return true;
  if (fields != 3 || !cursor.Read(&length) || length != 8 || !cursor.Read(&confirmed_flush) ||
      !cursor.Read(&length) || length != 8 || !cursor.Read(&lsn) || !cursor.Read(&length) || length < 1 ||
      length != cursor.left())
    return arrow::Status::IOError("a row of COPY is not laid out as it should be");
  if (messages_ == 0 && (confirmed_flush != position_ || skips_publication_)) return false;
  const int64_t data_at = bytes - length;
  const std::string_view data(buffer + data_at, static_cast<size_t>(length));
  if (data[0] == 'B') in_transaction_ = true;
  if (data[0] == 'C') {
    BinaryCursor body(data.substr(1));
    pgoutput::CommitMessage commit;
    if (!pgoutput::ReadCommit(&body, &commit)) return arrow::Status::IOError("a commit is cut");
    commit_end_ = commit.end_lsn;
    in_transaction_ = false;
  }
  char* const header = buffer + data_at - format::kXLogDataHeaderBytes;
  header[0] = 'w';
  StoreBigEndian(lsn, header + format::kDataStartAt);
  StoreBigEndian(lsn, header + format::kWalEndAt);
  StoreBigEndian(uint64_t{0}, header + format::kSendTimeAt);
  ++messages_;
  queue_.Push({std::make_shared<CopyBuffer>(owner.release(), bytes, header - buffer), 0, false});
  return true;
}

// Of a transaction part may be there: whoever connects again leaves out what comes twice.
arrow::Status CatchUp::Broken(const arrow::Status& why) const {
  return MakeError(ErrorKind::kConnection,
                   "what the slot holds could not be read on by SQL: " + why.message(),
                   "slot \"" + options_.slot + "\"", "the stream goes on with it", "", true);
}

bool CatchUp::AwaitRoom() {
  if (queue_.HasRoom()) return true;
  std::unique_lock lock(mutex_);
  return changed_.wait_until(lock, hold_until_, [this] { return stop_->stopped() || queue_.HasRoom(); }) &&
         !stop_->stopped();
}

bool CatchUp::AwaitAcknowledged() {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, kAcknowledgeMax, [this] {
    return stop_->stopped() || acknowledged_ >= position_;
  }) && !stop_->stopped();
}

arrow::Status CatchUp::MoveSlot(uint64_t to) {
  ARROW_ASSIGN_OR_RAISE(const std::string slot, QuoteLiteral(options_.slot));
  return connection_->Query("SELECT pg_replication_slot_advance(" + slot + ", '" + FormatLsn(to) + "')")
      .status();
}

}  // namespace arrowcdc::postgres
