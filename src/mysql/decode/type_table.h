// What a column of MySQL or MariaDB becomes, and how its values are read (docs/types.md).
#pragma once

#include <memory>

#include <arrow/result.h>
#include <arrow/type.h>

#include "arrowcdc/change_batch.h"
#include "src/mysql/decode/column_reader.h"
#include "src/mysql/decode/flavor.h"
#include "src/mysql/decode/table_map.h"

namespace arrowcdc::mysql {

// Keys of the metadata of fields.
inline constexpr char kTypeKey[] = "arrowcdc:mysql_type";        // "bigint unsigned", as the server calls it
inline constexpr char kCharsetKey[] = "arrowcdc:mysql_charset";  // of text
inline constexpr char kInvisibleKey[] = "arrowcdc:invisible";    // "true"

struct MappedColumn {
  std::shared_ptr<arrow::Field> field;
  ColumnStep step;
  bool is_json = false;  // its new value may come as a difference
};

// What the types of columns depend on beside the columns.
struct TypeChoices {
  Flavor flavor = Flavor::kMysql;
  bool as_text = false;  // types with values that have no Arrow form are text (Unrepresentable::kText)
};

// Errors: kUnsupported, by column, for types and character sets that are not read.
arrow::Result<MappedColumn> MapToArrow(const MapColumn& column, const TableName& table, TypeChoices choices);

}  // namespace arrowcdc::mysql
