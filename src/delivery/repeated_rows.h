// Lets every row through once: drops rows of tables outside the patterns and rows the sink already has. No
// I/O.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <unordered_map>

#include <arrow/result.h>

#include "arrowcdc/change_batch.h"
#include "arrowcdc/table_patterns.h"

namespace arrowcdc {

// kPositionGap: rows of the table that were delivered are missing where they should come again.
arrow::Status NotRepeated(const TableName& table);

class RepeatedRows {
 public:
  // patterns: null lets every table through. Not owned.
  explicit RepeatedRows(const TablePatterns* patterns) : patterns_(patterns) {}

  // Rows at or before the given positions are dropped; from then on every row that Filter lets through
  // counts.
  void Restore(const std::map<TableName, RowPosition>& last_rows);

  // A connection begins: the server may repeat what it sent on earlier ones, in other groups than before.
  void BeginSession();
  // Everything that was let through lies before a position that was told.
  void NoteBoundary() { ++stretch_; }
  // False: rows that were let through on earlier connections lie behind where this one is. Nothing that ends
  // here is a boundary.
  bool caught_up() const { return behind_.empty(); }
  // The last of these by table.
  const std::map<TableName, RowPosition>& behind() const { return behind_; }

  // The rows of `rows` that are new, possibly a slice without a copy; null when there are none. Rows of one
  // table come in the order of their positions, also when a reconnect repeats them. Errors: kPositionGap
  // where later rows come without the last of those that were to be repeated; kProtocol where one connection
  // does not keep that order, since a row that comes too late would be taken for one that the sink has.
  arrow::Result<std::shared_ptr<arrow::RecordBatch>> Filter(const TableSchema& table,
                                                            std::shared_ptr<arrow::RecordBatch> rows);

  bool Matches(const TableName& name);
  // That a source has dropped itself.
  void CountUnmatched(uint64_t rows) { rows_unmatched_ += rows; }

  uint64_t rows_skipped() const { return rows_skipped_; }
  uint64_t rows_unmatched() const { return rows_unmatched_; }

 private:
  const TablePatterns* patterns_;
  static constexpr size_t kMatchesMax = 10'000;  // some tables have a new name each day
  std::map<TableName, bool> matches_;            // one answer a table, so that a pattern runs once
  struct LastRow {
    RowPosition position;
    uint64_t stretch;  // between two boundaries; 0: before any of them
  };
  uint64_t stretch_ = 1;
  std::map<TableName, LastRow> last_rows_;         // let through, in all
  std::map<TableName, RowPosition> behind_;        // of these, those that are still to be repeated
  std::map<TableName, RowPosition> session_rows_;  // come, on this connection
  std::map<TableName, RowPosition> skipped_;       // repeated on it, of tables that nothing new came of yet
  uint64_t rows_skipped_ = 0;
  uint64_t rows_unmatched_ = 0;
};

}  // namespace arrowcdc
