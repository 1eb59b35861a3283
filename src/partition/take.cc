// Take, type by type: bits, fixed widths, strings, and the nested types by recursion.
#include "src/partition/take.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include <arrow/array/builder_base.h>
#include <arrow/array/util.h>
#include <arrow/buffer.h>
#include <arrow/builder.h>
#include <arrow/extension_type.h>
#include <arrow/util/bitmap_ops.h>
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

// Eight at a time: the processor can wait for as many reads at once, and the loop costs an eighth.
template <int kWidth>
void CopyValues(const uint8_t* from, Rows rows, uint8_t* to) {
  struct Value {
    uint8_t bytes[kWidth];
  };
  const auto load = [&](size_t i) {
    Value value;
    std::memcpy(&value, from + size_t{rows[i]} * kWidth, kWidth);
    return value;
  };
  size_t i = 0;
  for (; i + 8 <= rows.size(); i += 8) {
    const Value values[8] = {load(i),     load(i + 1), load(i + 2), load(i + 3),
                             load(i + 4), load(i + 5), load(i + 6), load(i + 7)};
    std::memcpy(to + i * kWidth, values, sizeof(values));
  }
  for (; i < rows.size(); ++i) {
    const Value value = load(i);
    std::memcpy(to + i * kWidth, &value, kWidth);
  }
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

int64_t BytesOfBits(Rows rows) { return static_cast<int64_t>((rows.size() + 7) / 8); }

// Bits offset + rows[i], eight at a time, into BytesOfBits(rows) bytes. Returns how many of them are set.
int64_t CopyBits(const uint8_t* bits, int64_t offset, Rows rows, uint8_t* to) {
  bits += offset >> 3;
  const auto shift = static_cast<unsigned>(offset & 7);
  const auto bit = [&](uint32_t row) {
    const uint64_t place = uint64_t{row} + shift;
    return static_cast<unsigned>(bits[place >> 3] >> (place & 7)) & 1u;
  };
  uint8_t* const begin = to;
  size_t i = 0;
  for (; i + 8 <= rows.size(); i += 8) {
    const uint32_t* r = rows.data() + i;
    const unsigned byte = (bit(r[0]) | bit(r[1]) << 1) | (bit(r[2]) << 2 | bit(r[3]) << 3) |
                          (bit(r[4]) << 4 | bit(r[5]) << 5) | (bit(r[6]) << 6 | bit(r[7]) << 7);
    *to++ = static_cast<uint8_t>(byte);
  }
  unsigned rest = 0;
  for (size_t j = 0; i + j < rows.size(); ++j) rest |= bit(rows[i + j]) << j;
  if (i < rows.size()) *to = static_cast<uint8_t>(rest);
  return arrow::internal::CountSetBits(begin, 0, static_cast<int64_t>(rows.size()));
}

bool MayHaveNulls(const ArrayData& column) { return column.buffers[0] != nullptr && column.null_count != 0; }

// One column's rows; `offset` is added to each row. A struct's children take the struct's offset on top of
// their own.
class Taker {
 public:
  Taker(const ArrayData& column, int64_t offset, Rows rows, arrow::MemoryPool* pool)
      : in_(column), storage_(StorageOf(column)), offset_(offset), rows_(rows), pool_(pool) {}

  arrow::Result<std::shared_ptr<ArrayData>> Take();

 private:
  arrow::Status TakeValidity();
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

arrow::Status Taker::TakeValidity() {
  const auto length = static_cast<int64_t>(rows_.size());
  out_ = std::make_shared<ArrayData>(in_.type, length, std::vector<Buffer>{nullptr}, 0);
  if (storage_.id() == Type::NA) {
    out_->null_count = length;
  } else if (MayHaveNulls(in_)) {
    ARROW_ASSIGN_OR_RAISE(auto bits, arrow::AllocateBuffer(BytesOfBits(rows_), pool_));
    out_->null_count = length - CopyBits(in_.buffers[0]->data(), offset_, rows_, bits->mutable_data());
    if (out_->null_count > 0) out_->buffers[0] = std::move(bits);
  }
  return arrow::Status::OK();
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
      ARROW_ASSIGN_OR_RAISE(auto bits, arrow::AllocateBuffer(BytesOfBits(rows_), pool_));
      if (!rows_.empty()) CopyBits(in_.buffers[1]->data(), offset_, rows_, bits->mutable_data());
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

// Memory of one partition's columns, taken piece by piece.
class Slab {
 public:
  static int64_t Room(int64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

  static arrow::Result<Slab> Make(int64_t room, arrow::MemoryPool* pool) {
    Slab slab;
    ARROW_ASSIGN_OR_RAISE(auto memory, arrow::AllocateBuffer(room, pool));
    slab.next_ = memory->mutable_data();
    slab.memory_ = std::move(memory);
    return slab;
  }

  uint8_t* next() const { return next_; }
  // The first `bytes` at next().
  Buffer Take(int64_t bytes) {
    auto piece = std::make_shared<arrow::Buffer>(memory_, next_ - memory_->data(), bytes);
    next_ += Room(bytes);
    return piece;
  }

 private:
  static constexpr int64_t kAlignment = 64;
  Buffer memory_;
  uint8_t* next_ = nullptr;
};

int64_t FixedRoom(const ArrayData& column, int width, Rows rows) {
  return Slab::Room(static_cast<int64_t>(rows.size()) * width) +
         (MayHaveNulls(column) ? Slab::Room(BytesOfBits(rows)) : 0);
}

// A column of fixed width whose values are to be copied to *values.
std::shared_ptr<ArrayData> PlaceFixed(const ArrayData& column, int width, Rows rows, Slab* slab,
                                      uint8_t** values) {
  const auto length = static_cast<int64_t>(rows.size());
  auto taken = std::make_shared<ArrayData>(column.type, length, 0, 0);
  taken->buffers.reserve(column.buffers.size());
  taken->buffers.push_back(nullptr);
  if (MayHaveNulls(column)) {
    taken->null_count = length - CopyBits(column.buffers[0]->data(), column.offset, rows, slab->next());
    if (taken->null_count > 0) taken->buffers[0] = slab->Take(BytesOfBits(rows));
  }
  *values = slab->next();
  taken->buffers.push_back(slab->Take(length * width));
  for (size_t i = 2; i < column.buffers.size(); ++i)
    taken->buffers.push_back(column.buffers[i]);  // behind views
  taken->dictionary = column.dictionary;
  return taken;
}

}  // namespace

arrow::Result<std::vector<ColumnsOfPartition>> TakeByPartition(const ColumnsOfPartition& columns,
                                                               const RowPlan& plan, arrow::MemoryPool* pool) {
  std::vector<int> widths;
  for (const auto& column : columns) widths.push_back(FixedWidth(StorageOf(*column)));
  std::vector<ColumnsOfPartition> taken(plan.partitions());
  std::vector<uint8_t*> values(plan.partitions() * columns.size());
  for (uint32_t p = 0; p < plan.partitions(); ++p) {
    const Rows rows = plan.rows(p);
    if (rows.empty()) continue;
    int64_t room = 0;
    for (size_t c = 0; c < columns.size(); ++c)
      room += widths[c] > 0 ? FixedRoom(*columns[c], widths[c], rows) : 0;
    ARROW_ASSIGN_OR_RAISE(Slab slab, Slab::Make(room, pool));
    taken[p].reserve(columns.size());
    for (size_t c = 0; c < columns.size(); ++c) {
      if (widths[c] > 0) {
        taken[p].push_back(PlaceFixed(*columns[c], widths[c], rows, &slab, &values[p * columns.size() + c]));
      } else {
        ARROW_ASSIGN_OR_RAISE(auto column, Taker(*columns[c], columns[c]->offset, rows, pool).Take());
        taken[p].push_back(std::move(column));
      }
    }
  }
  for (size_t block = 0; block < plan.blocks(); ++block) {
    for (size_t c = 0; c < columns.size(); ++c) {
      if (widths[c] == 0) continue;
      const uint8_t* from = columns[c]->buffers[1]->data() + columns[c]->offset * widths[c];
      for (uint32_t p = 0; p < plan.partitions(); ++p) {
        const Rows rows = plan.rows(p, block);
        uint8_t*& to = values[p * columns.size() + c];
        CopyValues(widths[c], from, rows, to);
        to += rows.size() * static_cast<size_t>(widths[c]);
      }
    }
  }
  return taken;
}

}  // namespace arrowcdc
