// Tables that join while readers read: the rows that they have are copied beside the stream, and their
// changes wait behind them.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <future>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include <arrow/result.h>

#include "arrowcdc/source.h"
#include "arrowcdc/stop_token.h"
#include "src/delivery/background_copy.h"
#include "src/delivery/backoff.h"
#include "src/delivery/change_stream.h"

namespace arrowcdc {

// One thread: the stream's.
class LaterTables : private BackgroundCopy::Listener {
 public:
  using Clock = std::chrono::steady_clock;

  // Where rows and changes go: SnapshotTarget::CompleteTable releases the table, too.
  struct Readers : SnapshotTarget {
    // The table's changes wait from here on, behind its rows.
    virtual void Hold(const TableName& table) = 0;
    // They come as they do, those that waited first.
    virtual arrow::Status Release(const TableName& table) = 0;
    // Of which the readers have rows that a copy does not take over.
    virtual std::set<TableName> Begun() = 0;
    virtual void SetProgress(SnapshotProgress progress) = 0;
    virtual void KeepCompleted() = 0;
    virtual void Tell(const SourceNotice& notice) = 0;
  };

  // All must outlive it. connections, retry_max: as ReaderSetOptions has them.
  LaterTables(Source& source, ChangeStream& changes, Readers& readers, const StopToken& stop,
              int64_t connections, std::optional<std::chrono::milliseconds> retry_max);

  // Before a stream, and nothing is copied beside it without: the tables that do not join later.
  void Begin(const std::set<uint32_t>& known);

  // Before changes of the table are given.
  void Meet(const TableSchema& table);
  // Does what is due.
  arrow::Status Turn(Clock::time_point now);
  // Whether the table's rows are being copied, or the point is taken.
  bool IsUnderWay(const TableName& table) const { return copying_.contains(table); }
  // Waits up to `timeout` for what the copy asks of this thread, and does it.
  arrow::Status Serve(std::chrono::milliseconds timeout);
  bool busy() const { return beside_ != nullptr || !waiting_.empty(); }
  // Everything else is delivered. Errors: of a copy that fails for longer than a stream may before it begins.
  arrow::Status Finish();
  // Ends what goes on. The readers take nothing any more.
  void End() { beside_.reset(); }

 private:
  std::set<TableName> OnPoint(const Snapshot& snapshot) override;
  void OnCopied(const SnapshotProgress& progress) override;
  void OnNoticeOf(const SourceNotice& notice) override { readers_.Tell(notice); }

  void Note(const TableName& table, uint32_t table_id);
  void Look(Clock::time_point now);
  void BeginNext(Clock::time_point now);
  arrow::Status EndCopy();
  arrow::Status NoteFailure(const std::set<TableName>& tables);

  Source& source_;
  ChangeStream& changes_;
  Readers& readers_;
  const StopToken& stop_;
  const int64_t connections_;
  const std::optional<std::chrono::milliseconds> retry_max_;

  bool begun_ = false;
  std::set<uint32_t> known_;  // TableSchema::table_id
  std::deque<TableName> waiting_;
  std::set<TableName> copying_;  // and not complete
  TableIds there_;               // at the point, once it is taken
  bool one_by_one_ = false;      // one of several cannot be copied
  std::set<TableName> told_;     // of which a failure was told
  arrow::Status last_;           // of the copies
  Backoff backoff_{std::nullopt};
  Clock::time_point next_try_{};
  Clock::time_point next_look_{};
  std::future<arrow::Result<std::vector<SourceTable>>> look_;
  std::unique_ptr<BackgroundCopy> beside_;
};

}  // namespace arrowcdc
