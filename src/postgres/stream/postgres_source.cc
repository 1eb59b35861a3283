// PostgreSQL as a Source: checks first, then the stream's messages as events.
#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

#include "arrowcdc/error.h"
#include "arrowcdc/secrets.h"
#include "arrowcdc/postgres.h"
#include "src/change/table_schema.h"
#include "src/postgres/client/connection.h"
#include "src/postgres/setup/publication.h"
#include "src/postgres/setup/published_check.h"
#include "src/postgres/setup/published_tables.h"
#include "src/postgres/client/quoting.h"
#include "src/postgres/stream/plugin_session.h"
#include "src/postgres/stream/replication_stream.h"
#include "src/postgres/setup/slot.h"
#include "src/postgres/setup/slot_note.h"
#include "src/postgres/stream/start_position.h"
#include "src/postgres/stream/timeline_history.h"
#include "src/postgres/stream/wal_end.h"

namespace arrowcdc {
namespace {

using postgres::Connection;
using postgres::ConnectionMode;
using postgres::ErrorContext;
using postgres::PublicationInfo;
using postgres::QueryResult;
using postgres::ReplicationStream;
using postgres::SlotInfo;
using postgres::SlotNote;
using postgres::SlotStanding;
using std::chrono::milliseconds;

constexpr int kServerVersionMin = 150000;

class PostgresSource : public Source {
 public:
  explicit PostgresSource(PostgresOptions options) : options_(std::move(options)) {}
  ~PostgresSource() override { (void)Stop(); }

  arrow::Result<SourceInfo> Connect() override {
    ARROW_RETURN_NOT_OK(Stop());
    ARROW_ASSIGN_OR_RAISE(connection_,
                          Connection::Open(options_.conninfo, ConnectionMode::kReplication, options_.stop));
    arrow::Result<SourceInfo> info = Inspect();
    if (!info.ok()) connection_.reset();
    return info;
  }

  arrow::Result<Position> Resume(const ResumeRequest& request) override {
    ARROW_RETURN_NOT_OK(CheckConnected());
    ARROW_ASSIGN_OR_RAISE(const Position start,
                          postgres::ChooseStart(standing_, request, [this](uint32_t timeline) {
                            return postgres::ReadTimelineEnd(*connection_, standing_.timeline, timeline);
                          }));
    standing_.source_before = standing_.source;
    return start;
  }

  arrow::Result<std::vector<SourceTable>> Tables() override {
    ARROW_RETURN_NOT_OK(CheckConnected());
    return postgres::ReadPublishedTables(*connection_, publications_);
  }

  arrow::Result<LogEnd> CurrentEnd() override {
    ARROW_RETURN_NOT_OK(CheckConnected());
    ARROW_ASSIGN_OR_RAISE(const WalEnd end, postgres::ReadWalEnd(*connection_));
    return LogEnd{At(end.lsn), end.flushed};
  }

  arrow::Result<Position> ParsePosition(std::string_view text) override {
    ARROW_ASSIGN_OR_RAISE(const uint64_t lsn, ParseLsn(text));
    return At(lsn);
  }

  // What timelines have in common has the same LSN on each.
  arrow::Result<Position> Rebase(const Position& position) override { return At(position.order); }

  // A commit record ends behind where it starts.
  bool Covers(const Position& position, const RowPosition& row) const override {
    return row.commit_lsn < position.order;
  }

  arrow::Status Start(const Position& start) override {
    ARROW_RETURN_NOT_OK(CheckConnected());
    ARROW_ASSIGN_OR_RAISE(const std::string slot, postgres::QuoteReplicationIdentifier(options_.slot));
    if (plugin_ == OutputPlugin::kPgoutput) {
      ARROW_ASSIGN_OR_RAISE(session_, postgres::MakePgoutputSession(*connection_, options_, publications_,
                                                                    timeline_, as_text_));
      ARROW_RETURN_NOT_OK(ConnectAnew());
      ARROW_RETURN_NOT_OK(postgres::PreparePgoutput(*connection_));
    } else {
      ARROW_ASSIGN_OR_RAISE(session_,
                            postgres::MakeWal2arrowSession(*connection_, options_, publications_, timeline_));
    }
    const std::string command = "START_REPLICATION SLOT " + slot + " LOGICAL " + FormatLsn(start.order) +
                                " (" + session_->start_options() + ")";
    ErrorContext context = connection_->MakeContext(ErrorContext::Action::kStream);
    context.slot = options_.slot;
    context.publications = publications_;
    postgres::StreamOptions stream_options;
    stream_options.buffer_bytes_max = options_.buffer_bytes_max;
    stream_options.status_interval = options_.status_interval;
    stream_options.wal_sender_timeout = wal_sender_timeout_;
    if (plugin_ == OutputPlugin::kPgoutput) stream_options.fatal_warning = postgres::kPublicationSkipped;
    ARROW_ASSIGN_OR_RAISE(std::shared_ptr<ReplicationStream> stream,
                          ReplicationStream::Start(std::move(connection_), command, context, stream_options));
    const std::lock_guard lock(mutex_);
    stream_ = std::move(stream);
    if (acknowledged_.has_value()) stream_->Acknowledge(acknowledged_->order);
    return arrow::Status::OK();
  }

