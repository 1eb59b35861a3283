// Parts of a copy that was interrupted: how they are written down, and whether they count at a later point.
// Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "arrowcdc/snapshot.h"
#include "src/postgres/snapshot/snapshot_plan.h"

namespace arrowcdc::postgres {

// What pg_current_snapshot says, xmin:xmax:xip,xip: the transactions that a point has seen. A slot's snapshot
// has an xmin above its xmax where those in between have ended without a commit; type pg_snapshot does not
// take that back, and `text` says the same otherwise.
struct SeenTransactions {
  uint64_t lowest = 0;  // in progress: all below have ended
  uint64_t next = 0;    // above all that it has seen
  std::string text = {};
};
std::optional<SeenTransactions> ParseSeen(const std::string& text);

// Whether parts of the table can count at a later point. Its changes in between come again and are superseded
// by what the later point has, so each must be there and name its row by a key; rows are recognised by their
// heap tuples.
bool MayKeepParts(const CopyTable& table);

// Changes with whatever makes rows of the table that were copied, or changes of it that came, others than
// those of the table that there is: files, columns, partitions, filters, publications.
std::string LayoutOf(const CopyTable& table);

std::string RangeText(const CopyTable& table, const CopyPart& part);

// Sets the ranges of the table that `parts`, all of them its own, have read, each as its last point has seen
// it. Returns the least point; none where the parts do not count. now: what the later point has seen.
std::optional<Position> KeepRanges(const std::vector<SnapshotPart>& parts, const SeenTransactions& now,
                                   CopyTable* table);

}  // namespace arrowcdc::postgres
