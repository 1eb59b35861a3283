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
inline constexpr std::string_view kParquetLockName = "_arrowcdc_lock";
inline constexpr std::string_view kParquetRequestPrefix = "_arrowcdc_resnapshot_";

// Name of a complete file, by the position of its last row: 16 hex digits, 16 hex digits, 5 decimal digits.
// Sorts as the rows do.
std::string DataFileName(const RowPosition& last_row);
// The position in a name that DataFileName made; none for any other.
std::optional<RowPosition> ParseDataFileName(std::string_view name);

// The same of a file of a snapshot, whose rows are one below a commit: sorts as its rows do, and is never
// taken for how far the stream has come.
std::string SnapshotFileName(const RowPosition& last_row);
std::optional<RowPosition> ParseSnapshotFileName(std::string_view name);

inline constexpr std::string_view kDataFileSuffix = ".parquet";

// What a file of that name is called while it does not count; readers pass over it.
std::string HiddenFileName(std::string_view name);

// "0/16B3748 0/16B3700 0": a row's position for people and footers.
std::string FormatRowPosition(const RowPosition& position);

}  // namespace arrowcdc
