// What a pipeline says of rows that are copied, or are not.
#pragma once

#include <string>

#include <arrow/status.h>

#include "arrowcdc/change_batch.h"
#include "arrowcdc/error.h"
#include "arrowcdc/source_notice.h"

namespace arrowcdc {

// --snapshot never, of a sink that has begun to copy.
arrow::Status NotComplete();
arrow::Status StoppedWhileAdding();
// The first change of a table that joins.
SourceNotice IsLater(const TableName& table, bool beside_stream);
// `why` ended the copy, and has this detail.
SourceNotice NotCopied(const std::string& tables, const ErrorDetail& detail, const arrow::Status& why);

}  // namespace arrowcdc
