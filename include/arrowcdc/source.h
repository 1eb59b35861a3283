// Source: one replication stream as events.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/result.h>

#include "arrowcdc/change_batch.h"
#include "arrowcdc/snapshot.h"
#include "arrowcdc/source_notice.h"

namespace arrowcdc {

// The end of the source's log: everything that was committed before it was asked for ends at or before it.
struct LogEnd {
  Position position;
  bool flushed = true;  // false: changes in progress lie behind it, which nothing has flushed
};

// What a publication lists does not come any more, or never did, although it was asked for.
enum class OnUnpublished {
  kGoOn,  // it is said and counted; a new sink ends when it has what the slot holds, where nothing comes at
          // all
  kStop,  // the stream ends when it has delivered what the slot holds
};

// What the publications send of what was asked for, as the catalog has it now.
struct PublishedState {
  std::vector<std::string> publications;
  bool lists_tables = true;            // false: one is for all tables, or for those of a schema
  bool any = false;                    // something is published
  bool any_pattern = false;            // tables were asked for by pattern
  std::vector<TableName> coming;       // names that rows come under, of those that were asked for
  std::vector<TableName> not_coming;   // exist, were asked for, could be captured, and are not published
  std::vector<TableName> passed_over;  // names that rows come under and nobody asked for
  std::string nearest;                 // what patterns that match no table may mean; empty: not known
  std::vector<SourceNotice> notices;   // what else of the patterns has no effect, or less than they say
};

// What the source says before streaming.
struct SourceInfo {
  StreamIdentity stream;
  Position end;  // of what the source has on its disk now
  PublishedState published;
  bool fresh = false;  // as far as it is known nobody has acknowledged anything: who begins now is the first
  bool has_tables = true;  // false: it is a log alone, and nobody can be asked for rows
  // kPositionGap where setup noted that the slot is for other tables than were asked for: of interest to
  // whoever begins with it, and remembers nothing of it.
  arrow::Status other_tables;
};

// What there is already of a stream that is to begin, or to go on.
struct ResumeRequest {
  enum class Have {
    kNothing,     // and nothing is kept: the source alone says where to begin
    kNothingYet,  // what comes is kept, and nothing has come
    kStored,      // everything up to `position`, from an earlier process
    kDelivered,   // everything up to `position`, over an earlier connection of the same Source
  };
  Have have = Have::kNothing;
  Position position{};
  bool accept_gap = false;  // begin although changes are lacking that the source has passed
  bool in_part = false;     // rows, or copied tables, are there from behind `position`
  bool copies_all = false;  // all rows are copied behind it: it may begin anywhere, in another history, too
};

// A table that the stream carries, as the catalog has it now. What its rows really look like comes with the
// first of them.
struct SourceTable {
  struct Column {
    std::string name;
    std::string type;  // the server's name for it, for people
    bool plain =
        true;  // in Arrow each value is one number, time, text or byte string: no list, struct, interval
    int key_place = 0;  // in the replica identity, from 1; 0: no part of it
  };
  TableName name;  // that its changes come under
  ReplicaIdentity replica_identity = ReplicaIdentity::kDefault;
  std::vector<Column> columns;  // those that are sent
  uint32_t table_id = 0;        // TableSchema::table_id
};

// What a source has to tell besides events, each once.
struct SourceNews {
  std::vector<SourceNotice> notices{};
  // Rows of tables that match no pattern, which the source has passed over itself.
  std::map<TableName, uint64_t> unmatched{};
};

struct SourceStats {
  uint64_t received_bytes = 0;
  uint64_t server_lsn = 0;  // highest position the server has told us
  int64_t buffered_bytes = 0;
};

// Threads: Acknowledge, RequestKeepalive, ParsePosition, FormatPosition, BytesBetween, Rebase, Tables,
// BeginSnapshot and stats from any, all else from one. A source reads ahead of Next, up to a bound in bytes
// of its own, and answers its server however slow Next is called.
// Errors: MakeError with object and remedy, and the server's code where it has one; retryable ones can be
// followed by Connect and Start again.
class Source {
 public:
  virtual ~Source() = default;

