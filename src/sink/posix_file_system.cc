// FileSystem on the operating system.
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <utility>

#include <arrow/io/file.h>

#include "arrowcdc/error.h"
#include "src/sink/file_system.h"

namespace arrowcdc {
namespace {

constexpr size_t kWriteBufferBytes = 128 << 10;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }
  int Release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

int OpenRetrying(const std::string& path, int flags) {
  int fd;
  do {
    fd = open(path.c_str(), flags | O_CLOEXEC, 0666);
  } while (fd < 0 && errno == EINTR);
  return fd;
}

int SyncRetrying(int fd) {
  int result;
  do {
    result = fsync(fd);
  } while (result != 0 && errno == EINTR);
  return result;
}

// While it lives, writing to a pipe without a reader is EPIPE and nothing else, in this thread.
class SigpipeBlocked {
 public:
  SigpipeBlocked() {
    sigemptyset(&sigpipe_);
    sigaddset(&sigpipe_, SIGPIPE);
    sigset_t pending;
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &sigpipe_, &old_mask_);
  }
  SigpipeBlocked(const SigpipeBlocked&) = delete;
  SigpipeBlocked& operator=(const SigpipeBlocked&) = delete;
  ~SigpipeBlocked() {
    const timespec at_once{0, 0};
    if (!was_pending_) (void)sigtimedwait(&sigpipe_, nullptr, &at_once);
    pthread_sigmask(SIG_SETMASK, &old_mask_, nullptr);
  }

 private:
  sigset_t sigpipe_;
  sigset_t old_mask_;
  bool was_pending_;
};

class PosixWritableFile : public WritableFile {
 public:
  PosixWritableFile(std::string path, int fd, int64_t position)
      : path_(std::move(path)), fd_(fd), position_(position) {
    buffer_.reserve(kWriteBufferBytes);
  }

  arrow::Status Write(const void* data, int64_t bytes) override {
    const auto size = static_cast<size_t>(bytes);
    if (buffer_.size() + size > kWriteBufferBytes) ARROW_RETURN_NOT_OK(Flush());
    if (size >= kWriteBufferBytes) {
      ARROW_RETURN_NOT_OK(WriteOut(static_cast<const char*>(data), size));
    } else {
      buffer_.append(static_cast<const char*>(data), size);
    }
    position_ += bytes;
    return arrow::Status::OK();
  }
  using arrow::io::OutputStream::Write;

  arrow::Status Flush() override {
    ARROW_RETURN_NOT_OK(WriteOut(buffer_.data(), buffer_.size()));
    buffer_.clear();
    return arrow::Status::OK();
  }

  arrow::Status Sync() override {
    ARROW_RETURN_NOT_OK(Flush());
    if (SyncRetrying(fd_.get()) != 0) return Fail("sync", errno);
    return arrow::Status::OK();
  }

  arrow::Status Close() override {
    if (closed()) return arrow::Status::OK();
    ARROW_RETURN_NOT_OK(Flush());
    if (close(fd_.Release()) != 0 && errno != EINTR) return Fail("close", errno);
    return arrow::Status::OK();
  }

  // Nothing more reaches the file.
  arrow::Status Abort() override {
    buffer_.clear();
    const int fd = fd_.Release();
    if (fd >= 0) close(fd);
    return arrow::Status::OK();
  }

  arrow::Result<int64_t> Tell() const override { return position_; }
  bool closed() const override { return fd_.get() < 0; }

 protected:
  // As write().
  virtual ssize_t WriteSome(const char* data, size_t bytes) { return write(fd_.get(), data, bytes); }
  int fd() const { return fd_.get(); }

 private:
  arrow::Status WriteOut(const char* data, size_t bytes) {
    // After a failure the content is unknown: a writer that goes on, in a destructor say, must not reach the
    // file.
    ARROW_RETURN_NOT_OK(failure_);
    if (closed()) return Fail("write", EBADF);
    if (bytes == 0) return arrow::Status::OK();
    const SigpipeBlocked no_signal;
    while (bytes > 0) {
      const ssize_t written = WriteSome(data, bytes);
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return Fail("write", errno);
      data += written;
      bytes -= static_cast<size_t>(written);
    }
    return arrow::Status::OK();
  }

