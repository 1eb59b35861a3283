#include "src/postgres/stream/representable_front.h"

#include <utility>

#include "arrowcdc/change_rows.h"
#include "src/change/check_representable.h"

namespace arrowcdc::postgres {

arrow::Result<std::optional<Event>> RepresentableFront::Take(Event event) {
  if (auto* const batch = std::get_if<ChangeBatch>(&event)) return TakeBatch(std::move(*batch));
  if (found_.ok()) return event;
  if (auto* const truncate = std::get_if<TruncateEvent>(&event)) {
    // It comes behind all rows of earlier transactions.
    if (truncate->commit_lsn >= commit_lsn_) return found_;
    complete_ = truncate->group.group_end;
    truncate->group.group_end = false;
  } else if (const auto* const progress = std::get_if<ProgressEvent>(&event)) {
    if (progress->group.group_end) return found_;
  }
  return event;
}

arrow::Result<std::optional<Event>> RepresentableFront::TakeBatch(ChangeBatch batch) {
  const arrow::Status status = CheckRepresentable(batch);
  if (status.ok() && found_.ok()) return batch;
  ARROW_ASSIGN_OR_RAISE(const ChangeRows rows, ChangeRows::Make(*batch.table, *batch.rows));
  if (!status.ok()) {
    int64_t row = 0;
    while (rows.unrepresentable().count(row) == 0) ++row;
    if (found_.ok() || rows.commit_lsn(row) < commit_lsn_) {
      found_ = status;
      commit_lsn_ = rows.commit_lsn(row);
    }
  }
  // Once a group, but in a transaction that comes in pieces: the first of them comes behind all in front.
  const bool again = !tables_.insert(batch.table->name).second;
  complete_ = batch.group.group_end || again;
  int64_t in_front = 0;
  while (in_front < rows.num_rows() && rows.commit_lsn(in_front) < commit_lsn_) ++in_front;
  if (in_front == 0) {
    ARROW_RETURN_NOT_OK(ended());
    return std::nullopt;
  }
  batch.rows = batch.rows->Slice(0, in_front);
  batch.group.group_end = false;
  return batch;
}

}  // namespace arrowcdc::postgres
