// Take, type by type: bits, fixed widths, strings, and the nested types by recursion.
#include "src/partition/take.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <utility>

#include <arrow/array/builder_base.h>
#include <arrow/array/util.h>
#include <arrow/buffer.h>
#include <arrow/builder.h>
#include <arrow/extension_type.h>
#include <arrow/util/bit_util.h>
#include <arrow/util/checked_cast.h>

namespace arrowcdc {
namespace {

using arrow::ArrayData;
using arrow::Type;
using arrow::internal::checked_cast;
using Buffer = std::shared_ptr<arrow::Buffer>;
using Rows = std::span<const uint32_t>;

const arrow::DataType& StorageOf(const ArrayData& column) {
  if (column.type->id() != Type::EXTENSION) return *column.type;
  return *checked_cast<const arrow::ExtensionType&>(*column.type).storage_type();
}

// Bytes of one value where values lie side by side in the second buffer, 0 for other types and for bits.
int FixedWidth(const arrow::DataType& storage) {
  switch (storage.id()) {
    case Type::STRING_VIEW:
    case Type::BINARY_VIEW:
      return 16;
    case Type::DICTIONARY:
      return checked_cast<const arrow::DictionaryType&>(storage).index_type()->byte_width();
    default: {
      const auto* fixed = dynamic_cast<const arrow::FixedWidthType*>(&storage);
      return fixed == nullptr || fixed->bit_width() % 8 != 0 ? 0 : fixed->bit_width() / 8;
    }
  }
}

template <int kWidth>
void CopyValues(const uint8_t* from, Rows rows, uint8_t* to) {
  for (size_t i = 0; i < rows.size(); ++i)
    std::memcpy(to + i * kWidth, from + size_t{rows[i]} * kWidth, kWidth);
}

// out[i] = from[rows[i]], values of `width` bytes.
void CopyValues(int width, const uint8_t* from, Rows rows, uint8_t* to) {
  switch (width) {
    case 1:
      return CopyValues<1>(from, rows, to);
    case 2:
      return CopyValues<2>(from, rows, to);
    case 4:
      return CopyValues<4>(from, rows, to);
    case 8:
      return CopyValues<8>(from, rows, to);
    case 16:
      return CopyValues<16>(from, rows, to);
    case 32:
      return CopyValues<32>(from, rows, to);
    default:
      for (uint32_t row : rows) {
        std::memcpy(to, from + size_t{row} * static_cast<size_t>(width), static_cast<size_t>(width));
        to += width;
      }
  }
}

// Bits offset + rows[i], eight at a time; `ones` counts those that are set.
arrow::Result<Buffer> TakeBits(const uint8_t* bits, int64_t offset, Rows rows, arrow::MemoryPool* pool,
                               int64_t* ones) {
  ARROW_ASSIGN_OR_RAISE(auto buffer,
                        arrow::AllocateBuffer(static_cast<int64_t>((rows.size() + 7) / 8), pool));
  uint8_t* to = buffer->mutable_data();
  int64_t count = 0;
  for (size_t i = 0; i < rows.size(); i += 8) {
    unsigned byte = 0;
    const size_t end = std::min<size_t>(8, rows.size() - i);
    for (size_t j = 0; j < end; ++j) {
      const uint64_t place = static_cast<uint64_t>(offset) + rows[i + j];
      byte |= (bits[place >> 3] >> (place & 7) & 1u) << j;
    }
    *to++ = static_cast<uint8_t>(byte);
    count += std::popcount(byte);
  }
  *ones = count;
  return Buffer(std::move(buffer));
}

// One column's rows; `offset` is added to each row. A struct's children take the struct's offset on top of
// their own.
class Taker {
 public:
  Taker(const ArrayData& column, int64_t offset, Rows rows, arrow::MemoryPool* pool)
      : in_(column), storage_(StorageOf(column)), offset_(offset), rows_(rows), pool_(pool) {}

  arrow::Result<std::shared_ptr<ArrayData>> Take();
  // Validity and count only, the rest is for the caller to fill.
  arrow::Result<std::shared_ptr<ArrayData>> TakeValidity();

 private:
  arrow::Status TakeFixed(int width);
  template <typename Offset>
  arrow::Status TakeStrings();
  template <typename Offset>
  arrow::Status TakeLists();
  arrow::Status TakeFixedSizeLists();
  arrow::Status TakeStructs();
  arrow::Result<std::shared_ptr<ArrayData>> TakeByBuilder();
  template <typename Offset>
  arrow::Result<Offset*> AddOffsets();

