// A growing byte buffer whose memory comes from the caller. Used inside the server: no C++ heap, no
// destructor; the allocator may leave by longjmp, the buffer is consistent then. Little-endian machines only,
// as the wire is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace arrowcdc::format {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "buffers go to the wire as they lie in memory");

// Grows a block. `old` may be null; the result holds old_bytes of the old content. Never returns null.
struct Allocator {
  void* (*reallocate)(void* context, void* old, size_t old_bytes, size_t new_bytes);
  void* context;
};

// The owner of the allocator frees the memory. To start empty: ByteBuffer{allocator, nullptr, 0, 0}.
struct ByteBuffer {
  Allocator allocator;
  uint8_t* data;
  size_t size;
  size_t capacity;
};

// Makes room for `bytes` more behind the content; what `data` pointed to may have moved.
inline void Reserve(ByteBuffer* buffer, size_t bytes) {
  size_t needed = buffer->size + bytes;
  if (needed <= buffer->capacity) return;
  size_t capacity = buffer->capacity < 128 ? 256 : buffer->capacity * 2;
  if (capacity < needed) capacity = needed;
  buffer->data = static_cast<uint8_t*>(
      buffer->allocator.reallocate(buffer->allocator.context, buffer->data, buffer->size, capacity));
  buffer->capacity = capacity;
}

// Lengthens the content by `bytes` that the caller fills at the address returned.
inline uint8_t* Extend(ByteBuffer* buffer, size_t bytes) {
  Reserve(buffer, bytes);
  uint8_t* place = buffer->data + buffer->size;
  buffer->size += bytes;
  return place;
}

inline void Append(ByteBuffer* buffer, const void* bytes, size_t count) {
  if (count == 0) return;
  memcpy(Extend(buffer, count), bytes, count);
}

inline void AppendZeros(ByteBuffer* buffer, size_t count) {
  if (count == 0) return;
  memset(Extend(buffer, count), 0, count);
}

// Integers and the packed structures of frame.h.
template <typename T>
inline void AppendValue(ByteBuffer* buffer, const T& value) {
  memcpy(Extend(buffer, sizeof(T)), &value, sizeof(T));
}

inline constexpr size_t RoundUp(size_t value, size_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

}  // namespace arrowcdc::format
