// A snapshot of PostgreSQL's tables: parts of leaves, copied by as many sessions as there are readers.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "arrowcdc/postgres.h"
#include "arrowcdc/snapshot.h"
#include "arrowcdc/table_patterns.h"

namespace arrowcdc::postgres {

// What the stream is of.
struct SnapshotSource {
  std::string system;  // its identifier
  uint32_t timeline = 0;
  std::string plugin;  // of its slot
  std::vector<std::string> publications;
  std::chrono::milliseconds patience{0};  // with transactions that are open
};

// Takes a point and plans. `parts` are at points of the source's history, behind which all changes come.
// Errors and blocking: Source::BeginSnapshot.
arrow::Result<std::unique_ptr<Snapshot>> TakeSnapshot(const PostgresOptions& options,
                                                      const SnapshotSource& source,
                                                      const WantedTables& wanted,
                                                      const std::vector<SnapshotPart>& parts);

}  // namespace arrowcdc::postgres
