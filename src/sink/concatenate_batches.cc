#include "src/sink/concatenate_batches.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <vector>

#include <arrow/array.h>
#include <arrow/array/concatenate.h>
#include <arrow/array/util.h>
#include <arrow/extension_type.h>
#include <arrow/type_traits.h>
#include <arrow/util/bit_util.h>
#include <arrow/util/bitmap_ops.h>

namespace arrowcdc {
namespace {

using arrow::ArrayData;
using arrow::Buffer;
using arrow::DataType;
using arrow::Type;

using Parts = std::vector<const std::shared_ptr<ArrayData>*>;  // of one column
using Joined = arrow::Result<std::shared_ptr<Buffer>>;

constexpr int kBitsOfByte = 8;

const DataType& StorageOf(const DataType& type) {
  if (type.id() != Type::EXTENSION) return type;
  return StorageOf(*static_cast<const arrow::ExtensionType&>(type).storage_type());
}

bool HasNulls(const ArrayData& part) { return part.buffers[0] != nullptr && part.GetNullCount() != 0; }

Joined JoinValidity(const Parts& parts, int64_t rows) {
  ARROW_ASSIGN_OR_RAISE(auto bits, arrow::AllocateBitmap(rows));
  int64_t at = 0;
  bits->mutable_data()[bits->size() - 1] = 0;  // what is behind the last row
  for (const auto* part : parts) {
    const ArrayData& data = **part;
    if (HasNulls(data)) {
      arrow::internal::CopyBitmap(data.buffers[0]->data(), data.offset, data.length, bits->mutable_data(),
                                  at);
    } else {
      arrow::bit_util::SetBitsTo(bits->mutable_data(), at, data.length, true);
    }
    at += data.length;
  }
  return bits;
}

Joined JoinBits(const Parts& parts, int64_t rows) {
  ARROW_ASSIGN_OR_RAISE(auto bits, arrow::AllocateEmptyBitmap(rows));
  int64_t at = 0;
  for (const auto* part : parts) {
    const ArrayData& data = **part;
    arrow::internal::CopyBitmap(data.buffers[1]->data(), data.offset, data.length, bits->mutable_data(), at);
    at += data.length;
  }
  return bits;
}

Joined JoinFixedWidth(const Parts& parts, int64_t rows, int64_t width) {
  ARROW_ASSIGN_OR_RAISE(std::shared_ptr<Buffer> values, arrow::AllocateBuffer(rows * width));
  uint8_t* to = values->mutable_data();
  for (const auto* part : parts) {
    const ArrayData& data = **part;
    memcpy(to, data.buffers[1]->data() + data.offset * width, static_cast<size_t>(data.length * width));
    to += data.length * width;
  }
  return values;
}

arrow::Status JoinBytes(const Parts& parts, int64_t rows, std::shared_ptr<Buffer>* offsets,
                        std::shared_ptr<Buffer>* bytes) {
  int64_t size = 0;
  for (const auto* part : parts) {
    const auto* const from = (*part)->GetValues<int32_t>(1);
    size += from[(*part)->length] - from[0];
  }
  if (size > std::numeric_limits<int32_t>::max())
    return arrow::Status::CapacityError("a column of ", size, " bytes");
  ARROW_ASSIGN_OR_RAISE(*offsets, arrow::AllocateBuffer((rows + 1) * static_cast<int64_t>(sizeof(int32_t))));
  ARROW_ASSIGN_OR_RAISE(*bytes, arrow::AllocateBuffer(size));
  auto* next = (*offsets)->mutable_data_as<int32_t>();
  uint8_t* const to = (*bytes)->mutable_data();
  int32_t at = 0;
  for (const auto* part : parts) {
    const int64_t length = (*part)->length;
    const auto* const from = (*part)->GetValues<int32_t>(1);
    for (int64_t i = 0; i < length; ++i) *next++ = at + (from[i] - from[0]);
    const int32_t count = from[length] - from[0];
    if (count > 0) memcpy(to + at, (*part)->buffers[2]->data() + from[0], static_cast<size_t>(count));
    at += count;
  }
  *next = at;
  return arrow::Status::OK();
}

arrow::Result<std::shared_ptr<ArrayData>> JoinByArrow(const Parts& parts) {
  arrow::ArrayVector arrays;
  for (const auto* part : parts) arrays.push_back(arrow::MakeArray(*part));
  ARROW_ASSIGN_OR_RAISE(const auto joined, arrow::Concatenate(arrays));
  return joined->data();
}

// `parts` are of one type and have a row each at least.
arrow::Result<std::shared_ptr<ArrayData>> Join(const Parts& parts, int64_t rows) {
  const ArrayData& first = **parts.front();
  const DataType& storage = StorageOf(*first.type);
  const bool is_list = storage.id() == Type::LIST;
  if (is_list && std::all_of(parts.begin(), parts.end(), [](const auto* part) {
        return (*part)->GetNullCount() == (*part)->length;  // nearly always of two columns
      })) {
    ARROW_ASSIGN_OR_RAISE(const auto nulls, arrow::MakeArrayOfNull(first.type, rows));
    return nulls->data();
  }
  const bool is_dictionary = storage.id() == Type::DICTIONARY;
  const bool is_bytes = storage.id() == Type::STRING || storage.id() == Type::BINARY;
  const bool one_dictionary = std::all_of(
      parts.begin(), parts.end(), [&](const auto* part) { return (*part)->dictionary == first.dictionary; });
  const int bits = arrow::is_fixed_width(storage.id()) ? storage.bit_width() : 0;
  if (!is_bytes && (bits == 0 || (is_dictionary && !one_dictionary))) return JoinByArrow(parts);

  auto joined = std::make_shared<ArrayData>(first.type, rows, /*null_count=*/0);
  joined->dictionary = first.dictionary;
  joined->buffers.resize(is_bytes ? 3 : 2);
  if (std::any_of(parts.begin(), parts.end(), [](const auto* part) { return HasNulls(**part); })) {
    joined->null_count = 0;
    for (const auto* part : parts) joined->null_count += (*part)->GetNullCount();
    ARROW_ASSIGN_OR_RAISE(joined->buffers[0], JoinValidity(parts, rows));
  }
  if (is_bytes) {
    ARROW_RETURN_NOT_OK(JoinBytes(parts, rows, &joined->buffers[1], &joined->buffers[2]));
  } else if (bits % kBitsOfByte == 0) {
    ARROW_ASSIGN_OR_RAISE(joined->buffers[1], JoinFixedWidth(parts, rows, bits / kBitsOfByte));
  } else {
    ARROW_ASSIGN_OR_RAISE(joined->buffers[1], JoinBits(parts, rows));
  }
  return joined;
}

}  // namespace

arrow::Result<std::shared_ptr<arrow::RecordBatch>> ConcatenateBatches(
    const arrow::RecordBatchVector& batches) {
  const auto& schema = batches.front()->schema();
  int64_t rows = 0;
  for (const auto& batch : batches) {
    if (batch->num_columns() != schema->num_fields())
      return arrow::Status::Invalid("batches of several schemas");
    rows += batch->num_rows();
  }
  std::vector<std::shared_ptr<ArrayData>> columns;
  for (int i = 0; i < schema->num_fields(); ++i) {
    Parts parts;
    for (const auto& batch : batches) {
      if (batch->num_rows() == 0) continue;
      const auto& data = batch->column_data()[static_cast<size_t>(i)];
      const auto& type = batches.front()->column_data()[static_cast<size_t>(i)]->type;
      if (data->type != type && !data->type->Equals(*type))
        return arrow::Status::Invalid("column ", i, " is of several types");
      if (data->length != batch->num_rows())
        return arrow::Status::Invalid("column ", i, " is of another length");
      parts.push_back(&data);
    }
    if (parts.empty()) return batches.front();
    ARROW_ASSIGN_OR_RAISE(auto joined, Join(parts, rows));
    columns.push_back(std::move(joined));
  }
  return arrow::RecordBatch::Make(schema, rows, std::move(columns));
}

}  // namespace arrowcdc
