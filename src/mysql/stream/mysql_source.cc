// MySQL and MariaDB as a Source: checks first, then the binlog's events as batches.
#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "arrowcdc/error.h"
#include "arrowcdc/mysql.h"
#include "arrowcdc/table_patterns.h"
#include "src/mysql/client/connection.h"
#include "src/mysql/setup/checks.h"
#include "src/mysql/setup/server_state.h"
#include "src/mysql/snapshot/mysql_snapshot.h"
#include "src/mysql/stream/event_queue.h"
#include "src/mysql/stream/file_packets.h"
#include "src/mysql/stream/generated_columns.h"
#include "src/mysql/stream/log_start.h"
#include "src/mysql/stream/transaction_reader.h"
#include "src/patterns/nearest_name.h"

namespace arrowcdc {
namespace {

using mysql::Connection;
using mysql::Flavor;
using mysql::LogPlace;
using mysql::LogStart;
using mysql::LogToken;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

// How long rows wait for more once nothing waits to be read, and at most: batches of one transaction cost
// much, and at a thousand a second nobody gains by waiting for the next.
constexpr std::chrono::microseconds kLinger{300};
constexpr milliseconds kLingerMax{5};
// For the transaction that is compared: the server looks for it in files that were read long ago.
constexpr std::chrono::minutes kLookLimit{10};

// In memory between the socket or file and the reader: enough that neither waits for the other, and little
// enough to stay in the processor's cache.
constexpr int64_t kQueueBytesMax = int64_t{8} << 20;
// A small part of the net_write_timeout that the dump has (log_start.cc).
constexpr milliseconds kPatience{5000};

class DumpPackets : public mysql::PacketReader {
 public:
  // Takes a connection over on which a dump has begun.
  // While it passes over what was delivered MySQL gives signs of life, and MariaDB none.
  DumpPackets(std::unique_ptr<Connection> connection, std::chrono::seconds silence_max)
      : connection_(std::move(connection)),
        silence_max_(silence_max),
        has_place_(connection_->flavor() == Flavor::kMysql) {}
  arrow::Result<std::optional<std::span<const uint8_t>>> Next() override {
    ARROW_ASSIGN_OR_RAISE(const auto packet, connection_->NextPacket());
    if (packet.has_value()) {
      has_place_ = has_place_ || IsOfThePlace(*packet);
      return packet;
    }
    return MakeError(ErrorKind::kConnection, "the server ended the dump: it is shutting down", object(),
                     "it will be tried again", "", true);
  }
  bool has_next() const override { return connection_->HasBytes(); }
  void Interrupt() override { connection_->Interrupt(); }
  std::optional<std::chrono::seconds> silence_max() const override {
    return has_place_ ? silence_max_ : std::chrono::seconds(kLookLimit);
  }
  std::optional<milliseconds> since_bytes() const override { return connection_->SinceBytes(); }
  std::string object() const override { return "server " + connection_->server(); }

 private:
  // What stands in front of each file is sent at once.
  static bool IsOfThePlace(std::span<const uint8_t> event) {
    if (event.size() < mysql::kEventHeaderBytes) return true;
    switch (static_cast<mysql::EventType>(event[4])) {
      case mysql::EventType::kRotate:
      case mysql::EventType::kFormatDescription:
      case mysql::EventType::kPreviousGtids:
      case mysql::EventType::kGtidList:
      case mysql::EventType::kStartEncryption:
      case mysql::EventType::kBinlogCheckpoint:
        return false;
      default:
        return true;
    }
  }

  const std::unique_ptr<Connection> connection_;
  const std::chrono::seconds silence_max_;
  std::atomic<bool> has_place_;
};

class MysqlSource : public Source {
 public:
  // patterns: none lets every table through.
  MysqlSource(MysqlOptions options, mysql::Url url, std::optional<TablePatterns> patterns)
      : options_(std::move(options)), url_(std::move(url)), patterns_(std::move(patterns)) {}
  ~MysqlSource() override { (void)Stop(); }

