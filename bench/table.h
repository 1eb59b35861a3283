// The tables of the workloads: their columns, how rows are made, and the Arrow types a typed reader gives
// them.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/type.h>

namespace arrowcdc::bench {

enum class ColumnType { kInt64, kInt32, kDecimal, kDouble, kBool, kTimestamp, kText, kJson };

struct Column {
  std::string name;
  ColumnType type;
  std::string expression;  // SQL over the row number i
};

struct Table {
  std::string name;
  bool full_identity = false;
  std::vector<Column> columns;  // the first is id, the primary key

  // CREATE TABLE and the replica identity.
  std::string CreateSql() const;
  // INSERT of the rows that the SQL expressions `from` and `to` enclose.
  std::string InsertSql(const std::string& from, const std::string& to) const;
  std::shared_ptr<arrow::Schema> ArrowSchema() const;
};

// Decimal columns are numeric(12, 2).
inline constexpr int kDecimalPrecision = 12;
inline constexpr int kDecimalScale = 2;

// Names: narrow, wide, mixed_full, one_row, big_txn, latency.
const Table* FindTable(std::string_view name);

}  // namespace arrowcdc::bench
