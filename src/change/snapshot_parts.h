// Which parts of a snapshot are left, for the readers that share them. A table that was changed since the
// point must be read at another one: it is put off, and ends the snapshot when all others are read.
#pragma once

#include <cstddef>
#include <mutex>
#include <optional>
#include <set>
#include <vector>

#include <arrow/result.h>

namespace arrowcdc {

// Threads: any. A reader has one part at a time.
class SnapshotParts {
 public:
  // tables: that of each part, in the order in which they are read. keeps_order: as
  // Snapshot::ReadWholeTables, so that nothing may come between the parts of a table.
  void Set(std::vector<size_t> tables, bool keeps_order);

  // A part by its place. nullopt: none is left to this reader. Errors: why a table was put off, once all
  // other parts are done.
  arrow::Result<std::optional<size_t>> Take();
  // The part that the reader took is read.
  void Done();
  // The part that the reader took cannot be read, as its table cannot: `why`, which is returned where nothing
  // else may be read in between.
  arrow::Status PutOff(size_t part, const arrow::Status& why);

 private:
  std::mutex mutex_;
  // Under the mutex:
  std::vector<size_t> tables_;  // of the parts
  bool keeps_order_ = false;
  size_t next_ = 0;
  size_t under_way_ = 0;
  std::set<size_t> put_off_;  // tables
  arrow::Status why_;         // the first of them
};

}  // namespace arrowcdc
