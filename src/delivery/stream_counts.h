// The numbers of a pipeline: what was handed to the sink, by table, and how far behind the commits it is.
// Costs something a batch and nothing a row.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "arrowcdc/change_batch.h"
#include "arrowcdc/pipeline.h"
#include "arrowcdc/source.h"
#include "src/delivery/change_stream.h"
#include "src/delivery/commit_times.h"

namespace arrowcdc {

class StreamCounts {
 public:
  using Time = std::chrono::system_clock::time_point;

  PipelineStats& stats() { return stats_; }

  // A table that is there before any rows are taken.
  void Knows(const TableName& table) { known_.insert(table); }
  // The same of those that a connection found, if it is the first one.
  void KnowsAtFirst(const std::vector<TableName>& tables) {
    if (!std::exchange(connected_, true)) known_.insert(tables.begin(), tables.end());
  }

  // Tells the observer of a table that is new, of so many.
  static constexpr size_t kNewTablesMax = 10'000;
  void NoteTable(const TableName& table, PipelineObserver& observer) {
    if (new_tables_ == kNewTablesMax || !known_.insert(table).second) return;
    ++new_tables_;
    observer.OnTableAppeared(table);
  }
  // A batch goes to the sink; at least one row. Tells the observer of another schema, and of a weakened
  // identity.
  void Take(const ChangeBatch& batch, PipelineObserver& observer);
  void Advance(const Position& position) { times_.Advance(position); }
  // Everything up to it is durable, or was handed on.
  void NoteDurable(const Position& position, Time now);
  // What others count, and how far behind it is at this moment.
  void Update(const SourceStats& source, const ChangeStream& stream, Time now);
  void FindHowFarBehind(Time now);

 private:
  void WarnOfWeakenedIdentity(const TableSchema& table, PipelineObserver& observer);

  PipelineStats stats_;
  CommitTimes times_;
  // Of the last batch: most batches are of the table of the one before.
  std::shared_ptr<const TableSchema> last_;
  TableCounts* last_counts_ = nullptr;
  std::map<TableName, std::shared_ptr<const TableSchema>> schemas_;  // of the first kTablesMax
  std::set<TableName> weakened_;                                     // of which somebody was warned

  std::set<TableName> known_;  // and those that came since
  size_t new_tables_ = 0;
  bool connected_ = false;

  std::optional<Position> reached_;
  std::optional<Time> all_durable_at_;  // the last time
  std::optional<Time> begun_;
};

}  // namespace arrowcdc
