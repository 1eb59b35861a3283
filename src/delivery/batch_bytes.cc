#include "src/delivery/batch_bytes.h"

#include <arrow/array/data.h>
#include <arrow/extension_type.h>
#include <arrow/type.h>

namespace arrowcdc {
namespace {

constexpr int64_t kBitsOfByte = 8;

int64_t BytesOf(const arrow::ArrayData& data, const arrow::DataType& type, int64_t offset, int64_t length);

int64_t BytesOfChild(const arrow::ArrayData& data, size_t child, int64_t offset, int64_t length) {
  const arrow::ArrayData& values = *data.child_data[child];
  return BytesOf(values, *values.type, values.offset + offset, length);
}

// Offsets, and the bytes or elements that lie between them.
template <typename Offset>
int64_t BytesBetween(const arrow::ArrayData& data, int64_t offset, int64_t length, bool elements) {
  if (length == 0 || data.buffers[1] == nullptr || data.buffers[1]->size() == 0) return 0;
  const auto* const offsets = data.GetValues<Offset>(1, offset);
  const int64_t begin = offsets[0];
  const int64_t count = offsets[length] - begin;
  return (length + 1) * static_cast<int64_t>(sizeof(Offset)) +
         (elements ? BytesOfChild(data, 0, begin, count) : count);
}

int64_t BytesOf(const arrow::ArrayData& data, const arrow::DataType& type, int64_t offset, int64_t length) {
  switch (type.id()) {
    case arrow::Type::EXTENSION:
      return BytesOf(data, *static_cast<const arrow::ExtensionType&>(type).storage_type(), offset, length);
    case arrow::Type::STRING:
    case arrow::Type::BINARY:
      return BytesBetween<int32_t>(data, offset, length, false);
    case arrow::Type::LARGE_STRING:
    case arrow::Type::LARGE_BINARY:
      return BytesBetween<int64_t>(data, offset, length, false);
    case arrow::Type::LIST:
    case arrow::Type::MAP:
      return BytesBetween<int32_t>(data, offset, length, true);
    case arrow::Type::LARGE_LIST:
      return BytesBetween<int64_t>(data, offset, length, true);
    case arrow::Type::STRUCT: {
      int64_t bytes = 0;
      for (size_t child = 0; child < data.child_data.size(); ++child)
        bytes += BytesOfChild(data, child, offset, length);
      return bytes;
    }
    default:  // of fixed width, dictionary indexes among them; others have no width
      return type.bit_width() < 0 ? 0 : (length * type.bit_width() + kBitsOfByte - 1) / kBitsOfByte;
  }
}

}  // namespace

uint64_t BytesOf(const arrow::RecordBatch& rows) {
  int64_t bytes = 0;
  for (int i = 0; i < rows.num_columns(); ++i) {
    const arrow::ArrayData& data = *rows.column_data(i);
    bytes += BytesOf(data, *data.type, data.offset, data.length);
  }
  return static_cast<uint64_t>(bytes);
}

}  // namespace arrowcdc
