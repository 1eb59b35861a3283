#include "src/change/snapshot_parts.h"

#include <utility>

namespace arrowcdc {

void SnapshotParts::Set(std::vector<size_t> tables, bool keeps_order) {
  const std::lock_guard lock(mutex_);
  tables_ = std::move(tables);
  keeps_order_ = keeps_order;
  next_ = 0;
}

arrow::Result<std::optional<size_t>> SnapshotParts::Take() {
  const std::lock_guard lock(mutex_);
  while (next_ < tables_.size() && put_off_.contains(tables_[next_])) ++next_;
  if (next_ < tables_.size()) {
    ++under_way_;
    return next_++;
  }
  // An error ends the parts of others: it is for whoever comes last.
  if (under_way_ == 0) ARROW_RETURN_NOT_OK(why_);
  return std::nullopt;
}

void SnapshotParts::Done() {
  const std::lock_guard lock(mutex_);
  --under_way_;
}

arrow::Status SnapshotParts::PutOff(size_t part, const arrow::Status& why) {
  const std::lock_guard lock(mutex_);
  --under_way_;
  const bool begun = part > 0 && tables_[part - 1] == tables_[part];
  if (keeps_order_ && begun) return why;
  put_off_.insert(tables_[part]);
  if (why_.ok()) why_ = why;
  return arrow::Status::OK();
}

}  // namespace arrowcdc