  arrow::Result<SourceInfo> Connect() override {
    ARROW_RETURN_NOT_OK(Stop());
    owner_ = std::this_thread::get_id();
    return url_.files() ? ConnectToFiles() : ConnectToServer();
  }

  arrow::Result<Position> Resume(const ResumeRequest& request) override {
    ARROW_RETURN_NOT_OK(CheckConnected());
    StopPackets();
    using Have = ResumeRequest::Have;
    ResumeRequest goes_on = request;
    bool has = request.have == Have::kStored || request.have == Have::kDelivered;
    // "Now" is when it was asked for first: what came meanwhile, as while rows were copied, must not be lost.
    if (!has && first_start_.has_value()) {
      has = true;
      goes_on.position = *first_start_;
    }
    auto started = url_.files() ? ResumeFiles(has, goes_on) : ResumeServer(has, goes_on);
    if (!started.ok()) StopPackets();
    if (started.ok() && !has) first_start_ = *started;
    return started;
  }

  arrow::Result<std::vector<SourceTable>> Tables() override {
    std::vector<SourceTable> tables;
    if (url_.files()) return tables;  // nobody can be asked
    ARROW_ASSIGN_OR_RAISE(const auto connection, Connection::Open(url_, options_.stop));
    ARROW_ASSIGN_OR_RAISE(auto catalog, mysql::ReadCatalog(connection.get()));
    for (mysql::CatalogTable& table : catalog) {
      if (Wanted(table.table.name)) tables.push_back(std::move(table.table));
    }
    return tables;
  }

  // Parts of an earlier snapshot are not kept: nothing tells what of their rows was changed since.
  arrow::Result<std::unique_ptr<Snapshot>> BeginSnapshot(
      const WantedTables& wanted, const std::vector<SnapshotPart>& /*parts*/) override {
    if (url_.files()) {
      return MakeError(ErrorKind::kUnsupported, "files of a binary log do not have the rows of tables",
                       "option snapshot", "read the files without them: --snapshot never");
    }
    // What Resume has begun to read would come for as long as the copy lasts; the stream begins anew behind
    // it.
    if (std::this_thread::get_id() == owner_ && !started_) StopPackets();
    std::vector<TableName> names;
    ARROW_ASSIGN_OR_RAISE(const std::vector<SourceTable> tables, Tables());
    for (const SourceTable& table : tables) {
      if (wanted(table.name, table.table_id)) names.push_back(table.name);
    }
    return mysql::TakeSnapshot(options_, url_, names,
                               [this](const mysql::LogPoint& point) { return PositionOf(point); });
  }

  arrow::Result<LogEnd> CurrentEnd() override {
    ARROW_RETURN_NOT_OK(CheckConnected());
    if (url_.files()) return EndOfFiles();
    ARROW_ASSIGN_OR_RAISE(const mysql::LogStatus status, mysql::ReadLogStatus(connection_.get()));
    ARROW_ASSIGN_OR_RAISE(const Position end, EndOf(status.file, status.offset));
    return LogEnd{end, true};
  }

  arrow::Result<Position> ParsePosition(std::string_view text) override {
    ARROW_ASSIGN_OR_RAISE(const LogPlace place, mysql::ParsePlace(text));
    const size_t dot = text.rfind('.');
    const std::string_view base = dot == std::string_view::npos ? "" : text.substr(0, dot);
    const std::lock_guard lock(mutex_);
    if (!base.empty() && !base_.empty() && base != base_) {
      return MakeError(ErrorKind::kInvalidOption,
                       "the files of the binary log have another name: " + ToString(place, base_),
                       "option until", "give a place in the log that is read");
    }
    return At(place);
  }

  std::string FormatPosition(const Position& position) const override {
    const std::string base = base_of(position);
    const std::lock_guard lock(mutex_);
    return ToString(mysql::PlaceOf(position.order), base.empty() ? base_ : base);
  }
  uint64_t BytesBetween(uint64_t from_order, uint64_t to_order) const override {
    const LogPlace from = mysql::PlaceOf(from_order);
    const LogPlace to = mysql::PlaceOf(to_order);
    if (to <= from) return 0;
    return from.file == to.file ? to.offset - from.offset : to.offset;
  }

