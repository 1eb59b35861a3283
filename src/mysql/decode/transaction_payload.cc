// Fields of type, length and value say how the payload is compressed; behind them is the payload.
#include "src/mysql/decode/transaction_payload.h"

#include <zstd.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "arrowcdc/error.h"
#include "src/mysql/decode/byte_cursor.h"

namespace arrowcdc::mysql {
namespace {

constexpr size_t kHeaderBytes = 19;
constexpr size_t kLengthAt = 9;  // of the event, in its header
constexpr size_t kReadBytes = size_t{64} << 10;

enum Compression : uint64_t { kZstd = 0, kNone = 255 };

struct PayloadHead {
  uint64_t compression = kNone;
  uint64_t size = 0;
  std::span<const uint8_t> payload = {};
};

arrow::Status Fault(const std::string& what) {
  return MakeError(ErrorKind::kProtocol, "a compressed transaction " + what, "", "");
}

arrow::Result<PayloadHead> ReadHead(std::span<const uint8_t> body) {
  enum Field : uint64_t { kEnd = 0, kPayloadSize = 1, kCompression = 2 };
  PayloadHead head;
  bool has_size = false;
  bool has_compression = false;
  ByteCursor cursor(body);
  while (true) {
    uint64_t type;
    std::span<const uint8_t> bytes;
    if (!cursor.ReadPacked(&type)) return Fault("is cut off");
    if (type == kEnd) break;
    if (!cursor.ReadPackedBytes(&bytes)) return Fault("is cut off");
    ByteCursor value(bytes);
    if (type == kPayloadSize) has_size = value.ReadPacked(&head.size);
    if (type == kCompression) has_compression = value.ReadPacked(&head.compression);
  }
  if (!has_size || !has_compression || !cursor.ReadBytes(head.size, &head.payload) || cursor.left() != 0)
    return Fault("does not say what it is, or is not all there");
  if (head.compression == kZstd || head.compression == kNone) return head;
  return MakeError(ErrorKind::kUnsupported,
                   "a transaction is compressed in a way that is not read (number " +
                       std::to_string(head.compression) + ")",
                   "", "SET PERSIST binlog_transaction_compression=OFF");
}

struct FreeStream {
  void operator()(ZSTD_DStream* stream) const { ZSTD_freeDStream(stream); }
};

}  // namespace

class TransactionPayloadReader::Impl {
 public:
  explicit Impl(const PayloadHead& head) : input_{head.payload.data(), head.payload.size(), 0} {
    if (head.compression == kZstd) stream_.reset(ZSTD_createDStream());
    is_plain_ = head.compression == kNone;
  }
  bool ready() const { return is_plain_ || stream_ != nullptr; }

  arrow::Result<std::optional<std::span<const uint8_t>>> Next() {
    ARROW_RETURN_NOT_OK(Fill(kHeaderBytes));
    if (left() == 0) {
      if (!is_plain_ && !frame_ended_) return Fault("is cut off");
      return std::nullopt;
    }
    if (left() < kHeaderBytes) return Fault("ends inside an event");
    const auto size = static_cast<size_t>(LoadLittle<4>(buffer_.data() + taken_ + kLengthAt));
    if (size < kHeaderBytes) return Fault("has an event shorter than its header");
    ARROW_RETURN_NOT_OK(Fill(size));
    if (left() < size) return Fault("ends inside an event");
    return std::span<const uint8_t>(buffer_.data() + std::exchange(taken_, taken_ + size), size);
  }

 private:
  size_t left() const { return buffer_.size() - taken_; }

  // Until there are `size` bytes, or no more come. The buffer grows with what is there, not with what an
  // event claims to be.
  arrow::Status Fill(size_t size) {
    if (left() >= size) return arrow::Status::OK();
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<ptrdiff_t>(std::exchange(taken_, 0)));
    while (buffer_.size() < size) {
      if (frame_ended_ && input_.pos == input_.size) return arrow::Status::OK();
      const size_t before = buffer_.size();
      if (is_plain_) {
        const size_t count = std::min(input_.size - input_.pos, std::max(size - before, kReadBytes));
        const auto* const from = static_cast<const uint8_t*>(input_.src) + input_.pos;
        buffer_.insert(buffer_.end(), from, from + count);
        input_.pos += count;
      } else {
        ARROW_RETURN_NOT_OK(Decompress());
      }
      if (buffer_.size() == before && input_.pos == input_.size) return arrow::Status::OK();
    }
    return arrow::Status::OK();
  }

  arrow::Status Decompress() {
    const size_t before = buffer_.size();
    buffer_.resize(before + kReadBytes);
    ZSTD_outBuffer output{buffer_.data() + before, kReadBytes, 0};
    const size_t result = ZSTD_decompressStream(stream_.get(), &output, &input_);
    buffer_.resize(before + output.pos);
    if (ZSTD_isError(result) != 0) return Fault("cannot be decompressed");
    frame_ended_ = result == 0;
    return arrow::Status::OK();
  }

  ZSTD_inBuffer input_;
  std::unique_ptr<ZSTD_DStream, FreeStream> stream_;
  bool is_plain_ = false;
  bool frame_ended_ = false;
  std::vector<uint8_t> buffer_;
  size_t taken_ = 0;  // of events that were given
};

TransactionPayloadReader::TransactionPayloadReader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TransactionPayloadReader::TransactionPayloadReader(TransactionPayloadReader&&) noexcept = default;
TransactionPayloadReader::~TransactionPayloadReader() = default;

arrow::Result<TransactionPayloadReader> TransactionPayloadReader::Make(std::span<const uint8_t> body) {
  ARROW_ASSIGN_OR_RAISE(const PayloadHead head, ReadHead(body));
  auto impl = std::make_unique<Impl>(head);
  if (!impl->ready()) return arrow::Status::OutOfMemory("a stream of zstd");
  return TransactionPayloadReader(std::move(impl));
}

arrow::Result<std::optional<std::span<const uint8_t>>> TransactionPayloadReader::Next() {
  return impl_->Next();
}

}  // namespace arrowcdc::mysql
