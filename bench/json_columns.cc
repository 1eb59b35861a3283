#include "bench/json_columns.h"

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include <arrow/builder.h>
#include <arrow/record_batch.h>
#include <arrow/util/decimal.h>
#include <simdjson.h>

namespace arrowcdc::bench {
namespace {

using simdjson::ondemand::value;

constexpr int64_t kBatchRows = 8192;

enum Operation : int8_t { kInsert = 0, kUpdateBefore = 1, kUpdateAfter = 2, kDelete = 3 };

arrow::Status Unreadable(const std::string& what) {
  return arrow::Status::IOError("a message of wal2json that cannot be read: ", what);
}

// Days since 1970-01-01 in the proleptic Gregorian calendar: whole 400-year eras, years that begin in March.
int64_t DaysFromDate(int64_t year, int64_t month, int64_t day) {
  const int64_t shifted = month > 2 ? year : year - 1;
  const int64_t era = (shifted >= 0 ? shifted : shifted - 399) / 400;
  const int64_t year_of_era = shifted - era * 400;
  const int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

// "2026-01-01 00:00:01.001+00": the session's time zone is UTC.
bool ParseTimestamp(std::string_view text, int64_t* microseconds) {
  if (text.size() < 22 || text[4] != '-' || text[10] != ' ' || !text.ends_with("+00")) return false;
  const auto number = [&](size_t at, size_t digits) {
    int64_t result = 0;
    for (size_t i = at; i < at + digits; ++i) result = result * 10 + (text[i] - '0');
    return result;
  };
  int64_t fraction = 0;
  if (text[19] == '.') {
    const size_t digits = text.size() - 3 - 20;
    if (digits > 6) return false;
    fraction = number(20, digits);
    for (size_t i = digits; i < 6; ++i) fraction *= 10;
  }
  const int64_t seconds = number(11, 2) * 3600 + number(14, 2) * 60 + number(17, 2);
  *microseconds =
      (DaysFromDate(number(0, 4), number(5, 2), number(8, 2)) * 86400 + seconds) * 1'000'000 + fraction;
  return true;
}

// "123.45" with at most kDecimalScale digits behind the point; the precision fits an int64.
bool ParseDecimal(std::string_view text, int64_t* unscaled) {
  const bool negative = text.starts_with('-');
  int64_t digits = 0;
  int fraction = -1;
  for (const char c : text.substr(negative ? 1 : 0)) {
    if (c == '.' && fraction < 0) {
      fraction = 0;
    } else if (c >= '0' && c <= '9') {
      digits = digits * 10 + (c - '0');
      if (fraction >= 0) ++fraction;
    } else {
      return false;
    }
  }
  for (int i = fraction < 0 ? 0 : fraction; i < kDecimalScale; ++i) digits *= 10;
  *unscaled = negative ? -digits : digits;
  return fraction <= kDecimalScale;
}

template <typename Builder>
Builder& As(arrow::ArrayBuilder& builder) {
  return static_cast<Builder&>(builder);
}

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

arrow::Status AppendValue(ColumnType type, value json, arrow::ArrayBuilder& builder) {
  if (json.is_null()) return builder.AppendNull();
  switch (type) {
    case ColumnType::kInt64: {
      int64_t number;
      if (json.get_int64().get(number) != simdjson::SUCCESS) break;
      return As<arrow::Int64Builder>(builder).Append(number);
    }
    case ColumnType::kInt32: {
      int64_t number;
      if (json.get_int64().get(number) != simdjson::SUCCESS) break;
      return As<arrow::Int32Builder>(builder).Append(static_cast<int32_t>(number));
    }
    case ColumnType::kDouble: {
      double number;
      if (json.get_double().get(number) != simdjson::SUCCESS) break;
      return As<arrow::DoubleBuilder>(builder).Append(number);
    }
    case ColumnType::kBool: {
      bool flag;
      if (json.get_bool().get(flag) != simdjson::SUCCESS) break;
      return As<arrow::BooleanBuilder>(builder).Append(flag);
    }
    case ColumnType::kDecimal: {
      int64_t unscaled;
      if (!ParseDecimal(Trimmed(json.raw_json_token()), &unscaled)) break;
      return As<arrow::Decimal128Builder>(builder).Append(arrow::Decimal128(unscaled));
    }
    case ColumnType::kTimestamp: {
      std::string_view text;
      int64_t microseconds;
      if (json.get_string().get(text) != simdjson::SUCCESS || !ParseTimestamp(text, &microseconds)) break;
      return As<arrow::TimestampBuilder>(builder).Append(microseconds);
    }
    case ColumnType::kText:
    case ColumnType::kJson: {
      std::string_view text;
      if (json.get_string().get(text) != simdjson::SUCCESS) break;
      return As<arrow::StringBuilder>(builder).Append(text.data(), static_cast<int32_t>(text.size()));
    }
  }
  return Unreadable("a value");
}

}  // namespace

struct JsonColumns::Impl {
  explicit Impl(const Table& given) : table(given) {
    auto fields = table.ArrowSchema()->fields();
    for (const auto& field : fields) builders.push_back(*arrow::MakeBuilder(field->type()));
    fields.push_back(arrow::field("_op", arrow::int8()));
    schema = arrow::schema(fields);
  }

  // Columns come in the table's order; wal2json leaves out none of a table that has never lost one.
  arrow::Status AppendRow(simdjson::ondemand::array columns, Operation operation) {
    size_t index = 0;
    for (auto item : columns) {
      simdjson::ondemand::object column;
      std::string_view name;
      value json;
      if (index >= builders.size() || item.get_object().get(column) != simdjson::SUCCESS ||
          column["name"].get_string().get(name) != simdjson::SUCCESS || name != table.columns[index].name ||
          column["value"].get(json) != simdjson::SUCCESS) {
        return Unreadable("a column");
      }
      ARROW_RETURN_NOT_OK(AppendValue(table.columns[index].type, json, *builders[index]));
      ++index;
    }
    return EndRow(index, operation);
  }

