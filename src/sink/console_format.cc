// See console_format.h.
#include "src/sink/console_format.h"

#include <algorithm>
#include <vector>

#include <arrow/array.h>

#include "src/sink/json_values.h"

namespace arrowcdc {
namespace {

constexpr size_t kCellWidthMax = 40;
constexpr std::string_view kCut = "…";

// The metadata columns of one batch.
class Meta {
 public:
  explicit Meta(const ChangeBatch& batch) : batch_(batch) {}

  const std::string& Name(MetadataColumn column) const {
    return batch_.table->schema->field(Index(column))->name();
  }
  const arrow::Array& Values(MetadataColumn column) const { return *batch_.rows->column(Index(column)); }
  uint64_t Lsn(MetadataColumn column, int64_t row) const {
    return static_cast<const arrow::UInt64Array&>(Values(column)).Value(row);
  }

 private:
  int Index(MetadataColumn column) const { return batch_.table->column_count + static_cast<int>(column); }
  const ChangeBatch& batch_;
};

// `name`, with "_" in front until no column of the table is called so: the rule of the metadata columns.
std::string FreeName(const TableSchema& table, std::string name) {
  while (!table.schema->GetAllFieldIndices(name).empty()) name.insert(0, 1, '_');
  return name;
}

void AppendKey(std::string_view name, std::string* out) {
  AppendJsonString(name, out);
  *out += ':';
}

void AppendColumnNames(const Meta& meta, MetadataColumn column, int64_t row, std::string* out) {
  if (meta.Values(column).IsNull(row)) return;
  *out += ',';
  AppendKey(meta.Name(column), out);
  AppendJsonValue(meta.Values(column), row, out);
}

// Code points, which is what most terminals give one column each.
size_t Width(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

std::string CutToWidth(std::string text) {
  if (Width(text) <= kCellWidthMax) return text;
  size_t bytes = 0;
  for (size_t width = 0; bytes < text.size(); ++bytes) {
    if ((text[bytes] & 0xc0) != 0x80 && ++width == kCellWidthMax) break;
  }
  text.resize(bytes);
  return text.append(kCut);
}

std::string Cell(const ChangeBatch& batch, int column, int64_t row) {
  const auto listed = [&](MetadataColumn list) {
    return ListsColumn(*batch.table, *batch.rows, list, row, column);
  };
  if (listed(MetadataColumn::kUnchanged)) return "(unchanged)";
  if (listed(MetadataColumn::kUnrepresentable)) return "(unrepresentable)";
  std::string text;
  AppendJsonValue(*batch.rows->column(column), row, &text);
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') text = text.substr(1, text.size() - 2);
  return CutToWidth(std::move(text));
}

std::string Unquoted(std::string_view text) {
  std::string out;
  AppendJsonString(text, &out);
  return CutToWidth(out.substr(1, out.size() - 2));
}

}  // namespace

void AppendNdjson(const ChangeBatch& batch, std::string* out) {
  const Meta meta(batch);
  const std::string schema_name = FreeName(*batch.table, "_schema");
  const std::string table_name = FreeName(*batch.table, "_table");
  for (int64_t row = 0; row < batch.rows->num_rows(); ++row) {
    *out += '{';
    AppendKey(schema_name, out);
    AppendJsonString(batch.table->name.schema, out);
    *out += ',';
    AppendKey(table_name, out);
    AppendJsonString(batch.table->name.table, out);
    for (const auto column : {MetadataColumn::kOp, MetadataColumn::kCommitLsn, MetadataColumn::kLsn,
                              MetadataColumn::kOrd, MetadataColumn::kXid, MetadataColumn::kCommitTs}) {
      *out += ',';
      AppendKey(meta.Name(column), out);
      if (column == MetadataColumn::kCommitLsn || column == MetadataColumn::kLsn) {
        AppendJsonString(FormatLsn(meta.Lsn(column, row)), out);
      } else {
        AppendJsonValue(meta.Values(column), row, out);
      }
    }
    AppendColumnNames(meta, MetadataColumn::kUnchanged, row, out);
    AppendColumnNames(meta, MetadataColumn::kUnrepresentable, row, out);
    for (int column = 0; column < batch.table->column_count; ++column) {
      *out += ',';
      AppendKey(batch.table->schema->field(column)->name(), out);
      AppendJsonValue(*batch.rows->column(column), row, out);
    }
    *out += "}\n";
  }
}

void AppendTable(const ChangeBatch& batch, std::string* out) {
  const Meta meta(batch);
  const int columns = batch.table->column_count;
  std::vector<std::vector<std::string>> lines(1);
  lines[0] = {"commit", "op"};
  for (int column = 0; column < columns; ++column) {
    lines[0].push_back(Unquoted(batch.table->schema->field(column)->name()));
  }
  const auto& ops = meta.Values(MetadataColumn::kOp);
  for (int64_t row = 0; row < batch.rows->num_rows(); ++row) {
    std::string op;
    AppendJsonValue(ops, row, &op);
    std::vector<std::string> line{FormatLsn(meta.Lsn(MetadataColumn::kCommitLsn, row)),
                                  op.substr(1, op.size() - 2)};
    for (int column = 0; column < columns; ++column) line.push_back(Cell(batch, column, row));
    lines.push_back(std::move(line));
  }
  std::vector<size_t> widths(lines[0].size());
  for (const auto& line : lines) {
    for (size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], Width(line[i]));
  }
  const TableName printable{Unquoted(batch.table->name.schema), Unquoted(batch.table->name.table)};
  const int64_t count = batch.rows->num_rows();
  *out += ToString(printable) + " (" + std::to_string(count) + (count == 1 ? " row)\n" : " rows)\n");
  for (const auto& line : lines) {
    for (size_t i = 0; i < line.size(); ++i) {
      *out += "  " + line[i];
      if (i + 1 < line.size()) out->append(widths[i] - Width(line[i]), ' ');
    }
    *out += '\n';
  }
  *out += '\n';
}

}  // namespace arrowcdc
