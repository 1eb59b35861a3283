// The pump of a set of readers: source -> filter -> partition -> the reader's queue, on a thread of its own,
// with reconnects.
#include <algorithm>
#include <thread>
#include <utility>
#include <variant>

#include "arrowcdc/error.h"
#include "src/change/table_schema.h"
#include "src/delivery/backoff.h"
#include "src/delivery/publication_watch.h"
#include "src/delivery/repeated_rows.h"
#include "src/delivery/start_position.h"
#include "src/partition/partition_key.h"
#include "src/delivery/readers/shared_stream.h"

namespace arrowcdc {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds kPollInterval{100};
constexpr milliseconds kAskInterval{200};  // for the server's position, while somebody waits for one

}  // namespace

class ReaderSet::Pump {
 public:
  Pump(std::unique_ptr<Source> source, ReaderSetOptions options, std::optional<TablePatterns> patterns)
      : options_(std::move(options)),
        patterns_(std::move(patterns)),
        source_(std::move(source)),
        repeated_(patterns_.has_value() ? &*patterns_ : nullptr),
        watch_(patterns_.has_value() ? &*patterns_ : nullptr, options_.on_unpublished),
        stream_(std::make_shared<SharedStream>(options_)),
        stop_(options_.stop != nullptr ? options_.stop : std::make_shared<StopToken>()),
        backoff_(options_.retry_max) {}

  // Readers share the stream: it must not own them for ever.
  ~Pump() {
    (void)Stop();
    const std::lock_guard lock(stream_->mutex);
    stream_->readers.clear();
    stream_->events.clear();
  }

  arrow::Status Open() {
    ARROW_RETURN_NOT_OK(CheckOptions());
    for (const TableName& table : options_.tables) RouteOf(table);
    while (true) {
      arrow::Status status = ConnectAndStart();
      if (status.ok()) break;
      const auto wait = WaitAfter(status, false);
      if (!wait.has_value() || stop_->Wait(*wait)) return status;
    }
    backoff_.NoteStarted();
    thread_ = std::thread([this] { Run(); });
    return arrow::Status::OK();
  }

  arrow::Status Stop() {
    stop_->Stop();
    {
      const std::lock_guard lock(stream_->mutex);
      stream_->room.notify_all();
    }
    if (thread_.joinable()) thread_.join();
    {
      const std::lock_guard lock(stream_->mutex);
      stream_->source = nullptr;
      stream_->EndStream(StoppedError());
    }
    return source_->Stop();
  }

  const std::shared_ptr<SharedStream>& stream() const { return stream_; }
  const SourceInfo& info() const { return info_; }

  ReaderSetStats stats() const {
    const SourceStats source = source_->stats();
    const std::lock_guard lock(stream_->mutex);
    return {stream_->delivered, stream_->acknowledged, source.server_lsn, source.received_bytes,
            reconnects_,        rows_unmatched_,       unmatched_tables_, tables_unpublished_};
  }

 private:
  // The readers of one table, and what splits its present version.
  struct Route {
    std::vector<std::shared_ptr<Reader>> readers;
    std::shared_ptr<const TableSchema> version;
    std::optional<HashPartitioner> partitioner;
    bool weakened_said = false;
    bool unroutable_said = false;
  };

  arrow::Status CheckOptions() const {
    if (options_.reader_bytes_max <= 0) {
      return MakeError(ErrorKind::kInvalidOption, "reader_bytes_max must be positive",
                       "option reader_bytes_max", "leave it out");
    }
    if (options_.bytes_max <= 0) {
      return MakeError(ErrorKind::kInvalidOption, "bytes_max must be positive", "option bytes_max",
                       "leave it out");
    }
    for (const auto& [name, limit] : {std::pair{"unread_limit", options_.unread_limit},
                                      {"slow_limit", options_.slow_limit},
                                      {"retry_max", options_.retry_max.value_or(milliseconds(0))}}) {
      if (limit >= milliseconds(0)) continue;
      return MakeError(ErrorKind::kInvalidOption, std::string(name) + " must not be negative",
                       std::string("option ") + name, "leave it out, or give the time to wait");
    }
    if (options_.partitions < 1 || options_.partitions > kPartitionsMax) {
      return MakeError(ErrorKind::kInvalidOption,
                       "partitions must be between 1 and " + std::to_string(kPartitionsMax),
                       "option partitions", "choose a number in these bounds");
    }
    return arrow::Status::OK();
  }

