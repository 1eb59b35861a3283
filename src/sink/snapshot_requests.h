// Requests that a table be copied anew, in the directory of a Parquet sink: a file each, which the stream
// that writes there takes away once its manifest notes the table.
#pragma once

#include <string>
#include <vector>

#include <arrow/result.h>

#include "arrowcdc/change_batch.h"
#include "arrowcdc/sink.h"
#include "src/sink/file_system.h"

namespace arrowcdc {

// What is no request is among those that cannot be read, and stops nothing. Errors: kSink where the directory
// cannot be listed.
arrow::Result<SnapshotRequests> ReadSnapshotRequests(FileSystem& files, const std::string& directory);

// All requests for these tables.
arrow::Status RemoveSnapshotRequests(FileSystem& files, const std::string& directory,
                                     const std::vector<TableName>& tables);

}  // namespace arrowcdc