  arrow::Result<std::optional<Event>> Next(milliseconds timeout) override {
    if (stream_ == nullptr) return NotStarted();
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    while (true) {
      if (auto event = session_->Next()) return event;
      const auto due = session_->flush_due();
      const auto now = std::chrono::steady_clock::now();
      if (due.has_value() && *due <= now) {
        ARROW_RETURN_NOT_OK(session_->Flush());
        continue;
      }
      const auto left = std::chrono::ceil<milliseconds>(std::min(due.value_or(deadline), deadline) - now);
      auto message = stream_->Next(std::max(left, milliseconds(0)));
      if (!message.ok() && due.has_value()) {
        ARROW_RETURN_NOT_OK(session_->Flush());  // what ended the stream is told behind it
      } else if (!message.ok()) {
        return SessionError(message.status());
      } else if (message->has_value()) {
        if (arrow::Status taken = session_->Take(**message); !taken.ok()) return SessionError(taken);
      } else if (left >= std::chrono::ceil<milliseconds>(deadline - now)) {
        return std::nullopt;
      }
    }
  }

  void Acknowledge(const Position& durable) override {
    const std::lock_guard lock(mutex_);
    acknowledged_ = std::max(acknowledged_, std::optional(durable));
    if (stream_ != nullptr) stream_->Acknowledge(acknowledged_->order);
  }

  void RequestKeepalive() override {
    const std::lock_guard lock(mutex_);
    if (stream_ != nullptr) stream_->RequestKeepalive();
  }

  arrow::Status Stop() override {
    std::shared_ptr<ReplicationStream> ended;
    {
      const std::lock_guard lock(mutex_);
      ended = std::move(stream_);
      stream_ = nullptr;
      if (ended != nullptr) AddStats(ended->stats(), &earlier_);
    }
    if (ended != nullptr) ended->Stop();
    session_.reset();
    connection_.reset();
    return arrow::Status::OK();
  }

  SourceStats stats() const override {
    const std::lock_guard lock(mutex_);
    SourceStats all = earlier_;
    if (stream_ != nullptr) AddStats(stream_->stats(), &all);
    return all;
  }

 private:
  Position At(uint64_t lsn) const { return {timeline_, lsn}; }

  static void AddStats(const postgres::StreamStats& stream, SourceStats* all) {
    all->received_bytes += stream.received_bytes;
    all->server_lsn = std::max(all->server_lsn, stream.server_lsn);
    all->buffered_bytes = stream.buffered_bytes;
  }

  arrow::Status NotStarted() const {
    return MakeError(ErrorKind::kInternal, "the source is not connected or not started",
                     "slot \"" + options_.slot + "\"", "Connect and Start come first");
  }

  arrow::Status CheckConnected() const { return connection_ == nullptr ? NotStarted() : arrow::Status::OK(); }