  static arrow::Status StoppedError() {
    return MakeError(ErrorKind::kInvalidOption, "the stream was stopped", "readers",
                     "open the readers again to read on");
  }

  // --- the thread ---

  void Run() {
    const arrow::Status ended = Stream();
    const std::lock_guard lock(stream_->mutex);
    stream_->EndStream(stop_->stopped() ? StoppedError() : ended);
  }

  arrow::Status Stream() {
    uint64_t began_at = delivered_;
    arrow::Status status = Receive();
    while (!status.ok()) {
      const auto wait = WaitAfter(status, delivered_ > began_at);
      if (!wait.has_value()) return status;
      {
        const std::lock_guard lock(stream_->mutex);
        ++reconnects_;
        stream_->PushEvent({ReaderEvent::Kind::kReconnecting, nullptr, status, {}});
      }
      if (stop_->Wait(*wait)) return status;
      status = ConnectAndStart();
      began_at = delivered_;
      if (status.ok()) status = Receive();
    }
    return status;
  }

  // How long to wait before it is tried again; nullopt: it is not.
  std::optional<milliseconds> WaitAfter(const arrow::Status& status, bool delivered) {
    const ErrorDetail* detail = GetErrorDetail(status);
    if (stop_->stopped() || !IsWorthAnotherSession(detail, delivered)) return std::nullopt;
    return backoff_.Next(detail->kind());
  }

  arrow::Status ConnectAndStart() {
    ARROW_ASSIGN_OR_RAISE(const SourceInfo info, source_->Connect());
    const auto timeline_ends = [this](uint32_t timeline) { return source_->TimelineEnd(timeline); };
    // Readers keep nothing: every start is one of something new.
    const arrow::Status published = watch_.Connected(info, !connected_once_, true);
    Tell();
    ARROW_RETURN_NOT_OK(published);
    uint64_t start = 0;
    if (!connected_once_) {
      // Readers keep nothing: the slot alone says where to begin, and every start is a first one.
      if (!options_.accept_tables) ARROW_RETURN_NOT_OK(info.other_tables);
      ARROW_ASSIGN_OR_RAISE(start, ChooseStart(info, SinkState{}, false, false, timeline_ends));
      until_ = options_.until_lsn;
      info_ = info;
      if (options_.partitions > 1) ARROW_RETURN_NOT_OK(CheckKeys());
    } else {
      ARROW_RETURN_NOT_OK(CheckReconnect(identity_, info, delivered_, timeline_ends));
      start = delivered_;
    }
    identity_ = info.stream;
    if (!connected_once_ && options_.published_tables) {
      for (const TableName& table : info.published.coming) RouteOf(table);
    }
    ARROW_RETURN_NOT_OK(source_->Start(start));
    connected_once_ = true;
    repeated_.BeginSession();
    group_open_ = false;
    dirty_ = false;
    delivered_ = std::max(delivered_, start);
    const std::lock_guard lock(stream_->mutex);
    stream_->source = source_.get();
    stream_->delivered = delivered_;
    return arrow::Status::OK();
  }

  // Tables that could not be split are refused before they stop anything.
  arrow::Status CheckKeys() {
    ARROW_ASSIGN_OR_RAISE(const std::vector<SourceTable> tables, source_->Tables());
    for (const SourceTable& table : tables) {
      if (!repeated_.Matches(table.name)) continue;
      KeyCandidates candidates;
      candidates.object = "table " + ToString(table.name);
      candidates.replica_identity = table.replica_identity;
      std::map<int, int> identity;  // place in the key -> place in the table
      for (const SourceTable::Column& column : table.columns) {
        if (column.key_place > 0) identity[column.key_place] = static_cast<int>(candidates.columns.size());
        candidates.columns.push_back({column.name, column.type, column.plain});
      }
      for (const auto& [key_place, place] : identity) candidates.identity.push_back(place);
      ARROW_RETURN_NOT_OK(ChoosePartitionKey(candidates, ColumnsOf(table.name)));
    }
    return arrow::Status::OK();
  }

  std::vector<std::string> ColumnsOf(const TableName& table) const {
    const auto columns = options_.partition_columns.find(table);
    return columns == options_.partition_columns.end() ? std::vector<std::string>() : columns->second;
  }

  arrow::Status Receive() {
    while (true) {
      ARROW_RETURN_NOT_OK(CheckEnd());
      if (Finished()) return arrow::Status::OK();
      ARROW_ASSIGN_OR_RAISE(std::optional<Event> event, source_->Next(kPollInterval));
      if (event.has_value()) {
        backoff_.Reset();
        ARROW_RETURN_NOT_OK(std::visit([this](auto& e) { return Handle(e); }, *event));
      }
      AskForPosition();
    }
  }