  arrow::Result<Position> Rebase(const Position& position) override {
    return At(mysql::PlaceOf(position.order));
  }

  arrow::Result<bool> HasInHistory(const Position& position) override {
    ARROW_RETURN_NOT_OK(CheckConnected());
    if (!url_.files() && !position.token.empty()) {
      ARROW_ASSIGN_OR_RAISE(const mysql::LogStanding now, mysql::ReadStanding(connection_.get(), state_));
      return mysql::HasAllBefore(now, position);
    }
    ARROW_ASSIGN_OR_RAISE(const LogEnd end, CurrentEnd());
    // Before Resume the epoch is not known, and may be a later one.
    return position.epoch >= epoch_ && mysql::PlaceOf(position.order) <= mysql::PlaceOf(end.position.order);
  }

  // A transaction ends behind where it begins.
  bool Covers(const Position& position, const RowPosition& row) const override {
    return row.commit_lsn < position.order;
  }

  // Resume has begun to read already: it looks at what comes first.
  arrow::Status Start(const Position& /*start*/) override {
    if (packets_ == nullptr) return NotStarted();
    connection_.reset();
    started_ = true;
    return arrow::Status::OK();
  }

  SourceNews TakeNews() override { return std::exchange(news_, {}); }

  arrow::Result<std::optional<Event>> Next(milliseconds timeout) override {
    if (!started_ || packets_ == nullptr) return NotStarted();
    const auto deadline = Clock::now() + timeout;
    bool idle = false;
    while (true) {
      // What is in front of an error comes before it.
      const bool wait = idle || !failed_.ok() || reader_->crowded();
      auto decoded = reader_->NextEvent(wait);
      if (!decoded.ok()) return AfterUnreadable(decoded.status());
      std::optional<Event> event = *std::move(decoded);
      if (event.has_value()) {
        Count(*event);
        return event;
      }
      ARROW_RETURN_NOT_OK(failed_);
      const auto has_read = Read(deadline);
      if (!has_read.ok() && KindOf(has_read.status()) == ErrorKind::kInterrupted) return has_read.status();
      failed_ = has_read.status();
      if (!failed_.ok()) (void)reader_->FlushEnded();
      idle = has_read.ok() && !*has_read;
      if (idle && !reader_->decoding() && Clock::now() >= deadline) return std::nullopt;
    }
  }

  // The server keeps its log for nobody.
  void Acknowledge(const Position& /*durable*/) override {}
  // A sign of life comes each second.
  void RequestKeepalive() override {}

  arrow::Status Stop() override {
    StopPackets();
    connection_.reset();
    started_ = false;
    return arrow::Status::OK();
  }

  SourceStats stats() const override {
    const std::lock_guard lock(mutex_);
    SourceStats all = earlier_;
    if (packets_ != nullptr) {
      const mysql::QueueStats now = packets_->stats();
      all.received_bytes += now.received_bytes;
      all.buffered_bytes = now.buffered_bytes;
    }
    return all;
  }

 private:
  // The name of the log's files; empty where the position does not tell.
  static std::string base_of(const Position& position) {
    const auto token = mysql::ReadToken(position.token);
    return position.token.empty() || !token.ok() ? "" : token->base;
  }
  bool Wanted(const TableName& table) const { return !patterns_.has_value() || patterns_->Matches(table); }
  arrow::Result<Position> At(const LogPlace& place) const {
    Position position{epoch_, 0};
    ARROW_ASSIGN_OR_RAISE(position.order, mysql::MakeOrder(epoch_, place));
    return position;
  }
  arrow::Result<Position> EndOf(const std::string& file, uint64_t offset) const {
    ARROW_ASSIGN_OR_RAISE(const uint32_t number, mysql::FileNumber(file));
    return At({number, offset});
  }
  // From any thread.
  arrow::Result<Position> PositionOf(const mysql::LogPoint& point) const {
    LogToken token;
    token.flavor = point.flavor;
    token.server = point.server;
    token.base = point.file.substr(0, point.file.rfind('.'));
    ARROW_ASSIGN_OR_RAISE(token.state, mysql::GtidState::Parse(point.flavor, point.gtids));
    ARROW_ASSIGN_OR_RAISE(Position position, EndOf(point.file, point.offset));
    position.token = WriteToken(token);
    return position;
  }
  arrow::Result<LogEnd> EndOfFiles() const {
    ARROW_ASSIGN_OR_RAISE(const Position end, EndOf(files_.back().name, files_.back().bytes));
    return LogEnd{end, true};
  }

