// Binary search for the first new row: a table's rows are ordered by position within a batch and over
// batches.
#include "src/delivery/repeated_rows.h"

#include <utility>

#include "arrowcdc/change_rows.h"
#include "arrowcdc/error.h"
#include "arrowcdc/messages_table.h"

namespace arrowcdc {

void RepeatedRows::Restore(const std::map<TableName, RowPosition>& last_rows) {
  last_rows_.clear();
  for (const auto& [table, position] : last_rows) last_rows_[table] = {position, 0};
}

void RepeatedRows::BeginSession() {
  session_rows_.clear();
  skipped_.clear();
  behind_.clear();
  for (const auto& [table, last] : last_rows_) {
    if (last.stretch == stretch_) behind_[table] = last.position;
  }
}

arrow::Status NotRepeated(const TableName& table) {
  return MakeError(ErrorKind::kPositionGap,
                   "rows that were delivered before did not come again, but what is behind them did: the "
                   "server has another history, or sends less than it did then",
                   "table " + ToString(table),
                   "where other publications were read then, start once with those; else capture into a new "
                   "sink from a new slot");
}

bool RepeatedRows::Matches(const TableName& name) {
  auto found = matches_.find(name);
  if (found == matches_.end()) {
    if (matches_.size() >= kMatchesMax) matches_.clear();
    const bool matches = patterns_ == nullptr || patterns_->Matches(name) || name == MessagesTable()->name;
    found = matches_.emplace(name, matches).first;
  }
  return found->second;
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> RepeatedRows::Filter(
    const TableSchema& table, std::shared_ptr<arrow::RecordBatch> rows) {
  const int64_t count = rows->num_rows();
  if (count == 0) return nullptr;
  if (!Matches(table.name)) {
    rows_unmatched_ += static_cast<uint64_t>(count);
    return nullptr;
  }
  ARROW_ASSIGN_OR_RAISE(const ChangeRows changes, ChangeRows::Make(table, *rows));
  const RowPosition begin = changes.position(0);
  const RowPosition end = changes.position(count - 1);
  const auto session = session_rows_.find(table.name);
  if (end < begin || (session != session_rows_.end() && begin <= session->second)) {
    return MakeError(ErrorKind::kProtocol,
                     "rows came out of order: commit " + FormatLsn(begin.commit_lsn) + ", record " +
                         FormatLsn(begin.lsn) + " came after later ones",
                     "table " + ToString(table.name),
                     "this is a defect in arrowcdc: please report it; nothing was skipped");
  }
  session_rows_.insert_or_assign(table.name, end);
  bool was_behind = false;
  if (!behind_.empty()) {
    const auto behind = behind_.find(table.name);
    was_behind = behind != behind_.end();
    if (was_behind && behind->second <= end) behind_.erase(behind);
  }
  int64_t first_new = 0;
  const auto last = last_rows_.find(table.name);
  if (last != last_rows_.end()) {
    int64_t high = count;
    while (first_new < high) {
      const int64_t middle = first_new + (high - first_new) / 2;
      if (changes.position(middle) <= last->second.position) {
        first_new = middle + 1;
      } else {
        high = middle;
      }
    }
    rows_skipped_ += static_cast<uint64_t>(first_new);
    if (first_new > 0) skipped_.insert_or_assign(table.name, changes.position(first_new - 1));
    if (first_new == count) return nullptr;
    // The last of the repeated rows has come before the first new one. Else this is another history, and what
    // was taken for repetitions may be new.
    const auto skipped = skipped_.find(table.name);
    const bool repeats = skipped != skipped_.end();
    if (repeats ? skipped->second != last->second.position : was_behind) return NotRepeated(table.name);
    if (repeats) skipped_.erase(skipped);
  }
  last_rows_.insert_or_assign(table.name, LastRow{end, stretch_});
  return first_new == 0 ? std::move(rows) : rows->Slice(first_new);
}

}  // namespace arrowcdc
