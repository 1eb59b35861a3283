// Growing Arrow columns.
#include "plugin/column.h"

namespace arrowcdc::plugin {

namespace {

constexpr size_t kFirstBytes = 256;
constexpr int64_t kFirstValues = 32;

void ReleaseBuffer(Buffer* buffer) {
  if (buffer->data != nullptr) pfree(buffer->data);
  *buffer = Buffer{nullptr, 0, 0};
}

void Reallocate(MemoryContext context, Buffer* buffer, size_t capacity) {
  buffer->data = static_cast<uint8_t*>(buffer->data == nullptr ? MemoryContextAllocHuge(context, capacity)
                                                               : repalloc_huge(buffer->data, capacity));
  buffer->capacity = capacity;
}

void EnsureBytes(MemoryContext context, Buffer* buffer, size_t bytes) {
  if (buffer->capacity < bytes) Reallocate(context, buffer, bytes);
}

size_t CountBitBytes(int64_t bits) { return static_cast<size_t>((bits + 7) >> 3); }

// Validity for all values there is room for: those up to `from`, a multiple of 8, have theirs.
void FillValidity(Column* column, int64_t from) {
  const size_t bytes = CountBitBytes(column->capacity);
  EnsureBytes(column->context, &column->validity, bytes);
  memset(column->validity.data + CountBitBytes(from), 0xff, bytes - CountBitBytes(from));
}

bool GetBit(const uint8_t* bits, int64_t index) { return (bits[index >> 3] >> (index & 7) & 1) != 0; }

void PutBit(uint8_t* bits, int64_t index, bool value) {
  const uint8_t mask = static_cast<uint8_t>(1u << (index & 7));
  bits[index >> 3] = static_cast<uint8_t>((bits[index >> 3] & ~mask) | (value ? mask : 0));
}

}  // namespace

void GrowBuffer(MemoryContext context, Buffer* buffer, size_t extra) {
  size_t capacity = buffer->capacity < kFirstBytes ? kFirstBytes : buffer->capacity * 2;
  if (capacity < buffer->size + extra) capacity = buffer->size + extra;
  Reallocate(context, buffer, capacity);
}

void ShrinkBuffer(Buffer* buffer) {
  constexpr size_t kBytesKept = 1 << 20;
  if (buffer->capacity > kBytesKept) ReleaseBuffer(buffer);
}

void GrowColumn(Column* column, int64_t values) {
  const int64_t before = column->capacity;
  int64_t capacity = before == 0 ? kFirstValues : 2 * before;
  if (capacity < values) capacity = values;
  column->capacity = (capacity + 7) & ~int64_t{7};
  switch (column->layout) {
    case Layout::kFixed:
      EnsureBytes(column->context, &column->data,
                  static_cast<size_t>(column->capacity) * static_cast<size_t>(column->width));
      break;
    case Layout::kBits:
      EnsureBytes(column->context, &column->data, CountBitBytes(column->capacity));
      break;
    case Layout::kVariable:
    case Layout::kList:
      EnsureBytes(column->context, &column->offsets,
                  (static_cast<size_t>(column->capacity) + 1) * sizeof(int32_t));
      if (before == 0) PutOffset(column, 0, 0);
      break;
    case Layout::kFixedSizeList:
    case Layout::kStruct:
      break;
  }
  if (column->null_count > 0) FillValidity(column, before);
}

void AppendNull(Column* column) {
  ReserveValue(column);
  if (column->null_count++ == 0) FillValidity(column, 0);
  const int64_t place = column->length;
  PutBit(column->validity.data, place, false);
  switch (column->layout) {
    case Layout::kFixed:
      memset(GetSlot(column, place), 0, static_cast<size_t>(column->width));
      break;
    case Layout::kBits:
      PutBool(column, place, false);
      break;
    case Layout::kVariable:
    case Layout::kList:
      PutOffset(column, place + 1, GetOffset(column, place));
      break;
    case Layout::kFixedSizeList:
      for (int32_t i = 0; i < column->list_size; ++i) AppendNull(&column->children[0]);
      break;
    case Layout::kStruct:
      for (int32_t i = 0; i < column->children_count; ++i) AppendNull(&column->children[i]);
      break;
  }
  ++column->length;
}

void TruncateColumn(Column* column, int64_t length) {
  for (int64_t i = length; column->null_count > 0 && i < column->length; ++i) {
    if (GetBit(column->validity.data, i)) continue;
    PutBit(column->validity.data, i, true);
    --column->null_count;
  }
  column->length = length;
  const bool has_offsets = column->layout == Layout::kVariable || column->layout == Layout::kList;
  int64_t end = length;  // of the children
  if (has_offsets) end = column->capacity > 0 ? GetOffset(column, length) : 0;
  if (column->layout == Layout::kFixedSizeList) end = length * column->list_size;
  if (column->layout == Layout::kVariable) column->data.size = static_cast<size_t>(end);
  for (int32_t i = 0; i < column->children_count; ++i) TruncateColumn(&column->children[i], end);
}

void SealColumn(Column* column) {
  const int64_t length = column->length;
  column->validity.size = 0;
  if (column->null_count > 0) {
    column->validity.size = CountBitBytes(length);
    if ((length & 7) != 0)
      column->validity.data[length >> 3] &= static_cast<uint8_t>((1u << (length & 7)) - 1);
  }
  switch (column->layout) {
    case Layout::kFixed:
      column->data.size = static_cast<size_t>(length) * static_cast<size_t>(column->width);
      break;
    case Layout::kBits:
      column->data.size = CountBitBytes(length);
      break;
    case Layout::kVariable:
    case Layout::kList:
      if (column->capacity == 0) GrowColumn(column, 1);  // for the single 0
      column->offsets.size = (static_cast<size_t>(length) + 1) * sizeof(int32_t);
      break;
    case Layout::kFixedSizeList:
    case Layout::kStruct:
      break;
  }
  for (int32_t i = 0; i < column->children_count; ++i) SealColumn(&column->children[i]);
}

void ResetColumn(Column* column) {
  column->length = 0;
  column->null_count = 0;
  column->data.size = 0;
  for (int32_t i = 0; i < column->children_count; ++i) ResetColumn(&column->children[i]);
}

void ReleaseColumn(Column* column) {
  ReleaseBuffer(&column->validity);
  ReleaseBuffer(&column->offsets);
  ReleaseBuffer(&column->data);
  column->capacity = 0;
  ResetColumn(column);
  for (int32_t i = 0; i < column->children_count; ++i) ReleaseColumn(&column->children[i]);
}

size_t MeasureColumn(const Column* column) {
  size_t bytes = column->validity.capacity + column->offsets.capacity + column->data.capacity;
  for (int32_t i = 0; i < column->children_count; ++i) bytes += MeasureColumn(&column->children[i]);
  return bytes;
}

uint64_t CountFixedBytes(const Column* column) {
  uint64_t bytes = static_cast<uint64_t>(column->width);
  if (column->layout == Layout::kVariable || column->layout == Layout::kList) bytes += sizeof(int32_t);
  if (column->layout == Layout::kStruct) {
    for (int32_t i = 0; i < column->children_count; ++i) bytes += CountFixedBytes(&column->children[i]);
  }
  if (column->layout == Layout::kFixedSizeList) {
    bytes += static_cast<uint64_t>(column->list_size) * CountFixedBytes(&column->children[0]);
  }
  return bytes + 1;
}

int32_t CountNodes(const Column* column) {
  int32_t nodes = 1;
  for (int32_t i = 0; i < column->children_count; ++i) nodes += CountNodes(&column->children[i]);
  return nodes;
}

int32_t CountBuffers(const Column* column) {
  const bool validity_alone = column->layout == Layout::kStruct || column->layout == Layout::kFixedSizeList;
  int32_t buffers = validity_alone ? 1 : column->layout == Layout::kVariable ? 3 : 2;
  for (int32_t i = 0; i < column->children_count; ++i) buffers += CountBuffers(&column->children[i]);
  return buffers;
}

}  // namespace arrowcdc::plugin
