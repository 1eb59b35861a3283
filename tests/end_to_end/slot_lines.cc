// Events of a source to lines.
#include "tests/end_to_end/slot_lines.h"

#include <algorithm>
#include <chrono>
#include <memory>

#include <arrow/array.h>
#include <arrow/extension_type.h>
#include <arrow/scalar.h>
#include <arrow/util/key_value_metadata.h>
#include <gtest/gtest.h>

#include "arrowcdc/error.h"
#include "src/change/table_schema.h"
#include "tests/testing/sql_connection.h"

namespace arrowcdc::test {
namespace {

using std::string;
using std::chrono::milliseconds;
using std::chrono::seconds;

string Describe(const TableSchema& table) {
  string text = "schema " + std::to_string(table.table_id) + " " +
                std::to_string(static_cast<int>(table.replica_identity)) + " key";
  for (const int field : table.key_fields) text += " " + std::to_string(field);
  if (table.weakened.has_value()) text += " weakened by " + table.weakened->partition;
  for (int i = 0; i < table.schema->num_fields(); ++i) {
    const auto field = table.schema->field(i);
    const auto metadata = field->metadata()->Copy();
    // It comes from the catalog as it is when the rows are decoded.
    if (metadata->Contains("PARQUET:field_id")) {
      EXPECT_TRUE(metadata->Delete("PARQUET:field_id").ok());
    }
    std::map<string, string> sorted;
    for (int64_t k = 0; k < metadata->size(); ++k) sorted[metadata->key(k)] = metadata->value(k);
    text += "\n  " + field->ToString();
    for (const auto& [key, value] : sorted) text += " " + key + "=" + value;
  }
  return text;
}

string CellText(const arrow::Array& column, int64_t row) {
  if (column.type_id() == arrow::Type::EXTENSION)
    return CellText(*static_cast<const arrow::ExtensionArray&>(column).storage(), row);
  if (column.IsNull(row)) return "null";
  if (column.type_id() == arrow::Type::DICTIONARY) {
    const auto& codes = static_cast<const arrow::DictionaryArray&>(column);
    return CellText(*codes.dictionary(), codes.GetValueIndex(row));
  }
  if (column.type_id() == arrow::Type::LIST) {
    const auto values = static_cast<const arrow::ListArray&>(column).value_slice(row);
    string text;
    for (int64_t i = 0; i < values->length(); ++i) text += (i == 0 ? "[" : ", ") + CellText(*values, i);
    return text.empty() ? "[]" : text + "]";
  }
  return column.GetScalar(row).ValueOrDie()->ToString();
}

class Collector {
 public:
  arrow::Status Add(const Event& event) {
    if (const auto* batch = std::get_if<ChangeBatch>(&event)) ARROW_RETURN_NOT_OK(AddBatch(*batch));
    if (const auto* truncate = std::get_if<TruncateEvent>(&event))
      ARROW_RETURN_NOT_OK(AddTruncate(*truncate));
    std::visit(
        [this](const auto& e) {
          if constexpr (requires { e.group; }) group_open_ = !e.group.group_end || e.group.dirty;
        },
        event);
    return arrow::Status::OK();
  }

  bool group_open() const { return group_open_; }
  SlotLines Take() { return std::move(lines_); }

 private:
  arrow::Status AddBatch(const ChangeBatch& batch) {
    ARROW_RETURN_NOT_OK(batch.rows->ValidateFull());
    auto& table = lines_[batch.table->name];
    string& schema = schemas_[batch.table->name];
    if (string now = Describe(*batch.table); now != schema || table.empty()) {
      table.push_back(now);
      schema = std::move(now);
    }
    for (int64_t row = 0; row < batch.rows->num_rows(); ++row) {
      string line;
      for (int i = 0; i < batch.rows->num_columns(); ++i)
        line += CellText(*batch.rows->column(i), row) + " | ";
      table.push_back(std::move(line));
    }
    return arrow::Status::OK();
  }

