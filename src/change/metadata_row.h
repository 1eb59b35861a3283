// The metadata columns of a batch of one row: what is an event of its own, and not a row of many.
#pragma once

#include <cstdint>
#include <optional>

#include <arrow/array.h>
#include <arrow/result.h>

#include "src/change/metadata_columns.h"

namespace arrowcdc {

struct MetadataRow {
  Op op;
  uint64_t commit_lsn;
  uint64_t lsn;
  uint16_t ord;
  std::optional<uint32_t> xid;
  std::optional<int64_t> commit_ts;
};

// In their order; _unchanged and _unrepresentable are null.
arrow::Result<arrow::ArrayVector> MakeMetadataRow(const MetadataRow& row);

}  // namespace arrowcdc
