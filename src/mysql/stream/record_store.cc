// A record is its length (8 bytes) and its bytes. A chunk is written when it is full and memory is, and its
// place in the file is given back when it has been read.
#include "src/mysql/stream/record_store.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "arrowcdc/error.h"
#include "src/change/spool_file.h"

namespace arrowcdc::mysql {
RecordStore::RecordStore(RecordStoreOptions options) : options_(std::move(options)) {}

RecordStore::~RecordStore() {
  if (fd_ >= 0) close(fd_);
}

bool RecordStore::has_room() const {
  return options_.disk_bytes_max == 0 || memory_bytes_ <= options_.memory_bytes_max;
}

arrow::Status RecordStore::Append(std::initializer_list<std::span<const uint8_t>> parts) {
  uint64_t length = 0;
  for (const auto& part : parts) length += part.size();
  if (chunks_.empty() || chunks_.back().size >= kChunkBytes) {
    chunks_.emplace_back();
    if (!spare_.empty()) {
      chunks_.back().bytes = std::move(spare_.back());
      spare_.pop_back();
    }
    chunks_.back().bytes.reserve(kChunkBytes + kChunkBytes / 16);  // it grows to no more, as a rule
  }
  Chunk& tail = chunks_.back();
  const auto append = [&tail](const void* bytes, size_t count) {
    const auto* const from = static_cast<const uint8_t*>(bytes);
    tail.bytes.insert(tail.bytes.end(), from, from + count);
  };
  append(&length, sizeof length);
  for (const auto& part : parts) append(part.data(), part.size());
  const auto added = static_cast<int64_t>(sizeof length + length);
  tail.size += added;
  memory_bytes_ += added;
  if (tail.size < kChunkBytes || memory_bytes_ <= options_.memory_bytes_max) return arrow::Status::OK();
  // Whoever asks has_room puts nothing behind it.
  if (options_.disk_bytes_max > 0 && disk_bytes_ + tail.size > options_.disk_bytes_max)
    return arrow::Status::OK();
  return Write(&tail);
}

arrow::Status RecordStore::Write(Chunk* chunk) {
  if (fd_ < 0) {
    for (const std::string& directory : SpoolDirectories(options_.directory)) {
      directory_ = directory;
      fd_ = OpenSpoolFile(directory);
      if (fd_ >= 0) break;
    }
    if (fd_ < 0) return Failed("no file can be made for what waits");
  }
  for (int64_t done = 0; done < chunk->size;) {
    const ssize_t written =
        pwrite(fd_, chunk->bytes.data() + done, static_cast<size_t>(chunk->size - done), file_end_ + done);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return Failed("what waits cannot be written");
    done += written;
  }
  chunk->offset = file_end_;
  file_end_ += chunk->size;
  memory_bytes_ -= chunk->size;
  disk_bytes_ += chunk->size;
  chunk->bytes = {};
  return arrow::Status::OK();
}

arrow::Result<std::optional<std::vector<uint8_t>>> RecordStore::TakeChunk() {
  if (chunks_.empty()) return std::optional<std::vector<uint8_t>>();
  Chunk& head = chunks_.front();
  if (!head.bytes.empty()) {
    memory_bytes_ -= head.size;
  } else {
    head.bytes.resize(static_cast<size_t>(head.size));
    for (int64_t done = 0; done < head.size;) {
      const ssize_t got =
          pread(fd_, head.bytes.data() + done, static_cast<size_t>(head.size - done), head.offset + done);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return Failed("what waits cannot be read again");
      done += got;
    }
    disk_bytes_ -= head.size;
    // Where the file system cannot, the place stays taken until the file is empty.
    if (disk_bytes_ == 0) {
      file_end_ = 0;
      (void)!ftruncate(fd_, 0);
    } else {
      (void)fallocate(fd_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, head.offset, head.size);
    }
  }
  std::vector<uint8_t> bytes = std::move(head.bytes);
  chunks_.pop_front();
  return bytes;
}

void RecordStore::GiveBack(std::vector<uint8_t> chunk) {
  constexpr size_t kSpareMax = 8;
  if (spare_.size() >= kSpareMax || chunk.capacity() > size_t{2 * kChunkBytes}) return;
  chunk.clear();
  spare_.push_back(std::move(chunk));
}

void RecordStore::Clear() {
  chunks_.clear();
  memory_bytes_ = 0;
  disk_bytes_ = 0;
  file_end_ = 0;
  if (fd_ >= 0) (void)!ftruncate(fd_, 0);
}

arrow::Status RecordStore::Failed(const std::string& what) const {
  return MakeError(ErrorKind::kSink, what + ": " + std::strerror(errno), "directory " + directory_,
                   "make room there, or name another one for spools", "", true);
}

std::optional<std::span<const uint8_t>> ReadRecord(std::span<const uint8_t>* chunk) {
  uint64_t length = 0;
  if (chunk->size() < sizeof length) return std::nullopt;
  // SAFETY: chunks hold whole records as Append has put them there.
  std::memcpy(&length, chunk->data(), sizeof length);
  const auto record = chunk->subspan(sizeof length, length);
  *chunk = chunk->subspan(sizeof length + length);
  return record;
}

}  // namespace arrowcdc::mysql
