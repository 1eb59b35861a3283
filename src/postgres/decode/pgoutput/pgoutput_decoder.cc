// One session of pgoutput: transactions, relations, rows into batches, groups.
#include "src/postgres/decode/pgoutput/pgoutput_decoder.h"

#include <cstring>
#include <exception>
#include <utility>

#include "arrowcdc/error.h"
#include "pgtype/datetime.h"
#include "src/change/message_row.h"
#include "src/change/utf8_text.h"

namespace arrowcdc {
namespace {

using pgoutput::CellKind;
using pgoutput::Tuple;
using pgoutput::TupleCell;

constexpr int64_t kOpenTableBytes = 4096;  // that a table with few rows takes, roughly
constexpr char kStream[] = "stream of pgoutput";

// In front of a message in the spool, which is as outside of a block.
struct RecordHeader {
  uint32_t subxid;  // the transaction, or a part of it
  uint32_t reserved;
  uint64_t lsn;  // of an announcement its number
};

bool IsPresent(const TupleCell& cell) {
  return cell.kind == CellKind::kText || cell.kind == CellKind::kBinary;
}

bool IsChange(char kind) { return kind == 'I' || kind == 'U' || kind == 'D' || kind == 'T' || kind == 'M'; }

// What a client gets that has asked for more than this one does, or whose slot was made for it.
const char* NameOfUnsupported(char kind) {
  switch (kind) {
    case 'b':
      return "begin prepare";
    case 'P':
      return "prepare";
    case 'K':
      return "commit prepared";
    case 'r':
      return "rollback prepared";
    case 'p':
      return "stream prepare";
    default:
      return nullptr;
  }
}

arrow::Status Unsupported(const char* name) {
  return MakeError(
      ErrorKind::kUnsupported,
      std::string("the server sent a message of two-phase commit, ") + name + ", which is not supported",
      kStream, "use a slot that was made without two_phase; 'arrowcdc setup' makes one");
}

}  // namespace

PgoutputDecoder::PgoutputDecoder(arrow::MemoryPool* memory_pool, uint32_t epoch, RelationCatalog* catalog,
                                 const PgoutputOptions& options, InProgress in_progress)
    : pool_(memory_pool),
      epoch_(epoch),
      catalog_(catalog),
      options_(options),
      streamed_(std::move(in_progress)) {}

arrow::Status PgoutputDecoder::Fault(const std::string& what) const {
  const std::string kind = message_.empty() ? "" : " '" + std::string(1, message_[0]) + "'";
  return MakeError(ErrorKind::kProtocol, "pgoutput: " + what + " in message" + kind, kStream, "");
}

arrow::Status PgoutputDecoder::FaultAt(const BinaryCursor& cursor, const std::string& what) const {
  return Fault(what + " at byte " + std::to_string(OffsetOf(cursor.at())));
}

// Runs `step`, unless an earlier one has failed.
template <typename Step>
arrow::Status PgoutputDecoder::Guard(Step step) {
  if (failed_) {
    return MakeError(ErrorKind::kInternal, "decoder used after an error", kStream,
                     "make a new decoder after a reconnect");
  }
  arrow::Status status;
  try {
    status = step();
  } catch (const std::exception& exception) {  // allocations of the standard library
    status = MakeError(ErrorKind::kInternal, std::string("could not decode a message: ") + exception.what(),
                       kStream, "");
  }
  failed_ = !status.ok();
  return status;
}

arrow::Status PgoutputDecoder::Decode(std::string_view message, uint64_t lsn) {
  return Guard([&]() -> arrow::Status {
    if (streamed_.replaying()) return Fault("more before all of a transaction was taken");
    return streamed_.in_block() ? TakeOfBlock(message, lsn) : Dispatch(message, lsn);
  });
}

arrow::Status PgoutputDecoder::Dispatch(std::string_view message, uint64_t lsn) {
  message_ = message;
  BinaryCursor cursor(message);
  char kind = 0;
  if (!cursor.Read(&kind)) return Fault("nothing");
  if (passes_over_ && IsChange(kind)) return arrow::Status::OK();
  arrow::Status status;
  bool whole = true;
  switch (kind) {
    case 'R':
      status = Announce(&cursor, streamed_.replaying() ? lsn : ++announcements_);
      break;
    case 'I':
      status = Insert(&cursor, lsn);
      break;
    case 'U':
      status = Update(&cursor, lsn);
      break;
    case 'D':
      status = Delete(&cursor, lsn);
      break;
    case 'T':
      status = Truncate(&cursor, lsn);
      break;
    case 'O':
      whole = pgoutput::SkipOrigin(&cursor);
      passes_over_ = in_transaction_ && !options_.foreign_origins;
      break;
    case 'Y':
      whole = pgoutput::SkipType(&cursor);
      break;
    case 'M':
      status = Message(&cursor);
      break;
    default:
      status = DispatchOutside(kind, &cursor);
  }
  ARROW_RETURN_NOT_OK(status);
  if (!whole) return FaultAt(cursor, "not laid out as it should be");
  return cursor.AtEnd() ? arrow::Status::OK() : FaultAt(cursor, "bytes that do not belong there");
}

// Where transactions begin and end.
arrow::Status PgoutputDecoder::DispatchOutside(char kind, BinaryCursor* cursor) {
  switch (kind) {
    case 'B':
      return Begin(cursor);
    case 'C':
      return Commit(cursor);
    case 'S':
      return StreamStart(cursor);
    case 'c':
      return StreamCommit(cursor);
    case 'A':
      return StreamAbort(cursor);
    default: {
      const char* const name = NameOfUnsupported(kind);
      return name != nullptr ? Unsupported(name) : Fault("a kind that is not known");
    }
  }
}

// --- transactions ---

arrow::Status PgoutputDecoder::Begin(BinaryCursor* cursor) {
  pgoutput::BeginMessage message;
  if (in_transaction_) return Fault("a transaction within another");
  if (!pgoutput::ReadBegin(cursor, &message)) return FaultAt(*cursor, "not laid out as it should be");
  return BeginAs(message);
}

arrow::Status PgoutputDecoder::BeginAs(const pgoutput::BeginMessage& transaction) {
  transaction_ = transaction;
  if (!pgtype::TimestampToUs(transaction_.commit_ts, &commit_ts_)) return Fault("a time that is none");
  in_transaction_ = true;
  passes_over_ = false;
  record_lsn_ = 0;
  record_rows_ = 0;
  return arrow::Status::OK();
}

arrow::Status PgoutputDecoder::Commit(BinaryCursor* cursor) {
  pgoutput::CommitMessage message;
  if (!pgoutput::ReadCommit(cursor, &message)) return FaultAt(*cursor, "not laid out as it should be");
  if (!in_transaction_ || message.commit_lsn != transaction_.commit_lsn) {
    return Fault("the end of another transaction than the one that began");
  }
  ARROW_RETURN_NOT_OK(EndAt(message));
  // A group that was begun is to end soon: until then nothing can be acknowledged.
  return group_open_ || held_bytes_ >= options_.commit_bytes ? Flush() : arrow::Status::OK();
}

arrow::Status PgoutputDecoder::EndAt(const pgoutput::CommitMessage& message) {
  if (message.end_lsn < message.commit_lsn || message.end_lsn < safe_lsn_.value_or(0)) {
    return Fault("a position that goes backwards");
  }
  in_transaction_ = false;
  passes_over_ = false;
  safe_lsn_ = message.end_lsn;
  position_due_ = true;
  return arrow::Status::OK();
}

GroupState PgoutputDecoder::GroupOf(bool ends) const {
  GroupState group;
  if (safe_lsn_.has_value()) group.safe = Position{epoch_, *safe_lsn_};
  group.group_end = ends;
  group.txn_incomplete = in_transaction_;
  return group;
}

arrow::Status PgoutputDecoder::Flush() {
  const bool ends = !in_transaction_ && holds();
  const size_t count = open_.size();
  for (size_t i = 0; i < count; ++i) {
    ARROW_ASSIGN_OR_RAISE(ChangeBatch batch, open_[i]->rows()->batch()->Finish());
    batch.group = GroupOf(ends && i + 1 == count);
    open_[i]->open = false;
    events_.emplace_back(std::move(batch));
  }
  if (ends && count == 0) events_.emplace_back(ProgressEvent{GroupOf(true)});
  group_open_ = !ends && (group_open_ || count > 0);
  if (ends) position_due_ = false;
  open_.clear();
  held_bytes_ = 0;
  return arrow::Status::OK();
}

arrow::Status PgoutputDecoder::FlushInTransaction() {
  if (!open_.empty()) ARROW_RETURN_NOT_OK(Flush());
  return arrow::Status::OK();
}

arrow::Result<std::optional<Event>> PgoutputDecoder::Next() {
  if (events_.empty() && streamed_.replaying()) {
    ARROW_RETURN_NOT_OK(Guard([this] { return Replay(); }));
  }
  if (events_.empty()) return std::nullopt;
  std::optional<Event> event = std::move(events_.front());
  events_.pop_front();
  return event;
}

// --- transactions in progress ---

arrow::Status PgoutputDecoder::StreamStart(BinaryCursor* cursor) {
  pgoutput::StreamStartMessage message;
  if (!streamed_.allowed()) return Fault("a transaction in progress, which was not asked for,");
  if (in_transaction_) return Fault("a transaction within another");
  if (!pgoutput::ReadStreamStart(cursor, &message)) return FaultAt(*cursor, "not laid out as it should be");
  streamed_.BeginBlock(message.xid);
  return arrow::Status::OK();
}

arrow::Status PgoutputDecoder::StreamAbort(BinaryCursor* cursor) {
  pgoutput::StreamAbortMessage message;
  if (!pgoutput::ReadStreamAbort(cursor, &message)) return FaultAt(*cursor, "not laid out as it should be");
  streamed_.Abort(message.xid, message.subxid);
  if (message.xid == message.subxid) streamed_tables_.erase(message.xid);
  return arrow::Status::OK();
}

// Where a block was decoded after the rollback of a part, the server has thrown its rest away, with what
// another transaction has changed in the catalog meanwhile (ReorderBufferResetTXN): what follows may be
// decoded by the schema of before, and nothing tells.
arrow::Status PgoutputDecoder::MayBeOfAnotherSchema() {
  needs_whole_transactions_ = true;
  return MakeError(ErrorKind::kUnsupported,
                   "a part of transaction " + std::to_string(streamed_.xid()) +
                       " in progress was rolled back: pgoutput may decode what follows by a schema that is "
                       "not that of its rows",
                   kStream,
                   "the stream goes on in a new session, in which the server keeps transactions until they "
                   "commit",
                   "", /*retryable=*/true);
}

arrow::Status PgoutputDecoder::TakeOfBlock(std::string_view message, uint64_t lsn) {
  message_ = message;
  BinaryCursor cursor(message);
  char kind = 0;
  if (!cursor.Read(&kind)) return Fault("nothing");
  if (kind == 'E') {
    streamed_.EndBlock();
    passes_over_ = false;
    return cursor.AtEnd() ? arrow::Status::OK() : FaultAt(cursor, "bytes that do not belong there");
  }
  if (kind == 'O') {  // of all rows of the block
    passes_over_ = !options_.foreign_origins;
    return pgoutput::SkipOrigin(&cursor) && cursor.AtEnd() ? arrow::Status::OK()
                                                           : FaultAt(cursor, "not laid out as it should be");
  }
  if (streamed_.HasAbortedPart(streamed_.xid())) return MayBeOfAnotherSchema();
  if (passes_over_ && IsChange(kind)) return arrow::Status::OK();
  if (std::string_view("RYIUDTM").find(kind) == std::string_view::npos)
    return Fault("a kind that does not belong to a transaction in progress");
  RecordHeader header = {0, 0, kind == 'R' ? ++announcements_ : lsn};
  if (!cursor.Read(&header.subxid)) return FaultAt(cursor, "not laid out as it should be");
  ARROW_ASSIGN_OR_RAISE(const bool wanted, IsWanted(kind, cursor));
  if (!wanted) return arrow::Status::OK();
  return streamed_.Keep({{reinterpret_cast<const char*>(&header), sizeof(header)},
                         {&kind, 1},
                         {cursor.at(), static_cast<size_t>(cursor.left())}});
}

// Rows of tables that no pattern matches are only counted. cursor: behind the xid.
arrow::Result<bool> PgoutputDecoder::IsWanted(char kind, BinaryCursor cursor) {
  if (kind == 'T') return true;
  if (kind == 'Y' || kind == 'M') return false;
  auto& tables = streamed_tables_[streamed_.xid()];
  if (kind == 'R') {
    pgoutput::RelationMessage message;
    if (!pgoutput::ReadRelation(&cursor, &message)) return FaultAt(cursor, "not laid out as it should be");
    tables.insert_or_assign(message.oid, TableName{message.schema, message.name});
    return true;
  }
  uint32_t oid;
  char part;
  if (!cursor.Read(&oid) || !cursor.Read(&part)) return FaultAt(cursor, "not laid out as it should be");
  const auto table = tables.find(oid);
  if (table == tables.end())
    return Fault("relation " + std::to_string(oid) + ", which the transaction has not announced,");
  if (streamed_.Matches(table->second)) return true;
  streamed_.PassOver(table->second, kind == 'U' && part != 'N' ? 2 : 1);
  return false;
}

arrow::Status PgoutputDecoder::StreamCommit(BinaryCursor* cursor) {
  pgoutput::StreamCommitMessage message;
  if (in_transaction_) return Fault("a transaction within another");
  if (!pgoutput::ReadStreamCommit(cursor, &message)) return FaultAt(*cursor, "not laid out as it should be");
  if (!streamed_.knows(message.xid)) return Fault("the end of a transaction of which nothing came");
  // What is held is a group of its own: it ends before this one.
  ARROW_RETURN_NOT_OK(Flush());
  ARROW_RETURN_NOT_OK(streamed_.BeginReplay(message.xid));
  streamed_tables_.erase(message.xid);
  streamed_commit_ = message.commit;
  return BeginAs({message.commit.commit_lsn, message.commit.commit_ts, message.xid});
}

// Some of it, until there is an event.
arrow::Status PgoutputDecoder::Replay() {
  constexpr int kMessagesATurn = 4096;
  message_ = {};  // the one before may be gone
  for (int messages = 0; events_.empty() && messages < kMessagesATurn; ++messages) {
    ARROW_ASSIGN_OR_RAISE(const auto record, streamed_.NextRecord());
    if (record == nullptr) return EndReplay();
    RecordHeader header;
    // SAFETY: it was written by TakeOfBlock.
    memcpy(&header, record->data(), sizeof(header));
    if (streamed_.IsAborted(header.subxid)) continue;
    const std::string_view bytes(reinterpret_cast<const char*>(record->data()),
                                 static_cast<size_t>(record->size()));
    ARROW_RETURN_NOT_OK(Dispatch(bytes.substr(sizeof(header)), header.lsn));
  }
  return arrow::Status::OK();
}

arrow::Status PgoutputDecoder::EndReplay() {
  message_ = {};
  streamed_.EndReplay();
  ARROW_RETURN_NOT_OK(EndAt(streamed_commit_));
  ARROW_RETURN_NOT_OK(Flush());
  // The server takes the last announcement that it sent for the one in force, whichever commits last.
  for (const auto& [oid, before] : std::exchange(displaced_, {})) {
    if (before.second < relations_[oid].number) continue;
    message_ = before.first;
    BinaryCursor cursor(message_.substr(1));
    ARROW_RETURN_NOT_OK(Announce(&cursor, before.second));
  }
  message_ = {};
  return arrow::Status::OK();
}

// --- relations ---

// number: of the announcement among all. One of a transaction that was in progress may be older than what is
// in force.
arrow::Status PgoutputDecoder::Announce(BinaryCursor* cursor, uint64_t number) {
  pgoutput::RelationMessage message;
  if (!pgoutput::ReadRelation(cursor, &message) || message.oid == 0) {
    return FaultAt(*cursor, "not laid out as it should be");
  }
  Announced& announced = relations_[message.oid];
  const bool again = announced.relation != nullptr;
  if (again && number < announced.number) {
    displaced_.try_emplace(message.oid, announced.content, announced.number);
  }
  announced.number = number;
  // It comes again for many a reason, as ANALYZE.
  if (!again || announced.content != message_) {
    ARROW_RETURN_NOT_OK(FlushInTransaction());
    if (again) catalog_->Forget();
    ARROW_ASSIGN_OR_RAISE(auto facts, catalog_->FindRelation(message.oid));
    if (!again) announced.relation = std::make_unique<Relation>();
    announced.content = message_;
    ARROW_RETURN_NOT_OK(announced.relation->Announce(std::move(message), std::move(facts)));
  }
  return WeakenAncestors(*announced.relation);
}

// Only a table that rows go by the name of is announced besides its partitions.
arrow::Status PgoutputDecoder::WeakenAncestors(const Relation& partition) {
  for (const uint32_t oid : partition.ancestors()) {
    const auto found = relations_.find(oid);
    if (found == relations_.end() || !found->second.relation->WouldWeaken(partition)) continue;
    ARROW_RETURN_NOT_OK(FlushInTransaction());
    found->second.relation->Weaken(partition);
  }
  return arrow::Status::OK();
}

arrow::Result<PgoutputDecoder::Relation*> PgoutputDecoder::Find(uint32_t oid) {
  const auto found = relations_.find(oid);
  if (found == relations_.end()) {
    return Fault("relation " + std::to_string(oid) + ", which was not announced,");
  }
  Relation* const relation = found->second.relation.get();
  if (!relation->built()) {
    // Another relation may have had the name.
    ARROW_RETURN_NOT_OK(FlushInTransaction());
    ARROW_RETURN_NOT_OK(relation->Build(catalog_, options_.values, pool_));
  }
  return relation;
}

// --- rows ---

arrow::Result<PgoutputDecoder::Relation*> PgoutputDecoder::BeginRow(BinaryCursor* cursor) {
  uint32_t oid;
  if (!in_transaction_) return Fault("a row outside of a transaction");
  if (!cursor->Read(&oid)) return FaultAt(*cursor, "not laid out as it should be");
  return Find(oid);
}

arrow::Status PgoutputDecoder::ReadTuple(BinaryCursor* cursor, const Relation& relation, Tuple* tuple) {
  if (!pgoutput::ReadTuple(cursor, tuple)) return FaultAt(*cursor, "a row not laid out as it should be");
  if (tuple->size() == relation.column_count()) return arrow::Status::OK();
  return FaultAt(*cursor, "a row of " + std::to_string(tuple->size()) + " columns and not " +
                              std::to_string(relation.column_count()));
}

arrow::Status PgoutputDecoder::Insert(BinaryCursor* cursor, uint64_t lsn) {
  ARROW_ASSIGN_OR_RAISE(Relation* const relation, BeginRow(cursor));
  char part = 0;
  if (!cursor->Read(&part) || part != 'N') return FaultAt(*cursor, "no new row");
  ARROW_RETURN_NOT_OK(ReadTuple(cursor, *relation, &new_tuple_));
  return AddRow(relation, Op::kInsert, lsn, new_tuple_, nullptr);
}

arrow::Status PgoutputDecoder::Update(BinaryCursor* cursor, uint64_t lsn) {
  ARROW_ASSIGN_OR_RAISE(Relation* const relation, BeginRow(cursor));
  char part = 0;
  if (!cursor->Read(&part)) return FaultAt(*cursor, "no new row");
  const bool has_old = part == 'K' || part == 'O';
  if (has_old) {
    ARROW_RETURN_NOT_OK(ReadTuple(cursor, *relation, &old_tuple_));
    if (!cursor->Read(&part)) return FaultAt(*cursor, "no new row");
  }
  if (part != 'N') return FaultAt(*cursor, "no new row");
  ARROW_RETURN_NOT_OK(ReadTuple(cursor, *relation, &new_tuple_));
  if (has_old) ARROW_RETURN_NOT_OK(AddRow(relation, Op::kUpdateBefore, lsn, old_tuple_, nullptr));
  return AddRow(relation, Op::kUpdateAfter, lsn, new_tuple_, has_old ? &old_tuple_ : nullptr);
}

arrow::Status PgoutputDecoder::Delete(BinaryCursor* cursor, uint64_t lsn) {
  ARROW_ASSIGN_OR_RAISE(Relation* const relation, BeginRow(cursor));
  char part = 0;
  if (!cursor->Read(&part) || (part != 'K' && part != 'O')) return FaultAt(*cursor, "no old row");
  ARROW_RETURN_NOT_OK(ReadTuple(cursor, *relation, &old_tuple_));
  return AddRow(relation, Op::kDelete, lsn, old_tuple_, nullptr);
}

arrow::Status PgoutputDecoder::Truncate(BinaryCursor* cursor, uint64_t lsn) {
  pgoutput::TruncateMessage message;
  if (!in_transaction_) return Fault("a row outside of a transaction");
  if (!pgoutput::ReadTruncate(cursor, &message)) return FaultAt(*cursor, "not laid out as it should be");
  TruncateEvent event;
  for (const uint32_t oid : message.relations) {
    ARROW_ASSIGN_OR_RAISE(Relation* const relation, Find(oid));
    event.tables.push_back(relation->table());
  }
  ARROW_RETURN_NOT_OK(FlushInTransaction());
  event.cascade = message.cascade;
  event.restart_identity = message.restart_identity;
  event.commit_lsn = transaction_.commit_lsn;
  event.lsn = lsn;
  event.xid = transaction_.xid;
  event.commit_ts = commit_ts_;
  event.group = GroupOf(false);
  group_open_ = true;
  events_.emplace_back(std::move(event));
  return arrow::Status::OK();
}

// One that is not transactional comes between transactions, when it was written: a group of its own.
arrow::Status PgoutputDecoder::Message(BinaryCursor* cursor) {
  pgoutput::EmittedMessage message;
  if (!pgoutput::ReadLogicalMessage(cursor, &message)) {
    return FaultAt(*cursor, "not laid out as it should be");
  }
  if (message.transactional != in_transaction_) {
    return Fault(in_transaction_ ? "a message of no transaction within one" : "a message of no transaction");
  }
  if (message.end_lsn == 0 || (!in_transaction_ && message.end_lsn < safe_lsn_.value_or(0))) {
    return Fault("a position that goes backwards");
  }
  ARROW_RETURN_NOT_OK(in_transaction_ ? FlushInTransaction() : Flush());
  const std::string prefix = NameToUtf8(message.prefix);
  LogicalMessage row{message.end_lsn, std::nullopt, arrow::Buffer::FromString(std::string(message.content)),
                     std::nullopt};
  if (prefix.size() <= kMessagePrefixBytesMax) row.prefix = prefix;
  if (in_transaction_) {
    row.transaction = {transaction_.commit_lsn, transaction_.xid, commit_ts_};
  } else {
    safe_lsn_ = message.end_lsn;
  }
  ARROW_ASSIGN_OR_RAISE(auto rows, MessageRow(row));
  events_.emplace_back(ChangeBatch{MessagesTable(), std::move(rows), GroupOf(!in_transaction_)});
  group_open_ = in_transaction_;
  return arrow::Status::OK();
}

// Rows of one record come one after another; only rows count.
uint16_t PgoutputDecoder::NextOrd(uint64_t lsn) {
  if (lsn != record_lsn_) {
    record_lsn_ = lsn;
    record_rows_ = 0;
  }
  return static_cast<uint16_t>(record_rows_++);
}

arrow::Status PgoutputDecoder::ReadCell(Relation* relation, int field, const TupleCell& cell) {
  RowReader* const rows = relation->rows();
  switch (cell.kind) {
    case CellKind::kNull:
      rows->ReadNull(field);
      return arrow::Status::OK();
    case CellKind::kUnchanged:
      rows->ReadUnchanged(field);
      return arrow::Status::OK();
    case CellKind::kText:
      return rows->Read(field, ValueForm::kText, cell.bytes, OffsetOf(cell.bytes.data()));
    case CellKind::kBinary:
      break;
  }
  if (rows->binary_form(field) != ValueForm::kBinary) {
    needs_text_ = true;
    return MakeError(ErrorKind::kUnsupported,
                     "a value came in a binary form that is not known: the session is to be made anew with "
                     "values as text",
                     "column " + rows->table().schema->field(field)->name() + " of " + relation->object(), "",
                     "", true);
  }
  return rows->Read(field, ValueForm::kBinary, cell.bytes, OffsetOf(cell.bytes.data()));
}

// A large value that an update leaves as it is stands in the old row where the identity has it.
arrow::Status PgoutputDecoder::AddRow(Relation* relation, Op op, uint64_t lsn, const Tuple& tuple,
                                      const Tuple* old) {
  BatchBuilder* const batch = relation->rows()->batch();
  const int64_t bytes_before = batch->bytes();
  for (size_t i = 0; i < tuple.size(); ++i) {
    const bool from_old = tuple[i].kind == CellKind::kUnchanged && old != nullptr && IsPresent((*old)[i]);
    ARROW_RETURN_NOT_OK(ReadCell(relation, static_cast<int>(i), from_old ? (*old)[i] : tuple[i]));
  }
  RowMetadata row;
  row.op = op;
  row.commit_lsn = transaction_.commit_lsn;
  row.lsn = lsn;
  row.ord = NextOrd(lsn);
  row.xid = transaction_.xid;
  row.commit_ts = commit_ts_;
  ARROW_RETURN_NOT_OK(batch->EndRow(row));
  held_bytes_ += batch->bytes() - bytes_before;
  if (!relation->open) {
    relation->open = true;
    open_.push_back(relation);
    held_bytes_ += kOpenTableBytes;
  }
  return held_bytes_ >= options_.batch_bytes_max ? Flush() : arrow::Status::OK();
}

}  // namespace arrowcdc
