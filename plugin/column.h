// Growing Arrow columns: validity, offsets and data as they go into the message body. Every row is appended
// straight into these buffers. No value is looked at here; what writes values is in appenders.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "format/ipc_writer.h"
#include "plugin/pg.h"

namespace arrowcdc::plugin {

struct AppendContext;
struct Column;
struct RowType;
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
// One giant value must not stay in memory for the rest of the session.
void ShrinkBuffer(Buffer* buffer);
inline void Append(MemoryContext context, Buffer* buffer, const void* bytes, size_t count) {
  Reserve(context, buffer, count);
  if (count > 0) memcpy(buffer->data + buffer->size, bytes, count);
  buffer->size += count;
}

enum class Layout : uint8_t { kFixed, kBits, kVariable, kList, kFixedSizeList, kStruct };

// Appends one value that is not NULL. False: the value has no Arrow form and the column is as it was before.
using AppendFunction = bool (*)(AppendContext* append, Column* column, Datum value);

// Values are written by their place: `data` of kFixed and kBits, `offsets` and `validity` have room for
// `capacity` of them, so that a value costs its stores and nothing else. Their sizes are set when the column
// is sealed; only `data` of kVariable has its size at all times. In the table's own columns `length` is right
// after AppendNull and after `append` only: the row writer counts rows for all of them.
struct Column {
  Buffer data;
  Buffer offsets;  // int32, one more than there are values
  int64_t length;
  int64_t capacity;
  int64_t null_count;
  Buffer validity;        // kept only while null_count is not 0; bits not yet used are 1
  MemoryContext context;  // owns the buffers

  AppendFunction append;
  format::ArrowTypeId type;
  Layout layout;
  bool utc;
  bool varlena;   // the PostgreSQL value may be a TOAST pointer
  bool reported;  // the log has said that a value had no Arrow form
  int32_t width;  // bytes of a value, kFixed
  int32_t precision;
  int32_t scale;

  Column* children;
  int32_t children_count;

  // How a value lies within another one (an array's element, a range's bound), as pg_type says.
  int16 typlen;
  bool typbyval;
  char typalign;
  uint8_t depth;  // of nesting; 0: a column of the table

  TextOutput* output;     // values written by the type's output function
  RowType* row_type;      // composites
  const char* extension;  // Arrow extension type, or null
  const char* extension_metadata;
  const char* name;   // of a child, UTF-8
  int16 attnum;       // of a composite's attribute; 0: of none
  bool required;      // a child that is never null
  int32_t list_size;  // kFixedSizeList
  int32_t srid;       // PostGIS: the reference system that the column's values have, 0: none
};

// Bytes of variable-length data one column may hold: offsets are int32.
inline constexpr size_t kColumnBytesMax = 0x7fffffff;

// Room for `values` values.
void GrowColumn(Column* column, int64_t values);
inline void ReserveValue(Column* column) {
  if (column->length == column->capacity) GrowColumn(column, column->length + 1);
}

void AppendNull(Column* column);

// Takes back everything behind `length` values; also what children have of one that was not ended.
void TruncateColumn(Column* column, int64_t length);
// Sets the sizes of the buffers to what goes into the message.
void SealColumn(Column* column);
// Empties the column, keeps its memory.
void ResetColumn(Column* column);
// Empties the column and gives its memory back.
void ReleaseColumn(Column* column);
// Bytes of memory the column's buffers hold.
size_t MeasureColumn(const Column* column);

// Where value `index` of kFixed lies. There is room for it.
inline uint8_t* GetSlot(Column* column, int64_t index) {
  return column->data.data + static_cast<size_t>(index) * static_cast<size_t>(column->width);
}

// Bits behind `index` do not matter: what is written next overwrites them.
inline void PutBool(Column* column, int64_t index, bool value) {
  uint8_t* const byte = column->data.data + (index >> 3);
  const uint32_t below = (1u << (index & 7)) - 1;
  *byte = static_cast<uint8_t>((*byte & below) | (static_cast<uint32_t>(value) << (index & 7)));
}

inline int32_t GetOffset(const Column* column, int64_t index) {
  int32_t offset;
  memcpy(&offset, column->offsets.data + static_cast<size_t>(index) * sizeof(offset), sizeof(offset));
  return offset;
}
inline void PutOffset(Column* column, int64_t index, int64_t end) {
  const int32_t offset = static_cast<int32_t>(end);
  memcpy(column->offsets.data + static_cast<size_t>(index) * sizeof(offset), &offset, sizeof(offset));
}

// One value of kFixed, which is `width` bytes wide.
inline void AppendFixed(Column* column, const void* bytes) {
  ReserveValue(column);
  memcpy(GetSlot(column, column->length), bytes, static_cast<size_t>(column->width));
  ++column->length;
}
template <typename T>
inline void AppendScalar(Column* column, T value) {
  ReserveValue(column);
  memcpy(column->data.data + static_cast<size_t>(column->length) * sizeof(T), &value, sizeof(T));
  ++column->length;
}

inline void AppendBit(Column* column, bool value) {
  ReserveValue(column);
  PutBool(column, column->length++, value);
}

// Ends a value of kVariable or kList: its bytes (its elements) have been appended, up to `end`.
inline void EndValue(Column* column, int64_t end) {
  ReserveValue(column);
  PutOffset(column, column->length + 1, end);
  ++column->length;
}

// Bytes every value takes in the column whatever it is, validity at a byte.
uint64_t CountFixedBytes(const Column* column);

// How many field nodes and buffers the column has, children included.
int32_t CountNodes(const Column* column);
int32_t CountBuffers(const Column* column);

}  // namespace arrowcdc::plugin
