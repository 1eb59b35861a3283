#include "src/sink/console_cells.h"

#include "src/sink/display_text.h"
#include "src/sink/json_values.h"

namespace arrowcdc {

std::string CellText(const arrow::RecordBatch& rows, const ChangeRows& changes, int column, int64_t row) {
  if (changes.IsUnchanged(row, column)) return "(unchanged)";
  if (changes.IsUnrepresentable(row, column)) return "(unrepresentable)";
  std::string text;
  AppendJsonValue(*rows.column(column), row, &text);
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') text = text.substr(1, text.size() - 2);
  return CutToWidth(ShownText(text), kCellWidthMax);
}

std::string NameText(std::string_view name) {
  std::string out;
  AppendJsonString(name, &out);
  return CutToWidth(ShownText(out.substr(1, out.size() - 2)), kCellWidthMax);
}

std::string TableText(const TableName& table) {
  return ToString(TableName{NameText(table.schema), NameText(table.table)});
}

}  // namespace arrowcdc