  arrow::Result<SourceInfo> Inspect() {
    SourceInfo info;
    if (connection_->server_version() < kServerVersionMin) {
      return MakeError(ErrorKind::kUnsupported, "the server is older than PostgreSQL 15",
                       "server " + connection_->MakeContext(ErrorContext::Action::kConnect).server,
                       "upgrade the server");
    }
    ARROW_RETURN_NOT_OK(Identify(&info));
    ARROW_ASSIGN_OR_RAISE(
        const QueryResult setting,
        connection_->Query("SELECT setting FROM pg_settings WHERE name = 'wal_sender_timeout'"));
    ARROW_ASSIGN_OR_RAISE(const int64_t timeout, setting.Int(0, 0));
    wal_sender_timeout_ = milliseconds(timeout);
    ARROW_ASSIGN_OR_RAISE(const std::optional<SlotInfo> slot,
                          postgres::ReadSlot(*connection_, options_.slot));
    if (!slot.has_value()) return postgres::SlotMissing(options_.slot);
    ARROW_RETURN_NOT_OK(postgres::CheckSlotFits(*slot, info.stream.database, options_.plugin));
    ARROW_RETURN_NOT_OK(postgres::CheckSlotFree(*slot));
    ARROW_ASSIGN_OR_RAISE(const auto publications, postgres::ReadStreamPublications(*connection_, options_));
    publications_.clear();
    for (const PublicationInfo& publication : publications) publications_.push_back(publication.name);
    plugin_ = slot->plugin == postgres::kPgoutputName ? OutputPlugin::kPgoutput : OutputPlugin::kWal2arrow;
    ARROW_RETURN_NOT_OK(CheckKeys());
    info.stream.publications = publications_;
    info.stream.patterns = options_.tables;
    ARROW_ASSIGN_OR_RAISE(info.published,
                          postgres::CheckPublished(*connection_, publications, options_.tables, checked_));
    checked_ = true;
    const std::optional<SlotNote> note = FindNoteIn(publications, *slot, info.stream.source.id);
    if (note.has_value()) info.other_tables = CheckTablesOf(*note);
    ARROW_RETURN_NOT_OK(CheckNoneIsGone(note));
    // Without a note the server's statistics tell whether anything was decoded; they do not tell whether it
    // was acknowledged, and a crash of the server empties them.
    standing_.confirmed_flush = slot->confirmed_flush;
    standing_.start_known = note.has_value() && note->begins.has_value();
    standing_.used = standing_.start_known ? slot->confirmed_flush > note->begins.value_or(0)
                                           : slot->decoded_transactions > 0;
    return info;
  }

  arrow::Status Identify(SourceInfo* info) {
    ARROW_ASSIGN_OR_RAISE(const QueryResult system, connection_->Query("IDENTIFY_SYSTEM"));
    if (system.rows() != 1 || system.columns() < 4) {
      return MakeError(ErrorKind::kUnsupported, "IDENTIFY_SYSTEM is not answered as PostgreSQL does",
                       "server", "connect to the server itself, not through a pooler");
    }
    ARROW_ASSIGN_OR_RAISE(const int64_t timeline, system.Int(0, 1));
    ARROW_ASSIGN_OR_RAISE(standing_.current_flush, system.Lsn(0, 2));
    standing_.slot = options_.slot;
    standing_.source = {"postgresql", system.Text(0, 0)};
    standing_.timeline = static_cast<uint32_t>(timeline);
    timeline_ = standing_.timeline;
    info->stream.source = standing_.source;
    info->stream.database = system.Text(0, 3);
    info->stream.slot = options_.slot;
    info->end = At(standing_.current_flush);
    return arrow::Status::OK();
  }

  // Stored generated columns are in old rows, and up to 17 pgoutput leaves them out.
  arrow::Status CheckKeys() const {
    constexpr int kPublishesGenerated = 180000;
    if (plugin_ != OutputPlugin::kPgoutput || connection_->server_version() >= kPublishesGenerated)
      return arrow::Status::OK();
    ARROW_ASSIGN_OR_RAISE(const auto tables, postgres::ReadGeneratedKeys(*connection_, publications_));
    if (tables.empty()) return arrow::Status::OK();
    return MakeError(
        ErrorKind::kUnsupported,
        "the key has a generated column, which pgoutput does not send: deletes and updates would "
        "not tell their row",
        "table " + FirstNames(tables),
        "ALTER TABLE ... REPLICA IDENTITY FULL, or use the plugin wal2arrow, or publish inserts "
        "only");
  }

  arrow::Status SessionError(const arrow::Status& status) {
    const ErrorDetail* const detail = GetErrorDetail(status);
    if (detail == nullptr || !session_->WantsText(status)) return status;
    as_text_ = true;
    return MakeError(detail->kind(), status.message(), detail->object(), detail->remedy(), detail->sqlstate(),
                     /*retryable=*/true);
  }

