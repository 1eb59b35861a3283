// The rows of a change log in the order of the WAL, their values as PostgreSQL writes them; and their
// comparison with what test_decoding says, and with the tables that they are the changes of.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "tests/same_wal/change_log.h"
#include "tests/same_wal/test_decoding.h"

namespace arrowcdc::test {

struct LogCell {
  enum class What { kNull, kValue, kUnchanged, kUnrepresentable };
  What what = What::kNull;
  std::string text;
};

struct LogRow {
  std::shared_ptr<const TableSchema> table;
  Op op = Op::kInsert;
  RowPosition position;
  uint32_t xid = 0;
  int64_t commit_ts = 0;
  std::vector<LogCell> cells;
};

// Errors: the rows of a table did not come in the order of their positions, or one came twice.
arrow::Result<std::vector<LogRow>> RowsInOrder(const ChangeLog& log);

// What is different; empty: nothing. `leaves`: the table that each partition is one of. Schema a is published
// by roots, b as it is, c with inserts and truncates alone. `generated`: generated columns of a and b are
// sent.
std::string DifferenceFromTestDecoding(const std::vector<LogRow>& rows,
                                       const std::vector<TextTransaction>& transactions,
                                       const std::map<std::string, std::string>& leaves, bool generated);

// The rows replayed are what the tables of the schemas a and b hold. Columns that no change has told a row's
// value of are not compared.
arrow::Result<std::string> DifferenceFromTables(const std::vector<LogRow>& rows, SqlConnection& sql);

}  // namespace arrowcdc::test
