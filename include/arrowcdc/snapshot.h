// Snapshot: the rows that tables had before their changes are streamed, at one point of the source's log.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "arrowcdc/change_batch.h"
#include "arrowcdc/position.h"
#include "arrowcdc/source_notice.h"

namespace arrowcdc {

// Whether rows that tables had before their changes are copied.
enum class SnapshotMode {
  kAuto,     // initial or never, as it suits who takes them: see there
  kInitial,  // by who begins; a copy that was begun is completed
  kNever,
  kOnly,        // as initial, and nothing is streamed behind it
  kWhenNeeded,  // as initial, and all over again where changes are lacking
};

// A table that is to be copied.
struct SnapshotTable {
  TableName name;         // that its rows come under
  uint32_t table_id = 0;  // TableSchema::table_id
  int64_t rows = -1;      // as the source estimates them; -1: it does not
  int64_t bytes = 0;      // in the source, as far as it tells
  int part_count = 0;     // at least 1
  int parts_kept = 0;     // of them: that the target has from before
  Position point;         // the least of its parts
};

// A table whose rows up to a point are durable in a sink: what committed before it is in them.
struct CopiedTable {
  TableName name;
  uint32_t table_id = 0;
  Position point;
  // Of a copy that was interrupted: those at which it went on, rising. Once all changes from `point` up to
  // the last of them are there, too, the rows are those of the table.
  std::vector<Position> later_points = {};
  bool has_files = false;  // of a sink that stores files: some hold these rows
};

// A part of a table's rows, as they were at one point. A sink may keep it although its table is not complete.
// What seen, layout and range mean only the source knows.
struct SnapshotPart {
  TableName table;
  uint32_t table_id = 0;
  Position point;
  std::string seen;            // what the point has seen
  std::string layout;          // of the table: rows of another one do not count any more
  std::string range;           // of its rows; empty: the part cannot be kept
  bool voids_earlier = false;  // a row in front says that what there was of the table before is gone
};

// Whether a table is to be copied.
using WantedTables = std::function<bool(const TableName&, uint32_t table_id)>;

// What the server keeps for a copy, as it was when it was last asked.
struct SnapshotHold {
  uint64_t log_bytes = 0;  // for the changes that come behind the copy
  // Until the server drops some of it, as fast as it grows now; none: there is no limit, or it does not grow.
  std::optional<std::chrono::seconds> lost_in;
  std::chrono::seconds rows_for{0};  // for so long rows that were deleted since have been kept
};

// What one worker reads: a part, its batches, the next part. One thread; each has connections of its own.
class SnapshotReader {
 public:
  virtual ~SnapshotReader() = default;

  // Begins a part that nobody else has begun: its table's place in Snapshot::tables; the one before is done.
  // nullopt: none is left. Blocking: as the source's queries. Errors: kBusy, retryable, where a table was
  // changed so that it must be read at another point; its other parts are left out, and the error comes when
  // no other reader has a part.
  virtual arrow::Result<std::optional<size_t>> NextPart() = 0;

  // Which it is, and the table as its rows have it. Between NextPart and the next one.
  virtual SnapshotPart part() const = 0;
  virtual std::shared_ptr<const TableSchema> table() const = 0;

  // The part's next rows, whose _op is snapshot; nullopt: they were all, and all of them at the point.
  virtual arrow::Result<std::optional<ChangeBatch>> Next() = 0;
};

// Rows of all tables as they were at one point. Made by Source::BeginSnapshot; the source holds back nothing
// for it but what its server must keep for its readers. Threads: any.
class Snapshot {
 public:
  virtual ~Snapshot() = default;

  virtual const std::vector<SnapshotTable>& tables() const = 0;

  // Everything that committed before it is in the rows, and nothing else. Their _commit_lsn is one less than
  // its order.
  virtual Position point() const = 0;

  // One reader reads it, and nothing is kept of a table that is not complete: there is no use in parts, which
  // may cost the source more than the whole. Other tables do not follow one that was begun and is not
  // complete. Before MakeReader; `tables` may have other numbers of parts then.
  virtual void ReadWholeTables() {}

  virtual arrow::Result<std::unique_ptr<SnapshotReader>> MakeReader() = 0;

  // To be called at least once a minute from one thread while readers may begin parts. Errors: the point is
  // lost to parts that were not begun; kSlotInvalidated, kSlotMissing: the changes behind the copy are.
  virtual arrow::Result<SnapshotHold> KeepAlive() = 0;

  // Ends what readers wait for, now and from then on: kInterrupted.
  virtual void Cancel() = 0;

  // Of KeepAlive, and after it.
  virtual std::vector<SourceNotice> TakeNotices() { return {}; }
};

// Rows of one part of a snapshot on their way. Threads: any one at a time. Let go without Finish it leaves
// nothing.
class SnapshotPartWriter {
 public:
  virtual ~SnapshotPartWriter() = default;

  // `batch` is of the part's table; its rows come after those of the batch before.
  virtual arrow::Status Write(const ChangeBatch& batch) = 0;

  // All rows came. They count once SnapshotTarget::CompleteTable has succeeded for their table.
  virtual arrow::Status Finish() = 0;
};

// Where a snapshot's rows go.
class SnapshotTarget {
 public:
  virtual ~SnapshotTarget() = default;

  // How many parts may be written at the same time. 1: one after the other, those of a table without others
  // in between, and all calls from one thread at a time.
  virtual int snapshot_writers_max() const = 0;

  // Whether finished parts of a table that is not complete may be of use to the next copy.
  virtual bool keeps_parts() const { return false; }

  // From any thread while nothing else is called but this and CompleteTable.
  virtual arrow::Result<std::unique_ptr<SnapshotPartWriter>> BeginPart(const SnapshotPart& part) = 0;

  // All parts of the table are finished, one without rows too: they are durable on return, where the target
  // keeps anything, and stored as complete then or soon. Until they are, the next process copies them again.
  virtual arrow::Status CompleteTable(const CopiedTable& table) = 0;
};

}  // namespace arrowcdc
