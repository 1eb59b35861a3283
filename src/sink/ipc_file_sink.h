// Sink "ipc:FILE": Arrow IPC streams appended to one file, and a manifest beside it with the length that is
// durable and the position that belongs to it. At the next start the file is cut to that length, so every row
// is in it once.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "arrowcdc/sink.h"
#include "src/sink/file_system.h"
#include "src/sink/ipc_streams.h"
#include "src/sink/manifest.h"

namespace arrowcdc {

class IpcFileSink : public Sink {
 public:
  // `files` outlives the sink.
  IpcFileSink(std::string path, const SinkOptions& options, FileSystem* files = PosixFileSystem(),
              SteadyClock clock = std::chrono::steady_clock::now);
  ~IpcFileSink() override;

  bool keeps_data() const override { return true; }
  std::string location() const override { return AbsolutePath(path_); }
  arrow::Result<SinkState> Open(const StreamIdentity& stream) override;
  arrow::Status Write(const ChangeBatch& batch) override;
  arrow::Status Advance(const Position& position) override;
  arrow::Status Flush() override;
  arrow::Status Tick() override;
  std::optional<Position> durable() const override { return manifest_.position; }
  bool has_pending_rows() const override { return rows_in_group_ || rows_in_groups_; }
  arrow::Status Close() override;

  arrow::Result<std::vector<SnapshotPart>> BeginSnapshot(
      const std::optional<std::vector<TableName>>& only) override;
  arrow::Result<std::unique_ptr<SnapshotPartWriter>> BeginPart(const SnapshotPart& part) override;
  arrow::Status CompleteTable(const CopiedTable& table) override;
  arrow::Status EndSnapshot() override;

 private:
  arrow::Status CutBack();
  arrow::Status Store(Manifest next);
  arrow::Status OpenFile(const StreamIdentity& stream, SinkState* state);
  arrow::Status CheckNewFile();
  arrow::Status FlushAll();
  arrow::Status SyncRows();
  Manifest Positioned() const;
  arrow::Status Remember(arrow::Status status);

  const std::string path_;
  const std::string manifest_path_;
  const SinkOptions options_;
  FileSystem* const files_;
  const SteadyClock clock_;

  std::unique_ptr<FileLock> lock_;
  std::unique_ptr<WritableFile> out_;
  std::unique_ptr<IpcStreams> streams_;
  Manifest manifest_;                             // as stored, or to be stored with the next position
  std::shared_ptr<const TableSchema> table_;      // of the last batch
  std::optional<Position> advanced_;              // last Advance, or the stored position
  std::chrono::steady_clock::time_point oldest_;  // first row or Advance since the last flush
  int64_t flushed_bytes_ = 0;
  bool rows_in_group_ = false;   // accepted since the last Advance
  bool rows_in_groups_ = false;  // accepted before it and not durable
  bool in_table_ = false;        // whose rows are being copied, and do not count before it is complete
  arrow::Status failure_;
  bool opened_ = false;
};

}  // namespace arrowcdc
