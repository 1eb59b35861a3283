// What administrators are shown of a source, whichever database it is.
#pragma once

#include <string>

#include <arrow/status.h>

#include "arrowcdc/change_batch.h"
#include "arrowcdc/error.h"

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

// What an examination has found, the graver the later.
enum class FindingLevel {
  kOk,
  kNote,     // worth knowing
  kUnknown,  // the role may not see it
  kWarning,  // it may hurt later
  kProblem,  // a stream does not begin, or loses what it goes on from
};

struct Finding {
  FindingLevel level = FindingLevel::kOk;
  std::string check{};  // which, for programs: "wal_retention"; it stays the same
  std::string text{};   // for people
  std::string object{};
  std::string remedy{};
  std::string sql{};  // that an administrator can run as it is; empty: SQL alone does not help
  ErrorKind kind = ErrorKind::kInternal;  // of a problem
};

}  // namespace arrowcdc
