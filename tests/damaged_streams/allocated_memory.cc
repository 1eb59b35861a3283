// By the sanitizer's hooks, whose header GCC does not bring.
#include "tests/damaged_streams/allocated_memory.h"

#include <algorithm>
#include <atomic>
#include <cstddef>

#ifdef __SANITIZE_ADDRESS__
extern "C" {
int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void*, size_t),
                                              void (*on_free)(const volatile void*));
size_t __sanitizer_get_allocated_size(const volatile void* block);
}
#endif

namespace arrowcdc::test {
namespace {

std::atomic<int64_t> allocated{0};
std::atomic<int64_t> peak{0};

#ifdef __SANITIZE_ADDRESS__
void OnMalloc(const volatile void* /*block*/, size_t bytes) {
  const int64_t now = allocated += static_cast<int64_t>(bytes);
  if (now > peak) peak = now;
}

void OnFree(const volatile void* block) {
  if (block != nullptr) allocated -= static_cast<int64_t>(__sanitizer_get_allocated_size(block));
}

const bool installed = __sanitizer_install_malloc_and_free_hooks(OnMalloc, OnFree) != 0;
#else
const bool installed = false;
#endif

int64_t at_start = 0;

}  // namespace

bool CountsAllocatedMemory() { return installed; }

AllocatedMemory::AllocatedMemory() {
  at_start = allocated;
  peak = at_start;
}

int64_t AllocatedMemory::peak_bytes() const { return peak - at_start; }

}  // namespace arrowcdc::test
