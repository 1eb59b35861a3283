// Events of a binlog -> events of a source: what a transaction is, where it begins and ends, what of it is
// true. Bytes in, batches out; no socket. Rows that may yet be rolled back wait until it is known that they
// are not.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <arrow/result.h>

#include "arrowcdc/change_batch.h"
#include "arrowcdc/error.h"
#include "arrowcdc/source.h"
#include "arrowcdc/unrepresentable.h"
#include "src/mysql/decode/event.h"
#include "src/mysql/decode/row_decoder.h"
#include "src/mysql/decode/statement.h"
#include "src/mysql/decode/transaction_payload.h"
#include "src/mysql/stream/gone_names.h"
#include "src/mysql/stream/log_place.h"
#include "src/mysql/stream/record_store.h"
#include "src/mysql/stream/row_pieces.h"
#include "src/mysql/stream/savepoints.h"

namespace arrowcdc::mysql {

// What becomes of a captured table that gets a foreign key with CASCADE: whether what that changes is in the
// log, and whether somebody takes the table as it is where it is not.
enum class Cascades { kAreLogged, kAreSaid, kAreRefused };

struct TransactionReaderOptions {
  // MySQL with gtid_mode=ON: what is in the log is committed, but for XA. Else rows wait for the end.
  bool only_committed = false;
  uint32_t epoch = 0;
  Unrepresentable unrepresentable = Unrepresentable::kNull;
  std::function<bool(const TableName&)> wanted = {};         // empty: all
  std::function<arrow::Status(const TableMap&)> check = {};  // as RowDecoderOptions has it
  std::function<arrow::Result<std::set<std::string>>(const TableName&)> generated = {};  // the same
  std::function<void(const TableName&)> altered = {};  // a statement may have changed its columns
  // Whether a database may have tables that are captured, now or later; empty: each may.
  std::function<bool(const std::string&)> captures = {};
  // Whether rows of the table can be rolled back. Empty: nobody knows.
  std::function<arrow::Result<bool>(const TableName&)> transactional = {};
  // That were there when the stream began; rows of others have come since, or there are none.
  std::vector<TableName> tables = {};
  Cascades cascades = Cascades::kAreSaid;
  bool lower_case_names = false;  // the server has names of tables so, however statements write them
  RecordStoreOptions spool = {};
  size_t piece_bytes_max = size_t{1} << 20;  // of open rows as they are logged, before they become batches
  size_t threads = 0;                        // as RowPieces::Make has it
  int64_t transactions_max = 20'000;         // before progress is told
};

// One thread; the functions of the options are called from any.
class TransactionReader {
 public:
  // `start`: the token of where it begins. Errors: as RowDecoder::Make.
  static arrow::Result<std::unique_ptr<TransactionReader>> Make(TransactionReaderOptions options,
                                                                LogToken start);

  // The first transaction is to be this one, else kPositionGap; its rows are dropped.
  void Expect(const LastTransaction& last) { expected_ = last; }
  // Where that one begins and ends here; none: it has not come.
  struct Found {
    LogPlace begin;
    LogPlace end;
  };
  const std::optional<Found>& found() const { return found_; }
  // Rows of transactions that begin in front of there were delivered.
  void DropBefore(const LogPlace& place) { drop_before_ = place; }
  // From here on positions are of that epoch; between transactions, with nothing open.
  void SetEpoch(uint32_t epoch) { options_.epoch = epoch; }

  // Whose files the positions name from here on.
  void SetServer(std::string server) { token_.server = std::move(server); }

  // An event whose checksum was looked at. While busy() none may be given, and the bytes must stay.
  arrow::Status Take(const BinlogEvent& event);
  // There is more in what was given: Work does a piece of it.
  bool busy() const { return payload_.has_value() || replaying_; }
  arrow::Status Work();
  // So much is open that Flush should come first.
  bool full() const;
  // Makes events of all that is open. Behind it nothing is open but a transaction that has not ended.
  arrow::Status Flush();
  // The same of transactions that have ended, where nothing can be taken any more.
  arrow::Status FlushEnded();
  // Something waits for Flush, and for nothing else.
  bool open() const;

  // In the order of the log. nullopt: none is there, or, without `wait`, none that is decoded yet. Errors:
  // what is wrong with rows that were taken; all events in front of them came before.
  arrow::Result<std::optional<Event>> NextEvent(bool wait);
  // Events are being decoded, of so many rows that no more should be taken.
  bool decoding() const { return !closing_.empty(); }
  bool crowded() const { return pieces_->crowded(); }
  bool has_news() const { return !news_.notices.empty() || !news_.unmatched.empty(); }
  SourceNews TakeNews() { return std::exchange(news_, {}); }

  const LogPlace& place() const { return place_; }
  const LogToken& token() const { return token_; }
  uint32_t epoch() const { return options_.epoch; }
  bool in_transaction() const { return transaction_.has_value(); }

