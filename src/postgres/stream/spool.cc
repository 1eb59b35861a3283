// A record is its length (8 bytes) and its bytes. The file position of a transaction's byte follows from the
// list of its blocks.
#include "src/postgres/stream/spool.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <arrow/memory_pool.h>

#include "arrowcdc/error.h"
#include "src/change/spool_file.h"

namespace arrowcdc::postgres {
namespace {

using RecordLength = uint64_t;

constexpr int64_t kReadAheadBytes = int64_t{256} << 10;
// A record of this size goes to the file without being copied first.
constexpr size_t kDirectBytes = 64 << 10;

}  // namespace

// Of one transaction, which stays as it is meanwhile.
class Spool::RecordReader : public TransactionSpool::Reader {
 public:
  RecordReader(Spool* spool, const Transaction* transaction)
      : spool_(spool),
        transaction_(transaction),
        end_(transaction->written + static_cast<int64_t>(transaction->tail.size())) {}

  arrow::Result<std::shared_ptr<arrow::Buffer>> Next() override {
    if (at_ == end_) return nullptr;
    RecordLength length;
    ARROW_RETURN_NOT_OK(Take(sizeof(length), reinterpret_cast<uint8_t*>(&length)));
    const auto bytes = static_cast<int64_t>(length);
    if (record_ != nullptr && record_.use_count() == 1) {
      ARROW_RETURN_NOT_OK(record_->Resize(bytes, /*shrink_to_fit=*/false));
    } else {
      ARROW_ASSIGN_OR_RAISE(record_, arrow::AllocateResizableBuffer(bytes));
    }
    ARROW_RETURN_NOT_OK(Take(bytes, record_->mutable_data()));
    return record_;
  }

 private:
  // The next `bytes`, through what was read ahead, unless they are many.
  arrow::Status Take(int64_t bytes, uint8_t* to) {
    while (bytes > 0) {
      if (ahead_at_ == ahead_end_) {
        if (bytes >= kReadAheadBytes) {
          ARROW_RETURN_NOT_OK(spool_->ReadAt(*transaction_, at_, bytes, to));
          at_ += bytes;
          return arrow::Status::OK();
        }
        ahead_.resize(kReadAheadBytes);
        ahead_at_ = 0;
        ahead_end_ = std::min(kReadAheadBytes, end_ - at_);
        ARROW_RETURN_NOT_OK(spool_->ReadAt(*transaction_, at_, ahead_end_, ahead_.data()));
      }
      const int64_t some = std::min(bytes, ahead_end_ - ahead_at_);
      memcpy(to, ahead_.data() + ahead_at_, static_cast<size_t>(some));
      ahead_at_ += some;
      at_ += some;
      to += some;
      bytes -= some;
    }
    return arrow::Status::OK();
  }

