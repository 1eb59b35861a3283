// Growing Arrow columns: validity, offsets and data as they go into the message body. Every row is appended
// straight into these buffers. No value is looked at here; what writes values is in appenders.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "format/ipc_writer.h"
#include "plugin/pg.h"

namespace arrowcdc::plugin {

struct Session;
struct Column;
struct TextOutput;

struct Buffer {
  uint8_t* data;
  size_t size;
  size_t capacity;
};

// Room for `extra` more bytes behind buffer->size. The memory belongs to `context`.
void GrowBuffer(MemoryContext context, Buffer* buffer, size_t extra);
inline void Reserve(MemoryContext context, Buffer* buffer, size_t extra) {
  if (buffer->capacity - buffer->size < extra) GrowBuffer(context, buffer, extra);
}
inline void Append(MemoryContext context, Buffer* buffer, const void* bytes, size_t count) {
  Reserve(context, buffer, count);
  if (count > 0) memcpy(buffer->data + buffer->size, bytes, count);
  buffer->size += count;
}

enum class Layout : uint8_t { kFixed, kBits, kVariable, kList, kStruct };

// Appends one value that is not NULL. False: the value has no Arrow form and the column is as it was before.
using AppendFunction = bool (*)(Session* session, Column* column, Datum value);

struct Column {
  AppendFunction append;
  format::ArrowTypeId type;
  Layout layout;
  bool utc;
  bool varlena;   // the PostgreSQL value may be a TOAST pointer
  bool reported;  // the log has said that a value had no Arrow form
  int32_t width;  // bytes of a value, kFixed
  int32_t precision;
  int32_t scale;

  int64_t length;
  int64_t null_count;  // the validity buffer is kept only while this is not 0
  Buffer validity;
  Buffer offsets;  // int32, one more than length; empty means the single 0
  Buffer data;
  MemoryContext context;  // owns the buffers

  Column* children;
  int32_t children_count;

  // kList: how elements lie in the array.
  int16 element_length;
  bool element_by_value;
  char element_align;

  TextOutput* output;     // values written by the type's output function
  const char* extension;  // Arrow extension type, or null
};

// Bytes of variable-length data one column may hold: offsets are int32.
inline constexpr size_t kColumnBytesMax = 0x7fffffff;

// The next value is valid; its data has been written.
void AppendValidBit(Column* column);
inline void MarkValid(Column* column) {
  if (column->null_count > 0) AppendValidBit(column);
  ++column->length;
}
void AppendNull(Column* column);

// Takes back everything behind `length` values, of which null_count were null.
void TruncateColumn(Column* column, int64_t length, int64_t null_count);
// Empties the column, keeps its memory.
void ResetColumn(Column* column);
// Empties the column and gives its memory back.
void ReleaseColumn(Column* column);
// Bytes of memory the column's buffers hold.
size_t ColumnCapacity(const Column* column);

// Room for one value of kFixed; the caller writes `width` bytes there and calls MarkValid.
inline uint8_t* FixedSlot(Column* column) {
  Reserve(column->context, &column->data, column->width);
  uint8_t* slot = column->data.data + column->data.size;
  column->data.size += column->width;
  return slot;
}
template <typename T>
inline void AppendScalar(Column* column, T value) {
  memcpy(FixedSlot(column), &value, sizeof(T));
  MarkValid(column);
}

void AppendBool(Column* column, bool value);

// Ends a kVariable or kList value: its bytes (its elements) have been appended.
void PushOffset(Column* column, int64_t end);

// How many field nodes and buffers the column has, children included.
int32_t CountNodes(const Column* column);
int32_t CountBuffers(const Column* column);

}  // namespace arrowcdc::plugin
