// What is said of tables whose rows are copied, or are not.
#pragma once

#include <string>
#include <vector>

#include <arrow/status.h>

#include "arrowcdc/change_batch.h"
#include "arrowcdc/source_notice.h"

namespace arrowcdc::copy_notices {

// --snapshot never, of a sink that has begun to copy.
arrow::Status NotComplete();
arrow::Status StoppedWhileAdding();
// Of rows that are there no more in the sink at `place`. copies: it began with a copy.
arrow::Status IsGone(const TableName& table, const std::string& place, bool copies);
SourceNotice HasNoFiles(const TableName& table);
// At the end of a stream; at least one.
SourceNotice NotCopiedYet(const std::vector<TableName>& tables);
// The sink began without a copy.
SourceNotice NotFromTheStart();
// Of a table whose rows are to be copied. comes: its changes come, so --snapshot is in the way.
SourceNotice Waits(const TableName& table, bool comes);
SourceNotice WasAskedFor(const TableName& table, bool comes);
// By the stream before.
SourceNotice WasLeftOut(const TableName& table);
// It was asked for, and the copy did not meet it.
SourceNotice IsNotListed(const TableName& table);
// A request. waits: it was not copied yet, and is not any more.
SourceNotice Withdrawn(const TableName& table, bool waits);
SourceNotice PointIsLost(const TableName& table);
// Its first change is here. beside: it is copied while the stream goes on.
SourceNotice CameLater(const TableName& table, bool beside);
// It was to be copied, and the source did not list it.
SourceNotice NotThere(const TableName& table);
// Of a copy of `tables`. why: made by MakeError.
SourceNotice Failed(const std::string& tables, const arrow::Status& why);

}  // namespace arrowcdc::copy_notices
