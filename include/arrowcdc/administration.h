// What administrators are shown of a source, whichever database it is.
#pragma once

#include <string>

#include <arrow/status.h>

#include "arrowcdc/change_batch.h"

namespace arrowcdc {

// Something that must change before a stream can begin, or what sets it up can be run.
struct SetupObstacle {
  arrow::Status status{};         // typed, with object and remedy
  std::string sql{};              // what an administrator runs against it; empty: SQL alone does not help
  bool restart = false;           // of the server, before that is in force
  bool by_administrator = false;  // the steps are right, and this role may not run them
};

struct TableStatus {
  TableName name;
  bool matches = false;
  bool published = false;  // its changes come, under its name or, where the reason says so, another
  ReplicaIdentity replica_identity = ReplicaIdentity::kDefault;
  bool usable_identity = false;
  std::string reason;  // the pattern that decided, and what hinders
  std::string limits;  // what of its changes will not come as one would expect, for people; empty: all comes
};

}  // namespace arrowcdc