  const ArrayData& in_;
  const arrow::DataType& storage_;
  const int64_t offset_;
  const Rows rows_;
  arrow::MemoryPool* const pool_;
  std::shared_ptr<ArrayData> out_;
};

arrow::Result<std::shared_ptr<ArrayData>> Taker::TakeValidity() {
  const auto length = static_cast<int64_t>(rows_.size());
  out_ = std::make_shared<ArrayData>(in_.type, length, std::vector<Buffer>{nullptr}, 0);
  if (storage_.id() == Type::NA) {
    out_->null_count = length;
  } else if (in_.buffers[0] != nullptr && in_.null_count != 0) {
    int64_t ones = 0;
    ARROW_ASSIGN_OR_RAISE(out_->buffers[0], TakeBits(in_.buffers[0]->data(), offset_, rows_, pool_, &ones));
    out_->null_count = length - ones;
    if (out_->null_count == 0) out_->buffers[0] = nullptr;
  }
  return out_;
}

arrow::Result<std::shared_ptr<ArrayData>> Taker::Take() {
  ARROW_RETURN_NOT_OK(TakeValidity());
  if (int width = FixedWidth(storage_); width > 0) {
    ARROW_RETURN_NOT_OK(TakeFixed(width));
    return out_;
  }
  switch (storage_.id()) {
    case Type::NA:
      return out_;
    case Type::BOOL: {
      int64_t ones = 0;
      const uint8_t* from = rows_.empty() ? nullptr : in_.buffers[1]->data();
      ARROW_ASSIGN_OR_RAISE(auto bits, TakeBits(from, offset_, rows_, pool_, &ones));
      out_->buffers.push_back(std::move(bits));
      return out_;
    }
    case Type::STRING:
    case Type::BINARY:
      ARROW_RETURN_NOT_OK(TakeStrings<int32_t>());
      return out_;
    case Type::LARGE_STRING:
    case Type::LARGE_BINARY:
      ARROW_RETURN_NOT_OK(TakeStrings<int64_t>());
      return out_;
    case Type::LIST:
    case Type::MAP:
      ARROW_RETURN_NOT_OK(TakeLists<int32_t>());
      return out_;
    case Type::LARGE_LIST:
      ARROW_RETURN_NOT_OK(TakeLists<int64_t>());
      return out_;
    case Type::FIXED_SIZE_LIST:
      ARROW_RETURN_NOT_OK(TakeFixedSizeLists());
      return out_;
    case Type::STRUCT:
      ARROW_RETURN_NOT_OK(TakeStructs());
      return out_;
    default:
      return TakeByBuilder();
  }
}

arrow::Status Taker::TakeFixed(int width) {
  ARROW_ASSIGN_OR_RAISE(auto values, arrow::AllocateBuffer(out_->length * width, pool_));
  if (!rows_.empty())
    CopyValues(width, in_.buffers[1]->data() + offset_ * width, rows_, values->mutable_data());
  out_->buffers.push_back(std::move(values));
  for (size_t i = 2; i < in_.buffers.size(); ++i) out_->buffers.push_back(in_.buffers[i]);  // behind views
  out_->dictionary = in_.dictionary;
  return arrow::Status::OK();
}

template <typename Offset>
arrow::Result<Offset*> Taker::AddOffsets() {
  ARROW_ASSIGN_OR_RAISE(
      auto buffer, arrow::AllocateBuffer((out_->length + 1) * static_cast<int64_t>(sizeof(Offset)), pool_));
  auto* offsets = reinterpret_cast<Offset*>(buffer->mutable_data());
  out_->buffers.push_back(std::move(buffer));
  return offsets;
}

template <typename Offset>
arrow::Status Taker::TakeStrings() {
  ARROW_ASSIGN_OR_RAISE(Offset * to_offsets, AddOffsets<Offset>());
  Offset total = 0;  // no overflow: no row is taken twice, so the sum is at most the input's
  to_offsets[0] = 0;
  const auto* offsets = in_.GetValues<Offset>(1, offset_);
  for (size_t i = 0; i < rows_.size(); ++i) {
    total += offsets[rows_[i] + 1] - offsets[rows_[i]];
    to_offsets[i + 1] = total;
  }
  // Strings of up to 32 bytes are copied as 32 bytes where the input has as many: cheaper than a call to
  // memcpy.
  constexpr int64_t kChunk = 32;
  ARROW_ASSIGN_OR_RAISE(auto data,
                        arrow::AllocateResizableBuffer(static_cast<int64_t>(total) + kChunk, pool_));
  if (total > 0) {
    const uint8_t* from = in_.buffers[2]->data();
    const int64_t chunk_end = in_.buffers[2]->size() - kChunk;
    uint8_t* to = data->mutable_data();
    for (uint32_t row : rows_) {
      const int64_t begin = offsets[row];
      const int64_t bytes = offsets[row + 1] - begin;
      if (bytes <= kChunk && begin <= chunk_end) {
        std::memcpy(to, from + begin, kChunk);
      } else {
        std::memcpy(to, from + begin, static_cast<size_t>(bytes));
      }
      to += bytes;
    }
  }
  ARROW_RETURN_NOT_OK(data->Resize(static_cast<int64_t>(total), /*shrink_to_fit=*/false));
  out_->buffers.push_back(std::move(data));
  return arrow::Status::OK();
}

template <typename Offset>
arrow::Status Taker::TakeLists() {
  ARROW_ASSIGN_OR_RAISE(Offset * to_offsets, AddOffsets<Offset>());
  const ArrayData& child = *in_.child_data[0];
  if (child.length > std::numeric_limits<uint32_t>::max()) {
    return arrow::Status::CapacityError("a list column with more than 2^32 - 1 elements in one batch");
  }
  std::vector<uint32_t> child_rows;
  to_offsets[0] = 0;
  const auto* offsets = in_.GetValues<Offset>(1, offset_);
  const bool all_null = out_->null_count == out_->length;  // _unchanged, _unrepresentable
  for (size_t i = 0; i < rows_.size(); ++i) {
    if (!all_null) {
      for (Offset j = offsets[rows_[i]]; j < offsets[rows_[i] + 1]; ++j)
        child_rows.push_back(static_cast<uint32_t>(j));
    }
    to_offsets[i + 1] = static_cast<Offset>(child_rows.size());
  }
  ARROW_ASSIGN_OR_RAISE(auto taken, Taker(child, child.offset, child_rows, pool_).Take());
  out_->child_data.push_back(std::move(taken));
  return arrow::Status::OK();
}

arrow::Status Taker::TakeFixedSizeLists() {
  const ArrayData& child = *in_.child_data[0];
  if (child.length > std::numeric_limits<uint32_t>::max()) {
    return arrow::Status::CapacityError("a list column with more than 2^32 - 1 elements in one batch");
  }
  const int size = checked_cast<const arrow::FixedSizeListType&>(storage_).list_size();
  std::vector<uint32_t> child_rows;
  child_rows.reserve(rows_.size() * static_cast<size_t>(size));
  for (uint32_t row : rows_) {
    for (int j = 0; j < size; ++j) child_rows.push_back(static_cast<uint32_t>((offset_ + row) * size + j));
  }
  ARROW_ASSIGN_OR_RAISE(auto taken, Taker(child, child.offset, child_rows, pool_).Take());
  out_->child_data.push_back(std::move(taken));
  return arrow::Status::OK();
}

arrow::Status Taker::TakeStructs() {
  for (const auto& child : in_.child_data) {
    ARROW_ASSIGN_OR_RAISE(auto taken, Taker(*child, child->offset + offset_, rows_, pool_).Take());
    out_->child_data.push_back(std::move(taken));
  }
  return arrow::Status::OK();
}

// Slow and for all that is left: unions, run-end encoding, list views. No PostgreSQL type becomes one of
// them.
arrow::Result<std::shared_ptr<ArrayData>> Taker::TakeByBuilder() {
  std::unique_ptr<arrow::ArrayBuilder> builder;
  ARROW_RETURN_NOT_OK(arrow::MakeBuilder(pool_, storage_.GetSharedPtr(), &builder));
  auto input = in_.Copy();
  input->type = storage_.GetSharedPtr();
  // The builder adds the array's own offset to the one it is given.
  const int64_t base = offset_ - in_.offset;
  input->length += base;
  for (uint32_t row : rows_)
    ARROW_RETURN_NOT_OK(builder->AppendArraySlice(arrow::ArraySpan(*input), base + row, 1));
  std::shared_ptr<ArrayData> taken;
  ARROW_RETURN_NOT_OK(builder->FinishInternal(&taken));
  taken->type = in_.type;
  return taken;
}

}  // namespace

arrow::Result<std::shared_ptr<ArrayData>> Take(const ArrayData& column, Rows rows, arrow::MemoryPool* pool) {
  return Taker(column, column.offset, rows, pool).Take();
}

arrow::Result<std::vector<std::shared_ptr<ArrayData>>> TakeByPartition(const ArrayData& column,
                                                                       const RowPlan& plan,
                                                                       arrow::MemoryPool* pool) {
  std::vector<std::shared_ptr<ArrayData>> taken(plan.partitions());
  const int width = FixedWidth(StorageOf(column));
  if (width == 0) {
    for (uint32_t p = 0; p < plan.partitions(); ++p) {
      if (plan.rows(p).empty()) continue;
      ARROW_ASSIGN_OR_RAISE(taken[p], Take(column, plan.rows(p), pool));
    }
    return taken;
  }
  std::vector<uint8_t*> to(plan.partitions());
  for (uint32_t p = 0; p < plan.partitions(); ++p) {
    if (plan.rows(p).empty()) continue;
    ARROW_ASSIGN_OR_RAISE(taken[p], Taker(column, column.offset, plan.rows(p), pool).TakeValidity());
    ARROW_ASSIGN_OR_RAISE(auto values, arrow::AllocateBuffer(taken[p]->length * width, pool));
    to[p] = values->mutable_data();
    taken[p]->buffers.push_back(std::move(values));
    for (size_t i = 2; i < column.buffers.size(); ++i) taken[p]->buffers.push_back(column.buffers[i]);
    taken[p]->dictionary = column.dictionary;
  }
  const uint8_t* from = column.buffers[1]->data() + column.offset * width;
  for (size_t block = 0; block < plan.blocks(); ++block) {
    for (uint32_t p = 0; p < plan.partitions(); ++p) {
      const Rows rows = plan.rows(p, block);
      CopyValues(width, from, rows, to[p]);
      to[p] += rows.size() * static_cast<size_t>(width);
    }
  }
  return taken;
}

}  // namespace arrowcdc
