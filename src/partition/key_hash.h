// Hashes of a column's values, type by type, as include/arrowcdc/hash_partitioner.h defines them.
#pragma once

#include <cstdint>
#include <vector>

#include <arrow/array/data.h>
#include <arrow/status.h>
#include <arrow/type.h>

#include "arrowcdc/hash_partitioner.h"

namespace arrowcdc {

// Whether a column of this type can be hashed.
bool IsHashable(const arrow::DataType& type);

// One hash a row, 0 for nulls. `hashes` has column.length elements. The type must be hashable.
arrow::Status HashColumn(const arrow::ArrayData& column, PartitionHash hash, uint32_t* hashes);

// Hashes of `columns`, all of the same length, combined row by row. One column: unchanged.
std::vector<uint32_t> CombineHashes(std::vector<std::vector<uint32_t>> columns, PartitionHash hash);

}  // namespace arrowcdc
