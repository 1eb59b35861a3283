// Text as a whole: one pass over the bytes and one over the offsets, instead of a call for each value.
#include "src/change/validate_column.h"

#include <cstdint>
#include <cstring>

#include <arrow/extension_type.h>
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

bool NullsAreCounted(const arrow::ArrayData& data) {
  if (data.buffers[0] == nullptr) return true;
  const int64_t valid = arrow::internal::CountSetBits(data.buffers[0]->data(), data.offset, data.length);
  return data.null_count == data.length - valid;
}

// False says nothing: Arrow is asked then.
bool IsSurelyValid(const arrow::BinaryArray& array) {
  // Structure: buffers are there, and the offsets are as many as they must be.
  const int64_t count = array.length();
  if (count == 0 || !array.Validate().ok() || !NullsAreCounted(*array.data())) return false;
  const int32_t* const offsets = array.raw_value_offsets();
  if (offsets[0] < 0 || offsets[count] > array.value_data()->size() || !NeverDescend(offsets, count)) {
    return false;
  }
  return array.type_id() == arrow::Type::BINARY || offsets[0] == offsets[count] ||
         IsText(array.value_data()->data(), offsets, count);
}

}  // namespace

arrow::Status ValidateColumn(const arrow::Array& array) {
  const bool is_extension = array.type_id() == arrow::Type::EXTENSION;
  const arrow::Array& values =
      is_extension ? *static_cast<const arrow::ExtensionArray&>(array).storage() : array;
  const bool is_bytes = values.type_id() == arrow::Type::STRING || values.type_id() == arrow::Type::BINARY;
  if (is_bytes && IsSurelyValid(static_cast<const arrow::BinaryArray&>(values))) return arrow::Status::OK();
  return array.ValidateFull();
}

}  // namespace arrowcdc