  // Not before everything is committed: after the end nobody can.
  arrow::Status CheckEnd() const {
    if (!watch_.end().has_value() || group_open_ || delivered_ < watch_.end()->position)
      return arrow::Status::OK();
    const std::lock_guard lock(stream_->mutex);
    const Claims& claims = stream_->claims;
    const bool committed = claims.size() == 0 || claims.floor() >= watch_.end()->position;
    return committed ? watch_.end()->why : arrow::Status::OK();
  }

  void Tell() {
    for (const SourceNotice& notice : watch_.TakeNotices()) Push(notice, nullptr);
    const std::lock_guard lock(stream_->mutex);
    tables_unpublished_ = watch_.tables_unpublished();
  }

  void Push(const SourceNotice& notice, const std::shared_ptr<Reader>& reader) {
    constexpr size_t kNoticesMax = 1'000;
    const std::lock_guard lock(stream_->mutex);
    if (stream_->notices.size() < kNoticesMax) stream_->notices.push_back(notice);
    stream_->PushEvent({ReaderEvent::Kind::kNotice, reader, arrow::Status::OK(), notice});
  }

  bool Finished() const {
    return stop_->stopped() || (until_.has_value() && !group_open_ && delivered_ >= *until_);
  }

  // An idle server tells its position only when it is asked.
  void AskForPosition() {
    const auto now = Clock::now();
    if (now - last_asked_ < kAskInterval) return;
    last_asked_ = now;
    bool wanted = until_.has_value() || watch_.end().has_value();
    {
      const std::lock_guard lock(stream_->mutex);
      wanted = wanted || stream_->position_waiters > 0;
    }
    if (wanted) source_->RequestKeepalive();
  }

  // --- events ---

  arrow::Status Handle(ChangeBatch& batch) {
    ARROW_RETURN_NOT_OK(Deliver(batch.table, std::move(batch.rows)));
    return Group(batch.group);
  }

  arrow::Status Handle(const TruncateEvent& event) {
    for (size_t i = 0; i < event.tables.size(); ++i) {
      ARROW_ASSIGN_OR_RAISE(auto row, TruncateRow(event, static_cast<int>(i)));
      ARROW_RETURN_NOT_OK(Deliver(event.tables[i], std::move(row)));
    }
    return Group(event.group);
  }

  arrow::Status Handle(const ProgressEvent& event) { return Group(event.group); }

  arrow::Status Handle(const NoticeEvent& event) {
    const arrow::Status fits = watch_.Noticed(event);
    Tell();
    return fits;
  }

  arrow::Status Handle(const KeepaliveEvent& event) {
    return group_open_ || dirty_ ? arrow::Status::OK() : Advance(event.order);
  }

  // A pump that is stopped may not have delivered the last batch: its position must not come into force.
  arrow::Status Group(const GroupState& group) {
    dirty_ = group.dirty;
    group_open_ = !group.group_end;
    return group.group_end && !stop_->stopped() ? Advance(group.safe) : arrow::Status::OK();
  }

  arrow::Status Advance(uint64_t order) {
    if (order <= delivered_) return arrow::Status::OK();
    delivered_ = order;
    const std::lock_guard lock(stream_->mutex);
    return stream_->Advance(order);
  }

  arrow::Status Deliver(const std::shared_ptr<const TableSchema>& table,
                        std::shared_ptr<arrow::RecordBatch> rows) {
    const bool matches = repeated_.Matches(table->name);
    if (!matches) watch_.PassedOver(table->name, static_cast<uint64_t>(rows->num_rows()));
    ARROW_ASSIGN_OR_RAISE(rows, repeated_.Filter(*table, std::move(rows)));
    if (!matches) {
      Tell();
      const std::lock_guard lock(stream_->mutex);
      rows_unmatched_ = repeated_.rows_unmatched();
      unmatched_tables_ = watch_.unmatched();
      return arrow::Status::OK();
    }
    if (rows == nullptr) return arrow::Status::OK();
    watch_.Knows(table->name);
    Route& route = RouteOf(table->name);
    if (table->weakened.has_value() && !std::exchange(route.weakened_said, true)) {
      Warn(route, WeakenedIdentityText(*table->weakened), WeakenedIdentityRemedy(*table->weakened));
    }
    if (options_.partitions == 1) {
      Give(*route.readers[0], table, std::move(rows));
      return arrow::Status::OK();
    }
    auto parts = Split(route, table, rows);
    if (!parts.ok()) {
      // Of this table only: the others are not concerned.
      for (const auto& reader : route.readers) {
        End(reader, parts.status());
        Give(*reader, table, rows);  // for the claim: nobody knows whose they are
      }
      return arrow::Status::OK();
    }
    if (route.partitioner->stats().unroutable_rows > 0 && !std::exchange(route.unroutable_said, true)) {
      Warn(route, "some rows do not carry the columns that the table is split by: they are in partition 0",
           "read partition 0 with this in mind, or give the table and all its partitions one replica "
           "identity");
    }
    for (size_t i = 0; i < parts->size(); ++i) {
      if ((*parts)[i] != nullptr) Give(*route.readers[i], table, std::move((*parts)[i]));
    }
    return arrow::Status::OK();
  }

