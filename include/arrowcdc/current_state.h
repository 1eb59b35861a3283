// The current rows of a table as a query over the files that the Parquet sink wrote.
#pragma once

#include <functional>
#include <string>

#include <arrow/result.h>

#include "arrowcdc/position.h"

namespace arrowcdc {

// A DuckDB query for the rows that `table` has after all changes in the files of `directory` that belong to
// whole transactions. `table` is schema.table in clear, with double quotes as in patterns, or the name of its
// directory. Reads footers, not rows; docs/sinks.md says what the rows are. place_of: a position as people
// know it from its source, for a comment; empty: as FormatLsn writes it.
// Errors: kInvalidOption naming the tables that are there, the nearest first; kUnsupported where the files do
// not tell which row a change belongs to; kSink where they are not as the sink left them.
arrow::Result<std::string> CurrentStateQuery(
    const std::string& directory, const std::string& table,
    const std::function<std::string(const SourceId&, const Position&)>& place_of = {});

}  // namespace arrowcdc