  arrow::Status Fail(const char* what, int error_number) {
    failure_ = error_number == ECANCELED ? NotRead() : SystemError(what, path_, error_number);
    return failure_;
  }

  arrow::Status NotRead() const {
    return MakeError(ErrorKind::kInterrupted,
                     "stopped while nobody read " + path_ + ": what was left for it is dropped", path_,
                     "let its reader read on; what was not acknowledged comes again");
  }

  const std::string path_;
  Descriptor fd_;
  int64_t position_;
  std::string buffer_;
  arrow::Status failure_;
};

// A pipe, a socket, a terminal: its reader may take its time, and a stop must end that wait.
class PosixWritablePipe : public PosixWritableFile {
 public:
  PosixWritablePipe(std::string path, int fd, bool nonblocking, std::shared_ptr<StopToken> stop)
      : PosixWritableFile(std::move(path), fd, 0), nonblocking_(nonblocking), stop_(std::move(stop)) {}

 private:
  // ECANCELED: stopped.
  ssize_t WriteSome(const char* data, size_t bytes) override {
    using Clock = std::chrono::steady_clock;
    while (true) {
      if (WaitFor(fd(), POLLOUT, stop_.get(), Clock::time_point::max()) == Wake::kStopped &&
          WaitFor(fd(), POLLOUT, nullptr, Clock::now() + kStoppedPatience) != Wake::kReady) {
        errno = ECANCELED;
        return -1;
      }
      // So much has room without waiting once poll() says that there is some.
      const ssize_t written = write(fd(), data, nonblocking_ ? bytes : std::min<size_t>(bytes, PIPE_BUF));
      if (written >= 0 || errno != EAGAIN) return written;
    }
  }

  const bool nonblocking_;
  const std::shared_ptr<StopToken> stop_;
};

class PosixFileLock : public FileLock {
 public:
  explicit PosixFileLock(int fd) : fd_(fd) {}

 private:
  Descriptor fd_;
};

class Posix : public FileSystem {
 public:
  arrow::Result<PathKind> Kind(const std::string& path) override {
    struct stat info;
    if (stat(path.c_str(), &info) != 0) {
      if (errno == ENOENT) return PathKind::kAbsent;
      return SystemError("look at", path, errno);
    }
    if (S_ISDIR(info.st_mode)) return PathKind::kDirectory;
    return S_ISREG(info.st_mode) ? PathKind::kFile : PathKind::kOther;
  }

