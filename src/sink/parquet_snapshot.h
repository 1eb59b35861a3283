// The Parquet sink's files of a snapshot: a file a part, written by several threads under hidden names until
// all parts of their table are there. Which of them the manifest names is the sink's part.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "arrowcdc/sink.h"
#include "src/sink/file_system.h"
#include "src/sink/manifest.h"
#include "src/sink/parquet_encoding.h"

namespace arrowcdc {

// Threads: any.
class ParquetSnapshot {
 public:
  // `files` and `encoding` outlive it. directory: the sink's. row_group_bytes: of a part, in memory.
  ParquetSnapshot(FileSystem* files, ParquetEncoding* encoding, std::string directory,
                  int64_t row_group_bytes)
      : files_(files),
        encoding_(encoding),
        directory_(std::move(directory)),
        row_group_bytes_(row_group_bytes) {}

  // Parts as the manifest has them: their files are hidden. A table of which one is missing is forgotten.
  arrow::Status Recover(std::vector<StoredPart> parts);
  // Whether it is the file of a finished part.
  bool Holds(const std::string& path);

  // table_directory: the table's, which exists. The writer must not outlive this.
  std::unique_ptr<SnapshotPartWriter> BeginPart(const SnapshotPart& part, std::string table_directory,
                                                const StreamIdentity& stream);

  // Bytes of finished parts that StableParts has not told of; none: there are no such parts.
  std::optional<int64_t> untold_bytes();
  // The finished parts that can be kept, their files stable on return.
  arrow::Result<std::vector<StoredPart>> StableParts();
  // Finished parts that do not count any more. Returns the paths of their files, which are to be removed.
  std::vector<std::string> Forget(const std::function<bool(const StoredPart&)>& gone);

  // The table's parts get their names; stable on return. Points of theirs behind the table's are noted in it.
  arrow::Status Publish(CopiedTable* table);

 private:
  friend class PartFileWriter;

  std::string DirectoryOf(const TableName& table) const;
  std::string HiddenPath(const StoredPart& stored) const;
  arrow::Result<bool> Hide(const StoredPart& stored);
  void Add(StoredPart stored, int64_t bytes);

  FileSystem* const files_;
  ParquetEncoding* const encoding_;
  const std::string directory_;
  const int64_t row_group_bytes_;
  std::mutex mutex_;
  // Under the mutex:
  std::vector<StoredPart> parts_;   // finished, of tables that are not complete
  std::set<std::string> held_;      // paths of their files
  std::set<std::string> unstable_;  // directories of files that are not stable
  std::optional<int64_t> untold_bytes_;
};

// _commit_lsn of the rows of a snapshot at that point.
inline uint64_t SnapshotCommitLsn(const Position& point) { return point.order - 1; }

// Whether copied rows with that _commit_lsn are the table's.
bool IsCopiedAt(const CopiedTable& table, uint64_t commit_lsn);

}  // namespace arrowcdc
