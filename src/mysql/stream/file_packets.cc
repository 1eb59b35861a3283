#include "src/mysql/stream/file_packets.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
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
    std::error_code of_entry;  // a link to nothing, say
    if (!entry.is_regular_file(of_entry)) continue;
    const std::string magic = Magic(entry.path());
    if (magic == kEncryptedMagic) {
      return MakeError(ErrorKind::kUnsupported, "the file is encrypted", "file " + entry.path().string(),
                       "read from the server, which decrypts it");
    }
    if (magic != kMagic) continue;
    const auto number = FileNumber(name);
    if (!number.ok()) continue;  // a relay log's index, a copy under another name
    files.push_back({name, *number, entry.file_size(of_entry)});
    if (of_entry) return Unreadable(entry.path().string(), "its size cannot be told: " + of_entry.message());
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

arrow::Result<std::optional<std::span<const uint8_t>>> FilePackets::Next() {
  while (file_ < files_.size()) {
    if (stopped_) return MakeError(ErrorKind::kConnection, "the stream was stopped", object(), "");
    if (fd_ < 0) {
      ARROW_RETURN_NOT_OK(OpenFile());
      rotate_ = MakeRotate({kMagicBytes, files_[file_].name});
      return std::span(reinterpret_cast<const uint8_t*>(rotate_.data()), rotate_.size());
    }
    ARROW_ASSIGN_OR_RAISE(const auto header, At(offset_, kEventHeaderBytes));
    if (header.size() < kEventHeaderBytes) {
      if (!header.empty()) return CutOff();
      close(fd_);
      fd_ = -1;
      ++file_;
      continue;
    }
    const uint64_t size = ByteCursor(header.subspan(9)).Uint(4);
    if (size < kEventHeaderBytes) return CutOff();
    ARROW_ASSIGN_OR_RAISE(const auto event, At(offset_, size));
    if (event.size() < size) return CutOff();
    const bool description = offset_ == kMagicBytes;
    offset_ += size;
    if (description && file_ == 0 && first_offset_ > offset_) offset_ = first_offset_;
    return event;
  }
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
  block_.clear();
  block_offset_ = 0;
  return arrow::Status::OK();
}

// As many bytes of the file as it has there, up to `count`. They last until the next call.
arrow::Result<std::span<const uint8_t>> FilePackets::At(uint64_t offset, size_t count) {
  constexpr size_t kBlockBytes = size_t{1} << 20;
  const auto have = [&] {
    const uint64_t begin = offset - block_offset_;
    const uint64_t left = begin < block_.size() ? block_.size() - begin : 0;
    return std::span<const uint8_t>(block_).last(left).first(std::min<uint64_t>(left, count));
  };
  if (offset >= block_offset_ && have().size() == count) return have();
  // Not more than the file has, whatever an event says of its size.
  struct stat state {};
  if (fstat(fd_, &state) != 0)
    return Unreadable(directory_, std::string("a read failed: ") + std::strerror(errno));
  const auto end = static_cast<uint64_t>(state.st_size);
  block_offset_ = offset;
  block_.resize(std::min<uint64_t>(std::max(count, kBlockBytes), end - std::min(end, offset)));
  for (size_t done = 0; done < block_.size();) {
    const ssize_t got =
        pread(fd_, block_.data() + done, block_.size() - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Unreadable(directory_, std::string("a read failed: ") + std::strerror(errno));
    if (got == 0) block_.resize(done);  // it was cut off meanwhile
    done += static_cast<size_t>(got);
  }
  return have();
}

}  // namespace arrowcdc::mysql
