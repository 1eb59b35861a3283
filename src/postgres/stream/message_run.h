// Small messages one behind the other, so that a row costs neither an allocation nor a turn of the queue.
// Between threads of one process only: each message stands behind its place in the WAL and its length, as
// the processor has numbers.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <arrow/buffer.h>

namespace arrowcdc::postgres {

class MessageRun {
 public:
  static constexpr size_t kBytes = 64 << 10;  // a run is handed on when it has them

  void Add(uint64_t lsn, std::string_view message) {
    if (bytes_.empty()) bytes_.reserve(kBytes + sizeof(Header) + message.size());
    const Header header{lsn, message.size()};
    bytes_.append(reinterpret_cast<const char*>(&header), sizeof(header)).append(message);
  }
  bool empty() const { return bytes_.empty(); }
  bool full() const { return bytes_.size() >= kBytes; }
  // What was added; then it is empty.
  std::shared_ptr<arrow::Buffer> Take() {
    return arrow::Buffer::FromString(std::exchange(bytes_, std::string()));
  }

  class Reader {
   public:
    Reader() = default;
    explicit Reader(std::shared_ptr<arrow::Buffer> run) : run_(std::move(run)) {}

    bool AtEnd() const { return run_ == nullptr || at_ == run_->size(); }
    // Valid until the run has been read to its end, and another is taken. There must be one.
    std::string_view Next(uint64_t* lsn) {
      Header header;
      // SAFETY: Add has written it.
      memcpy(&header, run_->data() + at_, sizeof(header));
      const char* const message = reinterpret_cast<const char*>(run_->data()) + at_ + sizeof(header);
      at_ += static_cast<int64_t>(sizeof(header) + header.size);
      *lsn = header.lsn;
      return {message, header.size};
    }

   private:
    std::shared_ptr<arrow::Buffer> run_;
    int64_t at_ = 0;
  };

 private:
  struct Header {
    uint64_t lsn;
    size_t size;
  };
  std::string bytes_;
};

}  // namespace arrowcdc::postgres
