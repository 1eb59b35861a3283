// Rows of batches as lines of text, for tests that say what they expect.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/array.h>
#include <arrow/extension_type.h>
#include <arrow/scalar.h>

#include "arrowcdc/change_batch.h"
#include "arrowcdc/change_rows.h"

namespace arrowcdc::mysql::test {

inline std::string Hex(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string text;
  for (const char byte : bytes) {
    text += kDigits[static_cast<uint8_t>(byte) >> 4];
    text += kDigits[static_cast<uint8_t>(byte) & 15];
  }
  return text;
}

// Bytes in hexadecimal digits, durations in their unit.
inline std::string CellText(const arrow::Array& array, int64_t row) {
  if (array.IsNull(row)) return "null";
  if (array.type_id() == arrow::Type::EXTENSION)
    return CellText(*static_cast<const arrow::ExtensionArray&>(array).storage(), row);
  if (array.type_id() == arrow::Type::STRING)
    return static_cast<const arrow::StringArray&>(array).GetString(row);
  if (array.type_id() == arrow::Type::BINARY)
    return Hex(static_cast<const arrow::BinaryArray&>(array).GetView(row));
  return array.GetScalar(row).ValueOrDie()->ToString();
}

// "insert 3.0: 1, a, null" with _lsn >> 16 and _ord; then " unchanged: b" and " unrepresentable: c".
inline std::vector<std::string> RowLines(const std::vector<ChangeBatch>& batches, const std::string& table) {
  std::vector<std::string> lines;
  for (const ChangeBatch& batch : batches) {
    if (batch.table->name.table != table) continue;
    const ChangeRows rows = ChangeRows::Make(*batch.table, *batch.rows).ValueOrDie();
    const auto add_names = [&lines](const char* what, const NameLists& lists, int64_t row) {
      if (lists.count(row) > 0) lines.back() += std::string(" ") + what + ":";
      for (int32_t i = 0; i < lists.count(row); ++i) lines.back() += " " + std::string(lists.name(row, i));
    };
    for (int64_t row = 0; row < batch.rows->num_rows(); ++row) {
      lines.push_back(std::string(OpName(rows.op(row))) + " " + std::to_string(rows.lsn(row) >> 16) + "." +
                      std::to_string(rows.ord(row)) + ":");
      for (int i = 0; i < batch.table->column_count; ++i)
        lines.back() += (i == 0 ? " " : ", ") + CellText(*batch.rows->column(i), row);
      add_names("unchanged", rows.unchanged(), row);
      add_names("unrepresentable", rows.unrepresentable(), row);
    }
  }
  return lines;
}

}  // namespace arrowcdc::mysql::test