  // Connects, checks all that can be known before a stream; starts nothing. Again after an error: a
  // new connection. Errors: kPublicationMismatch where rows of a table that was asked for come under a name
  // that was not.
  virtual arrow::Result<SourceInfo> Connect() = 0;

  // Where to start, so that the next change follows what there is: in the epoch of this connection. Between
  // Connect and Start only. Errors: kPositionGap with the positions and the remedy, where changes are lacking
  // in between, or what there is belongs to another history than the source's.
  virtual arrow::Result<Position> Resume(const ResumeRequest& request) = 0;

  // The tables that the stream carries as far as the catalog tells now. After Connect; blocking: for a
  // connection of its own.
  virtual arrow::Result<std::vector<SourceTable>> Tables() = 0;

  // Takes a point for the rows that those tables of the stream have now that are `wanted`, asked by the name
  // that their rows come under and TableSchema::table_id. Of a table of which `parts` are there already, made
  // by an earlier snapshot of this source, only what they lack is read, where they can be relied on
  // (SnapshotTable::parts_kept). After Connect, and with parts before Start, from the thread of that; what
  // Resume answers must be known before, so that the stream begins before the point. Blocking: until the
  // transactions that are open have ended, up to a minute. Errors: typed; retryable where it may go better
  // later.
  virtual arrow::Result<std::unique_ptr<Snapshot>> BeginSnapshot(const WantedTables& wanted,
                                                                 const std::vector<SnapshotPart>& parts) = 0;

  // The end of the source's log now. Waits up to a second for what asynchronous commits have not flushed yet.
  // Between Connect and Start only.
  virtual arrow::Result<LogEnd> CurrentEnd() = 0;

  // The position that a text names (PostgreSQL: an LSN, "16/B374D848"), in the epoch of the last connection.
  // After the first Connect. Errors: kInvalidOption.
  virtual arrow::Result<Position> ParsePosition(std::string_view text) = 0;
  // As ParsePosition reads it, for people.
  virtual std::string FormatPosition(const Position& position) const { return FormatLsn(position.order); }
  // Bytes of log between two positions of one epoch: at least so many (MySQL: those in the file of the last).
  virtual uint64_t BytesBetween(uint64_t from_order, uint64_t to_order) const {
    return to_order > from_order ? to_order - from_order : 0;
  }
  // The same place in the epoch of the last connection, of a position that this Source made earlier: epochs
  // order what was delivered, not what is still to come.
  virtual arrow::Result<Position> Rebase(const Position& position) = 0;

  // Whether the source's log has that position, of this Source or of an earlier process. Between Connect and
  // Start only. Errors: as the connection's.
  virtual arrow::Result<bool> HasInHistory(const Position& position) = 0;

  // Whether the transaction of that row is part of everything up to `position`, which this Source made.
  virtual bool Covers(const Position& position, const RowPosition& row) const = 0;

  // Begins to stream. After Connect.
  virtual arrow::Status Start(const Position& start) = 0;

  // Of Start, and of Next: after each of them.
  virtual SourceNews TakeNews() { return {}; }

  // Next event; nullopt when `timeout` has passed. Blocking: up to timeout.
  virtual arrow::Result<std::optional<Event>> Next(std::chrono::milliseconds timeout) = 0;

  // Everything up to `durable` is. Told to the server at once, monotone: lower positions are ignored.
  virtual void Acknowledge(const Position& durable) = 0;

  // Asks the server how far it is; the answer is a KeepaliveEvent.
  virtual void RequestKeepalive() = 0;

  // Ends the stream in order, the last acknowledgement sent, then the connection. Idempotent; blocks at most
  // about two seconds.
  virtual arrow::Status Stop() = 0;

  virtual SourceStats stats() const = 0;
};

}  // namespace arrowcdc
