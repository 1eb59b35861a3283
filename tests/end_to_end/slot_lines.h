// All that a slot holds as lines of text, to compare what two output plugins make of the same WAL.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "arrowcdc/change_batch.h"
#include "arrowcdc/postgres.h"

namespace arrowcdc::test {

// By table: its rows in order with all their metadata, truncates among them, and its schema in front of those
// that have it.
using SlotLines = std::map<TableName, std::vector<std::string>>;

// Read with options.slot's plugin up to the end of the WAL; the slot does not move. `binary`, where it is
// given: whether the plugin was asked for values in binary. Errors: the source's; after one that can be
// retried it is read once more from the begin.
arrow::Result<SlotLines> ReadSlotLines(PostgresOptions options, bool* binary = nullptr);

// Of events that came otherwise.
arrow::Result<SlotLines> LinesOf(const std::vector<Event>& events);

// Fails the test at the first line of each table that differs.
void ExpectSameLines(const SlotLines& got, const SlotLines& wanted);

// Some line has the text.
bool HasLine(const std::vector<std::string>& lines, const std::string& part);

}  // namespace arrowcdc::test
