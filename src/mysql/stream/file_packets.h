// The files of a binlog in a directory, in the order of their numbers, up to the end of the last one.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "src/mysql/stream/packet_reader.h"

namespace arrowcdc::mysql {

struct BinlogFile {
  std::string name;  // without the directory
  uint32_t number = 0;
  uint64_t bytes = 0;
};
// Those in the directory that are files of a binlog, by number. Errors: kInvalidOption where there are none
// or of two names; kUnsupported, by name, where one is encrypted; kPositionGap where a number lacks.
arrow::Result<std::vector<BinlogFile>> ListBinlogFiles(const std::string& directory);

class FilePackets : public PacketReader {
 public:
  // From `offset` of files[0] on, whose description is read in any case.
  FilePackets(std::string directory, std::vector<BinlogFile> files, uint64_t offset);
  ~FilePackets() override;

  arrow::Result<std::optional<std::span<const uint8_t>>> Next() override;
  bool has_next() const override { return true; }
  void Interrupt() override { stopped_ = true; }
  std::string object() const override { return "directory " + directory_; }

 private:
  arrow::Status OpenFile();
  arrow::Status CutOff() const;
  arrow::Result<std::span<const uint8_t>> At(uint64_t offset, size_t count);

  const std::string directory_;
  const std::vector<BinlogFile> files_;
  const uint64_t first_offset_;
  size_t file_ = 0;      // that is read
  int fd_ = -1;          // -1: it is to be opened
  uint64_t offset_ = 0;  // of the next event; 0: the file's name is told first
  std::string rotate_;
  std::vector<uint8_t> block_;  // of the file, from block_offset_ on
  uint64_t block_offset_ = 0;
  std::atomic<bool> stopped_ = false;
};

}  // namespace arrowcdc::mysql