  arrow::Status NotStarted() const {
    return MakeError(ErrorKind::kInternal, "the source is not connected or not started",
                     "server " + url_.server(), "Connect, Resume and Start come first");
  }
  arrow::Status CheckConnected() const {
    return connection_ == nullptr && files_.empty() ? NotStarted() : arrow::Status::OK();
  }

  void StopPackets() {
    std::unique_ptr<mysql::EventQueue> ended;
    {
      const std::lock_guard lock(mutex_);
      ended = std::move(packets_);
      if (ended != nullptr) earlier_.received_bytes += ended->stats().received_bytes;
    }
    if (ended != nullptr) ended->Stop();
    reader_.reset();
    open_since_.reset();
    failed_ = {};
  }
  void SetPackets(std::unique_ptr<mysql::PacketReader> packets, std::optional<milliseconds> patience) {
    mysql::RecordStoreOptions store;
    store.memory_bytes_max = std::min(options_.buffer_bytes_max, kQueueBytesMax);
    store.directory = options_.spool_directory;
    store.disk_bytes_max = options_.spool_bytes_max;
    auto queue = std::make_unique<mysql::EventQueue>(std::move(packets), store, patience, options_.stop);
    const std::lock_guard lock(mutex_);
    packets_ = std::move(queue);
  }

  static std::optional<ErrorKind> KindOf(const arrow::Status& status) {
    const ErrorDetail* const detail = GetErrorDetail(status);
    return detail != nullptr ? std::optional(detail->kind()) : std::nullopt;
  }

  // Rows cannot be read, and with them those of other transactions wait in their piece: it is read again, a
  // piece a transaction, so that all in front of the one come.
  arrow::Status AfterUnreadable(const arrow::Status& status) {
    const ErrorDetail* const detail = GetErrorDetail(status);
    if (detail == nullptr || detail->retryable() || detail->kind() == ErrorKind::kInterrupted) return status;
    if (std::exchange(one_by_one_, true)) return status;
    return MakeError(detail->kind(), status.message(), detail->object(), detail->remedy(), detail->sqlstate(),
                     /*retryable=*/true);
  }
  // A piece of work, or a wait for some until `deadline` at most. False: there was none.
  arrow::Result<bool> Read(Clock::time_point deadline) {
    if (reader_->full()) {
      ARROW_RETURN_NOT_OK(Flush());
      return true;
    }
    if (reader_->busy()) {
      ARROW_RETURN_NOT_OK(reader_->Work());
      TakeReaderNews();
      return true;
    }
    std::chrono::microseconds wait{0};
    bool lingers = false;
    // The time is asked for where somebody waits, and between transactions.
    if (!packets_->has_next() || reader_->open()) {
      const auto now = Clock::now();
      if (open_since_.has_value() && now >= *open_since_ + kLingerMax) {
        ARROW_RETURN_NOT_OK(Flush());
        return true;
      }
      if (!open_since_.has_value() && reader_->open()) open_since_ = now;
      lingers = open_since_.has_value();
      const auto left = std::chrono::ceil<std::chrono::microseconds>(deadline - now);
      if (!reader_->decoding()) wait = lingers ? kLinger : std::max(left, wait);
    }
    ARROW_ASSIGN_OR_RAISE(const auto event, packets_->Next(wait));
    if (event.has_value()) {
      ARROW_RETURN_NOT_OK(reader_->Take(*event));
      TakeReaderNews();
      return true;
    }
    if (url_.files() && reader_->in_transaction() && packets_->ended()) return EndsWithin();
    if (!lingers || reader_->decoding()) return false;
    ARROW_RETURN_NOT_OK(Flush());
    return true;
  }
  // Nothing comes that would end the transaction; whoever waits for the end of the files would wait for ever.
  arrow::Status EndsWithin() const {
    return MakeError(
        ErrorKind::kProtocol,
        "the last file ends within a transaction, at " + ToString(reader_->place(), reader_->token().base),
        "directory " + url_.directory, "copy the rest of the file there, and start again");
  }
  arrow::Status Flush() {
    open_since_.reset();
    return reader_->Flush();
  }
  void TakeReaderNews() {
    if (!reader_->has_news()) return;
    SourceNews news = reader_->TakeNews();
    news_.notices.insert(news_.notices.end(), news.notices.begin(), news.notices.end());
    news_.unmatched.merge(news.unmatched);
  }
  // The server's log reaches so far.
  void NoteEnd(const Position& position) {
    const std::lock_guard lock(mutex_);
    earlier_.server_lsn = std::max(earlier_.server_lsn, position.order);
  }
  void Count(const Event& event) {
    const auto note = [this](const std::optional<Position>& position) {
      if (position.has_value()) NoteEnd(*position);
    };
    std::visit(
        [&](const auto& e) {
          if constexpr (requires { e.group; }) note(e.group.safe);
          if constexpr (requires { e.reply_requested; }) note(e.position);
        },
        event);
  }

