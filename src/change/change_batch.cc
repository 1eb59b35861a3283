// Table names for people, truncate events as rows.
#include "arrowcdc/change_batch.h"

#include <algorithm>
#include <string_view>

#include <arrow/array.h>
#include <arrow/array/util.h>
#include <arrow/result.h>

#include "arrowcdc/error.h"
#include "src/change/metadata_row.h"
#include "src/change/utf8_text.h"

namespace arrowcdc {
namespace {

bool IsPlainIdentifier(std::string_view name) {
  auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; };
  auto is_plain = [&](char c) { return is_letter(c) || (c >= '0' && c <= '9'); };
  return !name.empty() && is_letter(name[0]) && std::all_of(name.begin(), name.end(), is_plain);
}

std::string Quote(std::string_view name) {
  std::string quoted = "\"";
  for (const char c : EscapeInvalidUtf8(name)) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

}  // namespace

std::string ToString(const TableName& name) {
  return (IsPlainIdentifier(name.schema) ? name.schema : Quote(name.schema)) + "." +
         (IsPlainIdentifier(name.table) ? name.table : Quote(name.table));
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> TruncateRow(const TruncateEvent& event, int index) {
  if (index < 0 || index >= static_cast<int>(event.tables.size())) {
    return MakeError(ErrorKind::kInternal, "a truncate event has no table " + std::to_string(index), "", "");
  }
  const TableSchema& table = *event.tables[index];
  arrow::ArrayVector columns;
  for (int i = 0; i < table.column_count; ++i) {
    ARROW_ASSIGN_OR_RAISE(auto column, arrow::MakeArrayOfNull(table.schema->field(i)->type(), 1));
    columns.push_back(std::move(column));
  }
  ARROW_ASSIGN_OR_RAISE(
      const auto metadata,
      MakeMetadataRow({Op::kTruncate, event.commit_lsn, event.lsn, static_cast<uint16_t>(index),
                       event.xid == 0 ? std::nullopt : std::optional(event.xid), event.commit_ts}));
  columns.insert(columns.end(), metadata.begin(), metadata.end());
  return arrow::RecordBatch::Make(table.schema, 1, std::move(columns));
}

}  // namespace arrowcdc
