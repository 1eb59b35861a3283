// When what was handed to the sink was committed, until it is durable: how long it took, and since when
// something is not. A few numbers a batch, none a row, in bounded memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

#include "arrowcdc/pipeline.h"
#include "arrowcdc/position.h"

namespace arrowcdc {

// Times are microseconds since 1970-01-01 UTC.
class CommitTimes {
 public:
  // More entries than so many become coarser: neighbours are taken for one that is as old as the older.
  static constexpr size_t kEntriesMax = 8192;

  // A batch whose rows committed from `first` to `last`.
  void Take(int64_t first, int64_t last);
  // What was taken ends at or before it.
  void Advance(const Position& position);
  // Everything up to it is durable.
  void NoteDurable(const Position& position, int64_t now, LatencyHistogram* histogram);

  std::optional<int64_t> oldest() const;  // that is not durable
  const std::optional<int64_t>& last_durable() const { return last_durable_; }
  size_t entries() const { return entries_.size(); }

 private:
  struct Entry {
    std::optional<Position> position;
    int64_t first = 0;
    int64_t last = 0;
    uint64_t batches = 1;
  };

  void Coarsen();

  std::deque<Entry> entries_;  // those without a position last
  size_t placed_ = 0;          // that have one
  std::optional<int64_t> last_durable_;
};

// Counts `times` batches of that many seconds.
void Observe(double seconds, uint64_t times, LatencyHistogram* histogram);

}  // namespace arrowcdc
