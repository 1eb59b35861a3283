// What is said of tables whose rows are copied, or are not.
#pragma once

#include <arrow/status.h>

#include "arrowcdc/change_batch.h"
#include "arrowcdc/source_notice.h"

namespace arrowcdc::copy_notices {

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
// Of a copy of the table, and of others where `together`. why: made by MakeError.
SourceNotice Failed(const TableName& table, bool together, const arrow::Status& why);

}  // namespace arrowcdc::copy_notices
