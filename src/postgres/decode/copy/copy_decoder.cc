// A state for each thing that may come next. Where a chunk ends within it, what has come is kept.
#include "src/postgres/decode/copy/copy_decoder.h"

#include <algorithm>
#include <utility>

#include "arrowcdc/error.h"
#include "src/postgres/decode/values/binary_cursor.h"

namespace arrowcdc {
namespace {

constexpr std::string_view kSignature("PGCOPY\n\377\r\n\0", 11);
constexpr size_t kHeaderBytes = kSignature.size() + 2 * sizeof(int32_t);  // flags, length of the extension
constexpr uint32_t kCriticalFlags = 0xffff0000;
constexpr int16_t kTrailer = -1;
constexpr size_t kPendingBytesMax = 1 << 20;  // that are kept for the next field

}  // namespace

CopyDecoder::CopyDecoder(std::unique_ptr<RowReader> rows, const CopyOptions& options)
    : rows_(std::move(rows)),
      options_(options),
      column_count_(rows_->table().column_count),
      wanted_(kHeaderBytes) {
  row_.op = Op::kSnapshot;
  row_.commit_lsn = options_.commit_lsn;
  row_.lsn = options_.first_lsn;
  row_.commit_ts = options_.commit_ts;
}

arrow::Status CopyDecoder::Fault(const std::string& what, uint64_t offset) const {
  return MakeError(ErrorKind::kProtocol, "COPY: " + what + " at byte " + std::to_string(offset),
                   "table " + ToString(rows_->table().name), "");
}

arrow::Status CopyDecoder::Decode(std::string_view chunk, std::vector<ChangeBatch>* batches) {
  const uint64_t chunk_offset = offset_;
  offset_ += chunk.size();
  size_t at = 0;
  while (at < chunk.size() || wanted_ == 0) {
    if (pending_.empty()) {
      ARROW_RETURN_NOT_OK(TakeWhole(chunk, chunk_offset, &at, batches));
      if (at == chunk.size() && wanted_ > 0) break;
    }
    if (state_ == State::kEnd) return Fault("bytes behind the trailer", chunk_offset + at);
    const size_t missing = wanted_ - pending_.size();
    const std::string_view piece = chunk.substr(at, missing);
    at += piece.size();
    if (piece.size() < missing) {
      pending_.append(piece);
      break;
    }
    const uint64_t item_offset = chunk_offset + at - wanted_;
    if (pending_.empty()) {
      ARROW_RETURN_NOT_OK(Take(piece, item_offset, batches));
      continue;
    }
    pending_.append(piece);
    ARROW_RETURN_NOT_OK(Take(pending_, item_offset, batches));
    pending_.clear();
    if (pending_.capacity() > kPendingBytesMax) pending_.shrink_to_fit();
  }
  return arrow::Status::OK();
}

// Rows and fields that are whole, one after the other: nearly all. What is cut, or is no field, is left to
// the states.
arrow::Status CopyDecoder::TakeWhole(std::string_view chunk, uint64_t chunk_offset, size_t* at,
                                     std::vector<ChangeBatch>* batches) {
  while (true) {
    if (state_ == State::kTuple && chunk.size() - *at >= wanted_) {
      const size_t tuple = *at;
      *at += wanted_;
      ARROW_RETURN_NOT_OK(TakeTuple(chunk.substr(tuple), chunk_offset + tuple, batches));
      continue;
    }
    if (state_ != State::kFieldLength) return arrow::Status::OK();
    ARROW_RETURN_NOT_OK(TakeFields(chunk, chunk_offset, at));
    if (field_ < column_count_) return arrow::Status::OK();
    ARROW_RETURN_NOT_OK(EndRow(batches));
  }
}

// Those of one row, up to the first that is not whole.
arrow::Status CopyDecoder::TakeFields(std::string_view chunk, uint64_t chunk_offset, size_t* at) {
  constexpr size_t kLengthBytes = sizeof(int32_t);
  RowReader& rows = *rows_;
  size_t place = *at;
  int field = field_;
  for (; field < column_count_ && chunk.size() - place >= kLengthBytes; ++field) {
    const auto length = LoadBigEndian<int32_t>(chunk.data() + place);
    const size_t bytes = length > 0 ? static_cast<size_t>(length) : 0;
    if (length < -1 || bytes > chunk.size() - place - kLengthBytes) break;
    place += kLengthBytes;
    if (length == -1) {
      rows.ReadNull(field);
      continue;
    }
    // SAFETY: so many bytes are left.
    const std::string_view item(chunk.data() + place, bytes);
    ARROW_RETURN_NOT_OK(rows.Read(field, rows.binary_form(field), item, chunk_offset + place));
    place += bytes;
  }
  *at = place;
  field_ = field;
  return arrow::Status::OK();
}

arrow::Status CopyDecoder::Take(std::string_view item, uint64_t offset, std::vector<ChangeBatch>* batches) {
  switch (state_) {
    case State::kHeader:
      return TakeHeader(item, offset);
    case State::kExtension:
      Expect(State::kTuple, sizeof(int16_t));
      return arrow::Status::OK();
    case State::kTuple:
      return TakeTuple(item, offset, batches);
    case State::kFieldLength:
      return TakeFieldLength(item, offset, batches);
    case State::kField:
      ARROW_RETURN_NOT_OK(TakeField(item, offset));
      return EndField(batches);
    case State::kEnd:
      break;
  }
  return Fault("bytes behind the trailer", offset);
}

arrow::Status CopyDecoder::TakeHeader(std::string_view item, uint64_t offset) {
  if (!item.starts_with(kSignature)) return Fault("no signature of the binary format", offset);
  const auto flags = LoadBigEndian<uint32_t>(item.data() + kSignature.size());
  const auto extension = LoadBigEndian<int32_t>(item.data() + kSignature.size() + sizeof(flags));
  if ((flags & kCriticalFlags) != 0) {
    return Fault("flags that are not known, " + std::to_string(flags) + ",", offset + kSignature.size());
  }
  if (extension < 0) return Fault("a header of negative length", offset + kSignature.size() + sizeof(flags));
  Expect(State::kExtension, static_cast<size_t>(extension));
  return arrow::Status::OK();
}

arrow::Status CopyDecoder::TakeTuple(std::string_view item, uint64_t offset,
                                     std::vector<ChangeBatch>* batches) {
  const auto fields = LoadBigEndian<int16_t>(item.data());
  if (fields == kTrailer) {
    Expect(State::kEnd, 1);
    return arrow::Status::OK();
  }
  if (fields != column_count_) {
    return Fault("a row of " + std::to_string(fields) + " fields and not " + std::to_string(column_count_),
                 offset);
  }
  field_ = 0;
  if (column_count_ == 0) return EndRow(batches);
  Expect(State::kFieldLength, sizeof(int32_t));
  return arrow::Status::OK();
}

arrow::Status CopyDecoder::TakeFieldLength(std::string_view item, uint64_t offset,
                                           std::vector<ChangeBatch>* batches) {
  const auto length = LoadBigEndian<int32_t>(item.data());
  if (length >= 0) {
    Expect(State::kField, static_cast<size_t>(length));
    return arrow::Status::OK();
  }
  if (length != -1) return Fault("a field of negative length", offset);
  rows_->ReadNull(field_);
  return EndField(batches);
}

arrow::Status CopyDecoder::TakeField(std::string_view item, uint64_t offset) {
  return rows_->Read(field_, rows_->binary_form(field_), item, offset);
}

arrow::Status CopyDecoder::EndRow(std::vector<ChangeBatch>* batches) {
  Expect(State::kTuple, sizeof(int16_t));
  BatchBuilder* const batch = rows_->batch();
  ARROW_RETURN_NOT_OK(batch->EndRow(row_));
  ++row_.lsn;
  ++row_count_;
  return batch->bytes() < options_.batch_bytes_max ? arrow::Status::OK() : FinishBatch(batches);
}

arrow::Status CopyDecoder::FinishBatch(std::vector<ChangeBatch>* batches) {
  ARROW_ASSIGN_OR_RAISE(ChangeBatch batch, rows_->batch()->Finish());
  batches->push_back(std::move(batch));
  return arrow::Status::OK();
}

arrow::Status CopyDecoder::Finish(std::vector<ChangeBatch>* batches) {
  if (state_ != State::kEnd) return Fault("an end without the trailer", offset_);
  return rows_->batch()->rows() > 0 ? FinishBatch(batches) : arrow::Status::OK();
}

}  // namespace arrowcdc
