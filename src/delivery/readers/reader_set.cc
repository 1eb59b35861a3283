// The pump of a set of readers, as the driver of a change stream: partition, then the reader's queue, on a
// thread of its own.
#include <algorithm>
#include <atomic>
#include <limits>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "arrowcdc/error.h"
#include "arrowcdc/messages_table.h"
#include "src/change/table_schema.h"
#include "src/delivery/change_stream.h"
#include "src/delivery/snapshot_copy.h"
#include "src/partition/partition_key.h"
#include "src/delivery/readers/later_tables.h"
#include "src/delivery/readers/shared_stream.h"

namespace arrowcdc {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds kPollInterval{100};
constexpr milliseconds kAskInterval{200};  // for the server's position, while somebody waits for one

}  // namespace

class ReaderSet::Pump : private StreamDriver, private LaterTables::Readers {
 public:
  Pump(std::unique_ptr<Source> source, ReaderSetOptions options, std::optional<TablePatterns> patterns)
      : options_(std::move(options)),
        patterns_(std::move(patterns)),
        source_(std::move(source)),
        stream_(std::make_shared<SharedStream>(source_, options_)),
        stop_(options_.stop != nullptr ? options_.stop : std::make_shared<StopToken>()),
        changes_(*source_, StreamOptionsOf(options_), patterns_.has_value() ? &*patterns_ : nullptr, *stop_,
                 *this),
        later_(*source_, changes_, *this, *stop_, options_.snapshot_connections, options_.retry_max) {}

  // Readers share the stream: it must not own them for ever.
  ~Pump() override {
    (void)Stop();
    const std::lock_guard lock(stream_->mutex);
    stream_->readers.clear();
    stream_->events.clear();
  }