  // --- a server ---

  arrow::Result<SourceInfo> ConnectToServer() {
    ARROW_ASSIGN_OR_RAISE(connection_, Connection::Open(url_, options_.stop));
    auto info = InspectServer();
    if (!info.ok()) connection_.reset();
    return info;
  }

  arrow::Result<SourceInfo> InspectServer() {
    ARROW_ASSIGN_OR_RAISE(const mysql::Inspected inspected,
                          mysql::Inspect(connection_.get(), options_.tables));
    const MysqlChecks checks = mysql::Judge(inspected, options_.accept_cascades, /*before=*/false);
    ARROW_RETURN_NOT_OK(CheckObstacles(checks));
    state_ = inspected.state;
    SourceInfo info;
    info.stream.source = {state_.flavor == Flavor::kMysql ? "mysql" : "mariadb", state_.source_id()};
    info.stream.patterns = options_.tables;
    // Nobody else reads for a sink, so a new one is the first.
    info.fresh = options_.start == MysqlStart::kNow;
    if (inspected.log.has_value()) {
      const std::lock_guard lock(mutex_);
      base_ = inspected.log->file.substr(0, inspected.log->file.rfind('.'));
    }
    if (inspected.log.has_value()) {
      ARROW_ASSIGN_OR_RAISE(info.end, EndOf(inspected.log->file, inspected.log->offset));
    }
    for (const mysql::CatalogTable& table : inspected.tables) {
      info.published.coming.push_back(table.table.name);
      const std::lock_guard lock(mutex_);
      generated_.Set(table.table.name, table.generated);
    }
    tables_ = info.published.coming;
    info.published.lists_tables = false;
    info.published.any = true;
    info.published.any_pattern = patterns_.has_value();
    info.published.nearest = NearestPatterns(inspected.idle_patterns, inspected.names);
    for (const std::string& warning : checks.warnings)
      info.published.notices.push_back({false, warning, "server " + connection_->server()});
    return info;
  }

  mysql::TransactionReaderOptions ReaderOptions(bool only_committed) {
    mysql::TransactionReaderOptions options;
    options.only_committed = only_committed;
    options.epoch = epoch_;
    options.unrepresentable = options_.unrepresentable;
    if (patterns_.has_value()) options.wanted = [this](const TableName& table) { return Wanted(table); };
    // Also those that come later.
    options.captures = [this](const std::string& database) {
      return !mysql::IsOwnSchema(database) && (!patterns_.has_value() || patterns_->MayMatchIn(database));
    };
    options.spool.memory_bytes_max = std::min<int64_t>(options_.buffer_bytes_max, int64_t{16} << 20);
    options.spool.directory = options_.spool_directory;
    options.spool.disk_bytes_max = options_.spool_bytes_max;
    if (one_by_one_) options.transactions_max = 0;
    return options;
  }

