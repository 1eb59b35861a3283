// Rows that were there before the stream: from a source's snapshot to whoever takes them, by several threads.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <vector>

#include <arrow/status.h>

#include "arrowcdc/pipeline.h"
#include "arrowcdc/snapshot.h"
#include "arrowcdc/stop_token.h"

namespace arrowcdc {

// Parts that are there of tables of which the target has rows from before do not count where the row is
// lacking that says that those are gone: its part was not finished.
void DropThoseThatVoidNothing(const std::function<bool(const SnapshotPart&)>& is_stale,
                              std::vector<SnapshotPart>* parts);

// Copies all parts that are not kept, with up to `connections` readers (0: as many as this machine has cores,
// at most 4); a table counts when its last part is there. Of tables in `stale` the target has rows from
// before, which no longer count: a row whose _op is truncate stands in front of theirs, unless parts are
// kept, which have one. From this thread on_progress is called about once a second, and at the end, and
// on_notice with what the snapshot has to say. Blocking: until all is copied, a part has failed, or `stop` is
// stopped (kInterrupted, within a batch); nothing runs on after it. Errors: the source's and the target's;
// tables that were completed stay so.
arrow::Status CopySnapshot(Snapshot& snapshot, SnapshotTarget& target, const std::set<TableName>& stale,
                           int64_t connections, const StopToken& stop,
                           const std::function<void(const SnapshotProgress&)>& on_progress,
                           const std::function<void(const SourceNotice&)>& on_notice);

}  // namespace arrowcdc
