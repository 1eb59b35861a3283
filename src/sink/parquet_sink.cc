// See parquet_sink.h. The order that makes rows durable: data file written, synced, renamed, its directory
// synced; then the manifest the same way; only then durable() moves. A file that is not known to be durable
// holds the position back, wherever it is.
#include "src/sink/parquet_sink.h"

#include <algorithm>
#include <thread>

#include "arrowcdc/change_rows.h"
#include "arrowcdc/error.h"
#include "src/sink/snapshot_requests.h"
#include "src/sink/storage_names.h"

namespace arrowcdc {
namespace {

// How long a finished part may wait to be in the manifest, which costs two syncs, and what may wait so.
constexpr std::chrono::milliseconds kPartStoreInterval{200};
constexpr int64_t kUntoldBytesMax = 16 << 20;

bool IsOurs(std::string_view name) { return name.starts_with("_arrowcdc_"); }

size_t EncodersFor(const ParquetLimits& limits) {
  constexpr size_t kThreadsMax = 4;
  const size_t processors = std::max<size_t>(1, std::thread::hardware_concurrency());
  return limits.encoders.value_or(std::min(processors, kThreadsMax));
}

}  // namespace

ParquetSink::ParquetSink(std::string directory, const SinkOptions& options, FileSystem* files,
                         SteadyClock clock, const ParquetLimits& limits)
    : directory_(std::move(directory)),
      options_(options),
      limits_(limits),
      files_(files),
      clock_(std::move(clock)),
      encoding_(options.parquet),
      snapshot_(files, &encoding_, directory_, limits.snapshot_row_group_bytes),
      encoders_(EncodersFor(limits)) {}

arrow::Status ParquetSink::Check() {
  ARROW_RETURN_NOT_OK(failure_);
  return Remember(encoders_.status());
}

arrow::Status ParquetSink::Remember(arrow::Status status) {
  if (!status.ok() && failure_.ok()) failure_ = status;
  return status;
}

arrow::Result<SinkState> ParquetSink::Open(const StreamIdentity& stream) {
  SinkState state;
  auto open = [&]() -> arrow::Status {
    ARROW_RETURN_NOT_OK(MakeDirectories(*files_, directory_));
    ARROW_RETURN_NOT_OK(LoadOrMakeManifest(stream, &state));
    ARROW_ASSIGN_OR_RAISE(const auto names, files_->List(directory_));
    directories_.insert(names.begin(), names.end());
    ARROW_RETURN_NOT_OK(snapshot_.Recover(manifest_.parts));
    for (const auto& name : names) {
      if (!IsTableDirectory(name)) continue;
      ARROW_ASSIGN_OR_RAISE(const PathKind kind, files_->Kind(JoinPath(directory_, name)));
      if (kind == PathKind::kDirectory) ARROW_RETURN_NOT_OK(ReadTableDirectory(name, &state));
    }
    ARROW_RETURN_NOT_OK(FindMissing(&state));
    // What a killed process renamed may not be stable yet, and from here on it counts as durable.
    return files_->SyncDirectory(directory_);
  };
  if (const arrow::Status opened = Remember(open()); !opened.ok()) {
    manifest_.position.reset();  // was read, and need not be stable
    return opened;
  }
  state.position = manifest_.position;
  state.table_ids = manifest_.table_ids;
  state.snapshot = manifest_.snapshot;
  advanced_ = manifest_.position;
  last_rows_ = state.last_rows;
  opened_ = true;
  return state;
}

arrow::Status ParquetSink::LoadOrMakeManifest(const StreamIdentity& stream, SinkState* state) {
  const std::string path = JoinPath(directory_, kParquetManifestName);
  ARROW_ASSIGN_OR_RAISE(PathKind kind, files_->Kind(path));
  if (kind == PathKind::kAbsent) {
    // Before the lock, which leaves a file.
    ARROW_ASSIGN_OR_RAISE(const auto names, files_->List(directory_));
    const auto foreign = std::find_if_not(names.begin(), names.end(), IsOurs);
    if (foreign != names.end()) {
      return MakeError(
          ErrorKind::kSink,
          directory_ + " is not empty and has no manifest of arrowcdc (it holds " + *foreign + ")",
          directory_, "give a new or empty directory");
    }
  }
  ARROW_ASSIGN_OR_RAISE(lock_, files_->Lock(JoinPath(directory_, kParquetLockName)));
  ARROW_ASSIGN_OR_RAISE(kind, files_->Kind(path));
  if (kind == PathKind::kAbsent) {
    manifest_ = {"parquet", stream};
    return StoreManifest(*files_, path, manifest_);
  }
  ARROW_ASSIGN_OR_RAISE(manifest_, LoadManifest(*files_, path, directory_));
  if (manifest_.sink != "parquet") {
    return MakeError(ErrorKind::kSink, path + " belongs to a sink of kind " + manifest_.sink, directory_,
                     "give a new or empty directory");
  }
  if (!manifest_.position.has_value()) {
    ARROW_ASSIGN_OR_RAISE(const auto names, files_->List(directory_));
    // A start that was refused leaves the directory empty: nobody's.
    if (std::all_of(names.begin(), names.end(), IsOurs)) {
      manifest_ = {"parquet", stream};
      return StoreManifest(*files_, path, manifest_);
    }
  }
  ARROW_ASSIGN_OR_RAISE(state->stream, CheckSameStream(manifest_, stream, directory_));
  manifest_.stream = stream;
  return arrow::Status::OK();
}

// Removes what was not completed, and takes the position of the table's last row from its last file.
arrow::Status ParquetSink::ReadTableDirectory(const std::string& name, SinkState* state) {
  const std::string directory = JoinPath(directory_, name);
  ARROW_ASSIGN_OR_RAISE(const auto names, files_->List(directory));
  std::optional<RowPosition> first;
  std::optional<RowPosition> last;
  for (const auto& file : names) {
    const std::string path = JoinPath(directory, file);
    if (file.starts_with('.') && file.ends_with(kInProgressSuffix)) {
      if (!snapshot_.Holds(path)) ARROW_RETURN_NOT_OK(files_->Remove(path));
    } else if (const auto copied = ParseSnapshotFileName(file); copied.has_value()) {
      // Of a table whose snapshot was not completed.
      if (!BelongsToSnapshot(name, *copied)) ARROW_RETURN_NOT_OK(files_->Remove(path));
    } else if (file.ends_with(kDataFileSuffix)) {
      last = ParseDataFileName(file);
      if (!last) {
        return MakeError(ErrorKind::kSink, path + " was not written by arrowcdc: its name holds no position",
                         path, "move it out of the directory");
      }
      if (!first) first = last;
    }
  }
  ARROW_RETURN_NOT_OK(files_->SyncDirectory(directory));
  if (!last) return arrow::Status::OK();
  // Names sort as positions do, so the last one read is the largest.
  const std::string path = JoinPath(directory, DataFileName(*last));
  ARROW_ASSIGN_OR_RAISE(const ParquetFooter footer, ReadParquetFooter(*files_, path));
  ARROW_RETURN_NOT_OK(CheckStorageVersion(footer.version, directory_));
  if (*first != *last) {
    // Older files may have been brought from elsewhere.
    const std::string oldest_path = JoinPath(directory, DataFileName(*first));
    ARROW_ASSIGN_OR_RAISE(const ParquetFooter oldest, ReadParquetFooter(*files_, oldest_path));
    ARROW_RETURN_NOT_OK(CheckStorageVersion(oldest.version, directory_));
  }
  ARROW_ASSIGN_OR_RAISE(const std::string expected, TableDirectoryName(footer.table));
  if (expected != name || footer.last_row != *last) {
    return MakeError(ErrorKind::kSink,
                     path + " is not where it was written: its footer says table " + ToString(footer.table) +
                         " up to row " + FormatRowPosition(footer.last_row),
                     path, "move it back to its place and name");
  }
  state->last_rows[footer.table] = *last;
  // The manifest may be older than the file.
  if (!manifest_.position || last->commit_lsn >= manifest_.position->order)
    manifest_.table_ids.insert_or_assign(footer.table, footer.table_id);
  return arrow::Status::OK();
}

// What was stored, and was removed or moved between two streams.
arrow::Status ParquetSink::FindMissing(SinkState* state) const {
  std::map<TableName, bool> stored;  // whether rows were copied
  for (const auto& [table, id] : manifest_.table_ids) stored.emplace(table, false);
  if (manifest_.snapshot.has_value()) {
    for (const CopiedTable& copied : manifest_.snapshot->copied) stored[copied.name] = copied.has_files;
  }
  for (const auto& [table, copied] : stored) {
    // A name that the manifest cannot hold is another one there.
    if (ToString(table).find("\xEF\xBF\xBD") != std::string::npos) continue;
    ARROW_ASSIGN_OR_RAISE(const std::string name, TableDirectoryName(table));
    if (!directories_.contains(name)) {
      state->gone.push_back(table);
    } else if (copied) {
      ARROW_ASSIGN_OR_RAISE(const auto files, files_->List(JoinPath(directory_, name)));
      const auto is_data = [](const std::string& file) { return file.ends_with(kDataFileSuffix); };
      if (std::none_of(files.begin(), files.end(), is_data)) state->emptied.push_back(table);
    }
  }
  return arrow::Status::OK();
}

bool ParquetSink::BelongsToSnapshot(const std::string& directory, const RowPosition& last_row) const {
  if (!manifest_.snapshot.has_value()) return false;
  return std::any_of(manifest_.snapshot->copied.begin(), manifest_.snapshot->copied.end(),
                     [&](const CopiedTable& table) {
                       return IsCopiedAt(table, last_row.commit_lsn) &&
                              TableDirectoryName(table.name).ValueOr("") == directory;
                     });
}

arrow::Status ParquetSink::Write(const ChangeBatch& batch) {
  ARROW_RETURN_NOT_OK(Check());
  if (batch.rows->num_rows() == 0) return arrow::Status::OK();
  return Remember(WriteRows(batch));
}

arrow::Status ParquetSink::WriteRows(const ChangeBatch& batch) {
  const TableName& name = batch.table->name;
  const auto last = last_rows_.find(name);
  ARROW_ASSIGN_OR_RAISE(const ChangeRows changes, ChangeRows::Make(*batch.table, *batch.rows));
  const RowPosition first_row = changes.position(0);
  if (last != last_rows_.end() && first_row <= last->second) {
    return MakeError(ErrorKind::kInternal,
                     "row " + FormatRowPosition(first_row) + " of " + ToString(name) + " came after row " +
                         FormatRowPosition(last->second),
                     ToString(name), "report this; nothing was stored twice");
  }
  ARROW_ASSIGN_OR_RAISE(OpenFile * open, FileFor(batch));
  // Files by row count are exact; a batch may go to several.
  int64_t offset = 0;
  while (offset < batch.rows->num_rows()) {
    ParquetFile& file = open->file();
    const int64_t room = std::max<int64_t>(1, options_.roll_rows - file.rows());
    const int64_t rows = std::min(room, batch.rows->num_rows() - offset);
    const bool whole = rows == batch.rows->num_rows();
    buffered_bytes_ -= file.buffered_bytes();
    const RowPosition last_row = changes.position(offset + rows - 1);
    ARROW_RETURN_NOT_OK(
        file.Add(whole ? batch.rows : batch.rows->Slice(offset, rows), changes.position(offset), last_row));
    buffered_bytes_ += file.buffered_bytes();
    offset += rows;
    last_rows_[name] = last_row;
    ARROW_RETURN_NOT_OK(RollIfFull(open_.find(name)));
    if (offset < batch.rows->num_rows()) {
      ARROW_ASSIGN_OR_RAISE(open, FileFor(batch));
    }
  }
  ARROW_RETURN_NOT_OK(KeepWithinBudget());
  TakeDurable();
  return durable_file_ ? StorePosition() : arrow::Status::OK();
}

arrow::Result<ParquetSink::OpenFile*> ParquetSink::FileFor(const ChangeBatch& batch) {
  const TableName& name = batch.table->name;
  auto open = open_.find(name);
  if (open != open_.end()) {
    if (open->second.file().table().fingerprint == batch.table->fingerprint) return &open->second;
    Complete(open);
  }
  ARROW_RETURN_NOT_OK(encoders_.WaitForFiles(limits_.files_completing));
  TakeDurable();
  ARROW_ASSIGN_OR_RAISE(std::string directory, TableDirectory(name));
  auto file =
      std::make_unique<ParquetFile>(files_, &encoding_, std::move(directory), batch.table, manifest_.stream);
  manifest_.table_ids.insert_or_assign(name, batch.table->table_id);
  OpenFile added{std::make_shared<ParquetEncoders::File>(std::move(file)), advanced_, clock_()};
  return &open_.emplace(name, std::move(added)).first->second;
}

// A directory that was removed, or whose file system was unmounted, must not be made anew somewhere else
// without the rows that were acknowledged.
arrow::Status ParquetSink::CheckDirectory() {
  ARROW_ASSIGN_OR_RAISE(const PathKind kind, files_->Kind(JoinPath(directory_, kParquetManifestName)));
  if (kind != PathKind::kAbsent) return arrow::Status::OK();
  return MakeError(ErrorKind::kSink,
                   directory_ + " was removed, replaced or unmounted while rows were written to it",
                   directory_, "bring it back as it was, then start again; nothing was acknowledged since");
}

// Nor that of one table, unless nothing that was in it counts any more.
arrow::Status ParquetSink::TableIsGone(const TableName& name, const std::string& path) {
  return MakeError(
      ErrorKind::kSink,
      "the directory of table " + ToString(name) +
          " was removed while rows were written to it, with those that were acknowledged",
      path,
      "bring it back as it was, then start again; or let 'arrowcdc resnapshot' have the table copied anew");
}

bool ParquetSink::IsToBeCopied(const TableName& name) const {
  return IsUnderWay(manifest_) && manifest_.snapshot->only.has_value() &&
         std::ranges::count(*manifest_.snapshot->only, name) > 0;
}

// Where upper and lower case are the same to the file system, what is there may be another table's.
arrow::Status ParquetSink::CheckNewDirectory(const TableName& name, const std::string& encoded) {
  ARROW_ASSIGN_OR_RAISE(const PathKind kind, files_->Kind(JoinPath(directory_, encoded)));
  if (kind == PathKind::kAbsent) return arrow::Status::OK();
  ARROW_ASSIGN_OR_RAISE(const auto names, files_->List(directory_));
  if (std::binary_search(names.begin(), names.end(), encoded)) return arrow::Status::OK();
  return MakeError(ErrorKind::kSink,
                   "the file system of " + directory_ + " takes the directory of table " + ToString(name) +
                       " for that of a table whose name differs in upper and lower case only",
                   ToString(name),
                   "leave one of the two tables out with a pattern, or use a directory on a file system that "
                   "tells upper from lower case; nothing was stored in the wrong place");
}

arrow::Result<std::string> ParquetSink::TableDirectory(const TableName& name) {
  ARROW_RETURN_NOT_OK(CheckDirectory());
  ARROW_ASSIGN_OR_RAISE(const std::string encoded, TableDirectoryName(name));
  std::string path = JoinPath(directory_, encoded);
  if (directories_.contains(encoded)) {
    ARROW_ASSIGN_OR_RAISE(const PathKind kind, files_->Kind(path));
    if (kind == PathKind::kAbsent && !IsToBeCopied(name)) return TableIsGone(name, path);
  } else {
    ARROW_RETURN_NOT_OK(CheckNewDirectory(name, encoded));
  }
  ARROW_RETURN_NOT_OK(MakeDirectories(*files_, path));
  directories_.insert(encoded);
  return path;
}

// Where too many files are being written already, the file is completed instead: false, and `open` is gone.
bool ParquetSink::WriteRowGroup(OpenFiles::iterator open) {
  if (!open->second.on_disk) {
    const auto is_on_disk = [](const auto& file) { return file.second.on_disk; };
    const auto on_disk = std::count_if(open_.begin(), open_.end(), is_on_disk) +
                         std::count_if(closing_.begin(), closing_.end(), is_on_disk);
    if (on_disk >= limits_.files_on_disk) {
      Complete(open);
      return false;
    }
  }
  open->second.on_disk = true;
  buffered_bytes_ -= open->second.file().buffered_bytes();
  encoders_.WriteRowGroup(open->second.at_encoders);
  return true;
}

arrow::Status ParquetSink::RollIfFull(OpenFiles::iterator open) {
  const OpenFile& file = open->second;
  const bool full = encoders_.ExpectedBytes(*file.at_encoders) >= options_.roll_bytes;
  if (file.file().rows() >= options_.roll_rows) {
    Complete(open);
  } else if (full) {
    // Without a row group nothing is known of the compression: write one and look again.
    if (!file.on_disk && !WriteRowGroup(open)) return arrow::Status::OK();
    ARROW_RETURN_NOT_OK(encoders_.WaitForRowGroup(*file.at_encoders));
    if (encoders_.ExpectedBytes(*file.at_encoders) >= options_.roll_bytes) Complete(open);
  } else if (file.file().buffered_bytes() >= limits_.row_group_bytes ||
             file.file().buffered_rows() >= limits_.row_group_rows) {
    WriteRowGroup(open);
  }
  return arrow::Status::OK();
}

// The encoders may hold half of it at least: as long as they have less, they get more, even if row groups
// become small.
arrow::Status ParquetSink::KeepWithinBudget() {
  const int64_t half = limits_.buffered_bytes / 2;
  while (true) {
    const int64_t at_encoders = encoders_.bytes();
    if (buffered_bytes_ + at_encoders <= limits_.buffered_bytes) return arrow::Status::OK();
    if (at_encoders > half) {
      const int64_t room = limits_.buffered_bytes - buffered_bytes_;
      ARROW_RETURN_NOT_OK(encoders_.WaitForBytes(std::max(half, room)));
      continue;
    }
    WriteRowGroup(std::max_element(open_.begin(), open_.end(), [](const auto& a, const auto& b) {
      return a.second.file().buffered_bytes() < b.second.file().buffered_bytes();
    }));
  }
}

void ParquetSink::Complete(OpenFiles::iterator open) {
  buffered_bytes_ -= open->second.file().buffered_bytes();
  const ParquetEncoders::FilePtr file = open->second.at_encoders;
  closing_.emplace(file, std::move(open->second));
  open_.erase(open);
  encoders_.Complete(file);
}

void ParquetSink::TakeDurable() {
  for (const ParquetEncoders::FilePtr& durable : encoders_.TakeDurable()) {
    const ParquetFile& file = *durable->parquet;
    closing_.erase(durable);
    durable_file_ = true;
    if (options_.on_file_closed)
      options_.on_file_closed({file.table().name, AbsolutePath(file.path()), file.rows(),
                               file.finished_bytes(), file.last_row()});
  }
}

arrow::Status ParquetSink::WaitUntilDurable() {
  const arrow::Status waited = encoders_.WaitForFiles(0);
  TakeDurable();
  return waited;
}

arrow::Status ParquetSink::Advance(const Position& position) {
  ARROW_RETURN_NOT_OK(Check());
  if (advanced_ == manifest_.position) advanced_since_ = clock_();
  // One that runs backwards would make a stored position untrue.
  if (position < advanced_) return arrow::Status::OK();
  advanced_ = position;
  return arrow::Status::OK();
}

// Stores the position up to which every row is in a complete file, where that has moved.
arrow::Status ParquetSink::StorePosition() {
  durable_file_ = false;
  std::optional<Position> floor = advanced_;
  for (const auto& [name, open] : open_) floor = std::min(floor, open.floor);
  for (const auto& [file, closing] : closing_) floor = std::min(floor, closing.floor);
  if (floor <= manifest_.position) return arrow::Status::OK();
  Manifest next = manifest_;
  next.position = floor;
  ARROW_RETURN_NOT_OK(Store(std::move(next)));
  advanced_since_ = clock_();
  return arrow::Status::OK();
}

arrow::Status ParquetSink::Store(Manifest next) {
  ARROW_RETURN_NOT_OK(encoders_.status());
  ARROW_RETURN_NOT_OK(CheckDirectory());
  ARROW_ASSIGN_OR_RAISE(next.parts, snapshot_.StableParts());
  ARROW_RETURN_NOT_OK(StoreManifest(*files_, JoinPath(directory_, kParquetManifestName), next));
  manifest_ = std::move(next);
  stored_at_ = clock_();
  untold_table_ = false;
  return arrow::Status::OK();
}

void ParquetSink::CompleteOlderThan(std::chrono::steady_clock::time_point limit) {
  for (auto open = open_.begin(); open != open_.end();) {
    const auto next = std::next(open);
    if (open->second.oldest <= limit) Complete(open);
    open = next;
  }
}

arrow::Status ParquetSink::Flush() {
  ARROW_RETURN_NOT_OK(Check());
  CompleteOlderThan(std::chrono::steady_clock::time_point::max());
  return Settle();
}

arrow::Status ParquetSink::Settle() {
  ARROW_RETURN_NOT_OK(failure_);
  ARROW_RETURN_NOT_OK(Remember(WaitUntilDurable()));
  return Remember(StorePosition());
}

arrow::Status ParquetSink::Tick() {
  ARROW_RETURN_NOT_OK(Check());
  auto tick = [&]() -> arrow::Status {
    const auto limit = clock_() - options_.roll_age;
    CompleteOlderThan(limit);
    TakeDurable();
    // Without rows the position moves too, but no oftener than it would with them.
    const bool idle_long = advanced_ != manifest_.position && advanced_since_ <= limit && closing_.empty();
    ARROW_RETURN_NOT_OK(StoreParts());
    if (!durable_file_ && !idle_long) return arrow::Status::OK();
    return StorePosition();
  };
  return Remember(tick());
}

// --- rows that were there before the stream ---

// Both in one step: a position without the snapshot would be that of a sink that wants none.
arrow::Result<std::vector<SnapshotPart>> ParquetSink::BeginSnapshot(
    const std::optional<std::vector<TableName>>& only) {
  ARROW_RETURN_NOT_OK(failure_);
  const auto begin = [&]() -> arrow::Status {
    CompleteOlderThan(std::chrono::steady_clock::time_point::max());
    ARROW_RETURN_NOT_OK(WaitUntilDurable());
    Manifest next = manifest_;
    NoteBegin(only, &next);
    next.position = std::max(manifest_.position, advanced_);
    ARROW_RETURN_NOT_OK(Store(std::move(next)));
    durable_file_ = false;
    advanced_since_ = clock_();
    return arrow::Status::OK();
  };
  ARROW_RETURN_NOT_OK(Remember(begin()));
  std::vector<SnapshotPart> parts;
  for (const StoredPart& stored : manifest_.parts) parts.push_back(stored.part);
  return parts;
}

arrow::Status ParquetSink::KeepParts(const std::set<TableName>& tables) {
  ARROW_RETURN_NOT_OK(failure_);
  const auto keep = [&]() -> arrow::Status {
    const auto gone = snapshot_.Forget([&](const StoredPart& stored) {
      return stored.part.range.empty() || !tables.contains(stored.part.table);
    });
    if (!manifest_.parts.empty()) ARROW_RETURN_NOT_OK(Store(manifest_));
    return Remove(gone);
  };
  return Remember(keep());
}

// Of parts that the manifest does not name any more.
arrow::Status ParquetSink::Remove(const std::vector<std::string>& paths) {
  for (const std::string& path : paths) ARROW_RETURN_NOT_OK(files_->Remove(path));
  return arrow::Status::OK();
}

// Whoever has finished a part begins the next one here.
arrow::Result<std::unique_ptr<SnapshotPartWriter>> ParquetSink::BeginPart(const SnapshotPart& part) {
  const std::lock_guard lock(snapshot_mutex_);
  ARROW_RETURN_NOT_OK(failure_);
  ARROW_RETURN_NOT_OK(Remember(StoreParts()));
  ARROW_ASSIGN_OR_RAISE(std::string directory, TableDirectory(part.table));
  return snapshot_.BeginPart(part, std::move(directory), manifest_.stream);
}

// Those that are finished, where it is time.
arrow::Status ParquetSink::StoreParts() {
  const std::optional<int64_t> bytes = snapshot_.untold_bytes();
  const bool due = bytes >= kUntoldBytesMax || clock_() - stored_at_ >= kPartStoreInterval;
  return (bytes.has_value() || untold_table_) && due ? Store(manifest_) : arrow::Status::OK();
}

// Names first: files that the manifest does not know are removed at the next start, or hidden again. Of many
// small tables it is not written once each.
arrow::Status ParquetSink::CompleteTable(const CopiedTable& table) {
  const std::lock_guard lock(snapshot_mutex_);
  ARROW_RETURN_NOT_OK(failure_);
  const auto complete = [&]() -> arrow::Status {
    const auto gone = snapshot_.Forget([&](const StoredPart& stored) {
      return stored.part.table == table.name && stored.part.point < table.point;
    });
    CopiedTable copied = table;
    ARROW_RETURN_NOT_OK(snapshot_.Publish(&copied));
    Manifest next = manifest_;
    NoteCopied(copied, &next);
    next.table_ids.insert_or_assign(table.name, table.table_id);
    if (gone.empty() && clock_() - stored_at_ < kPartStoreInterval) {
      manifest_ = std::move(next);
      untold_table_ = true;
      return arrow::Status::OK();
    }
    ARROW_RETURN_NOT_OK(Store(std::move(next)));
    return Remove(gone);
  };
  return Remember(complete());
}

arrow::Result<SnapshotRequests> ParquetSink::ReadRequests() {
  ARROW_RETURN_NOT_OK(failure_);
  return ReadSnapshotRequests(*files_, directory_);
}

arrow::Status ParquetSink::EndSnapshotRequests(const std::vector<TableName>& tables) {
  ARROW_RETURN_NOT_OK(failure_);
  const auto end = [&]() -> arrow::Status {
    const auto gone = snapshot_.Forget([&](const StoredPart& stored) {
      return std::find(tables.begin(), tables.end(), stored.part.table) != tables.end();
    });
    if (!gone.empty()) ARROW_RETURN_NOT_OK(Store(manifest_));
    ARROW_RETURN_NOT_OK(Remove(gone));
    return RemoveSnapshotRequests(*files_, directory_, tables);
  };
  return Remember(end());
}

arrow::Status ParquetSink::EndSnapshot() {
  ARROW_RETURN_NOT_OK(failure_);
  Manifest next = manifest_;
  NoteEnd(&next);
  return Remember(Store(std::move(next)));
}

arrow::Status ParquetSink::Close() {
  arrow::Status status = opened_ && failure_.ok() ? Flush() : arrow::Status::OK();
  const bool untold = untold_table_ || snapshot_.untold_bytes().has_value();
  if (opened_ && failure_.ok() && untold) status = Remember(Store(manifest_));
  encoders_.Stop();  // before anybody else may write here
  open_.clear();
  closing_.clear();
  buffered_bytes_ = 0;
  lock_.reset();
  opened_ = false;
  return status;
}

}  // namespace arrowcdc