  arrow::Result<Position> ResumeServer(bool has, const ResumeRequest& request) {
    ARROW_ASSIGN_OR_RAISE(const mysql::LogStanding standing, mysql::ReadStanding(connection_.get(), state_));
    const bool anew = has && request.copies_all;
    if (anew) ARROW_RETURN_NOT_OK(mysql::CheckMayCopyAnew(standing, request.position));
    arrow::Result<LogStart> chosen =
        has && !anew ? mysql::ChooseNextStart(standing, request.position, request.accept_gap)
                     : mysql::ChooseFirstStart(standing, anew ? MysqlStart::kNow : options_.start);
    ARROW_ASSIGN_OR_RAISE(const LogStart start, std::move(chosen));
    // Places of another history may be the same ones.
    if (has) epoch_ = request.position.epoch + (anew ? 1 : 0);
    ARROW_ASSIGN_OR_RAISE(auto dump, Connection::Open(url_, options_.stop, url_.read_seconds));
    ARROW_RETURN_NOT_OK(mysql::BeginDumpAt(dump.get(), standing, start));
    SetPackets(std::make_unique<DumpPackets>(std::move(dump), std::chrono::seconds(url_.read_seconds)),
               kPatience);
    auto options = ReaderOptions(standing.only_committed && start.by_gtids);
    options.tables = tables_;
    options.lower_case_names = state_.Variable("lower_case_table_names") == "1";
    if (state_.logs_cascades()) {
      options.cascades = mysql::Cascades::kAreLogged;
    } else if (!options_.accept_cascades) {
      options.cascades = mysql::Cascades::kAreRefused;
    }
    options.transactional = [this](const TableName& table) { return IsTransactional(table); };
    if (state_.flavor == Flavor::kMariadb) {
      options.check = [this](const mysql::TableMap& map) { return CheckTypes(map); };
      options.generated = [this](const TableName& table) { return AskGenerated(table); };
      options.altered = [this](const TableName& table) { TakeAltered(table); };
    }
    ARROW_ASSIGN_OR_RAISE(Position position,
                          Begin(std::move(options), start, has ? std::optional(request) : std::nullopt));
    ARROW_ASSIGN_OR_RAISE(const Position end, EndOf(standing.status.file, standing.status.offset));
    NoteEnd(end);
    return position;
  }

  arrow::Result<bool> IsTransactional(const TableName& table) {
    ARROW_ASSIGN_OR_RAISE(const auto connection, Connection::Open(url_, options_.stop));
    return mysql::IsTransactional(connection.get(), table);
  }

  // Of a table that came or was changed since the server was inspected.
  arrow::Status CheckTypes(const mysql::TableMap& map) {
    if (!mysql::MayHideType(map)) return arrow::Status::OK();
    ARROW_ASSIGN_OR_RAISE(const auto connection, Connection::Open(url_, options_.stop));
    return mysql::CheckHiddenTypes(connection.get(), map.name);
  }

  // As the catalog has had them since the last statement that may have changed them, or before where the
  // table is gone. From any thread.
  arrow::Result<std::set<std::string>> AskGenerated(const TableName& table) {
    uint64_t altered = 0;
    {
      const std::lock_guard lock(mutex_);
      if (auto known = generated_.Find(table)) return *std::move(known);
      altered = generated_.alterations();
    }
    ARROW_ASSIGN_OR_RAISE(const auto connection, Connection::Open(url_, options_.stop));
    ARROW_ASSIGN_OR_RAISE(auto names, mysql::ReadGeneratedColumns(connection.get(), table));
    const std::lock_guard lock(mutex_);
    return generated_.Take(table, std::move(names), altered);
  }
  void TakeAltered(const TableName& table) {
    const std::lock_guard lock(mutex_);
    generated_.Alter(table);
  }

