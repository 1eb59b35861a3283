// format's ByteBuffer over a memory context of the server.
#pragma once

#include "format/byte_buffer.h"
#include "plugin/pg.h"

namespace arrowcdc::plugin {

inline format::ByteBuffer NewByteBuffer(MemoryContext context) {
  const format::Allocator allocator{[](void* owner, void* old, size_t, size_t bytes) -> void* {
                                      return old == nullptr ? MemoryContextAllocHuge(
                                                                  static_cast<MemoryContext>(owner), bytes)
                                                            : repalloc_huge(old, bytes);
                                    },
                                    context};
  return format::ByteBuffer{allocator, nullptr, 0, 0};
}

}  // namespace arrowcdc::plugin
