// The files of one table below the Parquet sink's directory, found by what their footers say.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <arrow/type.h>

#include "arrowcdc/change_batch.h"
#include "arrowcdc/position.h"
#include "src/sink/file_system.h"

namespace arrowcdc {

struct StoredFile {
  std::string path;  // absolute
  TableName name;    // of the table when the file was written
  ReplicaIdentity replica_identity = ReplicaIdentity::kDefault;
  RowPosition last_row;
  std::optional<RowPosition> emptied;     // its last truncation
  std::shared_ptr<arrow::Schema> schema;  // as stored, with field metadata
};

struct StoredTable {
  // Of one relation, whatever it was called, in the order of their rows; from its last truncation on.
  std::vector<StoredFile> files;
  std::optional<Position> whole;  // transactions that commit before it are whole; none: not known
  SourceId source{};              // whose position that is
  std::string place{};            // the same for people; empty: as FormatLsn writes it
  bool left_out = false;          // the last stream's patterns do not match it: later changes are not here
};

// The place among `tables` of the one that `table` names, as CurrentStateQuery takes it. Errors:
// kInvalidOption with those that are there, or that it may mean.
arrow::Result<size_t> FindTableName(const std::string& root, const std::string& table,
                                    const std::vector<TableName>& tables);
// kInvalidOption: `root` is none.
arrow::Status CheckIsDirectory(FileSystem& files, const std::string& root);

// `table` as CurrentStateQuery takes it: the relation that the newest file under that name belongs to.
arrow::Result<StoredTable> FindStoredTable(FileSystem& files, const std::string& directory,
                                           const std::string& table);

}  // namespace arrowcdc
