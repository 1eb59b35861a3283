// For tests: a ByteBuffer on the heap whose block moves at every growth, so that a stale address is seen by
// ASan.
#pragma once

#include <cstdlib>
#include <string_view>

#include "format/byte_buffer.h"

namespace arrowcdc::format {

class TestBuffer {
 public:
  TestBuffer() : buffer_{{&Move, nullptr}, nullptr, 0, 0} {}
  ~TestBuffer() { free(buffer_.data); }
  TestBuffer(const TestBuffer&) = delete;
  TestBuffer& operator=(const TestBuffer&) = delete;

  ByteBuffer* get() { return &buffer_; }
  const uint8_t* data() const { return buffer_.data; }
  size_t size() const { return buffer_.size; }
  std::string_view view() const { return {reinterpret_cast<const char*>(buffer_.data), buffer_.size}; }

 private:
  static void* Move(void*, void* old, size_t old_bytes, size_t new_bytes) {
    void* fresh = malloc(new_bytes);
    if (fresh == nullptr) abort();
    memset(fresh, 0xA5, new_bytes);
    if (old_bytes > 0) memcpy(fresh, old, old_bytes);
    free(old);
    return fresh;
  }

  ByteBuffer buffer_;
};

}  // namespace arrowcdc::format
