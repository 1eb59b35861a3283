// The slow way of a column that validate_column does not accept: where nothing but text is wrong, the rows
// that hold it become null, and all others stay as they are.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <arrow/array.h>
#include <arrow/memory_pool.h>
#include <arrow/result.h>

namespace arrowcdc {

struct RepairedText {
  std::shared_ptr<arrow::Array> column;
  std::vector<int64_t> rows;  // that had a value and are null now, ascending
};

// A column like `column`, in which every row is null that holds, at any depth, text that is not UTF-8. The
// result passes ValidateFull: the bytes of that text are gone, also those that stood where nobody reads them
// (under a null, outside the offsets). Errors: Status::Invalid where something else is wrong as well.
arrow::Result<RepairedText> RepairText(const arrow::Array& column, arrow::MemoryPool* pool);

}  // namespace arrowcdc
