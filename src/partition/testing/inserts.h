// Change batches of inserted rows, from the table's columns alone.
#pragma once

#include <memory>
#include <utility>

#include <arrow/api.h>

#include "arrowcdc/change_batch.h"
#include "src/change/table_schema.h"

namespace arrowcdc::test {

// `columns` are the table's, at least one; of the metadata only _op is set.
inline std::shared_ptr<arrow::RecordBatch> MakeInserts(const TableSchema& table, arrow::ArrayVector columns) {
  const int64_t rows = columns[0]->length();
  for (int i = 0; i < kMetadataColumnCount; ++i) {
    const auto& type = MetadataColumnType(static_cast<MetadataColumn>(i));
    columns.push_back(arrow::MakeArrayOfNull(type, rows).ValueOrDie());
  }
  const auto inserts = arrow::MakeArrayFromScalar(arrow::Int8Scalar(0), rows).ValueOrDie();
  columns[static_cast<size_t>(table.column_count) + static_cast<size_t>(MetadataColumn::kOp)] =
      MakeOpColumn(inserts);
  return arrow::RecordBatch::Make(table.schema, rows, std::move(columns));
}

}  // namespace arrowcdc::test
