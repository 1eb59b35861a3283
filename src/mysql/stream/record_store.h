// Records first in, first out: in memory up to a bound, beyond it in a file that has no name, so whatever
// ends the process, it is gone.
#pragma once

#include <cstdint>
#include <deque>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <arrow/result.h>

namespace arrowcdc::mysql {

struct RecordStoreOptions {
  int64_t memory_bytes_max = 64 << 20;
  std::string directory;       // empty: TMPDIR, else /var/tmp, else /tmp
  int64_t disk_bytes_max = 0;  // 0: the disk is the bound
};

// Records come out in chunks, so that whoever shares the store between threads need not lock for each. One
// thread at a time.
class RecordStore {
 public:
  explicit RecordStore(RecordStoreOptions options);
  ~RecordStore();
  RecordStore(const RecordStore&) = delete;
  RecordStore& operator=(const RecordStore&) = delete;

  // A record of these parts. Errors: kSink, retryable, where the file cannot be made or written.
  arrow::Status Append(std::initializer_list<std::span<const uint8_t>> parts);
  // The oldest chunk, which is taken out: records for ReadRecord. nullopt: there is none. Errors: kSink.
  arrow::Result<std::optional<std::vector<uint8_t>>> TakeChunk();
  // The memory of a chunk that was read, for the next one: fresh pages cost more than what is put there.
  void GiveBack(std::vector<uint8_t> chunk);
  void Clear();

  bool empty() const { return chunks_.empty(); }
  // False: more would pass what may lie on disk.
  bool has_room() const;
  int64_t bytes() const { return memory_bytes_ + disk_bytes_; }
  int64_t memory_bytes() const { return memory_bytes_; }
  int64_t disk_bytes() const { return disk_bytes_; }

  static constexpr int64_t kChunkBytes = int64_t{1} << 20;

 private:
  struct Chunk {
    std::vector<uint8_t> bytes;  // empty: it is in the file
    int64_t offset = 0;
    int64_t size = 0;
  };
  arrow::Status Write(Chunk* chunk);
  arrow::Status Failed(const std::string& what) const;

  const RecordStoreOptions options_;
  std::string directory_;  // where the file is
  std::deque<Chunk> chunks_;
  std::vector<std::vector<uint8_t>> spare_;
  int fd_ = -1;
  int64_t file_end_ = 0;
  int64_t memory_bytes_ = 0;
  int64_t disk_bytes_ = 0;
};

// The next record of a chunk, which is cut off `chunk`. nullopt: that was all.
std::optional<std::span<const uint8_t>> ReadRecord(std::span<const uint8_t>* chunk);

}  // namespace arrowcdc::mysql
