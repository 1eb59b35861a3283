// What mysqlbinlog and mariadb-binlog say that a binlog holds: the rows of each transaction that is
// committed, values as they print them. Nothing here is of this library.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <arrow/result.h>

#include "arrowcdc/change_batch.h"

namespace arrowcdc::mysql::test {

struct LoggedColumn {
  std::string name;
  std::string type;  // "BIGINT UNSIGNED", "ENUM", "TIMESTAMP(6)"
  std::string charset;
  std::vector<std::string> labels;  // of ENUM and SET
};
using LoggedColumns = std::shared_ptr<const std::vector<LoggedColumn>>;

struct LoggedRow {
  Op op = Op::kInsert;
  TableName table;
  LoggedColumns columns;  // none: of a truncate
  // By the number of their column; those that lack are not in the image.
  std::map<size_t, std::string> cells;
};

struct LoggedTransaction {
  uint64_t place = 0;  // as _commit_lsn has it: 20 bits of the file's number, 36 of the offset
  std::vector<LoggedRow> rows;
  std::vector<std::pair<TableName, TableName>> renames;
  std::vector<TableName> dropped;
  std::vector<std::pair<TableName, std::string>> modified;  // columns that have another type from then on
};

struct LoggedCounts {
  int64_t rows = 0;
  int64_t compressed_events = 0;  // and transactions
  int64_t partial_updates = 0;
  int64_t xa_commits = 0;
  int64_t xa_one_phase = 0;
  int64_t xa_rollbacks = 0;
  int64_t rolled_back_rows = 0;  // that are in the log
  int64_t absent_cells = 0;
  int64_t truncates = 0;
  int64_t renames = 0;
};

// Threads: one.
class LoggedRows {
 public:
  // The text of one file, by -vv --base64-output=DECODE-ROWS --print-table-metadata. Files one after another,
  // since what is prepared in one may be committed in the next. Errors: text that is not understood.
  arrow::Status Add(uint32_t file_number, const std::string& text);

  // Those that changed rows of captured tables, or renamed or dropped tables.
  std::vector<LoggedTransaction> Take() { return std::exchange(transactions_, {}); }
  const LoggedCounts& counts() const { return counts_; }

 private:
  arrow::Status AddComment(const std::string& line);
  arrow::Status AddRowLine(const std::string& line);
  arrow::Status AddStatement(const std::string& line);
  void AddColumn(std::string text);
  void End(bool committed);
  void EndXa(const std::string& xid, bool committed);

  uint64_t file_ = 0;
  uint64_t at_ = 0;
  std::optional<LoggedTransaction> open_;
  std::set<TableName> gone_;  // names that tables had before they were renamed
  std::map<std::string, size_t> savepoints_;  // how many rows there were
  std::vector<LoggedRow> xa_rows_;
  std::string xid_;  // of the open transaction
  std::map<std::string, std::vector<LoggedRow>> prepared_;
  // MariaDB's program prints the rows of a statement behind all its events: the name alone tells of which.
  std::map<TableName, std::shared_ptr<std::vector<LoggedColumn>>> tables_;
  std::shared_ptr<std::vector<LoggedColumn>> map_;  // whose columns come
  size_t last_cell_ = 0;
  std::vector<LoggedTransaction> transactions_;
  LoggedCounts counts_;
};

}  // namespace arrowcdc::mysql::test
