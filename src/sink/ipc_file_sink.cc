// See ipc_file_sink.h. Order: stream written and ended, file synced, manifest replaced; only then durable()
// moves.
#include "src/sink/ipc_file_sink.h"

#include <algorithm>

#include "arrowcdc/error.h"

namespace arrowcdc {

IpcFileSink::IpcFileSink(std::string path, const SinkOptions& options, FileSystem* files, SteadyClock clock)
    : path_(std::move(path)),
      manifest_path_(path_ + ".manifest.json"),
      options_(options),
      files_(files),
      clock_(std::move(clock)) {}

IpcFileSink::~IpcFileSink() {
  if (out_ != nullptr) (void)out_->Abort();
}

arrow::Status IpcFileSink::Remember(arrow::Status status) {
  status = StorageError("write", path_, status);
  if (!status.ok() && failure_.ok()) failure_ = status;
  return status;
}

arrow::Result<SinkState> IpcFileSink::Open(const StreamIdentity& stream) {
  SinkState state;
  if (const arrow::Status opened = Remember(OpenFile(stream, &state)); !opened.ok()) {
    manifest_.position.reset();  // was read, and need not be stable
    return opened;
  }
  opened_ = true;
  advanced_ = manifest_.position;
  state.position = manifest_.position;
  state.table_ids = manifest_.table_ids;
  state.snapshot = manifest_.snapshot;
  return state;
}

arrow::Status IpcFileSink::OpenFile(const StreamIdentity& stream, SinkState* state) {
  ARROW_ASSIGN_OR_RAISE(PathKind kind, files_->Kind(manifest_path_));
  if (kind == PathKind::kAbsent) ARROW_RETURN_NOT_OK(CheckNewFile());
  ARROW_ASSIGN_OR_RAISE(lock_, files_->Lock(path_));
  ARROW_ASSIGN_OR_RAISE(kind, files_->Kind(manifest_path_));
  const bool is_new = kind == PathKind::kAbsent;
  if (is_new) {
    manifest_ = {"ipc", stream, {}, 0, false};
  } else {
    ARROW_ASSIGN_OR_RAISE(manifest_, LoadManifest(*files_, manifest_path_, path_));
    if (manifest_.sink != "ipc" || !manifest_.bytes) {
      return MakeError(ErrorKind::kSink, manifest_path_ + " does not belong to a sink of kind ipc", path_,
                       "give a new file");
    }
    // A start that was refused leaves the file empty: nobody's.
    const bool empty = !manifest_.position.has_value() && *manifest_.bytes == 0;
    if (!empty) {
      ARROW_ASSIGN_OR_RAISE(state->stream, CheckSameStream(manifest_, stream, path_));
    }
    manifest_.stream = stream;
  }
  ARROW_RETURN_NOT_OK(CutBack());
  // The file's entry and the cut; a manifest that a killed process renamed may not be stable yet either.
  ARROW_RETURN_NOT_OK(out_->Sync());
  ARROW_RETURN_NOT_OK(files_->SyncDirectory(ParentDirectory(path_)));
  return is_new ? StoreManifest(*files_, manifest_path_, manifest_) : arrow::Status::OK();
}

// To what the manifest covers.
arrow::Status IpcFileSink::CutBack() {
  ARROW_ASSIGN_OR_RAISE(out_, files_->Append(path_, *manifest_.bytes));
  if (manifest_.stream_open) {
    ARROW_RETURN_NOT_OK(out_->Write(kEndOfStream.data(), static_cast<int64_t>(kEndOfStream.size())));
  }
  streams_ = std::make_unique<IpcStreams>(out_.get());
  streams_->SetMark();
  flushed_bytes_ = streams_->bytes();
  rows_in_group_ = false;
  return arrow::Status::OK();
}

arrow::Status IpcFileSink::CheckNewFile() {
  ARROW_ASSIGN_OR_RAISE(const PathKind kind, files_->Kind(path_));
  if (kind == PathKind::kAbsent) return arrow::Status::OK();
  if (kind != PathKind::kFile) {
    return MakeError(ErrorKind::kSink, path_ + " is not a regular file", path_,
                     "give the path of a new file, or ipc:- for a pipe");
  }
  ARROW_ASSIGN_OR_RAISE(const auto file, files_->OpenForReading(path_));
  ARROW_ASSIGN_OR_RAISE(const int64_t bytes, file->GetSize());
  if (bytes == 0) return arrow::Status::OK();
  return MakeError(ErrorKind::kSink,
                   path_ + " is not empty and " + manifest_path_ +
                       ", which would say up to where it is durable, is missing",
                   path_, "give a new file, or bring the manifest back");
}

arrow::Status IpcFileSink::Write(const ChangeBatch& batch) {
  ARROW_RETURN_NOT_OK(failure_);
  if (batch.rows->num_rows() == 0) return arrow::Status::OK();
  if (!has_pending_rows()) oldest_ = clock_();
  if (batch.table != table_) {
    table_ = batch.table;
    manifest_.table_ids.insert_or_assign(table_->name, table_->table_id);
  }
  rows_in_group_ = true;
  return Remember(streams_->Write(batch));
}

arrow::Status IpcFileSink::Advance(const Position& position) {
  ARROW_RETURN_NOT_OK(failure_);
  if (!has_pending_rows() && advanced_ == manifest_.position) oldest_ = clock_();
  advanced_ = std::max(advanced_, std::optional(position));
  if (in_table_) return arrow::Status::OK();  // a copy of it is tried again
  streams_->SetMark();
  rows_in_groups_ |= rows_in_group_;
  rows_in_group_ = false;
  if (streams_->bytes() - flushed_bytes_ >= options_.roll_bytes) return Flush();
  return arrow::Status::OK();
}

arrow::Status IpcFileSink::Flush() {
  ARROW_RETURN_NOT_OK(failure_);
  return Remember(FlushAll());
}

arrow::Status IpcFileSink::FlushAll() {
  ARROW_RETURN_NOT_OK(SyncRows());
  // Without a position there is no group boundary to cut back to.
  if (!advanced_) return arrow::Status::OK();
  Manifest next = Positioned();
  if (next.position != manifest_.position || next.bytes != manifest_.bytes ||
      next.stream_open != manifest_.stream_open) {
    ARROW_RETURN_NOT_OK(Store(std::move(next)));
  }
  rows_in_groups_ = false;
  return arrow::Status::OK();
}

arrow::Status IpcFileSink::SyncRows() {
  ARROW_RETURN_NOT_OK(streams_->EndStream());
  if (streams_->bytes() == flushed_bytes_) return arrow::Status::OK();
  ARROW_RETURN_NOT_OK(out_->Sync());
  flushed_bytes_ = streams_->bytes();
  oldest_ = clock_();
  return arrow::Status::OK();
}

// The manifest with the position of the last Advance and the length that belongs to it. Rows after it are in
// the file and not covered.
Manifest IpcFileSink::Positioned() const {
  Manifest next = manifest_;
  next.position = advanced_;
  next.bytes = streams_->mark().bytes;
  next.stream_open = streams_->mark().stream_open;
  return next;
}

arrow::Status IpcFileSink::Store(Manifest next) {
  ARROW_RETURN_NOT_OK(StoreManifest(*files_, manifest_path_, next));
  manifest_ = std::move(next);
  return arrow::Status::OK();
}

arrow::Status IpcFileSink::Tick() {
  ARROW_RETURN_NOT_OK(failure_);
  const bool moved = rows_in_groups_ || advanced_ != manifest_.position;
  if (!moved || clock_() - oldest_ < options_.roll_age) return arrow::Status::OK();
  return Flush();
}

// --- rows that were there before the stream ---

// Both in one step: a position without the snapshot would be that of a sink that wants none.
arrow::Result<std::vector<SnapshotPart>> IpcFileSink::BeginSnapshot(
    const std::optional<std::vector<TableName>>& only) {
  ARROW_RETURN_NOT_OK(failure_);
  const auto begin = [&]() -> arrow::Status {
    ARROW_RETURN_NOT_OK(SyncRows());
    Manifest next = Positioned();
    NoteBegin(only, &next);
    ARROW_RETURN_NOT_OK(Store(std::move(next)));
    rows_in_groups_ = false;
    in_table_ = false;
    if (!rows_in_group_) return arrow::Status::OK();
    ARROW_RETURN_NOT_OK(out_->Close());  // of a table that was not copied whole
    return CutBack();
  };
  ARROW_RETURN_NOT_OK(Remember(begin()));
  return std::vector<SnapshotPart>();
}

arrow::Result<std::unique_ptr<SnapshotPartWriter>> IpcFileSink::BeginPart(const SnapshotPart& part) {
  in_table_ = true;
  return Sink::BeginPart(part);
}

// In one manifest: rows that it covers and does not call complete would be copied once more.
arrow::Status IpcFileSink::CompleteTable(const CopiedTable& table) {
  ARROW_RETURN_NOT_OK(failure_);
  const auto complete = [&]() -> arrow::Status {
    ARROW_RETURN_NOT_OK(streams_->EndStream());
    streams_->SetMark();
    ARROW_RETURN_NOT_OK(out_->Sync());
    flushed_bytes_ = streams_->bytes();
    Manifest next = manifest_;
    next.bytes = streams_->mark().bytes;
    next.stream_open = streams_->mark().stream_open;
    NoteCopied(table, &next);
    ARROW_RETURN_NOT_OK(Store(std::move(next)));
    rows_in_group_ = false;
    in_table_ = false;
    return arrow::Status::OK();
  };
  return Remember(complete());
}

arrow::Status IpcFileSink::EndSnapshot() {
  ARROW_RETURN_NOT_OK(failure_);
  Manifest next = manifest_;
  NoteEnd(&next);
  return Remember(Store(std::move(next)));
}

arrow::Status IpcFileSink::Close() {
  arrow::Status status;
  if (opened_ && failure_.ok()) {
    status = Flush();
    if (status.ok()) status = Remember(out_->Close());
  }
  opened_ = false;
  streams_.reset();
  if (out_ != nullptr) (void)out_->Abort();
  lock_.reset();
  return status;
}

}  // namespace arrowcdc
