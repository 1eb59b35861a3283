// One source as one stream of new rows and positions, however often the connection is lost: where it starts,
// when it connects again, which rows are repeated ones, what a group is, what is published. What becomes of
// rows and positions is its driver's: a sink's (pipeline) or the readers'. One thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include <arrow/record_batch.h>
#include <arrow/status.h>

#include "arrowcdc/change_batch.h"
#include "arrowcdc/sink.h"
#include "arrowcdc/source.h"
#include "arrowcdc/stop_token.h"
#include "arrowcdc/table_patterns.h"
#include "src/delivery/backoff.h"
#include "src/delivery/publication_watch.h"
#include "src/delivery/repeated_rows.h"

namespace arrowcdc {

using TableIds = std::shared_ptr<const std::set<uint32_t>>;

struct ChangeStreamOptions {
  std::optional<std::string> until;  // as PipelineOptions::until
  bool keeps_data = false;           // the driver knows at a start what it has
  bool moves_slot = true;            // what is delivered is acknowledged sometime
  bool accept_tables = false;        // begin with a slot that was set up for other tables
  bool accept_plugin = false;        // go on although another plugin decoded what there is
  bool accept_gap = false;           // start although changes are lacking that the slot has passed
  OnUnpublished on_unpublished = OnUnpublished::kGoOn;
  std::optional<std::chrono::milliseconds> retry_max;  // as PipelineOptions::retry_max
};

// What a stream tells its driver, from the thread that runs it. An error ends the stream unless it says that
// a retry helps.
class StreamDriver {
 public:
  virtual ~StreamDriver() = default;

  // Once, at the first connection, before anything is checked: what is there already.
  virtual arrow::Result<SinkState> Open(const SourceInfo& info) = 0;
  // When the start is allowed; `state` is what Open gave. Again where the start fails and the driver keeps
  // nothing.
  virtual arrow::Status Begin(const SourceInfo& info, const SinkState& state) = 0;
  // Whether Prepare will copy the rows that are there, so that nothing earlier has to come.
  virtual bool CopiesFirst() const { return false; }
  // Changes are lacking behind what there is: whether Prepare will copy all rows anew.
  virtual bool CopiesAllAgain() { return false; }
  // At each connection, when it is known that the stream will begin at `start`, and before it does: what has
  // to be there first.
  enum class Prepared {
    kNothingToDo,
    kConnectAgain,  // it took time
    kNoStream,      // nothing is to be streamed, or not yet: OpenAgain will be called
  };
  virtual arrow::Result<Prepared> Prepare(const Position& /*start*/) { return Prepared::kNothingToDo; }
  // Tables whose rows up to a point are there: their changes up to it are not taken.
  virtual const std::vector<CopiedTable>& Copied() const {
    static const std::vector<CopiedTable> none;
    return none;
  }
  // At each connection: events follow.
  virtual void Started(const SourceInfo& info, const Position& start) = 0;
  // The connection is lost, and the next try comes after `wait`.
  virtual void Retrying(const arrow::Status& status, std::chrono::milliseconds wait) = 0;
  // Again and again meanwhile.
  virtual arrow::Status TickWhileAway() { return arrow::Status::OK(); }

  // Rows that did not come before, of a table that matches; at least one.
  virtual arrow::Status Take(ChangeBatch batch) = 0;
  // Everything up to `position` was delivered, and nothing behind it; it is higher than any before. A driver
  // that keeps what it takes is told so also before its first rows, and at an epoch's begin: where the stream
  // starts.
  virtual arrow::Status Advance(const Position& position) = 0;
  // A group has ended, whether Advance was called or not.
  virtual arrow::Status EndGroup() { return arrow::Status::OK(); }
  virtual arrow::Status Keepalive(bool /*reply_requested*/) { return arrow::Status::OK(); }
  // After each event, and while none comes; oftener where it wants turns.
  virtual arrow::Status Housekeeping() = 0;
  virtual bool wants_turns() const { return false; }
  // The stream is to end at `position`: whether all is done for that.
  virtual bool MayEndAt(const Position& position) const = 0;

  virtual void Tell(const SourceNotice& notice) = 0;
  // The stream does not begin where the target stands: changes in between are lacking.
  virtual void BeginsBehindAGap() {}
  // What the stream counts may be other than before.
  virtual void Counted() {}
  // Where until "now" ends.
  virtual void EndsAt(const LogEnd& /*end*/) {}
};

// kInternal: `who` has more as durable, or released, than was delivered there.
arrow::Status NotDelivered(const std::string& who, const Position& durable,
                           const std::optional<Position>& delivered);

class ChangeStream {
 public:
  // patterns: null lets every table through. All but `options` must outlive it.
  ChangeStream(Source& source, const ChangeStreamOptions& options, const TablePatterns* patterns,
               const StopToken& stop, StreamDriver& driver);

