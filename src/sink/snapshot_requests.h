// Requests that a table be copied anew, in the directory of a Parquet sink: a file each, which the stream
// that writes there takes away once its manifest notes the table.
#pragma once

#include <string>
#include <vector>

#include <arrow/result.h>

#include "arrowcdc/change_batch.h"
#include "src/sink/file_system.h"

namespace arrowcdc {

// The tables, each once. Errors: kSink naming a file that is no request.
arrow::Result<std::vector<TableName>> ReadSnapshotRequests(FileSystem& files, const std::string& directory);

// All requests for these tables.
arrow::Status RemoveSnapshotRequests(FileSystem& files, const std::string& directory,
                                     const std::vector<TableName>& tables);

}  // namespace arrowcdc
