#include "src/mysql/stream/file_packets.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <thread>
#include <utility>

#include "arrowcdc/error.h"
#include "src/mysql/decode/byte_cursor.h"
#include "src/mysql/decode/event.h"

namespace arrowcdc::mysql {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMagicBytes = 4;
constexpr char kMagic[] =
    "\xfe"
    "bin";
constexpr char kEncryptedMagic[] =
    "\xfd"
    "bin";

std::string Magic(const fs::path& path) {
  char bytes[kMagicBytes] = {};
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {};
  const ssize_t got = pread(fd, bytes, sizeof bytes, 0);
  close(fd);
  return got == static_cast<ssize_t>(sizeof bytes) ? std::string(bytes, sizeof bytes) : std::string();
}

arrow::Status Unreadable(const std::string& path, const std::string& what) {
  return MakeError(ErrorKind::kConnection, what, "file " + path, "check the path and its permissions");
}

std::string BaseOf(const std::string& name) { return name.substr(0, name.rfind('.')); }

arrow::Status CheckSequence(const std::string& directory, const std::vector<BinlogFile>& files) {
  if (files.empty()) {
    return MakeError(ErrorKind::kInvalidOption, "no file in it begins as one of a binary log does",
                     "directory " + directory, "name the directory that holds binlog.000001 and so on");
  }
  for (size_t i = 1; i < files.size(); ++i) {
    if (BaseOf(files[i].name) != BaseOf(files[0].name)) {
      return MakeError(ErrorKind::kInvalidOption,
                       "it has files of two binary logs, " + files[0].name + " and " + files[i].name,
                       "directory " + directory, "keep each in a directory of its own");
    }
    if (files[i].number != files[i - 1].number + 1) {
      return MakeError(ErrorKind::kPositionGap,
                       "files are lacking between " + files[i - 1].name + " and " + files[i].name,
                       "directory " + directory, "copy them there");
    }
  }
  return arrow::Status::OK();
}

}  // namespace

arrow::Result<std::vector<BinlogFile>> ListBinlogFiles(const std::string& directory) {
  std::error_code error;
  std::vector<BinlogFile> files;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    const std::string name = entry.path().filename().string();
    if (!entry.is_regular_file(error)) continue;
    const std::string magic = Magic(entry.path());
    if (magic == kEncryptedMagic) {
      return MakeError(ErrorKind::kUnsupported, "the file is encrypted", "file " + entry.path().string(),
                       "read from the server, which decrypts it");
    }
    if (magic != kMagic) continue;
    const auto number = FileNumber(name);
    if (!number.ok()) continue;  // a relay log's index, a copy under another name
    files.push_back({name, *number, entry.file_size(error)});
  }
  if (error) return Unreadable(directory, "the directory cannot be read: " + error.message());
  std::sort(files.begin(), files.end(),
            [](const BinlogFile& a, const BinlogFile& b) { return a.number < b.number; });
  ARROW_RETURN_NOT_OK(CheckSequence(directory, files));
  return files;
}

FilePackets::FilePackets(std::string directory, std::vector<BinlogFile> files, uint64_t offset)
    : directory_(std::move(directory)), files_(std::move(files)), first_offset_(offset) {}

FilePackets::~FilePackets() {
  if (fd_ >= 0) close(fd_);
}

arrow::Result<std::optional<std::span<const uint8_t>>> FilePackets::Next(std::chrono::milliseconds timeout) {
  while (file_ < files_.size()) {
    if (stopped_) return MakeError(ErrorKind::kConnection, "the stream was stopped", directory_, "");
    if (fd_ < 0) {
      ARROW_RETURN_NOT_OK(OpenFile());
      const std::string rotate = MakeRotate({kMagicBytes, files_[file_].name});
      event_.assign(rotate.begin(), rotate.end());
      return std::span<const uint8_t>(event_);
    }
    ARROW_ASSIGN_OR_RAISE(const bool has_header, Read(offset_, kEventHeaderBytes));
    if (!has_header) {
      ARROW_ASSIGN_OR_RAISE(const bool more, Read(offset_, 1));
      if (more) return CutOff();
      close(fd_);
      fd_ = -1;
      ++file_;
      continue;
    }
    const uint64_t size = ByteCursor(std::span<const uint8_t>(event_).subspan(9)).Uint(4);
    bool whole = size >= kEventHeaderBytes;
    if (whole) {
      ARROW_ASSIGN_OR_RAISE(whole, Read(offset_, size));
    }
    if (!whole) return CutOff();
    const bool description = offset_ == kMagicBytes;
    offset_ += size;
    if (description && file_ == 0 && first_offset_ > offset_) offset_ = first_offset_;
    received_bytes_ += size;
    return std::span<const uint8_t>(event_);
  }
  std::this_thread::sleep_for(timeout);
  return std::optional<std::span<const uint8_t>>();
}

arrow::Status FilePackets::CutOff() const {
  return MakeError(
      ErrorKind::kProtocol, "an event at " + std::to_string(offset_) + " is not whole: the file was cut off",
      "file " + directory_ + "/" + files_[file_].name, "copy the file again, once the server has closed it");
}

arrow::Status FilePackets::OpenFile() {
  const std::string path = directory_ + "/" + files_[file_].name;
  fd_ = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd_ < 0) return Unreadable(path, std::string("the file cannot be opened: ") + std::strerror(errno));
  offset_ = kMagicBytes;
  return arrow::Status::OK();
}

// False: the file ends before there are as many.
arrow::Result<bool> FilePackets::Read(uint64_t offset, size_t count) {
  struct stat state {};
  if (fstat(fd_, &state) != 0 || offset + count > static_cast<uint64_t>(state.st_size)) return false;
  event_.resize(count);
  for (size_t done = 0; done < count;) {
    const ssize_t got = pread(fd_, event_.data() + done, count - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return Unreadable(directory_, std::string("a read failed: ") + std::strerror(errno));
    done += static_cast<size_t>(got);
  }
  return true;
}

}  // namespace arrowcdc::mysql
