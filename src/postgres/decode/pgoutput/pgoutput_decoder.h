// Bytes of pgoutput -> events, as the wal2arrow decoder gives them. No socket, no clock: what it has to know
// of relations and types it asks a catalog.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <arrow/memory_pool.h>
#include <arrow/result.h>

#include "arrowcdc/change_batch.h"
#include "src/postgres/decode/pgoutput/messages.h"
#include "src/postgres/decode/pgoutput/relation.h"
#include "src/postgres/decode/pgoutput/relation_catalog.h"
#include "src/postgres/decode/streamed_transactions.h"

namespace arrowcdc {

struct PgoutputOptions {
  ValueOptions values = {};
  // Rows that are held, of all tables, before they become events: at a commit, and in mid-transaction.
  int64_t commit_bytes = int64_t{256} << 10;
  int64_t batch_bytes_max = int64_t{1} << 20;
  // Rows of transactions that a replication has brought from elsewhere are passed over: for servers before
  // 16, which send them.
  bool foreign_origins = true;
};

// Decodes one replication session of protocol 1 or 2, without two-phase and origin filters; make a new one
// after a reconnect. Rows come one by one and are held until there are enough for a batch. One thread.
class PgoutputDecoder {
 public:
  // memory_pool: for what is built; events point to nothing of the input. epoch: of all positions, the
  // timeline that the session streams. The catalog outlives the decoder. in_progress: what becomes of
  // transactions before they commit.
  PgoutputDecoder(arrow::MemoryPool* memory_pool, uint32_t epoch, RelationCatalog* catalog,
                  const PgoutputOptions& options = {}, InProgress in_progress = {});

  // What the plugin wrote, and the place in the WAL that its message has (XLogData's dataStart); events that
  // it completes are there to be taken. Errors: kProtocol with offset and message; kUnsupported for what is
  // not supported on purpose; the catalog's. The decoder must not be used further.
  arrow::Status Decode(std::string_view message, uint64_t lsn);

  // The next event that is there; nullopt: none is, or has_more says that there may be: of a transaction that
  // was sent while it was in progress and has committed. Before the next Decode and Flush all of that is
  // taken; some of what was sent is looked at each time, whether it counts or not. Errors: as Decode, and the
  // spool's.
  arrow::Result<std::optional<Event>> Next();
  bool has_more() const { return streamed_.replaying() || !events_.empty(); }

  // Rows or a position are held that Flush turns into events.
  bool holds() const { return !open_.empty() || (!in_transaction_ && (group_open_ || position_due_)); }
  // Within a transaction its rows are an unfinished group.
  arrow::Status Flush();

  // The last error was a value in a binary form that no reader understands: a session in text reads it.
  bool needs_text() const { return needs_text_; }
  // It was what comes of transactions in progress: a session without them can go on.
  bool needs_whole_transactions() const { return needs_whole_transactions_; }

 private:
  using Relation = pgoutput::Relation;

  template <typename Step>
  arrow::Status Guard(Step step);
  arrow::Status Dispatch(std::string_view message, uint64_t lsn);
  arrow::Status DispatchOutside(char kind, BinaryCursor* cursor);
  arrow::Status Begin(BinaryCursor* cursor);
  arrow::Status Commit(BinaryCursor* cursor);
  arrow::Status BeginAs(const pgoutput::BeginMessage& transaction);
  arrow::Status EndAt(const pgoutput::CommitMessage& message);

  // Of transactions in progress.
  arrow::Status StreamStart(BinaryCursor* cursor);
  arrow::Status StreamCommit(BinaryCursor* cursor);
  arrow::Status StreamAbort(BinaryCursor* cursor);
  arrow::Status MayBeOfAnotherSchema();
  arrow::Status TakeOfBlock(std::string_view message, uint64_t lsn);
  arrow::Result<bool> IsWanted(char kind, BinaryCursor cursor);
  arrow::Status Replay();
  arrow::Status EndReplay();

  arrow::Status Announce(BinaryCursor* cursor, uint64_t number);
  arrow::Status WeakenAncestors(const Relation& partition);
  arrow::Status Insert(BinaryCursor* cursor, uint64_t lsn);
  arrow::Status Update(BinaryCursor* cursor, uint64_t lsn);
  arrow::Status Delete(BinaryCursor* cursor, uint64_t lsn);
  arrow::Status Truncate(BinaryCursor* cursor, uint64_t lsn);
  arrow::Status Message(BinaryCursor* cursor);

  arrow::Result<Relation*> BeginRow(BinaryCursor* cursor);
  arrow::Result<Relation*> Find(uint32_t oid);
  arrow::Status ReadTuple(BinaryCursor* cursor, const Relation& relation, pgoutput::Tuple* tuple);
  arrow::Status AddRow(Relation* relation, Op op, uint64_t lsn, const pgoutput::Tuple& tuple,
                       const pgoutput::Tuple* old);
  arrow::Status ReadCell(Relation* relation, int field, const pgoutput::TupleCell& cell);
  arrow::Status FlushInTransaction();
  GroupState GroupOf(bool ends) const;
  uint16_t NextOrd(uint64_t lsn);

  arrow::Status Fault(const std::string& what) const;
  arrow::Status FaultAt(const BinaryCursor& cursor, const std::string& what) const;
  uint64_t OffsetOf(const char* at) const { return static_cast<uint64_t>(at - message_.data()); }

  arrow::MemoryPool* pool_;
  const uint32_t epoch_;
  RelationCatalog* catalog_;
  const PgoutputOptions options_;

  struct Announced {
    std::string content = {};  // of the message
    uint64_t number = 0;       // of the announcement, as it came
    std::unique_ptr<Relation> relation = nullptr;
  };
  std::unordered_map<uint32_t, Announced> relations_;
  uint64_t announcements_ = 0;
  std::vector<Relation*> open_;  // in the order of their first rows
  int64_t held_bytes_ = 0;
  std::deque<Event> events_;

  bool in_transaction_ = false;
  bool passes_over_ = false;  // its rows, for its origin
  pgoutput::BeginMessage transaction_;
  int64_t commit_ts_ = 0;    // since 1970
  uint64_t record_lsn_ = 0;  // of the last row
  uint32_t record_rows_ = 0;

  std::optional<uint64_t> safe_lsn_;  // end of the last transaction
  bool position_due_ = false;         // it has not been told
  bool group_open_ = false;           // events of a group are out, its end is not
  bool needs_text_ = false;
  bool needs_whole_transactions_ = false;
  bool failed_ = false;

  StreamedTransactions streamed_;
  // Of each transaction in progress the tables as it announced them.
  std::unordered_map<uint32_t, std::unordered_map<uint32_t, TableName>> streamed_tables_;
  pgoutput::CommitMessage streamed_commit_;  // of the transaction that is read back
  // Of relations that it announces anew: what was in force before.
  std::unordered_map<uint32_t, std::pair<std::string, uint64_t>> displaced_;

  std::string_view message_;  // that is being decoded
  pgoutput::Tuple old_tuple_;
  pgoutput::Tuple new_tuple_;
};

}  // namespace arrowcdc
