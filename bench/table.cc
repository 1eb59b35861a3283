#include "bench/table.h"

namespace arrowcdc::bench {
namespace {

const char* SqlType(ColumnType type) {
  switch (type) {
    case ColumnType::kInt64:
      return "bigint";
    case ColumnType::kInt32:
      return "integer";
    case ColumnType::kDecimal:
      return "numeric(12, 2)";
    case ColumnType::kDouble:
      return "double precision";
    case ColumnType::kBool:
      return "boolean";
    case ColumnType::kTimestamp:
      return "timestamptz";
    case ColumnType::kText:
      return "text";
    case ColumnType::kJson:
      return "jsonb";
  }
  return "";
}

std::shared_ptr<arrow::DataType> ArrowType(ColumnType type) {
  switch (type) {
    case ColumnType::kInt64:
      return arrow::int64();
    case ColumnType::kInt32:
      return arrow::int32();
    case ColumnType::kDecimal:
      return arrow::decimal128(kDecimalPrecision, kDecimalScale);
    case ColumnType::kDouble:
      return arrow::float64();
    case ColumnType::kBool:
      return arrow::boolean();
    case ColumnType::kTimestamp:
      return arrow::timestamp(arrow::TimeUnit::MICRO, "UTC");
    case ColumnType::kText:
    case ColumnType::kJson:
      return arrow::utf8();
  }
  return arrow::null();
}

// Eight columns of the types most tables are made of.
std::vector<Column> NarrowColumns() {
  return {{"id", ColumnType::kInt64, "i"},
          {"account_id", ColumnType::kInt32, "(i * 7919) % 100000"},
          {"amount", ColumnType::kDecimal, "((i * 31) % 1000000)::numeric / 100"},
          {"price", ColumnType::kDouble, "i * 0.25::float8"},
          {"is_active", ColumnType::kBool, "i % 3 = 0"},
          {"created_at", ColumnType::kTimestamp, "'2026-01-01'::timestamptz + i * interval '1.001 second'"},
          {"name", ColumnType::kText, "'customer ' || i % 10000"},
          {"note", ColumnType::kText, "'the note of row ' || i"}};
}

// Forty columns, 28 of them text of 10 to 60 bytes.
std::vector<Column> WideColumns() {
  std::vector<Column> columns = {{"id", ColumnType::kInt64, "i"}};
  for (int n = 0; n < 28; ++n) {
    const std::string number = std::to_string(n);
    const std::string tail = std::to_string(n % 7 * 8);
    columns.push_back(
        {"text_" + number, ColumnType::kText,
         "'value ' || (i * " + std::to_string(n + 1) + ") % 100003 || repeat('x', " + tail + ")"});
  }
  for (int n = 0; n < 3; ++n) {
    const std::string number = std::to_string(n);
    columns.push_back({"count_" + number, ColumnType::kInt32, "(i + " + number + ") % 1000"});
    columns.push_back(
        {"amount_" + number, ColumnType::kDecimal, "((i + " + number + ") % 1000000)::numeric / 100"});
  }
  columns.push_back({"ratio", ColumnType::kDouble, "i / 7.0::float8"});
  columns.push_back({"is_open", ColumnType::kBool, "i % 2 = 0"});
  columns.push_back(
      {"created_at", ColumnType::kTimestamp, "'2026-01-01'::timestamptz + i * interval '1 second'"});
  columns.push_back(
      {"updated_at", ColumnType::kTimestamp, "'2026-02-01'::timestamptz + i * interval '1 second'"});
  columns.push_back({"attributes", ColumnType::kJson, "jsonb_build_object('a', i, 'b', 'text ' || i % 100)"});
  return columns;
}

const std::vector<Table>& Tables() {
  static const std::vector<Table> tables = {
      {.name = "narrow", .columns = NarrowColumns()},
      {.name = "wide", .columns = WideColumns()},
      {.name = "mixed_full", .full_identity = true, .columns = NarrowColumns()},
      {.name = "one_row", .columns = NarrowColumns()},
      {.name = "big_txn", .columns = NarrowColumns()},
      {.name = "latency", .columns = NarrowColumns()},
  };
  return tables;
}

}  // namespace

std::string Table::CreateSql() const {
  std::string sql = "CREATE TABLE " + name + " (";
  for (const Column& column : columns) sql += column.name + " " + SqlType(column.type) + ", ";
  sql += "PRIMARY KEY (id))";
  if (full_identity) sql += "; ALTER TABLE " + name + " REPLICA IDENTITY FULL";
  return sql;
}

std::string Table::InsertSql(const std::string& from, const std::string& to) const {
  std::string values;
  for (const Column& column : columns) values += (values.empty() ? "" : ", ") + column.expression;
  return "INSERT INTO " + name + " SELECT " + values + " FROM generate_series((" + from + ")::bigint, (" +
         to + ")::bigint) i";
}

std::shared_ptr<arrow::Schema> Table::ArrowSchema() const {
  arrow::FieldVector fields;
  for (const Column& column : columns) fields.push_back(arrow::field(column.name, ArrowType(column.type)));
  return arrow::schema(fields);
}

const Table* FindTable(std::string_view name) {
  for (const Table& table : Tables()) {
    if (table.name == name) return &table;
  }
  return nullptr;
}

}  // namespace arrowcdc::bench
