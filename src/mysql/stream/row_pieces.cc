// A piece is records, each a head and the body of an event. It begins with the table maps that count, so that
// whichever thread decodes it knows them.
#include "src/mysql/stream/row_pieces.h"

#include <algorithm>
#include <cstring>
#include <system_error>
#include <type_traits>
#include <utility>

#include "src/mysql/decode/event.h"

namespace arrowcdc::mysql {
namespace {

constexpr size_t kOrdinaryBytes = (size_t{1} << 20) + (size_t{64} << 10);
constexpr size_t kSmallBytes = size_t{64} << 10;
// What comes of a piece can be much more than its events are: rows that carry few of many columns, say. Then
// it is several batches, and the piece waits for somebody to take some.
constexpr int64_t kBatchBytesMax = int64_t{4} << 20;
constexpr int64_t kUntakenBytesMax = int64_t{8} << 20;

struct Head {
  uint64_t bytes = 0;  // of the body
  RowContext context;
  uint8_t type = 0;
};
static_assert(std::is_trivially_copyable_v<Head>);

void Append(const Head& head, std::span<const uint8_t> body, std::vector<uint8_t>* records) {
  const auto* const bytes = reinterpret_cast<const uint8_t*>(&head);
  records->insert(records->end(), bytes, bytes + sizeof head);
  records->insert(records->end(), body.begin(), body.end());
}

// Memory that is worth keeping: an event may be a thousand times as large.
bool IsOrdinary(const std::vector<uint8_t>& bytes) { return bytes.capacity() <= 2 * kOrdinaryBytes; }

constexpr auto kTableMap = static_cast<uint8_t>(EventType::kTableMap);

size_t ThreadsFor(size_t wanted) {
  constexpr size_t kThreadsMax = 4;
  const size_t processors = std::max<size_t>(1, std::thread::hardware_concurrency());
  return wanted != 0 ? wanted : std::min(processors, kThreadsMax);
}

}  // namespace

arrow::Result<std::unique_ptr<RowPieces>> RowPieces::Make(RowDecoderOptions options, size_t threads) {
  std::unique_ptr<RowPieces> pieces(new RowPieces(std::move(options), ThreadsFor(threads)));
  ARROW_ASSIGN_OR_RAISE(pieces->own_decoder_, RowDecoder::Make(pieces->options_));
  return pieces;
}

RowPieces::RowPieces(RowDecoderOptions options, size_t threads)
    : options_(std::move(options)), threads_max_(threads) {}

RowPieces::~RowPieces() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_.notify_all();
  taken_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void RowPieces::AddTableMap(std::span<const uint8_t> body) {
  const Head head{body.size(), {}, kTableMap};
  Append(head, body, &maps_);
  if (!open_.empty()) Append(head, body, &open_);
}

void RowPieces::AddRows(uint8_t event_type, std::span<const uint8_t> body, const RowContext& context) {
  if (open_.empty()) open_.insert(open_.end(), maps_.begin(), maps_.end());
  Append({body.size(), context, event_type}, body, &open_);
}

void RowPieces::Close() {
  auto piece = std::make_shared<Piece>();
  piece->bytes = std::exchange(open_, {});
  const bool is_small = closed_.empty() && piece->bytes.size() < kSmallBytes;
  closed_.push_back(piece);
  if (is_small || !HasThread()) {
    Decode(piece.get(), own_decoder_.get(), /*in_thread=*/false);
    if (IsOrdinary(piece->bytes)) open_ = std::move(piece->bytes);
    piece->bytes = {};
    open_.clear();
    return;
  }
  const std::lock_guard lock(mutex_);
  waits_.push_back(std::move(piece));
  work_.notify_one();
  if (spare_.empty()) {
    open_.reserve(kOrdinaryBytes);
    return;
  }
  open_ = std::move(spare_.back());
  open_.clear();
  spare_.pop_back();
}

// One more is made where there are more pieces than threads. The system may give none: fewer do.
bool RowPieces::HasThread() {
  if (threads_.size() == threads_max_ || closed_.size() <= threads_.size()) return !threads_.empty();
  auto decoder = RowDecoder::Make(options_);
  if (!decoder.ok()) return !threads_.empty();
  decoders_.push_back(*std::move(decoder));
  try {
    threads_.emplace_back([this, own = decoders_.back().get()] { Run(own); });
  } catch (const std::system_error&) {
    decoders_.pop_back();
  }
  return !threads_.empty();
}

void RowPieces::Run(RowDecoder* decoder) {
  while (true) {
    std::shared_ptr<Piece> piece;
    {
      std::unique_lock lock(mutex_);
      work_.wait(lock, [this] { return stopping_ || !waits_.empty(); });
      if (stopping_) return;
      piece = std::move(waits_.front());
      waits_.pop_front();
    }
    Decode(piece.get(), decoder, /*in_thread=*/true);
  }
}

void RowPieces::Decode(Piece* piece, RowDecoder* decoder, bool in_thread) {
  arrow::Status status = DecodeEvents(piece, decoder, in_thread);
  decoder->ForgetTableMaps();
  const std::lock_guard lock(mutex_);
  if (in_thread) {
    if (IsOrdinary(piece->bytes) && spare_.size() <= threads_max_ + 1)
      spare_.push_back(std::move(piece->bytes));
    piece->bytes = {};
  }
  piece->status = std::move(status);
  piece->done = true;
  ready_.notify_all();
}

arrow::Status RowPieces::DecodeEvents(Piece* piece, RowDecoder* decoder, bool in_thread) {
  std::span<const uint8_t> left(piece->bytes);
  while (!left.empty()) {
    // SAFETY: records are whole, as Append has made them.
    Head head;
    std::memcpy(&head, left.data(), sizeof head);
    const auto body = left.subspan(sizeof head, head.bytes);
    left = left.subspan(sizeof head + head.bytes);
    if (head.type == kTableMap) {
      ARROW_RETURN_NOT_OK(decoder->AddTableMap(body));
    } else {
      ARROW_RETURN_NOT_OK(decoder->AddRows(head.type, body, head.context));
    }
    if (decoder->open_bytes() > kBatchBytesMax) ARROW_RETURN_NOT_OK(Put(piece, decoder, in_thread));
  }
  return Put(piece, decoder, in_thread);
}

arrow::Status RowPieces::Put(Piece* piece, RowDecoder* decoder, bool in_thread) {
  const int64_t bytes = decoder->open_bytes();
  ARROW_ASSIGN_OR_RAISE(auto batches, decoder->Flush());
  std::unique_lock lock(mutex_);
  for (ChangeBatch& batch : batches) piece->batches.push_back(std::move(batch));
  piece->batch_bytes += bytes;
  if (piece->batches.size() > 1) ready_.notify_all();
  if (in_thread)
    taken_.wait(lock, [&] {
      return stopping_ || piece->batches.size() <= 1 || piece->batch_bytes <= kUntakenBytesMax;
    });
  return stopping_ ? arrow::Status::Cancelled("the stream was stopped") : arrow::Status::OK();
}

arrow::Result<std::optional<RowPieces::Taken>> RowPieces::Take(bool wait) {
  if (closed_.empty()) return std::optional<Taken>();
  Piece* const piece = closed_.front().get();
  std::unique_lock lock(mutex_);
  // Whether a batch is the last one only the next tells, or the end.
  const auto is_ready = [piece] { return piece->done || piece->batches.size() > 1; };
  if (!is_ready()) {
    if (!wait) return std::optional<Taken>();
    ready_.wait(lock, is_ready);
  }
  Taken taken;
  if (!piece->batches.empty()) {
    taken.batch = std::move(piece->batches.front());
    piece->batches.pop_front();
    // Of several batches none says how much of the bytes it is.
    piece->batch_bytes -= piece->batch_bytes / static_cast<int64_t>(piece->batches.size() + 1);
    taken_.notify_all();
  }
  if (!piece->done || !piece->batches.empty()) return taken;
  if (!piece->status.ok()) {
    if (taken.batch.has_value()) return taken;
    return piece->status;
  }
  taken.is_last = true;
  lock.unlock();
  closed_.pop_front();
  return taken;
}

}  // namespace arrowcdc::mysql
