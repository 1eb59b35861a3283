// What the sink remembers of the stream and the tables that its rows came from, against what comes now. It
// only warns: nothing of it makes the rows wrong.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "arrowcdc/change_batch.h"
#include "arrowcdc/sink.h"
#include "arrowcdc/source.h"

namespace arrowcdc {

class SinkMemory {
 public:
  // What is other in `now` than in what the sink stored.
  std::vector<SourceNotice> Restore(SinkState state, const StreamIdentity& now);

  // For each batch: says once a relation when a table's name has come to it from another.
  std::optional<SourceNotice> Check(const std::shared_ptr<const TableSchema>& table);

 private:
  std::map<TableName, uint32_t> table_ids_;  // of the last rows
  std::set<std::pair<TableName, uint32_t>> said_;
  std::shared_ptr<const TableSchema> last_;  // looked at
};

}  // namespace arrowcdc
