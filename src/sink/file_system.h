// The file operations whose order and success decide what is durable, behind one interface, so that a test
// can make each of them fail. Everything the sinks do to storage goes through here.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/io/interfaces.h>
#include <arrow/result.h>
#include <arrow/status.h>

#include "arrowcdc/stop_token.h"

namespace arrowcdc {

// A file being written. Write may buffer; Close hands everything to the system and does not sync. Without a
// Close nothing that is still buffered is written.
class WritableFile : public arrow::io::OutputStream {
 public:
  // Hands everything to the system and waits until it is on stable storage.
  virtual arrow::Status Sync() = 0;
};

// Held until destroyed.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

enum class PathKind { kAbsent, kFile, kDirectory, kOther };

// Errors: kSink, with the path, the system's reason and what to do. Threads: any; one at a time for a file
// that is being written.
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  virtual arrow::Result<PathKind> Kind(const std::string& path) = 0;
  // Names in a directory, sorted, without "." and "..".
  virtual arrow::Result<std::vector<std::string>> List(const std::string& directory) = 0;
  // The parent must exist, the directory must not.
  virtual arrow::Status MakeDirectory(const std::string& path) = 0;
  // Makes entries created, renamed and removed in the directory stable.
  virtual arrow::Status SyncDirectory(const std::string& path) = 0;

  // A new file; an old one of that name loses its content.
  virtual arrow::Result<std::unique_ptr<WritableFile>> Create(const std::string& path) = 0;
  // An existing file cut to its first `bytes` bytes, or a new one when bytes is 0; written at its end.
  virtual arrow::Result<std::unique_ptr<WritableFile>> Append(const std::string& path, int64_t bytes) = 0;
  virtual arrow::Result<std::shared_ptr<arrow::io::RandomAccessFile>> OpenForReading(
      const std::string& path) = 0;
  virtual arrow::Status Rename(const std::string& from, const std::string& to) = 0;
  virtual arrow::Status Remove(const std::string& path) = 0;

  // Makes the file if need be. Errors at once when another process, or this one, holds it.
  virtual arrow::Result<std::unique_ptr<FileLock>> Lock(const std::string& path) = 0;
};

// The operating system's. Lives for ever.
FileSystem* PosixFileSystem();

// Standard output. A reader that has gone is an error of Write, not a signal. Once `stop` (may be null) is
// stopped, a reader that takes nothing for kStoppedPatience is kInterrupted.
std::unique_ptr<WritableFile> StandardOutput(std::shared_ptr<StopToken> stop = nullptr);
inline constexpr std::chrono::milliseconds kStoppedPatience{500};

// What sinks tell the age of rows by; tests have their own.
using SteadyClock = std::function<std::chrono::steady_clock::time_point()>;

std::string JoinPath(std::string_view directory, std::string_view name);
// "a/b" -> "a", "a" -> ".", "/a" -> "/".
std::string ParentDirectory(std::string_view path);
// From the root, without "." and "..".
std::string AbsolutePath(const std::string& path);

// Makes the directory and what is missing above it, each entry stable.
arrow::Status MakeDirectories(FileSystem& files, const std::string& path);
// The whole content of a file.
arrow::Result<std::string> ReadFile(FileSystem& files, const std::string& path);
// Replaces a file in one step: after a crash it has the old content or the new. Stable on return.
arrow::Status ReplaceFile(FileSystem& files, const std::string& path, std::string_view content);

// What a file is called while it is being written; never ends in the final suffix.
inline constexpr std::string_view kInProgressSuffix = ".inprogress";

// kSink: "cannot <what> <path>: <errno text>" with a remedy for the common reasons.
arrow::Status SystemError(std::string_view what, const std::string& path, int error_number);
// A status of a library, not of the system, as kSink with the path; ours pass unchanged.
arrow::Status StorageError(std::string_view what, const std::string& path, const arrow::Status& status);

}  // namespace arrowcdc
