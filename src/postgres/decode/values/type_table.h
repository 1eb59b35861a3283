// The type table of the decoders: which Arrow type a PostgreSQL type becomes (docs/types.md), and what
// reads its values. The same for text and binary, for pgoutput and COPY; the plugin's columns are of the same
// types.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <arrow/result.h>
#include <arrow/type.h>
#include <arrow/util/key_value_metadata.h>

#include "pgtype/type_table.h"
#include "src/postgres/decode/values/type_catalog.h"
#include "src/postgres/decode/values/value_reader.h"

namespace arrowcdc {

struct ValueOptions {
  pgtype::NumericChoice numeric{pgtype::NumericAs::kText, 0, 0};  // without a precision
  // Columns of types that have values without an Arrow form are utf8 as a whole: the type's output text.
  bool unrepresentable_as_text = false;
};

struct MappedType {
  std::shared_ptr<arrow::DataType> type;
  // ARROW:extension:name and :metadata of an extension type that Arrow C++ does not know; or null.
  std::shared_ptr<const arrow::KeyValueMetadata> metadata;
  std::unique_ptr<const ValueReader> reader;
  // ReadBinary understands what typsend writes, looked through arrays, domains, composites and ranges. Where
  // it is false only text may be read, and a session that is asked for binary might not even start.
  bool reads_binary = true;
};

// Never fails because of the type: what has no place in the table, or is not there any more, becomes utf8 by
// its output text. Errors: the catalog's.
arrow::Result<MappedType> MapType(uint32_t type, int32_t typmod, const ValueOptions& options,
                                  TypeCatalog* catalog);

struct ColumnDescription {
  Attribute attribute = {};
  std::optional<int16_t> attnum = {};  // PARQUET:field_id, where it is known
  int key_place = 0;                   // in the replica identity, from 1; 0: not part of it
};

struct MappedColumns {
  arrow::FieldVector fields;  // with the metadata of docs/types.md; for MakeTableSchema
  std::vector<std::unique_ptr<const ValueReader>> readers;
  std::vector<ValueForm> forms;  // kText where reads_binary is false
};

// The columns of a table. Errors: the catalog's.
arrow::Result<MappedColumns> MapColumns(const std::vector<ColumnDescription>& columns,
                                        const ValueOptions& options, TypeCatalog* catalog);

}  // namespace arrowcdc
