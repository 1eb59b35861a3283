#include "src/sink/parquet_snapshot.h"

#include <algorithm>
#include <utility>

#include "arrowcdc/change_rows.h"
#include "arrowcdc/error.h"
#include "src/sink/parquet_file.h"
#include "src/sink/storage_names.h"

namespace arrowcdc {

class PartFileWriter : public SnapshotPartWriter {
 public:
  PartFileWriter(ParquetSnapshot* snapshot, SnapshotPart part, std::string table_directory,
                 StreamIdentity stream)
      : snapshot_(snapshot),
        part_(std::move(part)),
        directory_(std::move(table_directory)),
        stream_(std::move(stream)) {}

  // One that is not finished leaves nothing.
  ~PartFileWriter() override {
    if (file_ == nullptr || finished_ || !file_->on_disk()) return;
    const std::string path = file_->temporary_path();
    file_.reset();
    (void)snapshot_->files_->Remove(path);
  }

  arrow::Status Write(const ChangeBatch& batch) override {
    ARROW_ASSIGN_OR_RAISE(const ChangeRows changes, ChangeRows::Make(*batch.table, *batch.rows));
    if (file_ == nullptr) {
      file_ = std::make_unique<ParquetFile>(snapshot_->files_, snapshot_->encoding_, directory_, batch.table,
                                            stream_, ParquetFile::Rows::kSnapshot);
    }
    ARROW_RETURN_NOT_OK(
        file_->Add(batch.rows, changes.position(0), changes.position(batch.rows->num_rows() - 1)));
    return file_->buffered_bytes() >= snapshot_->row_group_bytes_ ? file_->WriteRowGroup()
                                                                  : arrow::Status::OK();
  }

  arrow::Status Finish() override {
    if (file_ == nullptr) {
      snapshot_->Add({part_, ""}, 0);
      return arrow::Status::OK();
    }
    ARROW_RETURN_NOT_OK(file_->WriteRowGroup());
    const int64_t bytes = file_->written_bytes();
    ARROW_RETURN_NOT_OK(file_->Finish());
    const std::string hidden_path = JoinPath(directory_, HiddenFileName(file_->name()));
    if (file_->temporary_path() != hidden_path)
      ARROW_RETURN_NOT_OK(snapshot_->files_->Rename(file_->temporary_path(), hidden_path));
    snapshot_->Add({part_, file_->name()}, bytes);
    finished_ = true;
    return arrow::Status::OK();
  }

