// See console_format.h.
#include "src/sink/console_format.h"

#include <algorithm>
#include <vector>

#include "arrowcdc/change_rows.h"
#include "src/sink/console_cells.h"
#include "src/sink/display_text.h"
#include "src/sink/json_values.h"

namespace arrowcdc {
namespace {

// `name`, with "_" in front until no column of the table is called so: the rule of the metadata columns.
std::string FreeName(const TableSchema& table, std::string name) {
  while (!table.schema->GetAllFieldIndices(name).empty()) name.insert(0, 1, '_');
  return name;
}

void AppendKey(std::string_view name, std::string* out) {
  AppendJsonString(name, out);
  *out += ':';
}

// ,"_xid":731
void AppendMetadata(const ChangeBatch& batch, MetadataColumn column, int64_t row, std::string* out) {
  const int field = batch.table->metadata_field(column);
  *out += ',';
  AppendKey(batch.table->schema->field(field)->name(), out);
  AppendJsonValue(*batch.rows->column(field), row, out);
}

// ,"_lsn":"0/16B3748"
void AppendLsn(const TableSchema& table, MetadataColumn column, uint64_t lsn, std::string* out) {
  *out += ',';
  AppendKey(table.schema->field(table.metadata_field(column))->name(), out);
  AppendJsonString(FormatLsn(lsn), out);
}

}  // namespace

arrow::Status AppendNdjson(const ChangeBatch& batch, std::string* out) {
  ARROW_ASSIGN_OR_RAISE(const ChangeRows changes, ChangeRows::Make(*batch.table, *batch.rows));
  const std::string schema_name = FreeName(*batch.table, "_schema");
  const std::string table_name = FreeName(*batch.table, "_table");
  for (int64_t row = 0; row < batch.rows->num_rows(); ++row) {
    *out += '{';
    AppendKey(schema_name, out);
    AppendJsonString(batch.table->name.schema, out);
    *out += ',';
    AppendKey(table_name, out);
    AppendJsonString(batch.table->name.table, out);
    AppendMetadata(batch, MetadataColumn::kOp, row, out);
    AppendLsn(*batch.table, MetadataColumn::kCommitLsn, changes.commit_lsn(row), out);
    AppendLsn(*batch.table, MetadataColumn::kLsn, changes.lsn(row), out);
    AppendMetadata(batch, MetadataColumn::kOrd, row, out);
    AppendMetadata(batch, MetadataColumn::kXid, row, out);
    AppendMetadata(batch, MetadataColumn::kCommitTs, row, out);
    if (changes.unchanged().count(row) > 0) AppendMetadata(batch, MetadataColumn::kUnchanged, row, out);
    if (changes.unrepresentable().count(row) > 0) {
      AppendMetadata(batch, MetadataColumn::kUnrepresentable, row, out);
    }
    for (int column = 0; column < batch.table->column_count; ++column) {
      *out += ',';
      AppendKey(batch.table->schema->field(column)->name(), out);
      AppendJsonValue(*batch.rows->column(column), row, out);
    }
    *out += "}\n";
  }
  return arrow::Status::OK();
}

arrow::Status AppendTable(const ChangeBatch& batch, std::string* out) {
  ARROW_ASSIGN_OR_RAISE(const ChangeRows changes, ChangeRows::Make(*batch.table, *batch.rows));
  const int columns = batch.table->column_count;
  std::vector<std::vector<std::string>> lines(1);
  lines[0] = {"commit", "op"};
  for (int column = 0; column < columns; ++column) {
    lines[0].push_back(NameText(batch.table->schema->field(column)->name()));
  }
  for (int64_t row = 0; row < changes.num_rows(); ++row) {
    std::vector<std::string> line{FormatLsn(changes.commit_lsn(row)), OpName(changes.op(row))};
    for (int column = 0; column < columns; ++column)
      line.push_back(CellText(*batch.rows, changes, column, row));
    lines.push_back(std::move(line));
  }
  std::vector<size_t> widths(lines[0].size());
  for (const auto& line : lines) {
    for (size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], DisplayWidth(line[i]));
  }
  const int64_t count = batch.rows->num_rows();
  *out += TableText(batch.table->name) + " (" + std::to_string(count) + (count == 1 ? " row)\n" : " rows)\n");
  for (const auto& line : lines) {
    for (size_t i = 0; i < line.size(); ++i) {
      *out += "  " + line[i];
      if (i + 1 < line.size()) out->append(widths[i] - DisplayWidth(line[i]), ' ');
    }
    *out += '\n';
  }
  *out += '\n';
  return arrow::Status::OK();
}

}  // namespace arrowcdc
