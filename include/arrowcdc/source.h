// Source: one replication stream as events.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "arrowcdc/change_batch.h"

namespace arrowcdc {

// The end of the server's WAL: everything that was committed before it was asked for ends at or before it.
struct WalEnd {
  uint64_t lsn = 0;
  bool flushed = true;  // false: WAL of transactions in progress lies behind it, which nothing has flushed
};

// What is worth telling of tables and publications: nothing ends by it.
struct SourceNotice {
  bool error = false;  // rows that were asked for do not come; else a warning
  std::string text;    // what happened, and what to do
  std::string object;  // to what: table public.users, pattern public.*, publication "arrowcdc"
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
  std::vector<SourceNotice> notices;   // what else of the patterns has no effect, or less than they say
};

// What the server says before streaming.
struct SourceInfo {
  StreamIdentity stream;
  int server_version_num = 0;
  uint64_t confirmed_flush = 0;  // the slot's: changes that commit after it will come
  uint64_t current_flush = 0;    // end of the server's WAL on its disk now
  bool slot_start_known =
      true;                // false: slot_used is what can be guessed without knowing where the slot began
  bool slot_used = false;  // changes of this slot were acknowledged before, as far as the server can tell
  PublishedState published;
  // kPositionGap where setup noted that the slot is for other tables than were asked for: of interest to
  // whoever begins with it, and remembers nothing of it.
  arrow::Status other_tables;
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
};

struct SourceStats {
  uint64_t received_bytes = 0;
  uint64_t server_lsn = 0;  // highest LSN the server has told us
  int64_t buffered_bytes = 0;
};

// Threads: Next, Connect and Start from one thread; Acknowledge, RequestKeepalive and stats from any. The
// socket has a thread of its own, which answers the server while the reader is slow and stops reading when
// buffer_bytes_max is reached. Errors: MakeError with SQLSTATE, object and remedy; retryable ones can be
// followed by Connect and Start again.
class Source {
 public:
  virtual ~Source() = default;

  // Connects, checks slot, plugin, publications, tables and settings; starts nothing. Again after an error: a
  // new connection. Errors: kPublicationMismatch where rows of a table that was asked for come under a name
  // that was not.
  virtual arrow::Result<SourceInfo> Connect() = 0;

  // Where the server's history left `timeline` for the next one. Between Connect and Start only.
  virtual arrow::Result<uint64_t> TimelineEnd(uint32_t timeline) = 0;

  // The tables that the stream carries as far as the catalog tells, for checks before the start. Between
  // Connect and Start only.
  virtual arrow::Result<std::vector<SourceTable>> Tables() = 0;

  // The end of the server's WAL now. Waits up to a second for what asynchronous commits have not flushed yet.
  // Between Connect and Start only.
  virtual arrow::Result<WalEnd> CurrentEnd() = 0;

  // START_REPLICATION from `start` (0: the slot's confirmed position). After Connect.
  virtual arrow::Status Start(uint64_t start) = 0;

  // Next event; nullopt when `timeout` has passed. Blocking: up to timeout.
  virtual arrow::Result<std::optional<Event>> Next(std::chrono::milliseconds timeout) = 0;

  // `durable`: end LSN up to which all is durable. Told to the server at once, monotone: lower values are
  // ignored.
  virtual void Acknowledge(uint64_t durable) = 0;

  // Asks the server for its position; the answer is a KeepaliveEvent.
  virtual void RequestKeepalive() = 0;

  // Ends the stream in order (CopyDone, rest of the acknowledgements sent), then the connection. Idempotent;
  // blocks at most about two seconds.
  virtual arrow::Status Stop() = 0;

  virtual SourceStats stats() const = 0;
};

}  // namespace arrowcdc