  void Warn(const Route& route, std::string text, const std::string& remedy) {
    const std::shared_ptr<Reader>& reader = route.readers[0];
    Push({false, std::move(text) + " (" + remedy + ")", "table " + ToString(reader->table())}, reader);
  }

  arrow::Result<std::vector<std::shared_ptr<arrow::RecordBatch>>> Split(
      Route& route, const std::shared_ptr<const TableSchema>& table,
      const std::shared_ptr<arrow::RecordBatch>& rows) {
    if (route.version == nullptr || route.version->fingerprint != table->fingerprint ||
        !route.partitioner.has_value()) {
      PartitionOptions partition;
      partition.partitions = options_.partitions;
      partition.hash = options_.hash;
      partition.columns = ColumnsOf(table->name);
      ARROW_ASSIGN_OR_RAISE(auto partitioner, HashPartitioner::Make(table, partition));
      route.partitioner = std::move(partitioner);
      route.version = table;
    }
    return route.partitioner->Split(rows);
  }

  Route& RouteOf(const TableName& table) {
    const auto found = routes_.find(table);
    if (found != routes_.end()) return found->second;
    Route& route = routes_[table];
    const std::lock_guard lock(stream_->mutex);
    for (int partition = 0; partition < options_.partitions; ++partition) {
      route.readers.push_back(std::make_shared<Reader>(stream_, table, partition));
      stream_->readers.push_back(route.readers.back());
      if (connected_once_)
        stream_->PushEvent({ReaderEvent::Kind::kReaderAdded, route.readers.back(), arrow::Status::OK(), {}});
    }
    return route;
  }

  // Waits until there is room, has been made by ending readers that nobody reads, or the set is stopped.
  void Give(Reader& reader, const std::shared_ptr<const TableSchema>& table,
            std::shared_ptr<arrow::RecordBatch> rows) {
    const int64_t bytes = BatchBytes(*rows);
    std::unique_lock lock(stream_->mutex);
    Clock::time_point in_vain_since{};  // since when somebody waits for rows; zero: nobody does
    while (!stop_->stopped() && !stream_->HasRoom(reader, bytes)) {
      const auto now = Clock::now();
      if (!stream_->AnyIsHungry(now - std::max(options_.unread_limit, kPollInterval))) {
        in_vain_since = {};
      } else if (in_vain_since == Clock::time_point{}) {
        in_vain_since = now;
      } else if (EndOneThatNobodyReads(reader, bytes, now, in_vain_since)) {
        continue;
      }
      stream_->room.wait_for(lock, kPollInterval);
    }
    if (!stop_->stopped()) stream_->Put(reader, {ReadState::kBatch, table, std::move(rows)}, bytes);
  }

  // Of the readers that keep this batch from its own, the one that holds most.
  bool EndOneThatNobodyReads(const Reader& blocked, int64_t bytes, Clock::time_point now,
                             Clock::time_point in_vain_since) {
    Reader* worst = nullptr;
    int64_t most = 0;
    for (const auto& reader : stream_->readers) {
      if (!stream_->StandsInTheWay(*reader, blocked, bytes)) continue;
      const Reader::Waiting& waiting = SharedStream::WaitingOf(*reader);
      const milliseconds limit = waiting.last_read.has_value() ? options_.slow_limit : options_.unread_limit;
      if (waiting.last_read.has_value() && limit <= milliseconds(0)) continue;
      const auto unread_since = std::max(in_vain_since, waiting.last_read.value_or(in_vain_since));
      if (now - unread_since < limit || waiting.bytes <= most) continue;
      worst = reader.get();
      most = waiting.bytes;
    }
    if (worst == nullptr) return false;
    EndLocked(*worst, UnreadError(*worst));
    return true;
  }