  arrow::Result<std::vector<std::string>> List(const std::string& directory) override {
    DIR* stream = opendir(directory.c_str());
    if (stream == nullptr) return SystemError("list", directory, errno);
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = readdir(stream)) {
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
      errno = 0;
    }
    const int error_number = errno;
    closedir(stream);
    if (error_number != 0) return SystemError("list", directory, error_number);
    std::sort(names.begin(), names.end());
    return names;
  }

  arrow::Status MakeDirectory(const std::string& path) override {
    if (mkdir(path.c_str(), 0777) != 0) return SystemError("make directory", path, errno);
    return arrow::Status::OK();
  }

  arrow::Status SyncDirectory(const std::string& path) override {
    const Descriptor fd(OpenRetrying(path, O_RDONLY | O_DIRECTORY));
    if (fd.get() < 0 && errno == EACCES) {
      // Entries can be made in it, but it cannot be opened: then everything is synced.
      sync();
      return arrow::Status::OK();
    }
    if (fd.get() < 0) return SystemError("open directory", path, errno);
    if (SyncRetrying(fd.get()) != 0) return SystemError("sync directory", path, errno);
    return arrow::Status::OK();
  }

  arrow::Result<std::unique_ptr<WritableFile>> Create(const std::string& path) override {
    const int fd = OpenRetrying(path, O_WRONLY | O_CREAT | O_TRUNC);
    if (fd < 0) return SystemError("create", path, errno);
    return std::make_unique<PosixWritableFile>(path, fd, 0);
  }

  arrow::Result<std::unique_ptr<WritableFile>> Append(const std::string& path, int64_t bytes) override {
    Descriptor fd(OpenRetrying(path, O_WRONLY | (bytes == 0 ? O_CREAT : 0)));
    if (fd.get() < 0) return SystemError("open", path, errno);
    struct stat info;
    if (fstat(fd.get(), &info) != 0) return SystemError("look at", path, errno);
    if (!S_ISREG(info.st_mode)) {
      return MakeError(ErrorKind::kSink, path + " is not a regular file", path,
                       "give the path of a regular file");
    }
    if (info.st_size < bytes) {
      return MakeError(ErrorKind::kSink,
                       path + " holds " + std::to_string(info.st_size) + " bytes, " + std::to_string(bytes) +
                           " of them were stored as durable: it was cut or replaced",
                       path, "restore the file, or start anew with a new file and a new slot");
    }
    if (ftruncate(fd.get(), bytes) != 0) return SystemError("truncate", path, errno);
    if (lseek(fd.get(), bytes, SEEK_SET) < 0) return SystemError("seek in", path, errno);
    return std::make_unique<PosixWritableFile>(path, fd.Release(), bytes);
  }

  arrow::Result<std::shared_ptr<arrow::io::RandomAccessFile>> OpenForReading(
      const std::string& path) override {
    const int fd = OpenRetrying(path, O_RDONLY);
    if (fd < 0) return SystemError("open", path, errno);
    auto file = arrow::io::ReadableFile::Open(fd);
    if (!file.ok()) {
      close(fd);
      return StorageError("open", path, file.status());
    }
    return *file;
  }

  arrow::Status Rename(const std::string& from, const std::string& to) override {
    if (rename(from.c_str(), to.c_str()) != 0) return SystemError("rename " + from + " to", to, errno);
    return arrow::Status::OK();
  }

  arrow::Status Remove(const std::string& path) override {
    if (unlink(path.c_str()) != 0) return SystemError("remove", path, errno);
    return arrow::Status::OK();
  }

  arrow::Result<std::unique_ptr<FileLock>> Lock(const std::string& path) override {
    Descriptor fd(OpenRetrying(path, O_RDWR | O_CREAT));
    if (fd.get() < 0) return SystemError("open", path, errno);
    if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK) return SystemError("lock", path, errno);
      return MakeError(ErrorKind::kSink, "another process writes there: " + path + " is locked", path,
                       "stop the other arrowcdc, or give this one a place of its own");
    }
    return std::make_unique<PosixFileLock>(fd.Release());
  }
};

}  // namespace

FileSystem* PosixFileSystem() {
  static Posix files;
  return &files;
}

std::unique_ptr<WritableFile> StandardOutput(std::shared_ptr<StopToken> stop) {
  struct stat info = {};
  const bool known = fstat(STDOUT_FILENO, &info) == 0;
  const bool pipe_or_terminal = known && (S_ISFIFO(info.st_mode) || isatty(STDOUT_FILENO) == 1);
  // O_NONBLOCK belongs to the open file, which others may share: so it is opened anew where that is possible.
  if (pipe_or_terminal) {
    const int fd =
        OpenRetrying("/proc/self/fd/" + std::to_string(STDOUT_FILENO), O_WRONLY | O_NONBLOCK | O_NOCTTY);
    if (fd >= 0) return std::make_unique<PosixWritablePipe>("standard output", fd, true, std::move(stop));
  }
  // A descriptor of its own, so that closing this one leaves the process its standard output.
  const int fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
  if (pipe_or_terminal || (known && S_ISSOCK(info.st_mode))) {
    return std::make_unique<PosixWritablePipe>("standard output", fd, false, std::move(stop));
  }
  return std::make_unique<PosixWritableFile>("standard output", fd, 0);
}

}  // namespace arrowcdc
