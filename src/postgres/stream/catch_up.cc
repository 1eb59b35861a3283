// One thread asks, receives and packs what the plugin wrote into runs; they are decoded on the reader's.
#include "src/postgres/stream/catch_up.h"

#include <poll.h>

#include <algorithm>
#include <utility>

#include "arrowcdc/error.h"
#include "arrowcdc/position.h"
#include "src/postgres/client/quoting.h"
#include "src/postgres/decode/pgoutput/messages.h"
#include "src/postgres/decode/values/binary_cursor.h"
#include "src/postgres/setup/slot.h"
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

// The reader has something to do while the server decodes the next ones.
constexpr int64_t kFirstChunkMessages = 100'000;
// What the server passes over again costs it a sixth of what it decodes anew; in a walsender that costs twice
// as much. So a chunk that begins further behind the place that it is read from, in chunks, is dearer than
// the stream.
constexpr uint64_t kPassedOverMax = 6;

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
  uint64_t copy_restart_lsn = 0;
  bool is_active = false;           // somebody reads it
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
    : options_(std::move(options)),
      queue_(options_.buffer_bytes_max),
      acknowledged_(options_.start),
      position_(options_.start),
      moved_(options_.start),
      asked_(options_.start),
      chunk_messages_(std::min(options_.messages_max, kFirstChunkMessages)) {
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
  ARROW_ASSIGN_OR_RAISE(slot_, QuoteLiteral(options_.slot));
  if (!Connect().ok()) return arrow::Status::OK();
  if (options_.start > options_.confirmed_flush && !MoveSlot(options_.start).ok()) return arrow::Status::OK();
  if (!CopySlot().ValueOr(false)) return arrow::Status::OK();
  while (!stop_->stopped()) {
    const auto now = ReadStanding();
    if (!now.ok() || IsHindered(*now)) return arrow::Status::OK();
    const bool is_last = !IsWorthAChunk(*now);
    if (is_last && position_ > asked_) AskToStore();
    if (is_last) AwaitAcknowledged(position_);
    // Moved where the server can let go of WAL then, and at the end.
    const uint64_t stored = acknowledged();
    if (stored > moved_ && (is_last || now->copy_restart_lsn > now->restart_lsn) && !MoveSlot(stored).ok())
      return arrow::Status::OK();
    if (is_last) return arrow::Status::OK();
    const uint64_t chunk_start = position_;
    ARROW_ASSIGN_OR_RAISE(const bool whole, ReadChunk(now->end));
    if (!whole) return arrow::Status::OK();
    chunk_bytes_ = position_ - chunk_start;
    unasked_ += messages_;
    if (unasked_ < options_.messages_max) {
      queue_.Push({nullptr, position_, false});
    } else if (const uint64_t before = AskToStore(); !AwaitAcknowledged(before)) {
      return arrow::Status::OK();  // it is slow
    }
  }
  return arrow::Status::OK();
}

