// Rows that a source delivered, and their comparison with what mysqlbinlog says and with the tables.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <arrow/record_batch.h>
#include <arrow/result.h>

#include "arrowcdc/change_batch.h"
#include "arrowcdc/source.h"
#include "src/mysql/testing/mysql_server.h"
#include "tests/mysql/logged_rows.h"

namespace arrowcdc::mysql::test {

struct CapturedRow {
  enum class What { kValue, kNull, kUnchanged, kUnrepresentable };
  Op op = Op::kInsert;
  RowPosition position;
  std::shared_ptr<const TableSchema> table;
  std::shared_ptr<arrow::RecordBatch> rows;  // null: a truncate
  int64_t row = 0;
  std::vector<What> cells;
};

// Takes events until `end`. Rows are sorted by their position at the end. Errors: the source's; Invalid where
// a table's rows are out of order.
arrow::Result<std::vector<CapturedRow>> CaptureUntil(Source* source, const Position& end);

// What is different, with both rows; empty: nothing. `server` computes changes of JSON documents.
arrow::Result<std::string> DifferenceFromLog(const std::vector<CapturedRow>& rows,
                                             const std::vector<LoggedTransaction>& transactions,
                                             MysqlServer* server);

// The rows replayed are what the tables of `schema` hold; values that no change has told are not compared.
// Tables are renamed and dropped where the log says so.
arrow::Result<std::string> DifferenceFromTables(const std::vector<CapturedRow>& rows,
                                                const std::vector<LoggedTransaction>& transactions,
                                                const std::string& schema, MysqlServer* server);

}  // namespace arrowcdc::mysql::test