  arrow::Status Start() {
    ARROW_RETURN_NOT_OK(CheckOptions());
    for (const TableName& table : options_.tables) RouteOf(table);
    ARROW_RETURN_NOT_OK(changes_.Open());
    opened_ = true;
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
      stream_->stopped = true;
      stream_->EndStream(StoppedError());
    }
    return source_->Stop();
  }

  const std::shared_ptr<SharedStream>& stream() const { return stream_; }
  const SourceInfo& info() const { return info_; }

  ReaderSetStats stats() const {
    const SourceStats source = source_->stats();
    const std::lock_guard lock(stream_->mutex);
    ReaderSetStats all = {stream_->delivered, stream_->acknowledged, source.server_lsn, source.received_bytes,
                          reconnects_,        rows_unmatched_,       unmatched_tables_, tables_unpublished_};
    all.snapshot_tables = copied_before_ + progress_.tables.size();
    all.snapshot_tables_done = copied_before_;
    all.snapshot_rows = rows_copied_before_;
    for (const auto& table : progress_.tables) {
      all.snapshot_tables_done += table.complete ? 1 : 0;
      all.snapshot_rows += table.rows;
    }
    return all;
  }

 private:
  // What splits a table's present version.
  struct Splitter {
    std::shared_ptr<const TableSchema> version;
    std::optional<HashPartitioner> partitioner;
  };
  // The readers of one table. They stay; threads that copy say things, too.
  struct Route {
    std::vector<std::shared_ptr<Reader>> readers;
    Splitter splitter;  // of the stream
    std::atomic<bool> weakened_said = false;
    std::atomic<bool> unroutable_said = false;
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
    arrow::Status ended = CopyFirst();
    if (ended.ok() && options_.snapshot != SnapshotMode::kOnly) ended = changes_.Run();
    if (ended.ok()) ended = later_.Finish();
    {
      const std::lock_guard lock(stream_->mutex);
      stream_->EndStream(stop_->stopped() ? StoppedError() : ended);
    }
    later_.End();
  }

  static ChangeStreamOptions StreamOptionsOf(const ReaderSetOptions& options) {
    return {.until = options.until,
            .accept_tables = options.accept_tables,
            .on_unpublished = options.on_unpublished,
            .retry_max = options.retry_max};
  }

  // Readers keep nothing: the slot alone says where to begin, and every start is one of something new.
  arrow::Result<SinkState> Open(const SourceInfo& info) override {
    copy_due_ =
        options_.snapshot == SnapshotMode::kAuto ? info.fresh : options_.snapshot != SnapshotMode::kNever;
    if (options_.snapshot == SnapshotMode::kNever || copy_due_ || !info.has_tables) return SinkState{};
    ARROW_ASSIGN_OR_RAISE(const std::vector<SourceTable> tables, source_->Tables());
    std::set<uint32_t> there;
    for (const SourceTable& table : tables) there.insert(table.table_id);
    later_.Begin(there);
    return SinkState{};
  }

  arrow::Status Begin(const SourceInfo& info, const SinkState&) override {
    info_ = info;
    if (options_.partitions > 1) ARROW_RETURN_NOT_OK(CheckKeys());
    if (options_.published_tables) {
      for (const TableName& table : info.published.coming) RouteOf(table);
    }
    return arrow::Status::OK();
  }

  // --- rows that were there before ---

  bool CopiesFirst() const override { return copy_due_; }
  const std::vector<CopiedTable>& Copied() const override { return copied_; }

  // The thread reads them, so that somebody can take them meanwhile.
  arrow::Result<Prepared> Prepare(const Position&) override {
    if (!copy_due_) return Prepared::kNothingToDo;
    const auto there = std::make_shared<std::set<uint32_t>>();
    const auto wanted = [this, there](const TableName&, uint32_t table_id) {
      there->insert(table_id);
      return std::none_of(copied_.begin(), copied_.end(),
                          [&](const CopiedTable& done) { return done.table_id == table_id; });
    };
    ARROW_ASSIGN_OR_RAISE(snapshot_, source_->BeginSnapshot(wanted, {}));
    SnapshotProgress progress;
    std::set<uint32_t> known;
    for (const SnapshotTable& table : snapshot_->tables()) {
      RouteOf(table.name);
      known.insert(table.table_id);
      changes_.NotePoint({table.name, table.table_id, snapshot_->point()}, there);
      progress.tables.push_back({.name = table.name, .part_count = table.part_count});
    }
    SetProgress(std::move(progress));
    later_.Begin(known);
    return Prepared::kNoStream;
  }

  arrow::Status CopyFirst() {
    while (copy_due_ && !stop_->stopped()) {
      const arrow::Status copied = CopySnapshot(
          *snapshot_, *this, Begun(), options_.snapshot_connections, *stop_,
          [this](const SnapshotProgress& progress) { SetProgress(progress); },
          [this](const SourceNotice& notice) { Tell(notice); });
      snapshot_.reset();
      KeepCompleted();
      copy_due_ = !copied.ok();
      if (copied.ok() && options_.snapshot == SnapshotMode::kOnly) break;
      if (stop_->stopped()) return copied;
      ARROW_RETURN_NOT_OK(changes_.OpenAgain(copied));
    }
    return arrow::Status::OK();
  }

  void SetProgress(SnapshotProgress progress) override {
    const std::lock_guard lock(stream_->mutex);
    progress_ = std::move(progress);
  }

  // Tables that are complete stay so, the others are read anew.
  void KeepCompleted() override {
    const std::lock_guard lock(stream_->mutex);
    for (const auto& table : progress_.tables) {
      if (!table.complete) continue;
      ++copied_before_;
      rows_copied_before_ += table.rows;
    }
    progress_.tables.clear();
  }

  class Part : public SnapshotPartWriter {
   public:
    Part(Pump* pump, Route* route) : pump_(pump), route_(*route) {}
    arrow::Status Write(const ChangeBatch& batch) override {
      pump_->NoteBegun(batch.table->name);
      return pump_->Distribute(route_, splitter_, batch, GivenRows::kCopied);
    }
    arrow::Status Finish() override { return arrow::Status::OK(); }

   private:
    Pump* const pump_;
    Route& route_;
    Splitter splitter_;
  };

  int snapshot_writers_max() const override { return std::numeric_limits<int>::max(); }

  arrow::Result<std::unique_ptr<SnapshotPartWriter>> BeginPart(const SnapshotPart& part) override {
    return std::make_unique<Part>(this, &RouteOf(part.table));
  }

  std::set<TableName> Begun() override {
    const std::lock_guard lock(copy_mutex_);
    return begun_;
  }
  void NoteBegun(const TableName& table) {
    const std::lock_guard lock(copy_mutex_);
    begun_.insert(table);
  }

  arrow::Status CompleteTable(const CopiedTable& table) override {
    {
      const std::lock_guard lock(copy_mutex_);
      copied_.push_back(table);
    }
    {
      const std::lock_guard lock(stream_->mutex);
      for (const auto& reader : RouteOf(table.name).readers) stream_->EndCopy(*reader);
    }
    return Release(table.name);
  }

  void Hold(const TableName& table) override {
    const Route& route = RouteOf(table);
    const std::lock_guard lock(stream_->mutex);
    for (const auto& reader : route.readers) SharedStream::WaitingOf(*reader).holds = true;
  }

  arrow::Status Release(const TableName& table) override {
    const Route& route = RouteOf(table);
    const std::lock_guard lock(stream_->mutex);
    for (const auto& reader : route.readers) {
      ARROW_RETURN_NOT_OK(stream_->Release(*reader, [this](const ReadResult& batch) {
        return changes_.DropCopied({batch.table, batch.rows, {}});
      }));
    }
    return arrow::Status::OK();
  }

  // Where the server is idle no position comes behind it.
  void Started(const SourceInfo&, const Position& start) override {
    const std::lock_guard lock(stream_->mutex);
    stream_->SetDelivered(start);
  }

  void Retrying(const arrow::Status& status, milliseconds) override {
    if (stop_->stopped() || !opened_) return;
    const std::lock_guard lock(stream_->mutex);
    ++reconnects_;
    const ErrorDetail* const detail = GetErrorDetail(status);
    const bool is_busy = detail != nullptr && detail->kind() == ErrorKind::kBusy;
    stream_->PushNotice(
        {false, (is_busy ? "trying again: " : "connecting again: ") + status.message(), "stream"});
    stream_->PushEvent({ReaderEvent::Kind::kReconnecting, nullptr, status, {}});
  }

  // Tables that could not be split are refused before they stop anything.
  arrow::Status CheckKeys() {
    ARROW_ASSIGN_OR_RAISE(const std::vector<SourceTable> tables, source_->Tables());
    for (const SourceTable& table : tables) {
      if (!changes_.Matches(table.name)) continue;
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

  // Not before everything is committed: after the end nobody can.
  bool MayEndAt(const Position& position) const override {
    if (changes_.delivered() < position) return false;
    const std::lock_guard lock(stream_->mutex);
    return !later_.busy() && (stream_->claims.size() == 0 || stream_->claims.floor() >= position);
  }

  void Tell(const SourceNotice& notice) override { Push(notice, nullptr); }

  void Counted() override {
    const std::lock_guard lock(stream_->mutex);
    rows_unmatched_ = changes_.rows_unmatched();
    unmatched_tables_ = changes_.unmatched_tables();
    tables_unpublished_ = changes_.tables_unpublished();
  }

  void Push(const SourceNotice& notice, const std::shared_ptr<Reader>& reader) {
    const std::lock_guard lock(stream_->mutex);
    stream_->PushNotice(notice);
    stream_->PushEvent({ReaderEvent::Kind::kNotice, reader, arrow::Status::OK(), notice});
  }

  // An idle server tells its position only when it is asked.
  arrow::Status Housekeeping() override {
    const auto now = Clock::now();
    ARROW_RETURN_NOT_OK(later_.Turn(now));
    if (now - last_asked_ < kAskInterval) return arrow::Status::OK();
    last_asked_ = now;
    bool wanted = changes_.ends_at_a_position();
    {
      const std::lock_guard lock(stream_->mutex);
      wanted = wanted || stream_->position_waiters > 0;
    }
    if (wanted) source_->RequestKeepalive();
    return arrow::Status::OK();
  }

  bool wants_turns() const override { return later_.busy(); }
  arrow::Status TickWhileAway() override { return later_.Serve(milliseconds(0)); }

  // --- rows and positions ---

  // Also once stopped: what was read and committed before must not come again.
  arrow::Status Advance(const Position& position) override {
    const std::lock_guard lock(stream_->mutex);
    return withheld_ ? arrow::Status::OK() : stream_->Advance(position);
  }

  arrow::Status Take(ChangeBatch batch) override {
    later_.Meet(*batch.table);
    Route& route = RouteOf(batch.table->name);
    return Distribute(route, route.splitter, std::move(batch), GivenRows::kChanges);
  }

  arrow::Status Distribute(Route& route, Splitter& splitter, ChangeBatch batch, GivenRows what) {
    const std::shared_ptr<const TableSchema>& table = batch.table;
    std::shared_ptr<arrow::RecordBatch>& rows = batch.rows;
    if (table->weakened.has_value() && !route.weakened_said.exchange(true)) {
      Warn(route, WeakenedIdentityText(*table->weakened), WeakenedIdentityRemedy(*table->weakened));
    }
    if (route.readers.size() == 1) return Give(*route.readers[0], table, std::move(rows), what);
    auto parts = Split(splitter, table, rows);
    if (!parts.ok()) {
      // Of this table only: the others are not concerned.
      for (const auto& reader : route.readers) {
        End(reader, parts.status());
        ARROW_RETURN_NOT_OK(Give(*reader, table, rows, what));  // for the claim: nobody knows whose they are
      }
      return arrow::Status::OK();
    }
    if (splitter.partitioner->stats().unroutable_rows > 0 && !route.unroutable_said.exchange(true)) {
      Warn(route, "some rows do not carry the columns that the table is split by: they are in partition 0",
           "read partition 0 with this in mind, or give the table and all its partitions one replica "
           "identity");
    }
    for (size_t i = 0; i < parts->size(); ++i) {
      if ((*parts)[i] == nullptr) continue;
      ARROW_RETURN_NOT_OK(Give(*route.readers[i], table, std::move((*parts)[i]), what));
    }
    return arrow::Status::OK();
  }

  void Warn(const Route& route, std::string text, const std::string& remedy) {
    const std::shared_ptr<Reader>& reader = route.readers[0];
    Push({false, std::move(text) + " (" + remedy + ")", "table " + ToString(reader->table())}, reader);
  }

  arrow::Result<std::vector<std::shared_ptr<arrow::RecordBatch>>> Split(
      Splitter& splitter, const std::shared_ptr<const TableSchema>& table,
      const std::shared_ptr<arrow::RecordBatch>& rows) {
    if (splitter.version == nullptr || splitter.version->fingerprint != table->fingerprint ||
        !splitter.partitioner.has_value()) {
      PartitionOptions partition;
      partition.partitions = options_.partitions;
      partition.hash = options_.hash;
      partition.columns = ColumnsOf(table->name);
      ARROW_ASSIGN_OR_RAISE(auto partitioner, HashPartitioner::Make(table, partition));
      splitter.partitioner = std::move(partitioner);
      splitter.version = table;
    }
    return splitter.partitioner->Split(rows);
  }

  Route& RouteOf(const TableName& table) {
    const auto found = routes_.find(table);
    if (found != routes_.end()) return found->second;
    Route& route = routes_[table];
    const std::lock_guard lock(stream_->mutex);
    // Messages have no key to be split by.
    const int partitions = table == MessagesTable()->name ? 1 : options_.partitions;
    for (int partition = 0; partition < partitions; ++partition) {
      route.readers.push_back(std::make_shared<Reader>(stream_, table, partition));
      stream_->readers.push_back(route.readers.back());
      if (opened_)
        stream_->PushEvent({ReaderEvent::Kind::kReaderAdded, route.readers.back(), arrow::Status::OK(), {}});
    }
    return route;
  }

  // Waits until there is room, has been made by ending readers that nobody reads, or the set is stopped.
  // What is copied beside the stream is served meanwhile.
  arrow::Status Give(Reader& reader, const std::shared_ptr<const TableSchema>& table,
                     std::shared_ptr<arrow::RecordBatch> rows, GivenRows what) {
    const int64_t bytes = BatchBytes(*rows);
    const bool changes = what == GivenRows::kChanges;
    std::unique_lock lock(stream_->mutex);
    bool waited = false;
    Clock::time_point in_vain_since{};  // since when somebody waits for rows; zero: nobody does
    while (!Ended() && !stream_->HasRoom(reader, bytes, what)) {
      if (changes && SharedStream::WaitingOf(reader).holds) {
        waited = true;
        lock.unlock();
        ARROW_RETURN_NOT_OK(AwaitCopy(reader.table()));
        lock.lock();
        continue;
      }
      const auto now = Clock::now();
      if (!stream_->AnyIsHungry(now - std::max(options_.unread_limit, kPollInterval))) {
        in_vain_since = {};
      } else if (in_vain_since == Clock::time_point{}) {
        in_vain_since = now;
      } else if (EndOneThatNobodyReads(reader, bytes, now, in_vain_since)) {
        continue;
      }
      stream_->room.wait_for(lock, kPollInterval);
      if (!changes || !later_.busy()) continue;
      lock.unlock();
      ARROW_RETURN_NOT_OK(later_.Serve(milliseconds(0)));
      lock.lock();
    }
    if (Ended()) {
      withheld_ = true;
      return arrow::Status::OK();
    }
    if (waited) {
      ARROW_ASSIGN_OR_RAISE(rows, changes_.DropCopied({table, rows, {}}));
    }
    if (rows == nullptr) return arrow::Status::OK();
    if (changes && !SharedStream::WaitingOf(reader).holds) NoteBegun(reader.table());
    stream_->Put(reader, {ReadState::kBatch, table, std::move(rows)}, bytes, what);
    return arrow::Status::OK();
  }

  bool Ended() const { return stop_->stopped() || stream_->ended; }

  // So many changes wait behind rows that are being copied as may. Where none are at the moment they come
  // first after all, and a row whose _op is truncate voids them when the copy begins.
  arrow::Status AwaitCopy(const TableName& table) {
    if (later_.IsUnderWay(table)) return later_.Serve(kPollInterval);
    NoteBegun(table);
    return Release(table);
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
    stream_->PushNotice({false, "it has ended: " + why.message(), reader.ToString()});
    for (const auto& each : stream_->readers) {
      if (each.get() == &reader) stream_->PushEvent({ReaderEvent::Kind::kReaderEnded, each, why, {}});
    }
  }

  const ReaderSetOptions options_;
  const std::optional<TablePatterns> patterns_;
  const std::shared_ptr<Source> source_;
  const std::shared_ptr<SharedStream> stream_;
  const std::shared_ptr<StopToken> stop_;

  bool opened_ = false;  // the user has the readers; set before the thread runs

  // The thread's own, once it runs.
  ChangeStream changes_;
  LaterTables later_;
  std::map<TableName, Route> routes_;
  SourceInfo info_;  // of the first connection
  bool copy_due_ = false;
  std::unique_ptr<Snapshot> snapshot_;
  Clock::time_point last_asked_{};

  // Guarded by the stream's lock.
  bool withheld_ = false;  // a batch was not delivered: no position comes into force any more
  uint64_t reconnects_ = 0;
  uint64_t rows_unmatched_ = 0;
  std::map<TableName, uint64_t> unmatched_tables_;
  uint64_t tables_unpublished_ = 0;
  SnapshotProgress progress_;
  uint64_t copied_before_ = 0;  // tables, by snapshots that did not come to their end
  uint64_t rows_copied_before_ = 0;

  // Of the threads that copy, too.
  std::mutex copy_mutex_;
  std::vector<CopiedTable> copied_;  // their rows were handed over
  std::set<TableName> begun_;        // rows were, which a later copy does not take over

  std::thread thread_;
};

ReaderSet::ReaderSet() = default;
ReaderSet::~ReaderSet() = default;

arrow::Result<std::unique_ptr<ReaderSet>> ReaderSet::Open(std::unique_ptr<Source> source,
                                                          ReaderSetOptions options,
                                                          std::optional<TablePatterns> patterns) {
  std::unique_ptr<ReaderSet> set(new ReaderSet());
  set->pump_ = std::make_unique<Pump>(std::move(source), std::move(options), std::move(patterns));
  ARROW_RETURN_NOT_OK(set->pump_->Start());
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
