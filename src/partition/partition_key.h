// Which columns a table is split by, or why it cannot be. Pure.
#pragma once

#include <string>
#include <vector>

#include <arrow/result.h>

#include "arrowcdc/change_batch.h"

namespace arrowcdc {

struct KeyCandidates {
  struct Column {
    std::string name;
    std::string type;  // for people
    bool hashable = true;
  };
  std::string object;  // table public.users
  ReplicaIdentity replica_identity = ReplicaIdentity::kDefault;
  std::vector<Column> columns;
  std::vector<int> identity;  // places in `columns`, in key order; empty: none or FULL
};

// Places of `wanted` in that order; where nothing is wanted, the replica identity's.
// Errors: as HashPartitioner::Make.
arrow::Result<std::vector<int>> ChoosePartitionKey(const KeyCandidates& candidates,
                                                   const std::vector<std::string>& wanted);

}  // namespace arrowcdc
