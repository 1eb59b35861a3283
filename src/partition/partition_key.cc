// The old side of a change carries the replica identity and nothing else: other columns cannot route it.
#include "src/partition/partition_key.h"

#include <algorithm>
#include <utility>

#include "arrowcdc/error.h"

namespace arrowcdc {
namespace {

bool Contains(const std::vector<int>& places, int place) {
  return std::find(places.begin(), places.end(), place) != places.end();
}

arrow::Status CheckColumn(const KeyCandidates& candidates, int place) {
  const KeyCandidates::Column& column = candidates.columns[static_cast<size_t>(place)];
  const std::string object = candidates.object + ", column \"" + column.name + "\"";
  if (candidates.replica_identity != ReplicaIdentity::kFull && !Contains(candidates.identity, place)) {
    return MakeError(
        ErrorKind::kReplicaIdentity,
        "the column is not part of the replica identity: the old side of its changes cannot be routed",
        object, "partition by columns of the replica identity, or ALTER TABLE ... REPLICA IDENTITY FULL");
  }
  if (column.hashable) return arrow::Status::OK();
  return MakeError(ErrorKind::kUnsupported, "the column cannot be hashed: its type is " + column.type, object,
                   "partition by other columns, or by table");
}

arrow::Result<int> FindColumn(const KeyCandidates& candidates, const std::string& name) {
  const auto& columns = candidates.columns;
  const auto named = [&](const auto& column) { return column.name == name; };
  const auto found = std::find_if(columns.begin(), columns.end(), named);
  if (found != columns.end() && std::none_of(found + 1, columns.end(), named))
    return static_cast<int>(found - columns.begin());
  return MakeError(
      ErrorKind::kInvalidOption,
      found == columns.end() ? "there is no column of that name" : "several columns have that name",
      candidates.object + ", column \"" + name + "\"", "correct the list of partition columns");
}

arrow::Status NoIdentity(const KeyCandidates& candidates) {
  const std::string& object = candidates.object;
  if (candidates.replica_identity == ReplicaIdentity::kFull) {
    return MakeError(ErrorKind::kReplicaIdentity,
                     "its replica identity is FULL, which says nothing about a key", object,
                     "give it REPLICA IDENTITY DEFAULT or USING INDEX, or name the partition columns");
  }
  return MakeError(ErrorKind::kReplicaIdentity,
                   "it has no replica identity: its changes cannot be routed by key", object,
                   "add a primary key or a replica identity, or leave the table out, or partition by table");
}

}  // namespace

arrow::Result<std::vector<int>> ChoosePartitionKey(const KeyCandidates& candidates,
                                                   const std::vector<std::string>& wanted) {
  if (wanted.empty()) {
    if (candidates.identity.empty()) return NoIdentity(candidates);
    for (const int place : candidates.identity) ARROW_RETURN_NOT_OK(CheckColumn(candidates, place));
    return candidates.identity;
  }
  std::vector<int> key;
  for (const std::string& name : wanted) {
    ARROW_ASSIGN_OR_RAISE(const int place, FindColumn(candidates, name));
    if (Contains(key, place)) {
      return MakeError(ErrorKind::kInvalidOption, "a partition column is named twice",
                       candidates.object + ", column \"" + name + "\"", "name it once");
    }
    ARROW_RETURN_NOT_OK(CheckColumn(candidates, place));
    key.push_back(place);
  }
  return key;
}

}  // namespace arrowcdc