  // Values only, as format 1 has them.
  arrow::Status AppendValues(simdjson::ondemand::array values, Operation operation) {
    size_t index = 0;
    for (auto item : values) {
      value json;
      if (index >= builders.size() || item.get(json) != simdjson::SUCCESS) return Unreadable("a value");
      ARROW_RETURN_NOT_OK(AppendValue(table.columns[index].type, json, *builders[index]));
      ++index;
    }
    return EndRow(index, operation);
  }

  arrow::Status EndRow(size_t columns, Operation operation) {
    if (columns != builders.size()) return Unreadable("columns are missing");
    ++rows;
    return operations.Append(operation);
  }

  // One of a transaction's changes; its members come in this order.
  arrow::Status AppendChange(simdjson::ondemand::object change) {
    std::string_view kind;
    if (change.find_field("kind").get_string().get(kind) != simdjson::SUCCESS) return Unreadable("no kind");
    simdjson::ondemand::array values;
    if (kind != "delete") {
      if (change.find_field("columnvalues").get_array().get(values) != simdjson::SUCCESS)
        return Unreadable("no values");
      ARROW_RETURN_NOT_OK(AppendValues(values, kind == "insert" ? kInsert : kUpdateAfter));
    }
    if (kind != "insert") {
      if (change.find_field("oldkeys").find_field("keyvalues").get_array().get(values) != simdjson::SUCCESS)
        return Unreadable("no old keys");
      ARROW_RETURN_NOT_OK(AppendValues(values, kind == "delete" ? kDelete : kUpdateBefore));
    }
    ++changes;
    return rows >= kBatchRows ? Flush() : arrow::Status::OK();
  }

  // simdjson reads beyond the end, so the bytes need room behind them.
  arrow::Status Parse(std::string_view message, simdjson::ondemand::document* document) {
    if (padded.size() < message.size() + simdjson::SIMDJSON_PADDING) {
      padded.resize(2 * message.size() + simdjson::SIMDJSON_PADDING);
    }
    std::memcpy(padded.data(), message.data(), message.size());
    const auto iterated = parser.iterate(padded.data(), message.size(), padded.size()).get(*document);
    return iterated == simdjson::SUCCESS ? arrow::Status::OK() : Unreadable("not JSON");
  }

  arrow::Status Flush() {
    if (rows == 0) return arrow::Status::OK();
    arrow::ArrayVector arrays;
    for (auto& builder : builders) {
      ARROW_ASSIGN_OR_RAISE(auto array, builder->Finish());
      arrays.push_back(std::move(array));
    }
    ARROW_ASSIGN_OR_RAISE(auto array, operations.Finish());
    arrays.push_back(std::move(array));
    const auto batch = arrow::RecordBatch::Make(schema, rows, std::move(arrays));
    rows = 0;
    return batch->Validate();
  }

  const Table& table;
  std::shared_ptr<arrow::Schema> schema;
  std::vector<std::unique_ptr<arrow::ArrayBuilder>> builders;
  arrow::Int8Builder operations;
  simdjson::ondemand::parser parser;
  std::string padded;
  int64_t rows = 0;
  int64_t changes = 0;
};

JsonColumns::JsonColumns(const Table& table) : impl_(std::make_unique<Impl>(table)) {}
JsonColumns::~JsonColumns() = default;
int64_t JsonColumns::changes() const { return impl_->changes; }
arrow::Status JsonColumns::Flush() { return impl_->Flush(); }

arrow::Status JsonColumns::AppendTransaction(std::string_view message) {
  simdjson::ondemand::document document;
  ARROW_RETURN_NOT_OK(impl_->Parse(message, &document));
  simdjson::ondemand::array changes;
  if (document["change"].get_array().get(changes) != simdjson::SUCCESS) return Unreadable("no changes");
  for (auto item : changes) {
    simdjson::ondemand::object change;
    if (item.get_object().get(change) != simdjson::SUCCESS) return Unreadable("a change");
    ARROW_RETURN_NOT_OK(impl_->AppendChange(change));
  }
  return arrow::Status::OK();
}

arrow::Result<char> JsonColumns::Append(std::string_view message) {
  simdjson::ondemand::document document;
  ARROW_RETURN_NOT_OK(impl_->Parse(message, &document));
  std::string_view action;
  if (document["action"].get_string().get(action) != simdjson::SUCCESS || action.size() != 1) {
    return Unreadable("no action");
  }
  const char kind = action[0];
  if (kind != 'I' && kind != 'U' && kind != 'D') return kind;
  simdjson::ondemand::array columns;
  if (kind != 'D') {
    if (document["columns"].get_array().get(columns) != simdjson::SUCCESS) return Unreadable("no columns");
    ARROW_RETURN_NOT_OK(impl_->AppendRow(columns, kind == 'I' ? kInsert : kUpdateAfter));
  }
  if (kind != 'I') {
    if (document["identity"].get_array().get(columns) != simdjson::SUCCESS) return Unreadable("no identity");
    ARROW_RETURN_NOT_OK(impl_->AppendRow(columns, kind == 'D' ? kDelete : kUpdateBefore));
  }
  ++impl_->changes;
  if (impl_->rows >= kBatchRows) ARROW_RETURN_NOT_OK(impl_->Flush());
  return kind;
}

}  // namespace arrowcdc::bench