  arrow::Status UnreadError(const Reader& reader) const {
    const Reader::Waiting& waiting = SharedStream::WaitingOf(reader);
    return MakeError(
        ErrorKind::kReaderUnread,
        std::string(waiting.last_read.has_value() ? "nobody reads it any more" : "nobody reads it") +
            ", and with its " + std::to_string(waiting.bytes) +
            " bytes there is no room for the rows that another reader waits for",
        reader.ToString(),
        "read it, or close it (Close() in C++, close() in Python) to let the slot move on "
        "without it, or leave the "
        "table out of the patterns; until then its changes stay in the slot, and WAL on the "
        "server's disk with them");
  }

  void End(const std::shared_ptr<Reader>& reader, const arrow::Status& why) {
    const std::lock_guard lock(stream_->mutex);
    EndLocked(*reader, why);
  }

  void EndLocked(Reader& reader, const arrow::Status& why) {
    if (SharedStream::WaitingOf(reader).state != Reader::Waiting::State::kOpen) return;
    stream_->Abandon(reader, why);
    for (const auto& each : stream_->readers) {
      if (each.get() == &reader) stream_->PushEvent({ReaderEvent::Kind::kReaderEnded, each, why, {}});
    }
  }

  const ReaderSetOptions options_;
  const std::optional<TablePatterns> patterns_;
  const std::unique_ptr<Source> source_;
  RepeatedRows repeated_;
  PublicationWatch watch_;
  const std::shared_ptr<SharedStream> stream_;
  const std::shared_ptr<StopToken> stop_;

  // The thread's own, once it runs.
  Backoff backoff_;
  std::map<TableName, Route> routes_;
  SourceInfo info_;  // of the first connection
  StreamIdentity identity_;
  bool connected_once_ = false;
  std::optional<uint64_t> until_;
  uint64_t delivered_ = 0;
  bool group_open_ = false;
  bool dirty_ = false;
  Clock::time_point last_asked_{};

  // Guarded by the stream's lock.
  uint64_t reconnects_ = 0;
  uint64_t rows_unmatched_ = 0;
  std::map<TableName, uint64_t> unmatched_tables_;
  uint64_t tables_unpublished_ = 0;

  std::thread thread_;
};

ReaderSet::ReaderSet() = default;
ReaderSet::~ReaderSet() = default;

arrow::Result<std::unique_ptr<ReaderSet>> ReaderSet::Open(std::unique_ptr<Source> source,
                                                          ReaderSetOptions options,
                                                          std::optional<TablePatterns> patterns) {
  std::unique_ptr<ReaderSet> set(new ReaderSet());
  set->pump_ = std::make_unique<Pump>(std::move(source), std::move(options), std::move(patterns));
  ARROW_RETURN_NOT_OK(set->pump_->Open());
  return set;
}

std::vector<std::shared_ptr<Reader>> ReaderSet::readers() const {
  const std::lock_guard lock(pump_->stream()->mutex);
  return pump_->stream()->readers;
}

std::shared_ptr<Reader> ReaderSet::reader(const TableName& table, int partition) const {
  for (auto& reader : readers()) {
    if (reader->table() == table && reader->partition() == partition) return reader;
  }
  return nullptr;
}

std::optional<ReaderEvent> ReaderSet::NextEvent(milliseconds timeout) {
  SharedStream& stream = *pump_->stream();
  std::unique_lock lock(stream.mutex);
  stream.event_arrived.wait_for(lock, timeout, [&] { return !stream.events.empty() || stream.ended; });
  if (stream.events.empty()) return std::nullopt;
  ReaderEvent event = std::move(stream.events.front());
  stream.events.pop_front();
  return event;
}

std::vector<SourceNotice> ReaderSet::TakeNotices() {
  const std::lock_guard lock(pump_->stream()->mutex);
  return std::exchange(pump_->stream()->notices, {});
}

bool ReaderSet::ended() const {
  const std::lock_guard lock(pump_->stream()->mutex);
  return pump_->stream()->ended;
}

const SourceInfo& ReaderSet::info() const { return pump_->info(); }
ReaderSetStats ReaderSet::stats() const { return pump_->stats(); }
arrow::Status ReaderSet::Stop() { return pump_->Stop(); }

}  // namespace arrowcdc
