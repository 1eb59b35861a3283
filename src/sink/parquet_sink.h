// Sink "parquet:DIR": one directory a table, complete files only, and a manifest with the position up to
// which all is there. docs/sinks.md is the reader's view. Rows are gathered and the manifest is written by
// the thread that calls; files are encoded and completed by others (parquet_encoders.h).
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "arrowcdc/sink.h"
#include "src/sink/file_system.h"
#include "src/sink/manifest.h"
#include "src/sink/parquet_encoders.h"
#include "src/sink/parquet_encoding.h"
#include "src/sink/parquet_file.h"
#include "src/sink/parquet_snapshot.h"

namespace arrowcdc {

struct ParquetLimits {
  int64_t buffered_bytes = 64 << 20;   // over all tables: rows in memory, those at the encoders too
  int64_t row_group_bytes = 16 << 20;  // of one table, in memory
  int64_t row_group_rows = 1 << 20;
  int files_on_disk = 128;                        // being written at the same time; the rest wait in memory
  size_t files_completing = 16;                   // at the encoders; a file takes memory until it is durable
  std::optional<size_t> encoders = std::nullopt;  // threads; none: as many as processors, up to 4
  int snapshot_writers = 64;
  int64_t snapshot_row_group_bytes = 16 << 20;  // of a part, in memory
};

class ParquetSink : public Sink {
 public:
  // `files` outlives the sink.
  ParquetSink(std::string directory, const SinkOptions& options, FileSystem* files = PosixFileSystem(),
              SteadyClock clock = std::chrono::steady_clock::now, const ParquetLimits& limits = {});

  bool keeps_data() const override { return true; }
  std::string location() const override { return AbsolutePath(directory_); }
  arrow::Result<SinkState> Open(const StreamIdentity& stream) override;
  arrow::Status Write(const ChangeBatch& batch) override;
  arrow::Status Advance(const Position& position) override;
  arrow::Status Flush() override;
  arrow::Status Tick() override;
  std::optional<Position> durable() const override { return manifest_.position; }
  bool has_pending_rows() const override { return !open_.empty() || !closing_.empty(); }
  arrow::Status Close() override;

  // Waits until the files that were closed are durable, and stores the position up to which all are.
  arrow::Status Settle();

  int snapshot_writers_max() const override { return limits_.snapshot_writers; }
  bool keeps_parts() const override { return true; }
  bool copies_beside_stream() const override { return true; }
  arrow::Result<std::vector<SnapshotPart>> BeginSnapshot(
      const std::optional<std::vector<TableName>>& only) override;
  arrow::Status KeepParts(const std::set<TableName>& tables) override;
  arrow::Result<std::unique_ptr<SnapshotPartWriter>> BeginPart(const SnapshotPart& part) override;
  arrow::Status CompleteTable(const CopiedTable& table) override;
  arrow::Result<SnapshotRequests> ReadRequests() override;
  arrow::Status EndSnapshotRequests(const std::vector<TableName>& tables) override;
  arrow::Status EndSnapshot() override;

 private:
  // A table's rows that are not durable yet.
  struct OpenFile {
    ParquetEncoders::FilePtr at_encoders;
    std::optional<Position> floor;  // last position advanced to before the first of its rows
    std::chrono::steady_clock::time_point oldest;
    bool on_disk = false;  // or will be: a row group was handed over

    ParquetFile& file() const { return *at_encoders->parquet; }
  };
  using OpenFiles = std::map<TableName, OpenFile>;

  arrow::Status LoadOrMakeManifest(const StreamIdentity& stream, SinkState* state);
  arrow::Status ReadTableDirectory(const std::string& name, SinkState* state);
  arrow::Status FindMissing(SinkState* state) const;
  bool BelongsToSnapshot(const std::string& directory, const RowPosition& last_row) const;
  arrow::Status WriteRows(const ChangeBatch& batch);
  arrow::Result<OpenFile*> FileFor(const ChangeBatch& batch);
  arrow::Status CheckDirectory();
  arrow::Status CheckNewDirectory(const TableName& name, const std::string& encoded);
  bool IsToBeCopied(const TableName& name) const;
  static arrow::Status TableIsGone(const TableName& name, const std::string& path);
  arrow::Result<std::string> TableDirectory(const TableName& name);
  bool WriteRowGroup(OpenFiles::iterator open);
  arrow::Status RollIfFull(OpenFiles::iterator open);
  arrow::Status KeepWithinBudget();
  void Complete(OpenFiles::iterator open);
  void CompleteOlderThan(std::chrono::steady_clock::time_point limit);
  void TakeDurable();
  arrow::Status WaitUntilDurable();
  arrow::Status StorePosition();
  arrow::Status StoreParts();
  arrow::Status Remove(const std::vector<std::string>& paths);
  arrow::Status Store(Manifest next);
  // Remembers a failure: after one only Close does anything.
  arrow::Status Remember(arrow::Status status);
  // What was remembered, or the encoders say.
  arrow::Status Check();

  const std::string directory_;
  const SinkOptions options_;
  const ParquetLimits limits_;
  FileSystem* const files_;
  const SteadyClock clock_;
  ParquetEncoding encoding_;

  std::unique_ptr<FileLock> lock_;
  Manifest manifest_;                                     // as stored, or to be stored with the next position
  std::optional<Position> advanced_;                      // last Advance, or the stored position
  std::chrono::steady_clock::time_point advanced_since_;  // when it first went beyond the stored one
  std::set<std::string> directories_;                     // names in directory_, as they are spelt there
  OpenFiles open_;
  std::map<ParquetEncoders::FilePtr, OpenFile> closing_;  // complete, and not known to be durable
  int64_t buffered_bytes_ = 0;                            // over open_
  std::map<TableName, RowPosition> last_rows_;
  std::mutex snapshot_mutex_;  // while parts are written: of what stands below, manifest_ and directories_
  ParquetSnapshot snapshot_;
  std::chrono::steady_clock::time_point stored_at_;  // the manifest
  bool untold_table_ = false;                        // it lacks a table that is complete
  arrow::Status failure_;
  bool durable_file_ = false;  // since the position was last looked at
  bool opened_ = false;
  ParquetEncoders encoders_;  // ends before what stands above
};

}  // namespace arrowcdc
