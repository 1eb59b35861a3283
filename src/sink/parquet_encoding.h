// Which columns of a Parquet file are encoded by a dictionary: those whose values come again. For others a
// dictionary costs time and bytes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <arrow/result.h>
#include <arrow/table.h>

namespace arrowcdc {

// The columns whose values hardly repeat among the table's rows, judged by a sample of them. A nested column,
// and one with too few values to judge by, is not among them. Errors: OutOfMemory.
arrow::Result<std::vector<std::string>> ColumnsThatHardlyRepeat(const arrow::Table& rows);

// Whether among `rows` values less than half are expected to be distinct, where `distinct` of `sampled` are.
bool ValuesRepeat(int64_t sampled, int64_t distinct, int64_t rows);

}  // namespace arrowcdc