  Spool* const spool_;
  const Transaction* const transaction_;
  const int64_t end_;
  int64_t at_ = 0;  // of what was taken
  std::vector<uint8_t> ahead_;
  int64_t ahead_at_ = 0;
  int64_t ahead_end_ = 0;
  std::shared_ptr<arrow::ResizableBuffer> record_;
};

arrow::Result<std::unique_ptr<Spool>> Spool::Open(const std::string& directory, int64_t bytes_max) {
  std::string tried;
  for (const std::string& candidate : SpoolDirectories(directory)) {
    const int fd = OpenSpoolFile(candidate);
    if (fd >= 0) return std::unique_ptr<Spool>(new Spool(fd, candidate, bytes_max));
    tried += (tried.empty() ? "" : ", ") + candidate + " (" + strerror(errno) + ")";
  }
  return MakeError(ErrorKind::kInvalidOption, "no file can be made for transactions in progress in " + tried,
                   "option spool_dir",
                   "name a directory that can be written, or turn streaming off: then the server keeps them "
                   "until they commit");
}

Spool::Spool(int fd, std::string directory, int64_t bytes_max)
    : fd_(fd), directory_(std::move(directory)), bytes_max_(bytes_max) {}

Spool::~Spool() { close(fd_); }

arrow::Status Spool::Failed(const std::string& what) {
  failed_ = true;
  return MakeError(ErrorKind::kSink,
                   what +
                       ": the stream goes on in a new session, in which the server keeps transactions "
                       "until they commit",
                   "spool in " + directory_, "make room there, or name another directory with spool_dir", "",
                   /*retryable=*/true);
}

// --- what comes ---

arrow::Status Spool::Append(uint32_t xid, std::initializer_list<std::string_view> parts) {
  RecordLength length = 0;
  for (const std::string_view part : parts) length += part.size();
  Transaction* const transaction = &transactions_[xid];
  AppendToTail(transaction, {reinterpret_cast<const char*>(&length), sizeof(length)});
  for (const std::string_view part : parts) {
    if (part.size() < kDirectBytes) {
      AppendToTail(transaction, part);
      continue;
    }
    ARROW_RETURN_NOT_OK(WriteTail(transaction));
    ARROW_RETURN_NOT_OK(Write(transaction, part));
  }
  if (static_cast<int64_t>(transaction->tail.size()) >= kTailBytesMax) return WriteTail(transaction);
  while (memory_bytes_ > kMemoryBytesMax) ARROW_RETURN_NOT_OK(WriteLargestTail());
  return arrow::Status::OK();
}

void Spool::AppendToTail(Transaction* transaction, std::string_view bytes) {
  std::vector<char>& tail = transaction->tail;
  memory_bytes_ -= static_cast<int64_t>(tail.capacity());
  tail.insert(tail.end(), bytes.begin(), bytes.end());
  memory_bytes_ += static_cast<int64_t>(tail.capacity());
}

arrow::Status Spool::WriteTail(Transaction* transaction) {
  const std::vector<char> tail = std::exchange(transaction->tail, {});
  memory_bytes_ -= static_cast<int64_t>(tail.capacity());
  return Write(transaction, {tail.data(), tail.size()});
}

arrow::Status Spool::WriteLargestTail() {
  const auto largest =
      std::max_element(transactions_.begin(), transactions_.end(), [](const auto& one, const auto& other) {
        return one.second.tail.capacity() < other.second.tail.capacity();
      });
  return WriteTail(&largest->second);
}

// --- the file ---

arrow::Status Spool::Write(Transaction* transaction, std::string_view bytes) {
  disk_bytes_ += static_cast<int64_t>(bytes.size());
  if (bytes_max_ > 0 && disk_bytes_ > bytes_max_) {
    return Failed("transactions in progress take more than the " + std::to_string(bytes_max_) +
                  " bytes of spool_max");
  }
  while (!bytes.empty()) {
    const int64_t within = transaction->written % kBlockBytes;
    if (within == 0) transaction->blocks.push_back(TakeBlock());
    const size_t some = std::min(bytes.size(), static_cast<size_t>(kBlockBytes - within));
    const off_t at = int64_t{transaction->blocks.back()} * kBlockBytes + within;
    const ssize_t written = pwrite(fd_, bytes.data(), some, at);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return Failed(std::string("cannot write: ") + strerror(errno));
    transaction->written += written;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return arrow::Status::OK();
}

arrow::Status Spool::ReadAt(const Transaction& transaction, int64_t at, int64_t bytes, uint8_t* to) {
  while (bytes > 0) {
    if (at >= transaction.written) {
      memcpy(to, transaction.tail.data() + (at - transaction.written), static_cast<size_t>(bytes));
      return arrow::Status::OK();
    }
    const int64_t within = at % kBlockBytes;
    const int64_t some = std::min({bytes, kBlockBytes - within, transaction.written - at});
    const off_t place =
        int64_t{transaction.blocks[static_cast<size_t>(at / kBlockBytes)]} * kBlockBytes + within;
    const ssize_t count = pread(fd_, to, static_cast<size_t>(some), place);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0)
      return Failed(std::string("cannot read: ") + (count == 0 ? "the file is cut" : strerror(errno)));
    at += count;
    to += count;
    bytes -= count;
  }
  return arrow::Status::OK();
}

uint32_t Spool::TakeBlock() {
  if (free_blocks_.empty()) return block_count_++;
  const uint32_t block = free_blocks_.back();
  free_blocks_.pop_back();
  return block;
}

// The disk has their space again, as far as the file system can do that in the middle of a file.
void Spool::GiveBack(std::vector<uint32_t> blocks) {
  if (free_blocks_.size() + blocks.size() == block_count_) {
    free_blocks_.clear();
    block_count_ = 0;
    [[maybe_unused]] const int cut = ftruncate(fd_, 0);
    return;
  }
  std::sort(blocks.begin(), blocks.end());
  for (size_t begin = 0; begin < blocks.size();) {
    size_t end = begin + 1;
    while (end < blocks.size() && blocks[end] == blocks[end - 1] + 1) ++end;
    [[maybe_unused]] const int punched =
        fallocate(fd_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, int64_t{blocks[begin]} * kBlockBytes,
                  static_cast<int64_t>(end - begin) * kBlockBytes);
    begin = end;
  }
  free_blocks_.insert(free_blocks_.end(), blocks.rbegin(), blocks.rend());
}

// --- what becomes of it ---

arrow::Result<std::unique_ptr<TransactionSpool::Reader>> Spool::Read(uint32_t xid) {
  return std::make_unique<RecordReader>(this, &transactions_[xid]);
}

void Spool::Drop(uint32_t xid) {
  const auto found = transactions_.find(xid);
  if (found == transactions_.end()) return;
  disk_bytes_ -= found->second.written;
  memory_bytes_ -= static_cast<int64_t>(found->second.tail.capacity());
  GiveBack(std::move(found->second.blocks));
  transactions_.erase(found);
}

}  // namespace arrowcdc::postgres