 private:
  ParquetSnapshot* const snapshot_;
  const SnapshotPart part_;
  const std::string directory_;
  const StreamIdentity stream_;
  std::unique_ptr<ParquetFile> file_;
  bool finished_ = false;
};

std::string ParquetSnapshot::DirectoryOf(const TableName& table) const {
  return JoinPath(directory_, TableDirectoryName(table).ValueOr(""));
}

std::string ParquetSnapshot::HiddenPath(const StoredPart& stored) const {
  return JoinPath(DirectoryOf(stored.part.table), HiddenFileName(stored.file));
}

// One that got its name before the manifest called its table complete has its hidden name again. False: it is
// missing.
arrow::Result<bool> ParquetSnapshot::Hide(const StoredPart& stored) {
  if (stored.file.empty()) return true;
  ARROW_ASSIGN_OR_RAISE(const PathKind hidden, files_->Kind(HiddenPath(stored)));
  if (hidden != PathKind::kAbsent) return true;
  const std::string path = JoinPath(DirectoryOf(stored.part.table), stored.file);
  ARROW_ASSIGN_OR_RAISE(const PathKind named, files_->Kind(path));
  if (named == PathKind::kAbsent) return false;
  ARROW_RETURN_NOT_OK(files_->Rename(path, HiddenPath(stored)));
  return true;
}

arrow::Status ParquetSnapshot::Recover(std::vector<StoredPart> parts) {
  std::set<TableName> lost;
  for (const StoredPart& stored : parts) {
    ARROW_ASSIGN_OR_RAISE(const bool there, Hide(stored));
    if (!there) lost.insert(stored.part.table);
  }
  for (StoredPart& stored : parts) {
    if (!lost.contains(stored.part.table)) Add(std::move(stored), 0);
  }
  const std::lock_guard lock(mutex_);
  untold_bytes_.reset();
  return arrow::Status::OK();
}

bool ParquetSnapshot::Holds(const std::string& path) {
  const std::lock_guard lock(mutex_);
  return held_.contains(path);
}

void ParquetSnapshot::Add(StoredPart stored, int64_t bytes) {
  const std::lock_guard lock(mutex_);
  if (!stored.file.empty()) {
    held_.insert(HiddenPath(stored));
    unstable_.insert(DirectoryOf(stored.part.table));
  }
  if (!stored.part.range.empty()) untold_bytes_ = untold_bytes_.value_or(0) + bytes;
  parts_.push_back(std::move(stored));
}

std::unique_ptr<SnapshotPartWriter> ParquetSnapshot::BeginPart(const SnapshotPart& part,
                                                               std::string table_directory,
                                                               const StreamIdentity& stream) {
  return std::make_unique<PartFileWriter>(this, part, std::move(table_directory), stream);
}

std::optional<int64_t> ParquetSnapshot::untold_bytes() {
  const std::lock_guard lock(mutex_);
  return untold_bytes_;
}

arrow::Result<std::vector<StoredPart>> ParquetSnapshot::StableParts() {
  const std::lock_guard lock(mutex_);
  for (const std::string& directory : unstable_) ARROW_RETURN_NOT_OK(files_->SyncDirectory(directory));
  unstable_.clear();
  untold_bytes_.reset();
  std::vector<StoredPart> parts;
  std::copy_if(parts_.begin(), parts_.end(), std::back_inserter(parts),
               [](const StoredPart& stored) { return !stored.part.range.empty(); });
  return parts;
}

std::vector<std::string> ParquetSnapshot::Forget(const std::function<bool(const StoredPart&)>& gone) {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> paths;
  std::erase_if(parts_, [&](const StoredPart& stored) {
    if (!gone(stored)) return false;
    if (!stored.file.empty()) paths.push_back(HiddenPath(stored));
    return true;
  });
  for (const std::string& path : paths) held_.erase(path);
  return paths;
}

arrow::Status ParquetSnapshot::Publish(CopiedTable* table) {
  const std::lock_guard lock(mutex_);
  const std::string directory = DirectoryOf(table->name);
  std::set<Position> later;
  bool any = false;
  for (const StoredPart& stored : parts_) {
    if (stored.part.table != table->name || stored.file.empty()) continue;
    const std::string path = JoinPath(directory, stored.file);
    ARROW_ASSIGN_OR_RAISE(const PathKind kind, files_->Kind(path));
    if (kind != PathKind::kAbsent) {
      return MakeError(ErrorKind::kInternal, path + " exists already: rows of a snapshot came a second time",
                       path, "report this; nothing was overwritten");
    }
    ARROW_RETURN_NOT_OK(files_->Rename(HiddenPath(stored), path));
    held_.erase(HiddenPath(stored));
    if (stored.part.point != table->point) later.insert(stored.part.point);
    any = true;
  }
  table->later_points.assign(later.begin(), later.end());
  table->has_files = any;
  std::erase_if(parts_, [&](const StoredPart& stored) { return stored.part.table == table->name; });
  unstable_.erase(directory);
  return any ? files_->SyncDirectory(directory) : arrow::Status::OK();
}

bool IsCopiedAt(const CopiedTable& table, uint64_t commit_lsn) {
  return SnapshotCommitLsn(table.point) == commit_lsn ||
         std::any_of(table.later_points.begin(), table.later_points.end(),
                     [&](const Position& later) { return SnapshotCommitLsn(later) == commit_lsn; });
}

}  // namespace arrowcdc