 private:
  struct Transaction {
    LogPlace begin;
    GtidBody gtid;
    bool begun = false;      // BEGIN has come, so something ends it; else it is one statement
    bool dropped = false;    // its rows were delivered
    bool waits = false;      // its rows are in the spool
    bool expected = false;   // Expect's
    bool given = false;      // events of it may have been
    bool xa = false;         // begun by XA START
    bool xa_wanted = false;  // and has rows that are wanted
    bool alters = false;     // tables
    uint64_t rows_events = 0;
    uint64_t records = 0;                                    // in the spool
    Savepoints savepoints;                                   // and what had come before
    std::vector<std::pair<uint64_t, uint64_t>> rolled_back;  // from one record to in front of another
  };

  // An XA transaction between its PREPARE, which has its rows, and its COMMIT.
  struct Prepared {
    LogPlace begin;                      // of the former
    LogToken token;                      // of what was in front of it
    std::unique_ptr<RecordStore> spool;  // none: no row of it is wanted
    uint64_t records = 0;
    std::vector<std::pair<uint64_t, uint64_t>> rolled_back;  // to its savepoints
    bool transactional = false;                              // as its GTID says of it
  };

  // What comes behind the rows of a piece.
  struct Closing {
    GroupState group;  // of its last batch
    std::vector<Event> behind;
  };

  explicit TransactionReader(TransactionReaderOptions options, LogToken start);

  arrow::Status TakeEvent(const BinlogEvent& event);
  arrow::Status TakeRest(const BinlogEvent& event);
  arrow::Status MovePlace(const BinlogEvent& event);
  arrow::Status SetFile(const RotateBody& rotate);
  arrow::Status TakeGtidList(std::span<const uint8_t> body);
  arrow::Status TakeHeartbeat(const BinlogEvent& event);
  arrow::Status BeginTransaction(const GtidBody& gtid);
  arrow::Status CheckExpected(const GtidBody& gtid);
  arrow::Status TakeTableMap(std::span<const uint8_t> body);
  arrow::Status TakeRows(uint8_t type, std::span<const uint8_t> body);
  arrow::Status TakeXaPrepare(const BinlogEvent& event);
  arrow::Status TakeQuery(const BinlogEvent& event);
  arrow::Status TakeStatement(const Statement& statement, const QueryBody& query);
  arrow::Status TakeDdl(const Statement& statement);
  void TellRowsAltered(const TableName& table);
  arrow::Status TakeCascades(const TableName& table);
  arrow::Status TakeAllDecoded();
  void Lose(const TableName& table);
  arrow::Status TakeEmptied(std::vector<TableName> tables);
  arrow::Status TakeDropped(const std::vector<TableName>& tables);
  arrow::Status TakeDroppedDatabase(const std::string& database);
  arrow::Status TakeRollbackTo(const std::string& savepoint);
  arrow::Status EndTransaction(bool committed);
  arrow::Status FinishTransaction();
  arrow::Status ReplayChunk();
  arrow::Status ReplayRecord(std::span<const uint8_t> record);
  arrow::Status CheckRollback(const TableName& table);
  arrow::Status TakeXaEnd(const Statement& statement);
  arrow::Status LookAtXa(uint8_t type, std::span<const uint8_t> body);
  arrow::Status Decode(uint8_t type, std::span<const uint8_t> body);
  void ForgetTableMaps();
  void Emit(Event event);
  arrow::Result<bool> TakeDecoded(bool wait);
  void ShareSchema(ChangeBatch* batch);

  bool Wanted(const TableName& table) const { return !options_.wanted || options_.wanted(table); }
  bool Captures(const QueryBody& query) const;
  arrow::Status NoRoom() const;
  void NotePassedOver(const TableName& table);
  // Of what a statement has done to a table.
  void Tell(bool error, const std::string& text, const TableName& table);
  arrow::Result<Position> SafePosition() const;
  std::string Here() const;
  arrow::Status Refused(ErrorKind kind, const std::string& what, const std::string& remedy) const;
  arrow::Result<std::shared_ptr<const TableSchema>> SchemaOf(const TableName& table);

  TransactionReaderOptions options_;
  std::unique_ptr<RowDecoder> decoder_;  // that knows table maps, and decodes nothing
  std::unique_ptr<RowPieces> pieces_;
  std::unique_ptr<RecordStore> spool_;
  std::map<std::string, Prepared> prepared_;  // by FormatXid
  LogToken token_;                            // of all transactions that have ended
  LogPlace place_;                            // behind the last event
  LogPlace event_at_;                         // the begin of the event that is looked at
  std::optional<LogPlace> drop_before_;
  std::optional<LastTransaction> expected_;
  std::optional<Found> found_;

  std::optional<Transaction> transaction_;
  std::optional<TransactionPayloadReader> payload_;
  bool replaying_ = false;
  uint64_t replayed_ = 0;

  std::deque<Event> events_;
  std::deque<Closing> closing_;    // of the pieces that are being decoded
  std::optional<LogPlace> ended_;  // the last transaction, since the last Flush
  size_t ended_bytes_ = 0;         // of the open piece, with that one
  bool keepalive_ = false;
  bool group_open_ = false;  // batches of a group were given, its end was not
  int64_t transactions_ = 0;
  std::map<TableName, std::shared_ptr<const TableSchema>> schemas_;  // that rows came with last
  GoneNames names_;
  SourceNews news_;
  std::set<TableName> passed_over_;  // that were told of
  TableName last_passed_over_;
};

}  // namespace arrowcdc::mysql
