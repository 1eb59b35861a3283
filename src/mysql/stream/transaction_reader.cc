// MySQL: GTID, BEGIN, table maps and rows, XID or COMMIT; a DDL statement alone behind its GTID. MariaDB: the
// GTID event stands for BEGIN, and says of a single statement that it is one.
#include "src/mysql/stream/transaction_reader.h"

#include <algorithm>
#include <variant>

#include "arrowcdc/error.h"
#include "src/mysql/decode/inflate.h"
#include "src/mysql/decode/table_id.h"

namespace arrowcdc::mysql {
namespace {

constexpr int kInnerEventsAtOnce = 1000;

std::string BaseOf(const std::string& file) { return file.substr(0, file.rfind('.')); }

}  // namespace

arrow::Result<std::unique_ptr<TransactionReader>> TransactionReader::Make(TransactionReaderOptions options,
                                                                          LogToken start) {
  std::unique_ptr<TransactionReader> reader(new TransactionReader(std::move(options), std::move(start)));
  RowDecoderOptions rows;
  rows.flavor = reader->token_.flavor;
  rows.wanted = reader->options_.wanted;
  rows.check = reader->options_.check;
  rows.generated = reader->options_.generated;
  rows.unrepresentable = reader->options_.unrepresentable;
  ARROW_ASSIGN_OR_RAISE(reader->decoder_, RowDecoder::Make(rows));
  rows.check = {};  // asked by now
  ARROW_ASSIGN_OR_RAISE(reader->pieces_, RowPieces::Make(std::move(rows), reader->options_.threads));
  return reader;
}

TransactionReader::TransactionReader(TransactionReaderOptions options, LogToken start)
    : options_(std::move(options)),
      spool_(std::make_unique<RecordStore>(options_.spool)),
      token_(std::move(start)),
      names_(token_.gone, token_.dropped) {}

bool TransactionReader::full() const {
  return pieces_->open_bytes() > options_.piece_bytes_max || transactions_ > options_.transactions_max;
}

// A transaction is in the log as a whole, so what lacks of it is on its way.
bool TransactionReader::open() const {
  if (transaction_.has_value()) return false;
  return pieces_->open_bytes() > 0 || ended_.has_value() || keepalive_;
}

arrow::Result<std::optional<Event>> TransactionReader::NextEvent(bool wait) {
  while (events_.empty() && !closing_.empty()) {
    ARROW_ASSIGN_OR_RAISE(const bool taken, TakeDecoded(wait));
    if (!taken) break;
  }
  if (events_.empty()) return std::optional<Event>();
  Event event = std::move(events_.front());
  events_.pop_front();
  return event;
}

void TransactionReader::Emit(Event event) {
  if (closing_.empty()) {
    events_.push_back(std::move(event));
  } else {
    closing_.back().behind.push_back(std::move(event));
  }
}

// False: nothing is decoded yet.
arrow::Result<bool> TransactionReader::TakeDecoded(bool wait) {
  ARROW_ASSIGN_OR_RAISE(auto taken, pieces_->Take(wait));
  if (!taken.has_value()) return false;
  Closing& closing = closing_.front();
  if (taken->batch.has_value()) {
    ChangeBatch& batch = *taken->batch;
    ShareSchema(&batch);
    batch.group = taken->is_last ? std::move(closing.group)
                                 : GroupState{std::nullopt, false, closing.group.txn_incomplete, false};
    events_.emplace_back(std::move(batch));
  } else if (closing.group.group_end) {
    events_.emplace_back(ProgressEvent{std::move(closing.group)});
  }
  if (!taken->is_last) return true;
  for (Event& event : closing.behind) events_.push_back(std::move(event));
  closing_.pop_front();
  return true;
}

// The threads make a schema each of the same table.
void TransactionReader::ShareSchema(ChangeBatch* batch) {
  auto& known = schemas_[batch->table->name];
  if (known == nullptr || known->fingerprint != batch->table->fingerprint) known = batch->table;
  if (known == batch->table) return;
  batch->rows = arrow::RecordBatch::Make(known->schema, batch->rows->num_rows(), batch->rows->column_data());
  batch->table = known;
}

std::string TransactionReader::Here() const { return "binary log " + ToString(event_at_, token_.base); }

arrow::Status TransactionReader::Refused(ErrorKind kind, const std::string& what,
                                         const std::string& remedy) const {
  return MakeError(kind, what, Here(), remedy);
}

// What was prepared is read again by the next process, so nothing behind it is safe until it has ended.
arrow::Result<Position> TransactionReader::SafePosition() const {
  const LogPlace* place = &place_;
  const LogToken* token = &token_;
  for (const auto& [xid, prepared] : prepared_) {
    if (prepared.spool == nullptr || prepared.begin >= *place) continue;
    place = &prepared.begin;
    token = &prepared.token;
  }
  Position position{options_.epoch, 0};
  ARROW_ASSIGN_OR_RAISE(position.order, MakeOrder(options_.epoch, *place));
  position.token = WriteToken(*token);
  return position;
}

arrow::Status TransactionReader::Flush() {
  const bool ends = !transaction_.has_value();
  const bool has_rows = pieces_->open_bytes() > 0;
  const bool ends_group = ends && (has_rows || group_open_ || ended_.has_value());
  GroupState group{std::nullopt, ends_group, !ends, false};
  if (ends_group) {
    ARROW_ASSIGN_OR_RAISE(group.safe, SafePosition());
  }
  if (has_rows) {
    pieces_->Close();
    closing_.push_back({std::move(group), {}});
    ended_bytes_ = 0;
  } else if (ends_group) {
    Emit(ProgressEvent{std::move(group)});
  } else if (ends && keepalive_) {
    ARROW_ASSIGN_OR_RAISE(Position safe, SafePosition());
    Emit(KeepaliveEvent{std::move(safe), false});
  }
  group_open_ = !ends && (has_rows || group_open_);
  if (!ends) {
    transaction_->given = true;
    return arrow::Status::OK();
  }
  keepalive_ = false;
  ended_.reset();
  transactions_ = 0;
  return arrow::Status::OK();
}

// Of one that has not ended nothing is to come, nor a position behind its begin.
arrow::Status TransactionReader::FlushEnded() {
  if (!ended_.has_value() || (transaction_.has_value() && transaction_->given)) return arrow::Status::OK();
  transaction_.reset();
  pieces_->CutOpen(ended_bytes_);
  place_ = *ended_;
  return Flush();
}

// --- events ---

arrow::Status TransactionReader::Take(const BinlogEvent& event) {
  ARROW_RETURN_NOT_OK(MovePlace(event));
  return TakeEvent(event);
}

arrow::Status TransactionReader::Work() {
  if (replaying_) return ReplayChunk();
  for (int i = 0; i < kInnerEventsAtOnce && payload_.has_value() && !replaying_ && !full(); ++i) {
    ARROW_ASSIGN_OR_RAISE(const auto bytes, payload_->Next());
    if (!bytes.has_value()) {
      payload_.reset();
      return arrow::Status::OK();
    }
    ARROW_ASSIGN_OR_RAISE(const BinlogEvent event, EventReader::ReadInner(*bytes));
    ARROW_RETURN_NOT_OK(TakeEvent(event));
  }
  return arrow::Status::OK();
}

arrow::Status TransactionReader::SetFile(const RotateBody& rotate) {
  ARROW_ASSIGN_OR_RAISE(const uint32_t number, FileNumber(rotate.file));
  token_.base = BaseOf(rotate.file);
  place_ = {number, rotate.offset};
  event_at_ = place_;
  keepalive_ = true;
  return arrow::Status::OK();
}

// Headers have the low 32 bits of an offset that only grows. A description that is sent in front of an event
// in mid-file is no event of that place.
arrow::Status TransactionReader::MovePlace(const BinlogEvent& event) {
  constexpr uint64_t kLow = 0xffffffff;
  event_at_ = place_;
  const bool describes = event.header.type == EventType::kFormatDescription;
  const bool beats =
      event.header.type == EventType::kHeartbeat || event.header.type == EventType::kHeartbeatV2;
  // An end of 0 is none, but where the event ends just there.
  const bool ends_at_wrap = !describes && ((place_.offset + event.header.size) & kLow) == 0;
  if (event.header.artificial() || beats || (event.header.end == 0 && !ends_at_wrap))
    return arrow::Status::OK();
  if (describes && event.header.end < place_.offset) return arrow::Status::OK();
  uint64_t end = (place_.offset & ~kLow) | event.header.end;
  if (end < place_.offset) end += kLow + 1;
  place_.offset = end;
  event_at_.offset = end - std::min<uint64_t>(end, event.header.size);
  return arrow::Status::OK();
}

arrow::Status TransactionReader::TakeEvent(const BinlogEvent& event) {
  const auto type = static_cast<uint8_t>(event.header.type);
  if (RowDecoder::IsRowsEvent(type)) return TakeRows(type, event.body);
  switch (event.header.type) {
    case EventType::kTableMap:
      return TakeTableMap(event.body);
    case EventType::kGtid:
    case EventType::kGtidTagged:
    case EventType::kAnonymousGtid:
    case EventType::kMariadbGtid: {
      ARROW_ASSIGN_OR_RAISE(const GtidBody gtid, ReadGtid(event));
      return BeginTransaction(gtid);
    }
    case EventType::kQuery:
    case EventType::kExecuteLoadQuery:
      return TakeQuery(event);
    case EventType::kQueryCompressed: {
      ARROW_ASSIGN_OR_RAISE(const auto body, InflateQuery(event.body));
      EventHeader header = event.header;
      header.type = EventType::kQuery;
      return TakeQuery({header, body});
    }
    case EventType::kXid:
      return EndTransaction(true);
    case EventType::kXaPrepare:
      return TakeXaPrepare(event);
    case EventType::kTransactionPayload: {
      ARROW_ASSIGN_OR_RAISE(auto payload, TransactionPayloadReader::Make(event.body));
      payload_.emplace(std::move(payload));
      return arrow::Status::OK();
    }
    default:
      return TakeRest(event);
  }
}

arrow::Status TransactionReader::TakeRest(const BinlogEvent& event) {
  switch (event.header.type) {
    case EventType::kRotate: {
      ARROW_ASSIGN_OR_RAISE(const RotateBody rotate, ReadRotate(event.body));
      return SetFile(rotate);
    }
    case EventType::kFormatDescription:
      ForgetTableMaps();
      // A file ends within a transaction where the server crashed: it is none.
      if (!transaction_.has_value() || event.header.end == 0) return arrow::Status::OK();
      if (transaction_->waits || transaction_->dropped || transaction_->rows_events == 0) {
        spool_->Clear();
        transaction_.reset();
        return arrow::Status::OK();
      }
      return Refused(
          ErrorKind::kPositionGap,
          "a transaction whose rows were delivered has no end in the binary log: the server lost it",
          "capture into a new sink");
    case EventType::kHeartbeat:
    case EventType::kHeartbeatV2:
      return TakeHeartbeat(event);
    case EventType::kIncident:
      return Refused(ErrorKind::kPositionGap,
                     "the server notes an incident: changes may be lacking in its binary log from here on",
                     "see the server's error log; then capture into a new sink");
    case EventType::kStartEncryption:
      // A server that sends a file decrypts it, and marks the event as one to pass over.
      if (event.header.ignorable() || event.header.artificial()) return arrow::Status::OK();
      return Refused(ErrorKind::kUnsupported, "the file is encrypted",
                     "read from the server, which decrypts it");
    case EventType::kGtidList:
      return TakeGtidList(event.body);
    case EventType::kPreviousGtids:
      keepalive_ = true;
      return arrow::Status::OK();
    case EventType::kStop:
    case EventType::kIntvar:
    case EventType::kAppendBlock:
    case EventType::kDeleteFile:
    case EventType::kRand:
    case EventType::kUserVar:
    case EventType::kBeginLoadQuery:
    case EventType::kIgnorable:
    case EventType::kRowsQuery:
    case EventType::kTransactionContext:
    case EventType::kViewChange:
    case EventType::kAnnotateRows:
    case EventType::kBinlogCheckpoint:
      // The last event of a log may be such, and its end is to be reached also when all before was given out.
      keepalive_ |= !transaction_.has_value();
      return arrow::Status::OK();
    default:
      break;
  }
  if (event.header.ignorable()) return arrow::Status::OK();
  return Refused(ErrorKind::kUnsupported,
                 "an event of type " + std::to_string(static_cast<int>(event.header.type)) +
                     " is not known; it may change rows, so nothing is passed over",
                 "use a version of arrowcdc that knows the server's");
}

// Who begins with a file learns from it what was before.
arrow::Status TransactionReader::TakeGtidList(std::span<const uint8_t> body) {
  keepalive_ = true;
  if (!token_.state.domains().empty()) return arrow::Status::OK();
  ARROW_ASSIGN_OR_RAISE(const auto gtids, ReadGtidList(body));
  for (const MariadbGtid& gtid : gtids) token_.state.Add(TransactionId(gtid));
  return arrow::Status::OK();
}

// Sent when nothing else is, and while the server passes over what was delivered.
arrow::Status TransactionReader::TakeHeartbeat(const BinlogEvent& event) {
  ARROW_ASSIGN_OR_RAISE(const RotateBody at, ReadHeartbeat(event));
  if (transaction_.has_value()) return arrow::Status::OK();
  ARROW_ASSIGN_OR_RAISE(const uint32_t number, FileNumber(at.file));
  if (number != place_.file) return arrow::Status::OK();  // its rotate event tells
  if (event.header.type == EventType::kHeartbeatV2 || at.offset > place_.offset)
    place_.offset = std::max(place_.offset, at.offset);
  keepalive_ = true;
  return arrow::Status::OK();
}

// --- transactions ---

arrow::Status TransactionReader::CheckExpected(const GtidBody& gtid) {
  const LastTransaction expected = *std::exchange(expected_, std::nullopt);
  const bool anonymous = std::holds_alternative<std::monostate>(expected.id);
  if (gtid.id == expected.id && gtid.commit_ts == expected.commit_ts &&
      (!anonymous || event_at_ == expected.begin)) {
    return arrow::Status::OK();
  }
  const std::string name = anonymous ? "at " + ToString(expected.begin, token_.base) : ToString(expected.id);
  return MakeError(
      ErrorKind::kPositionGap,
      "the transaction that was delivered last, " + name +
          ", is not the one that the server has there: it has " +
          (gtid.id == expected.id ? "one of the same name and another time" : ToString(gtid.id)) +
          "; its history is another one (RESET, a restored backup, another server)",
      Here(),
      "connect to the server that was read from, or copy all rows anew, beside what is there (--snapshot "
      "when-needed), or capture into a new sink");
}

arrow::Status TransactionReader::BeginTransaction(const GtidBody& gtid) {
  if (transaction_.has_value()) {
    return Refused(ErrorKind::kProtocol, "a transaction begins before the one in front of it has ended",
                   "check the file with mysqlbinlog; where it is whole, please report it");
  }
  Transaction transaction;
  transaction.begin = event_at_;
  transaction.gtid = gtid;
  transaction.begun = token_.flavor == Flavor::kMariadb && !gtid.standalone;
  transaction.waits = !options_.only_committed;
  transaction.xa = gtid.xa_prepare;  // MySQL says XA START
  transaction.dropped = drop_before_.has_value() && transaction.begin < *drop_before_;
  if (expected_.has_value()) {
    ARROW_RETURN_NOT_OK(CheckExpected(gtid));
    transaction.dropped = true;
    transaction.expected = true;
  }
  transaction_ = std::move(transaction);
  return arrow::Status::OK();
}

arrow::Status TransactionReader::TakeTableMap(std::span<const uint8_t> body) {
  if (!transaction_.has_value() || transaction_->dropped) return arrow::Status::OK();
  return Decode(static_cast<uint8_t>(EventType::kTableMap), body);
}

arrow::Status TransactionReader::TakeRows(uint8_t type, std::span<const uint8_t> body) {
  if (!transaction_.has_value()) {
    return Refused(ErrorKind::kProtocol, "rows come outside of a transaction",
                   "check the file with mysqlbinlog; where it is whole, please report it");
  }
  if (transaction_->dropped) return arrow::Status::OK();
  return Decode(type, body);
}

// It would come again with every attempt.
arrow::Status TransactionReader::NoRoom() const {
  const auto mib = [](int64_t bytes) { return std::to_string(bytes >> 20) + " MiB"; };
  return MakeError(ErrorKind::kInvalidOption,
                   "the transaction at " + Here() + ", whose rows wait for its commit, takes more than the " +
                       mib(options_.spool.memory_bytes_max) + " of memory and " +
                       mib(options_.spool.disk_bytes_max) + " of disk that it may",
                   "option spool_max",
                   "allow more (0: what the disk has) and start again; nothing of it was acknowledged");
}

// Now, or into the spool.
arrow::Status TransactionReader::Decode(uint8_t type, std::span<const uint8_t> body) {
  Transaction& transaction = *transaction_;
  if (transaction.waits && !replaying_) {
    if (transaction.xa) ARROW_RETURN_NOT_OK(LookAtXa(type, body));
    ++transaction.records;
    if (!spool_->has_room()) return NoRoom();
    return spool_->Append({std::span<const uint8_t>(&type, 1), body});
  }
  if (type == static_cast<uint8_t>(EventType::kTableMap)) {
    ARROW_RETURN_NOT_OK(decoder_->AddTableMap(body));
    pieces_->AddTableMap(body);
    return arrow::Status::OK();
  }
  ARROW_ASSIGN_OR_RAISE(const RowsTable table, decoder_->TableOf(type, body));
  RowContext context;
  ARROW_ASSIGN_OR_RAISE(context.commit_lsn, MakeOrder(options_.epoch, transaction.begin));
  context.event = transaction.rows_events++;
  context.commit_ts = transaction.gtid.commit_ts;
  if (table.wanted) {
    pieces_->AddRows(type, body, context);
  } else {
    NotePassedOver(table.name);
  }
  if (table.statement_end) ForgetTableMaps();
  return arrow::Status::OK();
}

void TransactionReader::ForgetTableMaps() {
  decoder_->ForgetTableMaps();
  pieces_->ForgetTableMaps();
}

// Once a table of a database of which others are captured. Its rows are not read, and not counted.
void TransactionReader::NotePassedOver(const TableName& table) {
  constexpr size_t kToldMax = 1'000;
  if (table.table.empty() || table == last_passed_over_) return;
  last_passed_over_ = table;
  if (!options_.captures || !options_.captures(table.schema) || passed_over_.size() >= kToldMax) return;
  if (passed_over_.insert(table).second) news_.unmatched.emplace(table, 0);
}

// Its rows are in the log, and whether they come true is not: the answer may be in the log much later.
arrow::Status TransactionReader::TakeXaPrepare(const BinlogEvent& event) {
  ARROW_ASSIGN_OR_RAISE(const XaPrepareBody prepare, ReadXaPrepare(event.body));
  if (!transaction_.has_value() || transaction_->dropped || prepare.one_phase) return EndTransaction(true);
  Prepared prepared{transaction_->begin,
                    token_,
                    nullptr,
                    transaction_->records,
                    std::move(transaction_->rolled_back),
                    transaction_->gtid.transactional};
  if (transaction_->xa_wanted) {
    prepared.spool = std::exchange(spool_, std::make_unique<RecordStore>(options_.spool));
  } else {
    spool_->Clear();
  }
  transaction_->records = 0;
  prepared_.insert_or_assign(FormatXid(prepare.gtrid, prepare.bqual, prepare.format), std::move(prepared));
  return FinishTransaction();
}

arrow::Status TransactionReader::LookAtXa(uint8_t type, std::span<const uint8_t> body) {
  if (type == static_cast<uint8_t>(EventType::kTableMap)) return decoder_->AddTableMap(body);
  ARROW_ASSIGN_OR_RAISE(const RowsTable table, decoder_->TableOf(type, body));
  transaction_->xa_wanted |= table.wanted;
  if (table.statement_end) ForgetTableMaps();
  return arrow::Status::OK();
}

// XA COMMIT and XA ROLLBACK of what was prepared: the rows are those of this transaction.
arrow::Status TransactionReader::TakeXaEnd(const Statement& statement) {
  const bool commits = statement.kind == Statement::Kind::kXaCommit;
  auto prepared = prepared_.extract(statement.xid);
  if (prepared.empty()) {
    if (commits && !transaction_->dropped) {
      news_.notices.push_back(
          {true,
           "an XA transaction has committed at " + Here() +
               " that was prepared before the stream began: its changes, if it has any in "
               "captured tables, are not delivered",
           "XA transaction"});
    }
    return EndTransaction(true);
  }
  if (commits && prepared.mapped().spool != nullptr) {
    spool_ = std::move(prepared.mapped().spool);
    transaction_->records = prepared.mapped().records;
    transaction_->rolled_back = std::move(prepared.mapped().rolled_back);
    transaction_->gtid.transactional = prepared.mapped().transactional;
    transaction_->waits = true;
  }
  return EndTransaction(true);
}

arrow::Status TransactionReader::EndTransaction(bool committed) {
  if (!transaction_.has_value()) return arrow::Status::OK();
  Transaction& transaction = *transaction_;
  if (transaction.waits && transaction.records > 0) {
    if (!committed) transaction.rolled_back = {{0, transaction.records}};
    replaying_ = true;
    replayed_ = 0;
    return arrow::Status::OK();
  }
  if (!committed && transaction.rows_events > 0) {
    return Refused(ErrorKind::kPositionGap,
                   "a transaction whose rows were delivered ends with ROLLBACK: the server took it back",
                   "capture into a new sink");
  }
  return FinishTransaction();
}

arrow::Status TransactionReader::FinishTransaction() {
  const Transaction transaction = *std::exchange(transaction_, std::nullopt);
  ForgetTableMaps();
  LastTransaction last{transaction.gtid.id, transaction.gtid.commit_ts, transaction.begin, std::nullopt};
  if (const auto* const gtid = std::get_if<MariadbGtid>(&last.id)) {
    const auto before = token_.state.domains().find(gtid->domain);
    if (before != token_.state.domains().end() && before->second != *gtid) last.before = before->second;
    // It was read again: what was before it is known from then.
    if (transaction.expected && token_.last.has_value()) last.before = token_.last->before;
  }
  token_.state.Add(last.id);
  token_.last = std::move(last);
  if (transaction.alters) {
    token_.gone = names_.names();
    token_.dropped = names_.dropped();
  }
  if (transaction.expected) found_ = {transaction.begin, place_};
  ended_ = place_;
  ended_bytes_ = pieces_->open_bytes();
  ++transactions_;
  return arrow::Status::OK();
}

// --- the spool ---

arrow::Status TransactionReader::ReplayChunk() {
  ARROW_ASSIGN_OR_RAISE(auto chunk, spool_->TakeChunk());
  if (!chunk.has_value()) {
    replaying_ = false;
    return FinishTransaction();
  }
  std::span<const uint8_t> left(*chunk);
  while (const auto record = ReadRecord(&left)) ARROW_RETURN_NOT_OK(ReplayRecord(*record));
  spool_->GiveBack(*std::move(chunk));
  return arrow::Status::OK();
}

arrow::Status TransactionReader::ReplayRecord(std::span<const uint8_t> record) {
  const uint64_t number = replayed_++;
  const uint8_t type = record[0];
  const auto body = record.subspan(1);
  const auto& ranges = transaction_->rolled_back;
  const bool rolled_back = std::any_of(ranges.begin(), ranges.end(), [&](const auto& range) {
    return range.first <= number && number < range.second;
  });
  const bool is_map = type == static_cast<uint8_t>(EventType::kTableMap);
  if (is_map || !rolled_back) return Decode(type, body);
  ARROW_ASSIGN_OR_RAISE(const RowsTable table, decoder_->TableOf(type, body));
  ++transaction_->rows_events;
  if (table.wanted) ARROW_RETURN_NOT_OK(CheckRollback(table.name));
  if (table.statement_end) ForgetTableMaps();
  return arrow::Status::OK();
}

// Rows of a table that cannot roll back are there in spite of the ROLLBACK.
arrow::Status TransactionReader::CheckRollback(const TableName& table) {
  // MariaDB says so of transactions that can be rolled back as a whole.
  bool rolls_back = transaction_->gtid.transactional;
  if (!rolls_back && options_.transactional) {
    ARROW_ASSIGN_OR_RAISE(rolls_back, options_.transactional(table));
  }
  if (rolls_back) return arrow::Status::OK();
  return MakeError(
      ErrorKind::kUnsupported,
      "rows of the table are in a transaction that was rolled back, at " +
          ToString(transaction_->begin, token_.base) +
          ", and nothing says that the table's engine took them back",
      "table " + ToString(table),
      "use transactional tables (ENGINE=InnoDB), or leave the table out; then capture into a new "
      "sink");
}

// --- statements ---

arrow::Status TransactionReader::TakeQuery(const BinlogEvent& event) {
  ARROW_ASSIGN_OR_RAISE(const QueryBody query, ReadQuery(event));
  Statement statement;
  if (event.header.type == EventType::kExecuteLoadQuery) {
    statement.kind = Statement::Kind::kChangesRows;
  } else if (query.text == "BEGIN") {
    statement.kind = Statement::Kind::kBegin;
  } else if (query.text == "COMMIT") {
    statement.kind = Statement::Kind::kCommit;
  } else {
    statement = ReadStatement(query, token_.flavor);
  }
  const auto lower = [](TableName* table) {
    table->schema = InLowerCase(std::move(table->schema));
    table->table = InLowerCase(std::move(table->table));
  };
  if (options_.lower_case_names) {
    for (TableName& table : statement.tables) lower(&table);
    if (statement.other.has_value()) lower(&*statement.other);
  }
  // Logs without GTID events.
  if (!transaction_.has_value()) {
    GtidBody none;
    none.commit_ts = int64_t{event.header.timestamp} * 1'000'000;
    ARROW_RETURN_NOT_OK(BeginTransaction(none));
  }
  ARROW_RETURN_NOT_OK(TakeStatement(statement, query));
  const bool one_statement = transaction_.has_value() && !transaction_->begun && !busy();
  return one_statement ? EndTransaction(true) : arrow::Status::OK();
}

bool TransactionReader::Captures(const QueryBody& query) const {
  if (!query.updated.has_value()) return true;
  return std::any_of(query.updated->begin(), query.updated->end(), [this](const std::string& database) {
    return !options_.captures || options_.captures(database);
  });
}

arrow::Status TransactionReader::TakeStatement(const Statement& statement, const QueryBody& query) {
  using Kind = Statement::Kind;
  Transaction& transaction = *transaction_;
  switch (statement.kind) {
    case Kind::kBegin:
      transaction.begun = true;
      return arrow::Status::OK();
    case Kind::kXaStart:
      transaction.begun = true;
      transaction.waits = true;
      transaction.xa = true;
      return arrow::Status::OK();
    case Kind::kCommit:
      return EndTransaction(true);
    case Kind::kRollback:
      return EndTransaction(false);
    case Kind::kSavepoint:
      transaction.savepoints.Set(statement.savepoint,
                                 transaction.waits ? transaction.records : transaction.rows_events);
      return arrow::Status::OK();
    case Kind::kRollbackTo:
      return TakeRollbackTo(statement.savepoint);
    case Kind::kXaCommit:
    case Kind::kXaRollback:
      return TakeXaEnd(statement);
    case Kind::kXaEnd:
    case Kind::kXaPrepare:
    case Kind::kOther:
      return arrow::Status::OK();
    case Kind::kChangesRows:
    case Kind::kUnreadable:
      break;
    default:
      return transaction.dropped ? arrow::Status::OK() : TakeDdl(statement);
  }
  if (transaction.dropped || !Captures(query)) return arrow::Status::OK();
  const bool readable = statement.kind == Kind::kChangesRows;
  return Refused(ErrorKind::kServerSetting,
                 readable ? "a statement that changes rows is logged by its text, without the rows"
                          : "a statement is logged that is not understood; it may change rows",
                 readable ? "SET GLOBAL binlog_format = ROW, end the sessions that have another format, and "
                            "capture into a new sink"
                          : "see it with mysqlbinlog at that place; where it changes no rows, please report "
                            "it");
}

arrow::Status TransactionReader::TakeRollbackTo(const std::string& savepoint) {
  Transaction& transaction = *transaction_;
  if (transaction.dropped) return arrow::Status::OK();
  const auto from = transaction.savepoints.RollBackTo(savepoint);
  if (!from.has_value()) {
    return Refused(ErrorKind::kUnsupported,
                   "rows are rolled back to a savepoint, and which one it is cannot be told by its name",
                   "give savepoints names of ASCII letters; capture into a new sink");
  }
  if (transaction.waits) {
    transaction.rolled_back.emplace_back(*from, transaction.records);
    return arrow::Status::OK();
  }
  if (transaction.rows_events == *from) return arrow::Status::OK();
  return Refused(ErrorKind::kUnsupported, "rows that were delivered are rolled back to a savepoint",
                 "use transactional tables only; capture into a new sink");
}

}  // namespace arrowcdc::mysql
