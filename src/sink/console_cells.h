// What the console's tables show of a value. Pure.
#pragma once

#include <cstddef>
#include <string>

#include <arrow/record_batch.h>

#include "arrowcdc/change_rows.h"

namespace arrowcdc {

inline constexpr size_t kCellWidthMax = 40;

// Cut to kCellWidthMax columns of a terminal.
std::string CellText(const arrow::RecordBatch& rows, const ChangeRows& changes, int column, int64_t row);
std::string NameText(std::string_view name);

// schema.table
std::string TableText(const TableName& table);

}  // namespace arrowcdc