  // --- files ---

  arrow::Result<SourceInfo> ConnectToFiles() {
    ARROW_ASSIGN_OR_RAISE(files_, mysql::ListBinlogFiles(url_.directory));
    mysql::FilePackets first(url_.directory, {files_.front()}, 0);
    ARROW_RETURN_NOT_OK(first.Next().status());  // its name
    ARROW_ASSIGN_OR_RAISE(const auto packet, first.Next());
    mysql::EventReader reader;
    if (!packet.has_value()) {
      return MakeError(ErrorKind::kProtocol, "the file is empty", "file " + files_.front().name,
                       "copy it again");
    }
    ARROW_ASSIGN_OR_RAISE(const mysql::BinlogEvent event, reader.Read(*packet));
    ARROW_ASSIGN_OR_RAISE(const std::string version, mysql::ReadServerVersion(event.body));
    state_ = {};
    state_.version = version;
    state_.flavor = version.find("MariaDB") != std::string::npos ? Flavor::kMariadb : Flavor::kMysql;
    SourceInfo info;
    const std::string base = files_.front().name.substr(0, files_.front().name.rfind('.'));
    info.stream.source = {state_.flavor == Flavor::kMysql ? "mysql" : "mariadb", "files " + base};
    {
      const std::lock_guard lock(mutex_);
      base_ = base;
    }
    info.stream.patterns = options_.tables;
    ARROW_ASSIGN_OR_RAISE(const LogEnd end, EndOfFiles());
    info.end = end.position;
    info.has_tables = false;
    info.published.lists_tables = false;
    info.published.any = true;
    return info;
  }

  arrow::Result<Position> ResumeFiles(bool has, const ResumeRequest& request) {
    LogStart start;
    start.token.flavor = state_.flavor;
    start.token.state = mysql::GtidState(state_.flavor);
    ARROW_ASSIGN_OR_RAISE(start.place.file, mysql::FileNumber(files_.front().name));
    start.place.offset = 4;
    LogPlace from = start.place;
    if (has) {
      ARROW_ASSIGN_OR_RAISE(start.token, mysql::ReadToken(request.position.token));
      start.place = mysql::PlaceOf(request.position.order);
      start.expected = start.token.last;
      epoch_ = request.position.epoch;
      from = start.expected.has_value() ? start.expected->begin : start.place;
    }
    std::vector<mysql::BinlogFile> files = files_;
    std::erase_if(files, [&](const mysql::BinlogFile& file) { return file.number < from.file; });
    if (files.empty() || files.front().number != from.file || files.front().bytes < from.offset) {
      return MakeError(ErrorKind::kPositionGap,
                       "the files do not have the stored position, " + ToString(from, start.token.base),
                       "directory " + url_.directory,
                       "copy the files there that the server has removed since");
    }
    SetPackets(std::make_unique<mysql::FilePackets>(url_.directory, std::move(files), from.offset),
               std::nullopt);
    // Whether the server committed in front of it nobody knows.
    ARROW_ASSIGN_OR_RAISE(Position position,
                          Begin(ReaderOptions(false), start, has ? std::optional(request) : std::nullopt));
    ARROW_ASSIGN_OR_RAISE(const LogEnd end, EndOfFiles());
    NoteEnd(end.position);
    return position;
  }

  // --- both ---

