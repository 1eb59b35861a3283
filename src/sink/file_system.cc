// What is built on any FileSystem, and the errors all of them use.
#include "src/sink/file_system.h"

#include <cerrno>
#include <cstring>
#include <filesystem>

#include <arrow/buffer.h>

#include "arrowcdc/error.h"

namespace arrowcdc {
namespace {

std::string Remedy(int error_number) {
  switch (error_number) {
    case ENOSPC:
    case EDQUOT:
      return "free space there, then start again; nothing was acknowledged that is not durable";
    case EROFS:
      return "mount the file system writable, or choose another place";
    case EACCES:
    case EPERM:
      return "give the user that runs arrowcdc the right to read and write there";
    case ENAMETOOLONG:
      return "choose a place with a shorter path";
    case EPIPE:
      return "the reader has gone; start it again together with arrowcdc";
    case EMFILE:
    case ENFILE:
      return "raise the limit of open files (ulimit -n)";
    case EIO:
      return "check the storage device; start again when it is sound";
    default:
      return "mend the cause, then start again; nothing was acknowledged that is not durable";
  }
}

}  // namespace

arrow::Status SystemError(std::string_view what, const std::string& path, int error_number) {
  return MakeError(ErrorKind::kSink,
                   "cannot " + std::string(what) + " " + path + ": " + std::strerror(error_number), path,
                   Remedy(error_number));
}

arrow::Status StorageError(std::string_view what, const std::string& path, const arrow::Status& status) {
  if (status.ok() || GetErrorDetail(status) != nullptr) return status;
  return MakeError(ErrorKind::kSink, "cannot " + std::string(what) + " " + path + ": " + status.message(),
                   path, "mend the cause, then start again; nothing was acknowledged that is not durable");
}

std::string JoinPath(std::string_view directory, std::string_view name) {
  std::string path(directory);
  if (path.empty() || path.back() != '/') path += '/';
  path += name;
  return path;
}

std::string ParentDirectory(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  while (path.size() > 1 && path.back() != '/') path.remove_suffix(1);
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  return std::string(path);
}

std::string AbsolutePath(const std::string& path) {
  std::error_code error;
  const auto resolved = std::filesystem::weakly_canonical(std::filesystem::absolute(path, error), error);
  return error ? path : resolved.string();
}

arrow::Status MakeDirectories(FileSystem& files, const std::string& path) {
  ARROW_ASSIGN_OR_RAISE(const PathKind kind, files.Kind(path));
  if (kind == PathKind::kDirectory) {
    // Nothing is put into a directory before its own entry is stable; in an empty one that may have been left
    // undone.
    const auto names = files.List(path);
    return !names.ok() || names->empty() ? files.SyncDirectory(ParentDirectory(path)) : arrow::Status::OK();
  }
  if (kind != PathKind::kAbsent) return SystemError("make directory", path, EEXIST);
  const std::string parent = ParentDirectory(path);
  if (parent != path) ARROW_RETURN_NOT_OK(MakeDirectories(files, parent));
  ARROW_RETURN_NOT_OK(files.MakeDirectory(path));
  return files.SyncDirectory(parent);
}

arrow::Result<std::string> ReadFile(FileSystem& files, const std::string& path) {
  ARROW_ASSIGN_OR_RAISE(auto file, files.OpenForReading(path));
  auto content = [&]() -> arrow::Result<std::string> {
    ARROW_ASSIGN_OR_RAISE(const int64_t bytes, file->GetSize());
    ARROW_ASSIGN_OR_RAISE(auto buffer, file->ReadAt(0, bytes));
    return buffer->ToString();
  }();
  if (!content.ok()) return StorageError("read", path, content.status());
  return content;
}

arrow::Status ReplaceFile(FileSystem& files, const std::string& path, std::string_view content) {
  const std::string temporary = path + std::string(kInProgressSuffix);
  ARROW_ASSIGN_OR_RAISE(auto file, files.Create(temporary));
  ARROW_RETURN_NOT_OK(file->Write(content.data(), static_cast<int64_t>(content.size())));
  ARROW_RETURN_NOT_OK(file->Sync());
  ARROW_RETURN_NOT_OK(file->Close());
  ARROW_RETURN_NOT_OK(files.Rename(temporary, path));
  return files.SyncDirectory(ParentDirectory(path));
}

}  // namespace arrowcdc
