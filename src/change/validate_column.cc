// Text as a whole: one pass over the bytes and one over the offsets, instead of a call for each value. Of
// numbers and times only the buffers are looked at, as Arrow does in ten times as many instructions.
#include "src/change/validate_column.h"

#include <cstdint>
#include <cstring>

#include <arrow/extension_type.h>
#include <arrow/util/bit_util.h>
#include <arrow/util/bitmap_ops.h>
#include <arrow/util/utf8.h>

namespace arrowcdc {
namespace {

bool IsAscii(const uint8_t* bytes, int64_t size) {
  constexpr int64_t kBlock = 64;
  constexpr uint64_t kHighBits = 0x8080808080808080;
  uint64_t words[kBlock / 8];
  int64_t i = 0;
  for (; i + kBlock <= size; i += kBlock) {
    memcpy(words, bytes + i, kBlock);
    uint64_t all = 0;
    for (uint64_t word : words) all |= word;
    if ((all & kHighBits) != 0) return false;
  }
  uint8_t rest = 0;
  for (; i < size; ++i) rest |= bytes[i];
  return rest < 0x80;
}

// Whether the values between them are valid UTF-8 each: all of it is, and no value begins inside a character.
bool IsText(const uint8_t* bytes, const int32_t* offsets, int64_t count) {
  const int32_t first = offsets[0];
  const int32_t last = offsets[count];
  if (IsAscii(bytes + first, last - first)) return true;
  arrow::util::InitializeUTF8();
  if (!arrow::util::ValidateUTF8(bytes + first, last - first)) return false;
  bool inside = false;
  for (int64_t i = 0; i < count; ++i) inside |= offsets[i] < last && (bytes[offsets[i]] & 0xc0) == 0x80;
  return !inside;
}

bool NeverDescend(const int32_t* offsets, int64_t count) {
  int descends = 0;
  for (int64_t i = 0; i < count; ++i) descends |= offsets[i + 1] < offsets[i];
  return descends == 0;
}

// Structure: its buffers are there, the second with `width` bytes for each value and for `more`, and its
// nulls are counted. Only for types without children.
bool IsSound(const arrow::ArrayData& data, size_t buffers, int64_t width, int64_t more) {
  constexpr int64_t kRowsMax = int64_t{1} << 40;
  if (data.length <= 0 || data.length > kRowsMax || data.offset < 0 || data.offset > kRowsMax) return false;
  if (data.buffers.size() != buffers || !data.child_data.empty() || data.dictionary != nullptr) return false;
  if (data.buffers[1] == nullptr || data.buffers[1]->size() < width * (data.offset + data.length + more))
    return false;
  if (data.buffers[0] == nullptr) return data.null_count <= 0;
  if (data.buffers[0]->size() < arrow::bit_util::BytesForBits(data.offset + data.length)) return false;
  const int64_t valid = arrow::internal::CountSetBits(data.buffers[0]->data(), data.offset, data.length);
  return data.null_count == data.length - valid;
}

// False says nothing: Arrow is asked then.
bool IsSurelyValid(const arrow::BinaryArray& array) {
  const arrow::ArrayData& data = *array.data();
  const int64_t count = array.length();
  constexpr int64_t kOffsetBytes = sizeof(int32_t);
  if (!IsSound(data, 3, kOffsetBytes, 1) || data.buffers[2] == nullptr) return false;
  const int32_t* const offsets = array.raw_value_offsets();
  if (offsets[0] < 0 || offsets[count] > array.value_data()->size() || !NeverDescend(offsets, count)) {
    return false;
  }
  return array.type_id() == arrow::Type::BINARY || offsets[0] == offsets[count] ||
         IsText(array.value_data()->data(), offsets, count);
}

// Of types whose every bit pattern is a value. 0: another type.
int64_t AnyValueBytes(arrow::Type::type type) {
  switch (type) {
    case arrow::Type::INT8:
    case arrow::Type::UINT8:
      return 1;
    case arrow::Type::INT16:
    case arrow::Type::UINT16:
      return 2;
    case arrow::Type::INT32:
    case arrow::Type::UINT32:
    case arrow::Type::FLOAT:
    case arrow::Type::DATE32:
      return 4;
    case arrow::Type::INT64:
    case arrow::Type::UINT64:
    case arrow::Type::DOUBLE:
    case arrow::Type::TIMESTAMP:
    case arrow::Type::DURATION:
      return 8;
    default:
      return 0;
  }
}

}  // namespace

arrow::Status ValidateColumn(const arrow::Array& array) {
  const bool is_extension = array.type_id() == arrow::Type::EXTENSION;
  const arrow::Array& values =
      is_extension ? *static_cast<const arrow::ExtensionArray&>(array).storage() : array;
  const bool is_bytes = values.type_id() == arrow::Type::STRING || values.type_id() == arrow::Type::BINARY;
  if (is_bytes && IsSurelyValid(static_cast<const arrow::BinaryArray&>(values))) return arrow::Status::OK();
  const int64_t width = AnyValueBytes(values.type_id());
  if (width != 0 && IsSound(*values.data(), 2, width, 0)) return arrow::Status::OK();
  return array.ValidateFull();
}

}  // namespace arrowcdc