  // Reads what was delivered last, if there is such, and compares it.
  arrow::Result<Position> Begin(mysql::TransactionReaderOptions options, const LogStart& start,
                                const std::optional<ResumeRequest>& request) {
    ARROW_ASSIGN_OR_RAISE(reader_, mysql::TransactionReader::Make(std::move(options), start.token));
    ARROW_ASSIGN_OR_RAISE(Position position, At(start.place));
    position.token = WriteToken(start.token);  // what was accepted as lacking is not asked about again
    if (!start.expected.has_value()) {
      reader_->DropBefore(start.place);
      return position;
    }
    reader_->Expect(*start.expected);
    ARROW_RETURN_NOT_OK(ReadExpected());
    const auto& found = *reader_->found();
    if (found.begin == start.expected->begin && start.token.server == state_.server()) {
      reader_->DropBefore(start.place);
      return position;
    }
    // Rows behind it have other places here.
    const std::string what =
        "the server has the transaction that was delivered last, and at another place of its log: it is "
        "another server, or its log was made anew";
    if (request->in_part) {
      return MakeError(ErrorKind::kPositionGap,
                       what + "; rows are there from behind it, and would come again under other names",
                       "server " + url_.server(),
                       "stream to the end from the server that was read from; where it is gone, --snapshot "
                       "when-needed copies all rows anew beside what is there");
    }
    if (!request->accept_gap) {
      return MakeError(
          ErrorKind::kPositionGap, what, "server " + url_.server(),
          "connect to the server that was read from; --accept-gap goes on here behind that transaction");
    }
    // Its places compare with none of the other server's.
    ++epoch_;
    reader_->SetEpoch(epoch_);
    ARROW_ASSIGN_OR_RAISE(position, At(found.end));
    LogToken token = reader_->token();
    token.server = state_.server();
    reader_->SetServer(token.server);
    position.token = WriteToken(token);
    return position;
  }

  arrow::Status ReadExpected() {
    const auto deadline = Clock::now() + kLookLimit;
    while (!reader_->found().has_value()) {
      if (reader_->busy()) {
        ARROW_RETURN_NOT_OK(reader_->Work());
        continue;
      }
      ARROW_ASSIGN_OR_RAISE(const auto packet, packets_->Next(milliseconds(1000)));
      if (packet.has_value()) ARROW_RETURN_NOT_OK(reader_->Take(*packet));
      if (!packet.has_value() && packets_->ended()) break;
      if (Clock::now() > deadline) {
        return MakeError(ErrorKind::kConnection,
                         "the transaction that was delivered last did not come within 10 minutes",
                         "server " + url_.server(), "it will be tried again", "", true);
      }
    }
    if (reader_->found().has_value()) return arrow::Status::OK();
    return MakeError(ErrorKind::kPositionGap, "the files do not have the transaction that was delivered last",
                     "directory " + url_.directory, "copy the files of the server there that was read from");
  }

  const MysqlOptions options_;
  const mysql::Url url_;
  const std::optional<TablePatterns> patterns_;
  std::unique_ptr<Connection> connection_;  // between Connect and Start
  std::vector<mysql::BinlogFile> files_;    // at the last Connect
  mysql::ServerState state_;                // the same
  std::vector<TableName> tables_;           // that are captured, then
  std::unique_ptr<mysql::TransactionReader> reader_;
  std::optional<Clock::time_point> open_since_;
  arrow::Status failed_;  // of what was read behind all that reader_ has yet to give
  std::atomic<uint32_t> epoch_ = 0;
  bool started_ = false;
  bool one_by_one_ = false;              // transactions, since rows were met that cannot be read
  std::thread::id owner_;                // of the connection and the stream
  std::optional<Position> first_start_;  // of who has nothing
  SourceNews news_;

  mutable std::mutex mutex_;
  std::unique_ptr<mysql::EventQueue> packets_;
  SourceStats earlier_;
  std::string base_;  // of the files' names at the last Connect
  mysql::GeneratedColumns generated_;
};

}  // namespace

arrow::Result<std::unique_ptr<Source>> MakeMysqlSource(const MysqlOptions& options) {
  ARROW_ASSIGN_OR_RAISE(mysql::Url url, mysql::ParseUrl(options.url));
  if (options.buffer_bytes_max <= 0) {
    return MakeError(ErrorKind::kInvalidOption, "buffer_bytes_max must be positive",
                     "option buffer_bytes_max", "leave it out");
  }
  std::optional<TablePatterns> patterns;
  if (!options.tables.empty()) {
    ARROW_ASSIGN_OR_RAISE(patterns, TablePatterns::Parse(options.tables));
  }
  return std::make_unique<MysqlSource>(options, std::move(url), std::move(patterns));
}

}  // namespace arrowcdc
