// Names of the Parquet sink's directories and files. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <arrow/result.h>

#include "arrowcdc/change_batch.h"

namespace arrowcdc {

// Name of a table's directory: "<schema>.<table>", every byte outside [A-Za-z0-9_-] as %XX, and a leading '_'
// of the schema too (readers skip names that begin with '_' or '.'). Where that is longer than a file name
// may be: "~<bytes of schema>~<base64url of schema and table>". Two tables never share a name.
// Errors: kUnsupported when the names together are longer than any file name can hold (PostgreSQL's never
// are).
arrow::Result<std::string> TableDirectoryName(const TableName& name);

// As TableDirectoryName makes them. Other directories are none of the sink's business.
bool IsTableDirectory(std::string_view name);

// Beside the tables' directories.
inline constexpr std::string_view kParquetManifestName = "_arrowcdc_manifest.json";

// Name of a complete file, by the position of its last row: 16 hex digits, 16 hex digits, 5 decimal digits.
// Sorts as the rows do.
std::string DataFileName(const RowPosition& last_row);
// The position in a name that DataFileName made; none for any other.
std::optional<RowPosition> ParseDataFileName(std::string_view name);

inline constexpr std::string_view kDataFileSuffix = ".parquet";

// "0/16B3748 0/16B3700 0": a row's position for people and footers.
std::string FormatRowPosition(const RowPosition& position);

}  // namespace arrowcdc