  // To the server that was looked at.
  arrow::Status ConnectAnew() {
    connection_.reset();  // it may be the last one that the server has for replication
    ARROW_ASSIGN_OR_RAISE(auto connection,
                          Connection::Open(options_.conninfo, ConnectionMode::kReplication, options_.stop));
    ARROW_ASSIGN_OR_RAISE(const QueryResult system, connection->Query("IDENTIFY_SYSTEM"));
    ARROW_ASSIGN_OR_RAISE(const int64_t timeline, system.Int(0, 1));
    if (system.Text(0, 0) != standing_.source.id || timeline != standing_.timeline) {
      return MakeError(ErrorKind::kConnection, "another server answers than the one that was looked at",
                       "server " + connection->MakeContext(ErrorContext::Action::kConnect).server,
                       "it will be tried again", "", true);
    }
    connection_ = std::move(connection);
    return arrow::Status::OK();
  }

  static std::optional<SlotNote> FindNoteIn(const std::vector<PublicationInfo>& publications,
                                            const SlotInfo& slot, const std::string& system) {
    for (const PublicationInfo& publication : publications) {
      auto note = postgres::FindNote(postgres::ParseNotes(publication.comment), slot.name, system,
                                     slot.confirmed_flush);
      if (note.has_value()) return note;
    }
    return std::nullopt;
  }

  // Of the publications by their default names one is enough, unless the slot had both: what was written
  // while the other one was there would be passed over.
  arrow::Status CheckNoneIsGone(const std::optional<SlotNote>& note) {
    if (!options_.publications.empty()) return arrow::Status::OK();
    const std::set<std::string> here(publications_.begin(), publications_.end());
    if (note.has_value()) known_publications_.insert(note->publications.begin(), note->publications.end());
    for (const std::string& name : known_publications_) {
      if (here.contains(name)) continue;
      std::string left;
      for (const std::string& other : publications_) left += " " + other;
      return MakeError(
          ErrorKind::kPublicationMissing,
          "the slot was read with this publication, which is gone: changes made while it was there "
          "would be passed over; nothing was streamed or acknowledged",
          "publication \"" + name + "\"", "to go on without it name what is left: --publication" + left);
    }
    known_publications_ = here;
    return arrow::Status::OK();
  }

  // Whoever reads all that is published passes nothing over.
  arrow::Status CheckTablesOf(const SlotNote& note) const {
    const auto now = postgres::NormalPatterns(options_.tables);
    if (!note.tables.has_value() || now.empty() || now == postgres::NormalPatterns(*note.tables))
      return arrow::Status::OK();
    return postgres::OtherTables(options_.slot, *note.tables, now);
  }

  const PostgresOptions options_;
  std::unique_ptr<Connection> connection_;  // between Connect and Start
  std::unique_ptr<postgres::PluginSession> session_;
  OutputPlugin plugin_ = OutputPlugin::kWal2arrow;  // of the slot, at the last Connect
  bool as_text_ = false;                            // pgoutput's values, from the next session on
  std::vector<std::string> publications_;
  bool checked_ = false;                      // what they publish, by this source
  std::set<std::string> known_publications_;  // of the connections before
  SlotStanding standing_;                     // at the last Connect
  std::atomic<uint32_t> timeline_ = 0;        // the same, for ParsePosition
  milliseconds wal_sender_timeout_{0};

  mutable std::mutex mutex_;  // what Acknowledge, RequestKeepalive and stats share with the others
  std::shared_ptr<ReplicationStream> stream_;
  std::optional<Position> acknowledged_;
  SourceStats earlier_;
};

}  // namespace

arrow::Result<WireCompression> ParseWireCompression(const std::string& text) {
  if (text == "auto") return WireCompression::kAuto;
  if (text == "none") return WireCompression::kNone;
  if (text == "lz4") return WireCompression::kLz4;
  if (text == "zstd") return WireCompression::kZstd;
  return MakeError(ErrorKind::kInvalidOption, Shown(text) + " is no compression", "option compression",
                   "use auto, none, lz4 or zstd");
}

arrow::Result<std::unique_ptr<Source>> MakePostgresSource(const PostgresOptions& options) {
  ARROW_RETURN_NOT_OK(postgres::CheckSlotName(options.slot));
  if (options.buffer_bytes_max <= 0) {
    return MakeError(ErrorKind::kInvalidOption, "buffer_bytes_max must be positive",
                     "option buffer_bytes_max", "leave it out");
  }
  return std::make_unique<PostgresSource>(options);
}

}  // namespace arrowcdc
