// PostgreSQL as a Source: checks first, then the stream's messages as events.
#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

#include "arrowcdc/error.h"
#include "arrowcdc/secrets.h"
#include "arrowcdc/postgres.h"
#include "arrowcdc/table_patterns.h"
#include "src/change/table_schema.h"
#include "src/postgres/client/connection.h"
#include "src/postgres/client/connection_options.h"
#include "src/postgres/setup/old_release.h"
#include "src/postgres/setup/publication.h"
#include "src/postgres/setup/published_check.h"
#include "src/postgres/setup/published_tables.h"
#include "src/postgres/client/quoting.h"
#include "src/postgres/snapshot/postgres_snapshot.h"
#include "src/postgres/stream/catch_up.h"
#include "src/postgres/stream/plugin_session.h"
#include "src/postgres/stream/replication_stream.h"
#include "src/postgres/stream/representable_front.h"
#include "src/postgres/setup/slot.h"
#include "src/postgres/setup/slot_note.h"
#include "src/postgres/stream/spool.h"
#include "src/postgres/stream/start_position.h"
#include "src/postgres/stream/timeline_history.h"
#include "src/postgres/stream/wal_end.h"

namespace arrowcdc {
namespace {

using postgres::Connection;
using postgres::ConnectionMode;
using postgres::ErrorContext;
using postgres::MessageStream;
using postgres::PublicationInfo;
using postgres::QueryResult;
using postgres::ReplicationStream;
using postgres::SlotInfo;
using postgres::SlotNote;
using postgres::SlotStanding;
using std::chrono::milliseconds;

constexpr int kServerVersionMin = 150000;
// For how long transactions come whole after a session that could not go on with streaming: twice as long
// each time, since it is likely to happen again.
constexpr milliseconds kWholeForMin{1000};
constexpr milliseconds kWholeForMax{600'000};
// With transactions that a copy waits for: doubled with each try, so that they are named soon.
constexpr std::chrono::milliseconds kPatience{5'000};
constexpr std::chrono::milliseconds kPatienceMax{60'000};

class PostgresSource : public Source {
 public:
  // patterns: none lets every table through.
  PostgresSource(PostgresOptions options, std::optional<TablePatterns> patterns)
      : options_(std::move(options)),
        patterns_(std::move(patterns)),
        as_text_(options_.temporary),
        no_streaming_(options_.temporary) {}
  ~PostgresSource() override { (void)Stop(); }

  arrow::Result<SourceInfo> Connect() override {
    ARROW_RETURN_NOT_OK(Stop());
    ARROW_ASSIGN_OR_RAISE(connection_,
                          Connection::Open(options_.conninfo, ConnectionMode::kReplication, options_.stop));
    if (options_.temporary) ARROW_RETURN_NOT_OK(MakeTemporarySlot());
    arrow::Result<SourceInfo> info = Inspect();
    if (!info.ok()) connection_.reset();
    return info;
  }

  arrow::Result<Position> Resume(const ResumeRequest& request) override {
    ARROW_RETURN_NOT_OK(CheckConnected());
    ARROW_ASSIGN_OR_RAISE(const Position start, postgres::ChooseStart(standing_, request, EndOfTimeline()));
    standing_.source_before = standing_.source;
    start_ = start;
    using Have = ResumeRequest::Have;
    stored_ = request.have == Have::kStored || request.have == Have::kNothingYet;
    return start;
  }

  arrow::Result<std::vector<SourceTable>> Tables() override {
    ARROW_ASSIGN_OR_RAISE(const auto source, Inspected());
    ARROW_ASSIGN_OR_RAISE(const auto connection,
                          Connection::Open(options_.conninfo, ConnectionMode::kSql, options_.stop));
    return postgres::ReadPublishedTables(*connection, source.publications);
  }

  arrow::Result<std::unique_ptr<Snapshot>> BeginSnapshot(const WantedTables& wanted,
                                                         const std::vector<SnapshotPart>& parts) override {
    ARROW_ASSIGN_OR_RAISE(const auto source, Inspected());
    std::vector<SnapshotPart> good;
    if (!parts.empty()) {
      ARROW_RETURN_NOT_OK(CheckConnected());
      ARROW_ASSIGN_OR_RAISE(good, OfThisStream(parts));
    }
    auto taken = postgres::TakeSnapshot(options_, source, wanted, good);
    const std::lock_guard lock(mutex_);
    inspected_->patience = taken.ok() ? kPatience : std::min(2 * source.patience, kPatienceMax);
    return taken;
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

  arrow::Result<bool> HasInHistory(const Position& position) override {
    ARROW_RETURN_NOT_OK(CheckConnected());
    const arrow::Status there = postgres::CheckHistory(position, standing_, EndOfTimeline());
    const ErrorDetail* const detail = GetErrorDetail(there);
    if (!there.ok() && (detail == nullptr || detail->kind() != ErrorKind::kPositionGap)) return there;
    return there.ok();
  }

  // A commit record ends behind where it starts.
  bool Covers(const Position& position, const RowPosition& row) const override {
    return row.commit_lsn < position.order;
  }

  arrow::Status Start(const Position& start) override {
    ARROW_RETURN_NOT_OK(CheckConnected());
    return MayCatchUp(start) ? StartCatchUp(start) : StartStream(start);
  }

  SourceNews TakeNews() override { return std::exchange(news_, {}); }

  arrow::Result<std::optional<Event>> Next(milliseconds timeout) override {
    if (stream_ == nullptr) return NotStarted();
    if (streams_again_at_.has_value())
      ARROW_RETURN_NOT_OK(GoOnAt(*std::exchange(streams_again_at_, std::nullopt)));
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    while (true) {
      ARROW_RETURN_NOT_OK(front_.ended());
      auto event = session_->Next();
      if (!event.ok()) return SessionError(event.status());
      if (event->has_value()) {
        if (options_.unrepresentable == Unrepresentable::kError) {
          ARROW_ASSIGN_OR_RAISE(*event, front_.Take(**std::move(event)));
          if (!event->has_value()) continue;
        }
        if (whole_until_.has_value()) LookWhetherToStreamAgain(**event);
        return event;
      }
      const auto now = std::chrono::steady_clock::now();
      if (session_->has_more()) {
        if (now >= deadline) return std::nullopt;
        continue;
      }
      const auto due = session_->flush_due();
      if (due.has_value() && *due <= now) {
        ARROW_RETURN_NOT_OK(session_->Flush());
        continue;
      }
      const auto left = std::chrono::ceil<milliseconds>(std::min(due.value_or(deadline), deadline) - now);
      auto message = stream_->Next(std::max(left, milliseconds(0)));
      if (!message.ok() && due.has_value()) {
        ARROW_RETURN_NOT_OK(session_->Flush());  // what ended the stream is told behind it
      } else if (!message.ok() && stream_->handover().has_value()) {
        ARROW_RETURN_NOT_OK(GoOnAt(*stream_->handover()));
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
    std::shared_ptr<MessageStream> ended;
    {
      const std::lock_guard lock(mutex_);
      ended = std::move(stream_);
      stream_ = nullptr;
      if (ended != nullptr) AddStats(ended->stats(), &earlier_);
    }
    if (ended != nullptr) ended->Stop();
    session_.reset();
    spool_.reset();
    connection_.reset();
    slot_connection_.reset();
    return arrow::Status::OK();
  }

  SourceStats stats() const override {
    const std::lock_guard lock(mutex_);
    SourceStats all = earlier_;
    if (stream_ != nullptr) AddStats(stream_->stats(), &all);
    return all;
  }

 private:
  // A slot that holds much, read by somebody who stores what comes, and so has it acknowledged soon. What is
  // to be passed by the slot is stored. One try a source: what was hindered once is likely to be again.
  bool MayCatchUp(const Position& start) {
    if (plugin_ != OutputPlugin::kPgoutput || options_.catch_up != CatchUp::kSql || !stored_ ||
        std::exchange(caught_up_, true)) {
      return false;
    }
    return standing_.current_flush > start.order &&
           standing_.current_flush - start.order >= static_cast<uint64_t>(options_.catch_up_bytes_min);
  }

  arrow::Status StartCatchUp(const Position& start) {
    // Without a spool transactions come whole.
    ARROW_ASSIGN_OR_RAISE(session_, postgres::MakePgoutputSession(*connection_, options_, publications_,
                                                                  timeline_, {}, as_text_));
    connection_.reset();
    Take(std::make_shared<postgres::CatchUp>(
        postgres::CatchUpOptions{.conninfo = options_.conninfo,
                                 .server = server_,
                                 .slot = options_.slot,
                                 .plugin_options = session_->start_options(),
                                 .start = start.order,
                                 .confirmed_flush = standing_.confirmed_flush,
                                 .messages_max = options_.catch_up_messages,
                                 .bytes_min = options_.catch_up_bytes_min,
                                 .buffer_bytes_max = options_.buffer_bytes_max}));
    return arrow::Status::OK();
  }

  // A stream of its own, since everything up to there was delivered. Meanwhile the slot was free for others.
  arrow::Status GoOnAt(uint64_t position) {
    ARROW_RETURN_NOT_OK(Stop());
    ARROW_RETURN_NOT_OK(ConnectAnew());
    ARROW_ASSIGN_OR_RAISE(const SlotInfo slot, postgres::FindSlot(*connection_, options_.slot));
    standing_.confirmed_flush = slot.confirmed_flush;
    ARROW_ASSIGN_OR_RAISE(const Position start, Resume({ResumeRequest::Have::kDelivered, At(position)}));
    return StartStream(start);
  }

  // Behind what could not be streamed transactions are streamed again: by a new session, not too often.
  void LookWhetherToStreamAgain(const Event& event) {
    std::optional<Position> boundary;
    std::visit(
        [&](const auto& e) {
          if constexpr (requires { e.group; }) {
            within_group_ = !e.group.group_end || e.group.dirty;
            boundary = e.group.safe;
          }
        },
        event);
    if (const auto* const keepalive = std::get_if<KeepaliveEvent>(&event)) boundary = keepalive->position;
    const bool passed = !within_group_ && boundary.has_value() && boundary->order > *whole_until_;
    if (passed && std::chrono::steady_clock::now() >= whole_since_ + whole_for_)
      streams_again_at_ = boundary->order;
  }

  arrow::Status StartStream(const Position& start) {
    within_group_ = false;
    streams_again_at_.reset();
    if (whole_until_.has_value() && start.order > *whole_until_) whole_until_.reset();
    ARROW_RETURN_NOT_OK(OpenSpool());
    ARROW_RETURN_NOT_OK(MakeSession());
    if (slot_connection_ != nullptr) connection_ = std::move(slot_connection_);
    auto stream = BeginStream(start);
    if (with_tries_ && plugin_ == OutputPlugin::kWal2arrow && postgres::KnowsNoTries(stream.status())) {
      with_tries_ = false;
      news_.notices.push_back(
          {false,
           "the server's wal2arrow is older than this client: the server keeps transactions "
           "until they commit, and what else is new is not used; install the plugin of this "
           "version to change that",
           "plugin wal2arrow"});
      ARROW_RETURN_NOT_OK(ConnectAnew());
      ARROW_RETURN_NOT_OK(MakeSession());
      stream = BeginStream(start);
    }
    ARROW_RETURN_NOT_OK(stream.status());
    Take(*std::move(stream));
    return arrow::Status::OK();
  }

  void Take(std::shared_ptr<MessageStream> stream) {
    const std::lock_guard lock(mutex_);
    stream_ = std::move(stream);
    front_ = {};
    if (acknowledged_.has_value()) stream_->Acknowledge(acknowledged_->order);
  }

  postgres::TimelineEnd EndOfTimeline() {
    return [this](uint32_t timeline) {
      return postgres::ReadTimelineEnd(*connection_, standing_.timeline, timeline);
    };
  }

  // Without those of tables of which a point is none of the server's history, or lies in front of the start:
  // what the stream brought of them since, or will bring, is not all that has changed.
  arrow::Result<std::vector<SnapshotPart>> OfThisStream(std::vector<SnapshotPart> parts) {
    std::map<Position, bool> good;
    std::set<TableName> bad;
    for (const SnapshotPart& part : parts) {
      const auto [point, is_new] = good.try_emplace(part.point, part.point.order >= start_.order);
      if (is_new && point->second) {
        ARROW_ASSIGN_OR_RAISE(point->second, HasInHistory(part.point));
      }
      if (!point->second) bad.insert(part.table);
    }
    std::erase_if(parts, [&](const SnapshotPart& part) { return bad.contains(part.table); });
    return parts;
  }

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

  arrow::Result<postgres::SnapshotSource> Inspected() const {
    const std::lock_guard lock(mutex_);
    if (!inspected_.has_value()) return NotStarted();
    return *inspected_;
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
    const auto old = postgres::WarnOfRelease(connection_->server_version());
    if (old.has_value() && !std::exchange(warned_of_release_, true))
      news_.notices.push_back({false, *old, "server"});
    ARROW_ASSIGN_OR_RAISE(server_, connection_->ReadPlace());
    ARROW_ASSIGN_OR_RAISE(
        const QueryResult setting,
        connection_->Query("SELECT setting FROM pg_settings WHERE name = 'wal_sender_timeout'"));
    ARROW_ASSIGN_OR_RAISE(const int64_t timeout, setting.Int(0, 0));
    wal_sender_timeout_ = milliseconds(timeout);
    ARROW_ASSIGN_OR_RAISE(const SlotInfo slot, postgres::FindSlot(*connection_, options_.slot));
    ARROW_RETURN_NOT_OK(postgres::CheckSlotFits(slot, info.stream.database, options_.plugin));
    if (!options_.temporary) ARROW_RETURN_NOT_OK(postgres::CheckSlotFree(slot));
    ARROW_ASSIGN_OR_RAISE(const auto publications, postgres::ReadStreamPublications(*connection_, options_));
    publications_.clear();
    for (const PublicationInfo& publication : publications) publications_.push_back(publication.name);
    plugin_ = slot.plugin == postgres::kPgoutputName ? OutputPlugin::kPgoutput : OutputPlugin::kWal2arrow;
    ARROW_RETURN_NOT_OK(CheckKeys());
    {
      const std::lock_guard lock(mutex_);
      const milliseconds patience = inspected_.has_value() ? inspected_->patience : kPatience;
      inspected_ = {standing_.source.id, standing_.timeline, slot.plugin, publications_, patience};
    }
    info.stream.publications = publications_;
    info.stream.plugin = slot.plugin;
    info.stream.patterns = options_.tables;
    ARROW_ASSIGN_OR_RAISE(info.published,
                          postgres::CheckPublished(*connection_, publications, options_.tables, checked_));
    checked_ = true;
    const std::optional<SlotNote> note = FindNoteIn(publications, slot, info.stream.source.id);
    if (note.has_value()) info.other_tables = CheckTablesOf(*note);
    ARROW_RETURN_NOT_OK(CheckNoneIsGone(note));
    // Without a note the server's statistics tell whether anything was decoded; they do not tell whether it
    // was acknowledged, and a crash of the server empties them.
    standing_.confirmed_flush = slot.confirmed_flush;
    standing_.start_known = note.has_value() && note->begins.has_value();
    standing_.used = standing_.start_known ? slot.confirmed_flush > note->begins.value_or(0)
                                           : slot.decoded_transactions > 0;
    info.fresh = !standing_.used;
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

  // Another session than the one that looks around: pgoutput would take what that one has in its caches for
  // what was there when the WAL was written.
  arrow::Status MakeTemporarySlot() {
    if (temporary_made_) {
      return MakeError(ErrorKind::kSlotMissing, "the slot was temporary, and is gone with its connection",
                       "slot \"" + options_.slot + "\"",
                       "begin anew: what has changed meanwhile does not come");
    }
    ARROW_ASSIGN_OR_RAISE(const postgres::ServerPlace place, connection_->ReadPlace());
    ARROW_ASSIGN_OR_RAISE(slot_connection_, Connection::OpenAt(place, options_.conninfo,
                                                               ConnectionMode::kReplication, options_.stop));
    if (options_.plugin == OutputPlugin::kPgoutput)
      ARROW_RETURN_NOT_OK(postgres::PreparePgoutput(*slot_connection_));
    ARROW_RETURN_NOT_OK(postgres::CreateTemporarySlot(*slot_connection_, options_.slot, options_.plugin));
    temporary_made_ = true;
    return arrow::Status::OK();
  }

  // Stored generated columns are in old rows, and up to 17 pgoutput leaves them out.
  arrow::Status CheckKeys() const {
    if (plugin_ != OutputPlugin::kPgoutput ||
        connection_->server_version() >= postgres::kPublishesGenerated) {
      return arrow::Status::OK();
    }
    ARROW_ASSIGN_OR_RAISE(const auto tables, postgres::ReadGeneratedKeys(*connection_, publications_));
    return tables.empty() ? arrow::Status::OK() : postgres::RefuseGeneratedKeys(tables);
  }

  // Of a session of its own: whatever it has of transactions in progress comes again with the next one.
  arrow::Status OpenSpool() {
    spool_.reset();
    const bool not_now = no_streaming_ || whole_until_.has_value();
    if (!options_.streaming || not_now || HidesSubtransactions() || HidesOrigins())
      return arrow::Status::OK();
    auto spool = postgres::Spool::Open(options_.spool_directory, options_.spool_bytes_max);
    if (!spool.ok() && !options_.spool_directory.empty()) return spool.status();
    if (spool.ok()) {
      spool_ = *std::move(spool);
      return arrow::Status::OK();
    }
    // Nobody has asked for it, and all goes on as well without.
    const ErrorDetail* const detail = GetErrorDetail(spool.status());
    news_.notices.push_back({false, spool.status().message() + ": the server keeps them until they commit",
                             detail == nullptr ? "" : detail->object()});
    no_streaming_ = true;
    return arrow::Status::OK();
  }

  // pgoutput does not say which part of a transaction in progress a message is of, and so one whose savepoint
  // is rolled back later could not be taken back.
  bool HidesSubtransactions() const { return plugin_ == OutputPlugin::kPgoutput && options_.messages; }

  // Before 16 the client leaves out what has another origin, and of a transaction in progress pgoutput tells
  // that with its first block at most.
  bool HidesOrigins() const {
    constexpr int kFiltersOrigins = 160000;
    return plugin_ == OutputPlugin::kPgoutput && options_.origin == Origin::kNone &&
           connection_->server_version() < kFiltersOrigins;
  }

  InProgress MakeInProgress() {
    InProgress in_progress = {.spool = spool_.get()};
    if (patterns_.has_value()) {
      in_progress.matches = [this](const TableName& table) { return patterns_->Matches(table); };
      in_progress.passed_over = [this](const TableName& table, uint64_t rows) {
        news_.unmatched[table] += rows;
      };
    }
    return in_progress;
  }

  arrow::Status MakeSession() {
    if (plugin_ == OutputPlugin::kWal2arrow) {
      return postgres::MakeWal2arrowSession(*connection_, options_, publications_, timeline_,
                                            MakeInProgress(), with_tries_)
          .Value(&session_);
    }
    ARROW_ASSIGN_OR_RAISE(session_, postgres::MakePgoutputSession(*connection_, options_, publications_,
                                                                  timeline_, MakeInProgress(), as_text_));
    if (options_.temporary) return arrow::Status::OK();
    ARROW_RETURN_NOT_OK(ConnectAnew());
    return postgres::PreparePgoutput(*connection_);
  }

  // Takes the connection.
  arrow::Result<std::unique_ptr<ReplicationStream>> BeginStream(const Position& start) {
    ARROW_ASSIGN_OR_RAISE(const std::string slot, postgres::QuoteReplicationIdentifier(options_.slot));
    const std::string command = "START_REPLICATION SLOT " + slot + " LOGICAL " + FormatLsn(start.order) +
                                " (" + session_->start_options() + ")";
    ErrorContext context = connection_->MakeContext(ErrorContext::Action::kStream);
    context.slot = options_.slot;
    context.publications = publications_;
    postgres::StreamOptions stream_options;
    stream_options.buffer_bytes_max = options_.buffer_bytes_max;
    stream_options.status_interval = options_.status_interval;
    stream_options.wal_sender_timeout = wal_sender_timeout_;
    if (plugin_ == OutputPlugin::kPgoutput) {
      stream_options.fatal_warning = postgres::kPublicationSkipped;
      stream_options.kinds_within = postgres::kWithinTransaction;
    }
    return ReplicationStream::Start(std::move(connection_), command, context, stream_options);
  }

  arrow::Status SessionError(const arrow::Status& status) {
    no_streaming_ = no_streaming_ || (spool_ != nullptr && spool_->failed());
    const ErrorDetail* const detail = GetErrorDetail(status);
    const bool wants_whole = session_->WantsWholeTransactions(status);
    const bool wants_text = session_->WantsText(status);
    if (wants_whole) {
      whole_until_ = stats().server_lsn;
      whole_since_ = std::chrono::steady_clock::now();
      whole_for_ = std::clamp(whole_for_ * 2, kWholeForMin, kWholeForMax);
    }
    as_text_ = as_text_ || wants_text;
    if (detail == nullptr || detail->retryable() || !(wants_whole || wants_text)) return status;
    return MakeError(detail->kind(), status.message(), detail->object(),
                     wants_whole
                         ? "the stream goes on in a new session, in which the server keeps transactions "
                           "until they commit"
                         : detail->remedy(),
                     detail->sqlstate(), /*retryable=*/true);
  }

  // To the server that was looked at.
  arrow::Status ConnectAnew() {
    connection_.reset();  // it may be the last one that the server has for replication
    ARROW_ASSIGN_OR_RAISE(auto connection, Connection::OpenAt(server_, options_.conninfo,
                                                              ConnectionMode::kReplication, options_.stop));
    ARROW_ASSIGN_OR_RAISE(const QueryResult system, connection->Query("IDENTIFY_SYSTEM"));
    ARROW_ASSIGN_OR_RAISE(const int64_t timeline, system.Int(0, 1));
    ARROW_ASSIGN_OR_RAISE(standing_.current_flush, system.Lsn(0, 2));
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
  const std::optional<TablePatterns> patterns_;
  std::unique_ptr<Connection> connection_;       // between Connect and Start
  std::unique_ptr<Connection> slot_connection_;  // the same, of a temporary slot: that has it
  bool temporary_made_ = false;
  std::unique_ptr<postgres::Spool>
      spool_;  // of the session; none: transactions come when they have committed
  std::unique_ptr<postgres::PluginSession> session_;
  postgres::RepresentableFront front_;              // of what the session decodes
  OutputPlugin plugin_ = OutputPlugin::kWal2arrow;  // of the slot, at the last Connect
  // What only another session could mend is not tried by one that is the only one: pgoutput's values in their
  // binary form, transactions in progress.
  bool as_text_;                         // pgoutput's values, from the next session on
  bool no_streaming_;                    // also where a spool had no room
  std::optional<uint64_t> whole_until_;  // a session could not go on with streaming, and was here at most
  std::chrono::steady_clock::time_point whole_since_{};
  milliseconds whole_for_{0};                 // at least
  bool within_group_ = false;                 // looked at as long as transactions come whole
  std::optional<uint64_t> streams_again_at_;  // by the next call of Next
  bool with_tries_ = true;                    // the plugin knows options that it may leave out
  SourceNews news_;
  std::vector<std::string> publications_;
  bool warned_of_release_ = false;
  bool checked_ = false;                      // what they publish, by this source
  std::set<std::string> known_publications_;  // of the connections before
  SlotStanding standing_;                     // at the last Connect
  Position start_;                            // that Resume answered last
  postgres::ServerPlace server_;              // the same
  bool stored_ = false;                       // what comes is, and so is all before the start
  bool caught_up_ = false;                    // by SQL, or tried to
  std::atomic<uint32_t> timeline_ = 0;        // the same, for ParsePosition
  milliseconds wal_sender_timeout_{0};

  mutable std::mutex mutex_;                           // what the calls from any thread share with the others
  std::optional<postgres::SnapshotSource> inspected_;  // at the last Connect
  std::shared_ptr<MessageStream> stream_;
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
  ARROW_RETURN_NOT_OK(
      postgres::MakeConnectionOptions(options.conninfo, postgres::ConnectionMode::kReplication));
  if (options.buffer_bytes_max <= 0) {
    return MakeError(ErrorKind::kInvalidOption, "buffer_bytes_max must be positive",
                     "option buffer_bytes_max", "leave it out");
  }
  if (options.temporary && options.plugin == OutputPlugin::kAuto) {
    return MakeError(ErrorKind::kInvalidOption, "a temporary slot needs a plugin", "option plugin",
                     "name one, as MakeTemporarySetup does");
  }
  if (options.messages && options.catch_up == CatchUp::kSql) {
    return MakeError(ErrorKind::kInvalidOption, "what is read by SQL has no logical messages",
                     "options messages and catch_up", "leave out one of them (--messages, --catch-up sql)");
  }
  pgtype::NumericChoice numeric;
  if (!pgtype::ParseNumericChoice(options.numeric.c_str(), &numeric)) {
    return MakeError(ErrorKind::kInvalidOption,
                     Shown(options.numeric) + " is nothing that numeric can become", "option numeric",
                     "use text, double or decimal(P,S) with 1 <= P <= 76 and 0 <= S <= P");
  }
  std::optional<TablePatterns> patterns;
  if (!options.tables.empty()) {
    ARROW_ASSIGN_OR_RAISE(patterns, TablePatterns::Parse(options.tables));
  }
  return std::make_unique<PostgresSource>(options, std::move(patterns));
}

}  // namespace arrowcdc
