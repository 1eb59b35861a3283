// Readers: one stream of changes, pulled as Arrow batches by table or by hash partition of a table. One slot
// and one walsender, however many readers there are.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "arrowcdc/change_batch.h"
#include "arrowcdc/hash_partitioner.h"
#include "arrowcdc/snapshot.h"
#include "arrowcdc/source.h"
#include "arrowcdc/stop_token.h"
#include "arrowcdc/table_patterns.h"

namespace arrowcdc {

enum class CommitMode {
  kByHand,  // Commit says that all that Next has returned is dealt with
  kOnNext,  // the next Next says it
};

struct ReaderSetOptions {
  std::vector<TableName>
      tables;  // have readers from the start; any other table gets its own with its first change
  bool published_tables = false;  // so have those that are published and match
  CommitMode commit = CommitMode::kByHand;
  // Bytes of batches that wait in one reader, and in all of them together (at least reader_bytes_max); when
  // they are reached the server waits. A reader that was asked and had nothing gets its next batch in any
  // case. What the source holds between socket and decoder (PostgresOptions::buffer_bytes_max) comes on top.
  int64_t reader_bytes_max = 32 << 20;
  int64_t bytes_max = 256 << 20;
  // More than one: every table has so many readers, rows go to them by the hash of their key
  // (HashPartitioner).
  int partitions = 1;
  PartitionHash hash = PartitionHash::kMurmur3;
  std::map<TableName, std::vector<std::string>>
      partition_columns;  // where it is not the whole replica identity
  // A full reader stops the stream for the others. It ends in an error when it was not read for so long while
  // another one waited for rows in vain: unread_limit where it was never read, slow_limit where it was, so
  // that somebody may still be busy with its last batch (0: it is never ended). Where the readers together
  // are full, this meets the one that holds most.
  std::chrono::milliseconds unread_limit{5'000};
  std::chrono::milliseconds slow_limit{600'000};
  // Readers give the rows that their tables had before, then the changes. kAuto: initial where nobody has
  // read the slot. Nothing is acknowledged before they are committed, so after an end before that they come
  // again. Where a table must be read anew meanwhile, a row whose _op is truncate comes before. The same for
  // tables that join while the stream goes on, unless it is kNever: their changes wait behind their rows, up
  // to reader_bytes_max for all such tables on top of the other bounds; then the stream does.
  SnapshotMode snapshot = SnapshotMode::kNever;
  int64_t snapshot_connections = 0;                     // as PipelineOptions::snapshot_connections
  OnUnpublished on_unpublished = OnUnpublished::kGoOn;  // an end comes when all is committed, too
  std::optional<std::string> until;                     // as PipelineOptions::until
  bool accept_tables = false;                           // read a slot that was set up for other tables
  std::optional<std::chrono::milliseconds> retry_max;   // as PipelineOptions::retry_max
  // The source's own, so that Stop ends an attempt to connect, too. Null: the set has one of its own.
  std::shared_ptr<StopToken> stop;
};

enum class ReadState { kBatch, kTimeout, kEnd };

struct ReadResult {
  ReadState state = ReadState::kTimeout;
  // Of kBatch. One version of the table a batch; a batch of one row whose _op is truncate is a TRUNCATE.
  std::shared_ptr<const TableSchema> table;
  std::shared_ptr<arrow::RecordBatch> rows;
};

struct ReaderStats {
  uint64_t rows = 0;                 // returned by Next
  uint64_t batches = 0;              // returned by Next
  int64_t waiting_bytes = 0;         // received, not returned yet
  uint64_t uncommitted_batches = 0;  // returned, not committed
  bool snapshot_complete = false;    // Next has returned all rows that the table had before
};

struct SharedStream;  // what the readers of a set have in common

// One table, or one partition of it. Threads: Next and Commit from one thread at a time, the others from any.
class Reader {
 public:
  struct Waiting;  // the library's own
  Reader(std::shared_ptr<SharedStream> stream, TableName table, int partition);
  ~Reader();

  const TableName& table() const { return table_; }
  int partition() const { return partition_; }
  std::string ToString() const;  // table "public"."users", with the partition where there are several

  // Next batch, in the order of the commits. kEnd: the stream has ended in order, or `until`, a position as
  // the source reads it, is given and everything that commits at or before it was returned (rows after it may
  // have been returned, too).
  // Blocking: up to timeout. Errors: what ended the stream, after all that came before it was returned; what
  // ended this reader, at once.
  arrow::Result<ReadResult> Next(std::chrono::milliseconds timeout,
                                 const std::optional<std::string>& until = std::nullopt);

  // Everything that Next has returned is dealt with: it will not come again, and the slot may move over it.
  // Errors: the stream was stopped, so that the server cannot be told.
  arrow::Status Commit();

  // Nobody wants these rows any more: what waits and what comes is dropped and no longer holds the slot back.
  // Idempotent.
  void Close();

  // Ends reading, and keeps the claim: what was not committed comes again from the slot the next time.
  // Idempotent.
  void Abandon();

  // Called when Next may return something other than kTimeout, and when there is something for TakeNotices;
  // from any thread and under a lock: it must only signal.
  void SetNotify(std::function<void()> notify);

  ReaderStats stats() const;

 private:
  friend struct SharedStream;

  const std::shared_ptr<SharedStream> stream_;
  const TableName table_;
  const int partition_;
  const std::unique_ptr<Waiting> waiting_;  // guarded by the stream's lock
};

struct ReaderEvent {
  enum class Kind {
    kReaderAdded,   // a table without a reader had its first change
    kReaderEnded,   // `status` says why; its rows stay in the slot until Close
    kReconnecting,  // `status` says why
    kNotice,        // `notice`, of `reader` where it is of its table; it goes on
  };
  Kind kind = Kind::kReaderAdded;
  std::shared_ptr<Reader> reader;
  arrow::Status status;
  SourceNotice notice;
};

struct ReaderSetStats {
  std::optional<Position> delivered;     // everything up to here was given to the readers
  std::optional<Position> acknowledged;  // everything up to here is committed, and the source was told
  uint64_t server_lsn = 0;
  uint64_t received_bytes = 0;
  uint64_t reconnects = 0;
  uint64_t rows_unmatched = 0;                     // of tables outside the patterns
  std::map<TableName, uint64_t> unmatched_tables;  // the same by table; of the first 1,000
  uint64_t tables_unpublished = 0;                 // asked for, and known not to come
  // Of the rows that were there before: tables whose rows are read first, how many were read, and rows.
  uint64_t snapshot_tables = 0;
  uint64_t snapshot_tables_done = 0;
  uint64_t snapshot_rows = 0;
};

// The stream and its readers. What is acknowledged to the server is the least position that a reader with
// rows outstanding has not committed; a reader without any holds nothing back. The stream has a thread of its
// own, which connects again after errors that a retry can mend.
class ReaderSet {
 public:
  // Connects and starts. patterns: tables that are let through; none: all. With several partitions every
  // such table must have a key to be split by: what the catalog tells is checked before anything is streamed,
  // a table that comes or changes later with its first row (its readers end, the others go on).
  // Errors: the source's; kInvalidOption; those of HashPartitioner::Make, naming table and column.
  static arrow::Result<std::unique_ptr<ReaderSet>> Open(std::unique_ptr<Source> source,
                                                        ReaderSetOptions options,
                                                        std::optional<TablePatterns> patterns = std::nullopt);
  ~ReaderSet();  // Stop
  ReaderSet(const ReaderSet&) = delete;
  ReaderSet& operator=(const ReaderSet&) = delete;

  // Partitions of a table stand beside each other.
  std::vector<std::shared_ptr<Reader>> readers() const;
  // Null where the table has none.
  std::shared_ptr<Reader> reader(const TableName& table, int partition = 0) const;

  // The oldest event that was not taken yet; nullopt when there is none after `timeout`, or at once when the
  // stream has ended. Events are kept up to a bound.
  std::optional<ReaderEvent> NextEvent(std::chrono::milliseconds timeout);
  // What was told and not taken here yet, for a log: what the events tell, readers that were added aside.
  // Kept up to a bound.
  std::vector<SourceNotice> TakeNotices();
  // Nothing more comes: the stream has ended, in order or with an error.
  bool ended() const;

  const SourceInfo& info() const;
  ReaderSetStats stats() const;

  // Ends the stream in order. What was not committed comes again the next time. Readers outlive it and return
  // errors. Idempotent; blocks at most about two seconds.
  arrow::Status Stop();

 private:
  ReaderSet();
  class Pump;
  std::unique_ptr<Pump> pump_;
};

}  // namespace arrowcdc