  arrow::Status AddTruncate(const TruncateEvent& event) {
    for (size_t i = 0; i < event.tables.size(); ++i) {
      ARROW_ASSIGN_OR_RAISE(auto row, TruncateRow(event, static_cast<int>(i)));
      ARROW_RETURN_NOT_OK(AddBatch(ChangeBatch{event.tables[i], std::move(row), {}}));
      lines_[event.tables[i]->name].back() +=
          string(event.cascade ? "cascade " : "") + (event.restart_identity ? "restart" : "");
    }
    return arrow::Status::OK();
  }

  SlotLines lines_;
  std::map<TableName, string> schemas_;
  bool group_open_ = false;
};

arrow::Result<SlotLines> ReadSession(const PostgresOptions& options, Source* source, bool* binary) {
  ARROW_RETURN_NOT_OK(source->Connect());
  ARROW_ASSIGN_OR_RAISE(const Position start, source->Resume({}));
  ARROW_ASSIGN_OR_RAISE(const LogEnd end, source->CurrentEnd());
  ARROW_RETURN_NOT_OK(source->Start(start));
  if (binary != nullptr) {
    ARROW_ASSIGN_OR_RAISE(const auto sql, SqlConnection::Connect(options.conninfo));
    ARROW_ASSIGN_OR_RAISE(const string command,
                          sql->Scalar("SELECT query FROM pg_stat_activity JOIN pg_replication_slots ON "
                                      "active_pid = pid WHERE slot_name = '" +
                                      options.slot + "'"));
    *binary = command.find("binary") != string::npos;
  }
  Collector collector;
  const auto deadline = std::chrono::steady_clock::now() + seconds(120);
  while (std::chrono::steady_clock::now() < deadline) {
    source->RequestKeepalive();
    ARROW_ASSIGN_OR_RAISE(const auto event, source->Next(milliseconds(100)));
    if (!event.has_value()) continue;
    ARROW_RETURN_NOT_OK(collector.Add(*event));
    const auto* keepalive = std::get_if<KeepaliveEvent>(&*event);
    if (keepalive != nullptr && !collector.group_open() && keepalive->position >= end.position) {
      ARROW_RETURN_NOT_OK(source->Stop());
      return collector.Take();
    }
  }
  return arrow::Status::IOError("the end of the WAL did not come");
}

}  // namespace

arrow::Result<SlotLines> ReadSlotLines(PostgresOptions options, bool* binary) {
  options.plugin = OutputPlugin::kAuto;
  ARROW_ASSIGN_OR_RAISE(const auto source, MakePostgresSource(options));
  auto lines = ReadSession(options, source.get(), binary);
  // Values in a binary form that nobody knows come as text in the next one.
  const ErrorDetail* const detail = lines.ok() ? nullptr : GetErrorDetail(lines.status());
  return detail != nullptr && detail->retryable() ? ReadSession(options, source.get(), binary) : lines;
}

arrow::Result<SlotLines> LinesOf(const std::vector<Event>& events) {
  Collector collector;
  for (const Event& event : events) ARROW_RETURN_NOT_OK(collector.Add(event));
  return collector.Take();
}

void ExpectSameLines(const SlotLines& got, const SlotLines& wanted) {
  for (const auto& [table, lines] : wanted) {
    SCOPED_TRACE(ToString(table));
    const auto found = got.find(table);
    EXPECT_TRUE(found != got.end()) << "no such table came";
    if (found == got.end()) continue;
    const auto& ours = found->second;
    const size_t both = std::min(lines.size(), ours.size());
    size_t line = 0;
    while (line < both && ours[line] == lines[line]) ++line;
    if (line < both) {
      EXPECT_EQ(ours[line], lines[line]) << "line " << line;
    }
    EXPECT_EQ(ours.size(), lines.size());
  }
  for (const auto& [table, lines] : got) EXPECT_TRUE(wanted.contains(table)) << ToString(table);
}

bool HasLine(const std::vector<string>& lines, const string& part) {
  return std::any_of(lines.begin(), lines.end(),
                     [&](const string& line) { return line.find(part) != string::npos; });
}

}  // namespace arrowcdc::test
