// Transactions in progress in a file of their own, which has no name: whatever ends the process, it is gone.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include <arrow/result.h>

#include "src/postgres/decode/transaction_spool.h"

namespace arrowcdc::postgres {

// One file holds all transactions, each in blocks of its own, since thousands can be open at once. What is
// small stays in memory. The space of a transaction that was dropped is given back to the disk at once.
class Spool : public TransactionSpool {
 public:
  // Makes the file. directory empty: TMPDIR, else /var/tmp, else /tmp. bytes_max: that transactions may take
  // on disk; 0: as much as there is. Errors: kInvalidOption where nothing can be written there.
  static arrow::Result<std::unique_ptr<Spool>> Open(const std::string& directory, int64_t bytes_max);
  ~Spool() override;

  // Errors: kSink, retryable, where there is no room or the file cannot be written or read; then full().
  arrow::Status Append(uint32_t xid, std::initializer_list<std::string_view> parts) override;
  arrow::Result<std::unique_ptr<Reader>> Read(uint32_t xid) override;
  void Drop(uint32_t xid) override;

  // It is of no use any more: the next session does without.
  bool failed() const { return failed_; }
  int64_t disk_bytes() const { return disk_bytes_; }
  int64_t memory_bytes() const { return memory_bytes_; }

  // In memory, of one transaction and of all: what is beyond is written.
  static constexpr int64_t kTailBytesMax = int64_t{1} << 20;
  static constexpr int64_t kMemoryBytesMax = int64_t{16} << 20;
  static constexpr int64_t kBlockBytes = int64_t{256} << 10;

 private:
  struct Transaction {
    std::vector<uint32_t> blocks = {};  // numbers of those in the file, in order
    int64_t written = 0;                // bytes in them
    std::vector<char> tail = {};        // behind those
  };
  class RecordReader;

  Spool(int fd, std::string directory, int64_t bytes_max);
  void AppendToTail(Transaction* transaction, std::string_view bytes);
  arrow::Status WriteTail(Transaction* transaction);
  arrow::Status WriteLargestTail();
  arrow::Status Write(Transaction* transaction, std::string_view bytes);
  arrow::Status ReadAt(const Transaction& transaction, int64_t at, int64_t bytes, uint8_t* to);
  uint32_t TakeBlock();
  void GiveBack(std::vector<uint32_t> blocks);
  arrow::Status Failed(const std::string& what);

  const int fd_;
  const std::string directory_;
  const int64_t bytes_max_;
  std::unordered_map<uint32_t, Transaction> transactions_;
  std::vector<uint32_t> free_blocks_;  // below block_count_
  uint32_t block_count_ = 0;
  int64_t disk_bytes_ = 0;
  int64_t memory_bytes_ = 0;
  bool failed_ = false;
};

}  // namespace arrowcdc::postgres
