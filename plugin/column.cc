// Growing Arrow columns.
#include "plugin/column.h"

namespace arrowcdc::plugin {

namespace {

constexpr size_t kFirstCapacity = 256;

void ReleaseBuffer(Buffer* buffer) {
  if (buffer->data != nullptr) pfree(buffer->data);
  *buffer = Buffer{nullptr, 0, 0};
}

// Sets bit `index`, which is the last one or behind it.
void PutBit(MemoryContext context, Buffer* bits, int64_t index, bool value) {
  const size_t byte = static_cast<size_t>(index) >> 3;
  if (byte >= bits->size) {
    Reserve(context, bits, 1);
    bits->data[byte] = 0;
    bits->size = byte + 1;
  }
  const uint8_t mask = static_cast<uint8_t>(1u << (index & 7));
  bits->data[byte] = static_cast<uint8_t>((bits->data[byte] & ~mask) | (value ? mask : 0));
}

size_t BitBytes(int64_t bits) { return static_cast<size_t>((bits + 7) >> 3); }

int64_t LastOffset(const Column* column) {
  if (column->offsets.size == 0) return 0;
  int32_t last;
  memcpy(&last, column->offsets.data + column->offsets.size - sizeof(last), sizeof(last));
  return last;
}

}  // namespace

void GrowBuffer(MemoryContext context, Buffer* buffer, size_t extra) {
  size_t capacity = buffer->capacity < kFirstCapacity ? kFirstCapacity : buffer->capacity * 2;
  if (capacity < buffer->size + extra) capacity = buffer->size + extra;
  if (buffer->data == nullptr) {
    buffer->data = static_cast<uint8_t*>(MemoryContextAllocHuge(context, capacity));
  } else {
    buffer->data = static_cast<uint8_t*>(repalloc_huge(buffer->data, capacity));
  }
  buffer->capacity = capacity;
}

void AppendValidBit(Column* column) { PutBit(column->context, &column->validity, column->length, true); }

void AppendNull(Column* column) {
  if (column->null_count == 0) {
    const size_t bytes = BitBytes(column->length);
    column->validity.size = 0;
    Reserve(column->context, &column->validity, bytes + 1);
    memset(column->validity.data, 0xff, bytes);
    column->validity.size = bytes;
  }
  PutBit(column->context, &column->validity, column->length, false);
  ++column->null_count;
  switch (column->layout) {
    case Layout::kFixed:
      memset(FixedSlot(column), 0, column->width);
      break;
    case Layout::kBits:
      PutBit(column->context, &column->data, column->length, false);
      break;
    case Layout::kVariable:
    case Layout::kList:
      PushOffset(column, LastOffset(column));
      break;
    case Layout::kStruct:
      for (int32_t i = 0; i < column->children_count; ++i) AppendNull(&column->children[i]);
      break;
  }
  ++column->length;
}

void AppendBool(Column* column, bool value) {
  PutBit(column->context, &column->data, column->length, value);
  MarkValid(column);
}

void PushOffset(Column* column, int64_t end) {
  Reserve(column->context, &column->offsets, 2 * sizeof(int32_t));
  if (column->offsets.size == 0) {
    memset(column->offsets.data, 0, sizeof(int32_t));
    column->offsets.size = sizeof(int32_t);
  }
  const int32_t offset = static_cast<int32_t>(end);
  memcpy(column->offsets.data + column->offsets.size, &offset, sizeof(offset));
  column->offsets.size += sizeof(offset);
}

void TruncateColumn(Column* column, int64_t length, int64_t null_count) {
  // The struct of the type table (timetz) and the list have no null inside a value that a caller could take
  // back apart from the value itself, so that their children need no count of their own.
  column->length = length;
  column->null_count = null_count;
  if (null_count > 0) column->validity.size = BitBytes(length);
  switch (column->layout) {
    case Layout::kFixed:
      column->data.size = static_cast<size_t>(length) * column->width;
      break;
    case Layout::kBits:
      column->data.size = BitBytes(length);
      break;
    case Layout::kVariable:
    case Layout::kList:
      if (column->offsets.size > 0)
        column->offsets.size = (static_cast<size_t>(length) + 1) * sizeof(int32_t);
      if (column->layout == Layout::kVariable) column->data.size = static_cast<size_t>(LastOffset(column));
      break;
    case Layout::kStruct:
      for (int32_t i = 0; i < column->children_count; ++i) {
        TruncateColumn(&column->children[i], length, null_count);
      }
      break;
  }
}

void ResetColumn(Column* column) {
  column->length = 0;
  column->null_count = 0;
  column->validity.size = 0;
  column->offsets.size = 0;
  column->data.size = 0;
  for (int32_t i = 0; i < column->children_count; ++i) ResetColumn(&column->children[i]);
}

void ReleaseColumn(Column* column) {
  ReleaseBuffer(&column->validity);
  ReleaseBuffer(&column->offsets);
  ReleaseBuffer(&column->data);
  column->length = 0;
  column->null_count = 0;
  for (int32_t i = 0; i < column->children_count; ++i) ReleaseColumn(&column->children[i]);
}

size_t ColumnCapacity(const Column* column) {
  size_t bytes = column->validity.capacity + column->offsets.capacity + column->data.capacity;
  for (int32_t i = 0; i < column->children_count; ++i) bytes += ColumnCapacity(&column->children[i]);
  return bytes;
}

int32_t CountNodes(const Column* column) {
  int32_t nodes = 1;
  for (int32_t i = 0; i < column->children_count; ++i) nodes += CountNodes(&column->children[i]);
  return nodes;
}

int32_t CountBuffers(const Column* column) {
  int32_t buffers = column->layout == Layout::kStruct ? 1 : column->layout == Layout::kVariable ? 3 : 2;
  for (int32_t i = 0; i < column->children_count; ++i) buffers += CountBuffers(&column->children[i]);
  return buffers;
}

}  // namespace arrowcdc::plugin