// Returns up to where it was asked for before: the next chunk is read while the last one is being stored, and
// not the one behind it.
uint64_t CatchUp::AskToStore() {
  queue_.Push({nullptr, position_, true});
  unasked_ = 0;
  return std::exchange(asked_, position_);
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

// False: the slot is not where it was, and what lies between would be passed. The copy goes with the session.
arrow::Result<bool> CatchUp::CopySlot() {
  copy_ = "'arrowcdc_catch_up_" + std::to_string(PQbackendPID(connection_->raw())) + "'";
  ARROW_ASSIGN_OR_RAISE(const QueryResult rows,
                        connection_->Query("SELECT lsn FROM pg_copy_logical_replication_slot(" + slot_ +
                                           ", " + copy_ + ", true)"));
  ARROW_ASSIGN_OR_RAISE(const uint64_t confirmed_flush, rows.Lsn(0, 0));
  return confirmed_flush == position_;
}

arrow::Result<CatchUp::Standing> CatchUp::ReadStanding() {
  ARROW_ASSIGN_OR_RAISE(
      const QueryResult rows,
      connection_->Query("SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE "
                         "pg_current_wal_flush_lsn() END, slot.confirmed_flush_lsn, slot.restart_lsn, "
                         "copy.restart_lsn, slot.active, "
                         "coalesce(current_setting('synchronized_standby_slots', true), '') <> '' FROM "
                         "pg_replication_slots slot, pg_replication_slots copy WHERE slot.slot_name = " +
                         slot_ + " AND copy.slot_name = " + copy_));
  if (rows.rows() != 1) {
    ARROW_ASSIGN_OR_RAISE(const auto others, ReadSlotNames(*connection_));
    return SlotMissing(options_.slot, others);
  }
  Standing standing;
  ARROW_ASSIGN_OR_RAISE(standing.end, rows.Lsn(0, 0));
  ARROW_ASSIGN_OR_RAISE(standing.confirmed_flush, rows.Lsn(0, 1));
  ARROW_ASSIGN_OR_RAISE(standing.restart_lsn, rows.Lsn(0, 2));
  ARROW_ASSIGN_OR_RAISE(standing.copy_restart_lsn, rows.Lsn(0, 3));
  standing.is_active = rows.Bool(0, 4);
  standing.waits_for_standbys = rows.Bool(0, 5);
  server_lsn_ = standing.end;
  return standing;
}

bool CatchUp::IsHindered(const Standing& now) const {
  return now.waits_for_standbys || now.is_active || now.confirmed_flush != moved_;
}

// Each chunk is read from where the copy can be restarted: a transaction that is open holds that, and an idle
// server tells of such a place every fifteen seconds. What has to be passed over is shared by larger chunks.
bool CatchUp::IsWorthAChunk(const Standing& now) {
  if (chunk_bytes_ > 0) {
    const uint64_t passed_over = position_ - std::min(position_, now.copy_restart_lsn);
    if (passed_over >= chunk_bytes_ && chunk_messages_ < options_.messages_max) {
      chunk_messages_ = std::min(2 * chunk_messages_, options_.messages_max);
    } else if (passed_over > kPassedOverMax * chunk_bytes_) {
      return false;
    }
  }
  return now.end > position_ && now.end - position_ >= static_cast<uint64_t>(options_.bytes_min);
}

// False: nothing of it was handed on.
arrow::Result<bool> CatchUp::ReadChunk(uint64_t upto) {
  messages_ = 0;
  commit_end_ = 0;
  hold_until_ = Clock::time_point::max();
  const std::string command = "COPY (SELECT lsn, data FROM pg_logical_slot_get_binary_changes(" + copy_ +
                              ", '" + FormatLsn(upto) + "', " + std::to_string(chunk_messages_) +
                              SqlArguments(options_.plugin_options) + ")) TO STDOUT (FORMAT binary)";
  if (!connection_->StartCopy(command, connection_->MakeContext(ErrorContext::Action::kStream)).ok())
    return false;
  ARROW_ASSIGN_OR_RAISE(const bool whole, ReceiveChunk());
  if (!whole) return false;
  HandOnRun();
  const bool cut = messages_ >= chunk_messages_;
  position_ = cut ? commit_end_ : std::max(upto, commit_end_);
  return true;
}

arrow::Result<bool> CatchUp::ReceiveChunk() {
  PGconn* const raw = connection_->raw();
  while (true) {
    char* buffer = nullptr;
    const int bytes = PQgetCopyData(raw, &buffer, 1);
    if (bytes > 0) {
      const arrow::Result<bool> taken = TakeRow({buffer, static_cast<size_t>(bytes)});
      PQfreemem(buffer);
      if (run_.full()) HandOnRun();
      if (taken.ok() && *taken && AwaitRoom()) continue;
      connection_->Cancel();
      if (messages_ == 0) return false;
      return Broken(taken.ok() ? arrow::Status::IOError("what it had sent was not taken in time")
                               : taken.status());
    }
    if (bytes == 0) {
      HandOnRun();
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

// False: nothing of the chunk may be taken.
arrow::Result<bool> CatchUp::TakeRow(std::string_view row) {
  received_bytes_ += row.size();
  BinaryCursor cursor(row);
  if (hold_until_ == Clock::time_point::max()) {
    hold_until_ = Clock::now() + kHoldMax;
    std::string_view header;
    if (!cursor.ReadBytes(kCopyHeaderBytes, &header) || !header.starts_with(kCopySignature))
      return arrow::Status::IOError("no binary COPY");
  }
  int16_t fields = 0;
  int32_t length = 0;
  uint64_t lsn = 0;
  std::string_view data;
  if (!cursor.Read(&fields)) return arrow::Status::IOError("a row of COPY is cut");
  if (fields == -1) return true;
  if (fields != 2 || !cursor.Read(&length) || length != 8 || !cursor.Read(&lsn) || !cursor.Read(&length) ||
      length < 1 || length != cursor.left() || !cursor.ReadBytes(length, &data))
    return arrow::Status::IOError("a row of COPY is not laid out as it should be");
  if (skips_publication_) return false;
  if (data[0] == 'B') in_transaction_ = true;
  if (data[0] == 'C') {
    BinaryCursor body(data.substr(1));
    pgoutput::CommitMessage commit;
    if (!pgoutput::ReadCommit(&body, &commit)) return arrow::Status::IOError("a commit is cut");
    commit_end_ = commit.end_lsn;
    in_transaction_ = false;
  }
  ++messages_;
  run_.Add(lsn, data);
  return true;
}

void CatchUp::HandOnRun() {
  if (!run_.empty()) queue_.Push({.data = run_.Take(), .is_run = true});
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

bool CatchUp::AwaitAcknowledged(uint64_t lsn) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, kAcknowledgeMax, [&] { return stop_->stopped() || acknowledged_ >= lsn; }) &&
         !stop_->stopped();
}

uint64_t CatchUp::acknowledged() {
  const std::lock_guard lock(mutex_);
  return acknowledged_;
}

arrow::Status CatchUp::MoveSlot(uint64_t to) {
  ARROW_RETURN_NOT_OK(
      connection_->Query("SELECT pg_replication_slot_advance(" + slot_ + ", '" + FormatLsn(to) + "')"));
  moved_ = to;
  return arrow::Status::OK();
}

}  // namespace arrowcdc::postgres
