// What Parquet cannot hold, in a form that it can: one rule for types, one for arrays. Pure. docs/sinks.md
// has the table.
#pragma once

#include <memory>

#include <arrow/array.h>
#include <arrow/result.h>
#include <arrow/type.h>

namespace arrowcdc {

// The type a column is stored as; the same pointer where Parquet holds it as it is.
std::shared_ptr<arrow::DataType> StoredType(const std::shared_ptr<arrow::DataType>& type);

// `schema` with stored types. A field that changed carries its own type as metadata "arrowcdc:arrow_type".
std::shared_ptr<arrow::Schema> StoredSchema(const arrow::Schema& schema);

// The array's values as `stored`, which is StoredType of its type. Exact: no value is rounded or clamped.
arrow::Result<std::shared_ptr<arrow::Array>> ToStored(const std::shared_ptr<arrow::Array>& array,
                                                      const std::shared_ptr<arrow::DataType>& stored);

}  // namespace arrowcdc