  // Connects and starts, again where a retry may help. OK without a start: it was stopped, or what is wanted
  // is delivered already. Errors: what no retry mends; what went wrong last, where it was stopped before
  // anything was streamed.
  arrow::Status Open();
  // Where Prepare has put the stream off, for which `why` is OK, or what was done meanwhile has failed: as
  // Open, after a wait.
  arrow::Status OpenAgain(const arrow::Status& why);
  // After Open: delivers until an end condition, `stop` being stopped, or an error that a retry cannot mend.
  arrow::Status Run();

  bool started() const { return started_; }  // once
  bool group_open() const { return group_open_; }
  // The driver was given rows behind the last position.
  bool in_part() const { return rows_since_; }
  // None: nothing was streamed yet.
  const std::optional<Position>& delivered() const { return delivered_; }
  uint64_t reconnects() const { return reconnects_; }
  // The stream stops at the end of a group, and goes on behind Prepare.
  void PrepareAgain() { prepare_again_ = true; }
  // Somebody waits for a position, which an idle server tells only when it is asked.
  bool ends_at_a_position() const { return until_.has_value() || watch_.end().has_value(); }
  bool Reached() const;
  bool Matches(const TableName& table) { return repeated_.Matches(table); }

  // Rows of the table up to a point are being copied: from here on its changes up to it are not taken. there:
  // all tables that come, as they were at the point (TableSchema::table_id). Changes of others under the
  // table's name up to the point are not taken either: those tables were gone.
  void NotePoint(const CopiedTable& table, TableIds there = nullptr);
  // The rows of the batch behind the point of their table; null: there are none.
  arrow::Result<std::shared_ptr<arrow::RecordBatch>> DropCopied(const ChangeBatch& batch) const;

  uint64_t rows_skipped() const { return repeated_.rows_skipped(); }
  uint64_t rows_unmatched() const { return repeated_.rows_unmatched(); }
  const std::map<TableName, uint64_t>& unmatched_tables() const { return watch_.unmatched(); }
  uint64_t tables_unpublished() const { return watch_.tables_unpublished(); }

 private:
  bool Finished() const { return stop_.stopped() || Reached() || no_stream_; }
  bool IsInterrupted(const arrow::Status& status) const;
  void TellNotices();
  void TakeNews();

  arrow::Status Connect();
  arrow::Status BeginAnew(const SourceInfo& info);
  bool HasRowsBehind(const Position& position) const;
  arrow::Status GoOn(const SourceInfo& info);
  arrow::Status StartAt(const Position& start);
  arrow::Status TellStart();
  // `until` is a position that somebody has written.
  bool ends_at_a_text() const { return options_.until.has_value() && options_.until != "now"; }
  arrow::Status FindEnd(const SourceInfo& info);
  arrow::Status MoveEnds();
  arrow::Status CheckPublished(const SourceInfo& info);
  arrow::Status WaitAfter(const arrow::Status& status, bool delivered);
  const Position* PointOf(const TableSchema& table) const;

  arrow::Status Receive();
  arrow::Status CheckEnd() const;
  arrow::Status Handle(ChangeBatch& batch);
  arrow::Status Handle(const TruncateEvent& event);
  arrow::Status Handle(const ProgressEvent& event) { return TakeGroup(event.group); }
  arrow::Status Handle(const KeepaliveEvent& event);
  arrow::Status Handle(const NoticeEvent& event);
  arrow::Status Deliver(ChangeBatch batch);
  arrow::Status TakeGroup(const GroupState& group);
  arrow::Status CheckNoneMissing(const Position& position) const;
  arrow::Status Advance(const Position& position);

  Source& source_;
  const ChangeStreamOptions options_;
  const StopToken& stop_;
  StreamDriver& driver_;
  Backoff backoff_;
  size_t tables_copied_ = 0;  // at the last failure
  // Where there was no room for what waits: until the stream has passed it, a connection that works is none.
  std::optional<Position> no_room_at_;
  std::optional<Position>
      read_again_at_;  // the last place where a session of its own was for what lies there
  RepeatedRows repeated_;
  PublicationWatch watch_;

  std::optional<SinkState> state_;       // what the driver had at its Open
  bool begun_ = false;                   // a start was allowed once
  bool started_ = false;                 // and was made
  bool no_stream_ = false;               // Prepare wants none
  std::map<uint32_t, Position> points_;  // of the tables that were copied, by TableSchema::table_id
  struct NamePoint {
    Position point;
    TableIds there;
  };
  std::map<TableName, NamePoint> name_points_;  // of those under whose name others may come
  arrow::Status last_;                          // why there is no stream
  std::optional<Position> until_;               // in the last connection's epoch
  std::optional<Position> delivered_;           // or where the stream starts
  std::optional<Position> told_;                // the driver, by Advance, or its own at its Open
  bool prepare_again_ = false;
  bool rows_since_ = false;  // the driver has rows behind that
  uint64_t reconnects_ = 0;
  bool group_open_ = false;  // frames of a group came, its end did not
  bool dirty_ = false;
};

}  // namespace arrowcdc
