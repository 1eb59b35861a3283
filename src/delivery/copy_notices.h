// What is said of tables whose rows are copied, or are not.
#pragma once

#include <string>

#include <arrow/status.h>

#include "arrowcdc/change_batch.h"
#include "arrowcdc/source_notice.h"

namespace arrowcdc::copy_notices {

// --snapshot never, of a sink that has begun to copy.
arrow::Status NotComplete();
arrow::Status StoppedWhileAdding();
// The sink began without a copy.
SourceNotice NotFromTheStart();
// Of a table whose rows are to be copied. comes: its changes come, so --snapshot is in the way.
SourceNotice Waits(const TableName& table, bool comes);
SourceNotice WasAskedFor(const TableName& table, bool comes);
SourceNotice PointIsLost(const TableName& table);
// Its first change is here. beside: it is copied while the stream goes on.
SourceNotice CameLater(const TableName& table, bool beside);
// It was to be copied, and the source did not list it.
SourceNotice NotThere(const TableName& table);
// Of a copy of `tables`. why: made by MakeError.
SourceNotice Failed(const std::string& tables, const arrow::Status& why);

}  // namespace arrowcdc::copy_notices
